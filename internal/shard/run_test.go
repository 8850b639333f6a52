package shard

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"testing"
	"time"

	"pcapbatch/internal/agg"
	"pcapbatch/internal/capturetest"
	"pcapbatch/internal/flow"
	"pcapbatch/internal/race"
)

var seed = flag.Uint64("seed", 0, "seed of how long decoding takes and of how large blocks are; 0: any")

// TestMain chooses a seed, and says which it was if a test fails.
func TestMain(m *testing.M) {
	flag.Parse()
	for *seed == 0 {
		*seed = rand.Uint64()
	}
	code := capturetest.Run(m)
	if code != 0 {
		fmt.Printf("repeat with: go test ./internal/shard -args -seed=%d\n", *seed)
	}
	os.Exit(code)
}

func newRand(stream uint64) *rand.Rand { return rand.New(rand.NewPCG(*seed, stream)) }

// A fakeBlock's events are made in advance; decoding takes a random time, so
// that blocks overtake each other.
type fakeBlock struct {
	workers int
	ordered bool
	raw     []flow.Event
	events  []flow.Event
	details []flow.Detail // nil: none are asked for
	resolve func() error
}

func (b *fakeBlock) Decode() {
	b.events = b.events[:0]
	if b.details != nil {
		b.details = b.details[:0]
	}
	rng := newRand(uint64(b.raw[0].Time))
	for _, ev := range b.raw {
		if rng.IntN(64) == 0 {
			runtime.Gosched()
		}
		hash := ev.Key.Hash(7)
		ev.Hash, ev.Shard = uint32(hash), ev.Key.Shard(b.workers)
		b.events = append(b.events, ev)
		if b.details != nil {
			b.details = append(b.details, flow.NewDetail(uint8(ev.Time)).WithHeader(20).WithTCPFlags(uint8(ev.Flags)&0x3f))
		}
	}
	if rng.IntN(8) == 0 && (b.workers > 1 || rng.IntN(8) == 0) { // so that later blocks overtake this one
		time.Sleep(time.Millisecond)
	}
}

func (b *fakeBlock) Ordered() bool                         { return b.ordered }
func (b *fakeBlock) Resolve() error                        { return b.resolve() }
func (b *fakeBlock) Events() ([]flow.Event, []flow.Detail) { return b.events, b.details }

// A fakeStretch deals out events in blocks of random size. Every third block
// is ordered, and its turn is checked.
type fakeStretch struct {
	events []flow.Event
	size   int // of blocks, in events; 0: random
	rng    *rand.Rand
	next   int
	number int
	fail   error
	failAt int
	closed bool

	unresolved   error // of Resolve, from this event on
	unresolvedAt int

	onRead func() // if set, called before every block
	orders []int  // first event of each ordered block, in order of resolving

	decoded  int // calls of Decoded
	resolved int // orders at the last
}

func (s *fakeStretch) Read(_ context.Context, b *fakeBlock) error {
	fb := b
	if s.onRead != nil {
		s.onRead()
	}
	if s.fail != nil && s.next >= s.failAt {
		return s.fail
	}
	if s.next == len(s.events) {
		return io.EOF
	}
	if s.rng == nil {
		s.rng = newRand(uint64(len(s.events)))
	}
	n := min(1+s.rng.IntN(40), len(s.events)-s.next)
	if s.size > 0 {
		n = min(s.size, len(s.events)-s.next)
	}
	fb.raw = append(fb.raw[:0], s.events[s.next:s.next+n]...)
	at := s.next
	s.next += n
	fb.ordered = s.number%3 == 0
	fb.resolve = func() error {
		s.orders = append(s.orders, at)
		if at >= s.unresolvedAt {
			return s.unresolved
		}
		return nil
	}
	s.number++
	return nil
}

func (s *fakeStretch) Close() error { s.closed = true; return nil }

func (s *fakeStretch) Decoded() { s.decoded++; s.resolved = len(s.orders) }

func testEvents(n int, seed uint64) []flow.Event {
	rng := rand.New(rand.NewPCG(seed, 1))
	events := make([]flow.Event, n)
	now := int64(1e18)
	for i := range events {
		now += rng.Int64N(1e6)
		k := flow.Key{Version: 4, Protocol: 6, SrcPort: uint16(rng.IntN(50)), DstPort: 80}
		k.Src[0], k.Dst[0] = 10, 20
		events[i] = flow.Event{Time: now, WireBytes: 60 + rng.Uint32N(1400), PayloadBytes: rng.Uint32N(1400), Key: k}
	}
	return events
}

