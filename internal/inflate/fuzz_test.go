package inflate

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"runtime"
	"testing"
	"testing/iotest"

	kflate "github.com/klauspost/compress/flate"
	kgzip "github.com/klauspost/compress/gzip"
)

// The fuzz targets are differential: compress/gzip, klauspost/compress, Reader
// and ParallelReader must agree. Run one with
// go test -fuzz FuzzFile -fuzztime 60s ./internal/inflate

// maxFuzz bounds what a fuzz input may decompress to.
const maxFuzz = 4 << 20

// limited reads all of r and reports whether that was within bounds.
func limited(r io.Reader) ([]byte, error, bool) {
	b, err := io.ReadAll(io.LimitReader(r, maxFuzz))
	return b, err, len(b) < maxFuzz
}

// checkWays reads in by all ways this package has and compares them with one
// Reader with large reads, whose result it gives.
func checkWays(t *testing.T, in []byte, size, chunk int) ([]byte, error) {
	t.Helper()
	want, wantErr := withinBudget(t, in)
	size, chunk = max(1, size), max(1, chunk, len(in)/500)
	ways := map[string]io.Reader{
		"read size":  NewReader(bytes.NewReader(in)),
		"one byte":   NewReader(iotest.OneByteReader(bytes.NewReader(in))),
		"with error": NewReader(iotest.DataErrReader(bytes.NewReader(in))),
		"parallel":   NewParallelReader(bytes.NewReader(in), int64(len(in)), Options{Workers: 2, chunkSize: chunk}),
	}
	for name, r := range ways {
		got, err := readAll(r, size, 1<<17)
		if !bytes.Equal(got, want) || fmt.Sprint(err) != fmt.Sprint(wantErr) {
			t.Fatalf("%s (size %d, chunk %d): %d bytes and %v, want %d and %v", name, size, chunk, len(got), err, len(want), wantErr)
		}
		if c, ok := r.(io.Closer); ok {
			_ = c.Close()
		}
	}
	return want, wantErr
}

// budgeted counts what one decoder takes from its source.
type budgeted struct {
	r     io.Reader
	calls int
}

func (b *budgeted) Read(p []byte) (int, error) {
	b.calls++
	return b.r.Read(p)
}

