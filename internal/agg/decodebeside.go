package agg

import (
	"encoding/binary"
	"math"

	"pcapbatch/internal/flow"
)

// beside decodes what appendBeside appended, into s, which is session i of o
// and has all the rest of its encoding.
func (d *decoder) beside(o *Table, s *Session, i uint32) {
	if o.opt.Needs&NeedEnd != 0 {
		end := d.byte()
		if EndReason(end) > EndTCP {
			d.fail("unknown end reason")
			return
		}
		s.end(EndReason(end))
	}
	if o.detailed {
		for j := range s.fill {
			*o.detailAt(s, i, j) = d.detail(&s.key)
		}
		if o.detailAt(s, i, 0).Side() == 1 != (s.state&reversed != 0) {
			d.fail("first packet of another direction")
		}
	}
	if s.large == 0 || d.err != nil {
		return
	}
	o.beginLarge(s, i)
	b := besideDecoder{decoder: d, o: o, s: s, i: i, start: o.keptClock(s)}
	if o.opt.folds() {
		b.facts(o.facts.at(s.large-1, largeShift))
	}
	if o.opt.Needs&NeedQuantiles != 0 {
		l := o.larges.at(s.large-1, largeShift)
		for m := range metrics {
			q := &o.quantiles.at(s.large-1, largeShift)[m]
			q.n = d.centroids(q.list[:], &l.moments[m])
		}
	}
	if o.opt.Sequence > keptRecords {
		b.sequence(o.sequences.at(s.large - 1)[keptRecords:])
	}
}

func (d *decoder) detail(k *flow.Key) flow.Detail {
	w := flow.Detail(d.uvarint())
	if !w.Valid(k.Protocol) {
		d.fail("packet details that no packet has")
		return 0
	}
	return w
}

// A besideDecoder takes apart what belongs to a digest block.
type besideDecoder struct {
	*decoder
	o       *Table
	s       *Session
	i       uint32
	start   int64  // the clock after the kept records
	packets uint64 // in the facts
}

// time decodes a time that is between start and the end of the session.
func (b *besideDecoder) time() int64 {
	v := b.uvarint()
	if v > uint64(b.s.last)-uint64(b.start) {
		b.fail("time outside of its session")
		return b.start
	}
	return int64(uint64(b.start) + v)
}

// span decodes a first and a last time.
func (b *besideDecoder) span(packets uint64) span {
	sp := span{packets, b.time(), b.time()}
	if sp.first > sp.last || packets == 1 && sp.first != sp.last {
		b.fail("times out of order")
	}
	return sp
}

// flags decodes a byte of n bools.
func (b *besideDecoder) flags(n int) (list [4]bool) {
	v := b.byte()
	if v>>n != 0 {
		b.fail("unknown flags")
	}
	for i := range n {
		list[i] = v>>i&1 != 0
	}
	return list
}

func (b *besideDecoder) moments(n uint64) (m Moments) {
	if n == 0 {
		return m
	}
	m = Moments{N: n, Sum: b.uvarint(), SqHi: b.uvarint(), SqLo: b.uvarint(), Min: b.uvarint(), Max: b.uvarint()}
	if !m.plausible() {
		b.fail("contradicting moments")
		return Moments{}
	}
	return m
}

// facts decodes f and holds it against the basic statistics.
func (b *besideDecoder) facts(f *facts) {
	l := b.o.larges.at(b.s.large-1, largeShift)
	if !b.header(f, l) {
		return
	}
	needs := b.o.opt.Needs
	if needs&NeedDirection != 0 {
		b.side(&f.direction[0])
		b.side(&f.direction[1])
		b.checkSides(f, l)
	}
	if needs&NeedFlags != 0 {
		b.flagCounts(&f.flags[0])
		b.flagCounts(&f.flags[1])
	}
	if needs&NeedTCP != 0 {
		b.tcp(&f.tcp)
	}
	if needs&NeedActivity != 0 {
		b.activity(f, l)
	}
	if needs&NeedBulk != 0 {
		b.bulks(&f.bulk, f.span)
	}
	if needs&NeedIP != 0 {
		b.ip(&f.ip)
	}
	if needs&NeedDirection != 0 && b.err == nil {
		b.sideDigests(f)
	}
}

func (b *besideDecoder) sideDigests(f *facts) {
	sides := b.o.sides.at(b.s.large-1, largeShift)
	for d := range sides {
		for m := range sides[d] {
			g := &sides[d][m]
			g.n = b.centroidsOrNone(g.list[:], &f.direction[d].moments[m])
		}
	}
}

// header decodes how many packets the facts have, and their first and last time.
func (b *besideDecoder) header(f *facts, l *large) bool {
	f.done = b.byte()
	if f.done < keptRecords || f.done > b.s.fill {
		b.fail("bad number of records in the facts")
		return false
	}
	b.packets = l.packets + uint64(f.done) - keptRecords
	if b.packets == 0 {
		return true
	}
	f.span = b.span(b.packets)
	if uint64(b.s.last)-uint64(f.last) != b.gapsBehind(f.done) {
		b.fail("facts end at another time")
	}
	return true
}

// gapsBehind returns the sum of the gaps of the records from number j on.
func (b *besideDecoder) gapsBehind(j uint8) (sum uint64) {
	for ; j < b.s.fill; j++ {
		sum += b.o.recordAt(b.s, j).gap
	}
	return sum
}

