package decode

// Reason says why a record could not be decoded far enough to have a key.
type Reason uint8

const (
	reasonNone Reason = iota
	// LinkHeaderCut: the bytes end before an IP header begins.
	LinkHeaderCut
	// LinkHeaderBad: a header below IP contradicts itself.
	LinkHeaderBad
	// IPHeaderCut: the bytes end inside the IP header.
	IPHeaderCut
	// IPVersionBad: the IP version is not what the layer below announced.
	IPVersionBad
	// IPLengthBad: the IPv4 header length is below 20 bytes, or the total
	// length below the header length.
	IPLengthBad
	// Encrypted: 802.11 or MACsec payload that would have to be decrypted.
	Encrypted
	// TooDeep: more layers than any real packet has.
	TooDeep
	// NumReasons is the number of reasons, counting none.
	NumReasons

	// linkUnsupported: the header in front of the packet names a link type
	// that has no decoder. It is counted with the records of such link types.
	linkUnsupported = NumReasons
)

// String returns the words for the run summary.
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

// Kind says what a record without an IP packet holds.
type Kind uint8

const (
	kindNone Kind = iota
	// ARP: address resolution, also reverse.
	ARP
	// LLC: an 802.2 frame that carries no IP, such as spanning tree or IS-IS.
	LLC
	// Control: a frame of the link layer's own, such as 802.11 management,
	// PPP negotiation, PPPoE discovery, LLDP.
	Control
	// Other: a network protocol that is not IP.
	Other
	// NumKinds is the number of kinds, counting none.
	NumKinds
)

// String returns the words for the run summary.
func (k Kind) String() string {
	return [NumKinds]string{
		ARP:     "arp",
		LLC:     "llc",
		Control: "link control",
		Other:   "other",
	}[k]
}

// Counts says what became of the records. Every record, and every further
// packet of an aggregated record, is in exactly one of Events, NonIP,
// Undecodable and UnsupportedLink.
type Counts struct {
	// Events is the number of packets that belong to a session.
	Events uint64
	// NonIP is the number of packets that are not IP; Kinds splits it.
	NonIP uint64
	Kinds [NumKinds]uint64
	// Undecodable counts by reason the packets that are too damaged, too
	// short or too well kept to have a key.
	Undecodable [NumReasons]uint64
	// UnsupportedLink counts packets by the link type that has no decoder,
	// their record's or the one that a header in front of them names; nil
	// while there are none.
	UnsupportedLink map[uint16]uint64
	// FurtherPackets is the number of packets behind the first one of their
	// record: see Decoder.More.
	FurtherPackets uint64

	// Tunnelled and Fragments are among Events: packets that have an IP
	// packet inside a tunnel which Options.Decapsulate opens (whether it is
	// on or off), and fragments of a datagram.
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

// Records is the number of records counted: the sum over what became of their
// packets, less the further packets of aggregated records.
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

// leftOut counts a packet without a session. Where the walk ended because the
// bytes ran out, the layer that got none of them tells the reason.
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
