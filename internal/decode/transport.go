package decode

import "pcapbatch/internal/flow"

// tcp reads ports, data offset and flags (RFC 9293, section 3.1). A data
// offset below 5 is not corrected.
func (p *packet) tcp(data []byte) {
	p.ports(data)
	if len(data) > 12 {
		p.header = int64(data[12]>>4) * 4
	}
	if len(data) > 13 {
		p.flags = flow.Flags(data[13] & 0x3f)
	}
}

// dccp reads ports and data offset (RFC 4340, section 5.1).
func (p *packet) dccp(data []byte) {
	p.ports(data)
	if len(data) > 4 {
		p.header = int64(data[4]) * 4
	}
}

// ports reads the two ports that all transports with ports start with.
func (p *packet) ports(data []byte) {
	if len(data) >= 4 {
		p.ev.Key.SrcPort = be.Uint16(data)
		p.ev.Key.DstPort = be.Uint16(data[2:])
	}
}
