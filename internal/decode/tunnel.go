package decode

import "github.com/google/gopacket"

// Tunnels: headers that may come between two IP headers. They are decoded even
// if Options.Decapsulate is off, so that the summary can give their number;
// packet.enter decides which IP header is the session's. A tunnel that does not
// end in an IP header leaves the session as it was.

// udp reads the ports, and continues with a tunnel if there is one.
func (p *packet) udp(data []byte) {
	p.ports(data)
	if len(data) < 6 {
		return
	}
	carried := p.payload
	// Bytes that IP carries after the datagram are no payload (RFC 9868,
	// section 4). A length below that of the header, or above what IP carries,
	// is ignored: first fragments, offloaded segments and jumbograms have one.
	if n := int64(be.Uint16(data[4:])); n >= 8 {
		p.payload = min(carried, n)
		if n < carried || p.fragmented {
			carried = n
		}
	}
	if len(data) <= 8 {
		return
	}
	next := layerNone
	if src, dst := be.Uint16(data), be.Uint16(data[2:]); p.tunnelPorts.maybe(src, dst) {
		next = p.tunnelPorts.layer(src, dst)
	}
	if next == layerNone && teredoFits(data[8:], carried-8) && teredoAddress(data[8:]) {
		next = layerIPv6 // Teredo between peers, which may use any ports
	}
	if next != layerNone {
		p.tunnel(next, data, carried)
	}
}

// tunnel continues with the layer next inside a UDP datagram of size bytes.
func (p *packet) tunnel(next gopacket.LayerType, data []byte, size int64) {
	p.room = p.off + size
	p.cutEnd(p.off, size)
	p.to(next, data, 8)
}

// vxlan decodes a VXLAN header (RFC 7348).
func (p *packet) vxlan(data []byte) {
	if len(data) < 8 || data[0]&8 == 0 {
		p.stop()
		return
	}
	p.to(layerEthernet, data, 8)
}

// vxlanGPE decodes a VXLAN-GPE header (draft-ietf-nvo3-vxlan-gpe, section 3).
// If the bit for a next protocol is not set, it is a VXLAN header.
func (p *packet) vxlanGPE(data []byte) {
	const nextProtocol = 0x04
	if len(data) < 8 || data[0]&nextProtocol == 0 {
		p.vxlan(data)
		return
	}
	p.nextProtocol(data[3], data, 8)
}

// geneve decodes a GENEVE header and its options (RFC 8926).
func (p *packet) geneve(data []byte) {
	if len(data) < 8 || data[0]>>6 != 0 {
		p.stop()
		return
	}
	n := 8 + 4*int(data[0]&63)
	if len(data) < n {
		p.stop()
		return
	}
	p.etherType(be.Uint16(data[2:]), data, n)
}

// gtp decodes a GTP-U header with its extension headers (3GPP TS 29.281,
// section 5). Only messages of type 255 carry a packet. Whether it is IP or
// Ethernet was agreed when the tunnel was set up, and no field names it.
func (p *packet) gtp(data []byte) {
	const optional, extension = 7, 4
	if len(data) < 8 || data[0]>>5 != 1 || data[0]&0x10 == 0 || data[1] != 255 {
		p.stop()
		return
	}
	n := 8
	if data[0]&optional != 0 {
		n = 12
		if len(data) < n {
			p.stop()
			return
		}
		next := data[11]
		if data[0]&extension == 0 {
			next = 0
		}
		for next != 0 {
			if len(data) <= n || data[n] == 0 || len(data) < n+4*int(data[n]) {
				p.stop()
				return
			}
			n += 4 * int(data[n])
			next = data[n-1]
		}
	}
	next := guess(data[n:], p.end-p.off-int64(n))
	if next == layerIPv4 && p.gtpLength(data) && checksum4(data[n:]) {
		p.room = 0 // certain, even if the packet was cut short before it entered the tunnel
	}
	p.to(next, data, n)
}

// gtpSource decodes a GTP-U header in a datagram from the port of GTP-U to
// another port.
func (p *packet) gtpSource(data []byte) {
	if !p.gtpLength(data) {
		p.stop()
		return
	}
	p.gtp(data)
}

// gtpLength reports whether the length in a GTP-U header is that of the
// datagram.
func (p *packet) gtpLength(data []byte) bool {
	return len(data) >= 8 && 8+int64(be.Uint16(data[2:])) == p.room-p.off
}

// teredo skips the authentication and origin headers of Teredo (RFC 4380,
// section 5.1.1). The IPv6 packet after them must fill the datagram.
func (p *packet) teredo(data []byte) {
	n := 0
	if len(data) >= 4 && be.Uint16(data) == 1 {
		n = 13 + int(data[2]) + int(data[3])
	}
	if len(data) >= n+2 && be.Uint16(data[n:]) == 0 {
		n += 8
	}
	if len(data) < n || !teredoFits(data[n:], p.room-p.off-int64(n)) {
		p.stop()
		return
	}
	p.to(layerIPv6, data, n)
}

