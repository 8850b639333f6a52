package agg

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"pcapbatch/internal/flow"

	"pcapbatch/internal/capturetest"
)

// An evictor gives events to a table that does not keep all of its sessions,
// and collects those that leave it as they would lie on disk.
type evictor struct {
	t     *testing.T
	table *Table
	parts [][]byte
	count int // sessions in parts
	// reordered is what the tables say of the parts.
	reordered uint64
}

// put takes the sessions that KeyOrder lists.
func (e *evictor) put() error {
	var part []byte
	for _, i := range e.table.KeyOrder(nil) {
		part = e.table.AppendSession(part, i)
		e.count++
	}
	e.parts = append(e.parts, part)
	e.reordered += e.table.Reordered()
	return nil
}

// evict is Table.Evict, whether it pays or not.
func (e *evictor) evict() {
	e.table.live = 0
	if err := e.table.Evict(e.put, false); err != nil {
		e.t.Fatal(err)
	}
}

// spill puts all sessions away.
func (e *evictor) spill() {
	next := NewTable(e.table.opt)
	e.put()
	e.table.Release()
	e.table = next
}

// merged is what the parts of one capture merge into.
func (e *evictor) merged(o Options) *Table {
	e.spill()
	e.table.Release()
	tab := NewTable(o)
	for _, part := range e.parts {
		for len(part) > 0 {
			rest, err := tab.Absorb(part)
			if err != nil {
				e.t.Fatal(err)
			}
			part = rest
		}
	}
	return tab
}

// Sessions that are evicted at any time, rightly or not, merge into what they
// would have been: with packets so late that their session is gone, with gaps
// around the time-out, with whole tables spilled in between.
func TestEvictEqualsOnePass(t *testing.T) {
	capturetest.OneGoroutine(t)
	evictions := 0
	kinds(func(kind string, number uint64, gap func(*rand.Rand) uint64, size func(*rand.Rand) uint32) {
		r := newRand(7000 + number)
		for round := range 6 {
			o := Options{IdleThreshold: 1e9, IdleTimeout: []uint64{1, 2e9, 30e9, 1 << 40}[r.IntN(4)], Seed: r.Uint64()}
			tr := traffic{keys: []int{30, 100, 400}[round%3], gap: gap, size: size, reorder: []int{0, 3, 10}[r.IntN(3)], start: -1 << 62}
			events := tr.events(r, 1+r.IntN(2000), o.Seed)
			ref := newReference(o)
			ref.add(events)
			e := &evictor{t: t, table: NewTable(o)}
			for rest := events; len(rest) > 0; {
				n := min(len(rest), 1+r.IntN(200))
				update(e.table, r, rest[:n])
				rest = rest[n:]
				if before := len(e.parts); r.IntN(8) == 0 {
					e.spill()
				} else if e.evict(); len(e.parts) > before {
					evictions++
				}
			}
			merged := e.merged(o)
			t.Run(fmt.Sprintf("%s/keys=%d/timeout=%d", kind, tr.keys, o.IdleTimeout), func(t *testing.T) {
				ref.checkByRow(t, merged)
				checkRows(t, merged)
				if n := merged.InexactGaps(); n != 0 {
					t.Errorf("%d sessions have inexact gaps", n)
				}
				if n := e.reordered + merged.Reordered(); distinct(events) && n != ref.reordered {
					t.Errorf("%d reordered, want %d", n, ref.reordered)
				}
			})
			merged.Release()
		}
	})
	if evictions < 200 {
		t.Errorf("only %d evictions", evictions)
	}
}

// checkByRow is check for a table whose sessions did not begin in order.
func (ref *reference) checkByRow(t *testing.T, tab *Table) {
	t.Helper()
	want := map[flow.Key]map[int64]*refSession{}
	for _, s := range ref.list {
		key := s.key
		key.Canonical()
		if want[key] == nil {
			want[key] = map[int64]*refSession{}
		}
		want[key][s.first] = s
	}
	if tab.Len() != len(ref.list) {
		t.Fatalf("%d sessions, want %d", tab.Len(), len(ref.list))
	}
	var z Summarizer
	var got Summary
	for i := range uint32(tab.Len()) {
		z.Summarize(tab, i, &got)
		s := want[tab.Key(i)][got.First]
		if s == nil {
			t.Fatalf("session %d begins at %d, where none does", i, got.First)
		}
		s.check(t, int(i), ref.opt, &got)
	}
}

// distinct reports whether no two packets have the same time. Of several that
// came late at one time a merge counts one.
func distinct(events []flow.Event) bool {
	seen := map[int64]bool{}
	for i := range events {
		seen[events[i].Time] = true
	}
	return len(seen) == len(events)
}

