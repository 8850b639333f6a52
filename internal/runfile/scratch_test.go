package runfile

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"

	"pcapbatch/internal/durable"
	"pcapbatch/internal/durabletest"
)

// Pieces come back as they were, in any order, and their places serve others:
// the file is never larger than what was in it at one time.
func TestScratch(t *testing.T) {
	const most = 300
	r := rand.New(rand.NewPCG(5, 5))
	s := NewScratch(durable.OS, t.TempDir(), most)
	defer s.Close()
	in := map[int64][]byte{}
	var order []int64
	peak := 0
	for step := range 20_000 {
		if len(in) == 0 || len(in) < 100+step%1000 && r.IntN(3) > 0 {
			piece := make([]byte, r.IntN(most+1))
			for i := range piece {
				piece[i] = byte(r.Uint32())
			}
			place := s.Reserve()
			if in[place] != nil {
				t.Fatalf("place %d is in use", place)
			}
			if err := s.Put(place, piece); err != nil {
				t.Fatal(err)
			}
			in[place] = piece
			order = append(order, place)
			peak = max(peak, len(in))
			continue
		}
		i := r.IntN(len(order))
		place := order[i]
		got, err := s.Take(place, []byte("x"))
		if err != nil || !bytes.Equal(got[1:], in[place]) || got[0] != 'x' {
			t.Fatalf("place %d: %d bytes, %v", place, len(got), err)
		}
		order[i] = order[len(order)-1]
		order = order[:len(order)-1]
		delete(in, place)
	}
	if size, _ := s.file.Seek(0, 2); size > int64(peak)*s.size() {
		t.Errorf("%d bytes, for %d pieces at most", size, peak)
	}
	for _, place := range order {
		if _, err := s.Take(place, nil); err != nil {
			t.Fatal(err)
		}
	}
	if size, _ := s.file.Seek(0, 2); size != 0 {
		t.Errorf("%d bytes are left", size)
	}
}

// A disk that fails, or gives back something else, is found and named.
func TestScratchFaults(t *testing.T) {
	s := NewScratch(badDisk{durable.OS}, t.TempDir(), 10)
	defer s.Close()
	place := s.Reserve()
	if err := s.Put(place, []byte("piece")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Take(place, nil); !errors.Is(err, syscall.EIO) || !strings.Contains(err.Error(), "read back") {
		t.Errorf("%v", err)
	}
	for at := range 2 {
		fs := &durabletest.Faults{FS: durable.OS, At: at, Err: syscall.ENOSPC}
		s := NewScratch(fs, t.TempDir(), 10)
		if err := s.Put(s.Reserve(), []byte("piece")); !errors.Is(err, syscall.ENOSPC) || !fs.Named(err.Error()) {
			t.Errorf("call %d: %v", at, err)
		}
		s.Close()
	}
	for _, changed := range []int64{0, 4, 9} { // length, checksum, content
		s := NewScratch(durable.OS, t.TempDir(), 10)
		place := s.Reserve()
		if err := s.Put(place, []byte("piece")); err != nil {
			t.Fatal(err)
		}
		s.file.Seek(changed, 0)
		s.file.Write([]byte{3})
		if _, err := s.Take(place, nil); !errors.Is(err, errPiece) {
			t.Errorf("byte %d: %v", changed, err)
		}
		s.Close()
	}
	misplaced := NewScratch(durable.OS, t.TempDir(), 10)
	defer misplaced.Close()
	for range 2 {
		if err := misplaced.Put(misplaced.Reserve(), []byte("piece")); err != nil {
			t.Fatal(err)
		}
	}
	piece := make([]byte, misplaced.size())
	misplaced.file.ReadAt(piece, 0)
	misplaced.file.Seek(misplaced.size(), 0)
	misplaced.file.Write(piece[:13])
	if _, err := misplaced.Take(1, nil); !errors.Is(err, errPiece) {
		t.Errorf("a piece of another place: %v", err)
	}
}
