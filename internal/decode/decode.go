// Package decode turns a record of a capture into a flow.Event: which session
// the packet belongs to, and the sizes that the statistics need.
//
// Step 3 of the walk from file to CSV. The command calls it for every record
// that reader found and hands the events on to shard. It is the only package
// that knows gopacket: a DecodingLayerParser walks layers of our own, which
// write straight into the decoder's packet state.
//
// A Decoder is used by one goroutine at a time; any number of them may work on
// different blocks of one capture. Events hold no pointers into the record.
// Decoding allocates nothing in steady state (TestDecodeAllocates), and the
// memory of a Decoder is some kilobytes and 56 bytes for each IP header of a
// fragment in the block, which is less than three times the block.
//
// Records are hostile: every length is checked against the bytes there are,
// every layer consumes bytes, and the number of layers is bounded. What has no
// session is counted by reason, never logged, and never an error. The package
// does not reassemble, does not decrypt and verifies no checksum.
package decode

import (
	"github.com/google/gopacket"

	"pcapbatch/internal/flow"
)

// Options says what a session key is made of. The zero value is usable.
type Options struct {
	// Unidirectional makes each direction of a 5-tuple its own session: keys
	// are not brought to canonical form and no event is flow.Reversed.
	Unidirectional bool
	// VLANKey puts the outermost and the innermost VLAN id into the key. A
	// packet with one tag has no inner id.
	VLANKey bool
	// Decapsulate takes the innermost IP header of tunnels as the session.
	Decapsulate bool
	// TunnelPorts are the UDP ports that announce a tunnel; nil stands for
	// DefaultTunnelPorts. Of two entries for one port the last one holds. The
	// slice must not be modified while a Decoder uses it.
	TunnelPorts []TunnelPort
	// Seed is for flow.Key.Hash.
	Seed uint64
	// Shards is the number of shards for flow.ShardOf, at most 256.
	Shards int
}

// Decoder turns the records of one block after the other into events. It is
// not safe for concurrent use.
type Decoder struct {
	packet packet
	// link is the link type that parser is for: neighbouring records nearly
	// always share it. parser is nil until the first record.
	link    uint16
	parser  *gopacket.DecodingLayerParser
	parsers [numLayers]*gopacket.DecodingLayerParser
	walked  []gopacket.LayerType
	opts    Options
	counts  Counts
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
		p.IgnorePanic = true // spares a deferred call per record; FuzzDecode looks for panics
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

// HasFragments reports whether the block has fragments so far, so that
// Fragments.Resolve must see it in capture order.
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
		d.link, d.parser = link, d.parsers[first]
		d.packet.padded = padsShortFrames(link)
	}
	p := &d.packet
	p.start(ev, wireLen)
	// Layers never fail: they stop the walk and leave the reason in p.
	_ = d.parser.DecodeLayers(data, &d.walked)
	p.rest = nil // data is not ours to keep
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
	ev.Shard = flow.ShardOf(hash, d.opts.Shards)
	return true
}
