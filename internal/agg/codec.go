package agg

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
)

// CodecVersion is the version of the encoding that AppendSession writes and
// Absorb reads, together with those of all versions before. It belongs into the
// header of whatever stores sessions.
const CodecVersion = 2

// ErrCodec is what every error of Absorb wraps: the bytes are not a session.
var ErrCodec = errors.New("malformed session summary")

// Bits of an encoded session's first byte.
const (
	codecIPv6 = 1 << iota
	codecReversed
	codecOverlapped // written by earlier versions, of no meaning now
	codecVLAN
	codecLarge
	codecInexactGaps
	codecKeeps
	codecCapture // that was the last bit of the byte
)

// AppendSession appends the encoding of session i to dst:
//
//	flags byte, with codecCapture the number of the capture, source and
//	destination (4 or 16 bytes each), ports (2 x 2, big endian), protocol byte,
//	with codecVLAN the VLAN ids (2 x 2), with codecKeeps the table's Needs and
//	its Sequence;
//	first time (8, big endian), truncated packets, number of records n, then
//	n times gap, wire length, payload size, without the first gap;
//	with codecLarge: packets, truncated packets and idle ns folded away, then
//	per quantity sum, sum of squares (high, low), minimum, maximum, number
//	of centroids, and for each weight<<1|atom and sum;
//	with codecKeeps what appendBeside says.
//
// Numbers without a size are unsigned varints. The last time and the counts
// of values follow from the rest.
func (t *Table) AppendSession(dst []byte, i uint32) []byte {
	s := t.session(i)
	dst = t.appendKey(dst, s, i)
	dst = binary.BigEndian.AppendUint64(dst, uint64(s.first()))
	dst = binary.AppendUvarint(dst, uint64(s.truncated))
	dst = append(dst, s.fill)
	for j := range s.fill {
		r := t.recordAt(s, j)
		if j > 0 {
			dst = binary.AppendUvarint(dst, r.gap)
		}
		dst = binary.AppendUvarint(dst, uint64(r.wire))
		dst = binary.AppendUvarint(dst, uint64(r.payload))
	}
	if s.large != 0 {
		dst = appendLarge(dst, t.larges.at(s.large-1, largeShift))
	}
	if t.opt.keeps() {
		dst = t.appendBeside(dst, s, i)
	}
	return dst
}

// recordAt returns record j of s.
func (t *Table) recordAt(s *Session, j uint8) *record {
	if j < headRecords {
		return &s.head[j]
	}
	j -= headRecords
	return &t.records.block(s.block, s.state&classMask)[j/unitRecords][j%unitRecords]
}

func (t *Table) appendKey(dst []byte, s *Session, i uint32) []byte {
	k := &s.key
	flags := byte(0)
	size := 4
	if k.Version == 6 {
		flags |= codecIPv6
		size = 16
	}
	if s.state&reversed != 0 {
		flags |= codecReversed
	}
	if s.state&inexactGaps != 0 {
		flags |= codecInexactGaps
	}
	vlan := k.VLANOuter|k.VLANInner != 0
	if vlan {
		flags |= codecVLAN
	}
	if s.large != 0 {
		flags |= codecLarge
	}
	if t.opt.keeps() {
		flags |= codecKeeps
	}
	if t.opt.Captures {
		dst = append(dst, flags|codecCapture)
		dst = binary.AppendUvarint(dst, uint64(t.captureOf(i)))
	} else {
		dst = append(dst, flags)
	}
	dst = append(dst, k.Src[:size]...)
	dst = append(dst, k.Dst[:size]...)
	dst = binary.BigEndian.AppendUint16(dst, k.SrcPort)
	dst = binary.BigEndian.AppendUint16(dst, k.DstPort)
	dst = append(dst, k.Protocol)
	if vlan {
		dst = binary.BigEndian.AppendUint16(dst, k.VLANOuter)
		dst = binary.BigEndian.AppendUint16(dst, k.VLANInner)
	}
	if t.opt.keeps() {
		dst = appendKeeps(dst, &t.opt)
	}
	return dst
}

func appendLarge(dst []byte, l *large) []byte {
	for _, v := range [...]uint64{l.packets, l.truncated, l.idle} {
		dst = binary.AppendUvarint(dst, v)
	}
	for i := range metrics {
		m, d := &l.moments[i], &l.digests[i]
		for _, v := range [...]uint64{m.Sum, m.SqHi, m.SqLo, m.Min, m.Max, d.n} {
			dst = binary.AppendUvarint(dst, v)
		}
		for j := range d.list[:d.n] {
			dst = binary.AppendUvarint(dst, d.list[j].weightAtom)
			dst = binary.AppendUvarint(dst, d.list[j].sum)
		}
	}
	return dst
}

