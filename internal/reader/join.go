package reader

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

const (
	// joinSniff is how many bytes are looked at to find out what follows the
	// last record of a capture, where the file has as many.
	joinSniff = 4 << 10

	// mostZeros is how many zero bytes in a row are looked through for what
	// follows them. A capture whose records are all zeros for longer than that
	// has none: it is a hole in a file system, or a tail that was never
	// written.
	mostZeros = 64 << 10

	// mostTrials is how often a record that looks like the begin of a
	// compressed stream is tried as one.
	mostTrials = 64

	// mostTrial is how many compressed bytes are tried, and trialMemory how
	// much memory that may take.
	mostTrial   = 64 << 10
	trialMemory = 4 << 20
)

// walk walks d with one format after the other, through as many captures as
// begin in it.
func (c *Capture) walk(b *Block, d []byte, end bool) step {
	for at, stop := 0, c.stop(); ; {
		st := c.format.walk(b, d, at, stop, end)
		c.walks++
		if n := len(b.Records); n > 0 {
			c.seen.last = b.Records[n-1].Time
		}
		c.takeFlaw()
		if st.used >= stop && st.err == nil && !st.border && st.skip == 0 && !st.inside {
			st.stopped = true
			return st
		}
		if !c.follow(d, &st, end) {
			return st
		}
		at = st.used
	}
}

// follow finds out what there is at d[st.used], where a walk has ended. It
// returns true where another capture begins there, whose header it takes.
func (c *Capture) follow(d []byte, st *step, end bool) bool {
	rest := d[st.used:]
	if st.err == nil && !st.border && (!end || st.skip > 0 || st.inside || len(rest) == 0) {
		return false
	}
	zeros := leadingZeros(rest)
	if zeros > 0 && isErf(rest) {
		zeros = 0 // of a second in whose first instant an ERF record lies
	}
	switch {
	case zeros >= mostZeros:
		*st = step{used: st.used, kind: Corrupt, err: errZeros(zeros)}
		return false
	case zeros == len(rest) && end:
		c.endInZeros(st, int64(zeros))
		return false
	case st.err == nil && !st.border: // a record that is cut short
		return false
	case !end && len(rest)-zeros < joinSniff:
		*st = step{used: st.used, need: zeros + joinSniff}
		return false
	}
	return c.join(rest[zeros:], int64(zeros), st, end)
}

// endInZeros judges the zeros that are all that is left of the file. Where they
// are too few for a record header they may be the begin of one, cut short.
func (c *Capture) endInZeros(st *step, zeros int64) {
	size := c.base + int64(st.used) + zeros
	if !c.content.inside {
		size = c.content.file.at
	}
	if isPadding(zeros, size) {
		c.content.padded = true
		*st = step{used: st.used + int(zeros)}
		return
	}
	if st.err != nil || st.border {
		*st = step{used: st.used, kind: Corrupt, err: errZeros(int(zeros))}
	}
}

// errZeros is the error for zeros where a record should be. How many more than
// mostZeros there are depends on how they were read.
func errZeros(n int) error {
	if n >= mostZeros {
		return fmt.Errorf("%d zero bytes or more where a record is due", mostZeros)
	}
	return fmt.Errorf("%d zero bytes where a record is due", n)
}

// join goes on with the capture, or compressed stream, that begins at the front
// of rest, after so many zeros. It returns false where there is none, or what
// follows it is for the caller of walk to do. No capture begins twice at one
// offset: some formats have no header that would be used up.
func (c *Capture) join(rest []byte, zeros int64, st *step, end bool) bool {
	how := compressionOf(rest)
	start := st.used + int(zeros)
	if how == nil && (c.base+int64(start) == c.begun || !begins(rest) && !isErf(rest)) {
		if !end && len(rest) < erfSniff {
			*st = step{used: st.used, need: int(zeros) + erfSniff}
		} else if st.err == nil {
			*st = step{used: st.used, kind: Corrupt, err: fmt.Errorf("garbage follows the last record: % x", rest[:min(8, len(rest))])}
		}
		return false
	}
	if how != nil && c.content.inside {
		*st = step{used: st.used, kind: Unsupported, err: errNested(how.name, c.content.name)}
		return false
	}
	if zeros > 0 && !isPadding(zeros, c.base+int64(start)) {
		c.trifle(fmt.Errorf("%d zero bytes between two captures", zeros))
	}
	if how != nil {
		*st = step{used: start, packed: how}
		return false
	}
	form, hs := recogniseIn(rest, end, &c.seen)
	if hs.err != nil {
		*st = step{used: start, kind: hs.kind, err: hs.err}
		return false
	}
	c.keepInfo()
	c.format, c.begun = form, c.base+int64(start)
	*st = step{used: start + hs.used}
	return true
}

