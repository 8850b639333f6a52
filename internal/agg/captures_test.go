package agg_test

import (
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"pcapbatch/internal/agg"
	"pcapbatch/internal/capturetest"
	"pcapbatch/internal/decode"
	"pcapbatch/internal/flow"
	"pcapbatch/internal/reader"
)

// eventsOf returns the events of a capture up to its first damage, without
// later fragments' ports. With one, all belong to one session.
func eventsOf(path string, one bool) (list []flow.Event) {
	c, err := reader.Open(path, reader.Options{})
	if err != nil {
		return nil
	}
	defer c.Close()
	d := decode.New(decode.Options{Shards: 1})
	var b reader.Block
	for c.Next(&b) == nil {
		d.Begin()
		for _, r := range b.Records {
			var ev flow.Event
			if !d.Decode(&ev, r.Link, b.Data[r.Off:r.Off+r.CapLen], r.WireLen, r.Time) {
				continue
			}
			if one {
				ev.Key = flow.Key{Version: 4}
				ev.Hash = uint32(ev.Key.Hash(0))
			}
			list = append(list, ev)
		}
	}
	return list
}

// quantities are the values of one session, kept one by one.
type quantities struct {
	last           int64
	gaps           []uint64
	sizes, payload []uint64
}

func valuesOf(events []flow.Event) map[flow.Key]*quantities {
	all := map[flow.Key]*quantities{}
	for _, ev := range events {
		q := all[ev.Key]
		if q == nil {
			q = &quantities{last: ev.Time}
			all[ev.Key] = q
		} else {
			q.gaps = append(q.gaps, uint64(max(ev.Time, q.last))-uint64(q.last))
		}
		q.last = max(q.last, ev.Time)
		q.sizes = append(q.sizes, uint64(ev.WireBytes))
		q.payload = append(q.payload, uint64(ev.PayloadBytes))
	}
	return all
}

// The rank error of medians on real captures, session by session and with all
// packets of a capture taken as one session, in one pass and after merging.
func TestRankErrorOnCaptures(t *testing.T) {
	capturetest.Arithmetic(t)
	paths := capturetest.RealCaptures(t, "../..")
	w := worst{t: t, errors: map[string]float64{}}
	for _, path := range paths {
		for _, one := range []bool{false, true} {
			events := eventsOf(path, one)
			values := valuesOf(events)
			tab := tableOf(events)
			w.check(filepath.Base(path), "", tab, values)
			tab.Release()
			r := rand.New(rand.NewPCG(7, uint64(len(events))))
			for range 3 {
				merged := mergeParts(r, agg.Options{}, events)
				w.check(filepath.Base(path), " merged", merged, values)
				merged.Release()
			}
		}
	}
	t.Logf("%d statistics of more than 64 values, %d of them of more than 112 distinct ones", w.large, w.many)
	for _, what := range []string{"gaps", "sizes", "payloads", "gaps merged", "sizes merged", "payloads merged"} {
		t.Logf("%-16s worst rank error %.3f %%", what, 100*w.errors[what])
		if w.errors[what] > 0.005 {
			t.Error("the data dictionary says 0.5 %")
		}
	}
	if w.many == 0 {
		t.Error("no session was large enough to test anything")
	}
}

// The rank errors of quantiles on real captures, taken as sessions and as one,
// in one pass and after merging.
func TestQuantileErrorsOnCaptures(t *testing.T) {
	capturetest.Arithmetic(t)
	paths := capturetest.RealCaptures(t, "../..")
	asked := []agg.Quantile{10, 100, 500, 1000, 2000, 5000, 10_000, 25_000, 50_000, 75_000, 90_000, 95_000, 98_000, 99_000, 99_500, 99_900, 99_990}
	worst := map[bool]float64{} // by whether the quantile is below 1 or above 99
	many := 0
	for _, path := range paths {
		for _, one := range []bool{false, true} {
			events := eventsOf(path, one)
			values := valuesOf(events)
			for _, q := range values {
				for _, list := range [][]uint64{q.gaps, q.sizes, q.payload} {
					slices.Sort(list)
				}
			}
			r := rand.New(rand.NewPCG(8, uint64(len(events))))
			for _, tab := range []*agg.Table{tableWith(quantiles, events), mergeParts(r, quantiles, events), mergeParts(r, quantiles, events)} {
				z := agg.Summarizer{Asked: asked}
				var s agg.Summary
				for i := range tab.Len() {
					z.Summarize(tab, uint32(i), &s)
					k := s.Key
					k.Canonical()
					q := values[k]
					if len(q.sizes) <= 128 {
						continue
					}
					many++
					for j, got := range z.Quantiles {
						outer := asked[j] <= 1000 || asked[j] >= 99_000
						worst[outer] = max(worst[outer], quantileError(q.gaps, asked[j], got.Gaps), quantileError(q.sizes, asked[j], got.Lengths), quantileError(q.payload, asked[j], got.Payloads))
					}
				}
				tab.Release()
			}
		}
	}
	t.Logf("%d sessions of more than 128 packets: worst rank error %.3f %%, outside of 1 to 99 %.3f %%", many, 100*worst[false], 100*worst[true])
	if worst[false] > 0.008 || worst[true] > 0.0015 {
		t.Error("the data dictionary says 0.8 % and 0.15 %")
	}
	if many < 100 {
		t.Errorf("only %d sessions", many)
	}
}