// Absorb decodes one session from the front of data, takes it as Merge takes
// a session of another table, and returns the bytes behind it. Whatever the
// bytes, it neither panics nor leaves t in a bad state: an error, which wraps
// ErrCodec, means that t was not changed.
//
// Requires: with Options.Captures, all that is absorbed since t was new or reset
// is of one capture.
func (t *Table) Absorb(data []byte) (rest []byte, err error) {
	if t.incoming == nil {
		t.incoming = NewTable(t.opt)
	}
	if rest, err = t.incoming.Load(data); err != nil {
		return nil, err
	}
	t.AbsorbLoaded(t.incoming)
	return rest, nil
}

// AbsorbLoaded takes the session that Load put into o, as Absorb takes an
// encoded one: for tables that differ in the feature groups and the length of
// sequences that they keep. Requires: o keeps at least what t keeps.
func (t *Table) AbsorbLoaded(o *Table) {
	s := o.session(0)
	t.capture = o.capture
	t.ensure(1)
	t.coverSessions(1)
	t.mergeSession(o, 0, uint32(s.key.Hash(t.opt.Seed)))
	t.newest = max(t.newest, s.last)
}

// Load makes the session at the front of data the only one of t, to be looked
// at as session 0, and returns the bytes behind it. Whatever the bytes, it does
// not panic; an error wraps ErrCodec.
//
// Requires: t is new, or was only loaded before.
func (t *Table) Load(data []byte) (rest []byte, err error) {
	t.sessions.reset()
	t.records.reset()
	t.larges.reset()
	t.coverSessions(1)
	d := decoder{data: data}
	i := t.sessions.add(1, sessionShift)
	d.session(t, t.session(i), i)
	return d.data, d.err
}

// A decoder takes an encoding apart. After an error it returns zeros.
type decoder struct {
	data []byte
	err  error
	// What the encoding says that it has besides the basic statistics.
	needs    Needs
	sequence int
	captured bool
	capture  uint32 // if captured, the number of its capture
}

func (d *decoder) fail(what string) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: %s", ErrCodec, what)
	}
	d.data = nil
}

func (d *decoder) bytes(n int) []byte {
	if len(d.data) < n {
		d.fail("cut short")
		return make([]byte, n)
	}
	b := d.data[:n]
	d.data = d.data[n:]
	return b
}

func (d *decoder) byte() byte { return d.bytes(1)[0] }

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.data)
	if n <= 0 {
		d.fail("bad number")
		return 0
	}
	d.data = d.data[n:]
	return v
}

func (d *decoder) uint32() uint32 {
	v := d.uvarint()
	if v > math.MaxUint32 {
		d.fail("number beyond 32 bits")
	}
	return uint32(v)
}

// session decodes into s, session i of o.
func (d *decoder) session(o *Table, s *Session, i uint32) {
	*s = Session{}
	flags := d.key(s)
	if d.needs != o.opt.Needs || d.sequence != o.opt.Sequence {
		d.fail("made for other feature groups")
		return
	}
	if d.captured != o.opt.Captures {
		d.fail("made with another session key")
		return
	}
	o.capture = d.capture
	if !d.records(o, s) {
		return
	}
	if flags&codecLarge != 0 {
		l := o.digestBlock(s)
		d.large(l)
		d.pass(s, l.moments[gapMetric].Sum)
		if s.fill < keptRecords {
			d.fail("folded packets behind an open head")
		}
		if l.truncated > l.packets+uint64(s.fill)-uint64(s.truncated) {
			d.fail("more truncated packets than packets")
		}
	}
	if d.err == nil && o.opt.keeps() {
		d.beside(o, s, i)
	}
}

// records decodes first time, truncated packets and records of s. It reports
// false where there is no going on.
func (d *decoder) records(o *Table, s *Session) bool {
	s.head[0].gap = binary.BigEndian.Uint64(d.bytes(8))
	s.last = s.first()
	truncated := d.uvarint()
	n := d.byte()
	if n == 0 || n > exactRecords {
		d.fail("bad number of records")
		return false
	}
	if truncated > uint64(n) {
		d.fail("more truncated packets than records")
		return false
	}
	s.truncated = uint16(truncated)
	for n > classRecords[s.state&classMask] {
		s.state++
	}
	if class := s.state & classMask; class > 0 {
		s.block = o.block(class)
	}
	s.fill = n
	for j := range n {
		r := o.recordAt(s, j)
		if j > 0 {
			r.gap = d.uvarint()
			d.pass(s, r.gap)
		}
		r.wire, r.payload = d.uint32(), d.uint32()
	}
	return true
}

