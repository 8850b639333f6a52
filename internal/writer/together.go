package writer

import "pcapbatch/internal/agg"

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

// joinCells finds the cells of f that can be written together. Those whose text
// is that of another, or has another's, are left alone.
func (f *Formatter) joinCells() {
	for k := 0; k < len(f.cells); {
		var t together
		if st := f.statistic(k); st != nil {
			t = st
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
		if !fixed || c.same != 0 || c.echoed || i > k && c.column.stats != nil {
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

// A statistic is five neighbouring cells: minimum, maximum, mean, median and
// standard deviation of one quantity, of gaps in seconds or of sizes in bytes.
// Most sessions have few packets, so few values, and then several of the cells
// have the same text, or one that takes no division and no root.
type statistic struct {
	at        *agg.Stats
	gaps      bool
	deviating needs  // what a session must have for the deviation
	undefined []byte // what it has instead
}

const statisticCells = 5

// statistic returns that which begins with cell k, or nil.
func (f *Formatter) statistic(k int) *statistic {
	if k+statisticCells > len(f.cells) || f.cells[k].column.stats == nil {
		return nil
	}
	list := f.cells[k : k+statisticCells]
	first, last := list[0].column, &list[statisticCells-1]
	st := &statistic{first.stats(&f.row.Summary), first.Kind == Nanos, last.column.needs, last.undefined}
	for i := range list {
		if c := list[i].column; c.stats == nil || c.stats(&f.row.Summary) != st.at || c.part != i || list[i].echoed {
			return nil
		}
	}
	return st
}

func (s *statistic) cells() int { return statisticCells }

func (s *statistic) put(b []byte, n int, r *Row) int {
	if s.gaps {
		n = s.putGaps(b, n)
	} else {
		n = s.putSizes(b, n)
	}
	if s.deviating&^r.facts != 0 {
		return n + copy(b[n:], s.undefined)
	}
	switch {
	case s.at.Min == s.at.Max:
		n = putZero(b, putSmall(b, n, 0))
	case s.gaps:
		n = putNano(b, n, s.at.Std(1, r.sample))
	case s.at.N == 2 && !r.sample:
		n = putHalves(b, n, 0, s.at.Max-s.at.Min) // half the distance
	default:
		n = putMicro(b, n, s.at.Std(1e6, r.sample))
	}
	b[n] = ','
	return n + 1
}

// putGaps writes the cells but the deviation, of gaps.
func (s *statistic) putGaps(b []byte, n int) int {
	begin := n
	n = comma(b, putNano(b, n, s.at.Min))
	if s.at.Min == s.at.Max {
		size := n - begin
		n += copy(b[n:], b[begin:n])
		return n + copy(b[n:], b[begin:begin+2*size])
	}
	n = comma(b, putNano(b, n, s.at.Max))
	begin = n
	n = comma(b, putNano(b, n, s.at.Mean(1)))
	if s.at.N == 2 {
		return n + copy(b[n:], b[begin:n])
	}
	return comma(b, putNano(b, n, s.at.Nearest()))
}

// putSizes is the same of sizes. All of them are below 2^32.
func (s *statistic) putSizes(b []byte, n int) int {
	begin := n
	n = comma(b, putUint(b, n, s.at.Min))
	if s.at.Min == s.at.Max {
		n += copy(b[n:], b[begin:n])
		begin = n
		n = comma(b, putZero(b, putUint(b, n, s.at.Min)))
		return n + copy(b[n:], b[begin:n])
	}
	n = comma(b, putUint(b, n, s.at.Max))
	begin = n
	if s.at.N == 2 {
		n = comma(b, putHalves(b, n, 0, s.at.Sum))
		return n + copy(b[n:], b[begin:n])
	}
	n = comma(b, putMicro(b, n, s.at.Mean(1e6)))
	return comma(b, putHalves(b, n, 0, halves(s.at.Median).Lo))
}

// comma ends a cell.
func comma(b []byte, n int) int {
	b[n] = ','
	return n + 1
}
