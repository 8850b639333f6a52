package objectstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// A ranged reads a range of an object, one request after the other where one
// breaks off. One goroutine uses it.
type ranged struct {
	fs       *FS
	ctx      context.Context
	name     name
	info     *info
	off, end int64 // what is left of the range
	body     io.ReadCloser
	cancel   context.CancelFunc // of the request that body is of
	alarm    *time.Timer        // cancels it when the server is silent
	failures int                // since bytes came
}

// Read implements io.Reader. Its error is io.EOF at the end of the range.
func (r *ranged) Read(p []byte) (int, error) {
	for r.off < r.end {
		if r.body == nil {
			if err := r.open(); err != nil {
				return 0, err
			}
		}
		r.alarm.Reset(silence)
		n, err := r.body.Read(p[:min(int64(len(p)), r.end-r.off)])
		r.off += int64(n)
		if n > 0 {
			r.failures = 0
		}
		if err != nil || r.off == r.end {
			r.close()
		}
		if n > 0 || len(p) == 0 {
			return n, nil
		}
		if err == nil {
			continue
		}
		if r.ctx.Err() != nil {
			return 0, context.Cause(r.ctx)
		}
		if r.failures++; r.failures == tries {
			return 0, pathError("read", r.name, &reason{text: fmt.Sprintf("the object store broke off %d times in a row", tries)})
		}
		if err := wait(r.ctx, r.fs.firstPause, r.failures-1); err != nil {
			return 0, err
		}
	}
	return 0, io.EOF
}

// open asks for what is left of the range.
func (r *ranged) open() error {
	out, err := r.get()
	if is(err, errChanged) && r.refresh() {
		out, err = r.get()
	}
	if err != nil {
		r.close()
		return err
	}
	r.body = out.Body
	switch {
	case r.info.etag == "":
		err = pathError("read", r.name, errNoETag)
	case unquoted(aws.ToString(out.ETag)) != r.info.etag:
		err = pathError("read", r.name, errChanged) // the store does not know of If-Match
	case !r.answers(out):
		err = pathError("read", r.name, &reason{text: "the object store sends another range than was asked for"})
	}
	if err != nil {
		r.close()
	}
	return err
}

func (r *ranged) get() (*s3.GetObjectOutput, error) {
	r.close()
	var ctx context.Context
	ctx, r.cancel = context.WithCancel(r.ctx)
	r.alarm = time.AfterFunc(silence*tries, r.cancel)
	return ask(r.fs, r.ctx, "read", r.name, func(c *client, o func(*s3.Options)) (*s3.GetObjectOutput, error) {
		return c.GetObject(ctx, &s3.GetObjectInput{
			Bucket: &r.name.bucket, Key: &r.name.key, IfMatch: aws.String(strconv.Quote(r.info.etag)),
			Range: aws.String(fmt.Sprintf("bytes=%d-%d", r.off, r.end-1)),
		}, o)
	})
}

// answers reports whether the answer has the range that was asked for.
func (r *ranged) answers(out *s3.GetObjectOutput) bool {
	got := aws.ToString(out.ContentRange)
	if got == "" { // all of it
		return r.off == 0 && r.end == r.info.size
	}
	return strings.HasPrefix(got, fmt.Sprintf("bytes %d-%d/", r.off, r.end-1))
}

// refresh takes over the ETag that the object has by itself, where a list told
// another: stores may compute them in different ways. It reports whether that is
// so, and the object is the one of the list.
func (r *ranged) refresh() bool {
	if !r.info.listed {
		return false
	}
	path := r.name.String()
	r.fs.forget(path)
	now, err := r.fs.head(r.name)
	if err != nil || now.size != r.info.size || now.modified.Unix() != r.info.modified.Unix() || now.etag == r.info.etag {
		return false
	}
	r.info = now
	return true
}

func (r *ranged) close() {
	if r.cancel != nil {
		r.alarm.Stop()
		r.cancel()
		r.cancel = nil
	}
	if r.body != nil {
		r.body.Close()
		r.body = nil
	}
}

// readAll fills p from an offset of the object on.
func (r *ranged) readAll(p []byte) error {
	_, err := io.ReadFull(r, p)
	r.close()
	if errors.Is(err, io.ErrUnexpectedEOF) || err == io.EOF {
		err = pathError("read", r.name, &reason{text: "the object is shorter than it was"})
	}
	return err
}
