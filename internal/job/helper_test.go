package job

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"pcapbatch/internal/capture"
	"pcapbatch/internal/capturetest"
	"pcapbatch/internal/durabletest"
	"pcapbatch/internal/report"
	"pcapbatch/internal/runfile"
	"pcapbatch/internal/writer"
)

// all are the columns of every group.
var all = []writer.Group{"all"}

var seed = flag.Uint64("seed", 0, "seed of the hash by which sessions are dealt out to workers; 0: any")

// TestMain chooses a seed, and says which it was if a test fails.
func TestMain(m *testing.M) {
	flag.Parse()
	for *seed == 0 {
		*seed = rand.Uint64()
	}
	code := capturetest.Run(m)
	if code != 0 {
		fmt.Printf("repeat with: go test ./internal/job -args -seed=%d\n", *seed)
	}
	os.Exit(code)
}

// testConfig is a Config with all columns that syncs nothing.
func testConfig(workers int) Config {
	c := New()
	c.Workers, c.Columns.Features, c.FS, c.HashSeed = workers, all, durabletest.None(), *seed
	return c
}

// scarce gives a job so little memory, and so small blocks, that a few thousand
// packets reach all that large captures need: each block is spilled by itself,
// which makes more inputs than one merge takes, and sorting by time needs
// temporary files too.
func scarce(c Config) Config {
	c.BlockBytes, c.Share, c.LeastSpill = 4<<10, 4<<10, 4<<10
	return c
}

// Captures and files, by the short names that the tests here use.
var (
	write     = capturetest.Write[[]byte]
	load      = capturetest.Load
	gzipped   = capturetest.Gzipped
	series    = capturetest.Series
	parseRows = capturetest.Rows[row]
)

// A listener keeps what an Observer is told.
type listener struct {
	Silent
	mu       sync.Mutex
	captures int // to be read
	notices  []string
	notes    []string
}

func (l *listener) Start(captures int, _ int64) { l.captures += captures }

func (l *listener) Notice(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.notices = append(l.notices, line)
}

func (l *listener) Note(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.notes = append(l.notes, line)
}

// A result is what a job left.
type result struct {
	rows    string
	report  *report.Run
	err     error
	notices []string
	notes   []string
	read    int // captures
}

// observe does a job and keeps what its Observer is told.
func observe(c Config, job func(c Config, w *bytes.Buffer) (*report.Run, error)) (r result) {
	var out bytes.Buffer
	l := &listener{}
	c.Observer = l
	r.report, r.err = job(c, &out)
	r.rows, r.notices, r.notes, r.read = out.String(), l.notices, l.notes, l.captures
	return r
}

func extract(t testing.TB, c Config, names ...string) result {
	return observe(c, func(c Config, w *bytes.Buffer) (*report.Run, error) {
		return Extract(t.Context(), c, capture.Find(c.FS, names, false), w)
	})
}

func resume(t testing.TB, c Config, state string, names ...string) result {
	return observe(c, func(c Config, w *bytes.Buffer) (*report.Run, error) {
		return Resume(t.Context(), c, state, capture.Find(c.FS, names, false), w)
	})
}

// mapTo makes run files in dir.
func mapTo(t testing.TB, c Config, dir string, partitions int, names ...string) result {
	return observe(c, func(c Config, _ *bytes.Buffer) (*report.Run, error) {
		return Map(t.Context(), c, dir, partitions, capture.Find(c.FS, names, false))
	})
}

// merge merges the run files that names name.
func merge(t testing.TB, c Config, names ...string) result {
	return observe(c, func(c Config, w *bytes.Buffer) (*report.Run, error) {
		paths, err := RunFiles(c.FS, names)
		if err != nil {
			return report.New(), err
		}
		return Merge(t.Context(), c, paths, w)
	})
}

// reduce makes a part in dir.
func reduce(t testing.TB, c Config, partition int, dir string, names ...string) result {
	return observe(c, func(c Config, _ *bytes.Buffer) (*report.Run, error) {
		paths, err := RunFiles(c.FS, names)
		if err != nil {
			return report.New(), err
		}
		return Reduce(t.Context(), c, paths, partition, dir)
	})
}

