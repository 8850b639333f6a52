package decode

// Encapsulations below IP: headers that may come between the Ethernet header
// and the session's IP header, besides VLAN tags.

// mpls skips the label stack (RFC 3032). No field names the protocol after it.
func (p *packet) mpls(data []byte) {
	for n := 4; n <= len(data); n += 4 {
		if data[n-2]&1 != 0 {
			p.belowLabels(data, n)
			return
		}
	}
	p.fail(LinkHeaderCut)
}

// belowLabels continues after n bytes of labels, with IP or an Ethernet
// pseudowire (RFC 4448). Whether a pseudowire has a control word, whose first
// four bits are 0, is configured at its ends and not in the packet.
func (p *packet) belowLabels(data []byte, n int) {
	below := data[n:]
	if len(below) == 0 {
		p.fail(LinkHeaderCut)
		return
	}
	next := guess(below, p.end-p.off-int64(n))
	switch {
	case next != layerNone:
		p.to(next, data, n)
	case below[0]>>4 == 0:
		p.skip(layerEthernet, data, n+4)
	case below[0] == 0x10 && len(below) > 1 && below[1] == 0: // associated channel (RFC 5586)
		p.notIP(Control)
	default:
		p.to(layerEthernet, data, n)
	}
}

// pppoe decodes the header of a PPPoE session (RFC 2516).
func (p *packet) pppoe(data []byte) {
	if len(data) < 6 {
		p.fail(LinkHeaderCut)
		return
	}
	if data[1] != 0 { // the code of a discovery packet
		p.notIP(Control)
		return
	}
	p.cutEnd(p.off+6, int64(be.Uint16(data[4:])))
	p.to(layerPPP, data, 6)
}

// macsec decodes a MACsec tag (IEEE 802.1AE): a frame that is authenticated
// but not encrypted can be read.
func (p *packet) macsec(data []byte) {
	const (
		channel   = 0x20 // an 8-byte channel identifier follows
		encrypted = 0x0c // if either bit is set, the data is changed
		icvSize   = 16
	)
	n := 6
	if len(data) < n {
		p.fail(LinkHeaderCut)
		return
	}
	if data[0]&encrypted != 0 {
		p.fail(Encrypted)
		return
	}
	if data[0]&channel != 0 {
		n += 8
	}
	p.end = max(p.end-icvSize, p.off)
	p.taggedType(data, n)
}

// taggedType continues with the EtherType at data[n:].
func (p *packet) taggedType(data []byte, n int) {
	if len(data) < n+2 {
		p.fail(LinkHeaderCut)
		return
	}
	p.etherType(be.Uint16(data[n:]), data, n+2)
}

// ciscoMeta skips Cisco metadata: version, length, option and group tag.
func (p *packet) ciscoMeta(data []byte) { p.taggedType(data, 6) }

// vnTag skips a VN tag.
func (p *packet) vnTag(data []byte) { p.taggedType(data, 4) }

// rTag skips a redundancy tag (802.1CB).
func (p *packet) rTag(data []byte) { p.taggedType(data, 4) }

// hsr skips a tag of High-availability Seamless Redundancy (IEC 62439-3).
func (p *packet) hsr(data []byte) { p.taggedType(data, 4) }

// eTag skips an E-TAG (802.1BR).
func (p *packet) eTag(data []byte) { p.taggedType(data, 6) }

// arista skips a time stamp of Arista switches: a subtype, a version that
// distinguishes 64 from 48 bits, and the time.
func (p *packet) arista(data []byte) {
	if len(data) < 4 {
		p.fail(LinkHeaderCut)
		return
	}
	const timestamp = 1
	switch size := data[3] >> 4; {
	case be.Uint16(data) != timestamp:
		p.notIP(Other)
	case size == 1:
		p.taggedType(data, 4+8)
	case size == 2:
		p.taggedType(data, 4+6)
	default:
		p.notIP(Other)
	}
}

// backbone skips the service tag of 802.1ah, which comes before the customer's
// Ethernet header.
func (p *packet) backbone(data []byte) { p.skip(layerEthernet, data, 4) }

// fabricPath skips the tag of Cisco FabricPath. The header before it has the
// form of an Ethernet header, and so has the one after it.
func (p *packet) fabricPath(data []byte) { p.skip(layerEthernet, data, 2) }

// trill skips a TRILL header and its options (RFC 6325).
func (p *packet) trill(data []byte) {
	if len(data) < 6 {
		p.fail(LinkHeaderCut)
		return
	}
	p.skip(layerEthernet, data, 6+4*int(be.Uint16(data)>>6&31))
}

// nsh decodes a network service header (RFC 8300).
func (p *packet) nsh(data []byte) {
	if len(data) < 4 {
		p.fail(LinkHeaderCut)
		return
	}
	n := 4 * int(data[1]&63)
	if n < 8 {
		p.fail(LinkHeaderBad)
		return
	}
	p.nextProtocol(data[3], data, n)
}

// nextProtocol continues with the next protocol of NSH and VXLAN-GPE at
// data[n:].
func (p *packet) nextProtocol(t uint8, data []byte, n int) {
	switch t {
	case 1:
		p.skip(layerIPv4, data, n)
	case 2:
		p.skip(layerIPv6, data, n)
	case 3:
		p.skip(layerEthernet, data, n)
	case 4:
		p.skip(layerNSH, data, n)
	case 5:
		p.skip(layerMPLS, data, n)
	default:
		p.notIP(Other)
	}
}
