package agg

import (
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"pcapbatch/internal/capturetest"
)

// askedQuantiles are in thousandths of a percent.
var askedQuantiles = []Quantile{10, 100, 500, 1000, 2000, 5000, 10_000, 25_000, 50_000, 75_000, 90_000, 95_000, 98_000, 99_000, 99_500, 99_900, 99_990}

// What the data dictionary says of rank errors: between the 1st and the 99th
// percentile, and outside.
const (
	middleErrorReached = 0.008
	outerErrorReached  = 0.0015
)

// A quantiled is a quantileDigest with the records in front of it, as a session
// has them.
type quantiled struct {
	quantileDigest
	head, buffer []uint64
}

func (d *quantiled) add(scr *digestScratch, q *quantileScratch, values []uint64) {
	for _, v := range values {
		if len(d.head) < keptRecords {
			d.head = append(d.head, v)
			continue
		}
		if len(d.buffer) == exactRecords-keptRecords {
			d.fold(scr, q, d.buffer)
			d.buffer = d.buffer[:0]
		}
		d.buffer = append(d.buffer, v)
	}
}

// quantiledOfParts is digestOfParts for quantileDigests; of one part if r is
// nil.
func quantiledOfParts(scr *digestScratch, q *quantileScratch, r *rand.Rand, values []uint64) *quantiled {
	if r == nil {
		d := new(quantiled)
		d.add(scr, q, values)
		return d
	}
	var parts []*quantiled
	longest := 1 + len(values)/(1+r.IntN(20))
	for len(values) > 0 {
		n := min(len(values), 1+r.IntN(longest))
		d := new(quantiled)
		d.add(scr, q, values[:n])
		parts = append(parts, d)
		values = values[n:]
	}
	for len(parts) > 1 {
		i := r.IntN(len(parts) - 1)
		o := parts[i+1]
		parts[i].add(scr, q, o.head)
		parts[i].take(q, o.list[:o.n])
		parts[i].add(scr, q, o.buffer)
		parts = slices.Delete(parts, i+1, i+2)
	}
	return parts[0]
}

// worstQuantile returns the largest rank error of the asked quantiles between
// the 1st and the 99th percentile, and that of the others.
func (d *quantiled) worstQuantile(t *testing.T, scr *digestScratch, q *quantileScratch, sorted []uint64) (middle, outer float64) {
	t.Helper()
	list := d.with(scr, q, slices.Concat(d.head, d.buffer))
	n := weightOf(list)
	if n != uint64(len(sorted)) {
		t.Fatalf("digest of %d values has %d", len(sorted), n)
	}
	exact := len(slices.Compact(slices.Clone(sorted))) <= centroids
	for _, asked := range askedQuantiles {
		got := asked.ofList(list, n)
		if exact && got != asked.ofSorted(sorted) {
			t.Errorf("quantile %d of %d values: %+v, want %+v", asked, n, got, asked.ofSorted(sorted))
		}
		e := quantileError(sorted, asked, got.Nearest())
		if asked <= 1000 || asked >= 99_000 {
			outer = max(outer, e)
		} else {
			middle = max(middle, e)
		}
	}
	return middle, outer
}

func TestQuantileRankError(t *testing.T) {
	capturetest.Arithmetic(t)
	sizes := []int{129, 150, 250, 300, 500, 1000, 3000, 10_000}
	if capturetest.Full() {
		sizes = append(sizes, 100_000, 1_000_000)
	}
	scr, q := new(digestScratch), new(quantileScratch)
	middle, outer := 0.0, 0.0
	for number, o := range hostileOrders {
		r := newRand(13_000 + uint64(number))
		ownMiddle, ownOuter := 0.0, 0.0
		for _, n := range sizes {
			values := make([]uint64, n)
			for i := range values {
				values[i] = o.at(i, n)
			}
			sorted := slices.Sorted(slices.Values(values))
			for round := range 1 + max(1, min(20, 10_000/n)) {
				cut := r
				if round == 0 {
					cut = nil
				}
				m, e := quantiledOfParts(scr, q, cut, values).worstQuantile(t, scr, q, sorted)
				ownMiddle, ownOuter = max(ownMiddle, m), max(ownOuter, e)
			}
		}
		t.Logf("%-28s worst rank error %.3f %%, outside of 1 to 99 %.3f %%", o.name, 100*ownMiddle, 100*ownOuter)
		middle, outer = max(middle, ownMiddle), max(outer, ownOuter)
	}
	t.Logf("worst of all: %.3f %%, outside of 1 to 99 %.3f %%", 100*middle, 100*outer)
	if middle > middleErrorReached || outer > outerErrorReached {
		t.Error("more than the data dictionary says")
	}
}

// Quantiles are those of numpy, exactly, rounded once.
func TestQuantileValue(t *testing.T) {
	capturetest.Arithmetic(t)
	r := newRand(13)
	for range 50_000 {
		v := QuantileValue{Lo: r.Uint64() >> r.UintN(64), Rest: r.Uint64N(wholeQuantile)}
		v.Hi = v.Lo + r.Uint64N((^v.Lo)>>r.UintN(60)|1)
		lo, hi := new(big.Int).SetUint64(v.Lo), new(big.Int).SetUint64(v.Hi)
		x := hi.Sub(hi, lo)
		x.Mul(x, big.NewInt(int64(v.Rest)))
		num := lo.Mul(lo, big.NewInt(wholeQuantile))
		num.Add(num, x)
		if want := roundHalfEven(new(big.Rat).SetFrac(num, big.NewInt(wholeQuantile))).Uint64(); v.Nearest() != want {
			t.Fatalf("%+v: %d, want %d", v, v.Nearest(), want)
		}
	}
	// numpy.percentile([1, 2, 4, 8], [25, 50, 90, 99.9])
	for q, want := range map[Quantile]uint64{25_000: 1_750_000, 50_000: 3_000_000, 90_000: 6_800_000, 99_900: 7_988_000} {
		if got := q.ofSorted([]uint64{1, 2, 4, 8}).Micros(); got != want {
			t.Errorf("quantile %d: %d, want %d", q, got, want)
		}
	}
	if got := Quantile(50_000).ofSorted([]uint64{7}); got.Micros() != 7_000_000 {
		t.Errorf("of one value: %+v", got)
	}
}
