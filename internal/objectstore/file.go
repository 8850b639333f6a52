package objectstore

import (
	"errors"
	"io"
	"io/fs"
	"sync"
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
	fs   *FS
	name name
	info *info

	mu     sync.Mutex
	window []byte // of the object, from offset from on
	from   int64
	next   int64 // where the last read ended
	size   int64 // of the next window
	most   int64 // where windows end: that of what is read, or of the object
	taken  int64 // from the budget
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
	i := f.known(path)
	if i == nil {
		if i, err = f.head(n); err != nil {
			return nil, err
		}
	}
	return &file{fs: f, name: n, info: i, next: -1, most: i.size}, nil
}

// Expect says that what is read next are so many bytes from an offset on.
func (o *file) Expect(off, bytes int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.next, o.most, o.size = off, min(off+bytes, o.info.size), leastWindow
}

// ReadAt implements io.ReaderAt.
func (o *file) ReadAt(p []byte, off int64) (n int, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if off < 0 {
		return 0, pathError("read", o.name, fs.ErrInvalid)
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
	r := ranged{fs: o.fs, ctx: o.fs.ctx, name: o.name, info: o.info, off: at, end: at + size}
	err := r.readAll(o.window)
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
	o.fs.budget.give(o.taken)
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
