package writer

import (
	"math/bits"

	"pcapbatch/internal/agg"
)

// together are neighbouring cells that are written by one call, which takes
// less than half of the time of the loop over cells: a row of all groups has
// 128.
type together interface {
	// cells returns how many there are.
	cells() int
	// put writes them, with a comma after each. Requires: the first is defined
	// in r.
	put(b []byte, n int, r *Row) int
}

// joinCells finds the cells of f that can be written together.
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

// integers are neighbouring integers that stand in the row and are defined
// wherever it has their void.
type integers struct{ list []*uint64 }

// leastIntegers is from how many on a call of their own gains.
const leastIntegers = 4

// integers returns the longest run of such cells that begins with cell k.
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

// A tuple is the five cells of the 5-tuple.
type tuple struct{}

const tupleCells = 5

// isTuple reports whether one begins with cell k.
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

// A statistic is four or five neighbouring cells: minimum, maximum, perhaps
// mean, median and standard deviation of one quantity, of gaps in seconds or of
// sizes in bytes. Most sessions have few packets, so few values, and then
// several of the cells have the same text, or one that takes no division and no
// root.
type statistic struct {
	at        *agg.Stats
	gaps      bool
	mean      bool   // there is one
	deviating needs  // what a session must have for the deviation
	undefined []byte // what it has instead
}

// statistic returns that which begins with cell k, or nil.
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
		store(b, n, '0'|'.'<<8|'0'<<16|','<<24)
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

// putEqualGaps writes the cells but the deviation, of gaps that are all t.
func (s *statistic) putEqualGaps(b []byte, n int, t *nanos) int {
	if s.mean {
		n = comma(b, t.put(b, n))
	}
	n = comma(b, t.put(b, n))
	n = comma(b, t.put(b, n))
	return comma(b, t.put(b, n))
}

// putGaps is the same of gaps of which some differ.
func (s *statistic) putGaps(b []byte, n int) int {
	n = comma(b, putNano(b, n, s.at.Min))
	n = comma(b, putNano(b, n, s.at.Max))
	var middle nanos // of two gaps the mean as well
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

// putEqualSizes is the same of sizes that are equal. All sizes are below 2^32.
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

// putSizes is the same of sizes of which some differ.
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

// comma ends a cell.
func comma(b []byte, n int) int {
	b[n] = ','
	return n + 1
}
