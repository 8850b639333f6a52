package agg

import "pcapbatch/internal/netsort"

// Median is the middle value, or the two middle values of an even number:
// the median is (Lo + Hi) / 2. Both are 0 without values.
type Median struct{ Lo, Hi uint64 }

// medianOf returns the exact median. It sorts values.
func medianOf(values []uint64) Median {
	if len(values) == 0 {
		return Median{}
	}
	netsort.Sort(values)
	return Median{Lo: values[(len(values)-1)/2], Hi: values[len(values)/2]}
}

// Nearest returns the median rounded to an integer, ties to even.
func (m Median) Nearest() uint64 {
	d := m.Hi - m.Lo
	mid := m.Lo + d/2
	return mid + d&1&mid // half of an odd difference rounds up from an odd middle
}
