package agg

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"

	"pcapbatch/internal/capturetest"
	"pcapbatch/internal/flow"
)

// TestMain collects garbage less often and keeps files in memory, to save time:
// see capturetest.Run.
func TestMain(m *testing.M) { os.Exit(capturetest.Run(m)) }

// The kinds of gaps and sizes that random traffic is made of.
var (
	gapKinds = map[string]func(r *rand.Rand) uint64{
		"zero":    func(r *rand.Rand) uint64 { return 0 },
		"equal":   func(r *rand.Rand) uint64 { return 1000 },
		"few":     func(r *rand.Rand) uint64 { return r.Uint64N(3) * 1e9 },
		"seconds": func(r *rand.Rand) uint64 { return r.Uint64N(12e9) },
		"log":     func(r *rand.Rand) uint64 { return r.Uint64() >> (14 + r.UintN(50)) },
		"huge":    func(r *rand.Rand) uint64 { return r.Uint64() >> (r.UintN(12)) },
	}
	sizeKinds = map[string]func(r *rand.Rand) uint32{
		"zero":   func(r *rand.Rand) uint32 { return 0 },
		"atoms":  func(r *rand.Rand) uint32 { return []uint32{60, 60, 66, 1514}[r.IntN(4)] },
		"usual":  func(r *rand.Rand) uint32 { return 40 + r.Uint32N(1475) },
		"all":    func(r *rand.Rand) uint32 { return r.Uint32() },
		"edges":  func(r *rand.Rand) uint32 { return []uint32{0, 1, math.MaxUint32 - 1, math.MaxUint32}[r.IntN(4)] },
		"jumbo":  func(r *rand.Rand) uint32 { return 65530 + r.Uint32N(10) },
		"by log": func(r *rand.Rand) uint32 { return r.Uint32() >> r.UintN(32) },
	}
)

// kinds calls f for combinations of gaps and sizes: all if capturetest.Full
// says so, by default half of them, in short tests a third. Each gap, and each
// size, has its turn.
func kinds(f func(name string, number uint64, gap func(*rand.Rand) uint64, size func(*rand.Rand) uint32)) {
	step := uint64(capturetest.Usually(2, 1))
	if testing.Short() {
		step = 3
	}
	everyKind(func(name string, number uint64, gap func(*rand.Rand) uint64, size func(*rand.Rand) uint32) {
		if number%step == 0 {
			f(name, number, gap, size)
		}
	})
}

// everyKind calls f for every combination of gaps and sizes, in a fixed order.
func everyKind(f func(name string, number uint64, gap func(*rand.Rand) uint64, size func(*rand.Rand) uint32)) {
	gaps, sizes := sortedKeys(gapKinds), sortedKeys(sizeKinds)
	for i, g := range gaps {
		for j, s := range sizes {
			f(fmt.Sprintf("gaps=%s/sizes=%s", g, s), uint64(i*len(sizes)+j), gapKinds[g], sizeKinds[s])
		}
	}
}

