package reader

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"pcapbatch/internal/capturetest"

	"github.com/klauspost/compress/zstd"
)

// seekable packs data in frames of size bytes with a table behind them.
func seekable(t testing.TB, data []byte, size int, sums bool) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(!sums))
	if err != nil {
		t.Fatal(err)
	}
	var frames [][]byte
	var sizes []int
	for part := range slices.Chunk(data, size) {
		frames = append(frames, w.EncodeAll(part, nil))
		sizes = append(sizes, len(part))
	}
	return append(slices.Concat(frames...), seekTableOf(frames, sizes, sums)...)
}

func seekTableOf(frames [][]byte, sizes []int, sums bool) []byte {
	var table []byte
	descriptor := uint8(0)
	for i, f := range frames {
		table = append(table, raw(le, uint32(len(f)), uint32(sizes[i]))...)
		if sums {
			descriptor = seekChecksums
			table = append(table, raw(le, uint32(0))...)
		}
	}
	table = append(table, raw(le, uint32(len(frames)), descriptor, uint32(seekMagic))...)
	return append(raw(le, uint32(seekTable), uint32(len(table))), table...)
}

// inOrder reads a zstd stream from its beginning to its end.
func inOrder(t testing.TB, z []byte, workers int) ([]byte, error) {
	t.Helper()
	d, err := newZstd(&zstdFrames{src: bufio.NewReaderSize(bytes.NewReader(z), BlockBytes), most: maxWindow}, workers)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	return io.ReadAll(zstdReader{d, &zstdFrames{}})
}

// sideBySide reads it by its table; spans is how many it made of it.
func sideBySide(t testing.TB, z []byte, workers int) (out []byte, spans int, err error) {
	t.Helper()
	src := &source{file: bytes.NewReader(z), size: int64(len(z))}
	list := spansOf(src, src.size)
	r, err := newSeekReader(src, list, Options{Workers: workers})
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	if len(list) == 0 {
		return nil, 0, nil
	}
	out, err = io.ReadAll(r)
	return out, len(list), err
}

func compressible(n int) []byte {
	r := rand.New(rand.NewPCG(1, 7))
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(r.IntN(7)) * byte(i>>9)
	}
	return data
}

func TestSeekable(t *testing.T) {
	data := compressible(5 << 20)
	for _, c := range []struct{ size, spans int }{{10_000, 5}, {1 << 20, 5}, {1<<20 - 1, 3}, {5 << 20, 1}, {3 << 20, 2}} {
		for _, sums := range []bool{false, true} {
			for _, workers := range []int{2, 5} {
				out, spans, err := sideBySide(t, seekable(t, data, c.size, sums), workers)
				if err != nil || !bytes.Equal(out, data) || spans != c.spans {
					t.Errorf("frames of %d, %d workers: %d of %d bytes, %d spans, %v", c.size, workers, len(out), len(data), spans, err)
				}
			}
		}
	}
	if spansOf(bytes.NewReader(seekable(t, data, 10_000, false)[:1000]), 1000) != nil {
		t.Error("spans without a table")
	}
	if big := seekable(t, make([]byte, mostSpan+1), mostSpan+1, false); spansOf(bytes.NewReader(big), int64(len(big))) != nil {
		t.Error("spans of a frame that is too large")
	}
}

// A capture is read by its table when it is a file, and large enough.
func TestSeekableCapture(t *testing.T) {
	rec := pcapRec(le, 1, 2, string(compressible(1000)))
	data := append(pcapHead(le, magicMicro, 1), bytes.Repeat(rec, 9000)...)
	w, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		t.Fatal(err)
	}
	var frames [][]byte
	var sizes []int
	for part := range slices.Chunk(data, 600<<10) {
		// Raw blocks, so that the file is large enough.
		var frame []byte
		for block := range slices.Chunk(part, 100<<10) {
			frame = append(frame, raw(le, uint8(len(block)<<3), uint8(len(block)>>5), uint8(len(block)>>13), block)...)
		}
		frame = append(raw(le, uint32(zstdMagic), uint8(0), uint8(0x58)), frame...)
		frames = append(frames, append(frame, 1, 0, 0))
		sizes = append(sizes, len(part))
	}
	frames, sizes = append(frames, w.EncodeAll(nil, nil)), append(sizes, 0)
	z := append(slices.Concat(frames...), seekTableOf(frames, sizes, false)...)
	path := filepath.Join(t.TempDir(), "c.zst")
	if err := os.WriteFile(path, z, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, workers := range []int{1, 2, 3} {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		c, err := New(path, f, Options{Workers: workers})
		if err != nil {
			t.Fatal(err)
		}
		if _, parallel := c.content.unpack.r.(*seekReader); parallel != (workers > 1) {
			t.Errorf("%d workers: read by %T", workers, c.content.unpack.r)
		}
		recs, err := drain(c)
		if err != nil || len(recs) != 9000 || c.BytesRead() != int64(len(z)) {
			t.Errorf("%d workers: %d records, %d of %d bytes, %v", workers, len(recs), c.BytesRead(), len(z), err)
		}
		c.Close()
		f.Close()
	}
}

