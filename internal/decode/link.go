package decode

import (
	"github.com/google/gopacket"

	"pcapbatch/internal/linktype"
)

// firstLayer returns the layer that a record of a link type starts with
// (www.tcpdump.org/linktypes.html), or layerNone if there is no decoder.
func firstLayer(link uint16) gopacket.LayerType {
	switch link {
	case linktype.Null, linktype.Loop:
		return layerNull
	case linktype.Ethernet:
		return layerEthernet
	case linktype.TokenRing:
		return layerTokenRing
	case linktype.PPP:
		return layerPPP
	case linktype.FDDI:
		return layerFDDI
	case linktype.RawBSD, linktype.RawOpenBSD, linktype.Raw:
		return layerIP
	case linktype.PPPHDLC:
		return layerPPPHDLC
	case linktype.PPPoE:
		return layerPPPoE
	case linktype.ATMRFC1483:
		return layerATM
	case linktype.CiscoHDLC:
		return layerCHDLC
	case linktype.IEEE80211:
		return layerWLAN
	case linktype.FrameRelay:
		return layerFrameRelay
	case linktype.ENC:
		return layerENC
	case linktype.LinuxSLL:
		return layerSLL
	case linktype.PFLOG:
		return layerPFLOG
	case linktype.IEEE80211Prism, linktype.IEEE80211AVS:
		return layerPrism
	case linktype.IPOverFibreChannel:
		return layerFibreChannel
	case linktype.IEEE80211Radiotap:
		return layerRadiotap
	case linktype.IPOverFireWire:
		return layerFireWire
	case linktype.User2, linktype.PKTAP:
		return layerPKTAP
	case linktype.PPPPPPD, linktype.PPPWithDirection:
		return layerPPPDirection
	case linktype.JuniperEthernet:
		return layerJuniperEthernet
	case linktype.JuniperPPP:
		return layerJuniperPPP
	case linktype.JuniperFrameRelay:
		return layerJuniperFrameRelay
	case linktype.JuniperCiscoHDLC:
		return layerJuniperCHDLC
	case linktype.CHDLCWithDirection:
		return layerCHDLCDirection
	case linktype.FRWithDirection:
		return layerFrameRelayDirection
	case linktype.MPLS:
		return layerMPLS
	case linktype.SLIP:
		return layerSLIP
	case linktype.IPoIB:
		return layerIPoIB
	case linktype.ERF, linktype.ERFEthernet, linktype.ERFPOS:
		return layerERF
	case linktype.DSABroadcom:
		return layerBroadcomTag
	case linktype.DSABroadcomPrepend:
		return layerBroadcomPrepend
	case linktype.DSAMarvell:
		return layerDSA
	case linktype.EDSAMarvell:
		return layerEDSA
	case linktype.PPI:
		return layerPPI
	case linktype.IPNET:
		return layerIPNET
	case linktype.IPv4:
		return layerIPv4
	case linktype.IPv6:
		return layerIPv6
	case linktype.NFLOG:
		return layerNFLOG
	case linktype.LinuxSLL2:
		return layerSLL2
	}
	return layerNone
}

// padsShortFrames reports whether a link type has Ethernet frames, of which
// short ones are padded.
func padsShortFrames(link uint16) bool {
	switch link {
	case linktype.Ethernet, linktype.LinuxSLL, linktype.DSABroadcom, linktype.DSABroadcomPrepend,
		linktype.DSAMarvell, linktype.EDSAMarvell:
		return true
	}
	return false
}

// family continues at data[n:] with the protocol of a BSD address family. The
// number for IPv6 differs from system to system.
func (p *packet) family(af uint32, data []byte, n int) {
	switch af {
	case 2:
		p.to(layerIPv4, data, n)
	case 10, 23, 24, 26, 28, 30: // Linux, Windows, NetBSD and OpenBSD, Solaris, FreeBSD, Darwin
		p.to(layerIPv6, data, n)
	default:
		p.notIP(Other)
	}
}

// hostFamily continues after a header of n bytes that starts with an address
// family in the byte order of the capturing machine. The byte order is not
// stored, so the value decides.
func (p *packet) hostFamily(data []byte, n int) {
	if len(data) < n {
		p.fail(LinkHeaderCut)
		return
	}
	af := le.Uint32(data)
	if af > 0xffff {
		af = be.Uint32(data)
	}
	p.family(af, data, n)
}

// null decodes the header of a BSD loopback; LOOP is the same in network byte
// order.
func (p *packet) null(data []byte) { p.hostFamily(data, 4) }

// pppDirection decodes PPP after a byte for the direction. In captures of pppd
// that byte replaces the address, and the control field follows.
func (p *packet) pppDirection(data []byte) {
	if len(data) >= 2 && data[1] == 3 {
		p.to(layerPPP, data, 2)
		return
	}
	p.skip(layerPPP, data, 1)
}

// cHDLCDirection and frameRelayDirection skip a byte for the direction.
func (p *packet) cHDLCDirection(data []byte)      { p.skip(layerCHDLC, data, 1) }
func (p *packet) frameRelayDirection(data []byte) { p.skip(layerFrameRelay, data, 1) }

// pppHDLC decodes PPP in HDLC-like framing (RFC 1662), or Cisco HDLC if the
// first byte is one of its addresses.
func (p *packet) pppHDLC(data []byte) {
	if len(data) > 0 && (data[0] == 0x0f || data[0] == 0x8f) {
		p.cHDLC(data)
		return
	}
	p.ppp(data)
}

