package reader

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
)

// A Range is a part of a capture: the records that begin at offset From of the
// file or later, and before To. Of a compressed capture it has the records that
// begin in the content of units (units.go) that do. The ranges of a capture, from
// 0 to its end without a gap, have each record once, if the Border at the end of
// each is that at the beginning of the next.
type Range struct {
	From int64
	To   int64 // 0: to the end of the file
	// Lead is how many uncompressed bytes before From are read as well, for
	// what later records depend on. Their records come first, in blocks that
	// have Lead set, and are in no count. Where it does not reach back to the
	// beginning of the file, the first of those records has to be guessed, and
	// the more there are after it, the surer it is that the guess was right.
	Lead int64
}

func (r Range) whole() bool { return r.From == 0 && r.To == 0 }

// A Border is the place where one range ends and the next one begins, and what
// the records behind it depend on.
type Border struct {
	// Offset is where a record begins, or something else of the format, that is
	// the first to begin beyond the end of the range; -1 is the end of the file.
	Offset int64  `json:"offset"`          // bytes in the file, or of a compressed one in the content of Unit
	Unit   int64  `json:"unit,omitempty"`  // offset in the file of the unit that has the byte before it
	State  string `json:"state,omitempty"` // digest of what is known there
}

// Borders are those of a range.
type Borders struct {
	Begin Border `json:"begin"`
	End   Border `json:"end"` // not of a range whose capture is damaged in it
	// Unknown says that Begin was not found, so that there are no records: the
	// capture is damaged before it, or has to be read as a whole.
	Unknown bool `json:"unknown,omitempty"`
	// Content is how many bytes the range of a compressed capture unpacks to; 0
	// where that is not known, as of the last one. Offsets of errors are counted
	// from its beginning.
	Content int64 `json:"content,omitempty"`
}

// part is the range that a Capture reads.
type part struct {
	Range
	lead    bool  // what is read now lies before From
	stop    int64 // offset in content from which on nothing may begin now
	to      int64 // of the end of the range
	ends    bool  // before the end of the file
	borders Borders

	// Of compressed captures stop and to are math.MaxInt64 until they are known,
	// and content is counted from the first unit that was read.
	units  *unitReader // nil: the capture is not compressed
	spans  []span
	first  int64 // the unit from which on the lead is read; -1: none was found
	origin int64 // where the range begins in content
}

// errBorder is the error for a range before which no record was found. It says
// nothing of the capture.
var errBorder = errors.New("no records were found that follow each other up to the beginning of the range: read the capture as a whole")

// ErrNoRanges is the error for a capture that can only be read as a whole.
var ErrNoRanges = fmt.Errorf("a range of this is %w: only pcap and pcapng have ranges, in regular files that are plain, BGZF or seekable zstd", errUnsupported)

// rangeable formats can be read from the middle on.
type rangeable interface {
	format
	// forget makes the format ready to go on at another place of the file.
	forget()
	// likely tells how many bytes the record or block takes that d seems to
	// begin with, perhaps more than there are; 0: it seems to begin with none.
	// start is the time of the capture's first record in seconds. odd says that
	// few records are like that.
	likely(d []byte, start int64) (size int, odd bool)
	// state appends all that the meaning of later records depends on.
	state(text []byte) []byte
}

// HasRanges reports whether the capture can be read in ranges.
func (c *Capture) HasRanges() bool {
	_, ok := c.format.(rangeable)
	if file, size := c.raw.readable(); file == nil {
		return false
	} else if name := c.content.name; ok && name != "" {
		_, ok = unitsOf(file, size, name)
	}
	return ok
}

// setRange takes the range that is asked for. Requires: nothing but the header
// was read.
func (c *Capture) setRange() error {
	r := c.o.Range
	if r.whole() {
		return nil
	}
	if !c.HasRanges() || c.raw.file == nil {
		if err := c.raw.failure(); err != nil { // it could not be looked at
			return c.fail(IO, cause(err))
		}
		return c.fail(Unsupported, ErrNoRanges)
	}
	p := &part{Range: r, to: math.MaxInt64, ends: r.To > 0 && r.To < c.raw.size, lead: r.From > 0}
	if !p.ends {
		p.To = c.raw.size
	}
	c.part = p
	p.borders = Borders{Begin: endOfFile, End: endOfFile, Unknown: p.lead}
	if !p.lead {
		p.borders.Begin = c.border()
	}
	if c.content.name != "" {
		return c.setUnits()
	}
	if p.ends {
		p.to = p.To
	}
	if p.stop = p.to; p.lead {
		p.stop = r.From
	}
	return nil
}

