package job

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"

	"pcapbatch/internal/agg"
	"pcapbatch/internal/runfile"
	"pcapbatch/internal/shard"
)

// A spillStore keeps the sessions that do not fit into memory, in one temporary
// file for each worker, and one more where some are set aside: the Spill and the
// Scratch of a shard.Keeper.
type spillStore struct {
	run        *run
	partitions int
	workers    []spillFile
}

// A spillFile is what one worker has put on disk.
type spillFile struct {
	mu      sync.Mutex
	temp    *runfile.Temp
	tables  []spilledTable
	scratch *runfile.Scratch // nil: none was asked for
}

type spilledTable struct {
	stretch   int // the first that its sessions are of
	input     runfile.Input
	reordered uint64
}

func newSpillStore(r *run, partitions int) *spillStore {
	s := &spillStore{run: r, partitions: partitions, workers: make([]spillFile, r.Workers)}
	for i := range s.workers {
		s.workers[i].temp = r.newTemp()
	}
	return s
}

// Spill implements shard.Keeper.
func (s *spillStore) Spill(_ context.Context, worker, stretch int, t *agg.Table) error {
	w := &s.workers[worker]
	w.mu.Lock()
	defer w.mu.Unlock()
	in, err := w.temp.WriteTable(t, s.partitions)
	if err != nil {
		return err
	}
	w.tables = append(w.tables, spilledTable{stretch, in, t.Reordered()})
	return nil
}

// Scratch implements shard.Keeper.
func (s *spillStore) Scratch(worker, bytes int) shard.Scratch {
	f := runfile.NewScratch(s.run.FS, s.run.TempDir, bytes)
	s.workers[worker].scratch = f
	return f
}

// groups are the inputs of each worker, which have keys of their own, in capture
// order.
func (s *spillStore) groups() (groups [][]runfile.Input) {
	for i := range s.workers {
		w := &s.workers[i]
		slices.SortStableFunc(w.tables, func(a, b spilledTable) int { return cmp.Compare(a.stretch, b.stretch) })
		var list []runfile.Input
		for _, t := range w.tables {
			list = append(list, t.input)
		}
		if len(list) > 0 {
			groups = append(groups, list)
		}
	}
	return groups
}

// reordered is the number of packets that the tables had counted.
func (s *spillStore) reordered() (n uint64) {
	for i := range s.workers {
		for _, t := range s.workers[i].tables {
			n += t.reordered
		}
	}
	return n
}

func (s *spillStore) close() (err error) {
	for i := range s.workers {
		w := &s.workers[i]
		err = errors.Join(err, w.temp.Close())
		if w.scratch != nil {
			err = errors.Join(err, w.scratch.Close())
		}
	}
	return err
}

// Keep implements shard.Keeper. It is called only where each stretch is kept,
// for which a keeper stands in.
func (s *spillStore) Keep(context.Context, int, []*agg.Table) error {
	return errors.New("internal error: stretch kept without a directory")
}
