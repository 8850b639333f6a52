package shard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"pcapbatch/internal/agg"
	"pcapbatch/internal/capturetest"
	"pcapbatch/internal/flow"
)

// memoryKeeper keeps what it is given as encoded sessions.
type memoryKeeper struct {
	mu     sync.Mutex
	tables map[int][]spilledTable // by worker
	kept   map[int][]byte         // by stretch
	fail   error

	sessions  int   // that were spilled
	most      int64 // size of a table that was spilled
	scratches []*memoryScratch
	puts      int // pieces of these, known at the end
	reordered uint64
	// The uses of a scratch that fail: see memoryScratch.
	failPut, failTake int
}

type spilledTable struct {
	stretch  int
	sessions []byte
}

func newMemoryKeeper() *memoryKeeper {
	return &memoryKeeper{tables: map[int][]spilledTable{}, kept: map[int][]byte{}}
}

func encode(dst []byte, t *agg.Table) []byte {
	for _, i := range t.KeyOrder(nil) {
		dst = t.AppendSession(dst, i)
	}
	return dst
}

func (k *memoryKeeper) Spill(_ context.Context, worker, stretch int, t *agg.Table) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.tables[worker] = append(k.tables[worker], spilledTable{stretch, encode(nil, t)})
	k.sessions += len(t.KeyOrder(nil))
	k.reordered += t.Reordered()
	k.most = max(k.most, t.Bytes())
	return k.fail
}

// sorted are the tables that a worker spilled, in capture order.
func (k *memoryKeeper) sorted(worker int) []spilledTable {
	slices.SortStableFunc(k.tables[worker], func(a, b spilledTable) int { return a.stretch - b.stretch })
	return k.tables[worker]
}

func (k *memoryKeeper) Keep(_ context.Context, stretch int, tables []*agg.Table) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, t := range tables {
		if t != nil {
			k.kept[stretch] = encode(k.kept[stretch], t)
			k.reordered += t.Reordered()
		}
	}
	return k.fail
}

// absorbed is what rows makes of encoded sessions that were merged.
func absorbed(t *testing.T, lists ...[]byte) string {
	t.Helper()
	table := agg.NewTable(agg.Options{IdleThreshold: agg.DefaultIdleThreshold, Seed: 7})
	defer table.Release()
	for _, data := range lists {
		for len(data) > 0 {
			rest, err := table.Absorb(data)
			if err != nil {
				t.Fatal(err)
			}
			data = rest
		}
	}
	return rows(table)
}

// rows are the sessions of a table in the order of the output, encoded: the
// text of 100,000 rows would take the race detector minutes.
func rows(table *agg.Table) string {
	var b []byte
	for _, r := range table.Rows() {
		b = table.AppendSession(b, r.Index)
	}
	return string(b)
}

// unlimited are the rows of a run with one worker that holds everything.
func unlimited(t *testing.T, cut ...[]flow.Event) string {
	t.Helper()
	tables, err := Run(context.Background(), config(1, cut...))
	if err != nil {
		t.Fatal(err)
	}
	defer tables[0].Release()
	return rows(tables[0])
}

// config is that of a run over the events in the given stretches.
func config(workers int, cut ...[]flow.Event) Config[*fakeBlock] {
	c := Config[*fakeBlock]{
		Workers:    workers,
		LeastSpill: LeastSpill,
		NewBlock:   func() *fakeBlock { return &fakeBlock{workers: workers} },
		Sessions:   agg.Options{IdleThreshold: agg.DefaultIdleThreshold, Seed: 7},
	}
	for _, events := range cut {
		c.Stretches = append(c.Stretches, &fakeStretch{events: events})
	}
	return c
}

// wideEvents are packets of so many sessions that each block makes a table
// outgrow a scarce share.
func wideEvents(n int) []flow.Event {
	list := testEvents(n, 3)
	for i := range list {
		list[i].Key.VLANOuter = uint16(i % 2000)
	}
	return list
}

// scarce gives a run memory for a table without sessions.
func scarce(c Config[*fakeBlock]) Config[*fakeBlock] {
	c.Share, c.LeastSpill = 8<<10, 4<<10
	return c
}

