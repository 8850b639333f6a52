package agg

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pcapbatch/internal/flow"

	"pcapbatch/internal/capturetest"
)

// transfers are the ways in which the sessions of one table come into another.
var transfers = map[string]func(t *testing.T, dst, src *Table){
	"merge": func(_ *testing.T, dst, src *Table) { dst.Merge(src) },
	"codec": func(t *testing.T, dst, src *Table) {
		t.Helper()
		for i := range uint32(src.Len()) {
			absorb(t, dst, src.AppendSession(nil, i))
		}
	},
	"codec-stream": func(t *testing.T, dst, src *Table) {
		t.Helper()
		var stream []byte
		for i := range uint32(src.Len()) {
			stream = src.AppendSession(stream, i)
		}
		for len(stream) > 0 {
			rest, err := dst.Absorb(stream)
			if err != nil {
				t.Fatal(err)
			}
			stream = rest
		}
	},
}

func absorb(t *testing.T, dst *Table, encoded []byte) {
	t.Helper()
	rest, err := dst.Absorb(encoded)
	if err != nil || len(rest) > 0 {
		t.Fatalf("Absorb left %d bytes: %v", len(rest), err)
	}
}

// tableOf makes a table of events and shows that merging leaves it alone.
func tableOf(r *rand.Rand, o Options, events []flow.Event) *Table {
	t := NewTable(o)
	update(t, r, events)
	return t
}

// mergeTree merges neighbouring tables in a random tree.
func mergeTree(t *testing.T, r *rand.Rand, parts []*Table, transfer func(*testing.T, *Table, *Table)) *Table {
	t.Helper()
	for len(parts) > 1 {
		i := r.IntN(len(parts) - 1)
		before := digestOf(parts[i+1])
		transfer(t, parts[i], parts[i+1])
		if digestOf(parts[i+1]) != before {
			t.Fatal("merging changed the source")
		}
		parts[i+1].Release()
		parts = slices.Delete(parts, i+1, i+2)
	}
	return parts[0]
}

// cut cuts events at random places, sometimes into empty parts.
func cut(r *rand.Rand, o Options, events []flow.Event) (parts []*Table) {
	for n := r.IntN(6); n >= 0 && len(events) > 0; n-- {
		k := r.IntN(len(events) + 1)
		if n == 0 {
			k = len(events)
		}
		parts = append(parts, tableOf(r, o, events[:k]))
		events = events[k:]
	}
	return parts
}

// Random sequences cut at random places and merged in a random tree are equal
// to one pass: every column, with time-outs, reordered packets (also across a
// cut, by at most seven packets a session) and the direction of the first.
func TestMergeEqualsOnePass(t *testing.T) {
	capturetest.OneGoroutine(t)
	timeouts := []uint64{0, 2e9, 30e9, math.MaxUint64 >> 2}
	for _, name := range sortedKeys(transfers) {
		kinds(func(kind string, number uint64, gap func(*rand.Rand) uint64, size func(*rand.Rand) uint32) {
			r := newRand(3000 + number)
			for round := range 3 {
				o := Options{IdleThreshold: 1e9, IdleTimeout: timeouts[(int(number)+round)%len(timeouts)], Seed: r.Uint64()}
				tr := traffic{keys: []int{1, 5, 60}[round], gap: gap, size: size, start: -1 << 62}
				events := tr.events(r, 1+r.IntN(1500), o.Seed)
				ref := newReference(o)
				ref.add(events)
				merged := mergeTree(t, r, cut(r, o, events), transfers[name])
				t.Run(fmt.Sprintf("%s/%s/keys=%d/timeout=%d", name, kind, tr.keys, o.IdleTimeout), func(t *testing.T) {
					ref.check(t, merged)
					checkRows(t, merged)
					if n := merged.InexactGaps(); n != 0 {
						t.Errorf("%d sessions have inexact gaps", n)
					}
				})
				merged.Release()
			}
		})
	}
}

// A table goes on after it has taken another in.
func TestUpdateAfterMerge(t *testing.T) {
	capturetest.OneGoroutine(t)
	for _, name := range sortedKeys(transfers) {
		r := newRand(31)
		o := Options{IdleThreshold: 1e9, IdleTimeout: 40e9}
		tr := traffic{keys: 12, gap: gapKinds["seconds"], size: sizeKinds["by log"]}
		events := tr.events(r, 3000, 0)
		ref := newReference(o)
		ref.add(events)
		tab, next := tableOf(r, o, events[:700]), tableOf(r, o, events[700:1900])
		transfers[name](t, tab, next)
		update(tab, r, events[1900:])
		ref.check(t, tab)
		tab.Release()
		next.Release()
	}
}

