package job

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/zstd"

	"pcapbatch/internal/capture"
	"pcapbatch/internal/capturetest"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/durabletest"
	"pcapbatch/internal/ingest"
)

// sparing gives merged captures so little memory that most of them are put into
// temporary files, and those merged into others.
func sparing(c Config, bytes int64) Config {
	c.Interleave, c.CaptureBytes, c.BlockBytes = true, bytes, 4<<10
	return c
}

// sameSpooled compares a run that has so many bytes for the captures it merges
// with one that has enough, in all that they report too.
func sameSpooled(t *testing.T, bytes int64, names ...string) {
	t.Helper()
	c := testConfig(1)
	c.Interleave = true
	want := extract(t, c, names...)
	for _, workers := range []int{1, 3} {
		fs := durabletest.None()
		c := sparing(testConfig(workers), bytes)
		c.FS, c.TempDir = fs, t.TempDir()
		got := extract(t, c, names...)
		if got.err != nil || want.err != nil {
			t.Fatal(got.err, want.err)
		}
		sameRows(t, fmt.Sprint(workers, " workers"), got.rows, want.rows)
		if a, b := got.report, want.report; !reflect.DeepEqual(a, b) {
			t.Errorf("%d workers: reported %+v\nwant %+v", workers, *a, *b)
		}
		slices.Sort(got.notices)
		slices.Sort(want.notices)
		if !slices.Equal(got.notices, want.notices) {
			t.Errorf("notices %q\nwant %q", got.notices, want.notices)
		}
		if fs.Temps() == 0 {
			t.Error("nothing was put into temporary files")
		}
		if left := entriesOf(t, c.TempDir); len(left) > 0 {
			t.Errorf("left %q", left)
		}
	}
}

func TestSpooledIsAsMerged(t *testing.T) {
	t.Parallel()
	records, flows := capturetest.Traffic(2500)
	for _, k := range []int{7, 300} {
		for _, compress := range []bool{false, true} {
			if !capturetest.Full() && compress == (k == 7) {
				continue // one of both
			}
			t.Run(fmt.Sprintf("captures=%d/gzip=%t", k, compress), func(t *testing.T) {
				sameSpooled(t, 64<<10, deal(t, records, k, compress, func(i int) int { return i % k }))
				sameSpooled(t, 64<<10, deal(t, records, k, compress, func(i int) int { return flows[i] % k }))
			})
		}
	}
}

// Captures of all formats, damaged ones too.
func TestSpooledCorpus(t *testing.T) {
	t.Parallel()
	sameSpooled(t, 64<<10, corpus(t)...)
}

// zstdOf compresses data with a window of so many bytes.
func zstdOf(t *testing.T, window int, data []byte) []byte {
	t.Helper()
	var packed bytes.Buffer
	z, err := zstd.NewWriter(&packed, zstd.WithWindowSize(window))
	if err != nil {
		t.Fatal(err)
	}
	z.Write(data)
	z.Close()
	return packed.Bytes()
}

// Captures that ask for more memory than their beginnings tell: for the window
// of a later stream, and for large records. Those in between have times that run
// back, and are cut short.
func TestSpooledSurprises(t *testing.T) {
	t.Parallel()
	dir := surprises(t)
	c := testConfig(2)
	want := extract(t, c, dir)
	c.CaptureBytes = 64 << 10
	if got := extract(t, c, dir); got.rows != want.rows || !reflect.DeepEqual(got.report.Damage, want.report.Damage) {
		t.Errorf("one after the other: %v, %+v", got.err, got.report.Damage)
	}
	for _, bytes := range []int64{64 << 10, 8 << 20, 24 << 20} {
		t.Run(fmt.Sprint(bytes>>10, " KiB"), func(t *testing.T) { sameSpooled(t, bytes, dir) })
	}
}

func surprises(t *testing.T) (dir string) {
	const k = 12
	records, _ := capturetest.Traffic(3000)
	noise := make([]byte, 40_000)
	for i := range noise {
		noise[i] = byte(i * i >> 5)
	}
	hands := make([][]capturetest.Record, k)
	for i, r := range records {
		if i%13 == 0 {
			r.Time -= 2 * capturetest.Second
		}
		hands[i%k] = append(hands[i%k], r)
	}
	dir = t.TempDir()
	for i, hand := range hands {
		half := len(hand) / 2
		for j := range 30 {
			frame := capturetest.IP(capturetest.Client, capturetest.Server, 99, append([]byte{byte(i), byte(j)}, noise[i*j:]...))
			hand = slices.Insert(hand, half+3*j, capturetest.Record{Time: hand[half+3*j].Time, Data: frame})
		}
		huge := capturetest.IP(capturetest.Client, capturetest.Server, 98, make([]byte, 60_000))
		hand[half+1].Data = append(huge, make([]byte, i*100_000)...)
		first, second := capturetest.Pcap(hand[:half]...), capturetest.Pcap(hand[half:]...)
		name, data := fmt.Sprintf("%02d.pcap", i), slices.Concat(first, second)
		if i%2 == 0 {
			data = slices.Concat(zstdOf(t, 64<<10, first), zstdOf(t, 4<<20, second))
		}
		if i >= 9 {
			data = data[:len(data)-7]
		}
		write(t, filepath.Join(dir, name), data)
	}
	return dir
}

