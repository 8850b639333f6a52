package shard

import (
	"context"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"pcapbatch/internal/agg"
)

// A Keeper puts sessions away: those that outgrow the memory, and with
// Config.Separate those of each finished stretch. Workers call it side by side.
type Keeper interface {
	// Spill puts the sessions of t away. It must not keep t. The parts of one
	// worker are in capture order once they are sorted by p, stably.
	Spill(ctx context.Context, worker int, p Part, t *agg.Table) error
	// Keep takes the sessions of a stretch that has ended, one table per
	// worker, nil where there is none: what has not been spilled. It must not
	// keep the tables.
	Keep(ctx context.Context, stretch int, tables []*agg.Table) error
}

// A Part says where sessions that were spilled belong.
type Part struct {
	Stretch int  // the first that they are of
	More    bool // an earlier part of the worker is of the same stretch
}

// smallTable is the size up to which spilling a table would gain nothing: its
// memory is mostly asked for and not used.
const smallTable = 6 << 20

// bytes is the memory of all tables of the worker.
func (w *worker) bytes() int64 {
	n := w.handed.Load()
	if w.merged != nil {
		n += w.merged.Bytes()
	}
	for _, t := range w.open {
		n += t.Bytes()
	}
	for _, t := range w.spare {
		n += t.Bytes()
	}
	return n
}

// makeRoom spills the largest table, if all together are beyond the share.
// It is called once a block.
func (w *worker) makeRoom(ctx context.Context, r *run) error {
	if r.Share == 0 || w.bytes() <= r.Share {
		return nil
	}
	for _, t := range w.spare {
		t.Release()
	}
	w.spare = nil
	largest, from := int64(smallTable), -1
	for i, t := range w.open {
		if b := t.Bytes(); b > largest || b == largest && i < from {
			largest, from = b, i
		}
	}
	if w.merged != nil && w.merged.Bytes() > largest {
		return w.spillMerged(ctx, r)
	}
	if from < 0 || w.bytes() <= r.Share {
		return nil
	}
	t := w.open[from]
	w.open[from] = t.Successor()
	return w.spill(ctx, r, from, t)
}

// spill puts a table of one stretch away.
func (w *worker) spill(ctx context.Context, r *run, stretch int, t *agg.Table) error {
	p := Part{Stretch: stretch, More: w.parts[stretch] > 0}
	w.parts[stretch]++
	w.spilled = true
	err := r.Keeper.Spill(ctx, w.index, p, t)
	t.Release()
	return err
}

// spillMerged puts the merged table away. Stretches that are merged after it
// make a new one.
func (w *worker) spillMerged(ctx context.Context, r *run) error {
	t := w.merged
	if t == nil {
		return nil
	}
	w.merged = nil
	w.spilled = true
	err := r.Keeper.Spill(ctx, w.index, Part{Stretch: w.from}, t)
	t.Release()
	return err
}

// mergeSpilled is merge for a stretch of which parts were spilled: its rest
// goes the same way, behind all that was merged before, so that the parts stay
// in order.
func (w *worker) mergeSpilled(ctx context.Context, r *run, i int, t *agg.Table) error {
	if err := w.spillMerged(ctx, r); err != nil {
		t.Release()
		return err
	}
	err := w.spill(ctx, r, i, t)
	delete(w.parts, i)
	return err
}

// keep hands the table of a stretch over. The last worker to do so has it kept.
func (w *worker) keep(ctx context.Context, s *stretchRun, r *run) {
	if t := w.open[s.index]; t != nil {
		w.handed.Add(t.Bytes())
		s.tables[w.index] = t
	}
	delete(w.open, s.index)
	delete(w.capture, s.index)
	delete(w.parts, s.index)
	if s.pending.Add(-1) > 0 {
		return
	}
	r.keeping.Go(func() {
		err := r.Keeper.Keep(ctx, s.index, s.tables)
		for i, t := range s.tables {
			if t != nil {
				r.workers[i].handed.Add(-t.Bytes())
				t.Release()
			}
		}
		r.check(err)
		<-r.window
	})
}

// Each calls f for the numbers from 0 to n-1, on workers goroutines side by
// side; worker tells them apart. After an error it calls no more, and returns
// the first.
func Each(ctx context.Context, workers, n int, f func(ctx context.Context, worker, i int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for w := range workers {
		g.Go(func() error {
			for i := int(next.Add(1) - 1); i < n; i = int(next.Add(1) - 1) {
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				if err := f(ctx, w, i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}
