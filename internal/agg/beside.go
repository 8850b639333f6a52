package agg

import "pcapbatch/internal/flow"

// beside is what a table keeps for feature groups, each list parallel to one
// that every table has. Lists that the run does not need are empty.
type beside struct {
	// detailed: there are heads and words.
	detailed bool
	heads    twin[wordUnit] // of each session's head records
	words    wordSlab       // of record blocks
	// Of digest blocks.
	facts     twin[facts]
	sides     twin[sideDigests]
	quantiles twin[quantileDigests]
	sequences sequences

	more *moreScratch
}

// moreScratch is the working space that tables need which are not plain, and
// those who read them. Its content does not outlive a call.
type moreScratch struct {
	sides     sideValues
	packets   [exactRecords]packet
	facts     facts
	quantiles quantileScratch
}

// twin is a list parallel to a slab: its element i belongs to element i there.
type twin[T any] struct{ chunks [][]T }

// cover makes the list as long as a slab of n chunks.
func (w *twin[T]) cover(a *arena, n int, shift uint) {
	for len(w.chunks) < n {
		w.chunks = append(w.chunks, alloc[T](a, 1<<shift))
	}
}

func (w *twin[T]) at(i uint32, shift uint) *T { return &w.chunks[i>>shift][i&(1<<shift-1)] }

// wordUnit is the details of a unit of records.
type wordUnit [unitRecords]flow.Detail

// wordSlab is the details of record blocks.
type wordSlab struct{ twin[wordUnit] }

// block returns the details of block i. Requires: class > 0.
func (w *wordSlab) block(i uint32, class sessionState) []wordUnit {
	o := i & (1<<unitShift - 1)
	return w.chunks[i>>unitShift][o : o+unitsOf(class)]
}

// block returns a block of records of the given class, with details if the
// table has them.
func (t *Table) block(class sessionState) uint32 {
	i := t.records.get(class)
	if t.detailed {
		t.words.cover(&t.arena, len(t.records.chunks), unitShift)
	}
	return i
}

// coverSessions makes heads for n sessions more than there are.
func (t *Table) coverSessions(n int) {
	if t.detailed {
		t.heads.cover(&t.arena, (int(t.sessions.n)+n+1<<sessionShift-1)>>sessionShift, sessionShift)
	}
}

// coverLarges makes what belongs to digest blocks, for n chunks of them.
func (t *Table) coverLarges(n int) {
	if t.plain {
		return
	}
	if t.opt.folds() {
		t.facts.cover(&t.arena, n, largeShift)
	}
	if t.opt.Needs&NeedDirection != 0 {
		t.sides.cover(&t.arena, n, largeShift)
	}
	if t.opt.Needs&NeedQuantiles != 0 {
		t.quantiles.cover(&t.arena, n, largeShift)
	}
	t.sequences.cover(&t.arena, n, t.opt.Sequence)
}

// detailAt returns the detail of record j of s, which is session i.
func (t *Table) detailAt(s *Session, i uint32, j uint8) *flow.Detail {
	if j < headRecords {
		return &t.heads.at(i, sessionShift)[j]
	}
	j -= headRecords
	return &t.words.at(s.block+uint32(j)/unitRecords, unitShift)[j%unitRecords]
}

// packet is a record as the statistics of feature groups take it.
type packet struct {
	time          int64 // of the session's clock, ns since the epoch
	wire, payload uint32
	detail        flow.Detail
}

// packets appends records begin to end of s, which is session i, to dst. The
// clock stands at clock before the first of them.
func (t *Table) packets(dst []packet, s *Session, i uint32, begin, end uint8, clock int64) []packet {
	for j := begin; j < end; j++ {
		r := t.recordAt(s, j)
		if j > 0 {
			clock = int64(uint64(clock) + r.gap)
		}
		p := packet{time: clock, wire: r.wire, payload: r.payload}
		if t.detailed {
			p.detail = *t.detailAt(s, i, j)
		}
		dst = append(dst, p)
	}
	return dst
}

// keptClock returns the clock of s after its kept records.
func (t *Table) keptClock(s *Session) int64 {
	clock := uint64(s.first())
	for j := uint8(1); j < keptRecords; j++ {
		clock += t.recordAt(s, j).gap
	}
	return int64(clock)
}
