package agg

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"pcapbatch/internal/flow"

	"pcapbatch/internal/capturetest"
)

// Captures that overlap by few packets, or whose later part is small, merge
// exactly, feature groups and all.
func TestFeaturesOverlapExact(t *testing.T) {
	capturetest.OneGoroutine(t)
	for _, name := range sortedKeys(transfers) {
		for _, c := range []struct{ first, second, overlap int }{
			{1, 2, 1}, {5, 3, 2}, {8, 8, 7}, {200, 64, 30}, {200, 128, 128}, {3, 1000, 3}, {40, 1000, 7}, {40, 1000, 0}, {90, 300, 4}, {5000, 5000, 7}, {5000, 5000, 0},
		} {
			end := int64(c.first-1) * 10
			r := newRand(uint64(41 + c.first))
			o := everything(Options{IdleThreshold: 7, Seed: 3})
			a := sequence(ramp(c.first, 0, 10), 0)
			b := sequence(ramp(c.second, end-10*int64(c.overlap)+5, 10), c.first)
			da, db := oneConnection(r, a), oneConnection(r, b)
			ref := newReference(o)
			ref.addDetailed(a, da)
			ref.addDetailed(b, db)
			tab, later := NewTable(o), NewTable(o)
			updateDetailed(tab, r, a, da)
			updateDetailed(later, r, b, db)
			transfers[name](t, tab, later)
			t.Run(fmt.Sprintf("%s/first=%d/second=%d/overlap=%d", name, c.first, c.second, c.overlap), func(t *testing.T) {
				ref.check(t, tab)
				ref.checkFeatures(t, tab)
			})
			tab.Release()
			later.Release()
		}
	}
}

// oneConnection makes events those of one TCP connection, and returns details.
func oneConnection(r *rand.Rand, events []flow.Event) (details []flow.Detail) {
	for i := range events {
		events[i].Key.Protocol = 6
		events[i].Hash = uint32(events[i].Key.Hash(3))
		events[i].Flags ^= flow.Reversed * flow.Flags(r.IntN(2))
		if r.IntN(3) == 0 {
			events[i].PayloadBytes = 0
		}
		d := flow.NewDetail(uint8(r.Uint32())).WithHeader(20).WithTCPFlags(uint8(r.Uint32())).WithWindow(uint16(i))
		details = append(details, d)
	}
	return details
}

// Captures that overlap deeply keep all that does not depend on gaps; what
// does adds up, whatever is merged with what.
func TestFeaturesOverlapDeep(t *testing.T) {
	capturetest.OneGoroutine(t)
	o := everything(Options{IdleThreshold: 7, Seed: 3})
	marked := 0
	for _, name := range sortedKeys(transfers) {
		for round := range capturetest.Usually(24, 60) {
			r := newRand(uint64(9100 + round))
			ref := newReference(o)
			var parts []*Table
			for range 2 + r.IntN(4) {
				n := 1 + r.IntN(700)
				events := sequence(ramp(n, r.Int64N(6000), 1+r.Int64N(12)), r.IntN(1000))
				details := oneConnection(r, events)
				ref.addDetailed(events, details)
				tab := NewTable(o)
				updateDetailed(tab, r, events, details)
				parts = append(parts, tab)
			}
			merged := mergeTree(t, r, parts, transfers[name])
			marked += int(merged.InexactGaps())
			t.Run(fmt.Sprintf("%s/round=%d", name, round), func(t *testing.T) { checkDeepFeatures(t, merged, ref) })
			// What follows is exact again.
			more := sequence(ramp(300, 1e6, 10), 5)
			details := oneConnection(r, more)
			ref.addDetailed(more, details)
			updateDetailed(merged, r, more, details)
			t.Run(fmt.Sprintf("%s/round=%d/more", name, round), func(t *testing.T) { checkDeepFeatures(t, merged, ref) })
			merged.Release()
		}
	}
	if marked < 20 {
		t.Errorf("only %d sessions with inexact gaps", marked)
	}
}

func checkDeepFeatures(t *testing.T, tab *Table, ref *reference) {
	t.Helper()
	var z Summarizer
	var got Summary
	z.Summarize(tab, 0, &got)
	checkConsistent(t, tab, 0)
	checkBesideConsistent(t, tab, 0)
	s := ref.list[0]
	want := refFeatures(s, &ref.opt, &got)
	if got.Flags != want.Flags || got.IP != want.IP {
		t.Fatalf("got %+v\nwant %+v", got, want)
	}
	if tab.InexactGaps() == 0 && (got.TCP != want.TCP || got.Bulk != want.Bulk || got.Activity != want.Activity) {
		t.Fatalf("got %+v\nwant %+v", got, want)
	}
	if got.TCP != want.TCP { // by position, and times are raised exactly
		t.Fatalf("got %+v\nwant %+v", got.TCP, want.TCP)
	}
	for d := range got.Directions {
		g, w := &got.Directions[d], &want.Directions[d]
		if g.First != w.First || g.Last != w.Last || g.Packets != w.Packets || g.DataPackets != w.DataPackets || g.HeaderBytes != w.HeaderBytes || g.HeaderMin != w.HeaderMin {
			t.Fatalf("direction %d: got %+v\nwant %+v", d, g, w)
		}
		_, lengths, payloads := s.side((s.all[0].detail.Side() + d) % 2)
		s.checkSide(t, "lengths", &g.Lengths, lengths)
		s.checkSide(t, "payloads", &g.Payloads, payloads)
	}
	checkSequence(t, z.Sequence, s, MaxSequence)
}

