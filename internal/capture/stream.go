package capture

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"sync"
)

// A Stream identifies a capture that can be read only once, while it is read. It
// passes on what its source has. Any goroutine may use it.
type Stream struct {
	mu   sync.Mutex
	from io.Reader
	size int64
	head hash.Hash // of the first digestBytes
	tail []byte    // the last digestBytes: a ring once there are as many
}

// NewStream returns a Stream of a source, which it does not close.
func NewStream(from io.Reader) *Stream { return &Stream{from: from, head: sha256.New()} }

// Read implements io.Reader.
func (s *Stream) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.from.Read(p)
	s.note(p[:n])
	return n, err
}

// note takes bytes into account that were read.
func (s *Stream) note(p []byte) {
	s.head.Write(p[:min(int64(len(p)), max(0, digestBytes-s.size))])
	at := s.size
	s.size += int64(len(p))
	if over := len(p) - digestBytes; over > 0 {
		p, at = p[over:], at+int64(over)
	}
	if s.size <= digestBytes {
		s.tail = append(s.tail, p...)
		return
	}
	if len(s.tail) < digestBytes {
		s.tail = append(s.tail, make([]byte, digestBytes-len(s.tail))...)
	}
	n := copy(s.tail[at%digestBytes:], p)
	copy(s.tail, p[n:])
}

// Rest reads what is left of the source.
func (s *Stream) Rest() error {
	_, err := io.Copy(io.Discard, s)
	return err
}

// Identify sets in id what the content says: the size and the digest, those that
// Identify gives to a file with what was read.
func (s *Stream) Identify(id *Identity) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.size > digestBytes {
		at := s.size % digestBytes
		s.head.Write(s.tail[at:])
		s.head.Write(s.tail[:at])
	} else {
		s.head.Write(s.tail)
	}
	id.Size, id.Digest = s.size, hex.EncodeToString(s.head.Sum(nil))
}
