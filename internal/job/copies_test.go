package job

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"pcapbatch/internal/capturetest"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/durabletest"
)

// makers are the jobs that make files below out, over captures of their own. With
// other they make files of the same names and other content.
func makers(t *testing.T) map[string]func(c Config, out string, other bool) result {
	dir, paths := series(t, 1500, 3)
	large := pcap(t, capturetest.ManySessions(4, 9000))
	runs := mapped(t, testConfig(1), 3, dir)
	mapping := func(c Config, out string, other bool, names ...string) result {
		c.Again, c.ReportData = true, other
		return mapTo(t, c, filepath.Join(out, "runs"), 3, names...)
	}
	return map[string]func(c Config, out string, other bool) result{
		"map": func(c Config, out string, other bool) result { return mapping(c, out, other, paths...) },
		"range": func(c Config, out string, other bool) result {
			c.Range.From, c.RangeLead = fileSize(t, large)/2, 100<<10
			return mapping(c, out, other, large)
		},
		"reduce": func(c Config, out string, other bool) result {
			c.Columns.SampleStd = other
			return reduce(t, c, 1, filepath.Join(out, "parts"), runs)
		},
		"reduce to a table": func(c Config, out string, other bool) result {
			c.Columns.SampleStd = other
			return reducedTable(t, asParquet(c), runs, filepath.Join(out, "tables"))
		},
	}
}

// Copies of a task at the same time, as a scheduler starts them when one is slow,
// all end well, and leave one whole set of files, that of a single task.
func TestCopiesOfATask(t *testing.T) {
	t.Parallel()
	for name, make := range makers(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			alone, out := t.TempDir(), t.TempDir()
			if r := make(testConfig(1), alone, false); r.err != nil {
				t.Fatal(r.err)
			}
			var copies sync.WaitGroup
			for i := range 4 {
				copies.Go(func() {
					for range 3 {
						if r := make(testConfig(1+i%2), out, false); r.err != nil || len(r.notices) > 0 {
							t.Errorf("copy %d: %v, %q", i, r.err, r.notices)
						}
					}
				})
			}
			copies.Wait()
			if got, want := contentOf(t, out), contentOf(t, alone); !maps.Equal(got, want) {
				t.Errorf("%d files, not %d, or others", len(got), len(want))
			}
		})
	}
}

// Whichever write fails, an earlier result is there as it was, or the new one in
// its place, whole; another try makes the new one.
func TestFailedWriteKeepsOld(t *testing.T) {
	t.Parallel()
	for name, make := range makers(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first, second := t.TempDir(), t.TempDir()
			count := durabletest.None()
			c := testConfig(1)
			c.FS = count
			if r := make(testConfig(1), first, false); r.err != nil {
				t.Fatal(r.err)
			}
			if r := make(c, second, true); r.err != nil {
				t.Fatal(r.err)
			}
			old, anew := contentOf(t, first), contentOf(t, second)
			durabletest.Each(count.Calls(), capturetest.Usually(20, 1000), func(disk *durabletest.Faults) bool {
				out := t.TempDir()
				if err := os.CopyFS(out, os.DirFS(first)); err != nil {
					t.Fatal(err)
				}
				c.FS = disk
				if r := make(c, out, true); disk.Met() && CategoryOf(r.err) != Output {
					t.Errorf("%v: category %d, %v", disk, CategoryOf(r.err), r.err)
				}
				got := contentOf(t, out)
				for file, text := range got {
					if was, ok := old[file]; !ok || text != was && text != anew[file] {
						t.Errorf("%v: %s is neither the old one nor the new one", disk, file)
					}
				}
				if len(got) != len(old) {
					t.Errorf("%v: %d files, not %d", disk, len(got), len(old))
				}
				if r := make(testConfig(1), out, true); r.err != nil || !maps.Equal(contentOf(t, out), anew) {
					t.Errorf("%v, another try: %v, or other files", disk, r.err)
				}
				return disk.Met()
			})
		})
	}
}

// readOnly is a file system that is mounted to be read.
type readOnly struct{ durable.FS }

func (readOnly) refuse(op, path string) error {
	return &fs.PathError{Op: op, Path: path, Err: syscall.EROFS}
}

func (r readOnly) Create(_, path string) (durable.File, error) { return nil, r.refuse("create", path) }
func (r readOnly) Mkdir(path string) error                     { return r.refuse("mkdir", path) }
func (r readOnly) Rename(_, to string) error                   { return r.refuse("rename", to) }
func (r readOnly) Remove(path string) error                    { return r.refuse("remove", path) }

// A directory that cannot be written is a failure of the output, on which another
// machine may do better; where nothing has to be written it is none.
func TestReadOnlyDirectory(t *testing.T) {
	t.Parallel()
	c := testConfig(1)
	c.FS = readOnly{durable.OS}
	for name, make := range makers(t) {
		out := t.TempDir()
		for range 2 { // without the directory, and with it
			r := make(c, out, false)
			if CategoryOf(r.err) != Output || !errors.Is(r.err, syscall.EROFS) {
				t.Errorf("%s: category %d, %v", name, CategoryOf(r.err), r.err)
			}
			if r := make(testConfig(1), out, false); r.err != nil {
				t.Fatal(r.err)
			}
		}
	}
	dir, _ := series(t, 400, 2)
	runs := mapped(t, testConfig(1), 2, dir)
	before := contentOf(t, runs)
	if r := mapTo(t, c, runs, 2, dir); r.err != nil || r.read != 0 {
		t.Errorf("run files that are current: %v, %d captures read", r.err, r.read)
	}
	sameRows(t, "merge", merge(t, c, runs).clean(t), extract(t, testConfig(1), dir).clean(t))
	if !maps.Equal(contentOf(t, runs), before) {
		t.Error(fmt.Sprint("other files in ", runs))
	}
}
