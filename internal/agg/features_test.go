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
	capturetest.OneGoroutine(t)
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
