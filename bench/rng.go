package main

import "math/bits"

// rng is SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): the same sequence on
// every platform and in every Go release, which math/rand does not promise
// for its derived methods. Any seed is good. Not safe for concurrent use.
type rng struct{ state uint64 }

func (r *rng) next() uint64 {
	r.state += 0x9e3779b97f4a7c15
	z := r.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below returns a value in [0, n), and 0 for n = 0. The bias of at most n/2^64
// does not matter here.
func (r *rng) below(n uint64) uint64 {
	hi, _ := bits.Mul64(r.next(), n)
	return hi
}

// chance is true in percent of 100 calls.
func (r *rng) chance(percent uint64) bool { return r.below(100) < percent }
