package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

func names(t *testing.T, dir string) (list []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

// What dead writers of a file have left is removed, and nothing else: not what
// a living one writes, and not what only looks like it.
func TestSweepBeside(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "o.csv")
	p, err := CreatePending(OS, path)
	if err != nil {
		t.Fatal(err)
	}
	keep := []string{
		filepath.Base(p.temp),
		".o.csv.ABCDEFG.tmp", ".o.csv.ABCDEFGHI.tmp", ".o.csv.abcdefgh.tmp", ".o.csv.20240101.tmp", ".o.csv.ABCDEFGH", "o.csv.ABCDEFGH.tmp",
		".x.csv.ABCDEFGH.tmp", ".o.csv.gz.ABCDEFGH.tmp", ".o.ABCDEFGH.tmp", ".ABCDEFGH.tmp", "..ABCDEFGH.tmp", ".tmp",
	}
	dead := []string{".o.csv.ABCDEFGH.tmp", ".o.csv.234567ZZ.tmp"}
	for _, name := range slices.Concat(keep[1:], dead) {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(keep)
	Sweep(dir, ".run") // is about other files
	SweepBeside(path)
	if got := names(t, dir); !slices.Equal(got, keep) {
		t.Errorf("there is %q,\nwant     %q", got, keep)
	}
	if _, err := p.Write([]byte("rows")); err != nil {
		t.Fatal(err)
	}
	if err := p.Commit(); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "rows" {
		t.Errorf("%q, %v", data, err)
	}
}

// unclosable makes files whose Close fails.
type unclosable struct{ FS }

func (u unclosable) Create(temp, path string) (File, error) {
	f, err := u.FS.Create(temp, path)
	return unclosableFile{f}, err
}

type unclosableFile struct{ File }

func (u unclosableFile) Close() error { return errors.Join(u.File.Close(), fs.ErrInvalid) }

// A file that is on disk stays if closing it fails, in place of the old one; one
// that may not be is removed.
func TestCommitOfUnclosable(t *testing.T) {
	for fsys, want := range map[FS]string{unclosable{OS}: "new", NoSync(unclosable{OS}): ""} {
		path := filepath.Join(t.TempDir(), "o.csv")
		if err := os.WriteFile(path, []byte("old"), 0o666); err != nil {
			t.Fatal(err)
		}
		if err := Replace(fsys, path, []byte("new")); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%v", err)
		}
		if got, _ := os.ReadFile(path); string(got) != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}

// The name of a Pending can be told from all others, whatever the file's.
func TestPendingName(t *testing.T) {
	for _, base := range []string{"a", "o.csv", ".hidden", "x.tmp", "AAAAAAAA", "a b\n", "ABCDEFGH.tmp"} {
		p, err := CreatePending(OS, filepath.Join(t.TempDir(), base))
		if err != nil {
			t.Fatal(err)
		}
		if got, ok := pendingName(filepath.Base(p.temp)); got != base || !ok {
			t.Errorf("%q: %q, %v", p.temp, got, ok)
		}
		p.Abort()
	}
}

// However often others sweep, a living writer keeps its file until it has its
// name.
func TestSweepLeavesTheLiving(t *testing.T) {
	dir := t.TempDir()
	done := make(chan struct{})
	var sweepers, writers sync.WaitGroup
	for range 2 {
		sweepers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					Sweep(dir, ".run")
				}
			}
		})
	}
	rounds := 100
	if testing.Short() {
		rounds = 30
	}
	for _, name := range []string{"a.run", "b.run"} {
		writers.Go(func() {
			for range rounds {
				p, err := CreatePending(OS, filepath.Join(dir, name))
				if err == nil {
					err = p.Commit()
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	writers.Wait()
	close(done)
	sweepers.Wait()
	if got := names(t, dir); strings.Join(got, " ") != "a.run b.run" {
		t.Errorf("there is %q", got)
	}
}
