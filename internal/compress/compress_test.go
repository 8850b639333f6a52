package compress

import (
	"bytes"
	stdgzip "compress/gzip"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
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

// A way is a format with what reads it.
type way struct {
	name  string
	block int
	make  func(w io.Writer, workers int) *Writer
	read  func(t *testing.T, packed []byte) []byte
	tool  []string
}

var ways = []way{
	{"gzip", gzipBlock, NewGzip, func(t *testing.T, packed []byte) []byte {
		z, err := stdgzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			t.Fatal(err)
		}
		z.Multistream(false) // it is one member
		return drained(t, z)
	}, []string{"gzip", "-dc"}},
	{"zstd", zstdBlock, NewZstd, func(t *testing.T, packed []byte) []byte {
		z, err := zstd.NewReader(bytes.NewReader(packed))
		if err != nil {
			t.Fatal(err)
		}
		defer z.Close()
		return drained(t, z)
	}, []string{"zstd", "-dc"}},
}

func drained(t *testing.T, r io.Reader) []byte {
	t.Helper()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func (w *way) packed(t *testing.T, data []byte, workers int, piece func() int) []byte {
	t.Helper()
	var out bytes.Buffer
	z := w.make(&out, workers)
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

// All of the input comes out again, by libraries and tools, and the same bytes
// for every number of goroutines and however the input comes.
func TestWriter(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, w := range ways {
		for _, n := range []int{0, 1, w.block - 1, w.block, w.block + 1, 4 * w.block, 3*w.block + 12345} {
			data := text(n)
			want := w.packed(t, data, 1, func() int { return 1 << 20 })
			for _, workers := range []int{1, 2, 5} {
				if got := w.packed(t, data, workers, func() int { return 1 + r.IntN(200_000) }); !bytes.Equal(got, want) {
					t.Errorf("%s, %d bytes, %d workers: other bytes", w.name, n, workers)
				}
			}
			if got := w.read(t, want); !bytes.Equal(got, data) {
				t.Errorf("%s, %d bytes: read %d", w.name, n, len(got))
			}
			if path, err := exec.LookPath(w.tool[0]); err == nil {
				cmd := exec.Command(path, w.tool[1:]...)
				cmd.Stdin = bytes.NewReader(want)
				if got, err := cmd.Output(); err != nil || !bytes.Equal(got, data) {
					t.Errorf("%d bytes: %q gave %d, %v", n, w.tool, len(got), err)
				}
			}
		}
	}
}

// A Writer takes no more memory than it says, of input that cannot be
// compressed too.
func TestMemory(t *testing.T) {
	noise := make([]byte, 4<<20)
	rand.NewChaCha8([32]byte{1}).Read(noise)
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	for _, w := range ways {
		for _, workers := range []int{1, 4} {
			before := heap()
			z := w.make(io.Discard, workers)
			for range workers {
				if _, err := z.Write(noise); err != nil {
					t.Fatal(err)
				}
			}
			used := heap() - before
			t.Logf("%s, %d workers: %d bytes", w.name, workers, used)
			if used > Memory(workers) {
				t.Errorf("%s, %d workers: %d bytes, more than %d", w.name, workers, used, Memory(workers))
			}
			if err := z.Close(); err != nil {
				t.Fatal(err)
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
	for _, w := range ways {
		data := text(6*w.block + 1)
		for limit := range 7 {
			z := w.make(&limited{left: limit}, 3)
			_, err := z.Write(data)
			if closing := z.Close(); closing != errFull || err != nil && err != errFull {
				t.Errorf("%s, after %d writes: %v, %v", w.name, limit, err, closing)
			}
			if again := z.Close(); again != errFull {
				t.Errorf("closed twice: %v", again)
			}
		}
	}
}

// A Writer that is given up writes nothing more, and its goroutines end.
func TestAbandon(t *testing.T) {
	before := runtime.NumGoroutine()
	for _, w := range ways {
		var out bytes.Buffer
		z := w.make(&out, 3)
		if _, err := z.Write(text(5*w.block + 1)); err != nil {
			t.Fatal(err)
		}
		n := out.Len()
		z.Abandon()
		z.Abandon()
		if out.Len() != n {
			t.Errorf("%s: %d bytes were written after that", w.name, out.Len()-n)
		}
	}
	for range 1000 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), before)
}
