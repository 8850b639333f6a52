package agg

import "math"

// hostileOrders are sequences that mislead sketches. Sums of a million
// values stay below 2^64, as the gaps of a session do.
var hostileOrders = []struct {
	name string
	at   func(i, n int) uint64 // value i of n
}{
	{"sorted", func(i, n int) uint64 { return uint64(i) }},
	{"reversed", func(i, n int) uint64 { return uint64(n - i) }},
	{"constant", func(i, n int) uint64 { return 1514 }},
	{"two-valued", func(i, n int) uint64 { return 60 + 1454*uint64(i%2) }},
	{"two-valued-blocks", func(i, n int) uint64 { return 60 + 1454*uint64(2*i/(n+1)) }},
	{"alternating-inwards", func(i, n int) uint64 { return inwards(i, uint64(n), 1) }},
	{"alternating-outwards", func(i, n int) uint64 { return inwards(n-i, uint64(n), 1) }},
	{"alternating-far", func(i, n int) uint64 { return uint64(i) + uint64(i%2)<<40 }},
	{"organ-pipe", func(i, n int) uint64 { return uint64(min(i, n-i)) }},
	{"organ-pipe-inverted", func(i, n int) uint64 { return uint64(max(i, n-i)) }},
	{"exponential-up", func(i, n int) uint64 { return uint64(math.Exp2(41 * float64(i) / float64(n))) }},
	{"exponential-down", func(i, n int) uint64 { return uint64(math.Exp2(41 - 41*float64(i)/float64(n))) }},
	{"exponential-cycle", func(i, n int) uint64 { return 1<<(i%41) + uint64(i) }},
	{"sawtooth-56", func(i, n int) uint64 { return uint64(i%56)*1e6 + uint64(i) }},
	{"sawtooth-long", func(i, n int) uint64 { return uint64(i%1009)*1e6 + uint64(i) }},
	{"zoom-in", func(i, n int) uint64 { return zoom(float64(i) / float64(n)) }},
	{"zoom-out", func(i, n int) uint64 { return zoom(1 - float64(i)/float64(n)) }},
	{"zoom-in-both", func(i, n int) uint64 { return zoomBoth(i, float64(i)/float64(n)) }},
	{"zoom-out-both", func(i, n int) uint64 { return zoomBoth(i, 1-float64(i)/float64(n)) }},
	{"uniform", func(i, n int) uint64 { return scramble(uint64(i)) >> 22 }},
	{"log-uniform", func(i, n int) uint64 { return scramble(uint64(i)) >> 22 >> (scramble(uint64(i)+1<<32) % 42) }},
	{"heavy-atoms-and-noise", func(i, n int) uint64 { return heavyAtoms(i) }},
	{"drifting", func(i, n int) uint64 { return scramble(uint64(i))>>44 + uint64(i)*4 }},
	{"jump-at-half", func(i, n int) uint64 { return scramble(uint64(i))>>44 + uint64(2*i/n)<<40 }},
}

// inwards alternates between both ends of a range that shrinks.
func inwards(i int, n, step uint64) uint64 {
	if i%2 == 0 {
		return uint64(i) * step
	}
	return (2*n - uint64(i)) * step
}

// zoom falls from 2^62 towards 0 by halves as x goes from 0 to 1.
func zoom(x float64) uint64 { return uint64(math.Exp2(41 * (1 - x))) }

// zoomBoth is zoom towards 2^61 from both sides.
func zoomBoth(i int, x float64) uint64 {
	d := zoom(x) / 2
	if i%2 == 0 {
		return 1<<40 - d
	}
	return 1<<40 + d
}

// heavyAtoms mixes 90 frequent values with noise between them.
func heavyAtoms(i int) uint64 {
	x := scramble(uint64(i))
	if x%10 < 8 {
		return (x >> 8 % 90) << 24
	}
	return x >> 8 % (90 << 24)
}

// scramble is the finaliser of SplitMix64 (Steele, Lea and Flood, 2014).
func scramble(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
