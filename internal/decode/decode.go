// Package decode turns a record of a capture into a flow.Event: which session
// the packet belongs to, and the sizes that the statistics need.
//
// It is step 3 of the way from file to CSV: every record that package reader
// found is decoded, and the events go to package shard. Which session a packet
// belongs to is specified in docs/semantics.md, section 2.
//
// This is the only package that uses gopacket. A DecodingLayerParser calls the
// layers of this package one after the other. They are functions on one shared
// state, the type packet, which a newcomer should read first. The link types
// are in link.go, pseudo.go, wlan.go, erf.go and dsa.go, what comes between
// them and IP in ethernet.go, ppp.go, encap.go and guess.go, IP and transports
// in ip.go, ipv6.go and transport.go, tunnels in tunnel.go, tunnelport.go and
// gre.go, fragments in fragments.go and datagrams.go, aggregated 802.11 frames in
// aggregate.go.
//
// A Decoder is used by one goroutine at a time; any number of them may work on
// different blocks of one capture. Events hold no pointers into the record.
// Decoding allocates nothing in steady state (TestDecodeAllocates). A Decoder
// takes some kilobytes of memory, and 56 bytes for each IP header of a fragment
// in the block, which is less than three times the block, until they are
// resolved.
//
// Records are hostile: every length is checked against the bytes that are
// there, every layer consumes bytes, and the number of layers is bounded. A
// packet without a session is counted by reason; it is never logged and never
// an error. The package does not reassemble and does not decrypt. It verifies
// no checksum, except to recognise IPv4 where no field names the protocol.
package decode

import (
	"github.com/google/gopacket"

	"pcapbatch/internal/flow"
)

// Options say what a session key is made of, and what is decoded besides. The
// zero value is usable.
type Options struct {
	// Unidirectional makes each direction of a 5-tuple its own session: keys
	// are not brought into canonical form and no event is flow.Reversed.
	Unidirectional bool
	// VLANKey puts the outermost and the innermost VLAN id into the key. A
	// packet with one tag has no inner id.
	VLANKey bool
	// Decapsulate takes the innermost IP header of tunnels as the session.
	Decapsulate bool
	// TunnelPorts are the UDP ports of tunnels; nil means DefaultTunnelPorts.
	// If a port has two entries, the last one counts. The slice must not be
	// modified while a Decoder uses it.
	TunnelPorts []TunnelPort
	// Details makes Detail say what the feature groups need beyond events.
	Details bool
	// Seed is for flow.Key.Hash.
	Seed uint64
	// Shards is the number of shards for flow.Key.Shard, at most 256.
	Shards int
}

// Decoder turns the records of one block after the other into events. It is
// not safe for concurrent use.
type Decoder struct {
	// Position is where the next record for Decode lies in its stretch of
	// captures, in uncompressed bytes. Fragments measures by it how far a first
	// fragment lies back. It never falls from one record to the next.
	Position int64

	packet packet
	// link is the link type of the last record with a decoder, as neighbouring
	// records nearly always have the same, and parser is the parser for it,
	// nil before the first record.
	link     uint16
	ethernet bool // that is Ethernet
	parser   *gopacket.DecodingLayerParser
	parsers  [numLayers]*gopacket.DecodingLayerParser
	walked   []gopacket.LayerType
	opts     Options
	counts   Counts
}

// New returns a Decoder that has seen nothing.
func New(o Options) *Decoder {
	d := &Decoder{opts: o, walked: make([]gopacket.LayerType, 0, maxLayers+1)}
	d.packet.opts = o
	if o.TunnelPorts == nil {
		o.TunnelPorts = DefaultTunnelPorts()
	}
	d.packet.tunnelPorts = newPortTable(o.TunnelPorts)
	layers := newLayers(&d.packet)
	for first := range d.parsers {
		if layers[first] == nil {
			continue
		}
		p := gopacket.NewDecodingLayerParser(gopacket.LayerType(first))
		p.SetDecodingLayerContainer(layers)
		p.IgnoreUnsupported = true
		p.IgnorePanic = true // saves a deferred call a record; FuzzDecode looks for panics
		d.parsers[first] = p
	}
	return d
}

// Begin starts a block: the next event is number 0, and the fragments of the
// last block are forgotten.
func (d *Decoder) Begin() {
	d.packet.event = 0
	d.packet.fragments = d.packet.fragments[:0]
}

// HasFragments reports whether the block has fragments so far that
// Fragments.Resolve has not seen, which it must in capture order.
func (d *Decoder) HasFragments() bool { return len(d.packet.fragments) > 0 }

// Counts returns what was counted since New. It is valid until the next
// Decode.
func (d *Decoder) Counts() *Counts { return &d.counts }

// Decode turns one record into ev and reports whether it belongs to a session.
// If it does, every field of ev is overwritten, and More must be called until
// it returns false; if not, the record is counted by reason and ev holds
// nothing of use.
//
// link is the link type of the capture or interface, data the captured bytes,
// wireLen the wire length in bytes and time nanoseconds since the epoch. Data
// is not kept beyond the last More. Any bytes are allowed.
func (d *Decoder) Decode(ev *flow.Event, link uint16, data []byte, wireLen uint32, time int64) bool {
	if link != d.link || d.parser == nil {
		first := firstLayer(link)
		if first == layerNone {
			d.counts.unsupported(link)
			return false
		}
		d.link, d.parser, d.ethernet = link, d.parsers[first], first == layerEthernet
		d.packet.padded = padsShortFrames(link)
	}
	if d.ethernet && d.common(ev, data, wireLen, time) {
		return true
	}
	p := &d.packet
	p.start(ev, wireLen)
	p.position = d.Position
	// The layers return no errors: they end the walk and store the reason in p.
	_ = d.parser.DecodeLayers(data, &d.walked)
	p.rest = nil // the caller owns data
	if p.aggregated {
		return d.first(ev, len(data), wireLen, time)
	}
	return d.finish(ev, len(data), wireLen, time)
}

// More turns the next packet of the record that Decode was given last into ev,
// as Decode does, and reports whether there was one: an aggregated 802.11 frame
// (A-MSDU) holds several. A record gives at most MaxPackets events. Packets
// without a session are counted by reason and left out.
func (d *Decoder) More(ev *flow.Event) bool { return d.packet.aggregated && d.further(ev) }

// finish counts a packet whose walk has ended and fills ev if it belongs to a
// session. captured is its capture length.
func (d *Decoder) finish(ev *flow.Event, captured int, wireLen uint32, time int64) bool {
	p := &d.packet
	if !p.found {
		d.counts.leftOut(p)
		return false
	}
	d.counts.event(p)
	p.event++

	ev.Time = time
	ev.WireBytes = wireLen
	ev.PayloadBytes = uint32(min(max(p.payload-p.header, 0), maxPayload))
	ev.Flags = p.flags
	if uint64(captured) < uint64(wireLen) {
		ev.Flags |= flow.Truncated
	}
	if !d.opts.Unidirectional && ev.Key.Canonical() {
		ev.Flags |= flow.Reversed
	}
	hash := ev.Key.Hash(d.opts.Seed)
	ev.Hash = uint32(hash)
	ev.Shard = ev.Key.Shard(d.opts.Shards)
	return true
}
