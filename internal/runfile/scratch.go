package runfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"

	"pcapbatch/internal/durable"
)

// A Scratch is a temporary file of pieces, each of which is written once, read
// once, and then makes room for another. Like a Temp it is created when the
// first piece is written, and nothing of it is left when the process ends. One
// goroutine uses it at a time.
type Scratch struct {
	fs   durable.FS
	dir  string
	most int // bytes of a piece at most
	file durable.File
	at   int64 // where the file is written next

	places int64   // handed out since the file was empty
	used   int64   // of these, not read back yet
	free   []int64 // read back, to be handed out again
	buffer []byte
}

const (
	// pieceHeader is the size of the length of a piece and its CRC.
	pieceHeader = 8
	// maxFree is how many places that are free are remembered. What is beyond
	// is lost until the file is empty.
	maxFree = 1 << 14
)

// NewScratch returns a Scratch in dir, "" for the system's directory for
// temporary files, for pieces of at most the given size in bytes. The caller
// closes it.
func NewScratch(fs durable.FS, dir string, most int) *Scratch {
	if dir == "" {
		dir = os.TempDir()
	}
	return &Scratch{fs: fs, dir: dir, most: most}
}

// name is how error messages name the file.
func (s *Scratch) name() string { return "temporary file in " + s.dir }

// size is the bytes of a place.
func (s *Scratch) size() int64 { return int64(s.most) + pieceHeader }

// Reserve returns a place for a piece.
func (s *Scratch) Reserve() (place int64) {
	s.used++
	if n := len(s.free); n > 0 {
		place, s.free = s.free[n-1], s.free[:n-1]
		return place
	}
	place = s.places
	s.places++
	return place
}

// Put writes a copy of piece at a place that was reserved for it.
func (s *Scratch) Put(place int64, piece []byte) error {
	if len(piece) > s.most {
		panic(fmt.Sprintf("runfile: a piece of %d bytes", len(piece)))
	}
	if err := s.put(place, piece); err != nil {
		return durable.WriteFailed(s.name(), err)
	}
	return nil
}

func (s *Scratch) put(place int64, piece []byte) error {
	if s.file == nil {
		f, err := s.fs.Temp(s.dir)
		if err != nil {
			return err
		}
		s.file = f
	}
	if at := place * s.size(); at != s.at {
		if _, err := s.file.Seek(at, io.SeekStart); err != nil {
			return err
		}
		s.at = at
	}
	s.buffer = append(s.buffer[:0], make([]byte, pieceHeader)...)
	binary.LittleEndian.PutUint32(s.buffer, uint32(len(piece)))
	s.buffer = append(s.buffer, piece...)
	binary.LittleEndian.PutUint32(s.buffer[4:], pieceSum(place, s.buffer[:4], piece))
	s.at += int64(len(s.buffer))
	return durable.WriteFull(s.file, s.buffer)
}

// pieceSum covers the place too, so that a piece in the place of another is
// found.
func pieceSum(place int64, length, piece []byte) uint32 {
	var p [8]byte
	binary.LittleEndian.PutUint64(p[:], uint64(place))
	sum := crc32.Update(crc32.Checksum(p[:], castagnoli), castagnoli, length)
	return crc32.Update(sum, castagnoli, piece)
}

// Take appends the piece at a place to dst and frees the place. The file
// shrinks once no place is in use.
func (s *Scratch) Take(place int64, dst []byte) ([]byte, error) {
	dst, err := s.read(place, dst)
	if err != nil {
		return dst, durable.WriteFailed(s.name(), fmt.Errorf("read back: %w", durable.Cause(err)))
	}
	if s.used--; s.used > 0 {
		if len(s.free) < maxFree {
			s.free = append(s.free, place)
		}
		return dst, nil
	}
	s.places, s.free = 0, s.free[:0]
	if err := s.file.Truncate(0); err != nil {
		return dst, durable.WriteFailed(s.name(), err)
	}
	return dst, nil
}

// errPiece says that a disk gave back something else than was written.
var errPiece = errors.New("checksum does not match")

func (s *Scratch) read(place int64, dst []byte) ([]byte, error) {
	if s.file == nil {
		return dst, errPiece
	}
	s.buffer = append(s.buffer[:0], make([]byte, s.size())...)
	n, err := s.file.ReadAt(s.buffer, place*s.size())
	if err != nil && err != io.EOF { // the last piece may end before its place does
		return dst, err
	}
	if n < pieceHeader {
		return dst, io.ErrUnexpectedEOF
	}
	length := int64(binary.LittleEndian.Uint32(s.buffer))
	if length > int64(n-pieceHeader) {
		return dst, errPiece
	}
	piece := s.buffer[pieceHeader : pieceHeader+length]
	if pieceSum(place, s.buffer[:4], piece) != binary.LittleEndian.Uint32(s.buffer[4:]) {
		return dst, errPiece
	}
	return append(dst, piece...), nil
}

// Close removes the file.
func (s *Scratch) Close() error {
	if s.file == nil {
		return nil
	}
	f := s.file
	s.file = nil
	return f.Close()
}
