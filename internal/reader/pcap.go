package reader

import (
	"encoding/binary"
	"fmt"
)

// Magic numbers of classic pcap, as the writer's byte order shows them.
const (
	magicMicro     = 0xa1b2c3d4
	magicNano      = 0xa1b23c4d
	magicKuznetzov = 0xa1b2cd34 // Alexey Kuznetzov's modified format: 8 more bytes in each record header
)

const (
	pcapHeader          = 24 // bytes of the file header
	pcapRecord          = 16 // bytes of a record header
	pcapRecordKuznetzov = 24
)

// lengthOrder says how a record header orders its two lengths.
type lengthOrder uint8

const (
	captureFirst lengthOrder = iota // capture length, wire length: version 2.4 and all since
	wireFirst                       // the other way round: before 2.3
	smallerFirst                    // either, by writer: 2.3; the capture length is never the larger one
)

// pcap is the classic format: one header, then records of a fixed header and the packet bytes.
type pcap struct {
	order   binary.ByteOrder
	little  bool
	plain   bool // record headers are of the usual shape
	unit    int64
	header  int // bytes of a record header
	lengths lengthOrder
	limit   uint32 // largest capture length believed
	snaplen uint32
	link    uint16
	version string
	seen    *tally
}

// isPcap tells whether head begins with a magic number of classic pcap, and in which byte order.
func isPcap(head []byte) (binary.ByteOrder, uint32, bool) {
	if len(head) < 4 {
		return nil, 0, false
	}
	for _, o := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		switch m := o.Uint32(head); m {
		case magicMicro, magicNano, magicKuznetzov:
			return o, m, true
		}
	}
	return nil, 0, false
}

// newPcap reads the file header.
func newPcap(head []byte, seen *tally) (*pcap, step) {
	if len(head) < pcapHeader {
		return nil, short("pcap header", len(head), pcapHeader)
	}
	order, magic, _ := isPcap(head)
	p := &pcap{order: order, little: order == binary.LittleEndian, unit: 1000, header: pcapRecord, seen: seen}
	switch magic {
	case magicNano:
		p.unit = 1
	case magicKuznetzov:
		p.header = pcapRecordKuznetzov
	}
	major, minor := order.Uint16(head[4:]), order.Uint16(head[6:])
	p.version = fmt.Sprintf("%d.%d", major, minor)
	switch {
	case major == 543 && minor == 0, major == 2 && minor < 3: // 543.0 is a writer with its version field swapped
		p.lengths = wireFirst
	case major == 2 && minor == 3:
		p.lengths = smallerFirst
	case major != 2:
		return nil, step{kind: Unsupported, err: fmt.Errorf("pcap version %s", p.version)}
	}
	p.plain = p.header == pcapRecord && p.lengths == captureFirst
	p.snaplen = order.Uint32(head[16:])
	p.limit = recordLimit(p.snaplen)
	// The upper half of the field is the length of a frame check sequence and reserved bits.
	p.link = uint16(order.Uint32(head[20:]))
	seen.slot(p.link)
	return p, step{used: pcapHeader}
}

// recordLimit is the largest capture length to believe under a snaplen, in bytes.
func recordLimit(snaplen uint32) uint32 { return max(maxUsual, min(snaplen, maxRecord)) }

func (p *pcap) walk(b *Block, d []byte) step {
	var st step
	switch {
	case !p.plain:
		st = p.walkOdd(b, d)
	case p.little:
		st = p.walkLittle(b, d)
	default:
		st = p.walkBig(b, d)
	}
	p.seen.links[0].Records += uint64(len(b.Records))
	return st
}

// walkLittle is the hot loop. Everything that is the same for all records of a capture is settled before it, and the
// time resolution is a factor. It does not allocate once b.Records has its size (TestNextAllocates).
func (p *pcap) walkLittle(b *Block, d []byte) step {
	unit, limit, link, recs := p.unit, p.limit, p.link, b.Records
	at := 0
	for len(d)-at >= pcapRecord {
		h := d[at : at+pcapRecord : at+pcapRecord]
		capLen := binary.LittleEndian.Uint32(h[8:])
		end := at + pcapRecord + int(capLen)
		if capLen > limit || end > len(d) {
			break
		}
		recs = append(recs, Record{
			Time:    int64(binary.LittleEndian.Uint32(h))*1e9 + int64(binary.LittleEndian.Uint32(h[4:]))*unit,
			Off:     uint32(at + pcapRecord),
			CapLen:  capLen,
			WireLen: binary.LittleEndian.Uint32(h[12:]),
			Link:    link,
		})
		at = end
	}
	b.Records = recs
	return p.stop(d, at)
}

// walkBig is walkLittle for the other byte order.
func (p *pcap) walkBig(b *Block, d []byte) step {
	unit, limit, link, recs := p.unit, p.limit, p.link, b.Records
	at := 0
	for len(d)-at >= pcapRecord {
		h := d[at : at+pcapRecord : at+pcapRecord]
		capLen := binary.BigEndian.Uint32(h[8:])
		end := at + pcapRecord + int(capLen)
		if capLen > limit || end > len(d) {
			break
		}
		recs = append(recs, Record{
			Time:    int64(binary.BigEndian.Uint32(h))*1e9 + int64(binary.BigEndian.Uint32(h[4:]))*unit,
			Off:     uint32(at + pcapRecord),
			CapLen:  capLen,
			WireLen: binary.BigEndian.Uint32(h[12:]),
			Link:    link,
		})
		at = end
	}
	b.Records = recs
	return p.stop(d, at)
}

// walkOdd reads the historical variants.
func (p *pcap) walkOdd(b *Block, d []byte) step {
	at := 0
	for len(d)-at >= p.header {
		h := d[at : at+p.header]
		capLen, wireLen := p.both(h)
		end := at + p.header + int(capLen)
		if capLen > p.limit || end > len(d) {
			break
		}
		b.Records = append(b.Records, Record{
			Time:    int64(p.order.Uint32(h))*1e9 + int64(p.order.Uint32(h[4:]))*p.unit,
			Off:     uint32(at + p.header),
			CapLen:  capLen,
			WireLen: wireLen,
			Link:    p.link,
		})
		at = end
	}
	return p.stop(d, at)
}

// both returns the lengths of a record of any variant, in bytes.
func (p *pcap) both(h []byte) (capLen, wireLen uint32) {
	capLen, wireLen = p.order.Uint32(h[8:]), p.order.Uint32(h[12:])
	if p.lengths == wireFirst || p.lengths == smallerFirst && capLen > wireLen {
		return wireLen, capLen
	}
	return capLen, wireLen
}

// stop ends a walk in front of a record that is not all there, or too long to be believed.
func (p *pcap) stop(d []byte, at int) step {
	if len(d)-at < p.header {
		return step{used: at, need: p.header}
	}
	capLen, _ := p.both(d[at:])
	if capLen > p.limit {
		return step{used: at, kind: Corrupt, err: tooLong(capLen, p.limit)}
	}
	return step{used: at, need: p.header + int(capLen)}
}

func (p *pcap) describe(i *Info) {
	i.Format, i.Version, i.Snaplen = "pcap", p.version, p.snaplen
	i.ByteOrder = orderName(!p.little)
	i.TimeResolution = "microseconds"
	if p.unit == 1 {
		i.TimeResolution = "nanoseconds"
	}
}
