package agg

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pcapbatch/internal/capturetest"
)

// rankErrorBound is what docs/semantics.md promises of a median, as a share of
// n; rankErrorReached is what the data dictionary says was reached.
const (
	rankErrorBound   = 0.01
	rankErrorReached = 0.005
)

// rankError returns how far the rank of m is from the middle of the values, as
// a share of their number: 0 where m is a median. Requires: ascending values.
func rankError(sorted []uint64, m Median) float64 {
	x := m.Nearest()
	below, _ := slices.BinarySearch(sorted, x)
	upTo := len(sorted)
	if x < math.MaxUint64 {
		upTo, _ = slices.BinarySearch(sorted, x+1)
	}
	half := float64(len(sorted)) / 2
	return max(0, float64(below)-half, half-float64(upTo)) / float64(len(sorted))
}

// digested is a digest with the records in front of it, as a session has them:
// the head is kept, the rest is folded when it fills the block.
type digested struct {
	digest
	head   []uint64
	buffer []uint64
}

func (d *digested) add(scr *digestScratch, v uint64) {
	if len(d.head) < keptRecords {
		d.head = append(d.head, v)
		return
	}
	if len(d.buffer) == exactRecords-keptRecords {
		d.fold(scr, d.buffer)
		d.buffer = d.buffer[:0]
	}
	d.buffer = append(d.buffer, v)
}

func (d *digested) addAll(scr *digestScratch, values []uint64) {
	for _, v := range values {
		d.add(scr, v)
	}
}

// join takes o as merge does: head, then digest, then buffer.
func (d *digested) join(scr *digestScratch, o *digested) {
	d.addAll(scr, o.head)
	d.merge(scr, &o.digest)
	d.addAll(scr, o.buffer)
}

func (d *digested) median(scr *digestScratch) Median {
	values := slices.Concat(d.head, d.buffer)
	return medianOfList(d.with(scr, values))
}

// digestOfParts cuts values at random places and merges the parts in a random
// tree, neighbours only, as tables are merged.
func digestOfParts(scr *digestScratch, r *rand.Rand, values []uint64) *digested {
	var parts []*digested
	longest := 1 + len(values)/(1+r.IntN(20))
	for len(values) > 0 {
		n := min(len(values), 1+r.IntN(longest))
		d := new(digested)
		d.addAll(scr, values[:n])
		parts = append(parts, d)
		values = values[n:]
	}
	for len(parts) > 1 {
		i := r.IntN(len(parts) - 1)
		parts[i].join(scr, parts[i+1])
		parts = slices.Delete(parts, i+1, i+2)
	}
	return parts[0]
}

// valid checks what every digest must be.
func (d *digest) valid(t *testing.T, weight int) {
	t.Helper()
	n := uint64(0)
	for i := range d.list[:d.n] {
		c := &d.list[i]
		if n += c.weight(); c.weight() == 0 || i > 0 && d.list[i-1].compare(c) > 0 {
			t.Fatalf("centroid %d of %d, %+v, is empty or out of order", i, d.n, *c)
		}
	}
	if n != uint64(weight) {
		t.Fatalf("digest of %d values has %d", weight, n)
	}
}

func TestDigestRankError(t *testing.T) {
	capturetest.Arithmetic(t)
	sizes := []int{65, 129, 130, 136, 150, 200, 222, 300, 500, 1000, 3000, 10_000}
	if capturetest.Full() {
		sizes = append(sizes, 100_000, 1_000_000)
	}
	scr := new(digestScratch)
	overall := 0.0
	for number, o := range hostileOrders {
		t.Run(o.name, func(t *testing.T) {
			worst, worstMerged := 0.0, 0.0
			r := newRand(100 + uint64(number))
			for _, n := range sizes {
				values := make([]uint64, n)
				for i := range values {
					values[i] = o.at(i, n)
				}
				sorted := slices.Sorted(slices.Values(values))
				one := new(digested)
				one.addAll(scr, values)
				one.valid(t, n-len(one.head)-len(one.buffer))
				worst = max(worst, boundedError(t, sorted, one.median(scr)))
				for range max(1, min(capturetest.Usually(15, 40), 10_000/n)) {
					d := digestOfParts(scr, r, values)
					d.valid(t, n-len(d.head)-len(d.buffer))
					worstMerged = max(worstMerged, boundedError(t, sorted, d.median(scr)))
				}
			}
			t.Logf("worst rank error %.2f %%, merged %.2f %%", 100*worst, 100*worstMerged)
			overall = max(overall, worst, worstMerged)
		})
	}
	t.Logf("worst of all: %.2f %%", 100*overall)
	if overall > rankErrorReached {
		t.Errorf("rank error %.2f %%: the data dictionary says %.2f %%", 100*overall, 100*rankErrorReached)
	}
}

