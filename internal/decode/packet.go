package decode

import (
	"math"

	"github.com/google/gopacket"

	"pcapbatch/internal/flow"
)

// maxLayers is the largest number of layers of one record. Real packets have
// fewer than 20, where a stack of VLAN tags or MPLS labels is one layer. The
// deepest of the shared captures, made to break decoders, has 100.
const maxLayers = 128

// maxPayload keeps PayloadBytes in its 32 bits.
const maxPayload = math.MaxUint32

// packet is the state of the record being decoded. All layers share it. A layer
// gets the bytes from its header on, stores here what it learns, and ends by
// calling to, which names the next layer, or stop, fail or notIP.
type packet struct {
	// rest is the part of the record after the layer just decoded, next the
	// layer that is to decode it.
	rest []byte
	next gopacket.LayerType

	ev *flow.Event // the event being filled; its key is written in place
	findings

	// room is the offset at which the UDP datagram that carries a tunnel ends,
	// 0 for a tunnel over IP. It is valid inside a tunnel only.
	room int64

	unsupported uint16 // link type, if reason is linkUnsupported

	// The fields below keep their values from record to record.
	opts        Options
	padded      bool // short frames of the link type are padded
	tunnelPorts *portTable
	event       int32 // number of the next event in the block
	position    int64 // Decoder.Position
	fragments   []fragment
	aggregate   aggregate // of the record, if findings.aggregated
}

// findings is what is known of the record so far. It is cleared for each
// record.
type findings struct {
	// off is the offset of the next layer, end the offset at which the packet
	// ends on the wire: at first the wire length, then what length fields
	// lower it to. Both are bytes from the start of the record.
	off, end int64

	// These belong to the innermost IP header entered so far, like the key.
	payload int64       // IP payload after extension headers, by length fields
	header  int64       // size of the transport header, a part of payload
	flags   flow.Flags  // TCP flags
	found   bool        // an IP header was entered, so there is a key
	detail  flow.Detail // without direction and header; see Decoder.Detail

	// Why there is no session, if found is false. Both are zero if the walk
	// ended because there were no bytes left.
	kind   Kind
	reason Reason

	layers               uint8 // number of layers after the first
	tunnelled            bool  // there is an IP header inside the first one
	fragmented           bool  // an IP header entered belongs to a fragment
	wlanPadded           bool  // the 802.11 header is padded to four bytes
	mesh                 bool  // a mesh control field may come before LLC
	aggregated           bool  // the record is an A-MSDU: see packet.aggregate
	tagged               bool  // a VLAN tag was seen
	vlanOuter, vlanInner uint16
}

// start clears what is known of the last record.
func (p *packet) start(ev *flow.Event, wireLen uint32) {
	p.ev = ev
	p.findings = findings{end: int64(wireLen)}
}

// to ends a layer of n bytes: the walk continues with the layer next at
// data[n:], or ends if next is layerNone. Requires: n <= len(data).
func (p *packet) to(next gopacket.LayerType, data []byte, n int) {
	p.layers++
	if p.layers >= maxLayers {
		p.fail(TooDeep)
		return
	}
	p.off += int64(n)
	p.rest, p.next = data[n:], next
}

// stop ends the walk. If an IP header was entered, its session is the result.
func (p *packet) stop() { p.rest, p.next = nil, layerNone }

// fail ends the walk. Unless an IP header was entered before, the record counts
// as undecodable.
func (p *packet) fail(r Reason) {
	p.stop()
	p.reason = r
}

// notIP ends the walk at something that is not IP. Unless an IP header was
// entered before, the record counts as non-IP.
func (p *packet) notIP(k Kind) {
	p.stop()
	p.kind = k
}

// noDecoder ends the walk at a packet of a link type that has no decoder.
func (p *packet) noDecoder(link uint16) {
	p.fail(linkUnsupported)
	p.unsupported = link
}

// cutEnd lowers the end of the packet to offset off+n. What follows it is
// padding or a trailer.
func (p *packet) cutEnd(off, n int64) { p.end = min(p.end, off+n) }
