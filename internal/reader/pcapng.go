package reader

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
)

// Block types of pcapng that are looked into, or counted by name.
const (
	blockSection    = 0x0a0d0d0a // the same in both byte orders
	blockInterface  = 1
	blockObsolete   = 2 // Packet Block
	blockSimple     = 3
	blockNames      = 4
	blockStatistics = 5
	blockEnhanced   = 6
	blockJournal    = 9
	blockSecrets    = 10
	blockCustom     = 0x00000bad
	blockCustomKeep = 0x40000bad
)

const (
	ngOrderMagic = 0x1a2b3c4d
	ngFrame      = 12                // bytes of a block around its body: type and length, and the length again
	ngMaxBlock   = maxRecord + 1<<20 // bytes of a block that is looked into: the largest record and its options
	ngMaxIfaces  = 1 << 18           // interfaces of a section: 6 MiB of them; each costs the capture 20 bytes
	ngPacketHead = 20                // bytes of an enhanced or obsolete packet block's body before the packet
	ngByOption   = "option list cut short: option %d of %d bytes where %d are left"
)

// pcapng is the block format: sections of blocks, each section with its own
// byte order and interfaces.
type pcapng struct {
	seen       *tally
	big        bool
	trailer    uint32 // length that the trailer of the block just left out must repeat; 0 for none
	skipping   uint32 // type of that block
	ifaces     []iface
	skipped    [len(skippedNames)]uint64
	sections   uint64
	interfaces uint64
	version    string
	orders     [2]bool // which byte orders were met
	snaplen    uint32
	resolution string
}

// The kinds of blocks that carry no packets, as Info names them.
const (
	skippedNamesBlocks = iota
	skippedStatistics
	skippedSecrets
	skippedJournal
	skippedCustom
	skippedOther
)

var skippedNames = [...]string{"name resolution", "interface statistics", "decryption secrets", "systemd journal", "custom", "other"}

func sortOfSkipped(blockType uint32) int {
	switch blockType {
	case blockNames:
		return skippedNamesBlocks
	case blockStatistics:
		return skippedStatistics
	case blockSecrets:
		return skippedSecrets
	case blockJournal:
		return skippedJournal
	case blockCustom, blockCustomKeep:
		return skippedCustom
	}
	return skippedOther
}

// isPcapng tells whether head begins with a section header block.
func isPcapng(head []byte) bool {
	if len(head) < 4 || binary.LittleEndian.Uint32(head) != blockSection {
		return false
	}
	if len(head) < ngFrame {
		return true // cut short: the walk says so
	}
	m := binary.LittleEndian.Uint32(head[8:])
	return m == ngOrderMagic || bits.ReverseBytes32(m) == ngOrderMagic
}

// u32 and its kin read a field in the byte order of the section.
func (p *pcapng) u32(b []byte) uint32 {
	v := binary.LittleEndian.Uint32(b)
	if p.big {
		return bits.ReverseBytes32(v)
	}
	return v
}

func (p *pcapng) u16(b []byte) uint16 {
	v := binary.LittleEndian.Uint16(b)
	if p.big {
		return bits.ReverseBytes16(v)
	}
	return v
}

func (p *pcapng) walk(b *Block, d []byte, at, stop int, end bool) step {
	if p.trailer != 0 {
		if len(d)-at < 4 {
			return step{used: at, need: 4, inside: true}
		}
		if st := p.leftOut(d[at:]); st.err != nil {
			st.used = at
			return st
		}
		at += 4
	}
	for whole := d[:max(at, min(stop, len(d)))]; at < stop; {
		if at = p.burst(b, whole, at); at >= stop {
			break
		}
		st := p.block(b, d, at, end)
		if st.used == 0 {
			st.used = at
			return st
		}
		at += st.used
	}
	return step{used: at}
}