// cHDLC decodes Cisco HDLC: address, control and an EtherType.
func (p *packet) cHDLC(data []byte) {
	if len(data) < 4 {
		p.fail(LinkHeaderCut)
		return
	}
	switch t := be.Uint16(data[2:]); t {
	case 0x8035, 0x2000: // SLARP, which takes the EtherType of RARP; CDP
		p.notIP(Control)
	default:
		p.etherType(t, data, 4)
	}
}

// frameRelay decodes a Q.922 header, and after it a network layer protocol
// identifier (RFC 2427) or, as Cisco does it, an EtherType.
func (p *packet) frameRelay(data []byte) {
	n := 2
	for n <= min(4, len(data)) && data[n-1]&1 == 0 { // only the last address byte is odd
		n++
	}
	if len(data) < n+2 || n > 4 {
		p.fail(LinkHeaderCut)
		return
	}
	if data[n] != 3 { // not unnumbered information
		p.etherType(be.Uint16(data[n:]), data, n+2)
		return
	}
	n++
	if data[n] == 0 { // padding
		n++
	}
	p.nlpid(data, n, Other)
}

// enc decodes the header of the OpenBSD IPsec interface.
func (p *packet) enc(data []byte) { p.hostFamily(data, 12) }

// ARPHRD numbers of devices for which SLL's protocol field does not name what
// follows.
const (
	arphrdFRAD     = 770
	arphrdWLAN     = 801
	arphrdPrism    = 802
	arphrdRadiotap = 803
	arphrdNetlink  = 824
)

// sll decodes a Linux cooked header, version 1.
func (p *packet) sll(data []byte) {
	if len(data) < 16 {
		p.fail(LinkHeaderCut)
		return
	}
	p.cooked(be.Uint16(data[2:]), be.Uint16(data[14:]), data, 16)
}

// sll2 decodes a Linux cooked header, version 2.
func (p *packet) sll2(data []byte) {
	if len(data) < 20 {
		p.fail(LinkHeaderCut)
		return
	}
	p.cooked(be.Uint16(data[8:]), be.Uint16(data), data, 20)
}

// cooked continues after n bytes of a Linux cooked header. Protocols below 1536
// are numbers of Linux, not EtherTypes.
func (p *packet) cooked(arphrd, t uint16, data []byte, n int) {
	switch {
	case arphrd == arphrdNetlink:
		p.notIP(Control)
	case arphrd == arphrdWLAN:
		p.to(layerWLAN, data, n)
	case arphrd == arphrdPrism:
		p.to(layerPrism, data, n)
	case arphrd == arphrdRadiotap:
		p.to(layerRadiotap, data, n)
	case arphrd == arphrdFRAD: // Frame Relay, whatever the protocol field says
		p.to(layerFrameRelay, data, n)
	case t == 3:
		p.to(layerEthernet, data, n)
	case t == 4:
		p.to(layerLLC, data, n)
	case t == 7:
		p.to(layerPPPHDLC, data, n)
	case t <= maxEtherLength:
		p.notIP(Other)
	default:
		p.etherType(t, data, n)
	}
}

// fddi decodes an FDDI header: frame control, destination, source. Only
// asynchronous LLC frames carry packets.
func (p *packet) fddi(data []byte) {
	if len(data) > 0 && data[0]&0xf0 != 0x50 {
		p.notIP(Control)
		return
	}
	p.skip(layerLLC, data, 13)
}

// tokenRing decodes an 802.5 header, with source routing if the first bit of
// the source address is set.
func (p *packet) tokenRing(data []byte) {
	switch {
	case len(data) < 15:
		p.fail(LinkHeaderCut)
	case data[1]&0xc0 != 0x40:
		p.notIP(Control)
	case data[8]&0x80 != 0:
		p.skip(layerLLC, data, 14+int(data[14]&0x1f))
	default:
		p.to(layerLLC, data, 14)
	}
}

// fibreChannel decodes the network header of IP over Fibre Channel (RFC 2625).
func (p *packet) fibreChannel(data []byte) { p.skip(layerLLC, data, 16) }

// fireWire decodes the header of IP over IEEE 1394 as Apple writes it.
func (p *packet) fireWire(data []byte) {
	if len(data) < 18 {
		p.fail(LinkHeaderCut)
		return
	}
	p.etherType(be.Uint16(data[16:]), data, 18)
}

// slip skips the header that capturing systems put before a SLIP packet: a
// direction, and the packet's header as it was compressed (RFC 1144). The
// packet itself is stored uncompressed.
func (p *packet) slip(data []byte) { p.skip(layerIP, data, 16) }

// ipoib decodes IP over InfiniBand: a global routing header of 40 bytes, then
// an EtherType and two reserved bytes (RFC 4391, section 6).
func (p *packet) ipoib(data []byte) {
	if len(data) < 44 {
		p.fail(LinkHeaderCut)
		return
	}
	p.etherType(be.Uint16(data[40:]), data, 44)
}

// skip continues after a header of n bytes, unless it is cut off.
func (p *packet) skip(next gopacket.LayerType, data []byte, n int) {
	if len(data) < n {
		p.fail(LinkHeaderCut)
		return
	}
	p.to(next, data, n)
}
