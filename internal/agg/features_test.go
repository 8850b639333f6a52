package agg

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pcapbatch/internal/flow"
)

// everything asks for all groups, and for the longest sequence.
func everything(o Options) Options {
	o.Needs, o.Sequence = allNeeds, MaxSequence
	return o
}

// detailed gives events other protocols, and details that packets of them have.
// One connection in three begins with a handshake.
func detailed(r *rand.Rand, events []flow.Event, seed uint64) (details []flow.Detail) {
	details = make([]flow.Detail, len(events))
	for i := range events {
		k := &events[i].Key
		k.Protocol = [...]uint8{6, 6, 6, 17, 1, 58}[k.Hash(1)%6]
		events[i].Hash = uint32(k.Hash(seed))
		d := flow.NewDetail(uint8(r.Uint32())).WithHeader(int64(r.IntN(61)))
		if r.IntN(20) == 0 {
			d = d.WithFragment()
		}
		switch {
		case k.Protocol == 6 && r.IntN(10) > 0:
			d = d.WithTCPFlags([...]uint8{flow.SYN, flow.SYN | flow.ACK, flow.ACK, flow.ACK, flow.ACK | flow.PSH, flow.FIN | flow.ACK, flow.RST, flow.FIN, uint8(r.Uint32())}[min(r.IntN(40), 8)%9])
			if r.IntN(3) == 0 {
				d = d.WithWindow(uint16(r.Uint32()))
			}
		case k.Protocol == 1 || k.Protocol == 58:
			d = d.WithICMP(uint8(r.IntN(20)), uint8(r.IntN(2)))
		}
		if r.IntN(3) == 0 {
			events[i].PayloadBytes = 0
		}
		details[i] = d
	}
	return details
}

// refFeatures computes what feature groups say of a session from its packets,
// by the definitions of docs/semantics.md.
func refFeatures(s *refSession, o *Options, got *Summary) (want Summary) {
	want = *got // the medians, which checkSide looks at
	forward := s.all[0].detail.Side()
	for i, side := range [2]int{forward, 1 - forward} {
		refSide(s, side, &want, i)
	}
	want.TCP = refTCP(s, forward)
	want.Activity = refActivity(s.all, o.IdleThreshold)
	want.Bulk = refBulk(s.all, forward)
	want.IP.Fragments = 0
	for _, p := range s.all {
		if p.detail.Fragment() {
			want.IP.Fragments++
		}
	}
	m := &want.IP.ICMP
	m.Type, m.Code, m.Defined = s.all[0].detail.ICMP()
	return want
}

func refSide(s *refSession, side int, want *Summary, i int) {
	d, ttl := &want.Directions[i], &want.IP.TTL[i]
	*d = DirectionSummary{Gaps: d.Gaps, Lengths: d.Lengths, Payloads: d.Payloads}
	*ttl = TTLRange{}
	want.Flags[i] = [8]uint64{}
	for _, p := range s.all {
		if p.detail.Side() != side {
			continue
		}
		header := uint64(p.detail.Header())
		if d.Packets == 0 {
			d.First, d.HeaderMin = p.time, header
			*ttl = TTLRange{true, p.detail.TTL(), p.detail.TTL()}
		}
		d.Last = p.time
		d.Packets++
		d.HeaderBytes += header
		d.HeaderMin = min(d.HeaderMin, header)
		ttl.Min, ttl.Max = min(ttl.Min, p.detail.TTL()), max(ttl.Max, p.detail.TTL())
		if p.payload > 0 {
			d.DataPackets++
		}
		if flags, ok := p.detail.TCPFlags(); ok {
			for bit := range 8 {
				want.Flags[i][bit] += uint64(flags >> bit & 1)
			}
		}
	}
}

// side returns the three quantities of one direction.
func (s *refSession) side(side int) (gaps, lengths, payloads []uint64) {
	last := int64(0)
	for _, p := range s.all {
		if p.detail.Side() != side {
			continue
		}
		if len(lengths) > 0 {
			gaps = append(gaps, distance(last, p.time))
		}
		last = p.time
		lengths, payloads = append(lengths, uint64(p.wire)), append(payloads, uint64(p.payload))
	}
	return gaps, lengths, payloads
}

