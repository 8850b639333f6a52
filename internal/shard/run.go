package shard

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"pcapbatch/internal/agg"
	"pcapbatch/internal/flow"
	"pcapbatch/internal/race"
)

// MaxWorkers is the largest number of workers: flow.Event has a byte for them.
const MaxWorkers = 256

// A Block carries raw records from a Stretch to a decoder, and then their
// events to the workers. One goroutine uses it at a time, except that all
// workers read the events.
type Block interface {
	// Decode turns the records into events, at most 65535 of them.
	Decode()
	// Ordered reports, after Decode, whether Resolve must be called once all
	// earlier blocks of the stretch are decoded and resolved.
	Ordered() bool
	Resolve()
	// Events returns the events in capture order, valid until the block is
	// read into again.
	Events() []flow.Event
}

// A Stretch is a list of captures that are read one after the other.
type Stretch[B Block] interface {
	// Read fills b, which Config.NewBlock made, with the next records. It
	// returns io.EOF after the last; any other error ends the run. ctx is
	// done when the run ends early, and with it what Read may wait for.
	Read(ctx context.Context, b B) error
	// Decoded says that all blocks are decoded and resolved: what that needs
	// can be given up. It is not called where the run ends early.
	Decoded()
	// Close is called once, after the last Read.
	Close() error
}

// Config says what to run.
type Config[B Block] struct {
	// Workers is the number of tables, and of goroutines that update them;
	// as many decode. 1 to MaxWorkers.
	Workers int
	// NewBlock makes an empty block; several goroutines call it at once.
	NewBlock func() B
	// Stretches are merged in this order. As many as there are workers are
	// read side by side.
	Stretches []Stretch[B]
	Sessions  agg.Options

	// Share is how many bytes of sessions a worker holds before it gives some
	// to Keeper; 0: no limit.
	Share int64
	// LeastSpill is the size up to which a table stays in memory: LeastSpill
	// but for tests.
	LeastSpill int64
	// Separate keeps the stretches apart: Keeper gets each, none is merged.
	Separate bool
	Keeper   Keeper
}

// blocksPerWorker says how long the free list is: a block each in decoding
// and in update, and enough between them that neither runs dry when the other
// has a slow block. 4 and 16 measured the same within noise; 2 lost 10 %.
const blocksPerWorker = 7

// A job is a block on its way, or the end of a stretch.
type job[B Block] struct {
	block   B
	made    bool // there is a block
	stretch *stretchRun[B]
	end     bool
	number  uint64 // of the block in its stretch
	decoded sync.WaitGroup
	// order lists the numbers of the events, worker by worker: those of
	// worker w are order[first[w]:first[w+1]].
	order   []uint16
	first   []int
	pending atomic.Int32 // workers that have not finished with it
}

// mustBeFree panics if a worker still has the block, which is about to be read
// into.
func (j *job[B]) mustBeFree() {
	n := j.pending.Load()
	race.Assert(n == 0, "a block is read into while %d workers have it", n)
}

// giveBack takes the block from one of the workers that have it, and puts it
// into the free list if that was the last.
func (r *run[B]) giveBack(j *job[B]) {
	n := j.pending.Add(-1)
	if race.Enabled {
		race.Assert(n >= 0, "a block is given back more often than there are workers")
	}
	if n > 0 {
		return
	}
	if j.end {
		j.stretch.Decoded()
	}
	if race.Enabled && !j.end { // nobody may have kept them
		race.Junk(j.block.Events(), flow.Event{Shard: 0xff, Flags: 0xff, Time: -1 << 62})
		race.Junk(j.order, 0xffff)
	}
	r.free <- j
}

// stretchRun is a stretch while it runs.
type stretchRun[B Block] struct {
	Stretch[B]
	index   int
	turn    turnstile
	pending atomic.Int32 // workers that have not merged it
	tables  []*agg.Table // one per worker, with Config.Separate
}

type run[B Block] struct {
	Config[B]
	free    chan *job[B]
	decode  chan *job[B]
	queues  []chan *job[B]
	window  chan struct{} // stretches begun and not merged
	workers []*worker[B]
	keeping sync.WaitGroup
	cancel  context.CancelCauseFunc
}

// check ends the run if err is not nil.
func (r *run[B]) check(err error) {
	if err != nil {
		r.cancel(err)
	}
}

