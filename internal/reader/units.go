package reader

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"

	"pcapbatch/internal/inflate"

	"github.com/klauspost/compress/zstd"
)

// Compressed captures are read in ranges if they are made of units that can be
// unpacked by themselves: the blocks of BGZF (SAM format specification, section
// 4.1), and the frames of seekable zstd, those of one span together.

const (
	// unitBatch is how many bytes of BGZF blocks are unpacked at once.
	unitBatch = 1 << 20

	// bgzfHead is how many bytes of a block tell its size, and mostBGZF the
	// size of the largest, packed or unpacked.
	bgzfHead = 18
	mostBGZF = 64 << 10

	// bgzfHops is how many blocks that follow each other show that they are some.
	bgzfHops = 4
)

// A placed unit is one that was unpacked.
type placed struct {
	from       int64 // in the file
	begin, end int64 // in the content since the first unit read
}

// unitReader unpacks units from one on, some of them ahead, side by side. Where
// what follows is no unit, or is damaged, the rest of the file is read as if all
// of it had been: with the same bytes and the same error.
type unitReader struct {
	c       *Capture
	at      int64  // where the next batch begins in the file
	spans   []span // of zstd, not begun; nil for BGZF
	zstd    *zstd.Decoder
	begun   []*batch
	ends    bool // there are no more batches
	most    int  // batches that are begun
	current *batch
	next    int // unit of current
	out     []byte
	content int64 // bytes before out
	placed  []placed
	rest    *content
}

// A batch is some units that are unpacked at once.
type batch struct {
	units []span
	in    []byte
	out   [][]byte
	bad   int // the first unit that is damaged; len(units): none
	done  chan struct{}
}

// newUnitReader reads the units of c from one on that begins at offset at.
func newUnitReader(c *Capture, at int64, spans []span) (*unitReader, error) {
	u := &unitReader{c: c, at: at, most: max(c.o.Workers, 1) + 1}
	if !c.o.affords(unitBytes(c.o.Workers)) {
		u.most = 1
	}
	for i := range spans {
		if spans[i].from >= at {
			u.spans = spans[i:]
			break
		}
	}
	if spans != nil {
		var err error
		u.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(u.most), zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderMaxWindow(maxWindow))
		return u, err
	}
	return u, nil
}

// unitBytes is what a unitReader holds, in bytes.
func unitBytes(workers int) int64 { return int64(max(workers, 1)+2) * 2 * mostSpan }

func (u *unitReader) Read(p []byte) (n int, err error) {
	for len(u.out) == 0 {
		if u.rest != nil {
			n, err := u.rest.Read(p)
			if e, ok := err.(*inflate.Error); ok { // counted from where rest begins
				err = &inflate.Error{Offset: e.Offset + u.at, Err: e.Err}
			}
			return n, err
		}
		if err := u.advance(); err != nil {
			return 0, err
		}
	}
	n = copy(p, u.out)
	u.out = u.out[n:]
	return n, nil
}

// advance makes out the next unit, or rest what follows the last one.
func (u *unitReader) advance() error {
	for u.current == nil || u.next == len(u.current.units) {
		for len(u.begun) < u.most && !u.ends {
			if err := u.begin(); err != nil {
				return err
			}
		}
		if len(u.begun) == 0 {
			return u.leave(u.at)
		}
		u.current, u.next = u.begun[0], 0
		u.begun = append(u.begun[:0], u.begun[1:]...)
		<-u.current.done
	}
	b := u.current
	if u.next == b.bad {
		return u.leave(b.units[u.next].from)
	}
	unit, out := b.units[u.next], b.out[u.next]
	u.next++
	u.c.raw.n.Store(unit.from + unit.packed)
	u.place(unit.from, int64(len(out)))
	u.out = out
	return nil
}

// place notes where a unit lies that is read next.
func (u *unitReader) place(from, bytes int64) {
	for len(u.placed) > 0 && u.placed[0].end < u.c.base {
		u.placed = u.placed[1:]
	}
	if bytes > 0 {
		u.placed = append(u.placed, placed{from, u.content, u.content + bytes})
	}
	u.c.part.enter(from, u.content)
	u.content += bytes
}

