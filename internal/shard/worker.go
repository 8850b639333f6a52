package shard

import (
	"context"
	"sync/atomic"

	"pcapbatch/internal/agg"
)

// A worker owns the sessions of one shard: one table for what is merged, and
// one for each stretch that is being read.
type worker[B Block] struct {
	index   int
	options agg.Options
	merged  *agg.Table
	next    int // stretches before it are merged
	open    map[int]*agg.Table
	ended   []*stretchRun[B] // waiting for an earlier one
	spare   []*agg.Table

	// See spill.go.
	from    int         // first stretch in merged
	parts   map[int]int // tables that were spilled, by stretch
	spilled bool
	handed  atomic.Int64 // bytes of the tables that are being kept
}

// consume takes blocks until the queue is closed. Once ctx is cancelled it
// only gives them back.
func (w *worker[B]) consume(ctx context.Context, r *run[B]) {
	w.parts = map[int]int{}
	for j := range r.queues[w.index] {
		j.decoded.Wait()
		switch {
		case ctx.Err() != nil:
		case j.end:
			w.end(ctx, j.stretch, r)
		default:
			w.update(j)
			r.check(w.makeRoom(ctx, r))
		}
		r.giveBack(j)
	}
	if w.spilled && ctx.Err() == nil {
		r.check(w.spillMerged(ctx, r))
	}
}

func (w *worker[B]) update(j *job[B]) {
	order := j.order[j.first[w.index]:j.first[w.index+1]]
	if len(order) == 0 {
		return
	}
	i := j.stretch.index
	t := w.open[i]
	if t == nil {
		t = w.table()
		w.open[i] = t
	}
	t.Update(j.block.Events(), order)
}

// end merges the stretch, and those that waited for it.
func (w *worker[B]) end(ctx context.Context, s *stretchRun[B], r *run[B]) {
	if r.Separate {
		w.keep(ctx, s, r)
		return
	}
	w.ended = append(w.ended, s)
	for k := 0; k < len(w.ended); {
		s := w.ended[k]
		if s.index != w.next {
			k++
			continue
		}
		r.check(w.merge(ctx, r, s.index))
		w.next++
		if s.pending.Add(-1) == 0 {
			<-r.window
		}
		w.ended = append(w.ended[:k], w.ended[k+1:]...)
		k = 0
	}
}

func (w *worker[B]) merge(ctx context.Context, r *run[B], i int) error {
	t := w.open[i]
	delete(w.open, i)
	switch {
	case t == nil: // no packet of this shard
	case w.parts[i] > 0:
		return w.mergeSpilled(ctx, r, i, t)
	case w.merged == nil:
		w.merged, w.from = t, i
	default:
		w.merged.Merge(t)
		t.Reset()
		w.spare = append(w.spare, t)
		return w.makeRoom(ctx, r)
	}
	return nil
}

func (w *worker[B]) table() *agg.Table {
	if n := len(w.spare); n > 0 {
		t := w.spare[n-1]
		w.spare = w.spare[:n-1]
		return t
	}
	return agg.NewTable(w.options)
}

// finish returns the merged table and releases all others.
func (w *worker[B]) finish() *agg.Table {
	for _, t := range w.open {
		t.Release()
	}
	for _, t := range w.spare {
		t.Release()
	}
	if w.merged == nil {
		return agg.NewTable(w.options)
	}
	return w.merged
}
