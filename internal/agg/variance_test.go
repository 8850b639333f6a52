package agg

import (
	"math"
	"math/big"
	"testing"
)

// Variance agrees with fractions, for values and numbers of all sizes.
func TestVariance(t *testing.T) {
	r := newRand(77)
	for i := range 20_000 {
		var m Moments
		values := make([]uint64, 1+r.IntN(9))
		limit := uint64(1)<<(1+r.IntN(32)) - 1
		for k := range values {
			values[k] = r.Uint64() & limit
		}
		m.add(values)
		for range r.IntN(3) * (i % 15) { // as many packets as that doubles
			o := m
			m.merge(&o)
		}
		scale := []uint64{1, 1e6, 1e15}[i%3]
		if hi, lo := m.Variance(scale); !sameNumber(hi, lo, roundedFraction(varianceOf(&m, scale))) {
			t.Fatalf("%+v times %d: %d, %d", m, scale, hi, lo)
		}
	}
	largest := Moments{}
	largest.add([]uint64{0, math.MaxUint32})
	for range 40 {
		o := largest
		largest.merge(&o)
		if hi, lo := largest.Variance(1e6); !sameNumber(hi, lo, roundedFraction(varianceOf(&largest, 1e6))) {
			t.Fatalf("%+v: %d, %d", largest, hi, lo)
		}
	}
}

// varianceOf returns the variance of a sample times scale as a fraction.
func varianceOf(m *Moments, scale uint64) (num, den *big.Int) {
	n, sum := new(big.Int).SetUint64(m.N), new(big.Int).SetUint64(m.Sum)
	squares := new(big.Int).SetUint64(m.SqHi)
	squares.Add(squares.Lsh(squares, 64), new(big.Int).SetUint64(m.SqLo))
	num = new(big.Int).Mul(n, squares)
	num.Sub(num, sum.Mul(sum, sum))
	if m.N < 2 {
		return new(big.Int), big.NewInt(1)
	}
	return num.Mul(num, new(big.Int).SetUint64(scale)), n.Mul(n, new(big.Int).SetUint64(m.N-1))
}

// roundedFraction rounds to the nearest integer, ties to even.
func roundedFraction(num, den *big.Int) *big.Int {
	q, rest := new(big.Int).DivMod(num, den, new(big.Int))
	if c := rest.Lsh(rest, 1).Cmp(den); c > 0 || c == 0 && q.Bit(0) == 1 {
		q.Add(q, big.NewInt(1))
	}
	return q
}

func sameNumber(hi, lo uint64, want *big.Int) bool {
	got := new(big.Int).SetUint64(hi)
	got.Add(got.Lsh(got, 64), new(big.Int).SetUint64(lo))
	return got.Cmp(want) == 0
}

func TestRatio(t *testing.T) {
	r := newRand(78)
	for i := range 100_000 {
		x, scale, y := r.Uint64()>>r.IntN(64), r.Uint64()>>r.IntN(64), r.Uint64()>>r.IntN(64)
		if i%5 == 0 { // ties
			scale, y = 1, 2
		}
		want := new(big.Int)
		if y != 0 {
			num := new(big.Int).SetUint64(x)
			want = roundedFraction(num.Mul(num, new(big.Int).SetUint64(scale)), new(big.Int).SetUint64(y))
		}
		if hi, lo := Ratio(x, scale, y); !sameNumber(hi, lo, want) {
			t.Fatalf("%d * %d / %d: %d, %d, want %s", x, scale, y, hi, lo, want)
		}
	}
}
