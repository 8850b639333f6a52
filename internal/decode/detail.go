package decode

import "pcapbatch/internal/flow"

// Detail returns the word of the event that Decode returned last, but for its
// direction, which Fragments may still change: agg takes it from the event.
// Requires: Options.Details.
func (d *Decoder) Detail() flow.Detail {
	return d.packet.detail.WithHeader(d.packet.header)
}

// describe notes what the start of a transport header says: TCP flags and
// window (RFC 9293, section 3.1), ICMP type and code (RFC 792, RFC 4443).
func (p *packet) describe(protocol uint8, data []byte) {
	switch protocol {
	case protoTCP:
		if len(data) > 13 {
			p.detail = p.detail.WithTCPFlags(data[13])
		}
		if len(data) > 15 {
			p.detail = p.detail.WithWindow(be.Uint16(data[14:]))
		}
	case protoICMP, protoICMPv6:
		if len(data) > 1 {
			p.detail = p.detail.WithICMP(data[0], data[1])
		}
	}
}