// pass moves the clock of s on, within the range of int64.
func (d *decoder) pass(s *Session, gap uint64) {
	if gap > uint64(math.MaxInt64)-uint64(s.last) {
		d.fail("time out of range")
		return
	}
	s.last = int64(uint64(s.last) + gap)
}

func (d *decoder) key(s *Session) (flags byte) {
	flags = d.byte()
	if flags&codecCapture != 0 {
		d.captured, d.capture = true, d.uint32()
	}
	k := &s.key
	k.Version = 4
	size := 4
	if flags&codecIPv6 != 0 {
		k.Version, size = 6, 16
	}
	copy(k.Src[:], d.bytes(size))
	copy(k.Dst[:], d.bytes(size))
	k.SrcPort = binary.BigEndian.Uint16(d.bytes(2))
	k.DstPort = binary.BigEndian.Uint16(d.bytes(2))
	k.Protocol = d.byte()
	if flags&codecVLAN != 0 {
		k.VLANOuter = binary.BigEndian.Uint16(d.bytes(2))
		k.VLANInner = binary.BigEndian.Uint16(d.bytes(2))
	}
	if flags&codecReversed != 0 {
		s.state |= reversed
	}
	if flags&codecInexactGaps != 0 {
		s.state |= inexactGaps
	}
	if flags&codecKeeps != 0 {
		d.needs, d.sequence = d.keeps()
	}
	return flags
}

// maxPackets bounds the packets of one encoded session, so that no number
// derived from them overflows.
const maxPackets = 1 << 48

func (d *decoder) large(l *large) {
	l.packets, l.truncated, l.idle = d.uvarint(), d.uvarint(), d.uvarint()
	if l.packets > maxPackets {
		d.fail("too many packets")
	}
	for i := range metrics {
		m := &l.moments[i]
		m.N = l.packets
		m.Sum, m.SqHi, m.SqLo = d.uvarint(), d.uvarint(), d.uvarint()
		m.Min, m.Max = d.uvarint(), d.uvarint()
		d.digest(&l.digests[i], m)
		if m.contradict() || i != gapMetric && m.Max > math.MaxUint32 {
			d.fail("contradicting moments")
		}
	}
	if l.idle > l.moments[gapMetric].Sum {
		d.fail("more idle time than time")
	}
}

// digest decodes g's centroids and holds them against the moments.
func (d *decoder) digest(g *digest, m *Moments) { g.n = d.centroids(g.list[:], m) }

// centroids decodes into list, returns how many there are, and holds them
// against the moments of their values.
func (d *decoder) centroids(list []centroid, m *Moments) uint64 {
	n := d.uvarint()
	if n == 0 || n > uint64(len(list)) {
		d.fail("bad number of centroids")
		return 0
	}
	weight, sum, over := uint64(0), uint64(0), uint64(0)
	for i := range list[:n] {
		c := &list[i]
		c.weightAtom, c.sum = d.uvarint(), d.uvarint()
		if c.weight() == 0 || c.atom() && c.sum%c.weight() != 0 {
			d.fail("bad centroid")
			return 0
		}
		if i > 0 && list[i-1].compare(c) > 0 {
			d.fail("centroids out of order")
			return 0
		}
		var carry uint64
		weight, carry = bits.Add64(weight, c.weight(), 0)
		over += carry
		sum, carry = bits.Add64(sum, c.sum, 0)
		over += carry
	}
	least, most := atomOf(m.Min, 1), atomOf(m.Max, 1)
	if weight != m.N || sum != m.Sum || over != 0 || least.compare(&list[0]) > 0 || list[n-1].compare(&most) > 0 {
		d.fail("digest contradicts the moments")
	}
	return n
}

// centroidsOrNone is centroids where there may be no values.
func (d *decoder) centroidsOrNone(list []centroid, m *Moments) uint64 {
	if m.N == 0 {
		if d.uvarint() != 0 {
			d.fail("digest of no values")
		}
		return 0
	}
	return d.centroids(list, m)
}