// setUnits is setRange for a compressed capture. What is to be read from its
// beginning on is read in units from there.
func (c *Capture) setUnits() (err error) {
	p := c.part
	p.stop = math.MaxInt64
	file, size := c.raw.readable()
	p.spans, _ = unitsOf(file, size, c.content.name)
	if p.lead {
		var ok bool
		if p.first, ok = c.leadUnit(p.spans, p.From, p.Lead); !ok {
			p.first = -1
		}
		if err := c.raw.failure(); err != nil {
			return c.fail(IO, cause(err))
		}
		if p.first != 0 {
			return nil // see jump
		}
	}
	if err = c.readUnits(0, p.spans); err == nil {
		c.in.peek(int(c.base))
		c.in.drop(int(c.base))
	}
	return err
}

// stop is where the walk has to end, counted from c.base.
func (c *Capture) stop() int {
	if c.part == nil || c.part.stop == math.MaxInt64 {
		return math.MaxInt
	}
	return int(max(c.part.stop-c.base, 0))
}

// jump goes on at the place from which the lead of the range has to be read.
// Requires: the first block was read.
func (c *Capture) jump() {
	if c.part == nil || !c.part.lead {
		return
	}
	at := c.part.From - max(c.part.Lead, 0)
	packed := c.content.name != ""
	if c.part.units != nil || !packed && at <= c.base+c.skip {
		return // it begins at the beginning
	}
	c.spare.keepBlock(c.first)
	c.first = nil
	c.skip, c.gap, c.carry = 0, 0, c.carry[:0]
	most, ok := int(c.part.From-at), true
	if c.base = 0; packed {
		ok = c.part.first >= 0 && c.readUnits(c.part.first, c.part.spans) == nil
		at, most = 0, math.MaxInt // the content is counted from there
	} else {
		c.moveTo(at)
	}
	form := c.format.(rangeable)
	form.forget()
	skip := 0
	if ok {
		skip, ok = c.guess(form, most)
	}
	c.base = at + int64(skip)
	if err := c.raw.failure(); !ok && err != nil {
		c.finish(c.fail(IO, cause(err)))
	} else if !ok {
		c.finish(c.fail(Unsupported, errBorder))
	}
	c.in.drop(skip)
	c.seen.last = 0
}

const (
	// mostLead is how many bytes are looked through for the first record: more
	// than the largest has.
	mostLead = maxRecord + 2<<20

	// guessBytes is how many of them are looked through first.
	guessBytes = 1 << 20

	// likelyRecords and likelyBytes are how many records that follow each other,
	// and how many bytes they have, show that they are none that lie inside a
	// packet: it would have to be larger.
	likelyRecords = 8
	likelyBytes   = maxUsual

	// oddRecords is how many records there are for each that is odd, after the
	// first.
	oddRecords = 16

	// likelyYears is how far, in seconds, records lie from the first one: those
	// of captures that take their microseconds for seconds are further away.
	likelyYears = 10 * 365 * 86400
)

// guess returns how many bytes to leave out of what comes next, fewer than most,
// so that a record follows.
func (c *Capture) guess(form rangeable, most int) (skip int, ok bool) {
	for n := guessBytes; ; n *= 2 {
		d := c.in.peek(n)
		whole := len(d) < n && c.in.err == io.EOF
		last, found := len(d) < n || n >= 2*mostLead || !c.o.affords(2*int64(n)), no
		for skip = 0; skip < min(len(d), mostLead, most) && found == no; skip++ {
			if found = chain(form, d[skip:], c.start/1e9, whole); found == sure {
				return skip, true
			}
			if found == unsure && last {
				found = no
			}
		}
		if last {
			return 0, false
		}
	}
}

// A verdict says whether records begin at a place.
type verdict int

const (
	no verdict = iota
	unsure
	sure
)

// chain tells whether records that follow each other begin at the front of d;
// whole says that the file ends with d.
func chain(form rangeable, d []byte, start int64, whole bool) verdict {
	records, faults, at := 0, 0, 0
	for {
		size, odd := form.likely(d[at:], start)
		switch {
		case odd && faults > records/oddRecords:
			return no
		case size > 0 && at+size <= len(d):
			if records, at = records+1, at+size; odd {
				faults++
			}
		case size > 0 && !whole && records > 0:
			return unsure
		case records > 0 && whole && at == len(d):
			return sure
		default:
			return no
		}
		if records >= likelyRecords && at >= likelyBytes {
			return sure
		}
	}
}