// What is spilled, sorted as Keeper says, has the sessions that a run without a
// limit has.
func TestSpillKeepsOrder(t *testing.T) {
	events := wideEvents(7000)
	cuts := [][][]flow.Event{{events}, {events[:5000], events[5000:5100], events[5100:]}}
	for _, cut := range cuts {
		want := unlimited(t, cut...)
		k := newMemoryKeeper()
		c := scarce(config(1, cut...))
		c.Keeper = k
		tables, err := Run(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		var lists [][]byte
		spilled := 0
		for w, table := range tables {
			tables := k.sorted(w)
			for _, p := range tables {
				lists = append(lists, p.sessions)
			}
			spilled += len(tables)
			if len(tables) > 0 && table.Len() > 0 {
				t.Errorf("worker %d spilled, and kept %d sessions", w, table.Len())
			}
			lists = append(lists, encode(nil, table))
			table.Release()
		}
		if spilled < 2 {
			t.Errorf("only %d tables", spilled)
		}
		if got := absorbed(t, lists...); got != want {
			t.Errorf("%d stretches: rows differ from those without a limit", len(cut))
		}
	}
}

// churn are n packets of sessions of two, but for every 20th, which is of one
// of a hundred that go on.
func churn(n int) []flow.Event {
	list := testEvents(n, 9)
	for i := range list {
		number := 100 + i/4*2 + i%2
		if i%20 == 0 {
			number = i / 20 % 100
		}
		list[i].Key.SrcPort, list[i].Key.VLANOuter = uint16(number), uint16(number>>16)
	}
	return list
}

// With an idle time-out, what has ended leaves and what goes on stays: every
// session is written once, within the share, however many there are.
func TestEvictedOnce(t *testing.T) {
	events := churn(60_000)
	third := len(events) / 3
	cuts := [][][]flow.Event{{events}, {events[:third], events[third : 2*third], events[2*third:]}}
	for _, cut := range cuts {
		whole := config(1, cut...)
		whole.Sessions.IdleTimeout = 2e9
		tables, err := Run(context.Background(), whole)
		if err != nil {
			t.Fatal(err)
		}
		want, sessions := rows(tables[0]), tables[0].Len()
		tables[0].Release()

		k := newMemoryKeeper()
		c := config(1, cut...)
		c.Sessions.IdleTimeout, c.Share, c.LeastSpill, c.Keeper = 2e9, 2<<20, 1<<20, k
		tables, err = Run(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		if tables[0].Len() > 0 {
			t.Errorf("%d sessions were kept", tables[0].Len())
		}
		tables[0].Release()
		var lists [][]byte
		for _, p := range k.sorted(0) {
			lists = append(lists, p.sessions)
		}
		if got := absorbed(t, lists...); got != want {
			t.Errorf("%d stretches: rows differ from those without a limit", len(cut))
		}
		if len(lists) < 3 || len(cut) == 1 && k.sessions != sessions {
			t.Errorf("%d stretches: %d sessions in %d spilled tables, there were %d", len(cut), k.sessions, len(lists), sessions)
		}
		if k.most > c.Share+4<<20 { // and a chunk of sessions, of records and of digests
			t.Errorf("%d stretches: a table of %d bytes", len(cut), k.most)
		}
	}
}

// With Separate each stretch is handed over whole, and nothing is merged.
func TestSeparate(t *testing.T) {
	events := testEvents(6000, 5)
	cut := [][]flow.Event{events[:1000], events[1000:1001], events[1001:4000], {}, events[4000:]}
	k := newMemoryKeeper()
	c := config(3, cut...)
	c.Separate, c.Keeper = true, k
	tables, err := Run(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		if table.Len() > 0 {
			t.Errorf("%d sessions were merged", table.Len())
		}
		table.Release()
	}
	for i := range cut {
		if got, want := absorbed(t, k.kept[i]), unlimited(t, cut[i]); got != want {
			t.Errorf("stretch %d differs", i)
		}
	}
}

// An error of the keeper ends the run, wherever it comes.
func TestKeeperError(t *testing.T) {
	broken := errors.New("broken")
	for _, separate := range []bool{false, true} {
		k := newMemoryKeeper()
		k.fail = broken
		c := scarce(config(1, wideEvents(7000)))
		c.Separate, c.Keeper = separate, k
		if _, err := Run(context.Background(), c); !errors.Is(err, broken) {
			t.Errorf("separate %v: %v", separate, err)
		}
	}
}

// silentStretch waits for records that never come, as of a pipe.
type silentStretch struct{ fakeStretch }

func (s *silentStretch) Read(ctx context.Context, _ *fakeBlock) error {
	<-ctx.Done()
	return context.Cause(ctx)
}

// An error of the keeper ends the wait of another stretch.
func TestKeeperErrorEndsWait(t *testing.T) {
	k := newMemoryKeeper()
	k.fail = errors.New("broken")
	c := scarce(config(2, wideEvents(7000)))
	c.Stretches = append(c.Stretches, &silentStretch{})
	c.Keeper = k
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, err := Run(ctx, c); !errors.Is(err, k.fail) {
		t.Error(err)
	}
}

// Where sessions are cut does not depend on the scheduler: whatever is read
// side by side, and however long it takes, each worker spills the same sessions
// in the same order.
func TestSameCutsInEveryRun(t *testing.T) {
	t.Parallel()
	const seed = 31
	events := testEvents(capturetest.Usually(20_000, 60_000), seed)
	for _, workers := range []int{1, 3} {
		for _, n := range []int{1, 7} {
			var cut [][]flow.Event
			for i := range n {
				cut = append(cut, events[i*len(events)/n:(i+1)*len(events)/n])
			}
			for _, separate := range []bool{false, true} {
				var want string
				for try := range 4 {
					k := newMemoryKeeper()
					c := config(workers, cut...)
					for _, s := range c.Stretches {
						s.(*fakeStretch).size = 100
					}
					c.Share, c.LeastSpill, c.Keeper, c.Separate = 6000, 500, k, separate
					tables, err := Run(t.Context(), c)
					if err != nil {
						t.Fatal(err)
					}
					for _, table := range tables {
						table.Release()
					}
					var got []byte
					for w := range workers {
						for _, p := range k.sorted(w) {
							got = fmt.Appendf(got, "%d %d %x\n", w, p.stretch, p.sessions)
						}
					}
					if try == 0 {
						want = string(got)
					}
					if k.sessions < 50 {
						t.Fatalf("only %d sessions were spilled", k.sessions)
					}
					if string(got) != want {
						t.Fatalf("%d workers, %d stretches, separate %t, seed %d: other cuts in run %d", workers, n, separate, seed, try)
					}
				}
			}
		}
	}
}
