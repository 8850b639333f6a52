package decode

import (
	"github.com/google/gopacket"

	"pcapbatch/internal/linktype"
)

// erf decodes the header of an ERF record (Endace, "ERF Types Reference
// Guide") with its extension headers. It names the kind of the packet that
// follows, and the length that it had on the wire.
func (p *packet) erf(data []byte) {
	const (
		headerSize = 16
		extension  = 8
		more       = 0x80 // in the type and in each extension header: another one follows
	)
	if len(data) < headerSize {
		p.fail(LinkHeaderCut)
		return
	}
	n := headerSize
	for next := data[8]; next&more != 0; n += extension {
		if len(data) < n+extension {
			p.fail(LinkHeaderCut)
			return
		}
		next = data[n]
	}
	length := int64(be.Uint16(data[14:]))
	next := layerNone
	switch data[8] &^ more {
	case 2, 11, 16, 20: // Ethernet, after two bytes of padding
		n += 2
		next = layerEthernet
	case 22:
		next = layerIPv4
	case 23:
		next = layerIPv6
	case 1, 10, 15, 19: // HDLC
		next = hdlcLayer(data[n:])
	case 5, 17: // HDLC, after a multi-channel header
		n += 4
		length += 4
		next = hdlcLayer(data[min(n, len(data)):])
	case 13, 14, 27, 48: // counters, metadata, padding
		p.notIP(Control)
		return
	}
	if next == layerNone {
		p.noDecoder(linktype.ERF)
		return
	}
	p.cutEnd(p.off+int64(n), length)
	p.skip(next, data, n)
}

// hdlcLayer recognises PPP and Cisco HDLC by their address and control bytes.
func hdlcLayer(data []byte) gopacket.LayerType {
	if len(data) < 2 {
		return layerPPPHDLC // which reports that they are cut off
	}
	switch be.Uint16(data) {
	case 0xff03, 0x0f00, 0x8f00:
		return layerPPPHDLC
	}
	return layerNone
}
