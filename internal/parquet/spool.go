package parquet

import (
	"errors"
	"io"
	"sync"

	pq "github.com/parquet-go/parquet-go"

	"pcapbatch/internal/durable"
)

// A spool keeps the finished pages of a row group in a temporary file, until
// the row group is written. It implements the library's BufferPool.
type spool struct {
	fs  durable.FS
	dir string

	mu   sync.Mutex
	file durable.File
	end  int64 // of what is in the file
	used int   // buffers that were taken and not given back
	err  error // the first
}

var _ pq.BufferPool = (*spool)(nil)

// GetBuffer implements BufferPool.
func (s *spool) GetBuffer() io.ReadWriteSeeker {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used++
	return &spooled{spool: s}
}

// PutBuffer implements BufferPool. Once no buffer is used the space of the file
// is freed.
func (s *spool) PutBuffer(io.ReadWriteSeeker) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used--; s.used > 0 || s.file == nil {
		return
	}
	err := s.file.Truncate(0)
	if err == nil {
		_, err = s.file.Seek(0, io.SeekStart)
	}
	s.end = 0
	_ = s.failed(err) // the next write finds it
}

// failed remembers an error and gives it the name of the file.
func (s *spool) failed(err error) error {
	if err != nil {
		err = durable.WriteFailed("temporary file in "+s.dir, err)
	}
	if s.err == nil {
		s.err = err
	}
	return err
}

// append writes b to the end of the file, and returns where that was.
func (s *spool) append(b []byte) (at int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return 0, s.err
	}
	if s.file == nil {
		if s.file, err = s.fs.Temp(s.dir); err != nil {
			s.file = nil
			return 0, s.failed(err)
		}
	}
	at = s.end
	s.end += int64(len(b))
	return at, s.failed(durable.WriteFull(s.file, b))
}

// cause returns the error of the file if err comes from there.
func (s *spool) cause(err error) error {
	if s != nil && s.err != nil {
		return s.err
	}
	return err
}

// close removes the file. That it cannot be closed harms nobody.
func (s *spool) close() {
	if s != nil && s.file != nil {
		_ = s.file.Close()
		s.file = nil
	}
}

// A spooled is a buffer in a spool. It is written to its end, and then read from
// its beginning.
type spooled struct {
	*spool
	extents []extent
	from    int64 // what was read of the first extent
}

// An extent is a range of bytes of the file.
type extent struct{ at, size int64 }

func (b *spooled) Write(p []byte) (int, error) {
	if len(p) == 0 { // the library writes levels that there are none of
		return 0, nil
	}
	at, err := b.append(p)
	if err != nil {
		return 0, err
	}
	if n := len(b.extents); n > 0 && b.extents[n-1].at+b.extents[n-1].size == at {
		b.extents[n-1].size += int64(len(p))
	} else {
		b.extents = append(b.extents, extent{at, int64(len(p))})
	}
	return len(p), nil
}

func (b *spooled) Read(p []byte) (int, error) {
	for len(b.extents) > 0 && b.from == b.extents[0].size {
		b.extents, b.from = b.extents[1:], 0
	}
	if len(b.extents) == 0 {
		return 0, io.EOF
	}
	e := b.extents[0]
	n, err := b.file.ReadAt(p[:min(int64(len(p)), e.size-b.from)], e.at+b.from)
	if b.from += int64(n); n > 0 {
		return n, nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return 0, b.failed(err)
}

// Seek implements io.Seeker as far as the library uses it: to the beginning,
// before the first byte is read.
func (b *spooled) Seek(offset int64, whence int) (int64, error) {
	if offset != 0 || whence != io.SeekStart || b.from != 0 {
		return 0, errors.New("parquet: a spooled page is read once, from its beginning")
	}
	return 0, nil
}
