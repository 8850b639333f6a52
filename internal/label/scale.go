package label

import (
	"math"
	"math/bits"
	"slices"
)

// A scale ranks values: the rank of one is how many of the bounds are not
// above it. Bounds are values that rules have, evenly spaced among them, so about
// equally many values have each rank.
type scale struct {
	bounds []uint64 // ascending; a power of two less one of them
}

// mostBounds is how many bounds a scale has at most: 8 KiB of them.
const mostBounds = 1<<10 - 1

// makeScale makes the scale of values, which it sorts.
func makeScale(values []uint64) scale {
	slices.Sort(values)
	values = slices.Compact(values)
	n := 1
	for n < len(values) && n < mostBounds {
		n = 2*n + 1
	}
	bounds := make([]uint64, n)
	for i := range bounds {
		switch {
		case len(values) > n:
			bounds[i] = values[i*len(values)/n]
		case i < len(values):
			bounds[i] = values[i]
		default:
			bounds[i] = math.MaxUint64
		}
	}
	return scale{bounds}
}

// rank returns the rank of v. A greater value has the same or a greater rank.
func (s *scale) rank(v uint64) uint16 {
	n, _ := s.rank2(v, v)
	return n
}

// rank2 returns the ranks of two values at the time of one. Whether a bound is
// above a value is as good as random, so no branch depends on it.
func (s *scale) rank2(v, w uint64) (m, n uint16) {
	i, j := uint64(0), uint64(0)
	for step := uint64(len(s.bounds)+1) / 2; step > 0; step /= 2 {
		_, above := bits.Sub64(v, s.bounds[i+step-1], 0)
		i += step & (above - 1)
		_, above = bits.Sub64(w, s.bounds[j+step-1], 0)
		j += step & (above - 1)
	}
	return uint16(i), uint16(j)
}

// ordered returns a time as a value that a scale ranks.
func ordered(t int64) uint64 { return uint64(t) ^ 1<<63 }

// Scales of a set: of the addresses of both versions, of which the high 64 bits
// count, and of times.
const (
	scale4 = iota
	scale6
	scaleTime
	scales
)

// versionScale returns the scale of version4 or version6.
func versionScale(version uint8) int { return int(version - version4) }

// scaleSamples is about how many rules setScales looks at.
const scaleSamples = 1 << 16

// setScales makes the scales of s from a sample of evenly spaced rules.
func (s *Set) setScales() {
	var values [scales][]uint64
	every, i := s.rules.n/scaleSamples+1, uint32(0)
	for kind := range kinds {
		for p := range s.rules.places(kind) {
			if i++; i%every != 0 {
				continue
			}
			r := s.rules.at(p)
			addresses := &values[versionScale(max(r.fields&versionMask, version4))]
			if r.srcBits > 0 {
				*addresses = append(*addresses, r.src.high)
			}
			if r.dstBits > 0 {
				*addresses = append(*addresses, r.dst.high)
			}
			if r.start != math.MinInt64 {
				values[scaleTime] = append(values[scaleTime], ordered(r.start))
			}
			if r.end != math.MaxInt64 {
				values[scaleTime] = append(values[scaleTime], ordered(r.end))
			}
		}
	}
	for i := range s.scales {
		s.scales[i] = makeScale(values[i])
	}
}