// longAndShort are n events, 10 ms apart, of four sessions that never end and of
// short ones, of five packets each, that are over after 50 ms.
func longAndShort(n int) []flow.Event {
	r := newRand(71)
	list := make([]flow.Event, n)
	for i := range list {
		number := 4 + i/10
		if i%2 == 0 {
			number = i / 2 % 4
		}
		key := testKey(number)
		list[i] = flow.Event{Time: int64(i) * 1e7, WireBytes: 60 + r.Uint32N(1400), PayloadBytes: r.Uint32N(1000), Key: key, Hash: uint32(key.Hash(0))}
	}
	return list
}

// Sessions that go on are never cut: their medians are those of one pass, to
// the bit, and each session leaves the table once, whole. The table takes
// little more memory than when it first asked.
func TestEvictKeepsLiveSessions(t *testing.T) {
	capturetest.OneGoroutine(t)
	o := Options{IdleThreshold: DefaultIdleThreshold, IdleTimeout: 60e9}
	events := longAndShort(500_000)
	whole := NewTable(o)
	defer whole.Release()
	e := &evictor{t: t, table: NewTable(o)}
	const first = 4 << 20
	most := int64(0)
	for rest := events; len(rest) > 0; rest = rest[1000:] {
		whole.Update(rest[:1000], inOrder(1000))
		e.table.Update(rest[:1000], inOrder(1000))
		if e.table.Used() > first {
			if err := e.table.Evict(e.put, false); err != nil {
				t.Fatal(err)
			}
		}
		most = max(most, e.table.Bytes())
	}
	if n := len(e.parts); n < 2 || n > 12 {
		t.Errorf("%d parts", n)
	}
	if most > first+8<<20 {
		t.Errorf("%d bytes at most, all in one table are %d", most, whole.Bytes())
	}
	merged := e.merged(o)
	defer merged.Release()
	if digestOf(merged) != digestOf(whole) {
		t.Error("not what one table has")
	}
	if e.count != whole.Len() {
		t.Errorf("%d sessions left the table, there were %d", e.count, whole.Len())
	}
}

// What leaves gives its records and digest blocks to what comes: the same load
// again takes no memory.
func TestEvictReuses(t *testing.T) {
	tab := NewTable(Options{IdleTimeout: 1e9})
	defer tab.Release()
	var blocks, larges, sessions uint32
	for round := range 5 {
		for i := range 200 {
			batch := make([]flow.Event, 1+i)
			for p := range batch {
				batch[p] = plainEvent(i, int64(round)*100e9+int64(p))
			}
			tab.Update(batch, inOrder(len(batch)))
		}
		if round == 0 {
			blocks, larges, sessions = tab.records.n, tab.larges.n, tab.sessions.n
		}
		if round > 0 && (tab.larges.n != larges || tab.sessions.n != sessions+1 || tab.records.n != blocks) {
			t.Errorf("round %d: %d blocks, %d digest blocks, %d sessions; at first %d, %d, %d", round,
				tab.records.n, tab.larges.n, tab.sessions.n, blocks, larges, sessions)
		}
		last := plainEvent(1000, int64(round)*100e9+90e9)
		tab.Update([]flow.Event{last}, inOrder(1))
		tab.live = 0
		if err := tab.Evict(func() error { return nil }, false); err != nil || tab.Len() != 1 {
			t.Fatalf("%d sessions are left, %v", tab.Len(), err)
		}
	}
}

// Evict looks again only when there is more memory to gain, and after an error
// everything is there still.
func TestEvictWhen(t *testing.T) {
	tab := NewTable(Options{IdleTimeout: 10})
	defer tab.Release()
	calls := 0
	broken := errors.New("broken")
	evict := func(result error) error {
		return tab.Evict(func() error { calls++; return result }, false)
	}
	for i := range 100 {
		tab.Update([]flow.Event{plainEvent(i, int64(i))}, inOrder(1))
	}
	if err := evict(broken); err != broken || calls != 1 || tab.Len() != 100 {
		t.Errorf("%v, %d calls, %d sessions", err, calls, tab.Len())
	}
	if n := len(tab.KeyOrder(nil)); n != 100 {
		t.Errorf("%d sessions in order", n)
	}
	if err := evict(nil); err != nil || calls != 2 || tab.Len() != 11 {
		t.Errorf("%v, %d calls, %d sessions", err, calls, tab.Len())
	}
	for i := range 10 {
		tab.Update([]flow.Event{plainEvent(200+i, 99)}, inOrder(1))
	}
	if err := evict(nil); err != nil || calls != 2 {
		t.Errorf("%v, %d calls before the table has doubled", err, calls)
	}
	never := NewTable(Options{})
	defer never.Release()
	never.Update([]flow.Event{plainEvent(1, 0), plainEvent(2, 1<<60)}, inOrder(2))
	if err := never.Evict(func() error { return broken }, true); err != nil {
		t.Error("evicts without a time-out")
	}
}
