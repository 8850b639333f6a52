package decode

import "github.com/google/gopacket"

// Tunnels: what may stand between two IP headers. They are walked whether or
// not they are to be opened, so that the summary can say how many there are;
// enter decides which header is the session's. A tunnel that ends in anything
// but an IP header leaves the session as it was.

// tunnelPort returns the layer that a UDP port stands for, layerNone for most.
func tunnelPort(port uint16) gopacket.LayerType {
	switch port {
	case 1701:
		return layerL2TP
	case 2152:
		return layerGTP
	case 3544:
		return layerTeredo
	case 4789, 8472: // as assigned, and as Linux had it before
		return layerVXLAN
	case 6081:
		return layerGENEVE
	}
	return layerNone
}

// udp reads ports, and goes on with a tunnel if a port says so.
func (p *packet) udp(data []byte) {
	p.ports(data)
	// What IP carries behind the datagram is no payload (RFC 9868, section 4).
	// A length that says more than IP has, or less than a header, says nothing:
	// that of a first fragment, of offloaded segments, of a jumbogram.
	if len(data) >= 6 {
		if n := int64(be.Uint16(data[4:])); n >= 8 && n < p.payload {
			p.payload = n
		}
	}
	k := &p.ev.Key
	t := tunnelPort(k.DstPort)
	if t == layerNone {
		if t = tunnelPort(k.SrcPort); t == layerNone {
			return
		}
	}
	if len(data) > 8 {
		p.to(t, data, 8)
	}
}

// vxlan decodes a VXLAN header (RFC 7348).
func (p *packet) vxlan(data []byte) {
	if len(data) < 8 || data[0]&8 == 0 {
		p.stop()
		return
	}
	p.to(layerEthernet, data, 8)
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
// section 5); only messages of type 255 carry a packet.
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
	p.to(layerIP, data, n)
}

// teredo steps over the authentication and origin headers of Teredo (RFC 4380,
// section 5.1.1).
func (p *packet) teredo(data []byte) {
	n := 0
	if len(data) >= 4 && be.Uint16(data) == 1 {
		n = 13 + int(data[2]) + int(data[3])
	}
	if len(data) >= n+2 && be.Uint16(data[n:]) == 0 {
		n += 8
	}
	if len(data) < n {
		p.stop()
		return
	}
	p.to(layerIPv6, data, n)
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
