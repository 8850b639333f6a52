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

// A Block carries records from a Stretch to a decoder, and then their events to
// the workers. One goroutine uses it at a time, except that all workers read
// the events side by side.
type Block interface {
	// Decode turns the records into events, at most 65535 of them.
	Decode()
	// Ordered reports, after Decode, whether Resolve must be called.
	Ordered() bool
	// Resolve completes events that depend on earlier blocks of the stretch.
	// It is called after those are decoded and resolved. An error ends the run.
	Resolve() error
	// Events returns the events in capture order, and their details if
	// Config.Sessions asks for them, valid until the block is read into again.
	Events() ([]flow.Event, []flow.Detail)
}

// A Stretch is a list of captures that are read one after the other.
type Stretch[B Block] interface {
	// Read fills b, which Config.NewBlock made, with the next records. It
	// returns io.EOF after the last; any other error ends the run. Read must
	// not wait any longer once ctx is done, which it is when the run ends
	// early.
	Read(ctx context.Context, b B) error
	// Decoded is called after all blocks are decoded and resolved: what only
	// that needs can be released. It is not called where the run ends early.
	Decoded()
	// Close is called once, after the last Read.
	Close() error
}

// A Config describes a run.
type Config[B Block] struct {
	// Workers is the number of tables, and of goroutines that update them; as
	// many more decode, and so does a goroutine that reads when none of those is
	// idle. 1 to MaxWorkers.
	Workers int
	// NewBlock makes an empty block; several goroutines call it at once.
	NewBlock func() B
	// Stretches are merged in this order. As many as there are workers are
	// read side by side.
	Stretches []Stretch[B]
	// Sessions are the options of the tables. With Captures each stretch must
	// be a capture: its index is the number of that.
	Sessions agg.Options

	// Share is how many bytes of sessions a worker keeps in memory; it gives
	// what is beyond to Keeper. 0 is no limit.
	Share int64
	// LeastSpill is the size in bytes up to which a table stays in memory;
	// the constant of that name except in tests.
	LeastSpill int64
	// Separate keeps the stretches apart: Keeper gets the sessions of each, and
	// none are merged.
	Separate bool
	// Keeper stores sessions; it may be nil without Share and Separate.
	Keeper Keeper
}

// blocksPerWorker is the length of the free list for each worker: one block
// being decoded, one in update, and enough between them that neither waits when
// the other has a slow block. 4 and 16 measured the same within noise; 2 was 10
// % slower.
const blocksPerWorker = 7

// A blockTask is a block with what the pipeline knows of it, or the end of a
// stretch.
type blockTask[B Block] struct {
	block   B
	made    bool // block was made
	stretch *stretchRun[B]
	end     bool           // this is the end of the stretch; there are no events
	number  uint64         // of the block in its stretch, from 0
	decoded sync.WaitGroup // done when order and first are valid
	// order lists the numbers of the events, worker by worker: those of
	// worker w are order[first[w]:first[w+1]].
	order   []uint16
	first   []int
	pending atomic.Int32 // workers that have not finished with it
}

// mustBeFree panics if a worker still has the block, which is about to be read
// into.
func (task *blockTask[B]) mustBeFree() {
	n := task.pending.Load()
	race.Assert(n == 0, "a block is read into while %d workers have it", n)
}

// giveBack takes the block from one of the workers that have it, and puts it
// into the free list if that was the last.
func (r *run[B]) giveBack(task *blockTask[B]) {
	n := task.pending.Add(-1)
	if race.Enabled {
		race.Assert(n >= 0, "a block is given back more often than there are workers")
	}
	if n > 0 {
		return
	}
	if task.end {
		task.stretch.Decoded()
	}
	if race.Enabled && !task.end { // nobody may have kept them
		events, _ := task.block.Events()
		race.Junk(events, flow.Event{Shard: 0xff, Flags: 0xff, Time: -1 << 62})
		race.Junk(task.order, 0xffff)
	}
	r.free <- task
}

// A stretchRun is a stretch that is being read or merged.
type stretchRun[B Block] struct {
	Stretch[B]
	index   int
	turn    turnstile
	pending atomic.Int32 // workers that have not merged it
	tables  []*agg.Table // one per worker, with Config.Separate
}

