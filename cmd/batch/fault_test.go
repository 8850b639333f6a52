package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pcapbatch/internal/capturetest"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/durabletest"
	"pcapbatch/internal/runfile"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// A faultCase is a run of which every write is made to fail. It may write only
// below dir. Those of jobs without an output are in package job.
type faultCase struct {
	name string
	args func(dir string) []string
	out  string // the output, in dir
	want string // its rows
}

func unpacked(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	var r io.Reader = f
	switch filepath.Ext(path) {
	case ".parquet":
		data, err := io.ReadAll(f)
		return string(data), err
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

// faultCases are the commands that write an output, in each way in which they
// do, with a report and a summary beside it.
func faultCases(t *testing.T) (list []faultCase) {
	dir, _ := series(t, 3000, 2)
	runs, parts := mapped(t, "-P3", dir), t.TempDir()
	for p := range 3 {
		mustRun(t, "reduce", "--partition", fmt.Sprint(p), "--out", parts, runs)
	}
	want := mustRun(t, "extract", dir)
	wide := wideCaptures(t, 4, 8, wideZstd(4))
	wantWide := mustRun(t, "extract", "--interleave", wide)
	for _, c := range []struct{ name, out, args string }{
		{"interleave", "o.csv", "extract --interleave --temp-dir=DIR -j1 --memory=32M " + wide},
		{"extract", "o.csv", "extract " + dir},
		{"gzip", "o.csv.gz", "extract " + dir},
		{"zstd", "o.csv.zst", "extract " + dir},
		{"state", "o.csv", "extract --state=DIR/state " + dir},
		{"merge", "o.csv", "merge --temp-dir=DIR " + runs},
		{"parts", "o.csv", "merge --parts --temp-dir=DIR " + parts},
		{"parquet", "o.csv.parquet", "extract " + dir},
	} {
		want := map[bool]string{true: wantWide, false: want}[c.name == "interleave"]
		if c.name == "parquet" {
			want = mustRun(t, "extract", "--format", "parquet", dir)
		}
		list = append(list, faultCase{name: c.name, out: c.out, want: want, args: func(dir string) []string {
			args := strings.Fields(strings.ReplaceAll(c.args, "DIR", dir))
			return append([]string{args[0], "-o", filepath.Join(dir, c.out), "--summary", filepath.Join(dir, "s.json"), "--report", filepath.Join(dir, "r.html")}, args[1:]...)
		}})
	}
	return list
}

// Whichever write of a run fails: it ends with 3 and names the file, leaves
// nothing that could be taken for a result, nor anything else, and the next
// run ends as if nothing had happened.
func TestEveryWriteFails(t *testing.T) {
	t.Parallel()
	for _, c := range faultCases(t) {
		t.Run(c.name, func(t *testing.T) {
			count := durabletest.None()
			c.whole(t, count, t.TempDir())
			most := capturetest.Usually(12, math.MaxInt)
			if testing.Short() || c.name == "state" || c.name == "interleave" { // of these most is a test of package job
				most = 8
			}
			met := durabletest.Each(count.Calls(), most, func(disk *durabletest.Faults) bool { return c.tryFault(t, disk) })
			t.Logf("%d calls, %d faults", count.Calls(), met)
		})
	}
}

// whole makes a run that must end well.
func (c *faultCase) whole(t *testing.T, fs durable.FS, dir string) {
	t.Helper()
	if r := runOn(fs, c.args(dir)...); r.code != exitOK || r.stderr != "" || r.stdout != "" {
		t.Errorf("code %d, %s", r.code, r.stderr)
	}
	if got, err := unpacked(filepath.Join(dir, c.out)); err != nil || got != c.want {
		t.Errorf("%v: other rows from line %d", err, differentLine(got, c.want))
	}
	readSummary(t, filepath.Join(dir, "s.json"))
	if err := wholeReport(filepath.Join(dir, "r.html")); err != nil {
		t.Error(err)
	}
}

// wholeReport returns an error unless a report is there to its end.
func wholeReport(path string) error {
	data, err := os.ReadFile(path)
	if err == nil && !strings.HasSuffix(strings.TrimSpace(string(data)), "</html>") {
		err = fmt.Errorf("%s ends in its middle", path)
	}
	return err
}

// tryFault makes one run on a file system with a fault. It reports whether the
// run has met it.
func (c *faultCase) tryFault(t *testing.T, fs *durabletest.Faults) bool {
	t.Helper()
	dir := t.TempDir()
	defer os.RemoveAll(dir) // there are hundreds
	old := fs.At%2 == 1
	if old {
		mustWrite(t, filepath.Join(dir, c.out), "old")
	}
	r := runOn(fs, c.args(dir)...)
	if len(fs.Failed()) == 0 {
		if r.code != exitOK || r.stderr != "" {
			t.Errorf("%v: code %d, %s", fs, r.code, r.stderr)
		}
		return fs.Met()
	}
	line, rest, ended := strings.Cut(r.stderr, "\n")
	if r.code != exitOutput || !ended || rest != "" || !fs.Named(line) {
		t.Errorf("%v: code %d, %s", fs, r.code, r.stderr)
	}
	if err := c.onlyWhole(dir, fs, old); err != nil {
		t.Errorf("%v: %v", fs, err)
	}
	c.whole(t, durabletest.None(), dir)
	if t.Failed() {
		t.Fatalf("after %v", fs)
	}
	return true
}

// onlyWhole returns an error if there is anything below dir but whole results,
// what was there before, and what a state directory consists of.
func (c *faultCase) onlyWhole(dir string, fs *durabletest.Faults, old bool) error {
	first := fs.Failed()[0]
	named := first.What == "sync directory" || first.What == "close" // what comes when the file is whole and has its name
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
			if later := filepath.Base(first.Name); later != "s.json" && later != "r.html" && !named {
				return errors.New("the output is there")
			}
			return nil
		case name == "r.html":
			if filepath.Base(first.Name) != "s.json" && !named {
				return errors.New("the report is there")
			}
			return wholeReport(path)
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
