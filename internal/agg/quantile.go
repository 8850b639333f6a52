package agg

import (
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// A quantileDigest is a digest (digest.go) that answers any quantile. It
// differs from the one for medians in its size and in the limit of a centroid's
// weight, which falls towards both ends, where quantiles are asked more
// precisely.
//
// Rank error, merged digests too: at most 0.40 % of n on real captures, and
// 0.08 % up to the 1st percentile and from the 99th on
// (TestQuantileErrorsOnCaptures); on two dozen hostile orders 0.80 % and 0.13 %
// (TestQuantileRankError). Size: 3.8 KB. The zero quantileDigest is empty.
type quantileDigest struct {
	n    uint64 // centroids in use
	list [quantileCentroids]centroid
}

// quantileCentroids is the capacity. With three of these digests, those of the
// medians of both directions, all facts and the buffer of records a session
// stays below 32 KiB (TestFeaturesBytes).
const quantileCentroids = 240

// quantileDigests are those of the three quantities of a session.
type quantileDigests [metrics]quantileDigest

// quantileScratch is the working space of one goroutine. Its content does not
// outlive a call.
type quantileScratch [2*quantileCentroids + exactRecords]centroid

// take lays the ascending list other into d.
func (d *quantileDigest) take(scr *quantileScratch, other []centroid) {
	d.store(d.merged(scr, other))
}

// fold takes values into d. It may sort them.
func (d *quantileDigest) fold(scr *digestScratch, q *quantileScratch, values []uint64) {
	d.store(d.with(scr, q, values))
}

// with lays the centroids of d and values into one ascending list in scratch.
// It may sort values.
func (d *quantileDigest) with(scr *digestScratch, q *quantileScratch, values []uint64) []centroid {
	return layValues(scr, q[:], d.list[:d.n], values)
}

// merged lays the centroids of d and an ascending list into one ascending list
// in scratch, equal atoms joined.
func (d *quantileDigest) merged(scr *quantileScratch, other []centroid) []centroid {
	return layTogether(scr[:], d.list[:d.n], other)
}

// store makes an ascending list the content of d, clustering it where it does
// not fit. The limit of a centroid that begins or ends at a distance r from the
// nearer end of the ranks is
//
//	limit = min(n/140, n/2000 + r/8)
//
// so that a centroid in the middle holds 0.7 % of the weight, and one at the
// 1st or 99th percentile 0.17 %. That makes some 200 centroids. The list may
// stand so that more are left; then the limit is loosened until they fit.
func (d *quantileDigest) store(list []centroid) {
	if len(list) > quantileCentroids {
		n := weightOf(list)
		for loose := uint64(8); len(list) > quantileCentroids; loose++ {
			list = clusterEvenly(list, n, loose)
		}
	}
	d.n = uint64(copy(d.list[:], list))
}

// clusterEvenly joins neighbours of list in place, with loose/8 times the
// limit.
func clusterEvenly(list []centroid, n, loose uint64) []centroid {
	before := uint64(0) // weight left of c
	c := list[0]        // will be list[k]
	k := 0
	for _, next := range list[1:] {
		w := c.weight() + next.weight()
		end := min(before, n-before-w) // distance of the joined centroid from the nearer end
		if limit := min(n/140, n/2000+end/8); w <= limit*loose/8 {
			c = centroid{c.sum + next.sum, w << 1}
			continue
		}
		before += c.weight()
		list[k] = c
		k++
		c = next
	}
	list[k] = c
	return list[:k+1]
}

// A Quantile is a share of the values in thousandths of a percent, above 0 and
// below 100_000.
type Quantile uint32

const wholeQuantile = 100_000

// ParseQuantile returns the quantile of a percentage: one or two digits, with
// up to three decimals if any, above 0 and below 100.
func ParseQuantile(text string) (Quantile, error) {
	wrong := fmt.Errorf("quantile %q: want a percentage above 0 and below 100, of one or two digits with up to three decimals if any, such as 5 or 99.9", text)
	whole, decimals, point := strings.Cut(text, ".")
	if len(whole) < 1 || len(whole) > 2 || point && (len(decimals) < 1 || len(decimals) > 3) {
		return 0, wrong
	}
	for _, c := range whole + decimals {
		if c < '0' || c > '9' {
			return 0, wrong
		}
	}
	n, err := strconv.ParseUint(whole+(decimals + "000")[:3], 10, 32)
	if err != nil || n == 0 {
		return 0, wrong
	}
	return Quantile(n), nil
}

// A QuantileValue is a quantile of integers: Lo + (Hi-Lo) * Rest / 100_000,
// where Lo and Hi are the values of the closest ranks.
type QuantileValue struct {
	Lo, Hi uint64 // Lo <= Hi
	Rest   uint64 // below 100_000
}

// rank returns the rank below quantile q of n values, counted from 0, and the
// distance to it in 100_000ths: (n-1) * q, as numpy's default ("linear") has
// it. Requires: n > 0.
func (q Quantile) rank(n uint64) (rank, rest uint64) {
	hi, lo := bits.Mul64(n-1, uint64(q))
	return bits.Div64(hi, lo, wholeQuantile)
}

// Nearest returns the quantile rounded to the nearest integer, ties to even.
func (v QuantileValue) Nearest() uint64 {
	hi, lo := bits.Mul64(v.Lo, wholeQuantile)
	h, l := bits.Mul64(v.Hi-v.Lo, v.Rest)
	lo, carry := bits.Add64(lo, l, 0)
	return divRound(hi+h+carry, lo, wholeQuantile)
}

// Micros returns the quantile in millionths, which are exact. Requires: Hi is
// below 2^32.
func (v QuantileValue) Micros() uint64 {
	return (v.Lo*wholeQuantile + (v.Hi-v.Lo)*v.Rest) * (1e6 / wholeQuantile)
}

// ofSorted returns quantile q of ascending values, 0 where there are none.
func (q Quantile) ofSorted(values []uint64) QuantileValue {
	if len(values) == 0 {
		return QuantileValue{}
	}
	i, rest := q.rank(uint64(len(values)))
	return QuantileValue{values[i], values[min(i+1, uint64(len(values))-1)], rest}
}

// ofList returns quantile q of the n values that an ascending list of centroids
// stands for, 0 where there are none.
func (q Quantile) ofList(list []centroid, n uint64) QuantileValue {
	if n == 0 {
		return QuantileValue{}
	}
	i, rest := q.rank(n)
	lo := valueAt(list, i)
	return QuantileValue{lo, max(lo, valueAt(list, min(i+1, n-1))), rest}
}

// Quantiles are one quantile of the three quantities of a session.
type Quantiles struct{ Gaps, Lengths, Payloads QuantileValue }