// keepInfo notes what the current format tells of a capture that has ended.
func (c *Capture) keepInfo() {
	c.joins++
	i := c.describe()
	c.joined = &i
}

// unpackRest goes on with a compressed stream of which rest was read as a plain
// capture.
func (c *Capture) unpackRest(st *step, rest []byte) error {
	how := st.packed
	*st = step{used: st.used}
	c.content.file.unread(c.in.ahead)
	c.in.ahead, c.in.err = nil, nil
	return c.content.switchTo(how, rest)
}

// begins tells whether a capture of a format with a magic number begins at the
// front of head, where no record does.
func begins(head []byte) bool {
	if order, _, ok := isPcap(head); ok {
		return len(head) < pcapHeader || knownPcap(head, order)
	}
	if bytes.HasPrefix(head, []byte(snoopMagic)) {
		return len(head) < snoopHeader || binary.BigEndian.Uint32(head[8:]) == 2
	}
	return isPcapng(head)
}

// knownPcap tells whether the header of a pcap has a version that is read.
func knownPcap(head []byte, order binary.ByteOrder) bool {
	major, minor := order.Uint16(head[4:]), order.Uint16(head[6:])
	return major == 2 || major == 543 && minor == 0
}

// beginsForSure is begins where a record may begin as well: the magic number
// and the version of pcap are its time, and time zone and accuracy are its
// lengths. Those have to be what writers write; or no record may follow one
// without bytes, because the seconds of the capture's first record would be its
// capture length.
func beginsForSure(head []byte) bool {
	order, _, ok := isPcap(head)
	if !ok || len(head) < pcapHeader {
		return begins(head)
	}
	minor, zone, figures := order.Uint16(head[6:]), int32(order.Uint32(head[8:])), order.Uint32(head[12:])
	if !knownPcap(head, order) || minor > 5 {
		return false
	}
	if zone >= -14*3600 && zone <= 14*3600 && figures <= 9 {
		return true
	}
	return zone == 0 && len(head) >= pcapHeader+4 &&
		min(binary.LittleEndian.Uint32(head[pcapHeader:]), binary.BigEndian.Uint32(head[pcapHeader:])) > maxRecord
}

// looksLikeJoin tells whether another capture, or a compressed stream with one
// inside, begins at the front of head, where a record of the current format may
// begin as well: record says that it looks like one. whole says that nothing
// follows head. Requires: joinSniff bytes of head, or whole.
func (t *tally) looksLikeJoin(head []byte, record, whole bool) bool {
	how := compressionOf(head)
	switch {
	case !record:
		return how != nil || begins(head)
	case how == nil:
		return beginsForSure(head)
	}
	if t.trials++; t.trials > mostTrials {
		return false
	}
	return holdsCapture(how, head, whole)
}

// holdsCapture tells whether head, the front of a compressed stream, unpacks to
// the front of a capture, as far as it goes.
func holdsCapture(how *compression, head []byte, whole bool) bool {
	head = head[:min(len(head), mostTrial)]
	u, err := how.open(bufio.NewReaderSize(bytes.NewReader(head), len(head)+1), new(source), Options{Spare: new(Spare), Memory: trialMemory})
	if err != nil {
		return false
	}
	if u.close != nil {
		defer u.close()
	}
	in := stream{r: u.r}
	front := in.peek(sniffBytes)
	if len(front) == 0 {
		tooLarge := errors.Is(in.err, errNoMemory) || !whole && errors.Is(in.err, io.ErrUnexpectedEOF)
		return tooLarge // its window, or its first block
	}
	return begins(front) || isErf(front)
}
