package agg

import "math"

const protocolTCP = 6

// tcp decodes f and holds its parts against each other.
func (b *besideDecoder) tcp(f *tcpFacts) {
	for d := range f.first {
		bits := b.flags(3)
		f.window[d].Defined, f.seen[d], f.fin[d] = bits[0], bits[1], bits[2]
		w := b.uvarint()
		if w > math.MaxUint16 || w > 0 && !f.window[d].Defined {
			b.fail("bad window")
		}
		f.window[d].Bytes = uint16(w)
		for k := range f.first[d] {
			if at := b.count(); at > 0 {
				f.first[d][k] = event{at, b.time()}
			}
		}
	}
	bits := b.flags(4)
	f.rst = rst{seen: bits[0], fin: [2]bool{bits[2], bits[3]}}
	if bits[1] {
		f.rst.side = 1
	}
	if b.s.key.Protocol != protocolTCP && *f != (tcpFacts{}) {
		b.fail("TCP facts of another protocol")
	}
	if !f.possible() {
		b.fail("contradicting TCP packets")
	}
}

// possible reports whether packets can have the facts f.
func (f *tcpFacts) possible() bool {
	for d := range f.first {
		e := &f.first[d]
		if e[kindDone].at > 0 && (e[kindACK].at == 0 || e[kindACK].at > e[kindDone].at) || f.fin[d] && !f.seen[d] {
			return false
		}
		for k := range e {
			if e[k].at > 0 && (!f.seen[d] || !f.inOrder(&e[k], d, k)) {
				return false
			}
		}
		if f.rst.fin[d] && !(f.rst.seen && f.fin[d]) {
			return false
		}
	}
	return (f.rst.seen || f.rst.side == 0) && (!f.rst.seen || f.seen[f.rst.side])
}

// inOrder reports whether e, the first packet of kind k of direction d, stands
// to the others as its time says, and is none of another kind or direction.
func (f *tcpFacts) inOrder(e *event, d, k int) bool {
	ack := func(kind int) bool { return kind == kindACK || kind == kindDone }
	for d2 := range f.first {
		for k2 := range f.first[d2] {
			o := &f.first[d2][k2]
			same := d == d2 && (k == k2 || ack(k) && ack(k2)) // may be one packet
			if o.at > 0 && (o.at == e.at && (!same || o.time != e.time) || o.at < e.at && o.time > e.time) {
				return false
			}
		}
	}
	return true
}

// bulks decodes f and holds its parts against each other and against sp.
func (b *besideDecoder) bulks(f *bulks, sp span) {
	f.runs = b.byte()
	if f.runs > 2 {
		b.fail("bad number of runs")
		return
	}
	packets := uint64(0)
	for i, r := range [...]*burst{&f.last, &f.first} {
		if i < int(f.runs) {
			b.burst(r, sp)
			packets += r.packets
		}
	}
	if f.runs == 2 && f.first.end > f.last.begin {
		b.fail("runs out of order")
	}
	for d := range f.sums {
		c := &f.sums[d]
		*c = BulkCounts{b.count(), b.count(), b.uvarint(), b.uvarint()}
		packets += c.Packets
		if c.Packets/bulkPackets < c.Bulks || c.Bulks == 0 && *c != (BulkCounts{}) || !sizesFit(c.Packets, c.Bytes) ||
			c.Duration > uint64(sp.last)-uint64(sp.first) || c.Bulks > 0 && f.runs < 2 {
			b.fail("contradicting bulks")
		}
	}
	f.slow = b.count()
	if packets > b.packets {
		b.fail("more packets in bulks than packets")
	}
}

func (b *besideDecoder) burst(r *burst, sp span) {
	if b.flags(1)[0] {
		r.side = 1
	}
	r.packets, r.bytes = b.count(), b.uvarint()
	times := b.span(r.packets)
	r.begin, r.end = times.first, times.last
	if r.packets == 0 || !sizesFit(r.packets, r.bytes) || r.begin < sp.first || r.end > sp.last {
		b.fail("contradicting run of data packets")
	}
}

// sizesFit reports whether n data packets can have so many bytes.
func sizesFit(n, bytes uint64) bool { return bytes >= n && bytes/math.MaxUint32 <= n }