// boundedError returns the rank error and fails if it is not below the bound.
func boundedError(t *testing.T, sorted []uint64, m Median) float64 {
	t.Helper()
	e := rankError(sorted, m)
	if e >= rankErrorBound {
		t.Errorf("%d values: median %v has a rank error of %.2f %%", len(sorted), m, 100*e)
	}
	return e
}

// brackets are adversaries that look at the digest before each fold and put
// value k around the centroid that holds the median: b, between a and c.
var brackets = []struct {
	name string
	at   func(r *rand.Rand, k, a, b, c uint64) uint64
}{
	{"touching", func(_ *rand.Rand, k, a, b, c uint64) uint64 { return b + k - min(b, 28) }},
	{"halfway", func(_ *rand.Rand, k, a, b, c uint64) uint64 { return pick(k, a+(b-a)/2, b+(c-b)/2) }},
	{"between", func(r *rand.Rand, k, a, b, c uint64) uint64 { return a + r.Uint64N(c-a+1) }},
	{"below-and-far-above", func(r *rand.Rand, k, a, b, c uint64) uint64 { return pick(k, b-min(b, k+1), 1<<45+r.Uint64N(1<<45)) }},
	{"zero-and-below", func(_ *rand.Rand, k, a, b, c uint64) uint64 { return pick(k, 0, a+(b-a)/2) }},
	{"above-and-far-above", func(_ *rand.Rand, k, a, b, c uint64) uint64 { return pick(k, b+(c-b)/8, c+1) }},
	{"logarithmic", func(r *rand.Rand, k, a, b, c uint64) uint64 {
		return pick(k, a+(b-a)>>r.UintN(40), c-(c-b)>>r.UintN(40))
	}},
}

func pick(k, even, odd uint64) uint64 {
	if k%2 == 0 {
		return even
	}
	return odd
}

func TestDigestBracketed(t *testing.T) {
	capturetest.Arithmetic(t)
	const folds = 400
	scr := new(digestScratch)
	for number, adversary := range brackets {
		r := newRand(200 + uint64(number))
		worst := 0.0
		var d digest
		var all []uint64
		for f := range folds {
			a, b, c := d.aroundMedian()
			values := make([]uint64, exactRecords-keptRecords)
			for k := range values {
				if f < 4 {
					values[k] = r.Uint64N(1 << 46)
				} else {
					values[k] = adversary.at(r, uint64(k), a, b, c)
				}
			}
			all = append(all, values...)
			d.fold(scr, values)
			if f%9 == 0 || f == folds-1 {
				slices.Sort(all)
				worst = max(worst, boundedError(t, all, medianOfList(d.list[:d.n])))
			}
		}
		d.valid(t, len(all))
		t.Logf("%-20s worst rank error %.2f %%", adversary.name, 100*worst)
	}
}

// aroundMedian returns the mean of the centroid that holds the median and
// those of its neighbours.
func (d *digest) aroundMedian() (a, b, c uint64) {
	n, i := uint64(0), 0
	for j := range d.list[:d.n] {
		n += d.list[j].weight()
	}
	for w := uint64(0); i < int(d.n); i++ {
		if w += d.list[i].weight(); 2*w > n {
			break
		}
	}
	mean := func(i int) uint64 { return d.list[i].sum / d.list[i].weight() }
	if d.n == 0 {
		return 0, 0, 0
	}
	a, b, c = 0, mean(i), 1<<46
	if i > 0 {
		a = mean(i - 1)
	}
	if i+1 < int(d.n) {
		c = mean(i + 1)
	}
	return a, b, c
}

// Brackets nested in each other, each around the mean that the digest made of
// the one before, are the worst that is known of a t-digest: every centroid
// near the median has half its values on the wrong side (Cormode and others,
// "Theory meets Practice at the Median", 2021). No traffic looks like that;
// the test holds down how far a forger gets.
func TestDigestNestedBrackets(t *testing.T) {
	capturetest.Arithmetic(t)
	const forged = 0.04
	scr := new(digestScratch)
	worst := 0.0
	for _, share := range []int{250, 300, 350, 500, 800} {
		for _, upwards := range []bool{false, true} {
			r := newRand(300)
			var d digested
			var all []uint64
			put := func(v uint64) { all = append(all, v); d.add(scr, v) }
			l, h := uint64(1<<30), uint64(1<<30+1<<28)
			tails := func(n int) { // keeps the digest full, far from the median
				for range n {
					e := r.UintN(26)
					put(1<<30 - 1<<e - r.Uint64N(1<<e))
					put(1<<30 + 1<<28 + 1<<e + r.Uint64N(1<<e))
				}
			}
			tails(5000)
			for h-l > 8 {
				p, q := l+1, h-1
				for n := len(all) / share / 2; n > 0; n-- {
					put(p)
					put(q)
				}
				tails(len(all) / 100)
				m := d.meanBetween(p, q)
				if m == 0 {
					break
				}
				if l, h = p, m; upwards {
					l, h = m, q
				}
			}
			for range len(all) / 10 {
				put(l + r.Uint64N(h-l))
			}
			slices.Sort(all)
			worst = max(worst, rankError(all, d.median(scr)))
		}
	}
	t.Logf("worst rank error %.2f %%", 100*worst)
	if worst >= forged {
		t.Errorf("rank error %.2f %%, above the %.0f %% that package agg states for forged values", 100*worst, 100*forged)
	}
}