// withinBudget reads in with one Reader and fails if that takes more memory or
// work than the package comment allows, whatever the input is: 1 MiB besides
// what was read, one call of the source for each block of input, and one call
// of Read for each block of output, with one that brings nothing.
func withinBudget(t *testing.T, in []byte) ([]byte, error) {
	t.Helper()
	src := &budgeted{r: bytes.NewReader(in)}
	z, out, calls := NewReader(src), make([]byte, 0, 1<<17), 0
	block := make([]byte, 1<<17)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var err error
	grown := uint64(0)
	for err == nil {
		var n int
		n, err = z.Read(block)
		if calls++; n == 0 && err == nil || calls > 2+len(in)/inputSize+2+cap(out)/len(block)+len(out)/len(block) {
			t.Fatalf("%d reads for %d bytes of %d", calls, len(out), len(in))
		}
		if len(out)+n > cap(out) {
			grown += uint64(2 * (cap(out) + n))
			out = append(make([]byte, 0, 2*(cap(out)+n)), out...)
		}
		out = append(out, block[:n]...)
	}
	runtime.ReadMemStats(&after)
	if most := 4 + len(in)/(inputSize/2); src.calls > most {
		t.Fatalf("%d calls of the source for %d bytes", src.calls, len(in))
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20+grown+grown/4 {
		t.Fatalf("%d bytes allocated for %d of %d", n, len(out), len(in))
	}
	if err == io.EOF {
		err = nil
	}
	return out, err
}

func FuzzRoundTrip(f *testing.F) {
	for kind, data := range contents(20_000) {
		f.Add(data, len(kind), len(data)/3, 1000, 5000)
	}
	f.Fuzz(func(t *testing.T, data []byte, level, flush, size, chunk int) {
		var b bytes.Buffer
		var w interface {
			io.WriteCloser
			Flush() error
		}
		if level = ((level % 24) + 24) % 24; level < 12 {
			w, _ = gzip.NewWriterLevel(&b, level-2)
		} else {
			w, _ = kgzip.NewWriterLevel(&b, level-14)
		}
		for rest := data; len(rest) > 0; {
			n := min(len(rest), max(1, len(rest)/8, flush))
			_, _ = w.Write(rest[:n])
			_ = w.Flush()
			rest = rest[n:]
		}
		_ = w.Close()
		got, err := checkWays(t, b.Bytes(), size&0xfffff, chunk&0xfffff)
		if err != nil || !bytes.Equal(got, data) {
			t.Fatalf("%d bytes for %d, error %v", len(got), len(data), err)
		}
	})
}

// FuzzBody feeds deflate data, most of it damaged.
func FuzzBody(f *testing.F) {
	for _, s := range handMade() {
		if len(s.deflated) < 40_000 {
			f.Add(s.deflated, 1000, 50)
		}
	}
	for _, data := range contents(3000) {
		f.Add(squeeze(f, data, 6)[10:], 5, 300)
	}
	f.Add([]byte("$0\x00\x00"), 957, 9) // a code without symbols, then the end
	f.Fuzz(func(t *testing.T, body []byte, size, chunk int) {
		if len(body) > 1<<16 {
			return
		}
		want, wantErr, ok := limited(flate.NewReader(bytes.NewReader(body)))
		if !ok {
			return
		}
		checkBody(t, body)
		kwant, kerr, _ := limited(kflate.NewReader(bytes.NewReader(body)))
		if wantErr == nil && (kerr != nil || !bytes.Equal(kwant, want)) {
			t.Fatalf("klauspost: %d bytes and %v, want %d", len(kwant), kerr, len(want))
		}
		checkWays(t, append(bytes.Clone(plainHeader), body...), size&0xffff, chunk&0xffff)
	})
}

// FuzzFile feeds whole files.
func FuzzFile(f *testing.F) {
	a := squeeze(f, textData(3000), 6)
	for _, behind := range [][]byte{nil, a, make([]byte, 20), []byte("garbage"), a[:15], plainHeader} {
		f.Add(append(bytes.Clone(a), behind...), 100, 500)
	}
	f.Add(bgzf(f, captureData(70_000)), 4000, 3000)
	f.Add([]byte("\x1f\x8b\x08\x1f\x01\x02\x03\x04\x02\x03\x02\x00exname\x00comment\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00"), 5, 5)
	f.Fuzz(func(t *testing.T, in []byte, size, chunk int) {
		if len(in) > 1<<16 {
			return
		}
		want, wantErr, ok := gunzip(in)
		if !ok {
			return
		}
		got, err := checkWays(t, in, size&0xffff, chunk&0xffff)
		checkFile(t, in, got, err, want, wantErr)
	})
}

// gunzip is what compress/gzip makes of a file.
func gunzip(in []byte) ([]byte, error, bool) {
	z, err := gzip.NewReader(bytes.NewReader(in))
	if err != nil {
		return nil, err, true
	}
	return limited(z)
}

// checkFile compares a result with that of compress/gzip, where the deliberate
// differences of the package comment are allowed.
func checkFile(t *testing.T, in, got []byte, err error, want []byte, wantErr error) {
	t.Helper()
	var e *Error
	if err != nil && !errors.As(err, &e) {
		t.Fatalf("error %v is no *Error", err)
	}
	if e != nil && (e.Offset < 0 || e.Offset > int64(len(in))) {
		t.Fatalf("offset of %v", err)
	}
	var corrupt flate.CorruptInputError
	same := bytes.Equal(got, want)
	reserved := e != nil && e.Err == ErrHeader && len(in) > int(e.Offset)+3 && in[e.Offset+3]&flagsReserved != 0
	switch {
	case reserved: // compress/gzip goes on, whatever comes of it
		if !bytes.HasPrefix(want, got) && !errors.Is(wantErr, gzip.ErrHeader) {
			t.Fatalf("%d bytes before %v, want a part of %d", len(got), err, len(want))
		}
	case wantErr == nil && err != nil:
		t.Fatalf("error %v in a good file", err)
	case wantErr == nil:
		if !same {
			t.Fatalf("%d bytes, want %d", len(got), len(want))
		}
	case errors.Is(wantErr, gzip.ErrHeader):
		// Zeros and garbage behind, reserved flags, and long names that
		// compress/gzip refuses.
		if !bytes.HasPrefix(got, want) || !same && bytes.Count(in, []byte{0x1f, 0x8b, 8}) == 0 {
			t.Fatalf("%d bytes and %v, want %d and %v", len(got), err, len(want), wantErr)
		}
	case errors.Is(wantErr, gzip.ErrChecksum):
		if !same || e == nil || e.Err != ErrChecksum && e.Err != ErrHeader {
			t.Fatalf("%d bytes and %v, want %d and %v", len(got), err, len(want), wantErr)
		}
	case errors.As(wantErr, &corrupt): // or cut: see checkBody
		if e != nil && e.Err == io.ErrUnexpectedEOF && same {
			return
		}
		if e == nil || e.Err == ErrCorrupt && !same || e.Err != ErrCorrupt && e.Err != ErrHeader {
			t.Fatalf("%d bytes and %v, want %d and %v", len(got), err, len(want), wantErr)
		}
	default: // cut: see checkBody; a few bytes after a member look cut too
		if e == nil || e.Err != ErrHeader && !bytes.HasPrefix(got, want) {
			t.Fatalf("%d bytes and %v, want %d and %v", len(got), err, len(want), wantErr)
		}
	}
}
