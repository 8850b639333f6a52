package decode

import "pcapbatch/internal/flow"

// ipv6 decodes an IPv6 header and walks its extension headers (RFC 8200,
// section 4). The walk ends at the first upper-layer protocol, or where the
// bytes end; then the protocol is that of the missing header.
func (p *packet) ipv6(data []byte) {
	if len(data) < 40 {
		p.fail(IPHeaderCut)
		return
	}
	if data[0]>>4 != 6 {
		p.fail(IPVersionBad)
		return
	}
	length, padding := int64(be.Uint16(data[4:])), false
	if length == 0 && data[6] != protoNone {
		length, padding = p.missingLength(data)
	}
	k := p.enter(6, data[6], 40+length)
	if k == nil {
		return
	}
	p.detail = flow.NewDetail(data[7])
	k.Src = [16]byte(data[8:24])
	k.Dst = [16]byte(data[24:40])
	p.cutEnd(p.off, 40+length)
	w := walk6{next: data[6], rest: data[40:]}
	w.rest = w.rest[:min(int64(len(w.rest)), length)]
	for w.step(p) {
	}
	p.payload = length - w.size
	if padding {
		p.payload = 0
	}
	if w.later {
		k.Protocol = w.next
		p.stop()
		return
	}
	p.upper(w.next, w.rest, 40+w.size)
}

// missingLength returns the payload length of an IPv6 packet whose payload
// length field is 0 although there is a next header. A jumbogram has the length
// in an option. Otherwise segmentation offload left it out, and it follows from
// the wire length. But in a short Ethernet frame the rest is padding.
func (p *packet) missingLength(data []byte) (length int64, padding bool) {
	const shortFrame = 64
	if n, ok := jumbo(data); ok {
		return n, false
	}
	return max(p.end-p.off-40, 0), p.padded && p.end <= shortFrame
}

// jumbo returns the length in the jumbo payload option of an IPv6 packet, in
// its hop-by-hop options (RFC 2675, section 2; RFC 8200, section 4.2).
func jumbo(data []byte) (length int64, ok bool) {
	const pad1, jumboPayload = 0, 0xc2
	if data[6] != protoHopByHop || len(data) < 48 {
		return 0, false
	}
	options := data[42:min(len(data), 48+8*int(data[41]))]
	for len(options) >= 2 {
		n := 2 + int(options[1])
		switch {
		case options[0] == pad1:
			n = 1
		case n > len(options):
			return 0, false
		case options[0] == jumboPayload && n == 6:
			return int64(be.Uint32(options[2:])), true
		}
		options = options[n:]
	}
	return 0, false
}

// walk6 is the state of the walk over IPv6 extension headers.
type walk6 struct {
	next  uint8  // protocol of rest
	rest  []byte // captured bytes after the headers walked
	size  int64  // size of the headers walked in bytes, by their length fields
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
	case protoShim6: // a payload follows if the bit after the length is set (RFC 5533, section 5.2)
		if len(w.rest) < 3 || w.rest[2]&0x80 == 0 {
			return false
		}
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
