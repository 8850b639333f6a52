package main

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"

	"pcapbatch/internal/agg"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/runfile"
)

// A spillStore keeps the sessions that outgrow the memory, in one temporary
// file per worker: the Spill of a shard.Keeper.
type spillStore struct {
	partitions int
	workers    []spillFile
}

// A spillFile is what one worker has spilled.
type spillFile struct {
	mu    sync.Mutex
	temp  *runfile.Temp
	parts []spilledPart
}

type spilledPart struct {
	stretch   int
	input     runfile.Input
	reordered uint64
}

func newSpillStore(m *memory, workers, partitions int) *spillStore {
	s := &spillStore{partitions: partitions, workers: make([]spillFile, workers)}
	for i := range s.workers {
		s.workers[i].temp = runfile.NewTemp(m.fs, m.tempDir)
	}
	return s
}

// Spill is shard.Keeper's.
func (s *spillStore) Spill(_ context.Context, worker, stretch int, t *agg.Table) error {
	w := &s.workers[worker]
	w.mu.Lock()
	defer w.mu.Unlock()
	in, err := w.temp.WriteTable(t, s.partitions)
	if err != nil {
		return err
	}
	w.parts = append(w.parts, spilledPart{stretch, in, t.Reordered()})
	return nil
}

// inputs returns what a worker has spilled, in capture order.
func (w *spillFile) inputs() []runfile.Input {
	slices.SortStableFunc(w.parts, func(a, b spilledPart) int { return cmp.Compare(a.stretch, b.stretch) })
	var list []runfile.Input
	for _, p := range w.parts {
		list = append(list, p.input)
	}
	return list
}

// units are the inputs of all workers, each with keys of its own.
func (s *spillStore) units() (units [][]runfile.Input) {
	for i := range s.workers {
		if in := s.workers[i].inputs(); len(in) > 0 {
			units = append(units, in)
		}
	}
	return units
}

// reordered is the number of packets that the tables had counted.
func (s *spillStore) reordered() (n uint64) {
	for i := range s.workers {
		for _, p := range s.workers[i].parts {
			n += p.reordered
		}
	}
	return n
}

func (s *spillStore) close() (err error) {
	for i := range s.workers {
		err = errors.Join(err, s.workers[i].temp.Close())
	}
	return err
}

// Keep is shard.Keeper's: a store alone keeps no stretches.
func (s *spillStore) Keep(context.Context, int, []*agg.Table) error {
	return errors.New("internal error: stretch kept without a directory")
}

// runError gives an error of the merge its exit code.
func runError(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*exitError](err); ok {
		return err
	}
	if _, ok := errors.AsType[signalError](err); ok {
		return err
	}
	if _, ok := errors.AsType[*durable.WriteError](err); ok {
		return &exitError{exitOutput, err}
	}
	return &exitError{exitUsage, err}
}