var quantiles = agg.Options{Needs: agg.NeedQuantiles}

// quantileError is how far the rank of x in sorted values is from quantile q.
func quantileError(sorted []uint64, q agg.Quantile, v agg.QuantileValue) float64 {
	x := v.Nearest()
	below, _ := slices.BinarySearch(sorted, x)
	upTo := len(sorted)
	if x < math.MaxUint64 {
		upTo, _ = slices.BinarySearch(sorted, x+1)
	}
	n := float64(len(sorted))
	rank := float64(q) / 100_000 * (n - 1)
	return max(0, float64(below)-1-rank, rank-float64(upTo)) / n
}

func tableOf(events []flow.Event) *agg.Table { return tableWith(agg.Options{}, events) }

func tableWith(o agg.Options, events []flow.Event) *agg.Table {
	t := agg.NewTable(o)
	for len(events) > 0 {
		n := min(len(events), 1000)
		order := make([]uint16, n)
		for i := range order {
			order[i] = uint16(i)
		}
		t.Update(events[:n], order)
		events = events[n:]
	}
	return t
}

// mergeParts cuts events into parts and merges them in a random tree.
func mergeParts(r *rand.Rand, o agg.Options, events []flow.Event) *agg.Table {
	var parts []*agg.Table
	longest := 1 + len(events)/(1+r.IntN(12))
	for len(events) > 0 {
		n := min(len(events), 1+r.IntN(longest))
		parts = append(parts, tableWith(o, events[:n]))
		events = events[n:]
	}
	if len(parts) == 0 {
		return tableWith(o, nil)
	}
	for len(parts) > 1 {
		i := r.IntN(len(parts) - 1)
		parts[i].Merge(parts[i+1])
		parts[i+1].Release()
		parts = slices.Delete(parts, i+1, i+2)
	}
	return parts[0]
}

// worst keeps the largest rank error by quantity.
type worst struct {
	t           *testing.T
	errors      map[string]float64
	large, many int
}

func (w *worst) check(capture, how string, tab *agg.Table, values map[flow.Key]*quantities) {
	if tab.Len() != len(values) {
		w.t.Fatalf("%s: %d sessions, want %d", capture, tab.Len(), len(values))
	}
	var z agg.Summarizer
	var s agg.Summary
	for i := range tab.Len() {
		z.Summarize(tab, uint32(i), &s)
		k := s.Key
		k.Canonical()
		q := values[k]
		w.median(capture, "gaps"+how, q.gaps, s.Gaps.Median)
		w.median(capture, "sizes"+how, q.sizes, s.Lengths.Median)
		w.median(capture, "payloads"+how, q.payload, s.Payloads.Median)
	}
}

func (w *worst) median(capture, what string, values []uint64, m agg.Median) {
	n := len(values)
	v := slices.Sorted(slices.Values(values))
	distinct := len(slices.Compact(slices.Clone(v)))
	if n > 0 && (n <= 64 || distinct <= 112) {
		if want := (agg.Median{Lo: v[(n-1)/2], Hi: v[n/2]}); m != want {
			w.t.Errorf("%s: median of %d %s %v, want %v", capture, n, what, m, want)
		}
	}
	if n <= 64 {
		return
	}
	w.large++
	if distinct > 112 {
		w.many++
	}
	x := m.Nearest()
	below, _ := slices.BinarySearch(v, x)
	upTo := n
	if x < math.MaxUint64 {
		upTo, _ = slices.BinarySearch(v, x+1)
	}
	e := max(0, float64(below)-float64(n)/2, float64(n)/2-float64(upTo)) / float64(n)
	w.errors[what] = max(w.errors[what], e)
	if e >= 0.01 {
		w.t.Errorf("%s: median of %d %s %v has a rank error of %.2f %%", capture, n, what, m, 100*e)
	}
}