// firstWhere returns the number of the first packet of a side, or -1 of any,
// whose flags masked are want; -1 if there is none.
func firstWhere(all []packet, side int, mask, want uint8) int {
	return slices.IndexFunc(all, func(p packet) bool {
		flags, ok := p.detail.TCPFlags()
		return ok && (side < 0 || p.detail.Side() == side) && flags&mask == want
	})
}

func refTCP(s *refSession, forward int) (out TCPSummary) {
	for i, side := range [2]int{forward, 1 - forward} {
		for _, p := range s.all {
			if w, ok := p.detail.Window(); ok && p.detail.Side() == side {
				out.Window[i] = Window{true, w}
				break
			}
		}
	}
	const syn, ack = flow.SYN, flow.ACK
	if s.key.Protocol != 6 {
		return out
	}
	out.State = refState(s, forward)
	i := firstWhere(s.all, -1, syn|ack, syn)
	if i < 0 {
		return out
	}
	side := s.all[i].detail.Side()
	j := firstWhere(s.all, 1-side, syn|ack, syn|ack)
	if j < i {
		return out
	}
	out.SYNToSYNACK = Elapsed{true, distance(s.all[i].time, s.all[j].time)}
	if k := firstWhere(s.all, side, syn|ack|flow.RST, ack); k > j {
		out.SYNACKToACK = Elapsed{true, distance(s.all[j].time, s.all[k].time)}
	}
	return out
}

func refState(s *refSession, forward int) State {
	const syn, ack = flow.SYN, flow.ACK
	o := forward
	if i := firstWhere(s.all, -1, syn|ack, syn); i >= 0 {
		o = s.all[i].detail.Side()
	} else if i := firstWhere(s.all, -1, syn|ack, syn|ack); i >= 0 {
		o = 1 - s.all[i].detail.Side()
	}
	has := func(side int, mask, want uint8) bool { return firstWhere(s.all, side, mask, want) >= 0 }
	sent, answered := has(o, syn|ack, syn), has(1-o, syn|ack, syn|ack)
	established := answered && (sent || has(o, syn|ack, ack))
	fin := [2]bool{}
	rst := -1
	for _, p := range s.all {
		flags, ok := p.detail.TCPFlags()
		if ok && flags&flow.RST != 0 && rst < 0 && !(fin[0] && fin[1]) {
			rst = p.detail.Side()
		}
		if ok && flags&flow.FIN != 0 {
			fin[p.detail.Side()] = true
		}
	}
	switch {
	case rst == o && answered:
		return StateRSTO
	case rst == o:
		return StateRSTOS0
	case rst >= 0 && sent && !answered:
		return StateREJ
	case rst >= 0 && (sent || established):
		return StateRSTR
	case rst >= 0:
		return StateRSTRH
	case fin[0] && fin[1]:
		return StateSF
	case fin[o] && answered:
		return StateS2
	case fin[o]:
		return StateSH
	case fin[1-o] && (sent || established):
		return StateS3
	case fin[1-o]:
		return StateSHR
	case sent && !has(1-o, 0, 0):
		return StateS0
	case established:
		return StateS1
	}
	return StateOTH
}

func refActivity(all []packet, threshold uint64) ActivitySummary {
	var active, idle []uint64
	begin := all[0].time
	for i := 1; i < len(all); i++ {
		if gap := distance(all[i-1].time, all[i].time); gap > threshold {
			active, idle, begin = append(active, distance(begin, all[i-1].time)), append(idle, gap), all[i].time
		}
	}
	active = append(active, distance(begin, all[len(all)-1].time))
	slices.Sort(active)
	slices.Sort(idle)
	return ActivitySummary{refMoments(active), refMoments(idle)}
}