// Run reads all stretches and returns the tables, one per worker, with the
// sessions that Config.Keeper did not get. The caller releases them. When ctx
// is cancelled it stops soon and returns the cause.
func Run[B Block](ctx context.Context, c Config[B]) ([]*agg.Table, error) {
	r := newRun(c)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r.cancel = cancel
	var consumers sync.WaitGroup
	for range c.Workers {
		consumers.Go(r.decodeBlocks)
	}
	for _, w := range r.workers {
		consumers.Go(func() { w.consume(ctx, r) })
	}
	err := r.readStretches(ctx)
	if err != nil {
		cancel(err) // the workers only give blocks back from here on
	}
	close(r.decode)
	for _, q := range r.queues {
		close(q)
	}
	consumers.Wait()
	r.keeping.Wait()
	if err == nil {
		err = context.Cause(ctx) // a worker failed at the very end
	}
	tables := make([]*agg.Table, c.Workers)
	for i, w := range r.workers {
		tables[i] = w.finish()
	}
	if err != nil {
		for _, t := range tables {
			t.Release()
		}
		return nil, err
	}
	return tables, nil
}

func newRun[B Block](c Config[B]) *run[B] {
	blocks := c.Workers * blocksPerWorker
	r := &run[B]{
		Config: c,
		free:   make(chan *job[B], blocks),
		decode: make(chan *job[B], blocks),
		window: make(chan struct{}, 2*c.Workers),
	}
	for range blocks {
		r.free <- &job[B]{first: make([]int, c.Workers+1)}
	}
	for i := range c.Workers {
		r.queues = append(r.queues, make(chan *job[B], blocks))
		r.workers = append(r.workers, &worker[B]{index: i, options: c.Sessions, open: map[int]*agg.Table{}})
	}
	return r
}

// readStretches reads Workers stretches at a time, and keeps at most twice as
// many from being begun before they are merged.
func (r *run[B]) readStretches(ctx context.Context) error {
	g, reading := errgroup.WithContext(ctx)
	g.SetLimit(r.Workers)
	for i, s := range r.Stretches {
		select {
		case r.window <- struct{}{}:
		case <-reading.Done():
			s.Close()
			continue
		}
		g.Go(func() error { return r.read(reading, &stretchRun[B]{Stretch: s, index: i}) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return context.Cause(ctx)
}

// read sends the blocks of one stretch to the decoders and to all workers.
func (r *run[B]) read(ctx context.Context, s *stretchRun[B]) (err error) {
	defer func() { err = errors.Join(err, s.Close()) }()
	s.pending.Store(int32(r.Workers))
	if r.Separate {
		s.tables = make([]*agg.Table, r.Workers)
	}
	for number := uint64(0); ; number++ {
		var j *job[B]
		select {
		case j = <-r.free:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if race.Enabled {
			j.mustBeFree()
		}
		if !j.made {
			j.block, j.made = r.NewBlock(), true
		}
		err := s.Read(ctx, j.block)
		if err != nil && err != io.EOF {
			return err
		}
		end := err == io.EOF
		j.stretch, j.number, j.end = s, number, end
		j.pending.Store(int32(r.Workers))
		if !end {
			j.decoded.Add(1)
			r.decode <- j
		}
		for _, q := range r.queues {
			q <- j // not ours any more behind the last of these
		}
		if end {
			return nil
		}
	}
}

// decodeBlocks is a decoder.
func (r *run[B]) decodeBlocks() {
	for j := range r.decode {
		j.block.Decode()
		turn := &j.stretch.turn
		if j.block.Ordered() {
			turn.wait(j.number)
			j.block.Resolve()
		}
		turn.pass(j.number)
		j.partition()
		j.decoded.Done()
	}
}

// partition sorts the numbers of the events by worker, by counting.
func (j *job[B]) partition() {
	events := j.block.Events()
	if cap(j.order) < len(events) {
		j.order = make([]uint16, len(events))
	}
	order, first := j.order[:len(events)], j.first
	j.order = order
	clear(first)
	for i := range events {
		first[int(events[i].Shard)+1]++
	}
	for w := 1; w < len(first); w++ {
		first[w] += first[w-1]
	}
	var next [MaxWorkers + 1]int
	copy(next[:], first)
	for i := range events {
		w := events[i].Shard
		order[next[w]] = uint16(i)
		next[w]++
	}
}

// A turnstile lets the blocks of a stretch pass in any order, and lets those
// that ask for it wait until all before them have passed. The zero value is
// ready.
type turnstile struct {
	mu     sync.Mutex
	moved  *sync.Cond
	next   uint64              // every block before it has passed
	passed map[uint64]struct{} // blocks beyond next that have passed
}

func (t *turnstile) wait(number uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.moved == nil {
		t.moved = sync.NewCond(&t.mu)
	}
	for t.next != number {
		t.moved.Wait()
	}
}

func (t *turnstile) pass(number uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if number != t.next {
		if t.passed == nil {
			t.passed = map[uint64]struct{}{}
		}
		t.passed[number] = struct{}{}
		return
	}
	t.next++
	for {
		if _, ok := t.passed[t.next]; !ok {
			break
		}
		delete(t.passed, t.next)
		t.next++
	}
	if t.moved != nil {
		t.moved.Broadcast()
	}
}