// burst takes enhanced packet blocks in a row for as long as there is nothing
// unusual about them, and returns where it stopped. It is the hot loop, three
// times as fast as going through block, which takes everything else.
func (p *pcapng) burst(b *Block, d []byte, at int) int {
	recs, links := b.Records, p.seen.links
	for len(d)-at >= ngFrame+ngPacketHead {
		h := d[at : at+8+ngPacketHead : at+8+ngPacketHead]
		length := p.u32(h[4:])
		if p.u32(h) != blockEnhanced || length < ngFrame+ngPacketHead || length%4 != 0 || uint64(length) > uint64(len(d)-at) {
			break
		}
		id, capLen, wireLen, room := p.u32(h[8:]), p.u32(h[20:]), p.u32(h[24:]), length-ngFrame-ngPacketHead
		if wireLen < capLen || id >= uint32(len(p.ifaces)) || capLen > room || capLen > maxUsual || room-capLen > 3 || p.u32(d[at+int(length)-4:]) != length {
			break
		}
		f := &p.ifaces[id]
		hi, lo := bits.Mul64(uint64(p.u32(h[12:]))<<32|uint64(p.u32(h[16:])), uint64(f.scale))
		if f.scale == 0 || f.offset != 0 || hi != 0 || lo > math.MaxInt64 || f.slot < 0 {
			break
		}
		links[f.slot].Records++
		recs = append(recs, Record{Time: int64(lo), Off: uint32(at + 8 + ngPacketHead), CapLen: capLen, WireLen: wireLen, Link: f.link})
		at += int(length)
	}
	if n := len(recs); n > len(b.Records) {
		p.seen.last = recs[n-1].Time
	}
	b.Records = recs
	return at
}

// leftOut checks the trailer of a block too large to be buffered.
func (p *pcapng) leftOut(d []byte) step {
	if got := p.u32(d); got != p.trailer {
		return step{kind: Corrupt, err: wrongTrailer(p.trailer, got)}
	}
	p.skipped[sortOfSkipped(p.skipping)]++
	p.trailer = 0
	return step{}
}

// block takes the block at d[at]. step.used is its length; 0 where the walk
// ends in front of it.
func (p *pcapng) block(b *Block, d []byte, at int, end bool) step {
	d = d[at:]
	if len(d) < ngFrame {
		return step{need: ngFrame}
	}
	kind := p.u32(d)
	if kind == blockSection {
		if st := p.turn(d); st.err != nil {
			return st
		}
	} else if st := p.closer(d, kind, end); st.border || st.need > 0 {
		return st
	}
	length := p.u32(d[4:])
	if length < ngFrame {
		return corrupt("block length %d of a block of type %#x", length, kind)
	}
	if length%4 != 0 {
		return p.unaligned(b, d, at, end)
	}
	if uint64(length) > uint64(len(d)) {
		return p.partial(kind, length)
	}
	if got := p.u32(d[length-4:]); got != length {
		return step{kind: Corrupt, err: wrongTrailer(length, got)}
	}
	if st := p.body(b, kind, d[8:length-4], at+8); st.err != nil {
		return st
	}
	return step{used: int(length)}
}

// closer looks at a block of unknown type, which may be the begin of another
// file, as pcap.closer does at a record. ERF has no magic number: it shows in a
// block that does not end where it should.
func (p *pcapng) closer(d []byte, kind uint32, end bool) step {
	if sortOfSkipped(kind) != skippedOther || kind <= blockEnhanced && kind > 0 {
		return step{}
	}
	length := p.u32(d[4:])
	suspect, beyond := mayBeMagic(d), uint64(length) > uint64(len(d))
	if !suspect && !beyond {
		return step{}
	}
	if len(d) < joinSniff && !end {
		return step{need: joinSniff}
	}
	usual := length >= ngFrame && length%4 == 0 && length <= ngMaxBlock
	return step{border: suspect && p.seen.looksLikeJoin(d, usual, end) || beyond && isErf(d)}
}