// sequence is one session's packets at the given times.
func sequence(times []int64, from int) []flow.Event {
	events := make([]flow.Event, len(times))
	for i, time := range times {
		events[i] = plainEvent(0, time)
		events[i].WireBytes, events[i].PayloadBytes = uint32(scramble(uint64(from+i))>>48), uint32(i)
		if i%5 == 0 {
			events[i].Flags = flow.Truncated
		}
	}
	return events
}

func ramp(n int, start, step int64) []int64 {
	times := make([]int64, n)
	for i := range times {
		times[i] = start + int64(i)*step
	}
	return times
}

// Captures that overlap by few packets, or whose later part is small, merge
// exactly.
func TestOverlapExact(t *testing.T) {
	for _, name := range sortedKeys(transfers) {
		for _, c := range []struct{ first, second, overlap int }{
			{1, 2, 1}, {5, 3, 2}, {8, 8, 7}, {200, 8, 8}, {200, 64, 1}, {200, 64, 30}, {200, 64, 64}, {200, 128, 128},
			{3, 1000, 3}, {200, 1000, 1}, {200, 1000, 7}, {5000, 5000, 7},
		} {
			end := int64(c.first-1) * 10
			a := sequence(ramp(c.first, 0, 10), 0)
			b := sequence(ramp(c.second, end-10*int64(c.overlap)+5, 10), c.first)
			o := Options{IdleThreshold: 7}
			ref := newReference(o)
			ref.add(a)
			ref.add(b)
			r := newRand(32)
			tab, later := tableOf(r, o, a), tableOf(r, o, b)
			transfers[name](t, tab, later)
			t.Run(fmt.Sprintf("%s/first=%d/second=%d/overlap=%d", name, c.first, c.second, c.overlap), func(t *testing.T) {
				ref.check(t, tab)
				if tab.InexactGaps() != 0 {
					t.Error("marked as inexact")
				}
				if got := tab.Reordered(); name == "merge" && got != ref.reordered {
					t.Errorf("%d reordered, want %d", got, ref.reordered)
				}
			})
			tab.Release()
			later.Release()
		}
	}
}

// Captures that overlap deeply keep all counts and sizes; their gaps still
// add up to the duration; and the session is marked.
func TestOverlapDeep(t *testing.T) {
	for _, name := range sortedKeys(transfers) {
		for _, c := range []struct{ first, second, overlap int }{
			{200, 129, 128}, {200, 1000, 8}, {200, 1000, 9}, {500, 400, 300}, {5000, 3000, 3000}, {5000, 3000, 4900},
		} {
			end := int64(c.first-1) * 10
			a := sequence(ramp(c.first, 0, 10), 0)
			b := sequence(ramp(c.second, end-10*int64(c.overlap)+5, 10), c.first)
			o := Options{IdleThreshold: 7}
			ref := newReference(o)
			ref.add(a)
			ref.add(b)
			r := newRand(33)
			tab, later := tableOf(r, o, a), tableOf(r, o, b)
			transfers[name](t, tab, later)
			t.Run(fmt.Sprintf("%s/first=%d/second=%d/overlap=%d", name, c.first, c.second, c.overlap), func(t *testing.T) {
				checkDeep(t, tab, ref.list[0])
			})
			tab.Release()
			later.Release()
		}
	}
}

func checkDeep(t *testing.T, tab *Table, want *refSession) {
	t.Helper()
	if tab.Len() != 1 || tab.InexactGaps() != 1 {
		t.Fatalf("%d sessions, %d of them with inexact gaps", tab.Len(), tab.InexactGaps())
	}
	var z Summarizer
	var got Summary
	z.Summarize(tab, 0, &got)
	if got.First != want.first || got.Last != want.last || got.Packets != want.packets || got.Truncated != want.truncated {
		t.Errorf("got %+v", got)
	}
	if got.Gaps.Sum != got.Duration() || got.Gaps.N != got.Packets-1 || got.Idle > got.Duration() || got.Gaps.Min != 0 {
		t.Errorf("duration %d, gaps %+v, idle %d", got.Duration(), got.Gaps, got.Idle)
	}
	if got.Gaps.Median.Hi > got.Gaps.Max || got.Gaps.contradict() {
		t.Errorf("contradicting gaps %+v", got.Gaps)
	}
	checkStats(t, "lengths", &got.Lengths, want.lengths)
	checkStats(t, "payloads", &got.Payloads, want.payloads)
}

