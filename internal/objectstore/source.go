package objectstore

import (
	"context"
	"io"
	"io/fs"
	"slices"
	"sync"

	"pcapbatch/internal/durable"
)

const (
	// rangeBytes is how much of an object is asked for at a time, where it is read
	// from one end to the other.
	rangeBytes = 8 << 20
	// leastRange is the same where the budget is used up.
	leastRange = 64 << 10
	// ahead is how many ranges are asked for before they are needed.
	ahead = 8
	// keptBehind is how many ranges are kept that were read by ReadAt: goroutines
	// that decompress one stream together are not all in the same place.
	keptBehind = 4
)

// A source is an object that is open as a capture: a durable.Source. It has ranges
// of the object in memory. Their borders depend on the object alone: the first is
// short, as often no more than the head of a capture is wanted, and each of the
// next is eight times as long up to unit.
type source struct {
	fs     *FS
	ctx    context.Context
	cancel context.CancelFunc
	name   name
	info   *info
	at     int64 // of Read

	mu      sync.Mutex
	unit    int64 // 0 until more than the first range is read
	cells   []*cell
	held    int64 // bytes of cells
	clock   uint64
	read    int64 // end of the last read that was not of a cell
	closed  bool
	filling sync.WaitGroup
}

// A cell is a range of the object that is in memory, or on its way there.
type cell struct {
	begin, end int64
	buf        []byte
	done       chan struct{} // closed when buf is filled, or err is set
	err        error
	used       uint64 // when it was read last; 0: never
	readers    int    // that copy from it now
}

func (f *FS) openSource(path string) (*source, error) {
	n, err := parse(path)
	if err != nil {
		return nil, err
	}
	e := f.takeEarly(path, durable.Heads)
	if e != nil && e.err != nil { // perhaps it is a directory
		f.budget.give(e.taken)
		e = nil
	}
	i, err := f.stat(path)
	if err != nil {
		return nil, err
	}
	s := &source{fs: f, name: n, info: i, read: -1}
	s.ctx, s.cancel = context.WithCancel(f.ctx)
	if e != nil {
		s.adopt(e)
	}
	f.budget.join(1)
	return s, nil
}

// adopt takes over the first range, which was asked for before.
func (s *source) adopt(e *early) {
	size := int64(len(e.data))
	s.fs.budget.give(e.taken - size)
	c := &cell{end: size, buf: e.data, done: make(chan struct{})}
	close(c.done)
	s.cells, s.held = []*cell{c}, size
}

// Stat returns what is known of the object.
func (s *source) Stat() (fs.FileInfo, error) { return s.info, nil }

// Seek implements io.Seeker.
func (s *source) Seek(offset int64, whence int) (int64, error) {
	at, err := seek(s.at, s.info.size, offset, whence)
	if err != nil {
		return 0, pathError("seek", s.name, err)
	}
	s.at = at
	return at, nil
}

func seek(at, size, offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += at
	case io.SeekEnd:
		offset += size
	}
	if offset < 0 {
		return 0, fs.ErrInvalid
	}
	return offset, nil
}

// Read implements io.Reader.
func (s *source) Read(p []byte) (int, error) {
	if s.info.dir {
		return 0, pathError("read", s.name, &reason{text: "is a directory"})
	}
	if s.at >= s.info.size {
		return 0, io.EOF
	}
	n, err := s.readAt(p, s.at, true)
	s.at += int64(n)
	return n, err
}

// ReadAt implements io.ReaderAt.
func (s *source) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) && err == nil {
		if off+int64(n) >= s.info.size {
			return n, io.EOF
		}
		var m int
		m, err = s.readAt(p[n:], off+int64(n), false)
		n += m
	}
	return n, err
}

// border returns the range that has an offset.
func (s *source) border(off int64) (begin, end int64) {
	for end = leastRange; end <= off && end < s.unit; {
		begin, end = end, min(8*end, s.unit)
	}
	if end <= off {
		begin = off / s.unit * s.unit
		end = begin + s.unit
	}
	return begin, min(end, s.info.size)
}

