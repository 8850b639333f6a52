package decode

// ipv6 decodes an IPv6 header and walks its extension headers (RFC 8200,
// section 4). The walk ends at the first upper-layer protocol, or where the
// bytes end: then the header that is missing is the protocol. A payload length
// of 0 where there is a next header means a jumbo payload (RFC 2675) or
// segmentation offload: the wire length says how long the packet is.
func (p *packet) ipv6(data []byte) {
	if len(data) < 40 {
		p.fail(IPHeaderCut)
		return
	}
	if data[0]>>4 != 6 {
		p.fail(IPVersionBad)
		return
	}
	length := int64(be.Uint16(data[4:]))
	if length == 0 && data[6] != protoNone {
		length = max(p.end-p.off-40, 0)
	}
	k := p.enter(6, data[6], 40+length)
	if k == nil {
		return
	}
	k.Src = [16]byte(data[8:24])
	k.Dst = [16]byte(data[24:40])
	p.cutEnd(p.off, 40+length)
	w := walk6{next: data[6], rest: data[40:]}
	w.rest = w.rest[:min(int64(len(w.rest)), length)]
	for w.step(p) {
	}
	p.payload = length - w.size
	if w.later {
		k.Protocol = w.next
		p.stop()
		return
	}
	p.upper(w.next, w.rest, 40+w.size)
}

// walk6 is the walk over IPv6 extension headers.
type walk6 struct {
	next  uint8  // protocol of rest
	rest  []byte // what is captured behind the headers walked
	size  int64  // bytes of the headers walked, by their length fields
	later bool   // this is a fragment, and not the first
}

// step walks one extension header and reports whether there was one.
func (w *walk6) step(p *packet) bool {
	if w.later || len(w.rest) < 2 {
		return false
	}
	size := (int(w.rest[1]) + 1) * 8
	switch w.next {
	case protoHopByHop, protoRouting, protoDestOpts:
	case protoAH:
		size = (int(w.rest[1]) + 2) * 4
	case protoFragment:
		size = 8
		if len(w.rest) < 8 {
			break
		}
		field := be.Uint16(w.rest[2:])
		w.later = field&^7 != 0
		if w.later || field&1 != 0 {
			p.ev.Key.Protocol = w.rest[0]
			p.fragment(be.Uint32(w.rest[4:]), !w.later)
		}
	default:
		return false
	}
	w.next = w.rest[0]
	w.size += int64(size)
	w.rest = w.rest[min(size, len(w.rest)):]
	return true
}
