package objectstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"pcapbatch/internal/durable"
)

const (
	// mostAhead is how many objects are asked for, or wait in memory, before they
	// are opened, and leastAhead the same where the budget is used up.
	mostAhead  = 64
	leastAhead = 4
	// headBytes is how much of the beginning of a file comes with its end.
	headBytes = 64
)

// A prefetch is a list of objects of which the next ones are asked for side by
// side. It only ever makes things faster: what fails here is asked for again by
// who opens the object, and what he is told is the error.
type prefetch struct {
	fs      *FS
	ctx     context.Context
	cancel  context.CancelFunc
	want    durable.Want
	running sync.WaitGroup

	// Guarded by FS.mu:

	left    []string // not asked for
	waiting []*early // asked for and not opened, in order
	clock   int      // how many objects were opened
}

// An early is an object that was asked for before it is opened.
type early struct {
	key   earlyKey
	born  int           // by the clock
	done  chan struct{} // closed when the rest is there
	err   error
	info  *info
	head  []byte // with durable.Ends; nil where data has it
	data  []byte // the beginning of the object, or the end of it
	taken int64  // from the budget
}

type earlyKey struct {
	path string
	want durable.Want
}

// Prefetch implements durable.Prefetcher.
func (f *FS) Prefetch(w durable.Want, paths []string) (stop func()) {
	p := &prefetch{fs: f, want: w}
	for _, path := range paths {
		if n, err := parse(path); durable.IsObject(path) && err == nil && !n.isDir() {
			p.left = append(p.left, path)
		}
	}
	if len(p.left) < 2 {
		return func() {}
	}
	p.ctx, p.cancel = context.WithCancel(f.ctx)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.prefetches = append(f.prefetches, p)
	p.goOn()
	return p.stop
}

// goOn asks for more objects. FS.mu is held.
func (p *prefetch) goOn() {
	for len(p.left) > 0 && len(p.waiting) < mostAhead {
		k := earlyKey{p.left[0], p.want}
		i := p.fs.infos[k.path]
		if p.fs.early[k] != nil || p.fs.small[k.path] != nil || i != nil && (p.want == durable.Names || i.size == 0) {
			p.left = p.left[1:]
			continue
		}
		e := &early{key: k, born: p.clock, done: make(chan struct{}), info: i}
		if p.want != durable.Names {
			e.taken = leastRange
			if i != nil {
				e.taken = min(e.taken, i.size)
			}
		}
		if !p.fs.budget.try(e.taken) {
			if len(p.waiting) >= leastAhead {
				return
			}
			p.fs.budget.give(-e.taken)
		}
		p.left = p.left[1:]
		p.waiting = append(p.waiting, e)
		p.fs.early[k] = e
		p.running.Go(func() {
			defer close(e.done)
			e.err = p.fetch(e)
		})
	}
}

// stop ends the requests and forgets what was not opened.
func (p *prefetch) stop() {
	p.cancel()
	f := p.fs
	f.mu.Lock()
	for i, other := range f.prefetches {
		if other == p {
			f.prefetches = append(f.prefetches[:i], f.prefetches[i+1:]...)
			break
		}
	}
	left := p.waiting
	p.left, p.waiting = nil, nil
	for _, e := range left {
		delete(f.early, e.key)
	}
	f.mu.Unlock()
	p.running.Wait()
	for _, e := range left {
		f.budget.give(e.taken)
	}
}

// takeEarly returns what was asked for of an object before, or kept, nil for
// nothing, and waits for it. It is the caller's, with what was taken of the budget.
func (f *FS) takeEarly(path string, w durable.Want) *early {
	k := earlyKey{path, w}
	f.mu.Lock()
	e := f.early[k]
	delete(f.early, k)
	for _, p := range f.prefetches {
		if p.want == w {
			p.opened(e)
			p.goOn()
		}
	}
	if e == nil && w != durable.Names {
		e = f.small[path]
		f.mu.Unlock()
		return e
	}
	f.mu.Unlock()
	if e == nil {
		return nil
	}
	<-e.done
	if e.err != nil && !is(e.err, errNoKey) {
		f.budget.give(e.taken)
		return nil
	}
	return e
}

