package writer

import (
	"math/bits"

	"pcapbatch/internal/agg"
)

// Cells are joined, that is, neighbouring ones are written by one call, for two
// reasons. For each step of a program, the loop of Formatter.run has to ask of
// what kind the cell is, which a CPU often guesses wrong, and mostly has to
// call a function for the value. And cells of one statistic share work: if all
// values are equal, minimum, maximum, mean and median are one number, which is
// turned into text once.

// together are neighbouring cells that are written by one call.
type together interface {
	// cells returns the number of cells.
	cells() int
	// put writes the cells at n of b, with a comma after each, and returns where
	// the text ends. Requires: the first cell is defined in r, and b has room for
	// maxCell + 1 bytes a cell.
	put(b []byte, n int, r *Row) int
}

// joinCells finds the cells of f that can be written together, from left to
// right. The first of them gets the together of all. Where the facts of a
// program leave that one undefined, it has steps for each of the cells instead.
func (f *Formatter) joinCells() {
	for k := 0; k < len(f.cells); {
		var t together
		if st := f.statistic(k); st != nil {
			t = st
		} else if f.isTuple(k) {
			t = tuple{}
		} else if list := f.integers(k); len(list) >= leastIntegers {
			t = &integers{list}
		}
		if t == nil {
			k++
			continue
		}
		f.cells[k].together = t
		k += t.cells()
	}
}

// integers are neighbouring cells of integers that stand in the formatter's
// row, and of which each is defined where the first is.
type integers struct{ list []*uint64 }

// leastIntegers is the smallest number of integers that are joined. For two or
// three, a call of their own was slower than the loop.
const leastIntegers = 4

// integers returns where the integers of the longest run of such cells stand
// that begins with cell k. A statistic, which begins with integers too, ends
// it.
func (f *Formatter) integers(k int) (list []*uint64) {
	for i := k; i < len(f.cells); i++ {
		c, void := &f.cells[i], f.cells[k].void
		fixed := c.column.field != nil && c.column.Kind == Unsigned && c.void == void && c.column.needs&^void == 0
		if !fixed || i > k && c.column.stats != nil {
			break
		}
		list = append(list, c.column.field(&f.row.Summary))
	}
	return list
}

func (l *integers) cells() int { return len(l.list) }

func (l *integers) put(b []byte, n int, _ *Row) int {
	for _, at := range l.list {
		if v := *at; v < smallNumbers {
			n = putSmall(b, n, v)
		} else {
			n = putUint(b, n, v)
		}
		b[n] = ','
		n++
	}
	return n
}

// A tuple is the five cells of the 5-tuple: source and destination address,
// source and destination port, protocol. They are defined in all rows.
type tuple struct{}

const tupleCells = 5

// isTuple reports whether the 5-tuple begins with cell k and is complete.
func (f *Formatter) isTuple(k int) bool {
	for i := range tupleCells {
		if k+i >= len(f.cells) || f.cells[k+i].column.tuple != i+1 {
			return false
		}
	}
	return true
}

func (tuple) cells() int { return tupleCells }

func (tuple) put(b []byte, n int, r *Row) int {
	k := &r.Summary.Key
	if k.Version == 4 {
		n = comma(b, putIPv4(b, n, [4]byte(k.Src[:4])))
		n = comma(b, putIPv4(b, n, [4]byte(k.Dst[:4])))
	} else {
		n = comma(b, putIPv6(b, n, k.Src))
		n = comma(b, putIPv6(b, n, k.Dst))
	}
	n = comma(b, putUint(b, n, uint64(k.SrcPort)))
	n = comma(b, putUint(b, n, uint64(k.DstPort)))
	return comma(b, putSmall(b, n, uint64(k.Protocol)))
}

// A statPart is one of the columns of a statistic.
type statPart uint8

const (
	partMin statPart = iota
	partMax
	partMean
	partMedian
	partStd
)

// A statistic is four or five neighbouring cells: minimum, maximum, mean (which
// four lack), median and standard deviation of one quantity. That is gaps,
// which are written in seconds, or sizes of packets, in bytes. Most sessions
// have few packets. Of one value or of equal ones, all cells but the deviation
// have the same number, and the deviation is 0; of two values, the mean is the
// median, and the deviation of the population half of their distance, which
// takes no root.
type statistic struct {
	at        *agg.Stats // in the formatter's row
	gaps      bool       // of gaps, not of sizes
	mean      bool       // there are five cells
	deviating needs      // facts that a session must have for a deviation
	undefined []byte     // the cell of those that have none, with its comma
}

