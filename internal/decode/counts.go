package decode

// Reason is why a packet has no session key although it may be IP.
type Reason uint8

const (
	reasonNone Reason = iota
	// LinkHeaderCut: the captured bytes end before an IP header begins.
	LinkHeaderCut
	// LinkHeaderBad: a header below IP contradicts itself.
	LinkHeaderBad
	// IPHeaderCut: the captured bytes end inside the IP header.
	IPHeaderCut
	// IPVersionBad: the IP version is not the one that the layer below names.
	IPVersionBad
	// IPLengthBad: the IPv4 header length is below 20 bytes, or the total
	// length below the header length.
	IPLengthBad
	// Encrypted: 802.11 or MACsec payload that would have to be decrypted.
	Encrypted
	// TooDeep: the packet has more layers than any real one.
	TooDeep
	// NumReasons is the number of reasons, counting none.
	NumReasons

	// linkUnsupported: the header in front of the packet names a link type
	// that has no decoder. It is counted with the records of such link types.
	linkUnsupported = NumReasons
)

// String returns the text for the run summary.
func (r Reason) String() string {
	return [NumReasons]string{
		LinkHeaderCut: "link header cut off",
		LinkHeaderBad: "link header malformed",
		IPHeaderCut:   "ip header cut off",
		IPVersionBad:  "ip version contradicts link layer",
		IPLengthBad:   "ip header length malformed",
		Encrypted:     "encrypted link layer",
		TooDeep:       "too many layers",
	}[r]
}

// Kind is what a packet that is not IP holds.
type Kind uint8

const (
	kindNone Kind = iota
	// ARP: address resolution, also reverse.
	ARP
	// LLC: an 802.2 frame that carries no IP, such as spanning tree or IS-IS.
	LLC
	// Control: a frame of the link layer itself, such as 802.11 management,
	// PPP negotiation, PPPoE discovery, LLDP.
	Control
	// Other: a network protocol that is not IP.
	Other
	// NumKinds is the number of kinds, counting none.
	NumKinds
)

// String returns the text for the run summary.
func (k Kind) String() string {
	return [NumKinds]string{
		ARP:     "arp",
		LLC:     "llc",
		Control: "link control",
		Other:   "other",
	}[k]
}

// Counts is the number of records by outcome. Every record, and every further
// packet of an aggregated record, is in exactly one of Events, NonIP,
// Undecodable and UnsupportedLink.
type Counts struct {
	// Events is the number of packets that belong to a session.
	Events uint64
	// NonIP is the number of packets that are not IP; Kinds splits it.
	NonIP uint64
	Kinds [NumKinds]uint64
	// Undecodable is, by reason, the number of packets that are too damaged
	// or too short to have a key, or encrypted.
	Undecodable [NumReasons]uint64
	// UnsupportedLink is the number of packets by link type without a decoder:
	// the link type of the record, or the one that a header before the packet
	// names. It is nil while there are none.
	UnsupportedLink map[uint16]uint64
	// FurtherPackets is the number of packets after the first one of their
	// record: see Decoder.More.
	FurtherPackets uint64

	// Tunnelled and Fragments count some of Events: packets with an IP packet
	// inside a tunnel that Options.Decapsulate opens (whether it is set or
	// not), and fragments of a datagram.
	Tunnelled uint64
	Fragments uint64
}

// Add adds o to c.
func (c *Counts) Add(o *Counts) {
	c.Events += o.Events
	c.NonIP += o.NonIP
	for i, n := range o.Kinds {
		c.Kinds[i] += n
	}
	for i, n := range o.Undecodable {
		c.Undecodable[i] += n
	}
	for link, n := range o.UnsupportedLink {
		c.addUnsupported(link, n)
	}
	c.FurtherPackets += o.FurtherPackets
	c.Tunnelled += o.Tunnelled
	c.Fragments += o.Fragments
}

// Records is the number of records counted: the sum of all packets, less the
// further packets of aggregated records.
func (c *Counts) Records() uint64 {
	n := c.Events + c.NonIP - c.FurtherPackets
	for _, u := range c.Undecodable {
		n += u
	}
	for _, u := range c.UnsupportedLink {
		n += u
	}
	return n
}

func (c *Counts) unsupported(link uint16) { c.addUnsupported(link, 1) }

func (c *Counts) addUnsupported(link uint16, n uint64) {
	if c.UnsupportedLink == nil {
		c.UnsupportedLink = make(map[uint16]uint64)
	}
	c.UnsupportedLink[link] += n
}

func (c *Counts) event(p *packet) {
	c.Events++
	if p.tunnelled {
		c.Tunnelled++
	}
	if p.fragmented {
		c.Fragments++
	}
}

// leftOut counts a packet without a session. If the walk ended because there
// were no bytes left, the reason depends on the layer that was to come next.
func (c *Counts) leftOut(p *packet) {
	switch {
	case p.kind != kindNone:
		c.NonIP++
		c.Kinds[p.kind]++
	case p.reason == linkUnsupported:
		c.unsupported(p.unsupported)
	case p.reason != reasonNone:
		c.Undecodable[p.reason]++
	case p.next == layerIP || p.next == layerIPv4 || p.next == layerIPv6:
		c.Undecodable[IPHeaderCut]++
	default:
		c.Undecodable[LinkHeaderCut]++
	}
}
