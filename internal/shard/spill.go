package shard

import (
	"context"

	"pcapbatch/internal/agg"
)

// A Keeper stores sessions: those that do not fit into memory, and with
// Config.Separate those of each stretch that has ended. Several goroutines call
// its methods side by side.
type Keeper interface {
	// Spill stores the sessions of t, which are those of a stretch, or of that
	// stretch and later ones. It must not keep t. The tables that one worker
	// spills are in capture order once they are sorted by stretch with a
	// stable sort.
	Spill(ctx context.Context, worker, stretch int, t *agg.Table) error
	// Keep stores the sessions of a stretch that has ended and that were not
	// spilled: one table for each worker, nil where there is none. It must not
	// keep the tables.
	Keep(ctx context.Context, stretch int, tables []*agg.Table) error
}

// LeastSpill is the size in bytes up to which spilling a table would free
// nothing: most of its memory was reserved and never touched.
const LeastSpill = 6 << 20

// bytes is the memory of all tables of the worker, in bytes.
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

// mergedTable stands for the merged table where a stretch is named by its
// index.
const mergedTable = -1

// largest returns the largest table of more than least bytes and the stretch
// that it belongs to, or mergedTable. It returns nil where there is none.
func (w *worker[B]) largest(least int64) (stretch int, t *agg.Table) {
	most := least
	for i, o := range w.open {
		if b := o.Bytes(); b > most || b == most && t != nil && i < stretch {
			stretch, t, most = i, o, b
		}
	}
	if w.merged != nil && w.merged.Bytes() > most {
		return mergedTable, w.merged
	}
	return stretch, t
}

// makeRoom keeps the tables within the share. It is called once a block.
//
// Once half of the share is used, the sessions of the largest table that have
// ended are spilled, if there is an idle time-out (agg.Table.Evict). Where that
// is not enough, the largest table is spilled whole: sessions that go on are
// joined with their later packets when the spilled tables are merged.
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
	case stretch == mergedTable:
		return w.spillMerged(ctx, r)
	}
	w.open[stretch] = agg.NewTable(w.options)
	return w.spill(ctx, r, stretch, t)
}

// evict spills the sessions of the largest table that have ended.
func (w *worker[B]) evict(ctx context.Context, r *run[B]) error {
	stretch, t := w.largest(r.LeastSpill)
	if t == nil {
		return nil
	}
	return t.Evict(func() error { return w.store(ctx, r, stretch, t) })
}

// store gives the sessions of a table to the keeper.
func (w *worker[B]) store(ctx context.Context, r *run[B], stretch int, t *agg.Table) error {
	w.spilled = true
	if stretch == mergedTable {
		return r.Keeper.Spill(ctx, w.index, w.mergedFrom, t)
	}
	w.spills[stretch]++
	return r.Keeper.Spill(ctx, w.index, stretch, t)
}

// spill stores all sessions of a table and releases it.
func (w *worker[B]) spill(ctx context.Context, r *run[B], stretch int, t *agg.Table) error {
	err := w.store(ctx, r, stretch, t)
	t.Release()
	return err
}

// spillMerged spills the merged table. Stretches that are merged later make a
// new one.
func (w *worker[B]) spillMerged(ctx context.Context, r *run[B]) error {
	t := w.merged
	if t == nil {
		return nil
	}
	w.merged = nil
	return w.spill(ctx, r, mergedTable, t)
}

// mergeSpilled is merge for a stretch of which sessions were spilled. The rest
// of it is spilled too, after all that was merged before it, so that what the
// worker spills stays in order.
func (w *worker[B]) mergeSpilled(ctx context.Context, r *run[B], i int, t *agg.Table) error {
	if err := w.spillMerged(ctx, r); err != nil {
		t.Release()
		return err
	}
	err := w.spill(ctx, r, i, t)
	delete(w.spills, i)
	return err
}

// keep hands the table of a stretch over to the keeper, which is called once
// the last worker has done so.
func (w *worker[B]) keep(ctx context.Context, s *stretchRun[B], r *run[B]) {
	if t := w.open[s.index]; t != nil {
		w.handed.Add(t.Bytes())
		s.tables[w.index] = t
	}
	delete(w.open, s.index)
	delete(w.spills, s.index)
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