// readAt reads some bytes from an offset on. Where that begins anywhere in the
// object, no more than what is wanted is asked for: only who goes on from there
// is believed to read all of it.
func (s *source) readAt(p []byte, off int64, stream bool) (int, error) {
	p = p[:min(int64(len(p)), s.info.size-off)]
	s.mu.Lock()
	if s.unit == 0 && off >= leastRange {
		s.unit = s.fs.budget.unit()
	}
	begin, end := s.border(off)
	c := s.find(begin)
	if c == nil && !stream && begin > 0 && off != s.read && s.before(begin) == nil && len(p) < rangeBytes {
		s.read = off + int64(len(p))
		s.mu.Unlock()
		r := ranged{fs: s.fs, ctx: s.ctx, name: s.name, info: s.info, off: off, end: off + int64(len(p))}
		return len(p), r.readAll(p)
	}
	if c == nil {
		c = s.begin(begin, end, true)
	}
	c.readers++
	s.clock++
	c.used = s.clock
	s.trim(c, stream)
	s.goAhead(c)
	s.mu.Unlock()
	<-c.done
	n, err := 0, c.err
	if err == nil {
		n = copy(p, c.buf[off-begin:])
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	c.readers--
	if c.err != nil {
		s.drop(c)
	}
	return n, err
}

// find returns the cell that begins at an offset.
func (s *source) find(begin int64) *cell {
	for _, c := range s.cells {
		if c.begin == begin {
			return c
		}
	}
	return nil
}

// before returns the cell that ends where another begins.
func (s *source) before(begin int64) *cell {
	for _, c := range s.cells {
		if c.end == begin {
			return c
		}
	}
	return nil
}

// begin asks for a range; nil: there is no memory for it, and it need not be.
func (s *source) begin(begin, end int64, needed bool) *cell {
	size := end - begin
	if needed {
		s.fs.budget.give(-size)
	} else if s.held+size > s.fs.budget.share() || !s.fs.budget.try(size) {
		return nil
	}
	s.held += size
	c := &cell{begin: begin, end: end, done: make(chan struct{})}
	s.cells = append(s.cells, c)
	s.filling.Add(1)
	go func() {
		defer s.filling.Done()
		defer close(c.done)
		buf := s.fs.budget.buffer(size)
		r := ranged{fs: s.fs, ctx: s.ctx, name: s.name, info: s.info, off: begin, end: end}
		c.err = r.readAll(buf)
		c.buf = buf
	}()
	return c
}

// goAhead asks for the ranges that follow one which is read: none after the first
// range, one after the second, and so on.
func (s *source) goAhead(c *cell) {
	most, at := 0, int64(0)
	for ; at < c.end && most < ahead; most++ {
		_, at = s.border(at)
	}
	end := c.end
	for range most - 1 {
		if end >= s.info.size {
			return
		}
		next := s.find(end)
		if next == nil {
			b, e := s.border(end)
			if next = s.begin(b, e, false); next == nil {
				return
			}
		}
		end = next.end
	}
}

// trim drops ranges that were read, but for the last ones, and those that were
// asked for before now was read, which is somewhere else.
func (s *source) trim(now *cell, stream bool) {
	keep := keptBehind
	if stream {
		keep = 0
	}
	for _, c := range slices.Clone(s.cells) {
		if c.used == 0 && c.filled() && (c.end <= now.begin || c.begin > now.end+ahead*s.unit) {
			s.drop(c)
		}
	}
	for {
		var oldest *cell
		n := 0
		for _, c := range s.cells {
			if c.used == 0 || c.readers > 0 {
				continue
			}
			n++
			if oldest == nil || c.used < oldest.used {
				oldest = c
			}
		}
		if n <= keep {
			return
		}
		s.drop(oldest)
	}
}

// filled reports whether the range is in memory, or could not be read.
func (c *cell) filled() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// drop forgets a cell that nobody reads.
func (s *source) drop(c *cell) {
	if c.readers > 0 {
		return
	}
	for i := range s.cells {
		if s.cells[i] == c {
			s.cells = append(s.cells[:i], s.cells[i+1:]...)
			s.fs.budget.keep(c.buf)
			s.fs.budget.give(c.end - c.begin)
			s.held -= c.end - c.begin
			return
		}
	}
}

// Close implements io.Closer. No other method may be running.
func (s *source) Close() error {
	s.cancel()
	s.filling.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	s.fs.budget.join(-1)
	for len(s.cells) > 0 {
		c := s.cells[0]
		if c.begin == 0 && c.end == s.info.size && c.err == nil {
			s.cells = s.cells[1:]
			s.fs.keepSmall(s.name.String(), s.info, c.buf, c.end)
			continue
		}
		s.drop(c)
	}
	return nil
}