// unaligned takes a block whose length is no multiple of 4. Its writer forgot
// to count what pads the block, or to pad it.
func (p *pcapng) unaligned(b *Block, d []byte, at int, end bool) step {
	kind, length := p.u32(d), p.u32(d[4:])
	padded := (length + 3) &^ 3
	switch {
	case length > ngMaxBlock:
		return corrupt("block length %d of a block of type %#x", length, kind)
	case len(d) < int(length), len(d) < int(padded) && !end:
		return step{need: int(padded)}
	}
	size := length
	if len(d) >= int(padded) {
		if got := p.u32(d[padded-4:]); got == length || got == padded {
			size = padded
		}
	}
	if size == length && p.u32(d[length-4:]) != length {
		return corrupt("block length %d of a block of type %#x", length, kind)
	}
	if st := p.body(b, kind, d[8:size-4], at+8); st.err != nil {
		return st
	}
	p.seen.unaligned++
	return step{used: int(size)}
}

// turn finds the byte order of a section from its header block.
func (p *pcapng) turn(d []byte) step {
	switch m := binary.LittleEndian.Uint32(d[8:]); {
	case m == ngOrderMagic:
		p.big = false
	case bits.ReverseBytes32(m) == ngOrderMagic:
		p.big = true
	default:
		return corrupt("section header with byte-order magic %#08x", m)
	}
	return step{}
}

// partial ends a walk in front of a block that is not all there. One that
// carries no packets need not be: it is left out up to its trailer.
func (p *pcapng) partial(kind, length uint32) step {
	switch kind {
	case blockSection, blockInterface, blockObsolete, blockSimple, blockEnhanced:
		if length > ngMaxBlock {
			return corrupt("block length %d of a block of type %#x is beyond the limit of %d bytes", length, kind, ngMaxBlock)
		}
		return step{need: int(length)}
	}
	p.trailer, p.skipping = length, kind
	return step{skip: int64(length) - 4, need: 4, inside: true}
}

// body takes what is inside a block; off is where in Block.Data it begins.
func (p *pcapng) body(b *Block, kind uint32, body []byte, off int) step {
	switch kind {
	case blockEnhanced:
		if len(body) < ngPacketHead {
			return tooSmall("enhanced packet", body)
		}
		return p.packet(b, p.u32(body), body, off)
	case blockSimple:
		return p.simple(b, body, off)
	case blockObsolete:
		if len(body) < ngPacketHead {
			return tooSmall("obsolete packet", body)
		}
		return p.packet(b, uint32(p.u16(body)), body, off)
	case blockInterface:
		return p.addInterface(body)
	case blockSection:
		return p.newSection(b, body, off)
	}
	p.skipped[sortOfSkipped(kind)]++
	return step{}
}

// packet takes an enhanced or obsolete packet block: they differ in how they
// name the interface only.
func (p *pcapng) packet(b *Block, id uint32, body []byte, off int) step {
	if id >= uint32(len(p.ifaces)) {
		return p.noInterface(id)
	}
	f := &p.ifaces[id]
	capLen := p.u32(body[12:])
	if limit := f.limit(); capLen > limit {
		return step{kind: Corrupt, err: tooLong(capLen, limit)}
	}
	room := len(body) - ngPacketHead
	if int(capLen) > room {
		return corrupt("capture length %d in a block with room for %d bytes", capLen, room)
	}
	if opts := body[min(len(body), ngPacketHead+pad4(int(capLen))):]; len(opts) > 0 {
		if err := p.options(opts, nil); err != nil {
			p.seen.flawed(err, len(b.Records), off-8)
		}
	}
	t, clamped := f.nanos(uint64(p.u32(body[4:]))<<32 | uint64(p.u32(body[8:])))
	r := Record{Time: t, Off: uint32(off + ngPacketHead), CapLen: capLen, WireLen: p.u32(body[16:])}
	if clamped {
		r.Flags = ClampedTime
		p.seen.clamped++
	}
	p.emit(b, f, r)
	return step{}
}