func refBulk(all []packet, forward int) (out BulkSummary) {
	out.Subflows = 1
	var list []packet
	end := func() {
		if len(list) >= 4 {
			c := &out.Bulks[(list[0].detail.Side()+forward)%2]
			c.Bulks++
			c.Packets += uint64(len(list))
			c.Duration += distance(list[0].time, list[len(list)-1].time)
			for _, p := range list {
				c.Bytes += uint64(p.payload)
			}
		}
		list = nil
	}
	for i, p := range all {
		if i > 0 && distance(all[i-1].time, p.time) > 1e9 {
			out.Subflows++
		}
		if p.payload == 0 {
			continue
		}
		if len(list) > 0 && (list[0].detail.Side() != p.detail.Side() || distance(list[len(list)-1].time, p.time) > 1e9) {
			end()
		}
		list = append(list, p)
	}
	end()
	return out
}

// checkFeatures holds all feature groups of tab against the reference.
func (ref *reference) checkFeatures(t *testing.T, tab *Table) {
	t.Helper()
	z := Summarizer{Asked: []Quantile{1, 1000, 25_000, 50_000, 75_000, 99_900, 99_999}}
	var got Summary
	for i, s := range ref.list {
		z.Summarize(tab, uint32(i), &got)
		if want := refFeatures(s, &ref.opt, &got); got != want {
			t.Fatalf("session %d of %d packets:\n got %+v\nwant %+v", i, s.packets, got, want)
		}
		forward := s.all[0].detail.Side()
		for j, d := range [2]*DirectionSummary{&got.Directions[0], &got.Directions[1]} {
			gaps, lengths, payloads := s.side((forward + j) % 2)
			s.checkSide(t, "gaps", &d.Gaps, gaps)
			s.checkSide(t, "lengths", &d.Lengths, lengths)
			s.checkSide(t, "payloads", &d.Payloads, payloads)
		}
		checkTotals(t, &got)
		checkSequence(t, z.Sequence, s, tab.opt.Sequence)
		for k, q := range z.Asked {
			checkQuantile(t, q, z.Quantiles[k].Gaps, s.gaps)
			checkQuantile(t, q, z.Quantiles[k].Lengths, s.lengths)
			checkQuantile(t, q, z.Quantiles[k].Payloads, s.payloads)
		}
	}
}

// checkSide is checkStats for one direction, whose median is exact if the
// session's is.
func (s *refSession) checkSide(t *testing.T, what string, got *Stats, values []uint64) {
	t.Helper()
	if s.packets > exactRecords && len(values) <= exactRecords && len(values) > centroids && len(slices.Compact(slices.Sorted(slices.Values(values)))) > centroids {
		v := slices.Sorted(slices.Values(values))
		if got.Moments != refMoments(v) || rankError(v, got.Median) >= rankErrorBound {
			t.Fatalf("%s: %+v of %d values", what, got, len(v))
		}
		return
	}
	checkStats(t, what, got, values)
}

// checkTotals checks that the directions add up to the session, and its
// periods to its duration.
func checkTotals(t *testing.T, s *Summary) {
	t.Helper()
	f, b := &s.Directions[0], &s.Directions[1]
	lengths, payloads := f.Lengths.Moments, f.Payloads.Moments
	lengths.merge(&b.Lengths.Moments)
	payloads.merge(&b.Payloads.Moments)
	if f.Packets+b.Packets != s.Packets || lengths != s.Lengths.Moments || payloads != s.Payloads.Moments {
		t.Fatalf("directions do not add up: %+v", s)
	}
	if s.Activity.Idle.Sum != s.Idle || s.Activity.Active.Sum != s.Duration()-s.Idle || s.Activity.Active.N != s.Activity.Idle.N+1 {
		t.Fatalf("periods do not add up: %+v", s)
	}
}

func checkSequence(t *testing.T, got []SequencePacket, s *refSession, n int) {
	t.Helper()
	var want []SequencePacket
	for i, p := range s.all[:min(n, len(s.all))] {
		q := SequencePacket{Backward: p.detail.Side() != s.all[0].detail.Side(), Wire: p.wire, Payload: p.payload}
		if i > 0 {
			q.Gap = s.gaps[i-1]
		}
		want = append(want, q)
	}
	if !slices.Equal(got, want) {
		t.Fatalf("session of %d packets: sequence\n got %+v\nwant %+v", s.packets, got, want)
	}
}

