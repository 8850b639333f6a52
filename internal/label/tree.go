package label

import "math/bits"

// A part is a part of a tree: the rules from at on, n of them in ascending
// order of their numbers, or the node at, where n is 0. first is the smallest
// number in it, none if it is empty.
type part struct{ first, at, n uint32 }

// A field is what a node looks at.
type field uint8

const (
	fieldSrc field = iota // the first bits of the address
	fieldDst
	fieldSrcPort
	fieldDstPort
	fieldProtocol
	fieldCapture // its name
	fieldTime
)

// A split is how a node divides its rules.
type split struct {
	center int64 // of fieldTime
	field  field
	bits   uint8 // of fieldSrc and fieldDst
}

// A node has in rest the rules that leave its field open, and in a hash table
// of slots those that do not. A node of times has in rest the rules whose time
// contains the center, in its first slot those that end before it and in its
// second one those that begin after it.
type node struct {
	split
	rest part
	// The table is slots[at:][:mask+1].
	at, mask uint32
}

// A slot of a table is empty where part is. Two values of one table can have
// the same check: then both are searched, since leaves compare everything.
type slot struct {
	check uint32
	part  part
}

// hash mixes a value of a field; a product of 128 bits, folded, as in
// flow.Key.Hash. The seed is drawn per set so that nobody can prepare values
// that collide.
func (a address) hash(seed uint64) uint64 {
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
	case fieldSrcPort:
		return address{high: uint64(q.srcPort)}
	case fieldDstPort:
		return address{high: uint64(q.dstPort)}
	case fieldProtocol:
		return address{high: uint64(q.protocol)}
	default:
		return address{high: uint64(q.capture.name)}
	}
}

// of returns what r asks for in the field of s, and false if r belongs into
// node.rest. For times the value is the slot.
func (s *split) of(r *rule) (v address, ok bool) {
	switch s.field {
	case fieldSrc:
		return r.src.prefix(s.bits), r.srcBits >= s.bits
	case fieldDst:
		return r.dst.prefix(s.bits), r.dstBits >= s.bits
	case fieldSrcPort:
		return address{high: uint64(r.srcPort)}, r.fields&hasSrcPort != 0
	case fieldDstPort:
		return address{high: uint64(r.dstPort)}, r.fields&hasDstPort != 0
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

// search sets q.best to the number of the first rule in p that matches q, if
// it is smaller. Requires: all rules in p are of the version of q, or of any.
func (s *Set) search(p part, q *query) {
	for p.first < q.best {
		if p.n > 0 {
			s.scan(p, q)
			return
		}
		n := &s.nodes[p.at]
		if n.field == fieldTime {
			if q.first < n.center {
				s.search(s.slots[n.at].part, q)
			}
			if q.last > n.center {
				s.search(s.slots[n.at+1].part, q)
			}
		} else {
			s.lookUp(n, q)
		}
		p = n.rest
	}
}

func (s *Set) lookUp(n *node, q *query) {
	table := s.slots[n.at:][:n.mask+1]
	v := n.value(q)
	h := v.hash(s.seed)
	for i := uint32(h) & n.mask; table[i].part.first != none; i = (i + 1) & n.mask {
		if table[i].check == uint32(h>>32) {
			s.search(table[i].part, q)
		}
	}
}

func (s *Set) scan(p part, q *query) {
	for i := p.at; i < p.at+p.n; i++ {
		r := s.rules.at(i)
		if r.number >= q.best {
			return
		}
		if r.matches(q) {
			q.best = r.number
			return
		}
	}
}
