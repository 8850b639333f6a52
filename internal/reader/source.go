package reader

import (
	"io"
	"os"
	"sync/atomic"
)

// source is the capture as it lies on disk. It counts bytes, and remembers its own failure, to tell one from damage
// inside the compressed stream.
type source struct {
	r      io.Reader
	n      atomic.Int64
	failed atomic.Bool // with anything but io.EOF; may be set by a goroutine of the decompressor
	tail   [28]byte    // the last bytes read: as many as the end mark of bgzf has
	file   io.ReaderAt // the same bytes, where they may be read in any order; nil for a stream
	size   int64       // of file
}

// regular notes that f may be read at any place: that it is a regular file, at its beginning.
func (s *source) regular(f *os.File) {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return
	}
	if at, err := f.Seek(0, io.SeekCurrent); err == nil && at == 0 {
		s.file, s.size = f, info.Size()
	}
}

// count returns the bytes read.
func (s *source) count() int64 {
	n := s.n.Load()
	if s.file != nil {
		n = min(n, s.size)
	}
	return n
}

// ReadAt reads file. Several goroutines may call it; bytes that are read twice are counted twice.
func (s *source) ReadAt(p []byte, off int64) (int, error) {
	n, err := s.file.ReadAt(p, off)
	s.n.Add(int64(n))
	if err != nil && err != io.EOF {
		s.failed.Store(true)
	}
	return n, err
}

// readTail makes tail the last bytes of file. Requires: file is not shorter.
func (s *source) readTail() error {
	_, err := s.file.ReadAt(s.tail[:], s.size-int64(len(s.tail)))
	return err
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.n.Add(int64(n))
	if keep := copy(s.tail[:], s.tail[min(n, len(s.tail)):]); n > 0 {
		copy(s.tail[keep:], p[max(0, n-len(s.tail)):n])
	}
	if err != nil && err != io.EOF {
		s.failed.Store(true)
	}
	return n, err
}

// stream is a reader that can look ahead. Its error, io.EOF too, is final.
type stream struct {
	r     io.Reader
	ahead []byte
	err   error
}

// peek returns the next n bytes without using them up, fewer when the stream ends or fails before.
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
func (s *stream) drop(n int) { s.ahead = s.ahead[n:] }

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

// readFull reads until p is full or r fails, so that a block holds the same records however the bytes arrive.
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
