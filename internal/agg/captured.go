package agg

import "encoding/binary"

// This file tells the sessions of captures apart, with Options.Captures. A
// capture has a number, its place in capture order. Parts of a session are only
// joined within one capture, so tables of different captures have no session in
// common, whatever the keys, and putting them together (Gather) looks nothing
// up.

// captured is of which captures the sessions of a table are.
type captured struct {
	capture  uint32       // of all sessions, unless gathered
	gathered bool         // captures has the number of each session
	captures twin[uint32] // parallel to the sessions
}

// SetCapture says that all sessions of t are of a capture, by its number.
// Requires: Options.Captures; nothing was gathered into t.
func (t *Table) SetCapture(number uint32) { t.capture = number }

// captureOf returns the number of the capture of session i.
func (t *Table) captureOf(i uint32) uint32 {
	if t.gathered {
		return *t.captures.at(i, sessionShift)
	}
	return t.capture
}

// Gather adds the sessions of o, which are of later captures than those of t.
// Afterwards t takes no packets and is no more merged or reset: only rows and
// encodings are made of it, and more is gathered. o is left as it was.
//
// Requires: both tables have the same options, with Captures.
func (t *Table) Gather(o *Table) {
	if !t.gathered {
		t.gathered = true
		t.coverCaptures(t.sessions.n)
		for i := range t.sessions.n {
			*t.captures.at(i, sessionShift) = t.capture
		}
	}
	t.coverCaptures(t.sessions.n + o.sessions.n)
	for n := range o.sessions.n {
		t.coverSessions(1)
		i := t.sessions.add(1, sessionShift)
		*t.captures.at(i, sessionShift) = o.captureOf(n)
		t.adopt(sessionRef{t, t.session(i), i}, sessionRef{o, o.session(n), n})
	}
	t.newest = max(t.newest, o.newest)
	t.reordered += o.reordered
}

// coverCaptures makes the list long enough for n sessions.
func (t *Table) coverCaptures(n uint32) {
	t.captures.cover(&t.arena, (int(n)+1<<sessionShift-1)>>sessionShift, sessionShift)
}

// AppendCaptured appends an encoding to dst, made without Options.Captures, as
// it is with them, of the capture of the given number. An error, which wraps
// ErrCodec, says that the encoding has a number already.
func AppendCaptured(dst, encoding []byte, number uint32) ([]byte, error) {
	d := decoder{data: encoding}
	flags := d.byte()
	if flags&codecCapture != 0 {
		d.fail("a session that has a capture number already")
	}
	if d.err != nil {
		return dst, d.err
	}
	dst = append(dst, flags|codecCapture)
	dst = binary.AppendUvarint(dst, uint64(number))
	return append(dst, d.data...), nil
}

// CaptureOf returns the number of the capture at the front of an encoding, and
// false where it has none.
func CaptureOf(data []byte) (number uint32, ok bool) {
	d := decoder{data: data}
	if d.byte()&codecCapture == 0 {
		return 0, false
	}
	number = d.uint32()
	return number, d.err == nil
}