// rowsOf runs the events in the given stretches and returns the rows.
func rowsOf(t *testing.T, workers int, cut ...[]flow.Event) string {
	t.Helper()
	c := Config[*fakeBlock]{
		Workers:    workers,
		LeastSpill: LeastSpill,
		NewBlock:   func() *fakeBlock { return &fakeBlock{workers: workers} },
		Sessions:   agg.Options{IdleThreshold: agg.DefaultIdleThreshold, Seed: 7},
	}
	var list []*fakeStretch
	for _, events := range cut {
		s := &fakeStretch{events: events}
		list = append(list, s)
		c.Stretches = append(c.Stretches, s)
	}
	tables, err := Run(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range list {
		if !s.closed {
			t.Errorf("stretch %d was not closed", i)
		}
		for k := 1; k < len(s.orders); k++ {
			if s.orders[k] < s.orders[k-1] {
				t.Errorf("stretch %d: blocks resolved out of order: %v", i, s.orders)
				break
			}
		}
		if len(s.events) > 0 && len(s.orders) == 0 {
			t.Errorf("stretch %d: no block was resolved", i)
		}
		if s.decoded != 1 || s.resolved != len(s.orders) {
			t.Errorf("stretch %d was said to be decoded %d times, with %d of %d blocks resolved", i, s.decoded, s.resolved, len(s.orders))
		}
	}
	return textOf(tables)
}

// textOf is a line for each session of the tables, in the order of the output.
// It releases the tables.
func textOf(tables []*agg.Table) string {
	type row struct {
		table *agg.Table
		agg.Row
	}
	var list []row
	for _, table := range tables {
		for _, r := range table.Rows() {
			list = append(list, row{table, r})
		}
	}
	slices.SortFunc(list, func(a, b row) int { return agg.CompareRows(a.table, a.Row, b.table, b.Row) })
	var z agg.Summarizer
	var s agg.Summary
	var text []byte
	for _, r := range list {
		z.Summarize(r.table, r.Index, &s)
		text = fmt.Appendf(text, "%+v\n", s)
	}
	for _, table := range tables {
		table.Release()
	}
	return string(text)
}

// Every number of workers gives the same rows, though blocks overtake each
// other in decoding.
func TestRunSameForEveryNumberOfWorkers(t *testing.T) {
	t.Parallel()
	events := testEvents(30_000, 1)
	want := rowsOf(t, 1, events)
	if n := bytes.Count([]byte(want), []byte("\n")); n != 50 {
		t.Fatalf("%d rows, want 50", n)
	}
	for _, workers := range []int{2, 3, 8, 64} {
		if got := rowsOf(t, workers, events); got != want {
			t.Errorf("%d workers give other rows than 1", workers)
		}
	}
}

// Stretches are merged in their order, whichever is read first; the cut is
// visible in the medians of large sessions only, and the same for all workers.
func TestRunStretches(t *testing.T) {
	t.Parallel()
	events := testEvents(3000, 2) // 60 packets a session: all medians exact
	want := rowsOf(t, 1, events)
	cut := [][]flow.Event{events[:10], events[10:10], events[10:900], events[900:901], events[901:2900], events[2900:]}
	for _, workers := range []int{1, 2, 3, 8} {
		if got := rowsOf(t, workers, cut...); got != want {
			t.Errorf("%d workers: stretches give other rows than one pass", workers)
		}
	}
	large := testEvents(30_000, 3)
	first := rowsOf(t, 1, large[:9000], large[9000:20_000], large[20_000:])
	for _, workers := range []int{2, 3, 8} {
		if got := rowsOf(t, workers, large[:9000], large[9000:20_000], large[20_000:]); got != first {
			t.Errorf("%d workers: large sessions over stretches give other rows than 1", workers)
		}
	}
}

// More stretches than the window holds, most without events.
func TestRunManyStretches(t *testing.T) {
	events := testEvents(2000, 4)
	var cut [][]flow.Event
	for i := 0; i < len(events); i += 7 {
		cut = append(cut, events[i:min(i+7, len(events))])
	}
	want := rowsOf(t, 1, events)
	for _, workers := range []int{1, 3} {
		if got := rowsOf(t, workers, cut...); got != want {
			t.Errorf("%d workers: %d stretches give other rows than one", workers, len(cut))
		}
	}
}

// An error of one stretch ends the run, be it of reading or of resolving, that
// of the last block too: it is returned, everything is closed, and no goroutine
// is left.
func TestRunError(t *testing.T) {
	want := errors.New("disk on fire")
	t.Run("read", func(t *testing.T) { runError(t, want, func(s *fakeStretch) { s.fail, s.failAt = want, 1000 }) })
	t.Run("resolve", func(t *testing.T) {
		runError(t, want, func(s *fakeStretch) { s.unresolved, s.unresolvedAt = want, 1000 })
	})
	t.Run("resolve the only block", func(t *testing.T) {
		runError(t, want, func(s *fakeStretch) { s.unresolved, s.size = want, len(s.events) })
	})
}

func runError(t *testing.T, want error, fail func(*fakeStretch)) {
	before := runtime.NumGoroutine()
	events := testEvents(5000, 5)
	var list []*fakeStretch
	c := Config[*fakeBlock]{Workers: 3, NewBlock: func() *fakeBlock { return &fakeBlock{workers: 3} }, Sessions: agg.Options{Seed: 7}}
	for i := range 6 {
		s := &fakeStretch{events: events}
		if i == 2 {
			fail(s)
		}
		list = append(list, s)
		c.Stretches = append(c.Stretches, s)
	}
	if _, err := Run(context.Background(), c); !errors.Is(err, want) {
		t.Fatalf("error is %v, want %v", err, want)
	}
	for i, s := range list {
		if !s.closed {
			t.Errorf("stretch %d was not closed", i)
		}
	}
	capturetest.GoroutinesEnd(t, before, "the end")
}

// A cancelled run ends with the cause.
func TestRunCancelled(t *testing.T) {
	before := runtime.NumGoroutine()
	want := errors.New("enough")
	ctx, cancel := context.WithCancelCause(context.Background())
	s := &fakeStretch{events: testEvents(200_000, 6)}
	s.onRead = func() {
		if s.next > 20_000 {
			cancel(want)
		}
	}
	c := Config[*fakeBlock]{Workers: 2, NewBlock: func() *fakeBlock { return &fakeBlock{workers: 2} }, Stretches: []Stretch[*fakeBlock]{s}}
	if _, err := Run(ctx, c); !errors.Is(err, want) {
		t.Fatalf("error is %v, want %v", err, want)
	}
	if !s.closed || s.next == len(s.events) {
		t.Errorf("the stretch was closed: %t, after %d of %d events", s.closed, s.next, len(s.events))
	}
	capturetest.GoroutinesEnd(t, before, "the end")
}

// The turnstile lets blocks through in order whatever order they come in.
func TestTurnstile(t *testing.T) {
	var turn turnstile
	const n = 200
	done := make(chan uint64, n)
	for _, i := range newRand(n).Perm(n) {
		go func() {
			if i%2 == 0 {
				turn.wait(uint64(i))
				done <- uint64(i)
			}
			turn.pass(uint64(i))
		}()
	}
	for want := uint64(0); want < n; want += 2 {
		if got := <-done; got != want {
			t.Fatalf("block %d passed when it was the turn of %d", got, want)
		}
	}
}

// Builds with the race detector notice a block that is read into, or given
// back, while it is not its turn, and overwrite the events of one that is free.
func TestOwnershipIsAsserted(t *testing.T) {
	if !race.Enabled {
		t.Skip("only asserted in builds with the race detector")
	}
	fails := func(what string, f func()) {
		t.Helper()
		defer func() {
			if recover() == nil {
				t.Errorf("%s goes unnoticed", what)
			}
		}()
		f()
	}
	r := newRun(config(2))
	j := <-r.free
	j.block, j.made, j.stretch = &fakeBlock{events: testEvents(10, 1)}, true, &stretchRun[*fakeBlock]{Stretch: &fakeStretch{}}
	j.mustBeFree()
	j.pending.Store(2)
	fails("a block that two workers have", j.mustBeFree)
	r.giveBack(j)
	fails("a block that a worker has", j.mustBeFree)
	events, _ := j.block.Events()
	if r.giveBack(j); events[9].Shard != 0xff {
		t.Errorf("event 9 is left as it was: %+v", events[9])
	}
	j.mustBeFree()
	fails("a block that was given back", func() { r.giveBack(j) })
}
