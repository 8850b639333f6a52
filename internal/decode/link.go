package decode

import (
	"github.com/google/gopacket"

	"pcapbatch/internal/linktype"
)

// firstLayer maps a link type (www.tcpdump.org/linktypes.html) to the layer
// that a record of it starts with, layerNone if there is none.
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
		return layerLLC
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

// family goes on with what a BSD address family says; IPv6 has a number of
// its own on every system.
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

// hostFamily goes on behind a header of n bytes that starts with an address
// family in the byte order of the capturing machine, which nothing tells.
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

// pppDirection decodes PPP behind a byte that tells sent from received. With
// pppd the byte takes the place of the address: the control field follows.
func (p *packet) pppDirection(data []byte) {
	if len(data) >= 2 && data[1] == 3 {
		p.to(layerPPP, data, 2)
		return
	}
	p.skip(layerPPP, data, 1)
}

// pppHDLC decodes PPP in HDLC-like framing (RFC 1662) or, as its first byte
// says, Cisco HDLC.
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

// frameRelay decodes a Q.922 header and behind it a network layer protocol
// identifier (RFC 2427), or an EtherType, as Cisco has it.
func (p *packet) frameRelay(data []byte) {
	n := 2
	for n <= min(4, len(data)) && data[n-1]&1 == 0 { // the last address byte is odd
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
		p.snap(data, n+1)
	default:
		p.notIP(Other)
	}
}

// enc decodes the header of the OpenBSD IPsec interface.
func (p *packet) enc(data []byte) { p.hostFamily(data, 12) }

// ARPHRD numbers that say how SLL's protocol field is to be read.
const (
	arphrdWLAN     = 801
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

// cooked goes on behind n bytes of a Linux cooked header. Protocols below
// 1536 are Linux's own numbers.
func (p *packet) cooked(arphrd, t uint16, data []byte, n int) {
	switch {
	case arphrd == arphrdNetlink:
		p.notIP(Control)
	case arphrd == arphrdWLAN:
		p.to(layerWLAN, data, n)
	case arphrd == arphrdRadiotap:
		p.to(layerRadiotap, data, n)
	case t == 4:
		p.to(layerLLC, data, n)
	case t <= maxEtherLength:
		p.notIP(Other)
	default:
		p.etherType(t, data, n)
	}
}

// fddi decodes an FDDI header: frame control, destination, source; only
// asynchronous LLC frames carry packets.
func (p *packet) fddi(data []byte) {
	if len(data) > 0 && data[0]&0xf0 != 0x50 {
		p.notIP(Control)
		return
	}
	p.skip(layerLLC, data, 13)
}

// tokenRing decodes an 802.5 header, with source routing where the first bit
// of the source address says so.
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

// skip steps over a header of n bytes.
func (p *packet) skip(next gopacket.LayerType, data []byte, n int) {
	if len(data) < n {
		p.fail(LinkHeaderCut)
		return
	}
	p.to(next, data, n)
}
