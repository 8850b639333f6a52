package runfile

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"pcapbatch/internal/capture"
	"pcapbatch/internal/capturetest"
	"pcapbatch/internal/durable"
)

// spillAndKeep writes everything that the package writes: a temporary section,
// a run made of it, and rows.
func spillAndKeep(t *testing.T, fs durable.FS, dir string) error {
	table := tableOf(events(1, 3000, 60))
	defer table.Release()
	temp := NewTemp(fs, dir)
	defer temp.Close()
	in, err := temp.WriteTable(table, 2)
	if err != nil {
		return err
	}
	w, err := Create(fs, filepath.Join(dir, "a.run"))
	if err != nil {
		return err
	}
	if _, err := w.WriteSessions(context.Background(), []Input{in}, 2, options); err != nil {
		w.Abort()
		return err
	}
	if err := w.Commit(&Meta{Kind: Sessions, Capture: &capture.Identity{}, Report: []byte("{}")}); err != nil {
		return err
	}
	c := NewCollector(options, 1, NewTemp(fs, dir))
	defer c.Close()
	if err := c.Merge(context.Background(), []Input{in}, 2); err != nil {
		return err
	}
	p, err := Create(fs, filepath.Join(dir, "a.part"))
	if err != nil {
		return err
	}
	if err := p.WriteRows(context.Background(), []*Collector{c}, formatRow); err != nil {
		p.Abort()
		return err
	}
	return p.Commit(&Meta{Kind: Rows, Part: &Part{}, Report: []byte("{}")})
}

// badDisk makes temporary files that cannot be read back.
type badDisk struct{ durable.FS }

func (d badDisk) Temp(dir string) (durable.File, error) {
	f, err := d.FS.Temp(dir)
	return badFile{f}, err
}

type badFile struct{ durable.File }

func (badFile) ReadAt([]byte, int64) (int, error) { return 0, syscall.EIO }

// What the run has written itself and cannot read again is a failure of the
// disk, not a run file that somebody gave it.
func TestReadBackFails(t *testing.T) {
	err := spillAndKeep(t, badDisk{durable.OS}, t.TempDir())
	var w *durable.WriteError
	if !errors.As(err, &w) || !errors.Is(err, syscall.EIO) {
		t.Errorf("%v", err)
	}
}

// A merge of more files than may be kept open opens them for each block.
func TestParkedInputs(t *testing.T) {
	capturetest.OneGoroutine(t)
	list := events(2, 30_000, 3000)
	files := &Files{FS: durable.OS}
	var inputs []Input
	for _, piece := range cut(rand.New(rand.NewPCG(1, 2)), list, 5) {
		table := tableOf(piece)
		path := filepath.Join(t.TempDir(), "a.run")
		w, err := Create(durable.OS, path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.WriteSessions(context.Background(), []Input{TableInput(table, 1)}, 1, options); err != nil {
			t.Fatal(err)
		}
		if err := w.Commit(&Meta{Kind: Sessions, Capture: &capture.Identity{}, Report: []byte("{}")}); err != nil {
			t.Fatal(err)
		}
		run, err := files.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		inputs = append(inputs, run.Input(0))
	}
	want := rowsOf(tableOf(list))
	for _, kept := range []int32{0, 3, 5} {
		files.kept.Store(maxKeptOpen() - kept)
		if got := collect(t, [][]Input{inputs}, 1, 0); got != want {
			t.Errorf("%d of %d files kept open: %s", kept, len(inputs), firstDifference(got, want))
		}
		if n := files.kept.Load(); n != maxKeptOpen()-kept {
			t.Errorf("%d files are taken for open, want %d", n, maxKeptOpen()-kept)
		}
	}
}

// Whichever write, sync or rename fails: the error says so, and nothing is
// left that could be taken for a result.
func TestFaults(t *testing.T) {
	capturetest.OneGoroutine(t)
	count := &faulty{FS: durable.OS, left: 1 << 30}
	if err := spillAndKeep(t, count, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d writes, syncs and renames", count.calls)
	step := max(1, count.calls/25)
	for _, fault := range []error{syscall.ENOSPC, syscall.EIO, nil} {
		for n := 0; n < count.calls; n += step {
			dir := t.TempDir()
			err := spillAndKeep(t, &faulty{FS: durable.OS, left: n, err: fault}, dir)
			var w *durable.WriteError
			if !errors.As(err, &w) || fault != nil && !errors.Is(err, fault) {
				t.Fatalf("%v at call %d: %v", fault, n, err)
			}
			names, _ := os.ReadDir(dir)
			for _, e := range names {
				if e.Name() != "a.run" || readAll(filepath.Join(dir, "a.run")) != nil {
					t.Fatalf("%v at call %d: left %s", fault, n, e.Name())
				}
			}
		}
	}
}
