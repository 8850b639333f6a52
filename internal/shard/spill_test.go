package shard

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"pcapbatch/internal/agg"
	"pcapbatch/internal/flow"
)

// memoryKeeper keeps what it is given as encoded sessions.
type memoryKeeper struct {
	mu    sync.Mutex
	parts map[int][]keptPart // by worker
	kept  map[int][]byte     // by stretch
	fail  error
}

type keptPart struct {
	Part
	sessions []byte
}

func newMemoryKeeper() *memoryKeeper {
	return &memoryKeeper{parts: map[int][]keptPart{}, kept: map[int][]byte{}}
}

func encode(dst []byte, t *agg.Table) []byte {
	for i := range uint32(t.Len()) {
		dst = t.AppendSession(dst, i)
	}
	return dst
}

func (k *memoryKeeper) Spill(_ context.Context, worker int, p Part, t *agg.Table) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.parts[worker] = append(k.parts[worker], keptPart{p, encode(nil, t)})
	return k.fail
}

func (k *memoryKeeper) Keep(_ context.Context, stretch int, tables []*agg.Table) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, t := range tables {
		if t != nil {
			k.kept[stretch] = encode(k.kept[stretch], t)
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
func config(workers int, cut ...[]flow.Event) Config {
	c := Config{
		Workers:  workers,
		NewBlock: func() Block { return &fakeBlock{workers: workers} },
		Sessions: agg.Options{IdleThreshold: agg.DefaultIdleThreshold, Seed: 7},
	}
	for _, events := range cut {
		c.Stretches = append(c.Stretches, &fakeStretch{events: events})
	}
	return c
}

// wideEvents are packets of so many sessions that a table outgrows smallTable.
func wideEvents(n int) []flow.Event {
	list := testEvents(n, 3)
	for i := range list {
		list[i].Key.VLANOuter = uint16(i % 20000)
	}
	return list
}

// What is spilled in parts, sorted as it says, is what stays without a limit.
func TestSpillKeepsOrder(t *testing.T) {
	events := wideEvents(70_000)
	cuts := [][][]flow.Event{{events}, {events[:50_000], events[50_000:51_000], events[51_000:]}}
	for _, cut := range cuts {
		want := unlimited(t, cut...)
		k := newMemoryKeeper()
		c := config(1, cut...)
		c.Share, c.Keeper = smallTable+1<<20, k
		tables, err := Run(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		var lists [][]byte
		spilled := 0
		for w, table := range tables {
			parts := k.parts[w]
			slices.SortStableFunc(parts, func(a, b keptPart) int { return a.Stretch - b.Stretch })
			for _, p := range parts {
				lists = append(lists, p.sessions)
			}
			spilled += len(parts)
			if len(parts) > 0 && table.Len() > 0 {
				t.Errorf("worker %d spilled, and kept %d sessions", w, table.Len())
			}
			lists = append(lists, encode(nil, table))
			table.Release()
		}
		if spilled < 2 {
			t.Errorf("only %d parts", spilled)
		}
		if got := absorbed(t, lists...); got != want {
			t.Errorf("%d stretches: rows differ from those without a limit", len(cut))
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
		c := config(1, wideEvents(70_000))
		c.Share, c.Separate, c.Keeper = smallTable+1<<20, separate, k
		if _, err := Run(context.Background(), c); !errors.Is(err, broken) {
			t.Errorf("separate %v: %v", separate, err)
		}
	}
}

func TestEach(t *testing.T) {
	var sum, busy atomic.Int64
	err := Each(context.Background(), 3, 100, func(_ context.Context, worker, i int) error {
		sum.Add(int64(i))
		busy.Or(1 << worker)
		return nil
	})
	if err != nil || sum.Load() != 4950 || busy.Load()&^7 != 0 {
		t.Errorf("sum %d, workers %b, %v", sum.Load(), busy.Load(), err)
	}
	broken := errors.New("broken")
	calls := atomic.Int64{}
	err = Each(context.Background(), 2, 1000, func(_ context.Context, _, i int) error {
		calls.Add(1)
		if i == 10 {
			return broken
		}
		return nil
	})
	if err != broken || calls.Load() < 11 {
		t.Errorf("%v after %d calls", err, calls.Load())
	}
}
