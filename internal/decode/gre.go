package decode

// GRE flags (RFC 2784, RFC 2890, RFC 1701, and RFC 2637 for version 1).
const (
	greChecksum = 0x8000
	greRouting  = 0x4000
	greKey      = 0x2000
	greSequence = 0x1000
	greAck      = 0x0080
	greVersion  = 0x0007
)

// Protocol numbers of GRE that are no EtherTypes.
const (
	greERSPAN  = 0x88be // types I and II
	greERSPAN3 = 0x22eb
	greWCCP    = 0x883e
	greAruba   = 0x8200 // and the next 15: 802.11 frames of Aruba access points
	greEoIP    = 0x6400 // Ethernet over IP of MikroTik, in version 1
	greFrames  = 0x6559 // Frame Relay (RFC 1701)
)

// gre decodes a GRE header with its optional fields.
func (p *packet) gre(data []byte) {
	if len(data) < 4 {
		p.stop()
		return
	}
	flags, t := be.Uint16(data), be.Uint16(data[2:])
	n, ok := greSize(flags, data)
	if !ok || len(data) < n {
		p.stop()
		return
	}
	switch {
	case t == greERSPAN && flags&greSequence == 0: // type I has no header of its own
		p.to(layerEthernet, data, n)
	case t == greERSPAN:
		p.skip(layerEthernet, data, n+8)
	case t == greERSPAN3:
		p.to(layerERSPAN3, data, n)
	case t == greWCCP:
		if len(data) > n && data[n]>>4 != 4 { // redirect header of version 2
			n += 4
		}
		p.skip(layerIPv4, data, n)
	case t == greEoIP && flags&greVersion == 1 && n == 8: // its key is a length and a tunnel id
		p.cutEnd(p.off+8, int64(be.Uint16(data[4:])))
		p.to(layerEthernet, data, n)
	case t == greFrames:
		p.to(layerFrameRelay, data, n)
	case t&^15 == greAruba:
		p.to(layerWLAN, data, n)
	default:
		p.etherType(t, data, n)
	}
}

// greSize returns the size in bytes of the GRE header that data starts with. It
// is not ok if the routing entries are cut off.
func greSize(flags uint16, data []byte) (n int, ok bool) {
	n = 4
	if flags&(greChecksum|greRouting) != 0 {
		n += 4
	}
	if flags&greKey != 0 {
		n += 4
	}
	if flags&greSequence != 0 {
		n += 4
	}
	if flags&greVersion == 1 {
		if flags&greAck != 0 {
			n += 4
		}
		return n, true
	}
	if flags&greRouting == 0 {
		return n, true
	}
	for len(data) >= n+4 { // source route entries, up to one that is empty
		family, size := be.Uint16(data[n:]), int(data[n+3])
		n += 4 + size
		if family == 0 && size == 0 {
			return n, true
		}
	}
	return 0, false
}

// erspan3 decodes an ERSPAN header of type III, which may carry an IP packet
// instead of an Ethernet frame.
func (p *packet) erspan3(data []byte) {
	if len(data) < 12 {
		p.stop()
		return
	}
	n := 12
	if data[11]&1 != 0 { // platform-specific part
		n += 8
	}
	switch data[10] >> 2 & 31 {
	case 0:
		p.skip(layerEthernet, data, n)
	case 2:
		p.skip(layerIP, data, n)
	default:
		p.stop()
	}
}
