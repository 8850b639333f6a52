package decode

import "github.com/google/gopacket"

// Packets whose protocol no field names: those after MPLS labels, and in GTP-U.

// guess returns the layer that a packet of left bytes on the wire begins with:
// IPv4, IPv6, Ethernet, or layerNone if none of them fits. The IP version alone
// does not decide, because MAC addresses begin with 4 or 6 too. The tests are
// ordered by how much they prove: an IPv4 header with the right checksum, an
// IPv6 header whose length is that of the packet, an Ethernet header with a
// known EtherType, and last an IP header whose lengths are merely possible.
func guess(data []byte, left int64) gopacket.LayerType {
	switch {
	case fits4(data, left) && checksum4(data):
		return layerIPv4
	case fits6(data, left) && len(data) >= 6 && 40+int64(be.Uint16(data[4:])) == left:
		return layerIPv6
	case fitsEthernet(data, left):
		return layerEthernet
	case fits6(data, left):
		return layerIPv6
	case fits4(data, left) || fits4(data, 1<<16) && checksum4(data):
		return layerIPv4
	}
	return layerNone
}

// fits4 reports whether data can begin with an IPv4 header in a packet of left
// bytes. A field that is cut off fits.
func fits4(data []byte, left int64) bool {
	if len(data) == 0 || data[0]>>4 != 4 || data[0]&15 < 5 {
		return false
	}
	if len(data) < 4 {
		return true
	}
	total := int64(be.Uint16(data[2:]))
	return total == 0 || total >= int64(data[0]&15)*4 && total <= left
}

// checksum4 reports whether the IPv4 header that data begins with is whole and
// its checksum right (RFC 791, section 3.1).
func checksum4(data []byte) bool {
	n := int(data[0]&15) * 4
	if len(data) < n {
		return false
	}
	sum := uint32(0)
	for i := 0; i < n; i += 2 {
		sum += uint32(be.Uint16(data[i:]))
	}
	return sum>>16+sum&0xffff == 0xffff
}

// fits6 reports whether data can begin with an IPv6 header in a packet of left
// bytes. A field that is cut off fits.
func fits6(data []byte, left int64) bool {
	if len(data) == 0 || data[0]>>4 != 6 {
		return false
	}
	return len(data) < 6 || 40+int64(be.Uint16(data[4:])) <= left
}

// fitsEthernet reports whether data can begin with an Ethernet header: with a
// known EtherType, or with a possible length and an LLC header.
func fitsEthernet(data []byte, left int64) bool {
	if len(data) < etherHeaderSize {
		return false
	}
	switch t := be.Uint16(data[12:]); t {
	case etherIPv4, etherIPv6, etherARP, etherVLAN, etherQinQ, etherQinQ91, etherQinQ92, etherQinQ93, etherQinQ82,
		etherMPLS, etherMPLSMulti, etherPPPoE, etherPPPoEDisc, etherMACsec, etherBackbone, etherETag, etherHSR, etherRTag,
		etherSlow, etherEAPOL, etherLLDP, etherLoopback, etherCFM, etherPRP, etherPTP, etherIPX, etherPROFINET,
		etherEtherCAT, etherGOOSE, etherSampled, etherFCoE, etherFIP:
		return true
	default:
		// Nearly every LLC frame has one SAP at both ends, apart from the
		// group and command bits, and is unnumbered information.
		llc := data[etherHeaderSize:]
		return t <= maxEtherLength && etherHeaderSize+int64(t) <= left &&
			len(llc) >= 3 && (llc[0]^llc[1])&^1 == 0 && llc[2] == 3
	}
}
