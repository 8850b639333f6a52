package decode

import "github.com/google/gopacket"

// Pseudo headers: what capturing systems put before the packet.

// pflog decodes the header of a BSD packet filter log. Its first byte is its
// length, which is rounded up to four bytes.
func (p *packet) pflog(data []byte) {
	if len(data) < 2 {
		p.fail(LinkHeaderCut)
		return
	}
	n := (int(data[0]) + 3) &^ 3
	if n < 48 {
		p.fail(LinkHeaderBad)
		return
	}
	if len(data) < n {
		p.fail(LinkHeaderCut)
		return
	}
	p.family(uint32(data[1]), data, n)
}

// nflog decodes a record of a Linux netfilter log: a list of attributes, one of
// which is the packet. They are in the byte order of the capturing machine,
// which can be recognised because all types are below 256.
func (p *packet) nflog(data []byte) {
	if len(data) < 4 {
		p.fail(LinkHeaderCut)
		return
	}
	const payload = 9
	n := 4
	for len(data)-n >= 4 {
		size, typ := le.Uint16(data[n:]), le.Uint16(data[n+2:])
		if typ > 0xff {
			size, typ = be.Uint16(data[n:]), be.Uint16(data[n+2:])
		}
		if size < 4 {
			p.fail(LinkHeaderBad)
			return
		}
		if typ == payload {
			p.cutEnd(p.off+int64(n), int64(size))
			p.family(uint32(data[0]), data[:min(len(data), n+int(size))], n+4)
			return
		}
		n += (int(size) + 3) &^ 3
	}
	p.fail(LinkHeaderCut)
}

// ipnet decodes the header of a Solaris IP observability node.
func (p *packet) ipnet(data []byte) {
	if len(data) < 24 {
		p.fail(LinkHeaderCut)
		return
	}
	p.family(uint32(data[1]), data, 24)
}

// pktap decodes the header that Darwin writes for all interfaces together. It
// names the link type of the packet.
func (p *packet) pktap(data []byte) {
	if len(data) < 12 {
		p.fail(LinkHeaderCut)
		return
	}
	p.nested(le.Uint32(data), le.Uint32(data[8:]), data)
}

// ppi decodes a per-packet information header, which also names the link type.
func (p *packet) ppi(data []byte) {
	if len(data) < 8 {
		p.fail(LinkHeaderCut)
		return
	}
	p.nested(uint32(le.Uint16(data[2:])), le.Uint32(data[4:]), data)
}

// nested continues with a packet of another link type after n bytes.
func (p *packet) nested(n, link uint32, data []byte) {
	if n < 8 || link > 0xffff {
		p.fail(LinkHeaderBad)
		return
	}
	next := firstLayer(uint16(link))
	if next == layerNone {
		p.noDecoder(uint16(link))
		return
	}
	if uint64(n) > uint64(len(data)) {
		p.fail(LinkHeaderCut)
		return
	}
	p.to(next, data, int(n))
}

func (p *packet) juniperEthernet(data []byte)   { p.juniper(layerEthernet, data) }
func (p *packet) juniperPPP(data []byte)        { p.juniper(layerPPP, data) }
func (p *packet) juniperFrameRelay(data []byte) { p.juniper(layerFrameRelay, data) }
func (p *packet) juniperCHDLC(data []byte)      { p.juniper(layerCHDLC, data) }

// juniper decodes the header that Juniper routers put before the link layer: a
// magic number, flags and, if a flag is set, extensions. A packet without link
// layer has a protocol number instead.
func (p *packet) juniper(link gopacket.LayerType, data []byte) {
	const (
		noLink    = 0x02
		extension = 0x80
	)
	if len(data) < 6 {
		p.fail(LinkHeaderCut)
		return
	}
	if be.Uint32(data)>>8 != 0x4d4743 {
		p.fail(LinkHeaderBad)
		return
	}
	n := 4
	if data[3]&extension != 0 {
		n = 6 + int(be.Uint16(data[4:]))
	}
	if data[3]&noLink == 0 {
		p.skip(link, data, n)
		return
	}
	if len(data) < n+4 {
		p.fail(LinkHeaderCut)
		return
	}
	switch le.Uint32(data[n:]) {
	case 2, 6:
		p.to(layerIP, data, n+4)
	default:
		p.notIP(Other)
	}
}
