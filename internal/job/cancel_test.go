package job

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"

	"pcapbatch/internal/capture"
	"pcapbatch/internal/capturetest"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/durabletest"
	"pcapbatch/internal/ingest"
)

// A canceller ends a context at one of the things that a job does: what it asks
// of the file system, and what it tells its Observer.
type canceller struct {
	durable.FS
	Silent
	steps  chan struct{} // has one for each that is left until then
	cancel func()
	open   atomic.Int32 // files
}

func newCanceller(at int, cancel func()) *canceller {
	c := &canceller{FS: durabletest.None(), steps: make(chan struct{}, at), cancel: cancel}
	for range at {
		c.steps <- struct{}{}
	}
	return c
}

func (c *canceller) step() {
	select {
	case <-c.steps:
	default:
		c.cancel()
	}
}

func (c *canceller) Open(path string) (durable.File, error) { return c.opened(c.FS.Open(path)) }

func (c *canceller) Create(temp, path string) (durable.File, error) {
	return c.opened(c.FS.Create(temp, path))
}

func (c *canceller) Temp(dir string) (durable.File, error) { return c.opened(c.FS.Temp(dir)) }

func (c *canceller) opened(f durable.File, err error) (durable.File, error) {
	c.step()
	if err != nil {
		return nil, err
	}
	c.open.Add(1)
	return &cancellingFile{f, c}, nil
}

func (c *canceller) Start(int, int64)    { c.step() }
func (c *canceller) Begin(ingest.Source) { c.step() }
func (c *canceller) Records(int)         { c.step() }
func (c *canceller) End(ingest.Source)   { c.step() }

type cancellingFile struct {
	durable.File
	c *canceller
}

func (f *cancellingFile) Write(p []byte) (int, error) {
	f.c.step()
	return f.File.Write(p)
}

func (f *cancellingFile) Close() error {
	f.c.open.Add(-1)
	return f.File.Close()
}

// A job whose context ends, at whatever moment, ends with the cause of that,
// leaves no goroutine, no open file and no temporary one, and nothing that is
// not whole. Done again, it makes what it makes undisturbed. It is not parallel to
// others: it counts goroutines.
func TestCancelled(t *testing.T) {
	dir, _ := series(t, 1500, 3)
	c := scarce(testConfig(2))
	runPaths, partPaths := madeOf(t, c, dir)
	interleaved := func(c Config) Config {
		c.Interleave = true
		return c
	}
	found := func() *capture.Found { return capture.Find(durable.OS, []string{dir}, false) }
	for name, do := range map[string]func(ctx context.Context, c Config, out string) error{
		"extract": func(ctx context.Context, c Config, _ string) error {
			_, err := Extract(ctx, c, found(), io.Discard)
			return err
		},
		"interleave": func(ctx context.Context, c Config, _ string) error {
			_, err := Extract(ctx, interleaved(c), found(), io.Discard)
			return err
		},
		"resume": func(ctx context.Context, c Config, out string) error {
			_, err := Resume(ctx, c, out, found(), io.Discard)
			return err
		},
		"map": func(ctx context.Context, c Config, out string) error {
			_, err := Map(ctx, c, out, 2, found())
			return err
		},
		"reduce": func(ctx context.Context, c Config, out string) error {
			_, err := Reduce(ctx, c, runPaths, 1, out)
			return err
		},
		"table": func(ctx context.Context, c Config, out string) error {
			c = asParquet(c)
			c.ReportDir = filepath.Join(out, "report")
			_, err := ReduceTable(ctx, c, runPaths, 1, filepath.Join(out, "tables"))
			return err
		},
		"merge": func(ctx context.Context, c Config, _ string) error {
			_, err := Merge(ctx, c, runPaths, io.Discard)
			return err
		},
		"parts": func(ctx context.Context, c Config, _ string) error {
			_, err := JoinParts(ctx, c, partPaths, io.Discard)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			whole := t.TempDir()
			if err := do(t.Context(), c, whole); err != nil {
				t.Fatal(err)
			}
			want := contentOf(t, whole)
			before := runtime.NumGoroutine()
			cancelled := 0
			for at := 0; ; at += 1 + at/3 {
				ended, met := cancelAt(t, at, c, do, want)
				if !met { // the job does no more than that
					break
				}
				if ended {
					cancelled++
				}
				capturetest.GoroutinesEnd(t, before, fmt.Sprint("ended at step ", at))
			}
			if cancelled < 2 {
				t.Errorf("cancelled %d times", cancelled)
			}
		})
	}
}

// cancelAt does a job and ends its context at one of its steps. It reports
// whether the job ended by that, and whether it came so far. Done again, the job
// has to make the files of want, unless it keeps a state, whose packs have run
// files as they come.
func cancelAt(t *testing.T, at int, c Config, do func(ctx context.Context, c Config, out string) error, want map[string]string) (ended, met bool) {
	t.Helper()
	enough := fmt.Errorf("enough at step %d", at)
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	step := newCanceller(at, func() { cancel(enough) })
	out := t.TempDir()
	c.FS, c.Observer, c.TempDir = step, step, t.TempDir()
	err := do(ctx, c, out)
	if err != nil && (!errors.Is(err, enough) || CategoryOf(err) != Unknown) {
		t.Errorf("step %d: category %d, %v", at, CategoryOf(err), err)
	}
	if left := entriesOf(t, c.TempDir); len(left) > 0 || step.open.Load() != 0 {
		t.Errorf("step %d: left %q, and %d open files", at, left, step.open.Load())
	}
	if err := onlyWhole(out); err != nil {
		t.Errorf("step %d: %v", at, err)
	}
	c.FS, c.Observer = durabletest.None(), Silent{}
	if err := do(t.Context(), c, out); err != nil {
		t.Errorf("step %d, again: %v", at, err)
	}
	if _, state := want[optionsName]; !state && !maps.Equal(contentOf(t, out), want) {
		t.Errorf("step %d, again: other files", at)
	}
	os.RemoveAll(out)
	return err != nil, ctx.Err() != nil
}
