package decode

import "pcapbatch/internal/flow"

// MaxPackets is the largest number of packets that Decode and More return for
// one record: more than the largest A-MSDU has room for (11 454 bytes, IEEE
// 802.11-2020, table 9-25). What follows them is undecodable.
const MaxPackets = 1024

// subframeHeader is the size in bytes of the header of a subframe:
// destination, source, and the length of what follows.
const subframeHeader = 14

// aggregate is the part of an A-MSDU that is still to be decoded. An A-MSDU
// (IEEE 802.11-2020, section 9.3.2.2) is one 802.11 frame of several subframes,
// each with a packet of its own and padded to four bytes.
type aggregate struct {
	rest     []byte   // captured bytes from the next subframe on
	base     findings // state that a subframe begins with; base.off is the offset of the next one
	started  int      // subframes begun so far
	captured int      // captured bytes of the subframe begun last
	wireLen  uint32   // its wire length
	time     int64    // of the record

	// tunnel reports that the frame is inside a tunnel, nested that this tunnel
	// is inside another one.
	tunnel, nested bool
}

// amsdu begins an A-MSDU that starts n bytes into data. If the frame is
// inside a tunnel that is not opened, only the first subframe is looked at.
func (p *packet) amsdu(data []byte, n int) {
	if len(data) < n {
		p.fail(LinkHeaderCut)
		return
	}
	if p.found && !p.opts.Decapsulate {
		p.skip(layerMSDU, data, n+subframeHeader)
		return
	}
	p.off += int64(n)
	p.aggregated = true
	p.aggregate = aggregate{rest: data[n:], base: p.findings, tunnel: p.found, nested: p.tunnelled}
	base := &p.aggregate.base
	base.found, base.tunnelled, base.fragmented = false, false, false
	p.tunnelled = false
	p.subframe()
}

// more reports whether another subframe follows. A rest that is shorter than
// the header of a subframe, or begins with zeros, is a trailer or padding.
func (a *aggregate) more() bool {
	if a.base.end-a.base.off < subframeHeader {
		return false
	}
	return len(a.rest) < subframeHeader || [subframeHeader]byte(a.rest) != [subframeHeader]byte{}
}

// subframe starts the walk over the next subframe. If that one is cut off or
// its length is wrong, the record ends with it.
func (p *packet) subframe() {
	a := &p.aggregate
	rest, left := a.rest, a.base.end-a.base.off
	a.rest = nil
	a.started++
	if len(rest) < subframeHeader {
		a.base.off = a.base.end
		p.fail(LinkHeaderCut)
		return
	}
	size := subframeHeader + int64(be.Uint16(rest[12:]))
	if size == subframeHeader || size > left || a.started > MaxPackets {
		a.base.off = a.base.end
		p.fail(LinkHeaderBad)
		return
	}
	a.captured = int(min(size, int64(len(rest))))
	next := (size + 3) &^ 3
	a.base.off += next
	if next < int64(len(rest)) {
		a.rest = rest[next:]
	}
	a.wireLen = uint32(size)
	p.cutEnd(p.off, size)
	p.to(layerMSDU, rest[:a.captured], subframeHeader)
}

// msdu decodes the content of a data frame or of a subframe: LLC, in a mesh
// network after a mesh control field (IEEE 802.11-2020, section 9.2.4.7.3).
// The bit that announces the field has other meanings outside mesh networks,
// so the reserved bits of the field must be zero too.
func (p *packet) msdu(data []byte) {
	if p.mesh && len(data) > 0 && data[0] < 3 {
		p.skip(layerLLC, data, 6+6*int(data[0])) // with as many more addresses
		return
	}
	p.llc(data)
}

// first finishes Decode for an A-MSDU. If the first subframe has no IP packet
// and the frame is inside a tunnel, the record counts for the tunnel's session.
func (d *Decoder) first(ev *flow.Event, captured int, wireLen uint32, time int64) bool {
	p := &d.packet
	a := &p.aggregate
	a.time = time
	if !a.tunnel || p.tunnelled {
		captured, wireLen = a.captured, a.wireLen
	}
	p.tunnelled = p.tunnelled || a.nested
	return d.finish(ev, captured, wireLen, time) || d.further(ev)
}

// further implements More for an A-MSDU.
func (d *Decoder) further(ev *flow.Event) bool {
	p := &d.packet
	for p.aggregate.more() {
		d.counts.FurtherPackets++
		p.ev, p.findings = ev, p.aggregate.base
		p.subframe()
		if p.next != layerNone {
			_ = d.parsers[layerMSDU].DecodeLayers(p.rest, &d.walked)
		}
		p.rest = nil
		p.tunnelled = p.tunnelled || p.aggregate.tunnel
		if d.finish(ev, p.aggregate.captured, p.aggregate.wireLen, p.aggregate.time) {
			return true
		}
	}
	p.aggregate.rest = nil
	p.aggregated = false
	return false
}