func joinParts(t testing.TB, c Config, names ...string) result {
	return observe(c, func(c Config, w *bytes.Buffer) (*report.Run, error) {
		paths, err := Parts(c.FS, names)
		if err != nil {
			return report.New(), err
		}
		return JoinParts(t.Context(), c, paths, w)
	})
}

// clean fails unless the job ended well and there was nothing to tell. It
// returns the rows.
func (r result) clean(t testing.TB) string {
	t.Helper()
	if r.err != nil || len(r.notices)+len(r.notes) > 0 || r.report.Damaged() {
		t.Fatalf("%v, notices %q, notes %q", r.err, r.notices, r.notes)
	}
	return r.rows
}

// mapped makes run files in a directory of the test's own.
func mapped(t testing.TB, c Config, partitions int, names ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "runs")
	mapTo(t, c, dir, partitions, names...).clean(t)
	return dir
}

// reduced makes all parts of run files in a directory of the test's own.
func reduced(t testing.TB, c Config, partitions int, names ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "parts")
	for p := range partitions {
		reduce(t, c, p, dir, names...).clean(t)
	}
	return dir
}

// madeOf makes the run files of a directory and their parts, of two partitions, and
// returns their paths.
func madeOf(t testing.TB, c Config, dir string) (runs, parts []string) {
	t.Helper()
	made := mapped(t, c, 2, dir)
	runs, err := RunFiles(c.FS, []string{made})
	if err != nil {
		t.Fatal(err)
	}
	parts, err = Parts(c.FS, []string{reduced(t, c, 2, made)})
	if err != nil {
		t.Fatal(err)
	}
	return runs, parts
}

// sameRows fails unless two outputs are the same bytes.
func sameRows(t testing.TB, what, got, want string) {
	t.Helper()
	if got == want {
		return
	}
	x, y := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range x {
		if i >= len(y) || x[i] != y[i] {
			t.Errorf("%s: other rows from line %d on", what, i+1)
			return
		}
	}
	t.Errorf("%s: %d lines, want %d", what, len(x), len(y))
}

// refuses fails unless the job ended with an error of a category and a text,
// before it wrote any rows.
func (r result) refuses(t testing.TB, want Category, text string) {
	t.Helper()
	if CategoryOf(r.err) != want || r.err == nil || !strings.Contains(r.err.Error(), text) || r.rows != "" {
		t.Errorf("category %d, %v; want %d, %q; %d bytes of rows", CategoryOf(r.err), r.err, want, text, len(r.rows))
	}
}

// seeded returns random numbers of a seed that is told if the test fails.
func seeded(t testing.TB, seed uint64) *rand.Rand {
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	})
	return rand.New(rand.NewPCG(seed, 17))
}

// entriesOf lists the names in a directory.
func entriesOf(t testing.TB, dir string) (names []string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

func pcap(t testing.TB, records []capturetest.Record) string {
	t.Helper()
	return write(t, filepath.Join(t.TempDir(), "c.pcap"), capturetest.Pcap(records...))
}

// deal puts each record into the capture that to names, of k, and writes them
// to a directory. The names are in no order of time.
func deal(t testing.TB, records []capturetest.Record, k int, compress bool, to func(i int) int) (dir string) {
	t.Helper()
	hands := make([][]capturetest.Record, k)
	for i, r := range records {
		hands[to(i)] = append(hands[to(i)], r)
	}
	dir = t.TempDir()
	for i, name := range seeded(t, uint64(k)).Perm(k) {
		data := capturetest.Pcap(hands[i]...)
		if compress {
			data = gzipped(t, data)
		}
		write(t, filepath.Join(dir, fmt.Sprintf("%03d", name)), data)
	}
	return dir
}

// corpus lists captures of every sort.
func corpus(t testing.TB) []string {
	t.Helper()
	list, _ := capturetest.Corpus(t, "../..")
	return list
}

// A row is one session by column name.
type row map[string]string

// runTimes are the run files in dir by path, with the time at which they were
// made.
func runTimes(t testing.TB, dir string) map[string]int64 {
	t.Helper()
	m := map[string]int64{}
	for _, name := range entriesOf(t, dir) {
		if !strings.HasSuffix(name, runfile.RunSuffix) {
			continue
		}
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		m[name] = info.ModTime().UnixNano()
	}
	return m
}
