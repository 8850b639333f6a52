package agg

import (
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"pcapbatch/internal/capturetest"
)

func momentsOf(values ...uint64) *Moments {
	m := new(Moments)
	m.add(values)
	return m
}

func TestStdExactTies(t *testing.T) {
	spread := func(n int, mid, d uint64) []uint64 { // mid n-2 times, mid-d and mid+d
		v := slices.Repeat([]uint64{mid}, n)
		v[0], v[n-1] = mid-d, mid+d
		return v
	}
	for _, c := range []struct {
		values []uint64
		scale  uint64
		sample bool
		want   uint64
	}{
		{[]uint64{0, 1}, 1, false, 0}, // 0.5
		{[]uint64{0, 3}, 1, false, 2}, // 1.5
		{[]uint64{0, 5}, 1, false, 2}, // 2.5
		{[]uint64{7, 14}, 1, false, 4},
		{[]uint64{0, 1<<63 - 1}, 1, false, 1 << 62},
		{[]uint64{0, 1<<63 + 1}, 1, false, 1 << 62},
		{[]uint64{0, 1<<63 + 3}, 1, false, 1<<62 + 2},
		{spread(8, 100, 1), 1, false, 0}, // 0.5
		{spread(8, 100, 3), 1, false, 2}, // 1.5
		{spread(9, 100, 1), 1, true, 0},
		{spread(9, 100, 3), 1, true, 2},
		{spread(9, 100, 99), 1, true, 50},                           // 49.5
		{spread(32768, 60000, 1), 1e6, false, 7812},                 // 7812.5
		{spread(32768, 60000, 3), 1e6, false, 23438},                // 23437.5
		{spread(32769, 60000, 5), 1e6, true, 39062},                 // 39062.5
		{spread(32768, 1<<31, 1<<31-1), 1e6, false, 16777215992188}, // 16777215992187.5
	} {
		m := momentsOf(c.values...)
		if got := m.Std(c.scale, c.sample); got != c.want || got != refStd(m, c.scale, c.sample) {
			t.Errorf("Std(%d, %v) of %d values from %d to %d = %d, want %d (reference %d)",
				c.scale, c.sample, m.N, m.Min, m.Max, got, c.want, refStd(m, c.scale, c.sample))
		}
	}
}

// Sums of squares that put the deviation beside the middle of two integers,
// nearer than float64 can tell.
func TestStdNearTies(t *testing.T) {
	capturetest.Arithmetic(t)
	r := newRand(10)
	tried := 0
	for tried < 20_000 {
		n, scale := 3+r.Uint64()>>(1+r.UintN(62)), []uint64{1, 1, 10, 1e6}[r.IntN(4)]
		sample := r.IntN(2) == 0
		// (x + 1/2)^2 = scale^2 * n*Q / n^2, or / n(n-1) for a sample; S = 0.
		x := big128(0, r.Uint64()>>(2+r.UintN(61)))
		x.Lsh(x, 1).Add(x, big.NewInt(1))
		q := x.Mul(x, x)
		d := n
		if sample {
			d--
		}
		q.Mul(q, big128(0, d)).Quo(q, big.NewInt(4)).Quo(q, big128(0, scale*scale))
		q.Add(q, big.NewInt(int64(r.IntN(3)-1)))
		if q.BitLen() > 128 || q.Sign() < 0 {
			continue
		}
		tried++
		m := &Moments{N: n, SqHi: new(big.Int).Rsh(q, 64).Uint64(), SqLo: new(big.Int).And(q, big128(0, math.MaxUint64)).Uint64()}
		if got, want := m.Std(scale, sample), refStd(m, scale, sample); got != want {
			t.Fatalf("Std(%d, %v) of %+v = %d, want %d", scale, sample, m, got, want)
		}
	}
}

func TestStdRandom(t *testing.T) {
	capturetest.Arithmetic(t)
	r := newRand(11)
	for range 20_000 {
		v := make([]uint64, 1+r.IntN(20))
		base, width := r.Uint64()>>r.UintN(64)/32, r.UintN(59)
		for i := range v {
			v[i] = base + r.Uint64()>>(5+width)
		}
		m := momentsOf(v...)
		for _, sample := range []bool{false, true} {
			if got, want := m.Std(1, sample), refStd(m, 1, sample); got != want {
				t.Fatalf("Std(1, %v) of %v = %d, want %d", sample, v, got, want)
			}
		}
	}
}

