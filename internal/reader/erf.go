package reader

import (
	"encoding/binary"
	"fmt"

	"pcapbatch/internal/linktype"
)

const (
	erfHeader    = 16        // bytes of a record header without its extensions
	erfSniff     = 128 << 10 // bytes that recognition looks at: two records of any length
	erfEarliest  = 788918400 // 1995-01-01: older records are not believed, as the format has no magic number
	erfBackwards = 3600      // seconds that neighbouring records may go back, to be believed
	erfForwards  = 30 * 86400
	erfLength    = 10 // offset of the record length
)

// Record types of ERF.
const (
	erfHDLC         = 1
	erfEthernet     = 2
	erfMultiHDLC    = 5
	erfColorHDLC    = 10
	erfColorEther   = 11
	erfIPCounter    = 13
	erfFlowCounter  = 14
	erfDSMHDLC      = 15
	erfDSMEther     = 16
	erfColorMCHDLC  = 17
	erfHashHDLC     = 19
	erfHashEther    = 20
	erfIPv4         = 22
	erfIPv6         = 23
	erfMeta         = 27
	erfLastType     = 28
	erfPad          = 48
	erfMoreHeaders  = 0x80 // in the type, and in the first byte of each extension header: another one follows
	erfExtension    = 8    // bytes of an extension header
	erfEtherPad     = 2    // bytes in front of an Ethernet frame
	erfMultiChannel = 4    // bytes of the multi-channel header
)

// erf is Endace's format: records of a 64-bit binary timestamp and a type each,
// without a file header. The wire length of an Ethernet record counts the frame
// check sequence, as the cards and other readers do.
type erf struct {
	seen    *tally
	skipped uint64
}

// isErf tells whether head begins like ERF: with two plausible records in a
// row, or with one that is all there is.
func isErf(head []byte) bool {
	first, ok := erfSeconds(head)
	if !ok {
		return false
	}
	length := int(binary.BigEndian.Uint16(head[erfLength:]))
	if length > len(head) {
		return false
	}
	if head = head[length:]; len(head) < erfHeader {
		return true
	}
	second, ok := erfSeconds(head)
	return ok && second >= first-erfBackwards && second <= first+erfForwards
}

// erfSeconds returns the seconds of the record that d begins with, and whether
// there is one to be believed.
func erfSeconds(d []byte) (int64, bool) {
	if len(d) < erfHeader {
		return 0, false
	}
	kind, seconds := d[8]&^erfMoreHeaders, int64(binary.LittleEndian.Uint32(d[4:]))
	known := kind > 0 && kind <= erfLastType || kind == erfPad
	return seconds, known && seconds >= erfEarliest && binary.BigEndian.Uint16(d[erfLength:]) >= erfHeader
}

func (e *erf) walk(b *Block, d []byte, at, stop int, end bool) step {
	for at < stop && len(d)-at >= erfHeader {
		h := d[at:]
		length := int(binary.BigEndian.Uint16(h[erfLength:]))
		if mayBeMagic(h) {
			if len(h) < joinSniff && !end {
				return step{used: at, need: joinSniff}
			}
			if e.seen.looksLikeJoin(h, length >= erfHeader, end) {
				return step{used: at, border: true}
			}
		}
		if length < erfHeader {
			return step{used: at, kind: Corrupt, err: fmt.Errorf("record length %d", length)}
		}
		if length > len(h) {
			return step{used: at, need: length}
		}
		if err := e.record(b, h[:length], at); err != nil {
			return step{used: at, kind: Corrupt, err: err}
		}
		at += length
	}
	return step{used: at, need: erfHeader}
}

// record takes the whole record h, which begins at off of Block.Data.
func (e *erf) record(b *Block, h []byte, off int) error {
	kind := h[8] &^ erfMoreHeaders
	switch kind {
	case erfMeta, erfPad, erfIPCounter, erfFlowCounter:
		e.skipped++
		return nil
	}
	head := erfHeader
	for more := h[8]; more&erfMoreHeaders != 0; head += erfExtension {
		if head+erfExtension > len(h) {
			return fmt.Errorf("extension headers longer than the record of %d bytes", len(h))
		}
		more = h[head]
	}
	link, skip := erfLink(kind, h[head:])
	if link == linktype.ERF {
		head = 0 // this link type is the record as it stands
	}
	head += skip
	if head > len(h) {
		return fmt.Errorf("headers of %d bytes in a record of %d", head, len(h))
	}
	wireLen := uint32(binary.BigEndian.Uint16(h[14:]))
	capLen := uint32(len(h) - head)
	if link == linktype.ERF {
		wireLen = max(wireLen, capLen) // the record's own headers were never on the wire
	} else {
		capLen = min(capLen, wireLen) // records are padded
	}
	b.Records = append(b.Records, Record{
		Time: erfTime(binary.LittleEndian.Uint64(h)), Off: uint32(off + head), CapLen: capLen, WireLen: wireLen, Link: link,
	})
	e.seen.links[e.seen.slot(link)].Records++
	return nil
}

// erfTime turns a timestamp of seconds and 2^-32 seconds into ns, rounded to
// the nearest as Endace's own code does.
func erfTime(t uint64) int64 {
	return int64(t>>32)*1e9 + int64((t&0xffffffff*1e9+1<<31)>>32)
}

// erfLink returns the link type of a record type, and how many bytes stand
// between the headers and the packet.
func erfLink(kind uint8, packet []byte) (link uint16, skip int) {
	switch kind {
	case erfEthernet, erfColorEther, erfDSMEther, erfHashEther:
		return linktype.Ethernet, erfEtherPad
	case erfIPv4:
		return linktype.IPv4, 0
	case erfIPv6:
		return linktype.IPv6, 0
	case erfHDLC, erfColorHDLC, erfDSMHDLC, erfHashHDLC:
		return hdlcLink(packet), 0
	case erfMultiHDLC, erfColorMCHDLC:
		if link = hdlcLink(packet[min(erfMultiChannel, len(packet)):]); link == linktype.ERF {
			return linktype.ERF, 0
		}
		return link, erfMultiChannel
	}
	return linktype.ERF, 0
}

// hdlcLink tells the protocols over HDLC apart by the address and control bytes
// in front of the packet.
func hdlcLink(packet []byte) uint16 {
	if len(packet) >= 2 {
		switch binary.BigEndian.Uint16(packet) {
		case 0xff03:
			return linktype.PPPHDLC
		case 0x0f00, 0x8f00:
			return linktype.CiscoHDLC
		}
	}
	return linktype.ERF
}

func (e *erf) describe(i *Info) {
	i.Format, i.ByteOrder, i.TimeResolution = "erf", orderName(false), "2^-32 s"
	if e.skipped > 0 {
		i.Skipped = append(i.Skipped, BlockCount{Name: "records without a packet", Blocks: e.skipped})
	}
}