func sortedKeys[V any](m map[string]V) (names []string) {
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// One session of every size around the steps of its storage.
func TestSessionSizes(t *testing.T) {
	capturetest.OneGoroutine(t)
	counts := []int{1, 2, 3, 7, 8, 9, 10, 15, 16, 17, 31, 32, 33, 63, 64, 65, 66, 112, 113, 127, 128, 129, 130, 136, 247, 248, 249, 500, 5000}
	kinds(func(name string, number uint64, gap func(*rand.Rand) uint64, size func(*rand.Rand) uint32) {
		r := newRand(number)
		for _, n := range counts {
			for _, reorder := range []int{0, 3} {
				o := Options{IdleThreshold: DefaultIdleThreshold}
				tr := traffic{keys: 1, gap: gap, size: size, reorder: reorder, start: math.MinInt64 * int64(number%2)}
				events := tr.events(r, n, 0)
				ref, tab := newReference(o), NewTable(o)
				ref.add(events)
				update(tab, r, events)
				t.Run(fmt.Sprintf("%s/packets=%d/reorder=%d", name, n, reorder), func(t *testing.T) {
					ref.check(t, tab)
					if tab.Reordered() != ref.reordered {
						t.Errorf("%d reordered, want %d", tab.Reordered(), ref.reordered)
					}
				})
				tab.Release()
			}
		}
	})
}

// Many sessions side by side, with every time-out and threshold.
func TestTableAgainstReference(t *testing.T) {
	capturetest.OneGoroutine(t)
	timeouts := []uint64{0, 0, 1, 5e9, 60e9, math.MaxUint64 >> 3}
	kinds(func(name string, number uint64, gap func(*rand.Rand) uint64, size func(*rand.Rand) uint32) {
		r := newRand(1000 + number)
		o := Options{IdleThreshold: r.Uint64N(10e9), IdleTimeout: timeouts[int(number)%len(timeouts)], Seed: r.Uint64()}
		tr := traffic{keys: 1 + int(r.ExpFloat64()*50), gap: gap, size: size, reorder: int(number % 4), start: r.Int64() - 1<<62}
		t.Run(fmt.Sprintf("%s/keys=%d/timeout=%d", name, tr.keys, o.IdleTimeout), func(t *testing.T) {
			events := tr.events(r, 4000, o.Seed)
			ref, tab := newReference(o), NewTable(o)
			defer tab.Release()
			ref.add(events)
			update(tab, r, events)
			ref.check(t, tab)
			checkRows(t, tab)
		})
	})
}

// checkRows holds the order of Rows against its definition.
func checkRows(t *testing.T, tab *Table) {
	t.Helper()
	rows := tab.Rows()
	seen := make([]bool, tab.Len())
	var z Summarizer
	var before, s Summary
	for i, row := range rows {
		z.Summarize(tab, row.Index, &s)
		if seen[row.Index] || row.First != s.First {
			t.Fatalf("row %d: %+v twice, or not at %d", i, row, s.First)
		}
		seen[row.Index] = true
		if c := before.Key.Compare(&s.Key); i > 0 && (before.First > s.First || before.First == s.First && (c > 0 || c == 0 && rows[i-1].Index >= row.Index)) {
			t.Fatalf("row %d, %v %v, is behind %v %v", i, s.First, s.Key, before.First, before.Key)
		}
		before = s
	}
	if len(rows) != tab.Len() {
		t.Fatalf("%d rows of %d sessions", len(rows), tab.Len())
	}
}

func TestCollidingHashes(t *testing.T) {
	capturetest.OneGoroutine(t)
	keys := capturetest.Usually(3000, 10_000) // each is compared with each
	if testing.Short() {
		keys = 2000
	}
	for _, hash := range []uint32{0, 0x1234_5678, math.MaxUint32} {
		o := Options{IdleTimeout: 50_000}
		ref, tab := newReference(o), NewTable(o)
		var events []flow.Event
		for i := range 4 * keys {
			k := testKey(i * 7 % keys)
			events = append(events, flow.Event{Time: int64(i + i/(2*keys)*100_000), WireBytes: uint32(i), Key: k, Hash: hash})
		}
		r := newRand(uint64(hash))
		ref.add(events)
		update(tab, r, events)
		if tab.Len() != 2*keys || tab.keys != keys {
			t.Fatalf("%d sessions of %d keys", tab.Len(), tab.keys)
		}
		ref.check(t, tab)
		tab.Release()
		keys = 1000
	}
}

// A million keys: the table grows through all kinds of memory and stays right.
func TestGrowth(t *testing.T) {
	capturetest.OneGoroutine(t)
	keys := capturetest.Usually(300_000, 1_000_000)
	if testing.Short() {
		keys = 100_000
	}
	tab := NewTable(Options{})
	defer tab.Release()
	batch := make([]flow.Event, 2000)
	order := inOrder(len(batch))
	for round := range 2 {
		for i := 0; i < keys; i += len(batch) {
			for j := range batch {
				batch[j] = plainEvent(i+j, int64(round*1000+j))
			}
			tab.Update(batch, order)
		}
	}
	if tab.Len() != keys {
		t.Fatalf("%d sessions of %d keys", tab.Len(), keys)
	}
	var z Summarizer
	var s Summary
	for i := range keys {
		z.Summarize(tab, uint32(i), &s)
		ev := plainEvent(i, 0)
		if s.Key != ev.Key || s.Packets != 2 || s.Lengths.Sum != 2*uint64(ev.WireBytes) || s.Gaps.Sum != 1000 {
			t.Fatalf("session %d: %+v", i, s)
		}
	}
	perSession := float64(tab.Bytes()) / float64(keys)
	t.Logf("%.1f bytes allocated a session of two packets", perSession)
	if !testing.Short() && perSession > 256 {
		t.Errorf("%.1f bytes a session, more than 256", perSession)
	}
}

// plainEvent is a packet of IPv4 key i.
func plainEvent(i int, time int64) flow.Event {
	k := flow.Key{Src: [16]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}, Dst: [16]byte{192, 0, 2, byte(i >> 24)}, DstPort: 443, Protocol: 6, Version: 4}
	return flow.Event{Time: time, WireBytes: uint32(60 + i%1455), PayloadBytes: uint32(i % 1455), Key: k, Hash: uint32(k.Hash(0))}
}