// Equal values have no deviation, however large they are: nothing cancels.
func TestStdOfEqualValues(t *testing.T) {
	for _, x := range []uint64{0, 1, 1514, math.MaxUint32, 1<<53 + 1, 1<<58 - 1} {
		m := momentsOf(slices.Repeat([]uint64{x}, 31)...)
		if p, s := m.Std(1, false), m.Std(1, true); p != 0 || s != 0 {
			t.Errorf("deviation of 31 times %d is %d, of a sample %d", x, p, s)
		}
		m.add([]uint64{x + 31})
		if got, want := m.Std(1, true), refStd(m, 1, true); got != want || got == 0 {
			t.Errorf("with %d: %d, want %d", x+31, got, want)
		}
	}
}

func TestStdOfNothing(t *testing.T) {
	for _, m := range []*Moments{{}, momentsOf(5)} {
		if m.Std(1, false) != 0 || m.Std(1e6, true) != 0 {
			t.Errorf("deviation of %+v is not 0", m)
		}
	}
	if new(Moments).Mean(1) != 0 {
		t.Error("mean of nothing is not 0")
	}
}

func TestMomentsMerge(t *testing.T) {
	r := newRand(12)
	for range 2000 {
		v := make([]uint64, r.IntN(40))
		for i := range v {
			v[i] = r.Uint64() >> (6 + r.UintN(58))
		}
		a, b := r.IntN(len(v)+1), r.IntN(len(v)+1)
		a, b = min(a, b), max(a, b)
		got := momentsOf(v[b:]...) // merged out of order
		got.merge(momentsOf(v[:a]...))
		got.merge(momentsOf(v[a:b]...))
		if want := refMoments(slices.Sorted(slices.Values(v))); *got != want {
			t.Fatalf("%d values cut at %d and %d: %+v, want %+v", len(v), a, b, *got, want)
		}
	}
}

// The sum of squares carries into its high half, by value and by merge.
func TestSquaresCarry(t *testing.T) {
	const big = 1<<63 - 1
	m := momentsOf(big, big)
	if want := refMoments([]uint64{big, big}); *m != want || m.SqHi == 0 {
		t.Errorf("%+v, want %+v", *m, want)
	}
	half := &Moments{N: 1, Sum: 1, SqLo: 1 << 63, Min: 1, Max: 1}
	other := *half
	if half.merge(&other); half.SqHi != 1 || half.SqLo != 0 {
		t.Errorf("%+v, want a carry", *half)
	}
	half.SqLo = math.MaxUint64
	if half.add([]uint64{1}); half.SqHi != 2 || half.SqLo != 0 {
		t.Errorf("%+v, want a carry", *half)
	}
}

func TestMulDiv(t *testing.T) {
	capturetest.Arithmetic(t)
	r := newRand(13)
	limit := big128(1, 0)
	for i := range 100_000 {
		a, b, c := r.Uint64()>>r.UintN(64), r.Uint64()>>r.UintN(64), r.Uint64()>>r.UintN(64)|1
		if i%2 == 0 { // quotients around the end of the range
			b = c + r.Uint64N(100)
			a, _ = bitsDiv(c-1, math.MaxUint64-r.Uint64N(c), max(b, c))
			a += r.Uint64N(3)
		}
		want := new(big.Int).Mul(big128(0, a), big128(0, b))
		want = roundHalfEven(new(big.Rat).SetFrac(want, big128(0, c)))
		if want.Cmp(limit) >= 0 {
			want = big128(0, math.MaxUint64)
		}
		if got := MulDiv(a, b, c); big128(0, got).Cmp(want) != 0 {
			t.Fatalf("MulDiv(%d, %d, %d) = %d, want %d", a, b, c, got, want)
		}
	}
	for _, c := range [][4]uint64{{1, 1, 2, 0}, {3, 1, 2, 2}, {5, 1, 2, 2}, {7, 1, 2, 4}, {1, 2, 3, 1}, {0, 0, 1, 0}, {math.MaxUint64, 2, 1, math.MaxUint64}} {
		if got := MulDiv(c[0], c[1], c[2]); got != c[3] {
			t.Errorf("MulDiv(%d, %d, %d) = %d, want %d", c[0], c[1], c[2], got, c[3])
		}
	}
}