// A table says the same of a group whether it keeps others or not.
func TestGroupsAlone(t *testing.T) {
	capturetest.OneGoroutine(t)
	r := newRand(9300)
	tr := traffic{keys: 6, gap: gapKinds["seconds"], size: sizeKinds["usual"], reorder: 9}
	events := tr.events(r, 3000, 0)
	details := detailed(r, events, 0)
	all := everything(Options{IdleThreshold: 4e9, IdleTimeout: 11e9})
	summaries := func(o Options) (list []Summary, more []string) {
		tab := mergeTree(t, newRand(1), cutDetailed(newRand(2), o, events, details), transfers["codec"])
		defer tab.Release()
		z := Summarizer{Asked: []Quantile{5000}}
		for i := range uint32(tab.Len()) {
			var s Summary
			z.Summarize(tab, i, &s)
			list, more = append(list, s), append(more, fmt.Sprint(z.Quantiles, z.Sequence))
		}
		return list, more
	}
	want, wantMore := summaries(all)
	for n := Needs(1); n <= allNeeds; n <<= 1 {
		got, _ := summaries(Options{IdleThreshold: 4e9, IdleTimeout: 11e9, Needs: n})
		for i := range want {
			w, g := only(want[i], n), only(got[i], n)
			if n&NeedEnd == 0 {
				w.End, g.End = 0, 0 // the codec leaves it out
			}
			if w != g {
				t.Fatalf("needs %b, session %d: got %+v\nwant %+v", n, i, g, w)
			}
		}
	}
	_, got := summaries(Options{IdleThreshold: 4e9, IdleTimeout: 11e9, Needs: NeedQuantiles, Sequence: MaxSequence})
	if !slices.Equal(got, wantMore) {
		t.Error("quantiles or sequences change with other groups")
	}
}

// only is what s says of the groups in n, and of the basic statistics.
func only(s Summary, n Needs) Summary {
	out := s
	out.Directions, out.Flags, out.TCP, out.Activity, out.Bulk, out.IP = [2]DirectionSummary{}, [2][8]uint64{}, TCPSummary{}, ActivitySummary{}, BulkSummary{}, IPSummary{}
	if n&NeedDirection != 0 {
		out.Directions = s.Directions
	}
	if n&NeedFlags != 0 {
		out.Flags = s.Flags
	}
	if n&NeedTCP != 0 {
		out.TCP = s.TCP
	}
	if n&NeedActivity != 0 {
		out.Activity = s.Activity
	}
	if n&NeedBulk != 0 {
		out.Bulk = s.Bulk
	}
	if n&NeedIP != 0 {
		out.IP = s.IP
	}
	if n&NeedCommunityID != 0 {
		out.IP.ICMP = s.IP.ICMP
	}
	return out
}

// A session of one direction says of it what it says of all its packets, and
// is the twin of what the other direction would be.
func TestOneDirection(t *testing.T) {
	for _, n := range []int{1, 2, 5, 128, 129, 3000} {
		r := newRand(uint64(9500 + n))
		tr := traffic{keys: 1, gap: gapKinds["log"], size: sizeKinds["by log"], reorder: 5}
		events := tr.events(r, n, 0)
		details := detailed(r, events, 0)
		var twins [2]Summary
		for side := range twins {
			for i := range events {
				events[i].Flags = events[i].Flags&^flow.Reversed | flow.Reversed*flow.Flags(side)
			}
			tab := mergeTree(t, newRand(7), cutDetailed(newRand(8), everything(Options{IdleThreshold: 1e9}), events, details), transfers["codec"])
			var z Summarizer
			s := &twins[side]
			z.Summarize(tab, 0, s)
			d := &s.Directions[0]
			if d.Gaps != s.Gaps || d.Lengths != s.Lengths || d.Payloads != s.Payloads || d.Packets != s.Packets || d.First != s.First || d.Last != s.Last {
				t.Errorf("%d packets: %+v", n, s)
			}
			if s.Directions[1] != (DirectionSummary{}) || s.Flags[1] != [8]uint64{} || s.Bulk.Bulks[1] != (BulkCounts{}) || s.IP.TTL[1] != (TTLRange{}) {
				t.Errorf("%d packets, the other direction: %+v", n, s)
			}
			tab.Release()
		}
		twins[1].Key.Reverse()
		if twins[0] != twins[1] {
			t.Errorf("%d packets: %+v\n%+v", n, twins[0], twins[1])
		}
	}
}

