package objectstore

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"pcapbatch/internal/durable"
)

const (
	// partBytes is the size of the first parts of an object. 10 000 parts are
	// allowed, and 5 TiB, so the size doubles every 1000 parts: that is enough for
	// 7.8 TiB, and 4 GiB, the size of the last ones, is allowed.
	partBytes = 8 << 20
	growEvery = 1000
	mostParts = 10000
	// memoryPart is the size of the largest part that is put together in memory;
	// larger ones are put together in a temporary file. They come after 56 GiB.
	memoryPart = 64 << 20
	// sending is how many parts are on their way at once, besides the one that is
	// written, where the budget has room for them.
	sending = 4
	// abortTime is how long the end of an upload that is given up may take.
	abortTime = 30 * time.Second
	// usualHurry is the same where the run was ended early (FS.hurriedTime).
	usualHurry = 2 * time.Second
)

// partSize is the size of a part, counted from 0.
func partSize(number int) int64 { return partBytes << (number / growEvery) }

// An upload is an object that is written: a durable.File. The object appears
// with complete. A small one is sent as a whole then, a larger one in parts
// before.
type upload struct {
	fs   *FS
	ctx  context.Context // ends with the upload
	stop context.CancelCauseFunc
	name name

	id      *string // of the multipart upload; nil: none was begun
	part    []byte  // that is being written
	spool   durable.File
	spooled int64
	number  int // of that part, from 0
	size    int64
	started time.Time

	sent sync.WaitGroup
	busy chan struct{} // has an element for each part on its way

	mu    sync.Mutex
	parts []types.CompletedPart // by number
	err   error                 // the first of a part
}

