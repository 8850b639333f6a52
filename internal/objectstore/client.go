package objectstore

import (
	"cmp"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"
)

const (
	// tries is how often a request is made before its failure counts: with the
	// pauses between them some 20 seconds.
	tries = 10
	// usualPause is the pause after the first failure (FS.firstPause); each
	// further one is twice as long, up to mostPause, and a random part of it is
	// left out.
	usualPause = 50 * time.Millisecond
	mostPause  = 5 * time.Second
	// silence is how long a server may send nothing before a request counts as
	// failed.
	silence = 60 * time.Second
	// connections is how many stay open between requests.
	connections = 64
	// usualRegion is taken where none is configured. Stores other than Amazon's
	// mostly do not care; Amazon's answers with the right one.
	usualRegion = "us-east-1"
)

// A client speaks to the store.
type client struct {
	*s3.Client
	secrets []string // what no message may have

	mu      sync.Mutex
	regions map[string]string // of buckets that are in another one
}

// pause is how long to wait after so many failures, if it is first after one.
func pause(first time.Duration, failures int) time.Duration {
	d := min(first<<min(failures, 16), mostPause)
	return d/2 + rand.N(d/2)
}

// wait waits for such a pause, unless ctx ends.
func wait(ctx context.Context, first time.Duration, failures int) error {
	t := time.NewTimer(pause(first, failures))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

func newRetryer(firstPause time.Duration) aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = tries
		o.MaxBackoff = mostPause
		o.RateLimiter = ratelimit.None // many requests fail when a store is busy, and succeed later
		o.Backoff = retry.BackoffDelayerFunc(func(attempt int, _ error) (time.Duration, error) { return pause(firstPause, attempt-1), nil })
		o.Retryables = append(o.Retryables, retry.RetryableHTTPStatusCode{Codes: map[int]struct{}{http.StatusTooManyRequests: {}}},
			retry.IsErrorRetryableFunc(brokenOff))
	})
}

// brokenOff says of an answer that ended too early, or is otherwise none, that
// another may be better.
func brokenOff(err error) aws.Ternary {
	_, garbled := errors.AsType[*smithy.DeserializationError](err)
	if garbled || errors.Is(err, io.ErrUnexpectedEOF) {
		return aws.TrueTernary
	}
	return aws.UnknownTernary
}

// newClient makes the client that the environment and the configuration files of
// the SDK ask for.
func newClient(ctx context.Context, firstPause time.Duration) (*client, error) {
	transport := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.MaxIdleConns, t.MaxIdleConnsPerHost = connections, connections
		t.ResponseHeaderTimeout = silence
		t.DisableCompression = true // an object is read as it lies there
	})
	c, err := config.LoadDefaultConfig(ctx,
		config.WithHTTPClient(transport), config.WithRetryer(func() aws.Retryer { return newRetryer(firstPause) }), config.WithLogger(logging.Nop{}),
		// What else there is to check, not every store knows. What is sent is
		// signed with its SHA-256.
		config.WithRequestChecksumCalculation(aws.RequestChecksumCalculationWhenRequired),
		config.WithResponseChecksumValidation(aws.ResponseChecksumValidationWhenRequired))
	if err != nil {
		return nil, &reason{text: "the configuration of the object store: " + err.Error()}
	}
	if c.Credentials == nil {
		return nil, errNoCredentials
	}
	keys, err := c.Credentials.Retrieve(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return nil, errNoCredentials
	}
	c.Region = cmp.Or(c.Region, usualRegion)
	made := s3.NewFromConfig(c, func(o *s3.Options) {
		o.UsePathStyle = o.BaseEndpoint != nil // buckets of other stores have no host names
		o.DisableLogOutputChecksumValidationSkipped = true
	})
	return &client{
		Client: made, regions: map[string]string{},
		secrets: []string{keys.AccessKeyID, keys.SecretAccessKey, keys.SessionToken},
	}, nil
}

// region sets that of a bucket, where it is another than the configured one.
func (c *client) region(bucket string) func(*s3.Options) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.regions[bucket]
	return func(o *s3.Options) { o.Region = cmp.Or(r, o.Region) }
}

// moved notes the region that an answer names. It reports whether that is news.
func (c *client) moved(bucket string, err error) bool {
	e, ok := errors.AsType[*awshttp.ResponseError](err)
	if !ok || e.Response == nil || c.Options().BaseEndpoint != nil {
		return false
	}
	r := e.Response.Header.Get("X-Amz-Bucket-Region")
	c.mu.Lock()
	defer c.mu.Unlock()
	if r == "" || r == cmp.Or(c.regions[bucket], c.Options().Region) {
		return false
	}
	c.regions[bucket] = r
	return true
}

// ask makes a request that concerns a bucket, a second time where the answer is
// that the bucket is in another region. An error is a *fs.PathError of the name.
func ask[T any](f *FS, ctx context.Context, op string, n name, do func(c *client, o func(*s3.Options)) (T, error)) (T, error) {
	var none T
	c, err := f.dial()
	if err != nil {
		return none, pathError(op, n, err)
	}
	out, err := do(c, c.region(n.bucket))
	if err != nil && c.moved(n.bucket, err) {
		out, err = do(c, c.region(n.bucket))
	}
	if err != nil {
		err = c.explain(ctx, err)
	}
	if err == nil || err == errNoKey && op != "stat" {
		f.mu.Lock()
		f.buckets[n.bucket] = true
		f.mu.Unlock()
	}
	if err != nil {
		return none, pathError(op, n, err)
	}
	return out, nil
}
