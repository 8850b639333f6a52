package shard

import (
	"context"

	"pcapbatch/internal/agg"
	"pcapbatch/internal/flow"
)

// A worker owns the sessions of one shard: one table for the stretches that are
// merged, and one for each stretch that is being read.
type worker[B Block] struct {
	index   int
	options agg.Options
	merged  *agg.Table         // sessions of the stretches before next; nil: none
	next    int                // index of the first stretch that is not merged
	open    map[int]*agg.Table // of stretches being read, by index
	ended   []*stretchRun[B]   // read to their ends, but an earlier one is not
	spare   []*agg.Table       // empty tables, to be used again
	kept    chan *agg.Table    // tables that the Keeper is done with, to be used again

	// The others are for spill.go.

	mergedFrom int         // index of the first stretch in merged
	spills     map[int]int // how many tables were spilled, by stretch
	spilled    bool        // a table was spilled

	// And these for aside.go.

	asides  map[int]*aside // what is set aside, by stretch
	scratch Scratch        // nil until something is
}

// consume updates tables with the blocks of its queue until that is closed.
// Once ctx is cancelled it only returns blocks to the free list.
func (w *worker[B]) consume(ctx context.Context, r *run[B]) {
	w.spills, w.asides = map[int]int{}, map[int]*aside{}
	for task := range r.queues[w.index] {
		task.decoded.Wait()
		if ctx.Err() == nil {
			r.check(w.take(ctx, r, task))
		}
		r.giveBack(task)
	}
	if w.spilled && ctx.Err() == nil {
		r.check(w.spillLast(ctx, r))
	}
}

// take works on one block, or on the end of a stretch.
func (w *worker[B]) take(ctx context.Context, r *run[B], task *blockTask[B]) (err error) {
	defer agg.CatchOutOfMemory(&err)
	if task.end {
		return w.end(ctx, task.stretch, r)
	}
	return w.update(ctx, r, task)
}

// spillLast puts the merged table away at the end of a run that has spilled.
func (w *worker[B]) spillLast(ctx context.Context, r *run[B]) (err error) {
	defer agg.CatchOutOfMemory(&err)
	return w.spillMerged(ctx, r)
}

// update adds the worker's events of a block to the table of their stretch.
func (w *worker[B]) update(ctx context.Context, r *run[B], task *blockTask[B]) error {
	order := task.order[task.first[w.index]:task.first[w.index+1]]
	if len(order) == 0 {
		return nil
	}
	i := task.stretch.index
	t := w.open[i]
	if t == nil {
		t = w.table(i)
		w.open[i] = t
	}
	events, details := task.block.Events()
	return w.add(ctx, r, i, t, events, details, order)
}

// portion is how many events a table gets before it is looked at how large it
// is: each may be the one with which a session begins digests, up to 32 KiB.
const portion = 256

// add gives events to t, the table of stretch i, and makes room there.
func (w *worker[B]) add(ctx context.Context, r *run[B], i int, t *agg.Table, events []flow.Event, details []flow.Detail, order []uint16) (err error) {
	if r.quota.stretch == 0 {
		t.UpdateDetailed(events, details, order)
		return nil
	}
	for len(order) > 0 {
		next := order[:min(len(order), portion)]
		order = order[len(next):]
		if a := w.asides[i]; a != nil {
			if next, err = a.divert(events, details, next); err != nil {
				return err
			}
		}
		t.UpdateDetailed(events, details, next)
		spilled, err := w.makeRoom(ctx, r, i, t)
		if spilled {
			t = w.newTable(i)
			w.open[i] = t
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// end merges the stretch, if all before it are merged, and those that waited
// for it.
func (w *worker[B]) end(ctx context.Context, s *stretchRun[B], r *run[B]) error {
	if r.Separate {
		return w.keep(ctx, s, r)
	}
	w.ended = append(w.ended, s)
	for k := 0; k < len(w.ended); {
		s := w.ended[k]
		if s.index != w.next {
			k++
			continue
		}
		if err := w.merge(ctx, r, s.index); err != nil {
			return err
		}
		w.next++
		if s.pending.Add(-1) == 0 {
			<-r.window
		}
		w.ended = append(w.ended[:k], w.ended[k+1:]...)
		k = 0
	}
	return nil
}

// merge merges the table of stretch i into the merged one.
func (w *worker[B]) merge(ctx context.Context, r *run[B], i int) error {
	t := w.open[i]
	delete(w.open, i)
	switch {
	case t == nil: // no packet of this shard
	case w.spills[i] > 0:
		return w.mergeSpilled(ctx, r, i, t)
	case w.merged == nil:
		w.merged, w.mergedFrom = t, i
	default:
		if w.options.Captures {
			w.merged.Gather(t)
		} else {
			w.merged.Merge(t)
		}
		t.Reset()
		w.spare = append(w.spare, t)
	}
	if w.merged == nil {
		return nil
	}
	spilled, err := w.makeRoom(ctx, r, mergedTable, w.merged)
	if spilled {
		w.merged = nil
	}
	return err
}

// table returns an empty table for stretch i.
func (w *worker[B]) table(i int) *agg.Table {
	t := w.spareTable()
	if t == nil {
		return w.newTable(i)
	}
	if w.options.Captures {
		t.SetCapture(uint32(i))
	}
	return t
}

// spareTable returns a table to be used again, nil if there is none.
func (w *worker[B]) spareTable() (t *agg.Table) {
	if n := len(w.spare); n > 0 {
		t = w.spare[n-1]
		w.spare = w.spare[:n-1]
		return t
	}
	select {
	case t = <-w.kept:
	default:
	}
	return t
}

// newTable makes a table for stretch i.
func (w *worker[B]) newTable(i int) *agg.Table {
	t := agg.NewTable(w.options)
	if w.options.Captures {
		t.SetCapture(uint32(i))
	}
	return t
}

// finish returns the merged table and releases all others.
func (w *worker[B]) finish() *agg.Table {
	for _, t := range w.open {
		t.Release()
	}
	for t := w.spareTable(); t != nil; t = w.spareTable() {
		t.Release()
	}
	if w.merged == nil {
		return agg.NewTable(w.options)
	}
	return w.merged
}
