package inflate

import (
	"io"
	"sync/atomic"
)

// segmentsPerChunk is how many segments a chunk may hold that the consumer
// has not given back: 4 MiB of output, and twice that of memory.
const segmentsPerChunk = 8

// phase says which goroutine may use a chunk.
type phase uint8

const (
	running phase = iota // the worker that took it
	parked               // it waits for its truth; a worker that sees the truth may take it
	settled              // all its segments are ready, and only the consumer uses it
)

// chunk is a range of the compressed input: the blocks that start in it.
//
// It is decoded in up to two stages. Before it is known where the chunk before
// ends and in which window (its truth), a worker decodes from the first place
// that looks like a block, with unknown bytes (see segment): the speculation.
// When the truth comes, the speculation is patched if it started where the
// truth says, or where decoding from there arrives. If not, it is dropped. Only
// what follows from the truth goes on to the consumer, and only from there
// errors are reported, so the result never depends on guesses.
type chunk struct {
	p     *ParallelReader
	from  int64 // first byte
	stop  int64 // bit: blocks from here on belong to later chunks
	truth atomic.Pointer[origin]

	spec  *strand // nil without a usable speculation
	spare *strand
	find  finder
	tail  [2 * windowSize]byte

	// Guarded by p.mu.
	phase     phase
	published bool       // the next chunk has got its truth
	ready     []*segment // patched and summed, in order
	held      int        // segments of this chunk not yet given back
	err       error      // after the last segment
}

// work decodes c until it is settled or cannot go on without its truth.
func (c *chunk) work() {
	if c.truth.Load() == nil && c.spec == nil {
		c.speculate()
	}
	if o := c.p.truthOrPark(c); o != nil {
		c.settle(o)
	}
}

// speculate decodes without truth.
func (c *chunk) speculate() {
	arrived := func() bool { return c.truth.Load() != nil || c.p.closed.Load() }
	for at := c.from * 8; ; {
		o, ok := c.find.find(at, min(c.stop>>3, c.p.size), arrived)
		if !ok {
			if !arrived() {
				c.p.countLuck(false)
			}
			return
		}
		c.spec = c.begin(o, o.state == inBlockHeader)
		if c.spec == nil {
			return
		}
		for !c.spec.done && !arrived() {
			if c.spec.full() && !c.grow(c.spec, false) {
				return
			}
			c.spec.step(c.stop)
		}
		if !damaged(c.spec) {
			return
		}
		c.drop()
		at = o.bit + 1
	}
}

// damaged reports whether s ended in an error.
func damaged(s *strand) bool { return s.err != nil && s.err != io.EOF }

// begin starts a strand at o. It gives nil if the reader was closed.
func (c *chunk) begin(o origin, marked bool) *strand {
	seg := c.p.newSegment(c, true)
	if seg == nil {
		return nil
	}
	s := c.spare
	c.spare = nil
	if s == nil {
		s = new(strand)
	}
	s.begin(c.p.src, c.p.size, o, marked, seg)
	return s
}

// drop gives up the speculation.
func (c *chunk) drop() {
	for _, seg := range c.spec.segs {
		c.p.recycle(seg)
	}
	c.spare, c.spec = c.spec, nil
}

// grow gives s room in a new segment. A known one is handed on. It gives
// false where a speculation has all the segments it may have, or the reader was
// closed.
func (c *chunk) grow(s *strand, known bool) bool {
	s.saveTail(&c.tail)
	if known {
		c.hand(s.segment())
		s.segs = s.segs[:0]
	}
	seg := c.p.newSegment(c, known)
	if seg != nil {
		s.next(seg, &c.tail)
	}
	return seg != nil
}

// run decodes s, whose window is known, up to bit stop. It gives false if the
// reader was closed.
func (c *chunk) run(s *strand, stop int64) bool {
	for !s.done {
		if c.p.closed.Load() || s.full() && !c.grow(s, true) {
			return false
		}
		s.step(stop)
	}
	return true
}

// settle decodes c from its truth, with what the speculation has if that is
// right.
func (c *chunk) settle(o *origin) {
	if o.bit >= c.stop { // one block reaches over all of c
		if c.spec != nil {
			c.drop()
		}
		c.p.publish(c, o)
		c.p.finish(c, nil)
		return
	}
	s, o := c.adopt(o)
	if s == nil {
		s = c.begin(*o, false)
	}
	if s == nil || !c.run(s, c.stop) {
		return
	}
	if s.err == nil {
		c.p.publish(c, s.endOrigin(nil))
	}
	c.p.noteRatio(s)
	c.hand(s.segment())
	c.spare = s
	c.p.finish(c, s.err)
}

// adopt gives the strand to go on with: the speculation, patched, or the one
// that went past it. It gives nil if one has to begin at the origin given back.
func (c *chunk) adopt(o *origin) (*strand, *origin) {
	s := c.spec
	if s == nil {
		return nil, o
	}
	if o.bit < s.start.bit {
		gap := c.begin(*o, false)
		if gap == nil || !c.run(gap, s.start.bit) {
			return gap, o
		}
		if gap.err != nil || gap.d.bitPos() != s.start.bit {
			c.p.countLuck(false)
			c.drop()
			gap.done = gap.err != nil || gap.d.bitPos() >= c.stop
			return gap, o
		}
		o = gap.endOrigin(nil)
		c.hand(gap.segment())
	}
	if !s.follows(o) {
		c.p.countLuck(false)
		c.drop()
		return nil, o
	}
	c.spec = nil
	c.p.countLuck(true)
	c.patch(s, o.known)
	return s, o
}

// follows reports whether s started where o ends, with a window that o has.
func (s *strand) follows(o *origin) bool {
	return s.start.bit == o.bit && s.start.state == o.state &&
		(s.start.state == inHeader || o.size == windowSize)
}

// patch makes s known and hands on all its segments but the last.
func (c *chunk) patch(s *strand, t *lookup) {
	if s.done && s.err == nil {
		c.p.publish(c, s.endOrigin(t)) // first: others wait for it
	}
	last := len(s.segs) - 1
	for _, seg := range s.segs[:last] {
		seg.patch(t, windowSize)
		c.hand(seg)
	}
	s.segment().patch(t, 0)
	s.segs = append(s.segs[:0], s.segs[last])
	if s.d.plane != 0 {
		s.settle()
	}
}

// hand gives a segment to the consumer.
func (c *chunk) hand(seg *segment) {
	seg.sum()
	c.p.deliver(c, seg)
}