func (b *besideDecoder) side(s *side) {
	n := b.count()
	if n == 0 {
		return
	}
	s.span = b.span(n)
	s.data, s.header, s.least = b.count(), b.uvarint(), b.uvarint()
	s.moments[gapMetric] = b.moments(n - 1)
	s.moments[lengthMetric] = b.moments(n)
	s.moments[payloadMetric] = b.moments(n)
	switch {
	case s.moments[gapMetric].Sum != uint64(s.last)-uint64(s.first):
		b.fail("gaps of a direction that do not add up")
	case s.moments[lengthMetric].Max > math.MaxUint32, s.moments[payloadMetric].Max > math.MaxUint32:
		b.fail("sizes beyond 32 bits")
	case s.data > n, (s.data > 0) != (s.moments[payloadMetric].Sum > 0):
		b.fail("bad number of data packets")
	case s.least > math.MaxUint16, s.header > n*math.MaxUint16, s.header < n*s.least:
		b.fail("bad sizes of headers")
	}
}

// count decodes a number of packets of the facts.
func (b *besideDecoder) count() uint64 {
	n := b.uvarint()
	if n > b.packets {
		b.fail("more packets of a kind than packets")
		return 0
	}
	return n
}

// checkSides holds the directions against the session.
func (b *besideDecoder) checkSides(f *facts, l *large) {
	var both [metrics]Moments
	for d := range f.direction {
		for m := lengthMetric; m < metrics; m++ {
			both[m].merge(&f.direction[d].moments[m])
		}
	}
	want := l.moments
	for j := uint8(keptRecords); j < f.done; j++ {
		r := b.o.recordAt(b.s, j)
		want[lengthMetric].add([]uint64{uint64(r.wire)})
		want[payloadMetric].add([]uint64{uint64(r.payload)})
	}
	if both[lengthMetric] != want[lengthMetric] || both[payloadMetric] != want[payloadMetric] {
		b.fail("directions that do not add up")
	}
}

func (b *besideDecoder) flagCounts(c *flagCounts) {
	for i := range c {
		c[i] = b.count()
		if c[i] > 0 && b.s.key.Protocol != protocolTCP {
			b.fail("TCP flags of another protocol")
		}
	}
}

func (b *besideDecoder) ip(f *ipFacts) {
	for d := range f.ttl {
		defined := b.flags(1)[0]
		f.ttl[d] = TTLRange{defined, b.byte(), b.byte()}
		if r := &f.ttl[d]; r.Min > r.Max || !defined && r.Max > 0 {
			b.fail("bad times to live")
		}
	}
	f.fragments = b.count()
}

// activity decodes the activity of f and holds it against its span, and
// against the idle time of the session.
func (b *besideDecoder) activity(f *facts, l *large) {
	a := &f.activity
	n := b.count()
	a.idle = b.moments(n)
	a.begin = f.first
	if n > 0 {
		a.closed = b.moments(n - 1)
		a.firstEnd, a.begin = b.time(), b.time()
	}
	if b.err != nil {
		return
	}
	idle := uint64(0)
	if b.packets > 0 {
		idle = idleSum([]uint64{uint64(f.first) - uint64(b.start)}, b.o.opt.IdleThreshold)
	}
	var row ActivitySummary
	a.summary(&row, f.span)
	want := l.idle
	for j := uint8(keptRecords); j < f.done; j++ {
		want += idleSum([]uint64{b.o.recordAt(b.s, j).gap}, b.o.opt.IdleThreshold)
	}
	switch {
	case n > 0 && (a.firstEnd < f.first || a.begin < a.firstEnd || f.last < a.begin):
		b.fail("active periods out of order")
	case row.Active.Sum != uint64(f.last)-uint64(f.first)-a.idle.Sum || a.idle.Sum > uint64(f.last)-uint64(f.first) || a.closed.Sum > row.Active.Sum:
		b.fail("periods that do not add up")
	case n > 0 && a.idle.Min <= b.o.opt.IdleThreshold, a.idle.Sum+idle != want:
		b.fail("idle periods that contradict the idle time")
	}
}

// sequence decodes the first packets of the session that are not kept records.
func (b *besideDecoder) sequence(packets []packet) {
	clock := b.start
	for i := range packets {
		gap := b.uvarint()
		if gap > uint64(b.s.last)-uint64(clock) {
			b.fail("sequence outside of its session")
			return
		}
		clock = int64(uint64(clock) + gap)
		packets[i] = packet{clock, b.uint32(), b.uint32(), b.detail(&b.s.key)}
	}
}

// keeps decodes what the encoding says that it has.
func (d *decoder) keeps() (n Needs, sequence int) {
	v, length := d.uvarint(), d.uvarint()
	if v > allNeeds || length > MaxSequence || v == 0 && length == 0 {
		d.fail("unknown feature groups")
		return 0, 0
	}
	return Needs(v), int(length)
}

// appendKeeps appends what o says that sessions keep.
func appendKeeps(dst []byte, o *Options) []byte {
	dst = binary.AppendUvarint(dst, uint64(o.Needs))
	return binary.AppendUvarint(dst, uint64(o.Sequence))
}