// With an idle time-out, a later capture that begins inside a session joins
// it, and the rest of it too where the session bridges the pause.
func TestOverlapWithTimeout(t *testing.T) {
	o := Options{IdleTimeout: 100}
	a := sequence(ramp(20, 0, 10), 0) // to 190
	for _, times := range [][]int64{
		{50, 180, 400}, {0, 150, 290, 291}, {190, 291}, {191, 290, 391}, {290, 391}, {-500, 250}, {-500, -300, 100, 500},
	} {
		b := sequence(times, 20)
		ref := newReference(o)
		ref.add(a)
		ref.add(b)
		r := newRand(34)
		for _, name := range sortedKeys(transfers) {
			tab, later := tableOf(r, o, a), tableOf(r, o, b)
			transfers[name](t, tab, later)
			t.Run(fmt.Sprint(name, times), func(t *testing.T) { ref.check(t, tab) })
			tab.Release()
			later.Release()
		}
	}
}

// The sender of the first packet in capture order is the source, whichever
// part it is in.
func TestMergeKeepsDirection(t *testing.T) {
	for _, flags := range []flow.Flags{0, flow.Reversed} {
		a, b := plainEvent(0, 10), plainEvent(0, 20)
		a.Flags, b.Flags = flags, flags^flow.Reversed
		want := a.Key
		if flags != 0 {
			want.Reverse()
		}
		for _, name := range sortedKeys(transfers) {
			r := newRand(35)
			empty, first, second := NewTable(Options{}), tableOf(r, Options{}, []flow.Event{a}), tableOf(r, Options{}, []flow.Event{b})
			transfers[name](t, empty, first)
			transfers[name](t, empty, second)
			if got := empty.session(0).rowKey(); got != want || empty.Len() != 1 {
				t.Errorf("%s: %d sessions, key %v, want %v", name, empty.Len(), got, want)
			}
		}
	}
}

// A session with inexact gaps stays marked through later merges.
func TestMergeKeepsMark(t *testing.T) {
	for _, name := range sortedKeys(transfers) {
		r := newRand(38)
		first, second := tableOf(r, Options{}, sequence(ramp(5, 0, 10), 0)), tableOf(r, Options{}, sequence(ramp(5, 100, 10), 5))
		second.session(0).state |= inexactGaps
		transfers[name](t, first, second)
		if n := first.InexactGaps(); n != 1 {
			t.Errorf("%s: the mark was lost", name)
		}
		first.Release()
		second.Release()
	}
}

// Counts beyond 32 bits, by states that would take 2^32 packets to reach.
func TestMergeBeyond32Bits(t *testing.T) {
	const many = 1<<32 + 5
	r := newRand(37)
	make := func(start int64) *Table {
		tab := tableOf(r, Options{}, sequence(ramp(200, start, 10), 0))
		l := tab.larges.at(0, largeShift)
		for m := range metrics {
			l.moments[m].N += many
			zeros := digest{n: 1}
			zeros.list[0] = atomOf(0, many)
			l.digests[m].merge(&tab.scratch.digestScratch, &zeros)
			l.moments[m].Min = 0
		}
		l.packets += many
		l.truncated += many
		return tab
	}
	for _, name := range sortedKeys(transfers) {
		a, b := make(0), make(5000)
		transfers[name](t, a, b)
		var z Summarizer
		var s Summary
		z.Summarize(a, 0, &s)
		if s.Packets != 2*many+400 || s.Truncated != 2*many+80 || s.Lengths.N != s.Packets || s.Gaps.N != s.Packets-1 {
			t.Errorf("%s: %+v", name, s)
		}
		if s.Gaps.Sum != s.Duration() || s.Lengths.Median != (Median{}) {
			t.Errorf("%s: %+v", name, s)
		}
		a.Release()
		b.Release()
	}
}