func TestSmallSessionBytes(t *testing.T) {
	capturetest.OneGoroutine(t)
	const keys = 3 << 15 // a table just full, and one just grown
	for _, n := range []int{keys, keys + 1} {
		tab := NewTable(Options{})
		batch := make([]flow.Event, 1)
		for i := range n {
			for p := range 8 {
				batch[0] = plainEvent(i, int64(p))
				tab.Update(batch, []uint16{0})
			}
		}
		units := int(tab.records.n)
		used := float64(sizeOf[Session]()) + float64(units*sizeOf[unit]()+8*len(tab.slots))/float64(n)
		t.Logf("%d sessions of 8 packets: %.1f bytes each with slots; %.1f allocated", n, used, float64(tab.Bytes())/float64(n))
		if tab.Len() != n || units < n || tab.larges.n != 0 {
			t.Errorf("%d sessions of 8 packets took %d units and %d digest blocks", tab.Len(), units, tab.larges.n)
		}
		if used > 256 {
			t.Errorf("%.1f bytes a session, more than 256", used)
		}
		tab.Release()
	}
}

func TestLargeSessionBytes(t *testing.T) {
	capturetest.OneGoroutine(t)
	tab := NewTable(Options{})
	defer tab.Release()
	const packets, batches = 500_000, 250
	r := newRand(1)
	batch := make([]flow.Event, packets/batches)
	order := inOrder(len(batch))
	now := int64(0)
	for range batches {
		for j := range batch {
			now += int64(r.Uint64() >> (20 + r.UintN(40)))
			batch[j] = plainEvent(0, now)
			batch[j].WireBytes, batch[j].PayloadBytes = r.Uint32(), r.Uint32()
		}
		tab.Update(batch, order)
	}
	var z Summarizer
	var s Summary
	if z.Summarize(tab, 0, &s); s.Packets != packets || tab.Len() != 1 {
		t.Fatalf("%d packets in %d sessions", s.Packets, tab.Len())
	}
	// What the session itself takes, and the smaller blocks that it has left
	// for others: they stay with the table.
	block := int(unitsOf(lastClass)) * sizeOf[unit]()
	own := sizeOf[Session]() + block + sizeOf[large]() + 8*3
	left := int(tab.records.n)*sizeOf[unit]() - block
	t.Logf("a session of %d packets: %d bytes, and %d bytes of smaller blocks left to others", packets, own, left)
	if tab.larges.n != 1 || own > 8<<10 || left > block {
		t.Errorf("%d digest blocks, %d bytes own, %d left", tab.larges.n, own, left)
	}
}

// A session that grows leaves its smaller block to the next.
func TestBlocksAreReused(t *testing.T) {
	tab := NewTable(Options{})
	defer tab.Release()
	const sessions = 50
	for i := range sessions {
		batch := make([]flow.Event, 3*exactRecords)
		for p := range batch {
			batch[p] = plainEvent(i, int64(p))
		}
		tab.Update(batch, inOrder(len(batch)))
	}
	small := uint32(0)
	for class := range lastClass {
		small += unitsOf(class)
	}
	if want := sessions*unitsOf(lastClass) + small; tab.records.n != want {
		t.Errorf("%d units of records, want %d", tab.records.n, want)
	}
}

// Bytes counts every allocation once: without sessions it is the slots.
func TestBytes(t *testing.T) {
	tab := NewTable(Options{})
	defer tab.Release()
	if got := tab.Bytes(); got != minSlots*8 {
		t.Errorf("an empty table has %d bytes, want %d", got, minSlots*8)
	}
	for range 12 {
		tab.ensure(len(tab.slots))
	}
	slots := int64(len(tab.slots)) * 8
	if got := tab.Bytes(); got < slots || got > slots+ownSlots {
		t.Errorf("%d bytes for %d bytes of slots", got, slots)
	}
}