// bitsDiv is (hi<<64 | lo) / c in big integers.
func bitsDiv(hi, lo, c uint64) (quo, rem uint64) {
	q, r := new(big.Int).QuoRem(big128(hi, lo), big128(0, c), new(big.Int))
	return q.Uint64(), r.Uint64()
}

func TestPerSecond(t *testing.T) {
	capturetest.Arithmetic(t)
	r := newRand(14)
	for range 50_000 {
		s := Summary{First: int64(r.Uint64())}
		s.Last = s.First + int64(r.Uint64()>>r.UintN(64))
		if s.Last < s.First {
			s.First, s.Last = s.Last, s.First
		}
		x, scale := r.Uint64()>>r.UintN(64), []uint64{1, 2, 1e6, 1<<34 - 1}[r.IntN(4)]
		hi, lo := s.PerSecond(x, scale)
		if want := refPerSecond(x, scale, s.Duration()); big128(hi, lo).Cmp(want) != 0 {
			t.Fatalf("%d in %d ns, times %d: %v, want %v", x, s.Duration(), scale, big128(hi, lo), want)
		}
	}
	for _, c := range []struct {
		ns      int64
		x       uint64
		hi, lo  uint64
		comment string
	}{
		{0, 5, 0, 0, "no duration"},
		{1e9, 5, 0, 5e6, "a second"},
		{2e15, 1, 0, 0, "half a millionth, to even"},
		{2e15, 3, 0, 2, "one and a half millionths, to even"},
	} {
		s := Summary{Last: c.ns}
		hi, lo := s.PerSecond(c.x, 1e6)
		if big128(hi, lo).Cmp(refPerSecond(c.x, 1e6, uint64(c.ns))) != 0 || hi != c.hi || lo != c.lo {
			t.Errorf("%s: %d, %d, want %d, %d", c.comment, hi, lo, c.hi, c.lo)
		}
	}
}

func TestMedianNearest(t *testing.T) {
	r := newRand(15)
	check := func(m Median) {
		sum := new(big.Int).Add(big128(0, m.Lo), big128(0, m.Hi))
		if want := roundHalfEven(new(big.Rat).SetFrac(sum, big.NewInt(2))); big128(0, m.Nearest()).Cmp(want) != 0 {
			t.Fatalf("the middle of %d and %d is %d, want %d", m.Lo, m.Hi, m.Nearest(), want)
		}
	}
	for lo := range uint64(6) {
		for d := range uint64(6) {
			check(Median{lo, lo + d})
			check(Median{math.MaxUint64 - lo - d, math.MaxUint64 - lo})
			check(Median{lo, math.MaxUint64 - d})
		}
	}
	for range 10_000 {
		a, b := r.Uint64()>>r.UintN(64), r.Uint64()>>r.UintN(64)
		check(Median{min(a, b), max(a, b)})
	}
}

func TestMedianOf(t *testing.T) {
	r := newRand(16)
	for n := range exactRecords + 1 {
		for range 50 {
			v := make([]uint64, n)
			for i := range v {
				v[i] = r.Uint64N(1 << (1 + r.UintN(62)))
			}
			sorted := slices.Sorted(slices.Values(v))
			want := Median{}
			if n > 0 {
				want = Median{sorted[(n-1)/2], sorted[n/2]}
			}
			if got := medianOf(v); got != want || !slices.IsSorted(v) {
				t.Fatalf("median of %v is %v, want %v", sorted, got, want)
			}
		}
	}
}

func BenchmarkStd(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	m := momentsOf(r.Uint64N(1e12), r.Uint64N(1e12), r.Uint64N(1e12))
	b.ReportAllocs()
	for b.Loop() {
		if m.Std(1, false) == 0 {
			b.Fatal("no deviation")
		}
	}
}
