package label

import (
	"math"
	"math/bits"
	"slices"
)

// A scale ranks values: the rank of one is how many of the bounds are not
// above it. Bounds are values that rules have, evenly spaced among them, so about
// equally many values have each rank. They are in ascending order.
type scale [1<<scaleBits - 1]uint64

const scaleBits = 10

// makeScale makes the scale of values, which it sorts.
func makeScale(values []uint64) *scale {
	slices.Sort(values)
	values = slices.Compact(values)
	s := &scale{}
	for i := range s {
		switch {
		case len(values) > len(s):
			s[i] = values[i*len(values)/len(s)]
		case i < len(values):
			s[i] = values[i]
		default:
			s[i] = math.MaxUint64
		}
	}
	return s
}

// rank2 returns the ranks of two values. A greater value has the same or a
// greater rank.
func (s *scale) rank2(v, w uint64) (m, n uint16) {
	m, n, _, _ = rank4(s, s, v, w, v, w)
	return m, n
}

// rank4 returns the ranks of v and w on s, and those of x and y on t. It takes
// hardly longer than one rank, since four searches wait for memory together.
// Whether a bound is above a value is as good as random, so no branch depends on
// it.
func rank4(s, t *scale, v, w, x, y uint64) (i, j, k, l uint16) {
	for step := uint16(1 << (scaleBits - 1)); step > 0; step /= 2 {
		i += step &^ above(s, i+step, v)
		j += step &^ above(s, j+step, w)
		k += step &^ above(t, k+step, x)
		l += step &^ above(t, l+step, y)
	}
	return i, j, k, l
}

// above returns all bits set if the bound before n is above v, otherwise 0.
func above(s *scale, n uint16, v uint64) uint16 {
	_, borrow := bits.Sub64(v, s[(n-1)%(1<<scaleBits)], 0)
	return -uint16(borrow)
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