// leave goes on with what lies at an offset of the file, as after the end of a
// compressed stream.
func (u *unitReader) leave(at int64) error {
	u.close()
	u.at = at
	if at >= u.c.raw.size {
		u.c.raw.n.Store(u.c.raw.size)
		return io.EOF
	}
	src := &source{r: io.NewSectionReader(looker{u.c.raw, u.c.raw.file}, at, u.c.raw.size-at), begun: true}
	file := &stream{r: src, at: at}
	u.rest = &content{
		o: u.c.o, src: src, file: file, packed: bufio.NewReaderSize(file, u.c.o.readAhead()), trifle: u.c.trifle,
		name: u.c.content.name, inside: true, ended: true, unpack: unpacker{name: u.c.content.name, r: bytes.NewReader(nil)},
	}
	return nil
}

// begin reads the next batch and has it unpacked in a goroutine.
func (u *unitReader) begin() error {
	b := &batch{done: make(chan struct{})}
	if u.zstd != nil {
		if len(u.spans) == 0 {
			u.ends = true
			return nil
		}
		b.units, u.spans = u.spans[:1], u.spans[1:]
		b.in = make([]byte, b.units[0].packed)
	} else {
		b.in = make([]byte, min(unitBatch, max(u.c.raw.size-u.at, 0)))
	}
	n, err := u.c.raw.file.ReadAt(b.in, u.at)
	if err != nil && err != io.EOF {
		u.c.raw.note(err)
		return err
	}
	b.in = b.in[:n]
	if u.zstd == nil {
		b.units = bgzfBlocks(b.in, u.at)
	}
	if len(b.units) == 0 {
		u.ends = true
		return nil
	}
	last := b.units[len(b.units)-1]
	u.at = last.from + last.packed
	u.begun = append(u.begun, b)
	go func() {
		defer close(b.done)
		u.unpack(b)
	}()
	return nil
}

// unpack unpacks the units of a batch up to the first that is damaged.
func (u *unitReader) unpack(b *batch) {
	z := inflate.NewReader(bytes.NewReader(nil))
	for b.bad = range b.units {
		s := b.units[b.bad]
		in := b.in[s.from-b.units[0].from:]
		in = in[:min(int64(len(in)), s.packed)]
		out := make([]byte, 0, s.unpacked)
		var err error
		if u.zstd != nil {
			out, err = u.zstd.DecodeAll(in, out)
		} else {
			z.Reset(bytes.NewReader(in))
			out = out[:s.unpacked]
			if _, err = io.ReadFull(z, out); err == nil || s.unpacked == 0 {
				var more [1]byte
				if _, err = io.ReadFull(z, more[:]); err == io.EOF {
					err = nil // its checksum is right
				} else if err == nil {
					err = errors.New("longer than it says")
				}
			}
		}
		if err != nil || int64(len(out)) != s.unpacked {
			return
		}
		b.out = append(b.out, out)
	}
	b.bad = len(b.units)
}

// close waits for what is being unpacked.
func (u *unitReader) close() {
	for _, b := range u.begun {
		<-b.done
	}
	u.begun, u.ends = nil, true
	if u.zstd != nil {
		u.zstd.Close()
	}
	if u.rest != nil {
		u.rest.close()
	}
}

// before returns the unit that has the byte before an offset of the content, and
// the place behind that byte in it.
func (u *unitReader) before(at int64) (unit, offset int64) {
	for i := len(u.placed) - 1; i >= 0; i-- {
		if p := u.placed[i]; p.begin < at && at <= p.end {
			return p.from, at - p.begin
		}
	}
	return 0, 0 // the beginning of the capture
}

