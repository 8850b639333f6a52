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
	// Scratch returns what a worker writes to that does not stay on disk, for
	// pieces of at most so many bytes. It is called once for each worker that
	// needs it, and closed by whoever made the Keeper.
	Scratch(worker, bytes int) Scratch
}

// LeastSpill is the size in bytes up to which spilling a table would free
// nothing: most of its memory was reserved and never touched.
const LeastSpill = 6 << 20

// A quota says how the share of a worker is divided among its tables. The
// medians of large sessions depend on where spilling cuts them, so the same run
// must cut them at the same packets every time, whatever the scheduler does: a
// quota follows from the Config alone, and whether a table is spilled from its
// own events alone.
type quota struct {
	window  int   // how many stretches may be begun and not merged or kept
	stretch int64 // bytes that the table of a stretch may use; 0: no limit
	merged  int64 // bytes that the merged table may use; 0: no limit
}

// quota divides the share. Where that is small, fewer stretches are read side
// by side, so that each table may grow beyond LeastSpill.
func (c *Config[B]) quota() quota {
	q := quota{window: 2 * c.Workers}
	if c.Share == 0 {
		return q
	}
	if c.LeastSpill > 0 {
		q.window = int(max(1, min(int64(q.window), c.Share/2/c.LeastSpill)))
	}
	most := int64(q.window)
	switch {
	case c.Separate:
		q.stretch = c.Share / most
	case len(c.Stretches) == 1:
		q.stretch, q.merged = c.Share, c.Share
	default:
		q.stretch, q.merged = c.Share/2/most, c.Share/2
	}
	q.stretch, q.merged = max(1, q.stretch), max(1, q.merged)
	return q
}

// mergedTable stands for the merged table where a stretch is named by its
// index.
const mergedTable = -1

// makeRoom keeps a table within its quota. It is called once a portion of
// events for the table of a stretch, and once a merge for the merged table.
//
// Once half of the quota is used, the sessions of the table that have ended are
// spilled, if there is a rule that ends them (agg.Table.Evict). Where that is
// not enough, the whole table is spilled and released, which makeRoom reports;
// sessions that go on are joined with their later packets when spilled tables
// are merged. With a rule that needs whole sessions some are set aside instead.
func (w *worker[B]) makeRoom(ctx context.Context, r *run[B], stretch int, t *agg.Table) (spilled bool, err error) {
	limit := w.limit(r, stretch)
	if limit == 0 {
		return false, nil
	}
	whole := w.options.Whole() && stretch != mergedTable // the sessions of stretches that have ended are whole
	if whole && wasteful(t, limit) {
		if err := w.rebuild(r, t); err != nil {
			return false, err
		}
	}
	if t.Used() <= limit/2 {
		return false, nil
	}
	if err := t.Evict(func() error { return w.store(ctx, r, stretch, t) }, false); err != nil {
		return false, err
	}
	if t.Used() <= limit {
		return false, nil
	}
	if whole {
		return false, w.setAside(ctx, r, stretch, t, limit)
	}
	return true, w.spill(ctx, r, stretch, t)
}

// limit is how many bytes a table may use; 0: there is no limit.
func (w *worker[B]) limit(r *run[B], stretch int) int64 {
	if stretch == mergedTable {
		if r.quota.merged == 0 {
			return 0
		}
		return max(r.quota.merged, r.LeastSpill)
	}
	if r.quota.stretch == 0 {
		return 0
	}
	limit := max(r.quota.stretch, r.LeastSpill)
	if a := w.asides[stretch]; a != nil {
		limit = max(limit/2, limit-a.bytes())
	}
	return limit
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
// of it is spilled too, and what was set aside, after all that was merged
// before it, so that what the worker spills stays in order.
func (w *worker[B]) mergeSpilled(ctx context.Context, r *run[B], i int, t *agg.Table) error {
	if err := w.spillMerged(ctx, r); err != nil {
		t.Release()
		return err
	}
	err := w.spillEnded(ctx, r, i, t)
	delete(w.spills, i)
	return err
}

// spillEnded spills all sessions of a stretch that has ended.
func (w *worker[B]) spillEnded(ctx context.Context, r *run[B], i int, t *agg.Table) error {
	if err := w.spill(ctx, r, i, t); err != nil {
		return err
	}
	return w.replay(ctx, r, i)
}

// keep hands the table of a stretch over to the keeper, which is called once
// the last worker has done so.
func (w *worker[B]) keep(ctx context.Context, s *stretchRun[B], r *run[B]) error {
	t := w.open[s.index]
	delete(w.open, s.index)
	if w.asides[s.index] != nil {
		if err := w.spillEnded(ctx, r, s.index, t); err != nil {
			return err // and what is kept must not lack these sessions
		}
		t = nil
	}
	s.tables[w.index] = t
	delete(w.spills, s.index)
	if s.pending.Add(-1) > 0 {
		return nil
	}
	r.keeping.Go(func() {
		err := keep(ctx, r.Keeper, s.index, s.tables)
		for i, t := range s.tables {
			if t != nil {
				r.workers[i].takeBack(t, err == nil)
			}
		}
		r.check(err)
		<-r.window
	})
	return nil
}

// The tables of stretches that were kept are used again if they are small, which
// spares their system calls where there are many tiny captures.
const (
	mostKept  = 8        // tables that wait for that, for each worker
	keptBytes = 64 << 10 // that each of them may hold
)

// takeBack takes a table of a stretch that was kept; whole says that it is good
// for more than Release. Any goroutine may call it.
func (w *worker[B]) takeBack(t *agg.Table, whole bool) {
	if whole && t.Touched() <= keptBytes {
		t.Reset()
		select {
		case w.kept <- t:
			return
		default:
		}
	}
	t.Release()
}

func keep(ctx context.Context, k Keeper, stretch int, tables []*agg.Table) (err error) {
	defer agg.CatchOutOfMemory(&err)
	return k.Keep(ctx, stretch, tables)
}
