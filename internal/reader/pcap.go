package reader

import (
	"encoding/binary"
	"fmt"
)

// Magic numbers of classic pcap, as the writer's byte order shows them.
const (
	magicMicro     = 0xa1b2c3d4
	magicNano      = 0xa1b23c4d
	magicKuznetzov = 0xa1b2cd34 // the second of Alexey Kuznetzov's modified formats, and the third
)

const (
	pcapHeader = 24 // bytes of the file header
	pcapRecord = 16 // bytes of a record header of the usual form

	// noWindow is a value of pcap.window that no record's seconds have.
	noWindow = 1 << 16
)

// lengthOrder says how a record header orders its two lengths.
type lengthOrder uint8

const (
	captureFirst lengthOrder = iota // capture length, wire length: version 2.4 and all since
	wireFirst                       // the other way round: before 2.3
	smallerFirst                    // either, by writer: 2.3; the capture length is never the larger one
)

// pcap is the classic format: one header, then records of a fixed header and
// the packet bytes.
type pcap struct {
	order   binary.ByteOrder
	little  bool
	plain   bool // record headers are of the usual form
	unit    int64
	subsecs uint32 // units of a second: the sub-second field should be below
	header  int    // bytes of a record header
	front   int    // bytes between it and the packet, which both lengths count
	lengths lengthOrder
	limit   uint32 // largest capture length believed
	snaplen uint32
	link    uint16
	slot    int32 // of link in the tally
	version string
	seen    *tally

	// window is the upper half of the seconds of the records that the hot loops
	// take without a closer look. One in which seconds can be taken for the
	// magic number of another file is never set.
	window uint32
}

// isPcap tells whether head begins with a magic number of classic pcap, and in
// which byte order.
func isPcap(head []byte) (binary.ByteOrder, uint32, bool) {
	if len(head) < 4 {
		return nil, 0, false
	}
	switch m := binary.LittleEndian.Uint32(head); m {
	case magicMicro, magicNano, magicKuznetzov:
		return binary.LittleEndian, m, true
	}
	switch m := binary.BigEndian.Uint32(head); m {
	case magicMicro, magicNano, magicKuznetzov:
		return binary.BigEndian, m, true
	}
	return nil, 0, false
}