// A run is what the goroutines of one call of Run share.
type run[B Block] struct {
	Config[B]
	free    chan *blockTask[B]
	decode  chan *blockTask[B]
	queues  []chan *blockTask[B]
	quota   quota
	window  chan struct{} // has an element for each stretch begun and not merged
	workers []*worker[B]
	keeping sync.WaitGroup
	cancel  context.CancelCauseFunc
}

// check ends the run with err, unless that is nil.
func (r *run[B]) check(err error) {
	if err != nil {
		r.cancel(err)
	}
}

// Run reads all stretches and returns the tables, one for each worker, with the
// sessions that Config.Keeper did not get. The caller releases them. When ctx
// is cancelled it stops soon and returns the cause. It closes every stretch,
// whatever happens.
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
		cancel(err) // from here on the workers only return blocks to the free list
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
		free:   make(chan *blockTask[B], blocks),
		decode: make(chan *blockTask[B]),
		quota:  c.quota(),
	}
	r.window = make(chan struct{}, r.quota.window)
	for range blocks {
		r.free <- &blockTask[B]{first: make([]int, c.Workers+1)}
	}
	for i := range c.Workers {
		r.queues = append(r.queues, make(chan *blockTask[B], blocks))
		r.workers = append(r.workers, &worker[B]{index: i, options: c.Sessions, open: map[int]*agg.Table{}, kept: make(chan *agg.Table, mostKept)})
	}
	return r
}

// readStretches reads Workers stretches side by side. It begins one only while
// the window has room for it: so many may be begun and not merged.
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

// read sends the blocks of one stretch to all workers, and has them decoded.
func (r *run[B]) read(ctx context.Context, s *stretchRun[B]) (err error) {
	defer func() { err = errors.Join(err, s.Close()) }()
	s.pending.Store(int32(r.Workers))
	if r.Separate {
		s.tables = make([]*agg.Table, r.Workers)
	}
	for number := uint64(0); ; number++ {
		var task *blockTask[B]
		select {
		case task = <-r.free:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if race.Enabled {
			task.mustBeFree()
		}
		if !task.made {
			task.block, task.made = r.NewBlock(), true
		}
		err := s.Read(ctx, task.block)
		if err != nil && err != io.EOF {
			return err
		}
		end := err == io.EOF
		task.stretch, task.number, task.end = s, number, end
		task.pending.Store(int32(r.Workers))
		if !end {
			task.decoded.Add(1)
		}
		for _, q := range r.queues {
			q <- task // the workers wait until it is decoded
		}
		if end {
			return nil
		}
		select {
		case r.decode <- task:
		default:
			// All decoders are busy. Reading on would push the block out of the
			// cache before one of them comes to it.
			r.decodeBlock(task)
		}
	}
}

// decodeBlocks decodes the blocks that readers hand over, until there are no
// more.
func (r *run[B]) decodeBlocks() {
	for task := range r.decode {
		r.decodeBlock(task)
	}
}

// decodeBlock decodes a block and divides its events among the workers, which
// wait for that. If fragments need earlier packets, it waits for the blocks
// before it in the stretch.
func (r *run[B]) decodeBlock(task *blockTask[B]) {
	task.block.Decode()
	turn := &task.stretch.turn
	if task.block.Ordered() {
		turn.wait(task.number)
		r.check(task.block.Resolve())
	}
	turn.pass(task.number)
	task.partition()
	task.decoded.Done()
}

// partition fills order and first: it sorts the numbers of the events by
// worker, with a counting sort.
func (task *blockTask[B]) partition() {
	events, _ := task.block.Events()
	if cap(task.order) < len(events) {
		task.order = make([]uint16, len(events))
	}
	order, first := task.order[:len(events)], task.first
	task.order = order
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

// A turnstile counts the decoded blocks of a stretch, which come in any order
// (pass), and makes a goroutine wait until all blocks before its own are
// decoded (wait). The zero value is ready.
type turnstile struct {
	mu     sync.Mutex
	moved  *sync.Cond
	next   uint64              // number of the first block that has not passed
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