// Whatever the table says, and wherever the frames are damaged: the bytes and
// the error are those of reading in order.
func TestSeekableLies(t *testing.T) {
	data := compressible(300)
	plain := seekable(t, data, 70, false)
	two := seekable(t, compressible(3<<20), 900<<10, true)
	check := func(z []byte, what string, at int) (parallel bool) {
		out, spans, err := sideBySide(t, z, 3)
		if spans == 0 {
			return false
		}
		want, wantErr := inOrder(t, z, 1)
		if !bytes.Equal(out, want) || (err == nil) != (wantErr == nil) {
			t.Fatalf("%s at %d: %d bytes and %v, in order %d and %v", what, at, len(out), err, len(want), wantErr)
		}
		return true
	}
	by, few := 0, capturetest.Usually(3, 1)
	if testing.Short() {
		few = 7
	}
	for i := 0; i < len(plain); i += few {
		for _, bit := range []byte{1, 8, 0x80} {
			z := bytes.Clone(plain)
			z[i] ^= bit
			if check(z, "bit", i) {
				by++
			}
		}
	}
	if by < len(plain)/few {
		t.Errorf("only %d of %d files with a flipped bit were read by their tables", by, 3*len(plain))
	}
	r := rand.New(rand.NewPCG(3, 3))
	for range 200 / few {
		i := r.IntN(len(two))
		z := bytes.Clone(two)
		z[i] ^= 1 << r.IntN(8)
		check(z, "bit of a large file", i)
	}
	// Tables with the right sum and wrong borders.
	for range 200 / few {
		w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
		if err != nil {
			t.Fatal(err)
		}
		all := slices.Concat(w.EncodeAll(data[:100], nil), w.EncodeAll(data[100:], nil))
		a := r.IntN(len(all))
		frames := [][]byte{all[:a], all[a:]}
		sizes := []int{leastSpan + r.IntN(9), r.IntN(400)}
		if r.IntN(2) == 0 {
			sizes[0] = 100
		}
		check(append(bytes.Clone(all), seekTableOf(frames, sizes, r.IntN(2) == 0)...), "border", a)
	}
}

// Damage costs the same bytes with one goroutine and with several.
func TestZstdDamageSameForWorkers(t *testing.T) {
	r, flips := rand.New(rand.NewPCG(5, 1)), 150
	if testing.Short() {
		flips = 20
	}
	for _, sums := range []bool{false, true} {
		for _, z := range [][]byte{seekable(t, compressible(300), 70, sums), seekable(t, compressible(700<<10), 400<<10, sums)} {
			damaged := 0
			for range flips {
				z := bytes.Clone(z)
				i := r.IntN(len(z))
				z[i] ^= 1 << r.IntN(8)
				one, err := inOrder(t, z, 1)
				several, again := inOrder(t, z, 4)
				if !bytes.Equal(one, several) || (err == nil) != (again == nil) {
					t.Fatalf("byte %d: %d bytes and %v, with goroutines %d and %v", i, len(one), err, len(several), again)
				}
				if err != nil {
					damaged++
				}
			}
			if damaged == 0 {
				t.Error("no damage was found")
			}
		}
	}
}

// A read error is not taken for damage.
func TestSeekableReadError(t *testing.T) {
	z := seekable(t, compressible(5<<20), 400<<10, false)
	src := &source{file: failingAt{bytes.NewReader(z), int64(len(z) / 2)}, size: int64(len(z))}
	spans := spansOf(bytes.NewReader(z), src.size)
	r, err := newSeekReader(src, spans, Options{Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	if _, err := io.ReadAll(r); !errors.Is(err, errDisk) || src.failure() == nil {
		t.Errorf("error %v", err)
	}
}

var errDisk = errors.New("disk on fire")

// failingAt fails from an offset on.
type failingAt struct {
	io.ReaderAt
	from int64
}

func (f failingAt) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) <= f.from {
		return f.ReaderAt.ReadAt(p, off)
	}
	n, err := f.ReaderAt.ReadAt(p[:max(0, f.from-off)], off)
	if err == nil {
		err = errDisk
	}
	return n, err
}

// TestSeekTableIsBounded reads tables of many frames that are not there, each
// said to make much of nothing.
func TestSeekTableIsBounded(t *testing.T) {
	for _, packed := range []int{0, leastFrame} {
		const frames = 4 * mostSpans
		table := bytes.Repeat(raw(le, uint32(packed), uint32(leastSpan)), frames)
		table = append(table, raw(le, uint32(frames), uint8(0), uint32(seekMagic))...)
		file := slices.Concat(make([]byte, frames*packed), raw(le, uint32(seekTable), uint32(len(table))), table)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		spans := spansOf(bytes.NewReader(file), int64(len(file)))
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; spans != nil || used > 48<<20 {
			t.Errorf("frames of %d bytes: %d spans, %d bytes allocated", packed, len(spans), used)
		}
	}
}
