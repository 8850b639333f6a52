package inflate

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pcapbatch/internal/capturetest"
)

// checkParallel compares a ParallelReader with a Reader: bytes and error.
func checkParallel(t *testing.T, what string, in []byte, opts Options) {
	t.Helper()
	want, wantErr := readAll(NewReader(bytes.NewReader(in)), 1<<16)
	p := NewParallelReader(bytes.NewReader(in), int64(len(in)), opts)
	got, err := readAll(p, 1<<16, 1000)
	if !bytes.Equal(got, want) {
		t.Errorf("%s, %+v: %d bytes, want %d; errors %v, %v", what, opts, len(got), len(want), err, wantErr)
	}
	if fmt.Sprint(err) != fmt.Sprint(wantErr) {
		t.Errorf("%s, %+v: error %v, want %v", what, opts, err, wantErr)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

func TestParallelRoundTrip(t *testing.T) {
	for kind, data := range contents(500_000) {
		for name, encode := range encoders(t) {
			switch name {
			case "std-2", "std0", "std1", "std6", "gzip", "gzip-rsyncable", "igzip", "libdeflate-gzip", "flushes", "klauspost1":
			default:
				continue
			}
			in := encode(data)
			for _, size := range []int{7000, 50_000} {
				checkParallel(t, kind+" by "+name, in, Options{Workers: 3, chunkSize: size})
			}
		}
	}
}

// Chunks down to one byte, more workers than chunks, and one worker.
func TestParallelChunkSizes(t *testing.T) {
	in := squeeze(t, contents(250_000)["mixed"], 6)
	for _, size := range []int{1, 2, 3, 5, 7, 11, 13, 64, 257, 1000, 4099, 32 << 10, len(in) / 2, len(in) - 1, len(in), 2 * len(in)} {
		if size < 64 {
			checkParallel(t, "small", in[:3000], Options{Workers: 4, chunkSize: size})
		} else {
			for _, workers := range []int{1, 2, 5, 16} {
				checkParallel(t, "mixed", in, Options{Workers: workers, chunkSize: size})
			}
		}
	}
}

// chainOf is a file of many members, some empty.
func chainOf(t testing.TB, data []byte, sizes ...int) []byte {
	var in []byte
	for i := 0; len(data) > 0; i++ {
		n := min(len(data), sizes[i%len(sizes)])
		in = append(in, squeeze(t, data[:n], i%10)...)
		data = data[n:]
	}
	return in
}

func TestParallelMembers(t *testing.T) {
	data := captureData(500_000)
	random := randomData(200)
	inner := squeeze(t, data, 6)
	for name, in := range map[string][]byte{
		"large members":   chainOf(t, data, 200_000),
		"mixed members":   chainOf(t, data, 300_000, 0, 10, 90_000, 1000),
		"small members":   chainOf(t, data[:300_000], 700, 0, 30_000),
		"bgzf":            bgzf(t, data),
		"bgzf and others": append(bgzf(t, data), chainOf(t, data, 200_000)...),
		"zeros behind":    append(chainOf(t, data, 400_000), make([]byte, 300_000)...),
		"garbage behind":  append(chainOf(t, data, 400_000), random...),
		"a header behind": append(chainOf(t, data, 400_000), plainHeader...),
		// Blocks inside stored blocks look like good places to start.
		"gzip in gzip":  squeeze(t, inner, 0),
		"gzip in fixed": chainOf(t, bytes.Join([][]byte{inner, data[:50_000], inner}, nil), 300_000),
		"other method":  append(chainOf(t, data, 400_000), 0x1f, 0x8b, 7, 0),
	} {
		for _, size := range []int{5000, 60_000, 200_000} {
			checkParallel(t, name, in, Options{Workers: 3, chunkSize: size})
		}
	}
}

// bgzf gives data as BGZF blocks with the empty one at the end.
func bgzf(t testing.TB, data []byte) []byte {
	var in []byte
	for end := false; !end; {
		n := min(len(data), 0xff00)
		end = n == 0
		comp := squeeze(t, data[:n], 6)
		head := append(bytes.Clone(comp[:10]), 6, 0, 'B', 'C', 2, 0, 0, 0)
		head[3] = flagExtra
		binary.LittleEndian.PutUint16(head[16:], uint16(len(head)+len(comp)-10-1))
		in = append(append(in, head...), comp[10:]...)
		data = data[n:]
	}
	return in
}

func TestBGZFSize(t *testing.T) {
	in := bgzf(t, captureData(300_000))
	members := 0
	for at := 0; at < len(in); members++ {
		n := bgzfSize(in[at:])
		if n == 0 {
			t.Fatalf("no size at %d", at)
		}
		at += n
	}
	if members != 6 {
		t.Errorf("%d members", members)
	}
	for name, head := range map[string]string{
		"plain":          string(plainHeader) + "12345678",
		"other extra":    "\x1f\x8b\x08\x04\x00\x00\x00\x00\x00\xff\x08\x00AB\x04\x00BC\x02\x00",
		"cut extra":      "\x1f\x8b\x08\x04\x00\x00\x00\x00\x00\xff\x06\x00BC\x02\x00\x00",
		"size of 3":      "\x1f\x8b\x08\x04\x00\x00\x00\x00\x00\xff\x07\x00BC\x03\x00\x00\x00\x00",
		"length too big": "\x1f\x8b\x08\x04\x00\x00\x00\x00\x00\xff\x06\x00AA\xff\xffBC",
	} {
		if n := bgzfSize([]byte(head)); n != 0 {
			t.Errorf("%s: size %d", name, n)
		}
	}
	behind := "\x1f\x8b\x08\x04\x00\x00\x00\x00\x00\xff\x0a\x00AA\x00\x00BC\x02\x00\x29\x01"
	if n := bgzfSize([]byte(behind)); n != 0x129+1 {
		t.Errorf("second subfield: size %d", n)
	}
}

// Streams by hand have blocks that reach over chunks, chunks without a start
// and every kind of damage.
func TestParallelByHand(t *testing.T) {
	for name, s := range handMade() {
		in := member(s.deflated, s.data)
		for _, size := range []int{3, 100, 5000, 30_000} {
			if len(in)/size < 2000 {
				checkParallel(t, name, in, Options{Workers: 2, chunkSize: size})
			}
		}
	}
}

// A changed, missing or added byte anywhere gives what a Reader makes of it.
func TestParallelDamage(t *testing.T) {
	data := contents(300_000)["mixed"]
	r := rand.New(rand.NewPCG(9, 10))
	for _, in := range [][]byte{squeeze(t, data, 6), squeeze(t, data, 1), chainOf(t, data, 90_000), bgzf(t, data)} {
		for range 12 {
			bad := bytes.Clone(in)
			at := r.IntN(len(bad))
			switch r.IntN(3) {
			case 0:
				bad[at] ^= 1 << r.IntN(8)
			case 1:
				bad = bad[:at]
			case 2:
				bad = append(bad[:at], in[at/2:]...)
			}
			checkParallel(t, fmt.Sprintf("damage at %d", at), bad, Options{Workers: 2, chunkSize: 15_000})
		}
	}
}

// faultyAt fails for reads that touch a place.
type faultyAt struct {
	r    io.ReaderAt
	from int64
}

var errFault = errors.New("bad sector")

func (f faultyAt) ReadAt(b []byte, off int64) (int, error) {
	if off+int64(len(b)) > f.from {
		n, _ := f.r.ReadAt(b[:max(0, f.from-off)], off)
		return n, errFault
	}
	return f.r.ReadAt(b, off)
}

func TestParallelSourceErrors(t *testing.T) {
	data := captureData(2_000_000)
	in := squeeze(t, data, 6)
	for _, from := range []int64{0, 5, 100_000, int64(len(in)) - 3} {
		p := NewParallelReader(faultyAt{bytes.NewReader(in), from}, int64(len(in)), Options{Workers: 3, chunkSize: 50_000})
		got, err := readAll(p, 1<<16)
		wantError(t, "faulty source", err, errFault, int(from))
		want, _ := readAll(NewReader(bytes.NewReader(in[:from])), 1<<16)
		if !bytes.Equal(got, want) {
			t.Errorf("fault at %d: %d bytes, want %d", from, len(got), len(want))
		}
		_ = p.Close()
	}
	// A file that is shorter than it was said to be.
	p := NewParallelReader(bytes.NewReader(in[:300_000]), int64(len(in)), Options{Workers: 3, chunkSize: 50_000})
	_, err := readAll(p, 1<<16)
	wantError(t, "shrunk file", err, io.ErrUnexpectedEOF, 300_000)
}

// Close ends all goroutines, wherever they are.
func TestParallelClose(t *testing.T) {
	before := runtime.NumGoroutine()
	in := squeeze(t, captureData(3_000_000), 6)
	for i := range 12 {
		p := NewParallelReader(bytes.NewReader(in), int64(len(in)), Options{Workers: 4, chunkSize: 30_000})
		if _, err := io.CopyN(io.Discard, struct{ io.Reader }{p}, int64(i)*150_000); err != nil {
			t.Fatal(err)
		}
		if i%3 == 0 {
			time.Sleep(5 * time.Millisecond) // workers wait for room by now
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Read(make([]byte, 10)); err != ErrClosed {
			t.Fatalf("after Close: %v", err)
		}
	}
	capturetest.GoroutinesEnd(t, before, "Close")
}

// counting counts what is read.
type counting struct {
	r io.ReaderAt
	n atomic.Int64
}

func (c *counting) ReadAt(b []byte, off int64) (int, error) {
	n, err := c.r.ReadAt(b, off)
	c.n.Add(int64(n))
	return n, err
}

// A consumer that does not read holds the workers back, in input and in memory.
func TestParallelBackPressure(t *testing.T) {
	one := squeeze(t, captureData(4<<20), 6)
	in := bytes.Repeat(one, 10)
	src := &counting{r: bytes.NewReader(in)}
	const workers, size = 3, 200_000
	p := NewParallelReader(src, int64(len(in)), Options{Workers: workers, chunkSize: size})
	defer p.Close()
	if _, err := io.ReadFull(p, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	last := int64(-1)
	for n := src.n.Load(); n != last; n = src.n.Load() {
		last = n
		time.Sleep(100 * time.Millisecond)
	}
	// Each chunk may read past its end and is searched once, in blocks.
	if most := int64(workers+extraChunks) * 2 * (size + 4*findSize); last > most {
		t.Errorf("read %d bytes ahead, want at most %d", last, most)
	}
	n, err := discard(p)
	if err != nil || n != 40<<20-1000 {
		t.Errorf("the rest: %d bytes, %v", n, err)
	}
}

// A bomb does not make a chunk hold more than its segments.
func TestParallelBomb(t *testing.T) {
	src, size := bomb(t, 4)
	in, err := io.ReadAll(src)
	if err != nil {
		t.Fatal(err)
	}
	p := NewParallelReader(bytes.NewReader(in), int64(len(in)), Options{Workers: 3, chunkSize: 60_000})
	defer p.Close()
	most := 0
	total := int64(0)
	for total < size {
		data := p.data()
		if len(data) == 0 {
			t.Fatal(p.err)
		}
		total += int64(len(data))
		p.at += len(data)
		p.mu.Lock()
		held := len(p.free)
		for _, c := range p.chunks {
			if c.held > segmentsPerChunk+2 {
				t.Fatalf("a chunk holds %d segments", c.held)
			}
			held += c.held
		}
		most = max(most, held)
		p.mu.Unlock()
	}
	if limit := (3 + extraChunks) * (segmentsPerChunk + 2); most > limit {
		t.Errorf("%d segments, want at most %d", most, limit)
	}
	if data := p.data(); len(data) != 0 || p.err != io.EOF {
		t.Errorf("at the end: %d bytes, %v", len(data), p.err)
	}
}

// The speculation must be of use, or nothing is gained. The chunks are worked
// on by hand, from the last to the first, so that all but the first speculate
// to their end however goroutines would have been scheduled.
func TestParallelSpeculationHits(t *testing.T) {
	for kind, data := range map[string][]byte{"capture": captureData(3 << 20), "text": textData(4 << 20)} {
		in := squeeze(t, data, 6)
		p := &ParallelReader{
			src: bytes.NewReader(in), size: int64(len(in)), chunk: 100_000, ratio: 1,
			most: len(in), pending: &origin{state: inHeader},
		}
		p.changed = sync.NewCond(&p.mu)
		for p.next < p.size {
			p.pick()
		}
		for _, c := range slices.Backward(p.chunks) {
			c.work()
		}
		if len(p.chunks) < 5 {
			t.Fatalf("%s: %d chunks", kind, len(p.chunks))
		}
		for _, c := range p.chunks[1:] {
			if got := p.pick(); got != c {
				t.Fatalf("%s: the chunk at %d has no truth when the one before is settled", kind, c.from)
			}
			p.misses = 1
			c.work()
			if p.misses != 0 {
				t.Errorf("%s: the speculation of the chunk at %d was not right", kind, c.from)
			}
		}
	}
}
