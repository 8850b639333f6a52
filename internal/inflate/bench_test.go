package inflate

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	kgzip "github.com/klauspost/compress/gzip"
)

// benchSize is the decompressed size of the benchmarks' files.
const benchSize = 32 << 20

// corpus gives the benchmarks' files: by gzip -6 where that is installed, by
// compress/gzip elsewhere.
var corpus = sync.OnceValue(func() map[string][]byte {
	m := map[string][]byte{}
	for kind, data := range map[string][]byte{
		"capture": captureData(benchSize), "text": textData(benchSize), "random": randomData(benchSize),
	} {
		c := exec.Command("gzip", "-6", "-c")
		c.Stdin = bytes.NewReader(data)
		out, err := c.Output()
		if err != nil {
			var b bytes.Buffer
			w := gzip.NewWriter(&b)
			_, _ = w.Write(data)
			_ = w.Close()
			out = b.Bytes()
		}
		m[kind] = out
	}
	return m
})

// benchmark runs decode over each file and checks what it gives.
func benchmark(b *testing.B, names string, decode func(comp []byte) (int64, error)) {
	for _, kind := range []string{"capture", "text", "random"} {
		b.Run(fmt.Sprintf("%s/data=%s", names, kind), func(b *testing.B) {
			comp := corpus()[kind]
			b.SetBytes(benchSize)
			b.ReportAllocs()
			for b.Loop() {
				if n, err := decode(comp); err != nil || n != benchSize {
					b.Fatal(n, err)
				}
			}
		})
	}
}

// drain reads r in blocks of 1 MiB, as package reader does.
func drain(r io.Reader, buf []byte) (int64, error) {
	total := int64(0)
	for {
		n, err := r.Read(buf)
		total += int64(n)
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

// go test -run XXX -bench Reader -count 10 ./internal/inflate
func BenchmarkReader(b *testing.B) {
	buf := make([]byte, 1<<20)
	z := NewReader(nil)
	benchmark(b, "decoder=inflate", func(comp []byte) (int64, error) {
		z.Reset(bytes.NewReader(comp))
		return drain(z, buf)
	})
	benchmark(b, "decoder=klauspost", func(comp []byte) (int64, error) {
		z, err := kgzip.NewReader(bytes.NewReader(comp))
		if err != nil {
			return 0, err
		}
		return drain(z, buf)
	})
	benchmark(b, "decoder=std", func(comp []byte) (int64, error) {
		z, err := gzip.NewReader(bytes.NewReader(comp))
		if err != nil {
			return 0, err
		}
		return drain(z, buf)
	})
}

// go test -run XXX -bench Parallel -count 10 ./internal/inflate
func BenchmarkParallel(b *testing.B) {
	for _, workers := range []int{1, 2, 4} {
		benchmark(b, fmt.Sprintf("workers=%d", workers), func(comp []byte) (int64, error) {
			p := NewParallelReader(bytes.NewReader(comp), int64(len(comp)), Options{Workers: workers})
			defer p.Close()
			return discard(p)
		})
	}
}

// Programs, to compare with: whole processes, output to /dev/null.
// go test -run XXX -bench Program -count 10 ./internal/inflate
func BenchmarkProgram(b *testing.B) {
	for name, args := range map[string][]string{
		"gzip": {"-dc"}, "igzip": {"-dc"}, "libdeflate-gunzip": {"-c"}, "rapidgzip": {"-dc", "-P", "2"},
	} {
		if _, err := exec.LookPath(name); err != nil {
			continue
		}
		path := filepath.Join(b.TempDir(), "data.gz")
		benchmark(b, "program="+name, func(comp []byte) (int64, error) {
			b.StopTimer()
			if err := os.WriteFile(path, comp, 0o600); err != nil {
				return 0, err
			}
			b.StartTimer()
			return benchSize, exec.Command(name, append(args, path)...).Run()
		})
	}
}

// Many small blocks: what a table costs.
func BenchmarkSmallBlocks(b *testing.B) {
	data := captureData(4 << 20)
	buf := make([]byte, 1<<20)
	for _, size := range []int{300, 1000, 4000, 16000} {
		var c bytes.Buffer
		w := gzip.NewWriter(&c)
		for rest := data; len(rest) > 0; rest = rest[min(size, len(rest)):] {
			_, _ = w.Write(rest[:min(size, len(rest))])
			_ = w.Flush()
		}
		_ = w.Close()
		z, k := NewReader(nil), new(kgzip.Reader)
		for name, reset := range map[string]func() io.Reader{
			"inflate":   func() io.Reader { z.Reset(bytes.NewReader(c.Bytes())); return z },
			"klauspost": func() io.Reader { _ = k.Reset(bytes.NewReader(c.Bytes())); return k },
		} {
			b.Run(fmt.Sprintf("block=%d/decoder=%s", size, name), func(b *testing.B) {
				b.SetBytes(int64(len(data)))
				for b.Loop() {
					if n, err := drain(reset(), buf); err != nil || n != int64(len(data)) {
						b.Fatal(n, err)
					}
				}
			})
		}
	}
}

// How fast compressed data without any block start is searched.
func BenchmarkFind(b *testing.B) {
	data := randomData(1 << 20)
	f := finder{src: bytes.NewReader(data), size: int64(len(data))}
	never := func() bool { return false }
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if at, ok := f.find(0, f.size, never); ok {
			b.Fatal(at)
		}
	}
}

// The second stage, with every byte unknown and with none.
func BenchmarkResolve(b *testing.B) {
	window := randomData(windowSize)
	for _, marked := range []bool{true, false} {
		b.Run(fmt.Sprintf("marked=%v", marked), func(b *testing.B) {
			seg := &segment{buf: make([]byte, 2*planeSize)}
			if marked {
				for i := range planeSize {
					seg.buf[planeSize+i] = 0x80 | byte(i>>8)
				}
			}
			t := newLookup(window)
			b.SetBytes(planeSize)
			for b.Loop() {
				seg.marked = planeSize
				seg.patch(t, 0)
			}
		})
	}
}
