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

// A quota says how the share of a worker is divided. It follows from the Config
// alone and a table is cut by its own events alone, so that the same run cuts
// its sessions at the same packets every time, whatever the scheduler does: the
// medians of large sessions depend on where they are cut.
type quota struct {
	window  int   // stretches that are begun and not merged or kept
	stretch int64 // bytes that the table of a stretch may use, 0: no limit
	merged  int64 // the same for the merged table
}

// quota divides the share. Where it is small, fewer stretches are read side by
// side, so that each table has more than the smallest that is worth spilling.
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

// merged stands for the merged table among the numbers of stretches.
const merged = -1

// makeRoom keeps a table within its quota. It is called once a block for the
// table of a stretch, and once a merge for the merged table.
//
// From half of the quota on, sessions that have ended leave the table, if there
// is a rule that ends them (agg.Table.Evict). Where that is not enough, the table
// is spilled whole, and the sessions that go on are in several parts then. It
// reports whether that was done.
func (w *worker[B]) makeRoom(ctx context.Context, r *run[B], stretch int, t *agg.Table) (spilled bool, err error) {
	limit := r.quota.stretch
	if stretch == merged {
		limit = r.quota.merged
	}
	if limit == 0 {
		return false, nil
	}
	limit = max(limit, r.LeastSpill)
	if t.Used() <= limit/2 {
		return false, nil
	}
	if err := t.Evict(func() error { return w.put(ctx, r, stretch, t) }); err != nil {
		return false, err
	}
	if t.Used() <= limit {
		return false, nil
	}
	return true, w.spill(ctx, r, stretch, t)
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
	s.tables[w.index] = w.open[s.index]
	delete(w.open, s.index)
	delete(w.parts, s.index)
	if s.pending.Add(-1) > 0 {
		return
	}
	r.keeping.Go(func() {
		err := r.Keeper.Keep(ctx, s.index, s.tables)
		for _, t := range s.tables {
			if t != nil {
				t.Release()
			}
		}
		r.check(err)
		<-r.window
	})
}