// create begins an object. The first one in a directory is begun in the store
// at once, so that a run learns at its beginning that it may not write there.
func (f *FS) create(temp, path string) (*upload, error) {
	n, err := parse(path)
	if err != nil {
		return nil, err
	}
	if n.isDir() {
		return nil, pathError("create", n, &reason{text: "names a directory, not an object"})
	}
	u := &upload{fs: f, name: n, busy: make(chan struct{}, sending), started: time.Now()}
	u.ctx, u.stop = context.WithCancelCause(f.ctx)
	f.mu.Lock()
	begun := f.begun[durable.Dir(path)]
	f.begun[durable.Dir(path)] = true
	f.mu.Unlock()
	if !begun {
		if err := u.begin(); err != nil {
			return nil, err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.uploads[temp] = u
	return u, nil
}

// begin begins a multipart upload, if there is none.
func (u *upload) begin() error {
	if u.id != nil {
		return nil
	}
	out, err := ask(u.fs, u.ctx, "create", u.name, func(c *client, o func(*s3.Options)) (*s3.CreateMultipartUploadOutput, error) {
		return c.CreateMultipartUpload(u.ctx, &s3.CreateMultipartUploadInput{Bucket: &u.name.bucket, Key: &u.name.key}, o)
	})
	if err == nil {
		u.id = out.UploadId
	}
	return err
}

// failed is the first error of a part that was sent.
func (u *upload) failed() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.err
}

// Write implements io.Writer.
func (u *upload) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		if err := u.failed(); err != nil {
			return n, err
		}
		room := partSize(u.number) - u.partial()
		m := int(min(int64(len(p)), room))
		if err := u.add(p[:m]); err != nil {
			return n, err
		}
		n, p = n+m, p[m:]
		if int64(m) == room {
			if err := u.send(); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

// partial is how many bytes of the current part were written.
func (u *upload) partial() int64 { return int64(len(u.part)) + u.spooled }

// add adds to the current part.
func (u *upload) add(p []byte) (err error) {
	u.size += int64(len(p))
	if partSize(u.number) <= memoryPart {
		if cap(u.part)-len(u.part) < len(p) {
			u.grow(len(p))
		}
		u.part = append(u.part, p...)
		return nil
	}
	if u.spool == nil {
		if u.spool, err = u.fs.FS.Temp(u.fs.tempDir); err != nil {
			return durable.WriteFailed("temporary file in "+u.fs.tempDir, err)
		}
	}
	u.spooled += int64(len(p))
	if err := durable.WriteFull(u.spool, p); err != nil {
		return durable.WriteFailed("temporary file in "+u.fs.tempDir, err)
	}
	return nil
}

// grow makes room for so many bytes more of the current part. Small objects
// cost little memory.
func (u *upload) grow(more int) {
	size := min(max(int64(len(u.part)+more), 4*int64(cap(u.part)), 64<<10), partSize(u.number))
	part := make([]byte, len(u.part), size)
	u.fs.budget.give(int64(cap(u.part)) - int64(cap(part)))
	copy(part, u.part)
	u.part = part
}

// send sends the current part and begins the next. It waits where there are as
// many on their way as can be.
func (u *upload) send() error {
	if u.number == mostParts {
		return pathError("write", u.name, &reason{text: "the object is too large"})
	}
	if err := u.begin(); err != nil {
		return err
	}
	number := u.number
	u.number++
	if u.spool != nil {
		err := u.put(number, io.NewSectionReader(u.spool, 0, u.spooled), u.spooled)
		u.spooled = 0
		if err == nil {
			err = u.spool.Truncate(0)
		}
		if err == nil {
			_, err = u.spool.Seek(0, io.SeekStart)
		}
		return err
	}
	part := u.part
	u.part = nil
	if !u.fs.budget.try(0) { // others have to wait for this memory
		u.sent.Wait()
	}
	select {
	case u.busy <- struct{}{}:
	case <-u.ctx.Done():
		return context.Cause(u.ctx)
	}
	u.sent.Add(1)
	go func() {
		defer u.sent.Done()
		defer func() { <-u.busy }()
		defer u.fs.budget.give(int64(cap(part)))
		if err := u.put(number, bytes.NewReader(part), int64(len(part))); err != nil {
			u.mu.Lock()
			defer u.mu.Unlock()
			if u.err == nil {
				u.err = err
			}
		}
	}()
	return nil
}

// put sends one part.
func (u *upload) put(number int, body io.Reader, size int64) error {
	out, err := ask(u.fs, u.ctx, "write", u.name, func(c *client, o func(*s3.Options)) (*s3.UploadPartOutput, error) {
		return c.UploadPart(u.ctx, &s3.UploadPartInput{
			Bucket: &u.name.bucket, Key: &u.name.key, UploadId: u.id, PartNumber: aws.Int32(int32(number + 1)),
			Body: body, ContentLength: &size,
		}, o)
	})
	if err != nil {
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	for len(u.parts) <= number {
		u.parts = append(u.parts, types.CompletedPart{})
	}
	u.parts[number] = types.CompletedPart{ETag: out.ETag, PartNumber: aws.Int32(int32(number + 1))}
	return nil
}

// complete makes the object appear. After an error the upload is given up.
func (u *upload) complete() error {
	err := u.finish()
	if err != nil {
		u.abort()
		return err
	}
	u.release()
	u.fs.forget(u.name.String())
	return nil
}

func (u *upload) finish() error {
	if u.id == nil || u.size == 0 {
		return u.putWhole()
	}
	if u.partial() > 0 {
		if err := u.send(); err != nil {
			return err
		}
	}
	u.sent.Wait()
	if err := u.failed(); err != nil {
		return err
	}
	_, err := ask(u.fs, u.ctx, "write", u.name, func(c *client, o func(*s3.Options)) (*s3.CompleteMultipartUploadOutput, error) {
		return c.CompleteMultipartUpload(u.ctx, &s3.CompleteMultipartUploadInput{
			Bucket: &u.name.bucket, Key: &u.name.key, UploadId: u.id,
			MultipartUpload: &types.CompletedMultipartUpload{Parts: u.parts},
		}, o)
	})
	if err != nil && !u.appeared(err) {
		return err
	}
	u.id = nil
	return nil
}

// appeared reports whether the object is there although completing it has
// failed in the end: the answer to a first try may have been lost.
func (u *upload) appeared(err error) bool {
	if r, ok := errors.AsType[*reason](err); !ok || !strings.Contains(r.text, "NoSuchUpload") {
		return false
	}
	u.fs.forget(u.name.String())
	now, err := u.fs.head(u.name)
	return err == nil && now.size == u.size && now.modified.After(u.started.Add(-time.Minute))
}

// putWhole sends a small object.
func (u *upload) putWhole() error {
	size := int64(len(u.part))
	_, err := ask(u.fs, u.ctx, "write", u.name, func(c *client, o func(*s3.Options)) (*s3.PutObjectOutput, error) {
		return c.PutObject(u.ctx, &s3.PutObjectInput{
			Bucket: &u.name.bucket, Key: &u.name.key, Body: bytes.NewReader(u.part), ContentLength: &size,
		}, o)
	})
	if err == nil {
		u.end()
	}
	return err
}

// abort gives the upload up. Nothing of it is left in the store.
func (u *upload) abort() {
	u.stop(errors.New("the upload was given up"))
	u.sent.Wait()
	u.end()
	u.release()
}

// end ends the multipart upload, if there is one, also where the run was ended.
func (u *upload) end() {
	if u.id == nil {
		return
	}
	limit := abortTime
	if u.fs.ctx.Err() != nil {
		limit = u.fs.hurriedTime
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(u.ctx), limit)
	defer cancel()
	_, _ = ask(u.fs, ctx, "write", u.name, func(c *client, o func(*s3.Options)) (*s3.AbortMultipartUploadOutput, error) {
		return c.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &u.name.bucket, Key: &u.name.key, UploadId: u.id}, o)
	}) // what is left then, a rule of the bucket has to remove
	u.id = nil
}

// release gives memory and the temporary file back.
func (u *upload) release() {
	u.fs.budget.give(int64(cap(u.part)))
	u.part = nil
	if u.spool != nil {
		_ = u.spool.Close() // nothing in it is needed any more
		u.spool = nil
	}
	u.stop(nil)
}

// Close implements io.Closer. It neither completes the object nor gives it up.
func (u *upload) Close() error { return nil }

// Sync implements durable.File: an object that is there is durable.
func (u *upload) Sync() error { return nil }

// Name returns the name that the object will have.
func (u *upload) Name() string { return u.name.String() }

var errWriteOnly = errors.New("an object cannot be read or changed while it is written")

func (u *upload) refuse() error { return pathError("read", u.name, errWriteOnly) }

func (u *upload) ReadAt([]byte, int64) (int, error) { return 0, u.refuse() }
func (u *upload) Seek(int64, int) (int64, error)    { return 0, u.refuse() }
func (u *upload) Truncate(int64) error              { return u.refuse() }
func (u *upload) Chmod(fs.FileMode) error           { return nil }
func (u *upload) Chown(int, int) error              { return nil }
