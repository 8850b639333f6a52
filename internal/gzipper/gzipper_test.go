package gzipper

import (
	"bytes"
	stdgzip "compress/gzip"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"testing"
)

// text is n bytes that compress about as rows do.
func text(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	var b []byte
	for len(b) < n {
		b = fmt.Appendf(b, "192.0.2.%d,%d,443,6,%d.%d\n", r.IntN(256), r.IntN(65536), r.IntN(10), r.Uint32())
	}
	return b[:n]
}

func packed(t *testing.T, data []byte, workers int, piece func() int) []byte {
	t.Helper()
	var out bytes.Buffer
	z := NewWriter(&out, workers)
	for rest := data; len(rest) > 0; {
		k := min(len(rest), piece())
		if n, err := z.Write(rest[:k]); n != k || err != nil {
			t.Fatal(n, err)
		}
		rest = rest[k:]
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// One member with all of the input, the same bytes for every number of
// goroutines and however the input comes.
func TestWriter(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{0, 1, blockBytes - 1, blockBytes, blockBytes + 1, 3*blockBytes + 12345} {
		data := text(n)
		want := packed(t, data, 1, func() int { return 1 << 20 })
		for _, workers := range []int{1, 2, 5} {
			if got := packed(t, data, workers, func() int { return 1 + r.IntN(200_000) }); !bytes.Equal(got, want) {
				t.Errorf("%d bytes, %d workers: other bytes", n, workers)
			}
		}
		z, err := stdgzip.NewReader(bytes.NewReader(want))
		if err != nil {
			t.Fatal(err)
		}
		z.Multistream(false)
		if got, err := io.ReadAll(z); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d bytes: read %d, %v", n, len(got), err)
		}
		if path, err := exec.LookPath("gzip"); err == nil {
			cmd := exec.Command(path, "-dc")
			cmd.Stdin = bytes.NewReader(want)
			if got, err := cmd.Output(); err != nil || !bytes.Equal(got, data) {
				t.Errorf("%d bytes: gzip -dc gave %d, %v", n, len(got), err)
			}
		}
	}
}

var errFull = errors.New("no room")

// A limited takes so many writes.
type limited struct{ left int }

func (l *limited) Write(b []byte) (int, error) {
	if l.left--; l.left < 0 {
		return 0, errFull
	}
	return len(b), nil
}

// An error of the writer below is that of the next Write, and of Close.
func TestWriteFails(t *testing.T) {
	data := text(6 * blockBytes)
	for limit := range 8 {
		z := NewWriter(&limited{left: limit}, 3)
		_, err := z.Write(data)
		if closing := z.Close(); closing != errFull || err != nil && err != errFull {
			t.Errorf("after %d writes: %v, %v", limit, err, closing)
		}
		if again := z.Close(); again != errFull {
			t.Errorf("closed twice: %v", again)
		}
	}
}
