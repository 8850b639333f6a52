package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"pcapbatch/internal/durable"
	"pcapbatch/internal/runfile"
)

// faults is a file system that counts what it is asked to write, and fails at
// one of these calls, or from there on.
type faults struct {
	durable.FS
	at    int   // the call that fails, from 0
	err   error // its error; nil: a short write without one
	stays bool  // all that come later fail as well

	mu     sync.Mutex
	calls  int
	temps  int     // temporary files
	failed []fault // in their order; but closing what is not needed any more may fail
	closed bool    // so it did
}

// A fault is a call that failed, and what the message has to call its file.
type fault struct{ what, named string }

// Calls that are not as others: only one with a buffer can be short, and
// nothing that is still needed is in a temporary file when it is closed.
const (
	shorts     = "write"
	closesTemp = "temporary close"
)

// step counts a call and returns its error.
func (f *faults) step(what, path string) (err error, failed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.calls
	f.calls++
	if n < f.at || n > f.at && !f.stays || f.err == nil && what != shorts {
		return nil, false
	}
	if what == closesTemp {
		f.closed = true
	} else {
		f.failed = append(f.failed, fault{what, path})
	}
	return f.err, true
}

func (f *faults) Create(path string) (durable.File, error) {
	// From the name of a Pending: "." in front, eight characters and two dots behind.
	dir, base := filepath.Split(path)
	name := dir + base[1:len(base)-len(".ABCDEFGH.tmp")]
	return f.make(name, "close", func() (durable.File, error) { return f.FS.Create(path) })
}

func (f *faults) Temp(dir string) (durable.File, error) {
	f.mu.Lock()
	f.temps++
	f.mu.Unlock()
	return f.make("temporary file in "+dir, closesTemp, func() (durable.File, error) { return f.FS.Temp(dir) })
}

func (f *faults) make(name, closes string, create func() (durable.File, error)) (durable.File, error) {
	if err, failed := f.step("create", name); failed {
		return nil, err
	}
	file, err := create()
	if err != nil {
		return nil, err
	}
	return &faultyFile{file, f, name, closes}, nil
}

func (f *faults) Rename(from, to string) error {
	if err, failed := f.step("rename", to); failed {
		return err
	}
	return f.FS.Rename(from, to)
}

func (f *faults) SyncDir(path string) error {
	if err, failed := f.step("sync directory", path); failed {
		return err
	}
	return f.FS.SyncDir(path)
}

type faultyFile struct {
	durable.File
	fs     *faults
	name   string
	closes string // what closing it is
}

func (f *faultyFile) Write(p []byte) (int, error) {
	if err, failed := f.fs.step(shorts, f.name); failed {
		n, _ := f.File.Write(p[:len(p)/2])
		return n, err
	}
	return f.File.Write(p)
}

func (f *faultyFile) Sync() error {
	if err, failed := f.fs.step("sync", f.name); failed {
		return err
	}
	return f.File.Sync()
}

func (f *faultyFile) Truncate(size int64) error {
	if err, failed := f.fs.step("truncate", f.name); failed {
		return err
	}
	return f.File.Truncate(size)
}

func (f *faultyFile) Close() error {
	err := f.File.Close()
	if fault, failed := f.fs.step(f.closes, f.name); failed {
		return fault
	}
	return err
}

// on runs a command on a file system.
func on(fs durable.FS, args ...string) result { return runOn(fs, nil, args...) }

// A faultCase is a run of which every write is made to fail. It may write only
// below dir.
type faultCase struct {
	name string
	slow bool // so that only some of its writes can be tried
	args func(dir string) []string
	// csv returns the rows that the run leads to, once it has ended well.
	csv  func(t *testing.T, dir string) string
	want string
}