// bgzfBlocks are the whole blocks that d, which lies at an offset of the file,
// begins with: those that unpack to mostSpan bytes together.
func bgzfBlocks(d []byte, at int64) (units []span) {
	for sum := int64(0); len(d) >= bgzfHead && isBGZF(d) && sum < mostSpan; {
		packed := int64(binary.LittleEndian.Uint16(d[16:])) + 1
		if packed < bgzfHead+8 || packed > int64(len(d)) {
			break
		}
		unpacked := int64(binary.LittleEndian.Uint32(d[packed-4:]))
		if unpacked > mostBGZF {
			break
		}
		units = append(units, span{from: at, packed: packed, unpacked: unpacked})
		sum += unpacked
		d, at = d[packed:], at+packed
	}
	return units
}

// leadUnit returns the unit from which on a range is read that begins at from: so
// many bytes of content lie between, or all that there is. It has content.
func (c *Capture) leadUnit(spans []span, from, lead int64) (at int64, ok bool) {
	if spans == nil {
		if spans, ok = c.bgzfLead(from, lead); !ok {
			return 0, false
		}
	}
	i := 0
	for i < len(spans) && spans[i].from < from {
		i++
	}
	for bytes := int64(0); i > 0 && bytes < max(lead, 1); bytes += spans[i].unpacked {
		i--
	}
	if i == len(spans) {
		return 0, len(spans) == 0
	}
	return spans[i].from, true
}

// bgzfLead lists the blocks before an offset of the file: those that have so many
// bytes of content, and perhaps more.
func (c *Capture) bgzfLead(from, lead int64) (units []span, ok bool) {
	at, ok := c.findBGZF(max(0, from-max(lead, 1)-2*mostBGZF))
	file, _ := c.raw.readable()
	buf := make([]byte, unitBatch)
	for ok && at < from {
		n, err := file.ReadAt(buf, at)
		if err != nil && err != io.EOF {
			return nil, false
		}
		more := bgzfBlocks(buf[:n], at)
		if len(more) == 0 {
			return nil, false
		}
		units = append(units, more...)
		at = units[len(units)-1].from + units[len(units)-1].packed
	}
	return units, ok && len(units) > 0
}

// findBGZF returns the first place from an offset on where blocks follow each
// other.
func (c *Capture) findBGZF(from int64) (at int64, ok bool) {
	if from == 0 {
		return 0, true
	}
	buf := make([]byte, (bgzfHops+2)*mostBGZF)
	file, _ := c.raw.readable()
	n, err := file.ReadAt(buf, from)
	if err != nil && err != io.EOF {
		return 0, false
	}
	for i := 0; i < min(n, mostBGZF); i++ {
		next := bytes.IndexByte(buf[i:n], gzipMagic[0])
		if next < 0 {
			return 0, false
		}
		i += next
		units := bgzfBlocks(buf[i:n], from+int64(i))
		if k := len(units); k >= bgzfHops || k > 0 && units[k-1].from+units[k-1].packed == c.raw.size {
			return from + int64(i), true
		}
	}
	return 0, false
}

// unitsOf tells whether a compressed file is made of units; spans are those of
// zstd.
func unitsOf(file io.ReaderAt, size int64, compression string) (spans []span, ok bool) {
	switch compression {
	case "bgzf":
		return nil, true
	case "zstd":
		spans = spansOf(file, size)
		return spans, len(spans) > 1
	}
	return nil, false
}

// enter notes that a unit begins at an offset of the content.
func (p *part) enter(from, content int64) {
	if p.lead && from >= p.From && p.stop == math.MaxInt64 {
		p.stop, p.origin = content, content
	}
	if from >= p.To && p.to == math.MaxInt64 && p.ends {
		if p.to = content; !p.lead {
			p.stop = content
		}
	}
}

// readUnits goes on with the content of the units from one on.
func (c *Capture) readUnits(at int64, spans []span) error {
	u, err := newUnitReader(c, at, spans)
	if err != nil {
		return c.fail(IO, err)
	}
	name := c.content.unpack.name
	c.content.close()
	c.content.unpack = unpacker{name: name, close: u.close, memory: fixed(unitBytes(c.o.Workers))}
	c.in = &stream{r: u}
	c.part.units = u
	return nil
}
