package decode

// EtherTypes (www.iana.org/assignments/ieee-802-numbers).
const (
	etherIPv4       = 0x0800
	etherARP        = 0x0806
	etherRARP       = 0x8035
	etherVLAN       = 0x8100 // 802.1Q
	etherIPv6       = 0x86dd
	etherSlow       = 0x8809 // LACP and other slow protocols
	etherMPLS       = 0x8847
	etherMPLSMulti  = 0x8848
	etherPPPoEDisc  = 0x8863
	etherPPPoE      = 0x8864
	etherEAPOL      = 0x888e
	etherQinQ       = 0x88a8 // 802.1ad
	etherLLDP       = 0x88cc
	etherLoopback   = 0x9000
	etherQinQ91     = 0x9100 // tags of vendors, before 802.1ad and beside it
	etherQinQ92     = 0x9200
	etherQinQ93     = 0x9300
	etherQinQ82     = 0x8200
	etherCFM        = 0x8902 // 802.1ag
	etherMACsec     = 0x88e5
	etherBackbone   = 0x88e7 // 802.1ah
	etherTransEther = 0x6558 // transparent Ethernet bridging
	etherTRILL      = 0x22f3
	etherPPP        = 0x880b
	etherFabricPath = 0x8903
	etherCiscoMeta  = 0x8909
	etherVNTag      = 0x8926
	etherNSH        = 0x894f
	etherRTag       = 0xf1c1 // 802.1CB
	etherHSR        = 0x892f // IEC 62439-3
	etherPRP        = 0x88fb // supervision of PRP and HSR, IEC 62439-3
	etherETag       = 0x893f // 802.1BR
	etherArista     = 0xd28b
	etherEDSA       = 0xdada // as Linux has it
	etherJumboLLC   = 0x8870 // LLC in a frame too long for a length field

	// Types that carry no IP, by which fitsEthernet recognises an Ethernet header.
	etherIPX      = 0x8137
	etherPROFINET = 0x8892
	etherEtherCAT = 0x88a4
	etherGOOSE    = 0x88b8 // IEC 61850-8-1
	etherSampled  = 0x88ba // IEC 61850-9-2
	etherPTP      = 0x88f7 // IEEE 1588
	etherFCoE     = 0x8906
	etherFIP      = 0x8914

	maxEtherLength  = 1500 // up to this value the field is an 802.3 length
	etherHeaderSize = 14
)

// ethernet decodes an Ethernet header, version II or 802.3.
func (p *packet) ethernet(data []byte) {
	if len(data) < etherHeaderSize {
		p.fail(LinkHeaderCut)
		return
	}
	p.etherType(be.Uint16(data[12:]), data, etherHeaderSize)
}

// etherType continues at data[n:] with the protocol of an EtherType. IP is
// decoded at once, which saves a step of the parser for nearly every packet.
func (p *packet) etherType(t uint16, data []byte, n int) {
	switch t {
	case etherIPv4:
		if p.to(layerIPv4, data, n); p.next == layerIPv4 {
			p.ipv4(p.rest)
		}
	case etherIPv6:
		if p.to(layerIPv6, data, n); p.next == layerIPv6 {
			p.ipv6(p.rest)
		}
	case etherVLAN, etherQinQ, etherQinQ91, etherQinQ92, etherQinQ93, etherQinQ82:
		p.to(layerVLAN, data, n)
	case etherMPLS, etherMPLSMulti:
		p.to(layerMPLS, data, n)
	case etherPPPoE:
		p.to(layerPPPoE, data, n)
	case etherARP, etherRARP:
		p.notIP(ARP)
	case etherPPPoEDisc, etherEAPOL, etherSlow, etherLLDP, etherLoopback, etherCFM, etherPRP:
		p.notIP(Control)
	default:
		p.rareType(t, data, n)
	}
}