// outputOf reads an output, compressed or not.
func outputOf(name string) func(t *testing.T, dir string) string {
	return func(t *testing.T, dir string) string {
		t.Helper()
		text, err := unpacked(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
}

func unpacked(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	var r io.Reader = f
	switch filepath.Ext(path) {
	case ".gz":
		if r, err = gzip.NewReader(f); err != nil {
			return "", err
		}
	case ".zst":
		z, err := zstd.NewReader(f)
		if err != nil {
			return "", err
		}
		defer z.Close()
		r = z
	}
	text, err := io.ReadAll(r)
	return string(text), err
}

// faultCases are all commands that write, in each way in which they do.
func faultCases(t *testing.T) []faultCase {
	dir, _ := series(t, 3000, 2)
	many, _ := series(t, 1300, runfile.MaxInputs+2)
	big := write(t, "big.pcap", pcap(manySessions(2, 300_000)...))
	bigDir := filepath.Dir(big)
	runs, manyRuns := mapped(t, "-P3", dir), mapped(t, "-P1", many)
	parts, manyParts := t.TempDir(), t.TempDir()
	for p := range 3 {
		mustRun(t, "reduce", "--partition", fmt.Sprint(p), "--out", parts, runs)
	}
	const cut = runfile.MaxInputs + 2
	finely := mapped(t, "-P", fmt.Sprint(cut), dir)
	for p := range cut {
		mustRun(t, "reduce", "--partition", fmt.Sprint(p), "--out", manyParts, finely)
	}
	want, wantMany, wantBig := extracted(t, dir), extracted(t, many), extracted(t, bigDir)
	at := func(dir, name string) string { return filepath.Join(dir, name) }
	// extract and merge write an output, summary and all.
	writing := func(name, output, want string, args ...string) faultCase {
		return faultCase{name: name, want: want, csv: outputOf(output), args: func(dir string) []string {
			list := append([]string{args[0], "-o", at(dir, output), "--summary", at(dir, "s.json")}, args[1:]...)
			for i := range list {
				list[i] = strings.ReplaceAll(list[i], "DIR", dir)
			}
			return list
		}}
	}
	list := []faultCase{
		writing("extract", "o.csv", want, "extract", dir),
		writing("gzip", "o.csv.gz", want, "extract", dir),
		writing("zstd", "o.csv.zst", want, "extract", dir),
		writing("state", "o.csv", want, "extract", "--state=DIR/state", dir),
		writing("merge", "o.csv", want, "merge", "--temp-dir=DIR", runs),
		writing("merge of many runs", "o.csv", wantMany, "merge", "-j1", "--temp-dir=DIR", manyRuns),
		writing("merge of parts", "o.csv", want, "merge", "--parts", "--temp-dir=DIR", parts),
		writing("merge of many parts", "o.csv", want, "merge", "--parts", "--temp-dir=DIR", manyParts),
		writing("spill", "o.csv.gz", wantBig, "extract", "-j1", "--memory=32M", "--temp-dir=DIR", bigDir),
		writing("spill with state", "o.csv", wantBig, "extract", "-j1", "--memory=32M", "--temp-dir=DIR", "--state=DIR/state", bigDir),
		{name: "map", want: want,
			args: func(dir2 string) []string { return []string{"map", "-P3", "--out", at(dir2, "runs"), dir} },
			csv:  func(t *testing.T, dir string) string { return mustRun(t, "merge", at(dir, "runs")) }},
		{name: "reduce", want: want,
			args: func(dir string) []string { return []string{"reduce", "--partition=1", "--out", at(dir, "parts"), runs} },
			csv: func(t *testing.T, dir string) string {
				return mustRun(t, "merge", "--parts", at(parts, "0000-of-0003.part"), at(parts, "0002-of-0003.part"), at(dir, "parts"))
			}},
	}
	list[8].slow, list[9].slow = true, true
	return list
}

// Whichever write of a run fails: it ends with 3 and names the file, leaves
// nothing that could be taken for a result, nor anything else, and the next
// run ends as if nothing had happened.
//
// PCAPBATCH_FAULTS=all tries every write of the slow runs too, which takes
// minutes.
func TestEveryWriteFails(t *testing.T) {
	faulty := []struct {
		err   error
		stays bool
	}{{syscall.ENOSPC, true}, {syscall.ENOSPC, false}, {syscall.EIO, true}, {syscall.EIO, false}, {nil, false}}
	total := 0
	for _, c := range faultCases(t) {
		t.Run(c.name, func(t *testing.T) {
			count := &faults{FS: durable.OS, at: 1 << 30}
			clean := t.TempDir()
			if r := on(count, c.args(clean)...); r.code != exitOK || r.stderr != "" {
				t.Fatalf("without a fault: code %d, %s", r.code, r.stderr)
			}
			if got := c.csv(t, clean); got != c.want {
				t.Fatalf("without a fault: other rows from line %d", differentLine(got, c.want))
			}
			if strings.HasPrefix(c.name, "spill") && count.temps < 2 {
				t.Fatalf("%d temporary files: sessions were put on disk by key or by time, not both", count.temps)
			}
			step := 1
			switch all := os.Getenv("PCAPBATCH_FAULTS") == "all"; {
			case testing.Short() && c.slow:
				step = count.calls
			case testing.Short():
				step = max(1, count.calls/4)
			case c.slow && !all:
				step = max(1, count.calls/3)
			}
			tried := 0
			for i, fault := range faulty {
				if testing.Short() && c.slow && i%2 > 0 {
					continue
				}
				for n := i * step / len(faulty); n < count.calls; n += step {
					if c.tryFault(t, &faults{FS: durable.OS, at: n, err: fault.err, stays: fault.stays}) {
						tried++
					}
				}
			}
			t.Logf("%d calls, %d faults", count.calls, tried)
			total += tried
		})
	}
	t.Logf("%d faults in all", total)
}

// tryFault makes one run on a file system with a fault. It reports whether the
// run has met it.
func (c *faultCase) tryFault(t *testing.T, fs *faults) bool {
	t.Helper()
	dir := t.TempDir()
	old := fs.at%2 == 1
	args := c.args(dir)
	if old && args[1] == "-o" {
		mustWrite(t, args[2], "old")
	}
	r := on(fs, args...)
	place := fmt.Sprintf("%v (%v) at call %d, %v", fs.err, fs.stays, fs.at, fs.failed)
	if len(fs.failed) == 0 {
		if r.code != exitOK || c.csv(t, dir) != c.want {
			t.Errorf("%s: code %d, %s", place, r.code, r.stderr)
		}
		return fs.closed
	}
	if r.code != exitOutput || !fs.told(r.stderr) {
		t.Errorf("%s: code %d, %s", place, r.code, r.stderr)
	}
	if err := c.onlyWhole(dir, fs, old); err != nil {
		t.Errorf("%s: %v", place, err)
	}
	if c.slow && fs.at%8 > 0 {
		return true
	}
	if r := on(durable.OS, args...); r.code != exitOK || r.stderr != "" {
		t.Errorf("after %s: code %d, %s", place, r.code, r.stderr)
	} else if got := c.csv(t, dir); got != c.want {
		t.Errorf("after %s: other rows from line %d", place, differentLine(got, c.want))
	}
	return true
}

// told reports whether text is one line that names one of the files that failed,
// by its own name, and the cause.
func (f *faults) told(text string) bool {
	cause := f.err
	if cause == nil {
		cause = io.ErrShortWrite
	}
	return strings.Count(text, "\n") == 1 && !strings.Contains(text, ".tmp") &&
		slices.ContainsFunc(f.failed, func(x fault) bool { return strings.HasSuffix(text, x.named+": "+cause.Error()+"\n") })
}

// onlyWhole returns an error if there is anything below dir but whole results,
// what was there before, and what a state directory consists of.
func (c *faultCase) onlyWhole(dir string, fs *faults, old bool) error {
	first := fs.failed[0]
	named := first.what == "sync directory" || first.what == "close" // what comes when the file is whole and has its name
	return filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		switch name := e.Name(); {
		case strings.HasPrefix(name, "o.csv"):
			if data, err := os.ReadFile(path); old && err == nil && string(data) == "old" {
				return nil
			}
			// Complete if only what came after it has failed.
			if text, err := unpacked(path); err != nil || text != c.want {
				return fmt.Errorf("left %s with %d bytes: %v", path, len(text), err)
			}
			if filepath.Base(first.named) != "s.json" && !named {
				return errors.New("the output is there")
			}
			return nil
		case strings.HasSuffix(name, runfile.RunSuffix), strings.HasSuffix(name, runfile.PartSuffix):
			run, err := (&runfile.Files{FS: durable.OS}).Open(path)
			if err == nil {
				err = run.Verify()
			}
			return err
		case name == "s.json":
			data, err := os.ReadFile(path)
			if err != nil || !json.Valid(data) || !named {
				return fmt.Errorf("the summary is there: %v", err)
			}
			return nil
		case name == "lock" || name == "options.json":
			return nil
		}
		return fmt.Errorf("left %s", path)
	})
}
