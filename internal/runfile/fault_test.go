package runfile

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// spillAndKeep writes everything that the package writes: a temporary section,
// a run made of it, and rows.
func spillAndKeep(t *testing.T, fs FS, dir string) error {
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
	if err := w.Commit(&Meta{Kind: Sessions, Capture: &Capture{}, Report: []byte("{}")}); err != nil {
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

// Whichever write, sync or rename fails: the error says so, and nothing is
// left that could be taken for a result.
func TestFaults(t *testing.T) {
	count := &faulty{FS: OS, left: 1 << 30}
	if err := spillAndKeep(t, count, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d writes, syncs and renames", count.calls)
	step := max(1, count.calls/25)
	for _, fault := range []error{syscall.ENOSPC, syscall.EIO, nil} {
		for n := 0; n < count.calls; n += step {
			dir := t.TempDir()
			err := spillAndKeep(t, &faulty{FS: OS, left: n, err: fault}, dir)
			var w *WriteError
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