// teredoFits reports whether data is an IPv6 packet of exactly size bytes on
// the wire. A bubble, which is a packet without content, may be followed by
// trailers (RFC 6081, section 4), which must fill the rest.
func teredoFits(data []byte, size int64) bool {
	if len(data) < 40 || data[0]>>4 != 6 {
		return false
	}
	n := 40 + int64(be.Uint16(data[4:]))
	if n == 40 && data[6] == protoNone {
		for n+2 <= min(size, int64(len(data))) { // type and length
			n += 2 + int64(data[n+1])
		}
	}
	return n == size
}

// teredoAddress reports whether the source or destination of an IPv6 packet is
// a Teredo address, in 2001::/32 (RFC 4380, section 2.6).
func teredoAddress(data []byte) bool {
	const prefix = 0x20010000
	return be.Uint32(data[8:]) == prefix || be.Uint32(data[24:]) == prefix
}

// l2tp decodes the header of an L2TPv2 data message (RFC 2661, section 3.1).
func (p *packet) l2tp(data []byte) {
	const control, length, sequence, offset = 0x8000, 0x4000, 0x0800, 0x0200
	if len(data) < 2 {
		p.stop()
		return
	}
	flags := be.Uint16(data)
	if flags&control != 0 || flags&15 != 2 {
		p.stop()
		return
	}
	n := 6
	if flags&length != 0 {
		n += 2
	}
	if flags&sequence != 0 {
		n += 4
	}
	if flags&offset != 0 {
		n += 2
		if len(data) < n {
			p.stop()
			return
		}
		n += int(be.Uint16(data[n-2:]))
	}
	p.skip(layerPPP, data, n)
}

// tzsp decodes a TZSP header and its tagged fields, which end with a field for
// that purpose. There is no standard; the numbers are those of the tools that
// write TZSP.
func (p *packet) tzsp(data []byte) {
	const (
		version = 1
		sent    = 1 // type: to be sent; 0 is received, others have no packet
		padding = 0
		end     = 1
	)
	if len(data) < 4 || data[0] != version || data[1] > sent {
		p.stop()
		return
	}
	n := 4
	for n < len(data) && data[n] != end {
		switch {
		case data[n] == padding:
			n++
		case len(data) < n+2:
			n = len(data)
		default:
			n += 2 + int(data[n+1])
		}
	}
	if n++; len(data) < n {
		p.stop()
		return
	}
	switch be.Uint16(data[2:]) {
	case 1:
		p.to(layerEthernet, data, n)
	case 0x12:
		p.to(layerWLAN, data, n)
	case 0x77, 0x7f: // Prism, AVS
		p.to(layerPrism, data, n)
	default:
		p.stop()
	}
}

// capwap decodes the header of a CAPWAP data message (RFC 5415, section 4.3):
// an Ethernet frame or an 802.11 frame (RFC 5416) follows. A fragment other
// than the first has no header of a frame.
func (p *packet) capwap(data []byte) {
	const (
		wlanBinding = 1
		native      = 0x0100 // the frame is that of the binding, not 802.3
		fragment    = 0x0080
		keepAlive   = 0x0008
	)
	if len(data) < 8 || data[0] != 0 { // version 0, not encrypted
		p.stop()
		return
	}
	n := int(data[1]>>3) * 4
	flags := be.Uint16(data[2:])
	if n < 8 || len(data) < n+2 || flags&keepAlive != 0 || flags&fragment != 0 && be.Uint16(data[6:])>>3 != 0 {
		p.stop()
		return
	}
	switch {
	case flags&native == 0:
		p.to(layerEthernet, data, n)
	case flags>>9&31 == wlanBinding:
		p.to(layerCAPWAPFrame, data, n)
	default:
		p.stop()
	}
}

// capwapFrame decodes an 802.11 frame in CAPWAP. Some access points exchange
// the two bytes of its frame control field.
func (p *packet) capwapFrame(data []byte) {
	if len(data) >= 2 && data[0]&wlanKindMask != wlanData && data[1]&wlanKindMask == wlanData {
		p.wlanFrame(data[1], data[0], data)
		return
	}
	p.wlan(data)
}

// etherIP decodes an EtherIP header (RFC 3378): version 3 and reserved bits.
// Some systems write the version into the wrong half of the first byte.
func (p *packet) etherIP(data []byte) {
	if len(data) < 2 || data[0]>>4 != 3 && data[0]&15 != 3 {
		p.stop()
		return
	}
	p.to(layerEthernet, data, 2)
}