// A meddler does something when the first capture is being read.
type meddler struct {
	Silent
	once sync.Once
	do   func()
}

func (m *meddler) Begin(ingest.Source) { m.once.Do(m.do) }

// A capture that is to be read again, and is not what it was, is reported as
// damaged after the records that were read of it, which count.
func TestSpooledChanges(t *testing.T) {
	t.Parallel()
	records, _ := capturetest.Traffic(3000)
	first, second := capturetest.Pcap(records[:500]...), capturetest.Pcap(records[500:]...)
	data := slices.Concat(zstdOf(t, 64<<10, first), zstdOf(t, 16<<20, append(second, noiseRecord(0)...)))
	for what, change := range map[string]func(path string){
		"no such file or directory": func(path string) { os.Remove(path) },
		"the capture has changed while it was read": func(path string) {
			os.Remove(path)
			write(t, path, capturetest.Pcap(records[:100]...))
		},
	} {
		for _, interleave := range []bool{true, false} {
			path := write(t, filepath.Join(t.TempDir(), "x"), data)
			other := write(t, filepath.Join(t.TempDir(), "y"), capturetest.Pcap(records[2999]))
			c := sparing(testConfig(1), 1<<20)
			c.Interleave = interleave
			c.Observer = &meddler{do: func() { change(path) }}
			r, err := Extract(t.Context(), c, capture.Find(durable.OS, []string{path, other}, false), io.Discard)
			if err != nil || r.Records != 501 || len(r.Damage) != 1 || !strings.Contains(r.Damage[0].Reason, what) {
				t.Errorf("interleave=%t: %v, %d records, %+v, want %q", interleave, err, r.Records, r.Damage, what)
			}
		}
	}
}

// noiseRecord is a record that does not get smaller when it is compressed.
func noiseRecord(seed byte) []byte {
	noise := make([]byte, 200_000)
	rand.NewChaCha8([32]byte{seed}).Read(noise)
	return capturetest.Pcap(capturetest.Record{Time: capturetest.Begin, Data: noise})[24:]
}

// What is read once only takes part as it did.
func TestSpooledStandardInput(t *testing.T) {
	t.Parallel()
	records, _ := capturetest.Traffic(3000)
	dir := deal(t, records, 20, true, func(i int) int { return i % 20 })
	want := extract(t, sparing(testConfig(1), 0), dir).clean(t)
	c := sparing(testConfig(2), 64<<10)
	first := filepath.Join(dir, entriesOf(t, dir)[3])
	c.Stdin = bytes.NewReader(load(t, first))
	if err := os.Remove(first); err != nil {
		t.Fatal(err)
	}
	sameRows(t, "standard input and files", extract(t, c, "-", dir).clean(t), want)
}

// Pipes are all open from the beginning, and none may hold so much that there
// would not be as much for each of them.
func TestPipesShareMemory(t *testing.T) {
	t.Parallel()
	const k = 3
	var packed bytes.Buffer
	z, err := zstd.NewWriter(&packed, zstd.WithWindowSize(32<<20))
	if err != nil {
		t.Fatal(err)
	}
	z.Write(capturetest.Pcap())
	for i := range 3 {
		z.Write(noiseRecord(byte(i)))
	}
	z.Close()
	for memory, refused := range map[int64]int{4 << 20: k, 60 << 20: 0} { // and 44 MiB beyond
		for _, interleave := range []bool{false, true} {
			var names []string
			for i := range k {
				path := filepath.Join(t.TempDir(), fmt.Sprint(i))
				capturetest.FIFO(t, path)
				go os.WriteFile(path, packed.Bytes(), 0)
				names = append(names, path)
			}
			c := testConfig(1)
			c.CaptureBytes, c.Interleave = memory, interleave
			r := extract(t, c, names...).report
			if len(r.Damage) != refused || r.Records != uint64(3*(k-refused)) {
				t.Errorf("%d MiB: %d records, %v", memory>>20, r.Records, r.Damage)
			}
			for _, d := range r.Damage {
				if !strings.Contains(d.Reason, "a window of 33554432 bytes") || !strings.Contains(d.Reason, "(it would take --memory 81M)") {
					t.Error(d)
				}
			}
		}
	}
}

// What a message says of --memory is the smallest limit, to 1 MiB, with which
// the beginning of a capture, or a later stream, may ask for as much.
func TestMemoryFor(t *testing.T) {
	for workers := 1; workers <= 8; workers++ {
		for _, asks := range []int64{1 << 20, 16 << 20, 64 << 20, 128 << 20, 1 << 30} {
			c := Config{Resources: Resources{Workers: workers, Memory: LeastMemory(workers)}}
			holds := func(memory int64) bool {
				o := Config{Resources: Resources{Workers: workers, Memory: memory}}
				return o.openBytes()+aloneBytes >= asks+1<<20
			}
			if holds(c.Memory) {
				continue
			}
			least := c.memoryFor(asks)
			if !holds(least) || holds(least-1) {
				t.Errorf("%d workers: %d bytes for %d", workers, least, asks)
			}
			c.Memory = least // enough for a beginning: the question is about what comes later
			later := &run{Config: Config{Resources: Resources{Workers: workers, Memory: c.memoryFor(asks)}}}
			if later.divide(nil); later.forCaptures+aloneBytes < asks {
				t.Errorf("%d workers: %d bytes for %d that come later", workers, later.Memory, asks)
			}
		}
	}
}