// simple takes a simple packet block: of the section's first interface, without
// a timestamp, and with a capture length that follows from the snaplen.
func (p *pcapng) simple(b *Block, body []byte, off int) step {
	if len(body) < 4 {
		return tooSmall("simple packet", body)
	}
	if len(p.ifaces) == 0 {
		return p.noInterface(0)
	}
	f := &p.ifaces[0]
	wireLen := p.u32(body)
	capLen := wireLen
	if f.snaplen != 0 {
		capLen = min(capLen, f.snaplen)
	}
	if int64(capLen) > int64(len(body)-4) {
		return corrupt("capture length %d in a block with room for %d bytes", capLen, len(body)-4)
	}
	if limit := f.limit(); capLen > limit {
		return step{kind: Corrupt, err: tooLong(capLen, limit)}
	}
	p.seen.noTime++
	p.emit(b, f, Record{Time: p.seen.last, Off: uint32(off + 4), CapLen: capLen, WireLen: wireLen, Flags: NoTime})
	return step{}
}

// emit appends a record of an interface.
func (p *pcapng) emit(b *Block, f *iface, r Record) {
	if f.slot < 0 {
		f.slot = p.seen.slot(f.link)
	}
	p.seen.links[f.slot].Records++
	p.seen.last = r.Time
	r.Link = f.link
	b.Records = append(b.Records, p.seen.raise(r))
}

// newSection begins a section: interfaces are numbered anew.
func (p *pcapng) newSection(b *Block, body []byte, off int) step {
	if len(body) < 16 {
		return tooSmall("section header", body)
	}
	major, minor := p.u16(body[4:]), p.u16(body[6:])
	if major != 1 {
		return step{kind: Unsupported, err: fmt.Errorf("pcapng version %d.%d", major, minor)}
	}
	if err := p.options(body[16:], nil); err != nil {
		p.seen.flawed(err, len(b.Records), off-8)
	}
	if p.sections == 0 {
		p.version = fmt.Sprintf("%d.%d", major, minor)
	}
	p.sections++
	if p.big {
		p.orders[1] = true
	} else {
		p.orders[0] = true
	}
	p.ifaces = p.ifaces[:0]
	return step{}
}

// options walks an option list and hands each option to take, which may be nil.
// A list ends at its end mark or with its block.
func (p *pcapng) options(o []byte, take func(code uint16, value []byte) error) error {
	for len(o) >= 4 {
		code, length := p.u16(o), int(p.u16(o[2:]))
		if code == 0 {
			return nil
		}
		if 4+pad4(length) > len(o) {
			return fmt.Errorf(ngByOption, code, length, len(o)-4)
		}
		if take != nil {
			if err := take(code, o[4:4+length]); err != nil {
				return err
			}
		}
		o = o[4+pad4(length):]
	}
	return nil
}

func (p *pcapng) describe(i *Info) {
	i.Format, i.Version, i.Snaplen = "pcapng", p.version, p.snaplen
	i.Sections, i.Interfaces = p.sections, p.interfaces
	i.TimeResolution = p.resolution
	i.ByteOrder = orderName(p.orders[1])
	if p.orders[0] && p.orders[1] {
		i.ByteOrder = "mixed"
	}
	for k, n := range p.skipped {
		if n > 0 {
			i.Skipped = append(i.Skipped, BlockCount{Name: skippedNames[k], Blocks: n})
		}
	}
}

// pad4 rounds up to a multiple of 4.
func pad4(n int) int { return (n + 3) &^ 3 }

func corrupt(format string, args ...any) step {
	return step{kind: Corrupt, err: fmt.Errorf(format, args...)}
}

func tooSmall(what string, body []byte) step {
	return corrupt("%s block with a body of only %d bytes", what, len(body))
}

func (p *pcapng) noInterface(id uint32) step {
	return corrupt("packet of interface %d in a section with %d so far", id, len(p.ifaces))
}

func wrongTrailer(want, got uint32) error {
	return fmt.Errorf("block length %d at its begin and %d at its end", want, got)
}
