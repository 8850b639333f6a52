package decode

// Tags of Ethernet switches whose ports Linux shows as interfaces (Distributed
// Switch Architecture). They say which port of the switch a frame has passed.

const addressesSize = 12 // of an Ethernet header, in front of the EtherType

// broadcomTag decodes a frame with a Broadcom tag of four bytes in front of the
// EtherType.
func (p *packet) broadcomTag(data []byte) {
	p.taggedType(data, addressesSize+4)
}

// broadcomPrepend steps over a Broadcom tag in front of a frame.
func (p *packet) broadcomPrepend(data []byte) { p.skip(layerEthernet, data, 4) }

// dsa decodes a frame with a Marvell tag of four bytes in front of the
// EtherType.
func (p *packet) dsa(data []byte) { p.marvell(data, addressesSize) }

// edsa decodes a frame with a Marvell tag behind an EtherType, which can be any,
// and two reserved bytes.
func (p *packet) edsa(data []byte) { p.marvell(data, addressesSize+4) }

// edsaTag decodes such a tag behind the EtherType that Linux has for it.
func (p *packet) edsaTag(data []byte) { p.marvell(data, 2) }

// marvell decodes a Marvell tag at n, and the EtherType behind it. Of a frame
// that had a VLAN tag, it has the VLAN id.
func (p *packet) marvell(data []byte, n int) {
	const hadVLAN = 0x20
	if len(data) >= n+4 && data[n]&hadVLAN != 0 {
		p.tag(be.Uint16(data[n+2:]))
	}
	p.taggedType(data, n+4)
}
