package agg

import (
	"math"
	"math/big"
	"math/bits"
)

// Moments are the sums from which mean and standard deviation are computed, and
// the extremes. All of it is integer and exact, so the result does not depend
// on how the values were split, nor on the order in which parts were merged.
//
// The sum is 64 bit: for gaps it is the duration, for lengths it overflows
// beyond 16 EiB in one session. The sum of squares never overflows while the
// sum does not, because it is at most the square of the sum. Zero is the
// state before the first value; Min and Max are valid when N > 0.
type Moments struct {
	N        uint64
	Sum      uint64
	SqHi     uint64 // sum of squares, high and low half
	SqLo     uint64
	Min, Max uint64
}

// add takes values into the sums.
func (m *Moments) add(values []uint64) {
	if len(values) == 0 {
		return
	}
	if m.N == 0 {
		m.Min = math.MaxUint64
	}
	// Local variables stay in registers; fields of m would be stored each time.
	sum, sqHi, sqLo, least, most := m.Sum, m.SqHi, m.SqLo, m.Min, m.Max
	for _, v := range values {
		sum += v
		hi, lo := bits.Mul64(v, v)
		var carry uint64
		sqLo, carry = bits.Add64(sqLo, lo, 0)
		sqHi += hi + carry
		least = min(least, v)
		most = max(most, v)
	}
	m.N += uint64(len(values))
	m.Sum, m.SqHi, m.SqLo, m.Min, m.Max = sum, sqHi, sqLo, least, most
}

// merge takes the values that o stands for into m.
func (m *Moments) merge(o *Moments) {
	if o.N == 0 {
		return
	}
	if m.N == 0 {
		*m = *o
		return
	}
	m.N += o.N
	m.Sum += o.Sum
	var carry uint64
	m.SqLo, carry = bits.Add64(m.SqLo, o.SqLo, 0)
	m.SqHi += o.SqHi + carry
	m.Min = min(m.Min, o.Min)
	m.Max = max(m.Max, o.Max)
}

// Mean returns the mean times scale, rounded to the nearest integer, ties to
// even. It is 0 without values. Requires: the mean times scale is below 2^64.
func (m *Moments) Mean(scale uint64) uint64 {
	if m.N == 0 {
		return 0
	}
	return MulDiv(m.Sum, scale, m.N)
}

// Std returns the standard deviation times scale, correctly rounded to the
// nearest integer, ties to even: of the population, sqrt(n*Q - S*S)/n with
// the sum S and the sum of squares Q, or of a sample, with n*(n-1) for n*n.
// It is 0 without values, and for a sample of one.
//
// The variance is an exact 192-bit integer, so nothing cancels however large
// the values are. The root is taken in float64, whose error is below 2^-48 of
// the result; only where that leaves the rounding open do big integers
// decide. The result is therefore the same on every CPU.
func (m *Moments) Std(scale uint64, sample bool) uint64 {
	if m.N < 2 {
		return 0
	}
	if m.N == 2 && !sample {
		// Half the distance of the two, without a root; and where that is a tie,
		// float64 would leave the rounding open.
		return MulDiv(m.Max-m.Min, scale, 2)
	}
	v, _ := m.variance()
	if v == [3]uint64{} {
		return 0
	}
	d := float64(m.N)
	if sample {
		d = math.Sqrt(d) * math.Sqrt(d-1)
	}
	square := float64(int64(v[2])) // converting a uint64 would take a branch
	if v[0]|v[1]|v[2]>>63 != 0 {
		square = float64(v[0])*0x1p128 + float64(v[1])*0x1p64 + float64(v[2])
	}
	x := math.Sqrt(square) * (float64(scale) / d) // a CPU computes root and quotient side by side
	if x < 1<<52 {
		whole := int64(x)
		if frac := x - float64(whole); math.Abs(frac-0.5) > x*0x1p-46 {
			return uint64(int64(x + 0.5))
		}
	}
	return m.stdExact(scale, sample, v)
}

// variance returns n*Q - S*S, most significant word first, and whether it is
// negative, which no values make it.
func (m *Moments) variance() (v [3]uint64, negative bool) {
	h1, l1 := bits.Mul64(m.N, m.SqHi)
	h0, l0 := bits.Mul64(m.N, m.SqLo)
	mid, carry := bits.Add64(h0, l1, 0)
	hi := h1 + carry
	s1, s0 := bits.Mul64(m.Sum, m.Sum)
	var borrow uint64
	v[2], borrow = bits.Sub64(l0, s0, 0)
	v[1], borrow = bits.Sub64(mid, s1, borrow)
	v[0], borrow = bits.Sub64(hi, 0, borrow)
	return v, borrow != 0
}

// contradict reports whether no values have these moments, because their
// variance is negative or their sum of squares above sum times maximum.
func (m *Moments) contradict() bool {
	_, negative := m.variance()
	hi, lo := bits.Mul64(m.Sum, m.Max)
	return negative || m.SqHi > hi || m.SqHi == hi && m.SqLo > lo
}

// stdExact is Std in big integers: with V/D the variance and x = scale *
// sqrt(V/D), it finds r with (2r-1)^2 * D <= 4 * scale^2 * V <= (2r+1)^2 * D.
func (m *Moments) stdExact(scale uint64, sample bool, v [3]uint64) uint64 {
	num := new(big.Int)
	for _, w := range v {
		num.Lsh(num, 64)
		num.Or(num, new(big.Int).SetUint64(w))
	}
	s := new(big.Int).SetUint64(scale)
	num.Mul(num, s.Mul(s, s))
	num.Lsh(num, 2) // 4 * scale^2 * V
	n := new(big.Int).SetUint64(m.N)
	den := new(big.Int).Set(n)
	if sample {
		den.Sub(den, big.NewInt(1))
	}
	den.Mul(den, n)
	// q = floor(2x); the nearest integer is (q+1)/2, unless 2x is an odd
	// integer: a tie.
	rest := new(big.Int)
	q, _ := new(big.Int).DivMod(num, den, rest)
	root := new(big.Int).Sqrt(q)
	tie := root.Bit(0) == 1 && rest.Sign() == 0 && new(big.Int).Mul(root, root).Cmp(q) == 0
	r := new(big.Int).Rsh(root.Add(root, big.NewInt(1)), 1)
	if tie && r.Bit(0) == 1 {
		r.Sub(r, big.NewInt(1))
	}
	return r.Uint64()
}

// MulDiv returns a*b/c rounded to the nearest integer, ties to even, and the
// largest uint64 where the result does not fit. Requires: c > 0.
func MulDiv(a, b, c uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	if hi >= c {
		return math.MaxUint64
	}
	return divRound(hi, lo, c)
}

// divRound returns (hi<<64 | lo) / c, rounded, at most the largest uint64.
// Requires: hi < c.
func divRound(hi, lo, c uint64) uint64 {
	q, r := bits.Div64(hi, lo, c)
	if rest := c - r; q < math.MaxUint64 && (r > rest || r == rest && q&1 == 1) {
		q++
	}
	return q
}
