package inflate

import (
	"io"
	"math"
)

// origin is what is needed to continue decoding at some place: the place, and
// the window of output before it.
type origin struct {
	bit   int64
	state state   // inHeader or inBlockHeader
	size  int     // of the window: up to 32 KiB, as far as the member goes back
	known *lookup // of the window; read-only; nil without one
}

// strand decodes a range of the stream into segments.
type strand struct {
	d     decoder
	start origin
	segs  []*segment // decoded and not handed on; the last one is being filled
	out   int64      // bytes decoded
	done  bool       // nothing more to decode: the end of the range, or err
	err   error      // what follows the last byte: damage or io.EOF
}

// begin starts s at o with its first segment. Where marked, the window is
// taken as 32 KiB of unknown bytes.
func (s *strand) begin(src io.ReaderAt, size int64, o origin, marked bool, seg *segment) {
	at := o.bit >> 3
	s.start, s.out, s.done, s.err = o, 0, false, nil
	s.segs = append(s.segs[:0], seg)
	d := &s.d
	d.reset(io.NewSectionReader(src, at, size-at), at, o.state)
	d.out, d.pos = seg.buf[:planeSize], windowSize
	seg.marked = 0
	if marked {
		d.out, d.plane = seg.buf, planeSize
		seg.markWindow()
		seg.marked = windowSize
	} else {
		d.low = windowSize - o.size
		if o.known != nil {
			copy(d.out[d.low:], o.known.window(o.size))
		}
	}
	if used := uint(o.bit & 7); used != 0 {
		if _, s.err = d.take(used); s.err != nil {
			s.done = true
		}
	}
}

// segment is the one being filled.
func (s *strand) segment() *segment { return s.segs[len(s.segs)-1] }

// full reports whether there is no room left.
func (s *strand) full() bool { return s.d.pos == planeSize }

// step decodes up to sumBytes bytes, and ends s at the first block or member
// that starts at bit stop or later.
func (s *strand) step(stop int64) {
	d, seg := &s.d, s.segment()
	from := d.pos
	d.end = min(planeSize, from+sumBytes)
	ev, err := d.run()
	seg.end = d.pos
	s.out += int64(d.pos - from)
	if d.plane != 0 {
		seg.marked = d.pos
		if d.low > 0 || unmarked(seg.buf[planeSize+d.pos-windowSize:planeSize+d.pos]) {
			s.settle()
		}
	}
	switch {
	case err != nil:
		s.err, s.done = err, true
	case ev == inputEnd:
		s.err, s.done = io.EOF, true
	case ev == memberEnd:
		seg.parts = append(seg.parts, part{end: d.pos, last: true, crc: d.crc, size: d.size, offset: d.memberAt - 8})
	case ev == blockStart || ev == memberStart:
		s.done = d.bitPos() >= stop
	}
}

// settle goes on in one plane: all of the window is known.
func (s *strand) settle() {
	s.d.plane = 0
	s.d.out = s.segment().buf[:planeSize]
}

// next makes seg the segment being filled; tail is the end of the one before,
// as saved by window.
func (s *strand) next(seg *segment, tail *[2 * windowSize]byte) {
	d := &s.d
	copy(seg.buf[:windowSize], tail[:windowSize])
	seg.marked = 0
	d.low = max(0, d.low-(d.pos-windowSize))
	d.out, d.pos = seg.buf[:planeSize], windowSize
	if d.plane != 0 {
		copy(seg.buf[planeSize:], tail[windowSize:])
		clear(seg.buf[planeSize+windowSize:])
		d.out, seg.marked = seg.buf, windowSize
	}
	s.segs = append(s.segs, seg)
}

// saveTail saves the window, both planes, before its segment goes.
func (s *strand) saveTail(tail *[2 * windowSize]byte) {
	d := &s.d
	copy(tail[:windowSize], d.out[d.pos-windowSize:d.pos])
	if d.plane != 0 {
		copy(tail[windowSize:], d.out[planeSize+d.pos-windowSize:planeSize+d.pos])
	}
}

// endOrigin is the origin for decoding from where s has come to. t resolves the
// bytes that are still unknown.
func (s *strand) endOrigin(t *lookup) *origin {
	d, seg := &s.d, s.segment()
	n := min(windowSize, d.pos-d.low)
	from := d.pos - n
	o := &origin{d.bitPos(), d.state, n, newLookup(d.out[from:d.pos])}
	if m := seg.marked - from; m > 0 {
		t.resolve(o.known.window(n)[:m], seg.buf[planeSize+from:planeSize+seg.marked])
	}
	return o
}

// noStop is the end of the last chunk.
const noStop = math.MaxInt64