// meanBetween returns the mean of the first cluster between p and q, or 0.
func (d *digest) meanBetween(p, q uint64) uint64 {
	for i := range d.list[:d.n] {
		c := &d.list[i]
		if m := c.sum / c.weight(); m > p && m < q && !c.atom() {
			return m
		}
	}
	return 0
}

// Up to centroids distinct values, however many of each, the digest is exact,
// also after merging.
func TestDigestOfFewValues(t *testing.T) {
	capturetest.Arithmetic(t)
	scr := new(digestScratch)
	r := newRand(400)
	for _, distinct := range []int{1, 2, 3, 64, centroids - 1, centroids} {
		for _, n := range []int{200, 2000, 50_000} {
			values := make([]uint64, n)
			for i := range values {
				values[i] = scramble(uint64(r.IntN(distinct))) >> 20
			}
			sorted := slices.Sorted(slices.Values(values))
			want := Median{sorted[(n-1)/2], sorted[n/2]}
			one := new(digested)
			one.addAll(scr, values)
			for _, d := range []*digested{one, digestOfParts(scr, r, values)} {
				if got := d.median(scr); got != want {
					t.Errorf("%d values of %d: median %v, want %v", n, distinct, got, want)
				}
			}
		}
	}
}

// Heavy atoms stay themselves among any number of other values.
func TestDigestKeepsHeavyAtoms(t *testing.T) {
	capturetest.Arithmetic(t)
	scr := new(digestScratch)
	r := newRand(401)
	var d digested
	for range 200_000 {
		v := 100 + r.Uint64N(60_000)
		switch r.IntN(10) {
		case 0, 1, 2, 3, 4, 5:
			v = 1514
		case 6, 7, 8:
			v = 60
		}
		d.add(scr, v)
	}
	atoms := map[uint64]bool{}
	for i := range d.list[:d.n] {
		if c := &d.list[i]; c.atom() && c.weight() > 10_000 {
			atoms[c.sum/c.weight()] = true
		}
	}
	if !atoms[60] || !atoms[1514] {
		t.Errorf("heavy atoms %v, want 60 and 1514", atoms)
	}
	if got := d.median(scr); got != (Median{1514, 1514}) {
		t.Errorf("median %v, want 1514", got)
	}
}

// Weights that overflow, as forged summaries can make them, give some value
// and no panic.
func TestMedianOfOverflowingWeights(t *testing.T) {
	capturetest.Arithmetic(t)
	r := newRand(402)
	overflowed := 0
	for range 50_000 {
		list := make([]centroid, 2+r.IntN(4))
		total := 0.0
		for i := range list {
			weight := r.Uint64() >> (1 + r.UintN(8))
			total += float64(weight)
			list[i] = centroid{sum: uint64(i) * weight, weightAtom: weight<<1 | uint64(r.IntN(2))}
		}
		if total > 0x1p64 {
			overflowed++
		}
		medianOfList(list)
	}
	if overflowed == 0 {
		t.Error("nothing overflowed")
	}
}

// Clustering without branches gives what clustering with them gives.
func TestClusterBranchFree(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 20_000 {
		list := make([]centroid, 1+rng.IntN(2*centroids+exactRecords))
		most := uint64(1) << rng.IntN(48)
		for i := range list {
			list[i] = centroid{rng.Uint64N(1000), rng.Uint64N(most)<<1 | 2 | rng.Uint64N(2)}
		}
		n := weightOf(list)
		if n > mostBranchFree {
			continue
		}
		want := cluster(slices.Clone(list), n, 4)
		if got := clusterBranchFree(list, n); !slices.Equal(got, want) {
			t.Fatalf("of weight %d: %v, want %v", n, got, want)
		}
	}
}

// However often a digest has to loosen the limit, it clusters as often as the
// plain clustering does, and gives the same.
func TestStoreLoosens(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	loosened := 0
	for range 5000 {
		list := make([]centroid, centroids+1+rng.IntN(centroids+exactRecords))
		most := uint64(2) << rng.IntN(20)
		for i := range list {
			list[i] = centroid{uint64(i), (1+rng.Uint64N(most))<<1 | rng.Uint64N(2)}
		}
		n, want := weightOf(list), slices.Clone(list)
		for loose := uint64(4); len(want) > centroids; loose++ {
			if want = cluster(want, n, loose); loose > 4 {
				loosened++
			}
		}
		var d digest
		if d.store(list); !slices.Equal(d.list[:d.n], want) {
			t.Fatalf("%d centroids %v, want %d: %v", d.n, d.list[:d.n], len(want), want)
		}
	}
	if loosened == 0 {
		t.Error("the limit was never loosened")
	}
}