// rareType is etherType for lengths and for encapsulations that are rare.
func (p *packet) rareType(t uint16, data []byte, n int) {
	switch t {
	case etherMACsec:
		p.to(layerMACsec, data, n)
	case etherBackbone:
		p.to(layerBackbone, data, n)
	case etherTransEther:
		p.to(layerEthernet, data, n)
	case etherTRILL:
		p.to(layerTRILL, data, n)
	case etherPPP:
		p.to(layerPPP, data, n)
	case etherFabricPath:
		p.to(layerFabricPath, data, n)
	case etherCiscoMeta:
		p.to(layerCiscoMeta, data, n)
	case etherVNTag:
		p.to(layerVNTag, data, n)
	case etherNSH:
		p.to(layerNSH, data, n)
	case etherRTag:
		p.to(layerRTag, data, n)
	case etherHSR:
		p.to(layerHSR, data, n)
	case etherETag:
		p.to(layerETag, data, n)
	case etherArista:
		p.to(layerArista, data, n)
	case etherEDSA:
		p.to(layerEDSATag, data, n)
	case etherJumboLLC:
		p.to(layerLLC, data, n)
	default:
		if t <= maxEtherLength {
			p.cutEnd(p.off+int64(n), int64(t))
			p.to(layerLLC, data, n)
			return
		}
		p.notIP(Other)
	}
}

// vlan skips VLAN tags (802.1Q, 802.1ad), any number of them.
func (p *packet) vlan(data []byte) {
	for n := 4; n <= len(data); n += 4 {
		p.tag(be.Uint16(data[n-4:]))
		switch t := be.Uint16(data[n-2:]); t {
		case etherVLAN, etherQinQ, etherQinQ91, etherQinQ92, etherQinQ93, etherQinQ82:
		default:
			p.etherType(t, data, n)
			return
		}
	}
	p.fail(LinkHeaderCut)
}

// tag records the VLAN id of a tag.
func (p *packet) tag(tci uint16) {
	if p.tagged {
		p.vlanInner = tci & 0xfff
		return
	}
	p.tagged = true
	p.vlanOuter = tci & 0xfff
}

// llc decodes an 802.2 header, and the SNAP header after it (RFC 1042).
func (p *packet) llc(data []byte) {
	switch {
	case len(data) < 3:
		p.fail(LinkHeaderCut)
	case data[0] == 0xaa && data[1] == 0xaa && data[2] == 3:
		p.snap(data, 3, 0)
	case data[0] == 6 && data[2] == 3: // the IP SAP
		p.to(layerIPv4, data, 3)
	case data[0] == 0xfe && data[1] == 0xfe && data[2] == 3:
		p.nlpid(data, 3, LLC)
	default:
		p.notIP(LLC)
	}
}

// atm decodes LLC in ATM (RFC 2684), where two bytes of padding come before a
// bridged frame.
func (p *packet) atm(data []byte) {
	if len(data) >= 3 && data[0] == 0xaa && data[1] == 0xaa && data[2] == 3 {
		p.snap(data, 3, 2)
		return
	}
	p.llc(data)
}

// snap decodes a SNAP header at data[n:]: with an EtherType, if the
// organisation is none or that of bridge tunnels (802.1H), or before a bridged
// frame and pad bytes (RFC 2427, section 4.2; RFC 2684, section 5.2).
func (p *packet) snap(data []byte, n, pad int) {
	if len(data) < n+5 {
		p.fail(LinkHeaderCut)
		return
	}
	t := be.Uint16(data[n+3:])
	switch uint32(data[n])<<16 | uint32(be.Uint16(data[n+1:])) {
	case 0, 0x0000f8:
		if t > maxEtherLength {
			p.etherType(t, data, n+5)
			return
		}
	case 0x0080c2:
		n += 5 + pad
		switch t { // with the frame check sequence, and without
		case 1, 7:
			p.skip(layerEthernet, data, n)
			return
		case 3, 9: // with a byte of padding for the access control field
			p.skip(layerTokenRing, data, n)
			return
		case 4, 10:
			p.skip(layerFDDI, data, n+1)
			return
		}
	}
	p.notIP(LLC)
}

// nlpid continues with the network layer protocol identifier at data[n]
// (ISO/IEC TR 9577; RFC 2427, section 3). A packet that is not IP is counted as
// of the given kind.
func (p *packet) nlpid(data []byte, n int, other Kind) {
	if len(data) <= n {
		p.fail(LinkHeaderCut)
		return
	}
	switch data[n] {
	case 0xcc:
		p.to(layerIPv4, data, n+1)
	case 0x8e:
		p.to(layerIPv6, data, n+1)
	case 0xcf:
		p.to(layerPPP, data, n+1)
	case 0x80:
		p.snap(data, n+1, 0)
	default:
		p.notIP(other)
	}
}
