package decode

// Tags of Ethernet switches whose ports Linux shows as interfaces (Distributed
// Switch Architecture). A tag names the port of the switch that a frame passed.

const addressesSize = 12 // of an Ethernet header, before the EtherType

// broadcomTag decodes a frame with a Broadcom tag of four bytes before the
// EtherType.
func (p *packet) broadcomTag(data []byte) {
	p.taggedType(data, addressesSize+4)
}

// broadcomPrepend skips a Broadcom tag before the Ethernet header.
func (p *packet) broadcomPrepend(data []byte) { p.skip(layerEthernet, data, 4) }

// dsa decodes a frame with a Marvell tag of four bytes before the EtherType.
func (p *packet) dsa(data []byte) { p.marvell(data, addressesSize) }

// edsa decodes a frame with a Marvell tag after an EtherType, which can have
// any value, and two reserved bytes.
func (p *packet) edsa(data []byte) { p.marvell(data, addressesSize+4) }

// edsaTag decodes the rest of such a tag after the EtherType that Linux uses.
func (p *packet) edsaTag(data []byte) { p.marvell(data, 2) }

// marvell decodes a Marvell tag at data[n:] and the EtherType after it. If the
// frame had a VLAN tag, the Marvell tag has taken over the VLAN id.
func (p *packet) marvell(data []byte, n int) {
	const hadVLAN = 0x20
	if len(data) >= n+4 && data[n]&hadVLAN != 0 {
		p.tag(be.Uint16(data[n+2:]))
	}
	p.taggedType(data, n+4)
}
