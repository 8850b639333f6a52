package objectstore

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"sync"

	"pcapbatch/internal/durable"
)

const (
	// tailBytes is how much of the end of an object is asked for at once: the
	// footer of a run file in most cases.
	tailBytes = 64 << 10
	// Windows grow from leastWindow to mostWindow while bytes are read one after
	// the other.
	leastWindow = 16 << 10
	mostWindow  = 256 << 10
)

// A file is an object that is open to be read at some places: a durable.File. It
// has in memory what was read last with what follows.
type file struct {
	fs     *FS
	name   name
	info   *info
	ctx    context.Context // ends when the file is closed
	cancel context.CancelFunc

	mu     sync.Mutex
	head   []byte // of the object, where it came with the window; may be empty
	window []byte // of the object, from offset from on
	from   int64
	next   int64      // where the last read ended
	size   int64      // of the next window
	most   int64      // where windows end: that of what is read, or of the object
	taken  int64      // from the budget
	coming chan error // nil, or gets the error of a window that is on its way
}

// openFile opens an object.
func (f *FS) openFile(path string) (*file, error) {
	n, err := parse(path)
	if err != nil {
		return nil, err
	}
	if n.isDir() {
		return nil, pathError("open", n, &reason{text: "is a directory"})
	}
	if e := f.takeEarly(path, durable.Ends); e != nil {
		return f.openEarly(n, e)
	}
	i := f.known(path)
	if i == nil {
		if i, err = f.head(n); err != nil {
			return nil, err
		}
	}
	return f.newFile(n, i), nil
}

func (f *FS) newFile(n name, i *info) *file {
	o := &file{fs: f, name: n, info: i, next: -1, most: i.size}
	o.ctx, o.cancel = context.WithCancel(f.ctx)
	return o
}

// openEarly opens an object that was asked for before.
func (f *FS) openEarly(n name, e *early) (*file, error) {
	size := int64(len(e.data))
	f.budget.give(e.taken - size)
	if e.err != nil {
		return nil, e.err
	}
	o := f.newFile(n, e.info)
	o.head, o.window, o.from, o.taken = e.head, e.data, e.info.size-size, size
	return o, nil
}

// Expect says that what is read next are so many bytes from an offset on. The
// first of them are asked for at once, if there is memory: of many files whose
// first bytes are wanted, nobody waits for one after the other.
func (o *file) Expect(off, bytes int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.next, o.most, o.size = off, min(off+bytes, o.info.size), leastWindow
	size := min(o.most-off, leastWindow)
	if off < 0 || size <= 0 || o.taken > 0 || !o.fs.budget.try(size) {
		return
	}
	o.taken, o.from, o.window = size, off, make([]byte, size)
	o.size = 2 * leastWindow
	coming, window := make(chan error, 1), o.window
	o.coming = coming
	go func() { coming <- o.fetch(window, off) }()
}

// fetch fills p from an offset of the object on.
func (o *file) fetch(p []byte, off int64) error {
	r := ranged{fs: o.fs, ctx: o.ctx, name: o.name, info: o.info, off: off, end: off + int64(len(p))}
	return r.readAll(p)
}

// arrive waits for the window that Expect has asked for. Where that failed there
// is none, and whoever needs it asks again.
func (o *file) arrive() {
	if o.coming == nil {
		return
	}
	if err := <-o.coming; err != nil {
		o.window = o.window[:0]
	}
	o.coming = nil
}

// ReadAt implements io.ReaderAt.
func (o *file) ReadAt(p []byte, off int64) (n int, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if off < 0 {
		return 0, pathError("read", o.name, fs.ErrInvalid)
	}
	o.arrive()
	if off+int64(len(p)) <= int64(len(o.head)) {
		return copy(p, o.head[off:]), nil
	}
	for n < len(p) {
		at := off + int64(n)
		if at >= o.info.size {
			return n, io.EOF
		}
		if at < o.from || at >= o.from+int64(len(o.window)) {
			if err := o.move(at, int64(len(p)-n)); err != nil {
				return n, err
			}
		}
		n += copy(p[n:], o.window[at-o.from:])
	}
	o.next = off + int64(n)
	return n, nil
}

// move makes a window from an offset on that has some of the bytes that are
// wanted. It has more than those where bytes are read one after the other, and at
// the end of the object.
func (o *file) move(at, wanted int64) error {
	size := wanted
	switch {
	case at == o.next, len(o.window) > 0 && at == o.from+int64(len(o.window)):
		size = max(wanted, o.size)
		o.size = min(2*max(o.size, leastWindow), mostWindow)
	case at >= o.info.size-tailBytes:
		at = max(0, o.info.size-tailBytes)
		size = tailBytes
	default:
		o.most, o.size = o.info.size, leastWindow
	}
	end := o.info.size
	if at+wanted <= o.most {
		end = o.most
	}
	size = min(max(wanted, size), end-at)
	o.fs.budget.give(o.taken)
	o.taken = o.fs.budget.most(min(size, leastWindow), size)
	if size = max(o.taken, min(wanted, size)); int64(cap(o.window)) < size {
		o.window = make([]byte, size)
	}
	o.window, o.from = o.window[:size], at
	err := o.fetch(o.window, at)
	if err != nil {
		o.window = o.window[:0]
	}
	return err
}

// Seek implements io.Seeker, for whoever wants to know the size.
func (o *file) Seek(offset int64, whence int) (int64, error) {
	return seek(0, o.info.size, offset, whence)
}

// Close implements io.Closer.
func (o *file) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.cancel()
	o.arrive()
	if o.from == 0 {
		o.fs.keepSmall(o.name.String(), o.info, o.window, o.taken)
	} else {
		o.fs.budget.give(o.taken)
	}
	o.taken, o.window = 0, nil
	return nil
}

// Name returns the name of the object.
func (o *file) Name() string { return o.name.String() }

var errReadOnly = errors.New("an object that is read cannot be written to")

func (o *file) refuse() error { return pathError("write", o.name, errReadOnly) }

func (o *file) Write([]byte) (int, error) { return 0, o.refuse() }
func (o *file) Truncate(int64) error      { return o.refuse() }
func (o *file) Sync() error               { return nil }
func (o *file) Chmod(fs.FileMode) error   { return o.refuse() }
func (o *file) Chown(int, int) error      { return o.refuse() }