// reach ends what is read, the lead or the range, where the next record lies
// beyond it.
func (c *Capture) reach() {
	p := c.part
	if !p.lead {
		p.borders.End = c.border()
		c.finish(io.EOF)
		return
	}
	p.lead, p.stop, p.borders.Begin, p.borders.Unknown = false, p.to, c.border(), false
	c.records, c.flaw = 0, nil
	c.seen.clear()
}

// border describes the place before the byte that is to be walked next.
func (c *Capture) border() Border {
	state := fmt.Appendf(nil, "%d ", c.seen.last)
	if f, ok := c.format.(rangeable); ok { // it is not where captures are joined
		state = f.state(state)
	}
	sum := sha256.Sum256(state)
	b := Border{Offset: c.base, State: hex.EncodeToString(sum[:8])}
	if c.part.units != nil {
		b.Unit, b.Offset = c.part.units.before(c.base)
	}
	return b
}

// endOfFile is the border at the end of the last range.
var endOfFile = Border{Offset: -1}

// Borders returns the borders of the range that was read, to its end or to where
// it is damaged; nil where all of the capture was to be read.
func (c *Capture) Borders() *Borders {
	if c.part == nil {
		return nil
	}
	b := c.part.borders
	if p := c.part; p.units != nil && p.to < math.MaxInt64 {
		b.Content = p.to - p.origin
	}
	if c.part.lead && c.err == io.EOF { // the last record begins before the range
		b.Unknown = false
	}
	return &b
}

// origin is the offset of the content from which on offsets are counted.
func (c *Capture) origin() int64 {
	if c.part == nil {
		return 0
	}
	return c.part.origin
}

// bytesRead is how many bytes of the range were read, where the file was read up
// to at.
func (p *part) bytesRead(at int64) int64 { return min(max(at, p.From), p.To) - p.From }

// clear forgets what was counted.
func (t *tally) clear() {
	links := t.links
	for i := range links {
		links[i].Records = 0
	}
	*t = tally{links: links, slots: t.slots, last: t.last}
}

// forget implements rangeable.
func (p *pcap) forget() { p.window = noWindow }

// likely implements rangeable.
func (p *pcap) likely(d []byte, start int64) (size int, odd bool) {
	if len(d) < p.header {
		return p.header, false
	}
	capLen, wireLen := p.both(d)
	after := int64(p.order.Uint32(d)) - start
	if capLen > p.limit || wireLen > variantWire || capLen == 0 && after == -start {
		return 0, false
	}
	return p.header + int(capLen), capLen == 0 || wireLen < capLen || p.order.Uint32(d[4:]) >= p.subsecs ||
		after > likelyYears || after < -likelyYears
}

// state implements rangeable.
func (p *pcap) state(text []byte) []byte {
	return fmt.Appendf(text, "pcap %t %d %d %d %d %d %d", p.little, p.unit, p.header, p.front, p.lengths, p.limit, p.link)
}

// forget implements rangeable.
func (p *pcapng) forget() { p.trailer = 0 }

// likely implements rangeable.
func (p *pcapng) likely(d []byte, _ int64) (size int, odd bool) {
	if len(d) < ngFrame {
		return ngFrame, false
	}
	kind, length := p.u32(d), p.u32(d[4:])
	switch {
	case length < ngFrame || length%4 != 0 || length > ngMaxBlock:
		return 0, false
	case kind == blockSection:
		if p.u32(d[8:]) != ngOrderMagic { // of the other byte order too
			return 0, false
		}
	case kind == 0 || kind > blockEnhanced && sortOfSkipped(kind) == skippedOther:
		return 0, false
	}
	if int(length) <= len(d) && p.u32(d[length-4:]) != length {
		return 0, false
	}
	return int(length), false
}

// state implements rangeable.
func (p *pcapng) state(text []byte) []byte {
	text = fmt.Appendf(text, "pcapng %t", p.big)
	for i := range p.ifaces {
		f := &p.ifaces[i]
		text = fmt.Appendf(text, " %d %d %d %d %d", f.offset, f.snaplen, f.scale, f.link, f.resolution)
	}
	return text
}