// Several goroutines may read one table.
func TestFeaturesConcurrently(t *testing.T) {
	tr := traffic{keys: 20, gap: gapKinds["seconds"], size: sizeKinds["usual"]}
	r := newRand(9600)
	events := tr.events(r, 6000, 0)
	details := detailed(r, events, 0)
	tab := NewTable(everything(Options{IdleThreshold: 1e9}))
	defer tab.Release()
	updateDetailed(tab, r, events, details)
	want, encoded := allSummaries(tab), tab.AppendSession(nil, 0)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if !slices.Equal(allSummaries(tab), want) || !slices.Equal(tab.AppendSession(nil, 0), encoded) {
				t.Error("another summary or encoding beside other goroutines")
			}
		})
	}
	wg.Wait()
}

// Sessions that leave a table when they end merge into what they would have
// been.
func TestFeaturesEvict(t *testing.T) {
	capturetest.OneGoroutine(t)
	for round := range capturetest.Usually(9, 21) {
		r := newRand(uint64(9400 + round))
		o := everything(Options{IdleThreshold: 1e9, IdleTimeout: []uint64{2e9, 30e9, 1 << 40}[r.IntN(3)], Seed: r.Uint64()})
		tr := traffic{keys: []int{3, 30, 200}[round%3], gap: gapKinds["seconds"], size: sizeKinds["usual"], start: -1 << 62}
		events := tr.events(r, 3000, o.Seed)
		details := detailed(r, events, o.Seed)
		whole := NewTable(o)
		updateDetailed(whole, r, events, details)
		e := &evictor{t: t, table: NewTable(o)}
		for n := 0; n < len(events); {
			k := min(len(events)-n, 1+r.IntN(300))
			updateDetailed(e.table, r, events[n:n+k], details[n:n+k])
			n += k
			if r.IntN(8) == 0 {
				e.spill()
			} else {
				e.evict()
			}
		}
		merged := e.merged(o)
		got, want := exactOnly(merged), exactOnly(whole)
		if !slices.Equal(got, want) {
			t.Fatalf("round %d: %d sessions, want %d; or another", round, len(got), len(want))
		}
		merged.Release()
		whole.Release()
	}
}

// exactOnly is what a table says but for medians and quantiles, sorted.
func exactOnly(tab *Table) (list []string) {
	var z Summarizer
	var s Summary
	for i := range uint32(tab.Len()) {
		z.Summarize(tab, i, &s)
		for _, st := range []*Stats{&s.Gaps, &s.Lengths, &s.Payloads, &s.Directions[0].Gaps, &s.Directions[0].Lengths, &s.Directions[0].Payloads,
			&s.Directions[1].Gaps, &s.Directions[1].Lengths, &s.Directions[1].Payloads} {
			st.Median = Median{}
		}
		list = append(list, fmt.Sprint(s, z.Sequence))
	}
	slices.Sort(list)
	return list
}

// All groups cost a session of up to four packets 32 bytes, and a chunk of them
// too many; one of a million packets takes at most 32 KiB, sequences apart.
func TestFeaturesBytes(t *testing.T) {
	capturetest.OneGoroutine(t)
	per := func(o Options, packets, sessions int) float64 {
		tab := NewTable(o)
		defer tab.Release()
		var events []flow.Event
		for p := range packets {
			for i := range sessions {
				events = append(events, plainEvent(i, int64(p)*1e9+int64(scramble(uint64(i*packets+p))>>40)))
				events[len(events)-1].WireBytes = uint32(scramble(uint64(p))) % 1500
			}
		}
		for len(events) > 0 {
			n := min(len(events), 2000)
			tab.UpdateDetailed(events[:n], make([]flow.Detail, n), inOrder(n))
			events = events[n:]
		}
		return float64(tab.Bytes()) / float64(sessions)
	}
	all := everything(Options{})
	all.Sequence = 0
	const many = 8 << 13
	if plain, more := per(Options{}, 4, many), per(all, 4, many); more-plain > 40 {
		t.Errorf("a session of 4 packets takes %.0f bytes, with all groups %.0f", plain, more)
	}
	session := 128.0 + 16 + 32
	block := float64(unitsOf(lastClass)) * float64(sizeOf[unit]()+sizeOf[wordUnit]())
	digests := float64(sizeOf[large]() + sizeOf[facts]() + sizeOf[sideDigests]() + sizeOf[quantileDigests]())
	t.Logf("%.0f bytes a session: %.0f, record block %.0f, digest block %d, facts %d, directions %d, quantiles %d",
		session+block+digests, session, block, sizeOf[large](), sizeOf[facts](), sizeOf[sideDigests](), sizeOf[quantileDigests]())
	if session+block+digests > 32<<10 {
		t.Error("more than 32 KiB")
	}
}
