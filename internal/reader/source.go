package reader

import (
	"io"
	"math"
	"slices"
	"sync/atomic"
)

// source is the capture as it lies on disk. It counts bytes, and remembers its
// own failure, to tell one from damage inside the compressed stream.
type source struct {
	r     io.Reader
	n     atomic.Int64
	broke atomic.Pointer[error] // see failure; a goroutine of the decompressor may set it
	tail  [28]byte              // the last bytes read: as many as the end mark of bgzf has
	file  io.ReaderAt           // the same bytes, where they may be read in any order; nil for a stream
	size  int64                 // of file
	moved bool                  // r is to go on at offset n of file
	begun bool                  // some of it was read as content: a decompressor comes too late for the whole
}

// failure is the first error of reading the file that was not io.EOF, or nil.
func (s *source) failure() error {
	if err := s.broke.Load(); err != nil {
		return *err
	}
	return nil
}

// note remembers an error of reading the file.
func (s *source) note(err error) {
	if err != nil && err != io.EOF {
		first := err // which is on the heap, and err is not
		s.broke.CompareAndSwap(nil, &first)
	}
}

// A looker reads the file where that is not reading the capture: it counts no
// bytes, but a failure is remembered.
type looker struct {
	*source
	file io.ReaderAt
}

func (l looker) ReadAt(p []byte, off int64) (int, error) {
	n, err := l.file.ReadAt(p, off)
	l.note(err)
	return n, err
}

// splits tells whether a decompressor may read the file in several places at
// once: it is the first one, the file is large enough, and there is memory for
// what that takes, in bytes.
func (s *source) splits(o Options, memory int64) bool {
	return !s.begun && s.file != nil && o.Workers > 1 && s.size >= splitBytes && o.affords(memory)
}

// from gives the file from an offset on; -1 stands for its end.
func (s *source) from(at int64) *stream {
	if at < 0 {
		at = s.size
	}
	return &stream{r: io.NewSectionReader(s, at, s.size-at), at: at}
}

// regular notes that f may be read at any place: that it is a regular file, and
// so far was read from its beginning.
func (s *source) regular(f File) {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		s.note(err)
		return
	}
	at, err := f.Seek(0, io.SeekCurrent)
	if err == nil && at == s.n.Load() {
		s.file, s.size = f, info.Size()
	}
	s.note(err)
}

// readable gives the file to look at if it is a regular one, and its size; else
// nil.
func (s *source) readable() (io.ReaderAt, int64) {
	if s.file != nil {
		return looker{s, s.file}, s.size
	}
	if f, ok := s.r.(File); ok {
		info, err := f.Stat()
		if err == nil && info.Mode().IsRegular() {
			return looker{s, f}, info.Size()
		}
		s.note(err)
	}
	return nil, 0
}

// count returns the bytes read.
func (s *source) count() int64 {
	n := s.n.Load()
	if s.file != nil {
		n = min(n, s.size)
	}
	return n
}

// finish settles what count returns from now on, with what the capture ended
// in. How far a decompressor has read ahead of damage is a matter of chance:
// all of a file counts as read then.
func (s *source) finish(err error) {
	if s.failure() != nil || err == io.EOF && s.file == nil {
		return
	}
	if f, ok := s.r.(File); ok && s.file == nil {
		s.regular(f)
	}
	if s.file != nil {
		s.n.Store(s.size)
	}
}

// ReadAt reads file. Several goroutines may call it; bytes that are read twice
// are counted twice.
func (s *source) ReadAt(p []byte, off int64) (int, error) {
	n, err := s.file.ReadAt(p, off)
	s.n.Add(int64(n))
	s.note(err)
	return n, err
}

// readTail makes tail the last bytes of file. Requires: file is not shorter.
func (s *source) readTail() error {
	_, err := s.file.ReadAt(s.tail[:], s.size-int64(len(s.tail)))
	return err
}

func (s *source) Read(p []byte) (int, error) {
	if s.moved {
		s.r, s.moved = io.NewSectionReader(s.file, s.n.Load(), math.MaxInt64-s.n.Load()), false
	}
	n, err := s.r.Read(p)
	s.n.Add(int64(n))
	if keep := copy(s.tail[:], s.tail[min(n, len(s.tail)):]); n > 0 {
		copy(s.tail[keep:], p[max(0, n-len(s.tail)):n])
	}
	s.note(err)
	return n, err
}

// stream is a reader that can look ahead and take bytes back. Its error, io.EOF
// too, is final.
type stream struct {
	r     io.Reader
	ahead []byte
	err   error
	at    int64 // offset of the next byte, counted from where r began plus what at was then
}

// peek returns the next n bytes without using them up, fewer when the stream
// ends or fails before.
func (s *stream) peek(n int) []byte {
	for empty := 0; len(s.ahead) < n && s.err == nil; {
		at := len(s.ahead)
		s.ahead = append(s.ahead, make([]byte, n-at)...)
		m, err := s.r.Read(s.ahead[at:])
		s.ahead, s.err = s.ahead[:at+m], err
		if empty = idle(empty, m); empty > maxIdle {
			s.err = io.ErrNoProgress
		}
	}
	return s.ahead[:min(n, len(s.ahead))]
}

// drop uses up n bytes that were peeked at.
func (s *stream) drop(n int) {
	s.ahead = s.ahead[n:]
	s.at += int64(n)
}

// unread gives b back: it is what Read returns next.
func (s *stream) unread(b []byte) {
	if len(b) > 0 {
		s.ahead = slices.Concat(b, s.ahead)
		s.at -= int64(len(b))
	}
}

// skipZeros uses up the zero bytes that come next. It returns how many there
// were, and the offset of what follows them.
func (s *stream) skipZeros() (zeros, at int64) {
	for {
		head := s.peek(sniffBytes)
		n := leadingZeros(head)
		s.drop(n)
		zeros += int64(n)
		if n == 0 || n < len(head) {
			return zeros, s.at
		}
	}
}

func (s *stream) Read(p []byte) (int, error) {
	if len(s.ahead) > 0 {
		n := copy(p, s.ahead)
		if s.drop(n); len(s.ahead) == 0 {
			s.ahead = nil
		}
		return n, nil
	}
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.r.Read(p)
	s.at += int64(n)
	s.err = err
	return n, err
}

// maxIdle is how many reads in a row may return nothing without an error.
const maxIdle = 100

// idle counts reads in a row that returned nothing.
func idle(before, n int) int {
	if n > 0 {
		return 0
	}
	return before + 1
}

// readFull reads until p is full or r fails, so that a block holds the same
// records however the bytes arrive.
func readFull(r io.Reader, p []byte) (n int, err error) {
	for empty := 0; n < len(p) && err == nil; {
		var m int
		m, err = r.Read(p[n:])
		n += m
		if empty = idle(empty, m); empty > maxIdle && err == nil {
			err = io.ErrNoProgress
		}
	}
	return n, err
}