// newPcap reads the file header, and finds the form of the records that follow
// it in head; whole says that nothing follows head.
func newPcap(head []byte, whole bool, seen *tally) (*pcap, step) {
	if len(head) < pcapHeader {
		return nil, short("pcap header", len(head), pcapHeader)
	}
	order, magic, _ := isPcap(head)
	p := &pcap{order: order, little: order == binary.LittleEndian, unit: 1000, subsecs: 1e6, header: pcapRecord, window: noWindow, seen: seen}
	if magic == magicNano {
		p.unit, p.subsecs = 1, 1e9
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
	p.snaplen = order.Uint32(head[16:])
	p.limit = recordLimit(p.snaplen)
	// The upper half of the field is the length of a frame check sequence and
	// reserved bits.
	p.link = uint16(order.Uint32(head[20:]))
	p.findVariant(magic, order.Uint32(head[20:]), head[pcapHeader:], whole)
	p.plain = p.header == pcapRecord && p.front == 0 && p.lengths == captureFirst
	p.slot = seen.slot(p.link)
	return p, step{used: pcapHeader}
}

// recordLimit is the largest capture length to believe under a snaplen, in
// bytes.
func recordLimit(snaplen uint32) uint32 { return max(maxUsual, min(snaplen, maxRecord)) }

func (p *pcap) walk(b *Block, d []byte, at, stop int, end bool) step {
	before, st := len(b.Records), step{used: at}
	for whole := d[:max(at, min(stop, len(d)))]; at < stop; at = st.used {
		switch {
		case !p.plain:
		case p.little:
			at = p.walkLittle(b, whole, at)
		default:
			at = p.walkBig(b, whole, at)
		}
		if st = (step{used: at}); at >= stop {
			break
		}
		if st = p.record(b, d, at, stop, end); st.used == at {
			break
		}
	}
	p.seen.links[p.slot].Records += uint64(len(b.Records) - before)
	return st
}

// walkLittle is the hot loop: it takes records for as long as nothing is
// unusual about them, and returns where it stopped. Everything that is the same
// for all records of a capture is settled before it, and the time resolution is
// a factor. It does not allocate once b.Records has its size
// (TestNextAllocates).
func (p *pcap) walkLittle(b *Block, d []byte, at int) int {
	unit, subsecs, limit, window, link, recs := p.unit, p.subsecs, p.limit, p.window, p.link, b.Records
	for len(d)-at >= pcapRecord {
		h := d[at : at+pcapRecord : at+pcapRecord]
		capLen, wireLen := binary.LittleEndian.Uint32(h[8:]), binary.LittleEndian.Uint32(h[12:])
		sec, sub := binary.LittleEndian.Uint32(h), binary.LittleEndian.Uint32(h[4:])
		end := at + pcapRecord + int(capLen)
		if capLen-1 >= limit || wireLen < capLen || end > len(d) || sec>>16 != window || sub >= subsecs {
			break
		}
		recs = append(recs, Record{
			Time:    int64(sec)*1e9 + int64(sub)*unit,
			Off:     uint32(at + pcapRecord),
			CapLen:  capLen,
			WireLen: wireLen,
			Link:    link,
		})
		at = end
	}
	b.Records = recs
	return at
}

// walkBig is walkLittle for the other byte order.
func (p *pcap) walkBig(b *Block, d []byte, at int) int {
	unit, subsecs, limit, window, link, recs := p.unit, p.subsecs, p.limit, p.window, p.link, b.Records
	for len(d)-at >= pcapRecord {
		h := d[at : at+pcapRecord : at+pcapRecord]
		capLen, wireLen := binary.BigEndian.Uint32(h[8:]), binary.BigEndian.Uint32(h[12:])
		sec, sub := binary.BigEndian.Uint32(h), binary.BigEndian.Uint32(h[4:])
		end := at + pcapRecord + int(capLen)
		if capLen-1 >= limit || wireLen < capLen || end > len(d) || sec>>16 != window || sub >= subsecs {
			break
		}
		recs = append(recs, Record{
			Time:    int64(sec)*1e9 + int64(sub)*unit,
			Off:     uint32(at + pcapRecord),
			CapLen:  capLen,
			WireLen: wireLen,
			Link:    link,
		})
		at = end
	}
	b.Records = recs
	return at
}

// record takes the record at d[at], of any variant, with whatever is unusual
// about it. Where the walk ends in front of it, step.used is at.
func (p *pcap) record(b *Block, d []byte, at, stop int, end bool) step {
	h := d[at:]
	if len(h) < p.header {
		return step{used: at, need: p.header}
	}
	sec, sub := p.order.Uint32(h), p.order.Uint32(h[4:])
	capLen, wireLen := p.both(h)
	if sec>>16 != p.window {
		if !mayBeMagic(h) {
			p.window = p.windowOf(h)
		} else if st := p.closer(h, at, end, capLen <= p.limit && capLen <= wireLen && sub < p.subsecs); st.border || st.need > 0 {
			return st
		}
	}
	if sec == 0 && capLen == 0 && leadingZeros(h[:p.header]) == p.header {
		return p.zeros(b, d, at, stop, end)
	}
	if capLen > p.limit {
		return step{used: at, kind: Corrupt, err: tooLong(capLen, p.limit)}
	}
	if need := p.header + int(capLen); need > len(h) {
		return step{used: at, need: need}
	}
	p.emit(b, at, sec, sub, capLen, wireLen)
	return step{used: at + p.header + int(capLen)}
}

// emit appends the record whose header is at d[at].
func (p *pcap) emit(b *Block, at int, sec, sub, capLen, wireLen uint32) {
	if wireLen < capLen {
		wireLen = capLen
		p.seen.raised++
	}
	if sub >= p.subsecs {
		p.seen.overflows++
	}
	front := min(uint32(p.front), capLen)
	b.Records = append(b.Records, Record{
		Time:    int64(sec)*1e9 + int64(sub)*p.unit,
		Off:     uint32(at+p.header) + front,
		CapLen:  capLen - front,
		WireLen: wireLen - front,
		Link:    p.link,
	})
}

// closer looks at a header h whose first bytes are a magic number: step.border
// says that another capture or a compressed stream begins there, and step.need
// that more bytes are needed to tell. usual says that it may be the header of a
// record.
func (p *pcap) closer(h []byte, at int, end, usual bool) step {
	if len(h) < joinSniff && !end {
		return step{used: at, need: joinSniff}
	}
	return step{used: at, border: p.seen.looksLikeJoin(h, usual, end)}
}

// zeros takes record headers of nothing but zeros where a record that has more
// than zeros follows them. Where zeros are all there is, the file was filled up
// with them, and where another capture follows, the one before it was.
func (p *pcap) zeros(b *Block, d []byte, at, stop int, end bool) step {
	n := leadingZeros(d[at:])
	next := at + n/p.header*p.header // the header with something in it
	switch {
	case n >= mostZeros, n == len(d)-at && end:
		return step{used: at, border: true}
	case n == len(d)-at, !end && len(d)-next < joinSniff:
		return step{used: at, need: n + joinSniff}
	case p.seen.looksLikeJoin(d[at+n:], true, end):
		return step{used: at, border: true}
	}
	if len(d)-next < p.header {
		return step{used: at, kind: Corrupt, err: errZeros(n)}
	}
	if capLen, _ := p.both(d[next:]); capLen > p.limit {
		return step{used: at, kind: Corrupt, err: errZeros(n)}
	}
	for ; at < min(next, stop); at += p.header {
		p.emit(b, at, 0, 0, 0, 0)
	}
	return step{used: at}
}

// both returns the lengths of a record of any variant, in bytes.
func (p *pcap) both(h []byte) (capLen, wireLen uint32) {
	capLen, wireLen = p.order.Uint32(h[8:]), p.order.Uint32(h[12:])
	if p.lengths == wireFirst || p.lengths == smallerFirst && capLen > wireLen {
		return wireLen, capLen
	}
	return capLen, wireLen
}

func (p *pcap) describe(i *Info) {
	i.Format, i.Version, i.Snaplen = "pcap", p.version, p.snaplen
	i.ByteOrder = orderName(!p.little)
	i.TimeResolution = "microseconds"
	if p.unit == 1 {
		i.TimeResolution = "nanoseconds"
	}
}

// windowOf is the window of the seconds that h begins with.
func (p *pcap) windowOf(h []byte) uint32 {
	if w := p.order.Uint32(h) >> 16; !p.holdsMagic(w) {
		return w
	}
	return noWindow
}

// holdsMagic tells whether the magic number of a file, taken for seconds, lies
// in a window.
func (p *pcap) holdsMagic(window uint32) bool {
	var h [4]byte
	p.order.PutUint32(h[:], window<<16)
	pair := [2]byte(h[:2])
	if p.little {
		pair = [2]byte(h[2:])
	}
	for _, m := range magics {
		first := [2]byte([]byte(m[:2]))
		if p.little {
			first = [2]byte([]byte(m[2:4]))
		}
		if first == pair {
			return true
		}
	}
	if p.little {
		return pair[0] == 8 && pair[1] < 32 || pair[0] == 'h' && pair[1] >= '1' && pair[1] <= '9' // gzip and bzip2
	}
	return string(pair[:]) == gzipMagic || string(pair[:]) == "BZ" || pair[0]&^15 == 0x50 && pair[1] == 0x2a
}

// magics are the first four bytes of files that may follow a capture. The last
// byte of gzip's and bzip2's varies, and the first one of frames to be skipped.
var magics = [...]string{
	"\xd4\xc3\xb2\xa1", "\xa1\xb2\xc3\xd4", "\x4d\x3c\xb2\xa1", "\xa1\xb2\x3c\x4d", "\x34\xcd\xb2\xa1", "\xa1\xb2\xcd\x34",
	"\n\r\r\n", snoopMagic, "\x28\xb5\x2f\xfd", "\x04\x22\x4d\x18", "\x02\x21\x4c\x18", "\x50\x2a\x4d\x18", xzMagic,
}

// mayBeMagic tells whether h begins with one of them.
func mayBeMagic(h []byte) bool {
	switch m := binary.LittleEndian.Uint32(h); m {
	case 0xa1b2c3d4, 0xd4c3b2a1, 0xa1b23c4d, 0x4d3cb2a1, 0xa1b2cd34, 0x34cdb2a1, // pcap
		0x0a0d0d0a, 0x6f6f6e73, zstdMagic, lz4Magic, lz4Legacy, 0x587a37fd: // pcapng, snoop, and xz
		return true
	default:
		return m&^15 == skippable || m&0xffffff == 0x088b1f || m&0xffffff == 0x685a42 // gzip and bzip2
	}
}
