package shard

import (
	"context"

	"pcapbatch/internal/agg"
)

// A Keeper puts sessions away: those that outgrow the memory, and with
// Config.Separate those of each finished stretch. Workers call it side by side.
type Keeper interface {
	// Spill puts the sessions of t away, of which stretch is the first. It must
	// not keep t. What one worker spills is in capture order once it is sorted
	// by stretch, stably.
	Spill(ctx context.Context, worker, stretch int, t *agg.Table) error
	// Keep takes the sessions of a stretch that has ended, one table per
	// worker, nil where there is none: what has not been spilled. It must not
	// keep the tables.
	Keep(ctx context.Context, stretch int, tables []*agg.Table) error
}

// LeastSpill is the size in bytes up to which spilling a table would gain
// nothing: its memory is mostly asked for and not used.
const LeastSpill = 6 << 20

// bytes is the memory of all tables of the worker.
func (w *worker[B]) bytes() int64 {
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

// merged stands for the merged table among the numbers of stretches.
const merged = -1

// largest returns the largest table and the stretch that it is of. It returns
// nil where spilling would gain nothing.
func (w *worker[B]) largest(least int64) (stretch int, t *agg.Table) {
	most := least
	for i, o := range w.open {
		if b := o.Bytes(); b > most || b == most && t != nil && i < stretch {
			stretch, t, most = i, o, b
		}
	}
	if w.merged != nil && w.merged.Bytes() > most {
		return merged, w.merged
	}
	return stretch, t
}

// makeRoom keeps the tables within the share. It is called once a block.
//
// From half of the share on, sessions that have ended leave the largest table,
// if there is an idle time-out (agg.Table.Evict). Where that is not enough, the
// largest table is spilled whole: sessions that go on are cut in parts then.
func (w *worker[B]) makeRoom(ctx context.Context, r *run[B]) error {
	if r.Share == 0 || w.bytes() <= r.Share/2 {
		return nil
	}
	if err := w.evict(ctx, r); err != nil {
		return err
	}
	if w.bytes() <= r.Share {
		return nil
	}
	for _, t := range w.spare {
		t.Release()
	}
	w.spare = nil
	stretch, t := w.largest(r.LeastSpill)
	switch {
	case t == nil || w.bytes() <= r.Share:
		return nil
	case stretch == merged:
		return w.spillMerged(ctx, r)
	}
	w.open[stretch] = agg.NewTable(w.options)
	return w.spill(ctx, r, stretch, t)
}

// evict puts the sessions of the largest table away that have ended.
func (w *worker[B]) evict(ctx context.Context, r *run[B]) error {
	stretch, t := w.largest(r.LeastSpill)
	if t == nil {
		return nil
	}
	return t.Evict(func() error { return w.put(ctx, r, stretch, t) })
}

// put gives the keeper sessions of a table.
func (w *worker[B]) put(ctx context.Context, r *run[B], stretch int, t *agg.Table) error {
	w.spilled = true
	if stretch == merged {
		return r.Keeper.Spill(ctx, w.index, w.from, t)
	}
	w.parts[stretch]++
	return r.Keeper.Spill(ctx, w.index, stretch, t)
}

// spill puts a whole table away.
func (w *worker[B]) spill(ctx context.Context, r *run[B], stretch int, t *agg.Table) error {
	err := w.put(ctx, r, stretch, t)
	t.Release()
	return err
}

// spillMerged puts the merged table away. Stretches that are merged after it
// make a new one.
func (w *worker[B]) spillMerged(ctx context.Context, r *run[B]) error {
	t := w.merged
	if t == nil {
		return nil
	}
	w.merged = nil
	return w.spill(ctx, r, merged, t)
}

// mergeSpilled is merge for a stretch of which parts were spilled: its rest
// goes the same way, behind all that was merged before, so that the parts stay
// in order.
func (w *worker[B]) mergeSpilled(ctx context.Context, r *run[B], i int, t *agg.Table) error {
	if err := w.spillMerged(ctx, r); err != nil {
		t.Release()
		return err
	}
	err := w.spill(ctx, r, i, t)
	delete(w.parts, i)
	return err
}

// keep hands the table of a stretch over. The last worker to do so has it kept.
func (w *worker[B]) keep(ctx context.Context, s *stretchRun[B], r *run[B]) {
	if t := w.open[s.index]; t != nil {
		w.handed.Add(t.Bytes())
		s.tables[w.index] = t
	}
	delete(w.open, s.index)
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
