package label

import (
	"math"
	"slices"
)

type sampled struct {
	*rule
	swapped bool
}

// choose returns the split of list that leaves the fewest rules on
// average, and how many of them, as a fraction: those that leave the field
// open, and those of one value, weighted by how often the value is asked for,
// which is taken to be as often as rules have it. It looks at a sample of evenly
// spaced rules.
func (b *builder) choose(list []entry) (best split, expected float64) {
	b.sample = b.sample[:0]
	for i, m := 0, min(len(list), samples); i < m; i++ {
		e := list[i*len(list)/m]
		b.sample = append(b.sample, sampled{b.rules.at(e.place()), e.swapped()})
	}
	expected = math.Inf(1)
	try := func(s split) {
		if e := b.expected(&s); e < expected {
			best, expected = s, e
		}
	}
	for _, f := range []field{fieldProtocol, fieldCapture} {
		try(split{field: f})
	}
	b.tryBits(try, fieldSrc, false)
	b.tryBits(try, fieldDst, true)
	b.tryTimes(try)
	return best, expected
}

// tryBits tries prefix lengths between which equal numbers of rules have
// theirs.
func (b *builder) tryBits(try func(split), f field, swapped bool) {
	const steps = 8
	var lengths [samples]uint8
	n := 0
	for _, r := range b.sample {
		l := r.srcBits
		if r.swapped != swapped {
			l = r.dstBits
		}
		if l > 0 {
			lengths[n] = l
			n++
		}
	}
	slices.Sort(lengths[:n])
	last := uint8(0)
	for i := range min(n, steps) {
		if l := lengths[i*n/min(n, steps)]; l > last {
			try(split{field: f, bits: l})
			last = l
		}
	}
}

// tryTimes tries the medians of starts, of ends and of both.
func (b *builder) tryTimes(try func(split)) {
	var times [2 * samples]int64
	n := 0
	for _, r := range b.sample {
		if r.start != math.MinInt64 {
			times[n] = r.start
			n++
		}
	}
	starts := n
	for _, r := range b.sample {
		if r.end != math.MaxInt64 {
			times[n] = r.end
			n++
		}
	}
	for _, list := range [][]int64{times[:starts], times[starts:n], times[:n]} {
		if len(list) > 0 {
			slices.Sort(list)
			try(split{field: fieldTime, center: list[len(list)/2]})
		}
	}
}

// expected estimates the fraction of rules that s leaves, as choose says.
func (b *builder) expected(s *split) float64 {
	b.hashes = b.hashes[:0]
	for _, r := range b.sample {
		if v, ok := s.of(r.rule, r.swapped); ok {
			if s.field == fieldTime {
				b.hashes = append(b.hashes, v.high)
			} else {
				b.hashes = append(b.hashes, s.key(v, b.seed))
			}
		}
	}
	n, open := len(b.sample), len(b.sample)-len(b.hashes)
	slices.Sort(b.hashes)
	pairs, run := 0, 0
	for i, h := range b.hashes {
		if i == 0 || h != b.hashes[i-1] {
			run = 0
		}
		pairs += run
		run++
	}
	// Two rules of the sample have one value as often as two of all.
	return float64(open)/float64(n) + 2*float64(pairs)/(float64(n)*float64(max(n-1, 1)))
}