// statistic returns the statistic that begins with cell k, or nil if none does
// or one of its cells is missing.
func (f *Formatter) statistic(k int) *statistic {
	first := f.cells[k].column
	if first.stats == nil || first.part != partMin {
		return nil
	}
	st := &statistic{at: first.stats(&f.row.Summary), gaps: first.Kind == Nanos}
	for next := partMax; next <= partStd; next++ {
		k++
		if k == len(f.cells) {
			return nil
		}
		c := f.cells[k].column
		if next == partMean {
			if st.mean = c.part == partMean; !st.mean {
				next = partMedian
			}
		}
		if c.stats == nil || c.stats(&f.row.Summary) != st.at || c.part != next {
			return nil
		}
	}
	st.deviating, st.undefined = f.cells[k].column.needs, f.cells[k].undefined
	return st
}

func (s *statistic) cells() int {
	if s.mean {
		return 5
	}
	return 4
}

func (s *statistic) put(b []byte, n int, r *Row) int {
	equal := s.at.Min == s.at.Max
	switch {
	case s.gaps && equal:
		n = s.putEqualGaps(b, n, r.seconds(s.at.Min))
	case s.gaps:
		n = s.putGaps(b, n)
	case equal:
		n = s.putEqualSizes(b, n)
	default:
		n = s.putSizes(b, n)
	}
	if s.deviating&^r.facts != 0 {
		return n + copy(b[n:], s.undefined)
	}
	switch {
	case equal:
		store(b, n, '0'|'.'<<8|'0'<<16|','<<24) // 0.0 and the comma
		return n + 4
	case s.gaps:
		n = putNano(b, n, s.at.Std(1, r.sample))
	case s.at.N == 2 && !r.sample:
		n = putHalves(b, n, 0, s.at.Max-s.at.Min) // half the distance
	default:
		n = putMicro(b, n, s.at.Std(1e6, r.sample))
	}
	return comma(b, n)
}

// putEqualGaps writes all cells but the deviation, of gaps that all have text
// t.
func (s *statistic) putEqualGaps(b []byte, n int, t *nanos) int {
	if s.mean {
		n = comma(b, t.put(b, n))
	}
	n = comma(b, t.put(b, n))
	n = comma(b, t.put(b, n))
	return comma(b, t.put(b, n))
}

// putGaps writes all cells but the deviation, of gaps of which some differ.
func (s *statistic) putGaps(b []byte, n int) int {
	n = comma(b, putNano(b, n, s.at.Min))
	n = comma(b, putNano(b, n, s.at.Max))
	var middle nanos // the median; of two gaps also the mean, rounded likewise
	middle.set(s.at.Nearest())
	switch {
	case !s.mean:
	case s.at.N == 2:
		n = comma(b, middle.put(b, n))
	default:
		n = comma(b, putNano(b, n, s.at.Mean(1)))
	}
	return comma(b, middle.put(b, n))
}

// putEqualSizes writes all cells but the deviation, of sizes that are all
// equal. Requires: they are below 2^32, as all sizes are. The text of a small
// number is one word, which is stored with a comma, or with its decimals and a
// comma.
func (s *statistic) putEqualSizes(b []byte, n int) int {
	v := s.at.Min
	if v >= smallNumbers {
		n = comma(b, putUint(b, n, v))
		n = comma(b, putUint(b, n, v))
		if s.mean {
			n = comma(b, putHalves(b, n, 0, 2*v))
		}
		return comma(b, putHalves(b, n, 0, 2*v))
	}
	text := uint64(small[v])
	size := (bits.Len64(text) + 7) >> 3
	whole := text | ','<<(8*size)
	store(b, n, whole)
	store(b, n+size+1, whole)
	n += 2 * (size + 1)
	decimal := text | ('.'|'0'<<8|','<<16)<<(8*size)
	if s.mean {
		store(b, n, decimal)
		n += size + 3
	}
	store(b, n, decimal)
	return n + size + 3
}

// putSizes writes all cells but the deviation, of sizes of which some differ.
func (s *statistic) putSizes(b []byte, n int) int {
	n = comma(b, putUint(b, n, s.at.Min))
	n = comma(b, putUint(b, n, s.at.Max))
	switch {
	case !s.mean:
	case s.at.N == 2:
		n = comma(b, putHalves(b, n, 0, s.at.Sum))
	default:
		n = comma(b, putMicro(b, n, s.at.Mean(1e6)))
	}
	return comma(b, putHalves(b, n, 0, halves(s.at.Median).Lo))
}

// comma ends a cell that ends at n, and returns where the next one begins.
func comma(b []byte, n int) int {
	b[n] = ','
	return n + 1
}
