package agg

import (
	"encoding/binary"
	"math/bits"
)

// appendBeside appends what feature groups keep of session i, which is s:
//
//	with NeedEnd the end reason, a byte;
//	with details one for each record;
//	of a session with a digest block:
//	number of records that the facts have, a byte, first and last time of
//	the facts, then for each group that the table keeps its facts, in the
//	order of struct facts; digests of the directions, digests for quantiles,
//	each as in the basic encoding; and of the sequence what is not among the
//	kept records, for each packet gap, wire length, payload size and detail.
//
// Times are relative to the clock after the kept records. What follows from
// the rest is left out: counts of values, sums of gaps, moments of no values.
func (t *Table) appendBeside(dst []byte, s *Session, i uint32) []byte {
	if t.opt.Needs&NeedEnd != 0 {
		dst = append(dst, byte(s.endReason()))
	}
	if t.detailed {
		for j := range s.fill {
			dst = binary.AppendUvarint(dst, uint64(*t.detailAt(s, i, j)))
		}
	}
	if s.large == 0 {
		return dst
	}
	e := encoder{dst, t.keptClock(s)}
	if t.opt.folds() {
		e.facts(&t.opt, t.facts.at(s.large-1, largeShift))
		if t.opt.Needs&NeedDirection != 0 {
			for _, side := range t.sides.at(s.large-1, largeShift) {
				for m := range side {
					e.centroids(side[m].list[:side[m].n])
				}
			}
		}
	}
	if t.opt.Needs&NeedQuantiles != 0 {
		for m := range metrics {
			d := &t.quantiles.at(s.large-1, largeShift)[m]
			e.centroids(d.list[:d.n])
		}
	}
	if t.opt.Sequence > keptRecords {
		e.sequence(t.sequences.at(s.large - 1)[keptRecords:])
	}
	return e.dst
}

// An encoder appends to dst. It gives times relative to start.
type encoder struct {
	dst   []byte
	start int64
}

func (e *encoder) numbers(list ...uint64) {
	for _, v := range list {
		e.dst = binary.AppendUvarint(e.dst, v)
	}
}

func (e *encoder) times(list ...int64) {
	for _, t := range list {
		e.dst = binary.AppendUvarint(e.dst, uint64(t)-uint64(e.start))
	}
}

// moments leaves out the number of values, and all if there are none.
func (e *encoder) moments(m *Moments) {
	if m.N > 0 {
		e.numbers(m.Sum, m.SqHi, m.SqLo, m.Min, m.Max)
	}
}

func (e *encoder) centroids(list []centroid) {
	e.numbers(uint64(len(list)))
	for i := range list {
		e.numbers(list[i].weightAtom, list[i].sum)
	}
}

func (e *encoder) bools(list ...bool) {
	b := byte(0)
	for i, v := range list {
		if v {
			b |= 1 << i
		}
	}
	e.dst = append(e.dst, b)
}

func (e *encoder) facts(o *Options, f *facts) {
	e.dst = append(e.dst, f.done)
	if f.packets > 0 {
		e.times(f.first, f.last)
	}
	if o.Needs&NeedDirection != 0 {
		e.side(&f.direction[0])
		e.side(&f.direction[1])
	}
	if o.Needs&NeedFlags != 0 {
		e.numbers(f.flags[0][:]...)
		e.numbers(f.flags[1][:]...)
	}
	if o.Needs&NeedTCP != 0 {
		e.tcp(&f.tcp)
	}
	if o.Needs&NeedActivity != 0 {
		e.activity(&f.activity)
	}
	if o.Needs&NeedBulk != 0 {
		e.bulks(&f.bulk)
	}
	if o.Needs&NeedIP != 0 {
		for _, r := range f.ip.ttl {
			e.bools(r.Defined)
			e.dst = append(e.dst, r.Min, r.Max)
		}
		e.numbers(f.ip.fragments)
	}
}

func (e *encoder) side(s *side) {
	e.numbers(s.packets)
	if s.packets == 0 {
		return
	}
	e.times(s.first, s.last)
	e.numbers(s.data, s.header, s.least)
	for m := range s.moments {
		e.moments(&s.moments[m])
	}
}

func (e *encoder) tcp(f *tcpFacts) {
	for d := range f.first {
		e.bools(f.window[d].Defined, f.seen[d], f.fin[d])
		e.numbers(uint64(f.window[d].Bytes))
		for _, p := range f.first[d] {
			e.numbers(p.at)
			if p.at > 0 {
				e.times(p.time)
			}
		}
	}
	e.bools(f.rst.seen, f.rst.side == 1, f.rst.fin[0], f.rst.fin[1])
}

func (e *encoder) activity(a *activity) {
	e.numbers(a.idle.N)
	e.moments(&a.idle)
	e.moments(&a.closed)
	if a.idle.N > 0 {
		e.times(a.firstEnd, a.begin)
	}
}

func (e *encoder) bulks(b *bulks) {
	e.dst = append(e.dst, b.runs)
	for i, r := range [...]*burst{&b.last, &b.first} {
		if i < int(b.runs) {
			e.bools(r.side == 1)
			e.numbers(r.packets, r.bytes)
			e.times(r.begin, r.end)
		}
	}
	for _, c := range b.sums {
		e.numbers(c.Bulks, c.Packets, c.Bytes, c.Duration)
	}
	e.numbers(b.slow)
}

func (e *encoder) sequence(packets []packet) {
	clock := e.start
	for i := range packets {
		p := &packets[i]
		e.numbers(uint64(p.time)-uint64(clock), uint64(p.wire), uint64(p.payload), uint64(p.detail))
		clock = p.time
	}
}

// plausible reports whether values can have these moments.
func (m *Moments) plausible() bool {
	if m.N == 0 {
		return *m == Moments{}
	}
	lowHi, low := bits.Mul64(m.N, m.Min)
	highHi, high := bits.Mul64(m.N, m.Max)
	return m.Min <= m.Max && lowHi == 0 && low <= m.Sum && (highHi > 0 || m.Sum <= high) && !m.contradict()
}
