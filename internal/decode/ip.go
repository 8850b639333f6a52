package decode

import (
	"encoding/binary"

	"github.com/google/gopacket"

	"pcapbatch/internal/flow"
)

var (
	be = binary.BigEndian
	le = binary.LittleEndian
)

// ip decodes an IP header of either version, for link types that do not name
// the version.
func (p *packet) ip(data []byte) {
	switch {
	case len(data) == 0:
		p.fail(IPHeaderCut)
	case data[0]>>4 == 4:
		p.ipv4(data)
	case data[0]>>4 == 6:
		p.ipv6(data)
	default:
		p.fail(IPVersionBad)
	}
}

// ipv4 decodes an IPv4 header (RFC 791). Options are skipped. If the total
// length is 0, which segmentation offload leaves to the network card, the wire
// length replaces it.
func (p *packet) ipv4(data []byte) {
	if len(data) < 20 {
		p.fail(IPHeaderCut)
		return
	}
	if data[0]>>4 != 4 {
		p.fail(IPVersionBad)
		return
	}
	hl := int(data[0]&15) * 4
	total := int64(be.Uint16(data[2:]))
	if total == 0 {
		total = p.end - p.off
	}
	if hl < 20 || total < int64(hl) {
		p.fail(IPLengthBad)
		return
	}
	if len(data) < hl {
		p.fail(IPHeaderCut)
		return
	}
	k := p.enter(4, data[9], total)
	if k == nil {
		return
	}
	p.detail = flow.NewDetail(data[8])
	// These are stores of whole words, so that the loads of Canonical and Hash
	// need not wait for several narrower stores.
	le.PutUint64(k.Src[:8], uint64(le.Uint32(data[12:])))
	le.PutUint64(k.Dst[:8], uint64(le.Uint32(data[16:])))
	p.cutEnd(p.off, total)
	p.payload = total - int64(hl)
	n := int(min(int64(len(data)), total))
	frag := be.Uint16(data[6:])
	if frag&0x3fff != 0 {
		first := frag&0x1fff == 0
		p.fragment(uint32(be.Uint16(data[4:])), first)
		if !first {
			p.stop()
			return
		}
	}
	p.upper(data[9], data[hl:n], int64(hl))
}

// enter makes a valid IP header the session of the packet. It returns the key
// for the caller to add the addresses. total is the length of the IP packet in
// bytes. If the header is inside a tunnel that is not to be opened, enter ends
// the walk and returns nil.
func (p *packet) enter(version, protocol uint8, total int64) *flow.Key {
	if p.found && !p.open(total) {
		p.stop()
		return nil
	}
	p.found = true
	p.header = 0
	p.flags = 0
	k := &p.ev.Key
	*k = flow.Key{Protocol: protocol, Version: version}
	if p.opts.VLANKey {
		k.VLANOuter, k.VLANInner = p.vlanOuter, p.vlanInner
	}
	return k
}

// open reports whether the tunnel around an IP packet of total bytes is to be
// opened, and records that there is a tunnel. If the packet is longer than the
// datagram that carries it, there is none.
func (p *packet) open(total int64) bool {
	if p.room != 0 && total > p.room-p.off {
		return false
	}
	p.tunnelled = true
	return p.opts.Decapsulate
}

// Protocol numbers (www.iana.org/assignments/protocol-numbers).
const (
	protoHopByHop = 0
	protoICMP     = 1
	protoIPv4     = 4
	protoTCP      = 6
	protoUDP      = 17
	protoDCCP     = 33
	protoIPv6     = 41
	protoRouting  = 43
	protoFragment = 44
	protoGRE      = 47
	protoAH       = 51
	protoICMPv6   = 58
	protoNone     = 59
	protoDestOpts = 60
	protoEtherIP  = 97
	protoSCTP     = 132
	protoUDPLite  = 136
	protoMPLS     = 137 // RFC 4023
	protoShim6    = 140
	protoEthernet = 143 // RFC 8986, section 10.1
)

// upper continues with the upper-layer protocol in rest, after n bytes of IP
// headers. Transports are decoded at once: nearly every walk ends with one, and
// a step of the parser costs as much as the transport. p.header is first set to
// the size without options, for headers that are cut off.
func (p *packet) upper(protocol uint8, rest []byte, n int64) {
	// An authentication header (RFC 4302) after IPv4 is skipped like an IPv6
	// extension header.
	for protocol == protoAH && len(rest) >= 2 {
		protocol = rest[0]
		size := (int(rest[1]) + 2) * 4
		n += int64(size)
		p.payload -= int64(size)
		rest = rest[min(size, len(rest)):]
	}
	p.off += n
	p.ev.Key.Protocol = protocol
	p.stop()
	if p.opts.Details {
		p.describe(protocol, rest)
	}
	switch protocol {
	case protoTCP:
		p.header = 20
		p.tcp(rest)
	case protoUDP:
		p.header = 8
		p.udp(rest)
	default:
		p.rareUpper(protocol, rest)
	}
}

// rareUpper is upper for the rarer protocols.
func (p *packet) rareUpper(protocol uint8, rest []byte) {
	switch protocol {
	case protoICMP, protoICMPv6:
		p.header = 8
	case protoUDPLite:
		p.header = 8
		p.ports(rest)
	case protoSCTP:
		p.header = 12
		p.ports(rest)
	case protoDCCP:
		p.header = 12
		p.dccp(rest)
	case protoIPv4:
		p.inIP(layerIPv4, rest)
	case protoIPv6:
		p.inIP(layerIPv6, rest)
	case protoGRE:
		p.inIP(layerGRE, rest)
	case protoEtherIP:
		p.inIP(layerEtherIP, rest)
	case protoMPLS:
		p.inIP(layerMPLS, rest)
	case protoEthernet:
		p.inIP(layerEthernet, rest)
	}
}

// inIP continues with a tunnel that has an IP protocol number.
func (p *packet) inIP(next gopacket.LayerType, rest []byte) {
	p.room = 0
	p.to(next, rest, 0)
}