// opened forgets e, which may be nil, and those that wait for too long: somebody
// else has opened them before they were asked for, or nobody will. FS.mu is held.
func (p *prefetch) opened(e *early) {
	p.clock++
	kept := p.waiting[:0]
	for _, other := range p.waiting {
		switch {
		case other == e:
		case p.clock-other.born > 4*mostAhead && other.filled():
			delete(p.fs.early, other.key)
			p.fs.budget.give(other.taken)
		default:
			kept = append(kept, other)
		}
	}
	clear(p.waiting[len(kept):])
	p.waiting = kept
}

func (e *early) filled() bool {
	select {
	case <-e.done:
		return true
	default:
		return false
	}
}

// once makes a request a single time.
func once(o *s3.Options) { o.Retryer = aws.NopRetryer{} }

// fetch asks for an object.
func (p *prefetch) fetch(e *early) error {
	n, err := parse(e.key.path)
	if err != nil {
		return err
	}
	if p.want == durable.Names {
		out, err := ask(p.fs, p.ctx, "stat", n, func(c *client, o func(*s3.Options)) (*s3.HeadObjectOutput, error) {
			return c.HeadObject(p.ctx, &s3.HeadObjectInput{Bucket: &n.bucket, Key: &n.key}, o, once)
		})
		if err == nil {
			p.fs.know(e.key.path, headInfo(n, out))
		}
		return err
	}
	first := int64(leastRange)
	if p.want == durable.Ends && e.info != nil && e.info.size > tailBytes {
		first = headBytes
	}
	if e.data, err = p.get(e, n, 0, first); err != nil || p.want == durable.Heads || e.info.size == int64(len(e.data)) {
		return err
	}
	e.head = slices.Clone(e.data[:headBytes])
	e.data, err = p.get(e, n, max(0, e.info.size-tailBytes), tailBytes)
	return err
}

var errNotAsked = errors.New("another answer than was asked for")

// get reads at most most bytes from an offset on, and what the answer says of the
// object.
func (p *prefetch) get(e *early, n name, off, most int64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(p.ctx, silence)
	defer cancel()
	in := &s3.GetObjectInput{Bucket: &n.bucket, Key: &n.key, Range: aws.String(fmt.Sprintf("bytes=%d-%d", off, off+most-1))}
	if e.info != nil {
		in.IfMatch = aws.String(strconv.Quote(e.info.etag))
	}
	out, err := ask(p.fs, p.ctx, "open", n, func(c *client, o func(*s3.Options)) (*s3.GetObjectOutput, error) {
		return c.GetObject(ctx, in, o, once)
	})
	if err != nil {
		return nil, err
	}
	defer out.Body.Close()
	begin, end, size, ok := contentRange(aws.ToString(out.ContentRange), aws.ToInt64(out.ContentLength))
	if !ok || begin != off || end != min(size, off+most) {
		return nil, errNotAsked
	}
	buf := make([]byte, end-begin)
	if _, err := io.ReadFull(out.Body, buf); err != nil {
		return nil, err
	}
	etag := unquoted(aws.ToString(out.ETag))
	i := p.fs.know(e.key.path, &info{base: path.Base(n.key), size: size, etag: etag, modified: aws.ToTime(out.LastModified)})
	if i.etag != etag || i.size != size {
		return nil, errChanged
	}
	e.info = i
	return buf, nil
}

// contentRange parses the header of that name: the bytes from begin to before end
// of size. An answer without one has all bytes.
func contentRange(text string, length int64) (begin, end, size int64, ok bool) {
	if text == "" {
		return 0, length, length, length > 0
	}
	rest, ok := strings.CutPrefix(text, "bytes ")
	if n, err := fmt.Sscanf(rest, "%d-%d/%d", &begin, &end, &size); !ok || n != 3 || err != nil {
		return 0, 0, 0, false
	}
	end++
	return begin, end, size, 0 <= begin && begin < end && end <= size && end-begin == length
}
