package label

import (
	"math"
	"math/bits"
	"slices"
	"unsafe"
)

// A part is a part of a tree. Where n is 0, it is the node at, otherwise a leaf
// of n entries: the entry at, the screens from at on, or the grid at. first is
// the line of the first rule in it, none if it is empty.
type part struct{ first, at, n uint32 }

// A field is what a node looks at.
type field uint8

const (
	fieldSrc field = iota // the first bits of the address
	fieldDst              // swapped, each of a pair becomes the other
	fieldProtocol
	fieldCapture // its name
	fieldTime
	fieldLine // the rules of the table's one slot stand before those in rest
)

// A split is how a node divides its rules.
type split struct {
	center int64 // of fieldTime
	field  field
	bits   uint8 // of fieldSrc and fieldDst
}

// A node has in rest the entries that leave its field open, and in a table
// those that do not. A node of times has in rest those whose time
// contains the center, in its first slot those that end before it and in its
// second one those that begin after it. In a closed node what is in rest is also
// in every slot for whose value it can match, so one of them is enough.
type node struct {
	split
	closed bool
	rest   part
	table
}

// A table is a hash table. At least half of its slots are empty.
type table []slot

// A slot of a table is empty where part is. The check is the high half of a
// key. Where keys are not exact, two values of a table can have the same one:
// then both are searched, since leaves compare everything.
type slot struct {
	check uint32
	part  part
}

// exact reports whether a key has the whole value in its high half:
// protocols, captures, and prefixes of up to 32 bits.
func (s *split) exact() bool { return s.field > fieldDst || s.bits <= 32 }

// key returns the place of a value in a table, in its low half, and what slots
// keep of the value, in its high half. It mixes the value as flow.Key.Hash does,
// with a seed that is drawn per set, so that nobody can prepare values that
// collide.
func (s *split) key(v address, seed uint64) uint64 {
	if !s.exact() {
		return v.mix(seed)
	}
	if s.field <= fieldDst {
		v.high >>= 32
	}
	return v.high<<32 | v.mix(seed)&math.MaxUint32
}

// place returns where in a table of the given size the search for key begins.
func place(key uint64, size int) int { return int(key & math.MaxUint32 * uint64(size) >> 32) }

func (a address) mix(seed uint64) uint64 {
	high, low := bits.Mul64(a.high^seed, a.low^bits.RotateLeft64(seed, 32)^0xa0761d6478bd642f)
	high, low = bits.Mul64(high^low^seed, 0xe7037ed1a0b428db)
	return high ^ low
}

// value returns what q has in the field of s, as a rule's value does.
func (s *split) value(q *query) address {
	switch s.field {
	case fieldSrc:
		return q.src.prefix(s.bits)
	case fieldDst:
		return q.dst.prefix(s.bits)
	case fieldProtocol:
		return address{high: uint64(q.protocol)}
	default:
		return address{high: uint64(q.capture.name)}
	}
}

// of returns what r, or r swapped, asks for in the field of s, and false if it
// belongs into node.rest. For times the value is the slot.
func (s *split) of(r *rule, swapped bool) (v address, ok bool) {
	f := s.field
	if swapped && f < fieldProtocol {
		f ^= 1
	}
	switch f {
	case fieldSrc:
		return r.src.prefix(s.bits), r.srcBits >= s.bits
	case fieldDst:
		return r.dst.prefix(s.bits), r.dstBits >= s.bits
	case fieldProtocol:
		return address{high: uint64(r.protocol)}, r.fields&hasProto != 0
	case fieldCapture:
		return address{high: uint64(r.capture)}, isName(r.capture)
	}
	switch {
	case r.end < s.center:
		return address{high: 0}, true
	case r.start > s.center:
		return address{high: 1}, true
	}
	return address{}, false
}

// open reports whether r, or r swapped, which leaves the field of s open, can
// match where its value is v.
func (s *split) open(r *rule, swapped bool, v address) bool {
	switch {
	case s.field > fieldDst:
		return true
	case (s.field == fieldSrc) != swapped:
		return v.prefix(r.srcBits) == r.src
	}
	return v.prefix(r.dstBits) == r.dst
}

// search searches p for a rule that matches q, and stands before the one that
// is found already. Requires: all rules in p are of the version of q, or of any.
func (s *Set) search(p part, q *query) {
	for p.first < q.best {
		if p.n > 0 {
			s.scan(p, q)
			return
		}
		n := &s.nodes[p.at]
		found := false
		switch n.field {
		case fieldLine:
			s.search(n.table[0].part, q)
		case fieldTime:
			before, after := q.first < n.center, q.last > n.center
			if before {
				s.search(n.table[0].part, q)
			}
			if after {
				s.search(n.table[1].part, q)
			}
			found = before || after
		default:
			found = s.lookUp(n, q)
		}
		if found && n.closed {
			return
		}
		p = n.rest
	}
}

func (s *Set) lookUp(n *node, q *query) (found bool) {
	key := n.key(n.value(q), s.seed)
	for i := place(key, len(n.table)); n.table[i].part.first != none; {
		if n.table[i].check == uint32(key>>32) {
			s.search(n.table[i].part, q)
			found = true
		}
		if i++; i == len(n.table) {
			i = 0
		}
	}
	return found
}

// newTable makes an empty table for the keys, which are sorted.
func newTable(keys []keyed) table {
	values := 0
	for range runs(keys) {
		values++
	}
	return slices.Repeat(table{{part: part{first: none}}}, 2*values+1)
}

// vacant returns the number of the empty slot for a key.
func (t table) vacant(key uint64) int {
	i := place(key, len(t))
	for t[i].part.first != none {
		if i++; i == len(t) {
			i = 0
		}
	}
	return i
}

func (t table) bytes() int { return len(t) * int(unsafe.Sizeof(slot{})) }
