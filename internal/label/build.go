package label

import (
	"cmp"
	"iter"
	"math/bits"
	"math/rand/v2"
	"slices"
)

const (
	// leafRules is the number of rules that is scanned rather than divided.
	leafRules = 8
	// samples is how many rules of a part choose looks at.
	samples = 256
	// leastGain: a node whose largest part, or whose expected part, has more
	// of its rules than this is not worth making. It also bounds the depth of
	// the tree, to 160 for 2^24 rules, and the time to build it.
	leastGain = 0.9
)

// builder makes the tree of a set.
type builder struct {
	*Set
	order  []uint32 // numbers of rules, in the order of the leaves
	keys   []keyed
	sample []*rule
	hashes []uint64
}

type keyed struct {
	hash   uint64
	number uint32
}

// build divides the rules of s, which are in file order, into the parts of a
// tree.
func build(s *Set) {
	b := builder{Set: s, order: make([]uint32, s.rules.n)}
	s.seed = rand.Uint64()
	var size [versionMask + 1]uint32
	for i := range b.order {
		size[s.rules.at(uint32(i)).fields&versionMask]++
	}
	var from, to [versionMask + 1]uint32
	for v := 1; v < len(size); v++ {
		from[v] = from[v-1] + size[v-1]
	}
	to = from
	for i := range b.order {
		v := s.rules.at(uint32(i)).fields & versionMask
		b.order[to[v]] = uint32(i)
		to[v]++
	}
	for v := range s.roots {
		s.roots[v] = b.part(from[v], to[v])
	}
	s.nodes = slices.Clip(s.nodes)
	s.slots = slices.Clip(s.slots)
	s.rules.arrange(b.order)
}

// part divides the rules order[from:to], which are in file order.
func (b *builder) part(from, to uint32) part {
	switch {
	case from == to:
		return part{first: none}
	case to-from <= leafRules:
		return b.leaf(from, to)
	}
	best, expected := b.choose(from, to)
	if expected > leastGain {
		return b.leaf(from, to)
	}
	first := b.order[from]
	rest := b.divide(&best, from, to)
	n := node{split: best}
	if !b.table(&n, from, rest, to) {
		slices.Sort(b.order[from:to])
		return b.leaf(from, to)
	}
	at := uint32(len(b.nodes))
	b.nodes = append(b.nodes, n)
	p := b.part(from, rest)
	b.nodes[at].rest = p
	for i := n.at; i <= n.at+n.mask; i++ {
		if p := b.slots[i].part; p.n > 0 {
			p = b.part(p.at, p.at+p.n)
			b.slots[i].part = p
		}
	}
	return part{first: first, at: at}
}

// leaf returns the part of the rules order[from:to]. A rule that asks for the
// same as one before it never is the first, so it is left out: its place comes
// after the part.
func (b *builder) leaf(from, to uint32) part {
	p := part{first: b.order[from], at: from, n: to - from}
	if p.n <= leafRules {
		return p
	}
	seen := make(map[rule]struct{}, p.n)
	var left []uint32
	kept := from
	for _, number := range b.order[from:to] {
		r := *b.rules.at(number)
		r.number = 0
		if _, ok := seen[r]; ok {
			left = append(left, number)
			continue
		}
		seen[r] = struct{}{}
		b.order[kept] = number
		kept++
	}
	copy(b.order[kept:to], left)
	p.n = kept - from
	return p
}

// divide orders order[from:to] by what the rules have in the field of s: first
// those that leave it open, up to the returned place, then those of each value,
// all in file order. b.keys then has the others and their hashes.
func (b *builder) divide(s *split, from, to uint32) (rest uint32) {
	b.keys = b.keys[:0]
	rest = from
	for _, number := range b.order[from:to] {
		v, ok := s.of(b.rules.at(number))
		if !ok {
			b.order[rest] = number
			rest++
			continue
		}
		h := v.high // of times, the slot
		if s.field != fieldTime {
			h = v.hash(b.seed)
		}
		b.keys = append(b.keys, keyed{h, number})
	}
	slices.SortFunc(b.keys, func(x, y keyed) int {
		return cmp.Or(cmp.Compare(x.hash, y.hash), cmp.Compare(x.number, y.number))
	})
	for i, k := range b.keys {
		b.order[rest+uint32(i)] = k.number
	}
	return rest
}

// table makes the table of n from b.keys, whose rules are order[rest:to]. It
// reports false, and makes none, if one part has nearly all rules.
func (b *builder) table(n *node, from, rest, to uint32) bool {
	largest, values := rest-from, 0
	for run := range b.runs() {
		largest = max(largest, uint32(len(run)))
		values++
	}
	if float64(largest) > leastGain*float64(to-from) {
		return false
	}
	// At most two thirds of the slots are in use.
	size := uint32(2)
	if n.field != fieldTime {
		size = 1 << bits.Len(uint(values*3/2))
	}
	n.at, n.mask = uint32(len(b.slots)), size-1
	for range size {
		b.slots = append(b.slots, slot{part: part{first: none}})
	}
	table := b.slots[n.at:]
	for run := range b.runs() {
		i := uint32(run[0].hash) & n.mask
		for table[i].part.first != none {
			i = (i + 1) & n.mask
		}
		table[i] = slot{uint32(run[0].hash >> 32), part{run[0].number, rest, uint32(len(run))}}
		rest += uint32(len(run))
	}
	return true
}

// runs yields the keys of equal hash in b.keys, which are neighbours.
func (b *builder) runs() iter.Seq[[]keyed] {
	return func(yield func([]keyed) bool) {
		for i, j := 0, 0; i < len(b.keys); i = j {
			for j = i + 1; j < len(b.keys) && b.keys[j].hash == b.keys[i].hash; j++ {
			}
			if !yield(b.keys[i:j]) {
				return
			}
		}
	}
}
