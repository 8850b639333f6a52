package objectstore

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
)

// A reason says why a request failed, in words of our own: what a server says can
// have anything in it.
type reason struct {
	text     string
	is       error // of package fs; nil: none of them
	answered bool  // it is the answer of a server
}

func (r *reason) Error() string        { return r.text }
func (r *reason) Is(target error) bool { return r.is != nil && target == r.is }

var (
	errNoCredentials = &reason{text: "no credentials were found for the object store: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or run where there is a role"}
	errNoObject      = &reason{text: "there is no such object, nor any whose key begins with that and a slash", is: fs.ErrNotExist}
	errNoKey         = &reason{text: "there is no such object", is: fs.ErrNotExist, answered: true}
	errNoneBelow     = &reason{text: "there are no objects whose keys begin with that", is: fs.ErrNotExist}
	errNoBucketThere = &reason{text: "there is no such bucket", is: fs.ErrNotExist, answered: true}
	errDenied        = &reason{text: "access denied", is: fs.ErrPermission, answered: true}
	errChanged       = &reason{text: "the object has changed since this run first met it", answered: true}
	errNoETag        = &reason{text: "the object store tells no ETag, so that a change of the object could not be noticed", answered: true}
	errArchived      = &reason{text: "the object is archived: it has to be restored first", answered: true}
)

// codes are what servers call some failures.
var codes = map[string]*reason{
	"NoSuchKey": errNoKey, "NotFound": errNoKey, "NoSuchBucket": errNoBucketThere,
	"AccessDenied": errDenied, "Forbidden": errDenied, "AllAccessDisabled": errDenied,
	"PreconditionFailed": errChanged, "InvalidObjectState": errArchived,
}

// refused are the codes of credentials that a server does not take.
var refused = map[string]bool{
	"InvalidAccessKeyId": true, "SignatureDoesNotMatch": true, "InvalidToken": true, "ExpiredToken": true,
	"TokenRefreshRequired": true, "AuthFailure": true, "UnauthorizedAccess": true, "InvalidClientTokenId": true,
}

func pathError(op string, n name, err error) error {
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return err
	}
	return &fs.PathError{Op: op, Path: n.String(), Err: err}
}

// explain returns the reason of an error of the SDK.
func (c *client) explain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if r, ok := errors.AsType[*reason](err); ok {
		return r
	}
	if a, ok := errors.AsType[smithy.APIError](err); ok {
		return c.answer(a, err)
	}
	if _, ok := errors.AsType[*smithy.DeserializationError](err); ok {
		return &reason{text: "the object store sends an answer that cannot be read"}
	}
	if r, ok := errors.AsType[*awshttp.ResponseError](err); ok && r.Response != nil {
		return &reason{text: "the object store answers with status " + cmp.Or(r.Response.Status, "none"), answered: true}
	}
	if o, ok := errors.AsType[*net.OpError](err); ok {
		return &reason{text: c.clean("object store: " + o.Error())}
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		return &reason{text: c.clean("object store: " + u.Err.Error())}
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return &reason{text: "the object store ended the connection"}
	}
	return &reason{text: c.clean("object store: " + err.Error())}
}

// answer is the reason that a server gives.
func (c *client) answer(a smithy.APIError, err error) error {
	code := a.ErrorCode()
	if r := codes[code]; r != nil {
		return r
	}
	if refused[code] {
		return &reason{text: "the object store refuses the credentials: " + code, is: fs.ErrPermission, answered: true}
	}
	r, ok := errors.AsType[*awshttp.ResponseError](err)
	if ok && r.HTTPStatusCode()/100 == 3 {
		text := "the bucket is in another region"
		if region := r.Response.Header.Get("X-Amz-Bucket-Region"); region != "" {
			text += ", " + region
		}
		return &reason{text: c.clean(text + ": set AWS_REGION, or AWS_ENDPOINT_URL, to where it is"), answered: true}
	}
	if ok && r.HTTPStatusCode() == http.StatusForbidden {
		return &reason{text: c.clean("access denied: " + code), is: fs.ErrPermission, answered: true}
	}
	return &reason{text: c.clean("the object store answers " + code + ": " + a.ErrorMessage()), answered: true}
}

// mostText is how much of a text that comes from elsewhere a message has, in
// bytes.
const mostText = 300

// clean is a text of another's without secrets, and without line ends.
func (c *client) clean(text string) string {
	for _, s := range c.secrets {
		if s != "" {
			text = strings.ReplaceAll(text, s, "...")
		}
	}
	text = strings.Join(strings.Fields(text), " ")
	return strings.TrimSuffix(text[:min(len(text), mostText)], ": ")
}

// is reports whether a request failed for one of the reasons.
func is(err error, reasons ...*reason) bool {
	r, ok := errors.AsType[*reason](err)
	for _, other := range reasons {
		if ok && r == other {
			return true
		}
	}
	return false
}
