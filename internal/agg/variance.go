package agg

import (
	"math/big"
	"math/bits"
)

// Variance returns the variance of a sample, (n*Q - S*S) / (n*(n-1)) with the
// sum S and the sum of squares Q, times scale, rounded to the nearest integer,
// ties to even, as a 128-bit number. It is 0 for fewer than two values.
// Requires: the result is below 2^128, as that of values below 2^32 is with any
// scale below 2^64.
func (m *Moments) Variance(scale uint64) (hi, lo uint64) {
	if m.N < 2 {
		return 0, 0
	}
	v, _ := m.variance()
	over, d := bits.Mul64(m.N, m.N-1)
	if over != 0 {
		return m.varianceLarge(scale, v)
	}
	// The dividend v * scale, most significant word first, is divided word by
	// word.
	var w [4]uint64
	w[2], w[3] = bits.Mul64(v[2], scale)
	h, l := bits.Mul64(v[1], scale)
	var carry uint64
	w[2], carry = bits.Add64(w[2], l, 0)
	w[1] = h + carry
	h, l = bits.Mul64(v[0], scale)
	w[1], carry = bits.Add64(w[1], l, 0)
	w[0] = h + carry
	var rest uint64
	for i := range w {
		w[i], rest = bits.Div64(rest, w[i], d)
	}
	return roundUp(w[2], w[3], rest, d)
}

// varianceLarge is Variance for sessions of 2^32 packets and more.
func (m *Moments) varianceLarge(scale uint64, v [3]uint64) (hi, lo uint64) {
	num := new(big.Int)
	for _, w := range v {
		num.Lsh(num, 64)
		num.Or(num, new(big.Int).SetUint64(w))
	}
	num.Mul(num, new(big.Int).SetUint64(scale))
	n := new(big.Int).SetUint64(m.N)
	den := new(big.Int).Mul(n, new(big.Int).SetUint64(m.N-1))
	q, rest := num.DivMod(num, den, new(big.Int))
	if c := rest.Lsh(rest, 1).Cmp(den); c > 0 || c == 0 && q.Bit(0) == 1 {
		q.Add(q, big.NewInt(1))
	}
	lo = new(big.Int).And(q, new(big.Int).SetUint64(^uint64(0))).Uint64()
	return q.Rsh(q, 64).Uint64(), lo
}

// Ratio returns x*scale/y, rounded to the nearest integer, ties to even, as a
// 128-bit number: 0 where y is 0.
func Ratio(x, scale, y uint64) (hi, lo uint64) {
	if y == 0 {
		return 0, 0
	}
	ph, pl := bits.Mul64(x, scale)
	if ph >= y { // else the quotient is below 2^64, and one division is enough
		hi, ph = ph/y, ph%y
	}
	lo, rest := bits.Div64(ph, pl, y)
	return roundUp(hi, lo, rest, y)
}

// roundUp rounds the quotient hi<<64 | lo of a division by d that left rest, to
// the nearest integer, ties to even.
func roundUp(hi, lo, rest, d uint64) (uint64, uint64) {
	if up := d - rest; rest > up || rest == up && lo&1 == 1 {
		var carry uint64
		lo, carry = bits.Add64(lo, 1, 0)
		hi += carry
	}
	return hi, lo
}