// checkQuantile holds a quantile against numpy's definition, or its rank error
// against the bound where it need not be exact.
func checkQuantile(t *testing.T, q Quantile, got QuantileValue, values []uint64) {
	t.Helper()
	if len(values) == 0 {
		if got != (QuantileValue{}) {
			t.Fatalf("quantile %d of nothing: %+v", q, got)
		}
		return
	}
	v := slices.Sorted(slices.Values(values))
	if len(v) < exactRecords || len(slices.Compact(slices.Clone(v))) <= centroids {
		if want := q.ofSorted(v); got != want {
			t.Fatalf("quantile %d of %d values: %+v, want %+v", q, len(v), got, want)
		}
		return
	}
	bound := 0.01
	if q <= 1000 || q >= 99_000 {
		bound = 0.002
	}
	if e := quantileError(v, q, got.Nearest()); e >= bound {
		t.Fatalf("quantile %d of %d values: %+v has a rank error of %.3f %%", q, len(v), got, 100*e)
	}
}

// quantileError is how far the rank of x in sorted values is from quantile q.
func quantileError(sorted []uint64, q Quantile, x uint64) float64 {
	n := float64(len(sorted))
	below, _ := slices.BinarySearch(sorted, x)
	upTo := len(sorted)
	if x < math.MaxUint64 {
		upTo, _ = slices.BinarySearch(sorted, x+1)
	}
	rank := float64(q) / wholeQuantile * (n - 1)
	return max(0, float64(below)-1-rank, rank-float64(upTo)) / n
}

// updateDetailed gives t events in batches of random size.
func updateDetailed(t *Table, r *rand.Rand, events []flow.Event, details []flow.Detail) {
	for len(events) > 0 {
		n := min(len(events), 1+r.IntN(3000))
		t.UpdateDetailed(events[:n], details[:n], inOrder(n))
		events, details = events[n:], details[n:]
	}
}

// cutDetailed is cut with details.
func cutDetailed(r *rand.Rand, o Options, events []flow.Event, details []flow.Detail) (parts []*Table) {
	for n := r.IntN(6); n >= 0 && len(events) > 0; n-- {
		k := r.IntN(len(events) + 1)
		if n == 0 {
			k = len(events)
		}
		tab := NewTable(o)
		updateDetailed(tab, r, events[:k], details[:k])
		parts = append(parts, tab)
		events, details = events[k:], details[k:]
	}
	return parts
}

// Every column of every group, in one pass and cut at random places and merged
// in a random tree.
func TestFeaturesAgainstReference(t *testing.T) {
	timeouts := []uint64{0, 30e9, math.MaxUint64 >> 2}
	for _, name := range append(sortedKeys(transfers), "one pass") {
		kinds(func(kind string, number uint64, gap func(*rand.Rand) uint64, size func(*rand.Rand) uint32) {
			r := newRand(9000 + number)
			for round := range 3 {
				o := everything(Options{IdleThreshold: 1e9, IdleTimeout: timeouts[(int(number)+round)%len(timeouts)], Seed: r.Uint64()})
				tr := traffic{keys: []int{1, 5, 60}[round], gap: gap, size: size, start: -1 << 62}
				events := tr.events(r, 1+r.IntN(1500), o.Seed)
				details := detailed(r, events, o.Seed)
				ref := newReference(o)
				ref.addDetailed(events, details)
				var tab *Table
				if name == "one pass" {
					tab = NewTable(o)
					updateDetailed(tab, r, events, details)
				} else {
					tab = mergeTree(t, r, cutDetailed(r, o, events, details), transfers[name])
				}
				t.Run(fmt.Sprintf("%s/%s/keys=%d/timeout=%d", name, kind, tr.keys, o.IdleTimeout), func(t *testing.T) {
					ref.check(t, tab)
					ref.checkFeatures(t, tab)
				})
				tab.Release()
			}
		})
	}
}