// ownSlots bounds what the smaller slots of a growing table keep: each twice
// the one before, up to the size from which an allocation is given back.
const ownSlots = 4 << 20

func TestResetAndReuse(t *testing.T) {
	capturetest.OneGoroutine(t)
	o := Options{IdleThreshold: 1000}
	tab := NewTable(o)
	defer tab.Release()
	bytes := int64(0)
	for round := range 6 {
		r := newRand(uint64(round / 2)) // every load twice
		tr := traffic{keys: 3 + 400*(round/2), gap: gapKinds["log"], size: sizeKinds["by log"], reorder: 5}
		events := tr.events(r, 20_000, 0)
		ref := newReference(o)
		ref.add(events)
		update(tab, r, events)
		ref.check(t, tab)
		if tab.Reordered() != ref.reordered {
			t.Errorf("%d reordered, want %d", tab.Reordered(), ref.reordered)
		}
		if round%2 == 1 && tab.Bytes() != bytes {
			t.Errorf("the same load again took %d bytes, %d before", tab.Bytes(), bytes)
		}
		bytes = tab.Bytes()
		if tab.Reset(); tab.Len() != 0 || tab.Reordered() != 0 || len(tab.Rows()) != 0 {
			t.Fatal("not empty after Reset")
		}
	}
}

func TestUpdateAllocates(t *testing.T) {
	capturetest.OneGoroutine(t)
	tab := NewTable(Options{})
	defer tab.Release()
	r := newRand(2)
	tr := traffic{keys: 200, gap: gapKinds["log"], size: sizeKinds["by log"], reorder: 9}
	events := tr.events(r, 50_000, 0)
	order := inOrder(len(events))
	tab.Update(events, order) // sessions of 250 packets each: all have their blocks
	runs := 0
	if n := testing.AllocsPerRun(20, func() { tab.Update(events, order); runs++ }); n != 0 {
		t.Errorf("%v allocations for %d packets", n, len(events))
	}
	var z Summarizer
	var s Summary
	total := uint64(0)
	if n := testing.AllocsPerRun(1, func() {
		total = 0
		for i := range tab.Len() {
			z.Summarize(tab, uint32(i), &s)
			total += s.Packets
		}
	}); n != 0 {
		t.Errorf("%v allocations for %d summaries", n, tab.Len())
	}
	if want := uint64(len(events)) * uint64(runs+1); total != want {
		t.Errorf("%d packets counted, want %d", total, want)
	}
}

func TestConcurrentSummarizers(t *testing.T) {
	tr := traffic{keys: 40, gap: gapKinds["seconds"], size: sizeKinds["usual"]}
	tab := NewTable(Options{IdleThreshold: DefaultIdleThreshold})
	defer tab.Release()
	r := newRand(3)
	events := tr.events(r, 8000, 0)
	update(tab, r, events)
	ref := newReference(Options{IdleThreshold: DefaultIdleThreshold})
	ref.add(events)
	want, encoded := digestOf(tab), tab.AppendSession(nil, 0)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if got := digestOf(tab); got != want {
				t.Errorf("a summarizer beside others found %x, want %x", got, want)
			}
			if !slices.Equal(tab.AppendSession(nil, 0), encoded) {
				t.Error("another encoding")
			}
		})
	}
	wg.Wait()
	ref.check(t, tab)
}

// The results do not depend on build tags, nor on the platform: this is the
// checksum of one run, the same with "go test -tags safe". It changes when the
// digest clusters otherwise, and for no other reason.
func TestSameResultsEverywhere(t *testing.T) {
	capturetest.OneGoroutine(t)
	const want = 0xc7ab8fb89c16bc66
	h := fnv.New64a()
	everyKind(func(name string, number uint64, gap func(*rand.Rand) uint64, size func(*rand.Rand) uint32) {
		r := newRand(2000 + number)
		tr := traffic{keys: 4, gap: gap, size: size, reorder: 7}
		tab := NewTable(Options{IdleThreshold: DefaultIdleThreshold, IdleTimeout: number % 2 * 60e9})
		defer tab.Release()
		update(tab, r, tr.events(r, 6000, 0))
		fmt.Fprintln(h, name, checksumOf(tab, basicOf))
	})
	if got := h.Sum64(); got != want {
		t.Errorf("checksum %#x, want %#x", got, uint64(want))
	}
}
