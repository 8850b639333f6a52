package decode

import (
	"math"

	"github.com/google/gopacket"

	"pcapbatch/internal/flow"
)

// maxLayers bounds the walk over one record. Real packets have fewer than 20
// layers, where a run of VLAN tags or MPLS labels is one; the deepest among the
// shared captures, made to break decoders, has 100.
const maxLayers = 128

// maxPayload keeps PayloadBytes in its 32 bits.
const maxPayload = math.MaxUint32

// packet is the state of the record being decoded. The layers share it: each
// reads from the bytes it is given, writes what it learns here and says with
// to or stop how the walk goes on.
type packet struct {
	// The rest of the record behind the layer just decoded, and the layer
	// that is to decode it.
	rest []byte
	next gopacket.LayerType

	ev *flow.Event // the event being filled; its key is written in place
	findings

	// room is the offset at which the UDP datagram around a tunnel ends, 0 for
	// a tunnel over IP. Valid inside a tunnel only.
	room int64

	unsupported uint16 // link type, if reason is linkUnsupported

	// What lasts longer than one record.
	opts        Options
	padded      bool // short frames of the link type are padded
	tunnelPorts *portTable
	event       int // number of the next event in the block
	fragments   []fragment
	aggregate   aggregate // of the record, if findings.aggregated
}

// findings is what was learned of one record so far.
type findings struct {
	// off is the offset of the next layer from the start of the record; end
	// is where the packet ends on the wire by the lengths read so far, first
	// the wire length. Both are in bytes.
	off, end int64

	// What the innermost IP header taken so far says, besides the key.
	payload int64      // IP payload behind extension headers, by its length fields
	header  int64      // size of the transport header, part of payload
	flags   flow.Flags // TCP flags
	found   bool       // there is an IP header with addresses

	// Why there is no session, valid if !found; zero when the bytes ran out.
	kind   Kind
	reason Reason

	layers               uint8 // number of layers behind the first
	tunnelled            bool  // an IP header inside the first one was reached
	fragmented           bool  // an IP header taken is that of a fragment
	wlanPadded           bool  // the 802.11 header is padded to four bytes
	mesh                 bool  // a mesh control field may stand in front of LLC
	aggregated           bool  // the record is an A-MSDU: see packet.aggregate
	tagged               bool  // a VLAN tag was seen
	vlanOuter, vlanInner uint16
}

// start forgets the last record.
func (p *packet) start(ev *flow.Event, wireLen uint32) {
	p.ev = ev
	p.findings = findings{end: int64(wireLen)}
}

// to ends a layer of n bytes: the walk goes on with the layer next behind it.
// Requires: n <= len(data). Where next is layerNone the walk ends.
func (p *packet) to(next gopacket.LayerType, data []byte, n int) {
	p.layers++
	if p.layers >= maxLayers {
		p.fail(TooDeep)
		return
	}
	p.off += int64(n)
	p.rest, p.next = data[n:], next
}

// stop ends the walk; what was found stands.
func (p *packet) stop() { p.rest, p.next = nil, layerNone }

// fail ends the walk; unless an IP header was found before, the record counts
// as undecodable.
func (p *packet) fail(r Reason) {
	p.stop()
	p.reason = r
}

// notIP ends the walk at something that is no IP packet.
func (p *packet) notIP(k Kind) {
	p.stop()
	p.kind = k
}

// noDecoder ends the walk at a packet of a link type without a decoder.
func (p *packet) noDecoder(link uint16) {
	p.fail(linkUnsupported)
	p.unsupported = link
}

// cutEnd lowers the end of the packet to n bytes behind offset off: what
// follows is padding or a trailer.
func (p *packet) cutEnd(off, n int64) { p.end = min(p.end, off+n) }
