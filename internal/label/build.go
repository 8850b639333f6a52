package label

import (
	"cmp"
	"iter"
	"math/rand/v2"
	"slices"
)

const (
	// leafEntries is the number of entries that are scanned rather than
	// divided.
	leafEntries = 48
	// samples is how many entries of a part choose looks at.
	samples = 256
	// leastGain: a node whose largest part, or whose expected part, has more
	// of its entries than this is not worth making. It also bounds the depth
	// of the tree, to 165 for 2^25 entries, and the time to build it.
	leastGain = 0.9
	// leastBand is the number of rules for which a tree of their own pays.
	leastBand = 256
	// leastRoom is the number of entries that a tree may always have more of
	// than rules ask for; they take half a megabyte.
	leastRoom = 1 << 14
	// mostKeys are kept from one part to the next: 1 MiB.
	mostKeys = 1 << 16
)

// builder makes the tree of a set.
type builder struct {
	*Set
	keys   []keyed
	sample []sampled
	hashes []uint64
}

type keyed struct {
	hash  uint64
	entry entry
}

// build makes the trees of s. The first rules are in small trees of their own:
// a rule that many sessions match is mostly among them, and then the others
// need no look.
func build(s *Set) {
	b := builder{Set: s}
	s.seed = rand.Uint64()
	n := s.rules.n
	s.setTicks()
	// Most sets keep within this room. What is not used of it is never touched,
	// so it takes no memory.
	s.leaves = make([]leafEntry, 0, 2*n+n/2)
	s.screens = make([]screen, 0, 2*n+n/2)
	from := uint32(0)
	for _, to := range []uint32{n / 64, n / 8, n} {
		if to-from < leastBand && to < n {
			continue
		}
		room := max(n/2, leastRoom)
		if to == n {
			room += 2 * (n - from)
		}
		s.bands = append(s.bands, b.band(from, to, int(room)))
		from = to
	}
	s.nodes = slices.Clip(s.nodes)
	s.slots = slices.Clip(s.slots)
}

// band makes the tree of the rules from up to to, with at most about room
// entries.
func (b *builder) band(from, to uint32, room int) (made band) {
	var lists [len(made.roots)][]entry
	var counts [len(made.roots)]int
	all := 0
	for i := from; i < to; i++ {
		counts[b.rules.at(i).fields&versionMask] += 2
	}
	for v, n := range counts {
		lists[v] = make([]entry, 0, n)
	}
	for i := from; i < to; i++ {
		r := b.rules.at(i)
		l := &lists[r.fields&versionMask]
		*l = append(*l, entry(i<<1))
		if !r.symmetric() {
			*l = append(*l, entry(i<<1|1))
		}
	}
	for _, l := range lists {
		all += len(l)
	}
	for v, l := range lists {
		if len(l) > 0 {
			made.roots[v] = b.part(l, room*len(l)/all)
		} else {
			made.roots[v] = part{first: none}
		}
	}
	return made
}

// part divides the entries of list, which are in ascending order. It reorders
// them. The part has at most about room entries, or those of list.
func (b *builder) part(list []entry, room int) part {
	switch {
	case len(list) == 0:
		return part{first: none}
	case len(list) <= leafEntries:
		return b.leaf(list)
	}
	best, expected := b.choose(list)
	if expected > leastGain {
		return b.leaf(list)
	}
	first := list[0].number()
	rest := b.divide(&best, list)
	n := node{split: best}
	lists, ok := b.table(&n, list, rest, room)
	if cap(b.keys) > mostKeys {
		b.keys = nil // parts need fewer
	}
	if !ok {
		slices.Sort(list)
		return b.leaf(list)
	}
	at := uint32(len(b.nodes))
	b.nodes = append(b.nodes, n)
	all := rest
	for _, l := range lists {
		all += len(l.list)
	}
	p := b.part(list[:rest:rest], rest*room/all)
	b.nodes[at].rest = p
	for _, l := range lists {
		p := b.part(l.list, len(l.list)*room/all)
		b.slots[l.slot].part = p
	}
	return part{first: first, at: at}
}

// leaf returns the part of the entries of list. An entry that asks for the
// same as one before it never is the first, so it is left out.
func (b *builder) leaf(list []entry) part {
	p := part{first: list[0].number(), at: uint32(len(b.leaves))}
	type content struct {
		rule
		swapped bool
	}
	var seen map[content]struct{}
	if len(list) > leafEntries {
		seen = make(map[content]struct{}, len(list))
	}
	for _, e := range list {
		c := content{*b.rules.at(e.number()), e.swapped()}
		if seen != nil {
			c.label = 0 // the first one's
			if _, ok := seen[c]; ok {
				continue
			}
			seen[c] = struct{}{}
		}
		b.leaves = append(b.leaves, leafEntry{e, b.tick(c.start), b.tick(c.end)})
		b.screens = append(b.screens, c.screen(c.swapped))
		p.n++
	}
	return p
}

// divide orders list by what the entries have in the field of s: first those
// that leave it open, up to the returned place, then those of each value, all
// in ascending order. b.keys then has the others and their hashes.
func (b *builder) divide(s *split, list []entry) (rest int) {
	b.keys = slices.Grow(b.keys[:0], len(list))
	for _, e := range list {
		v, ok := s.of(b.rules.at(e.number()), e.swapped())
		if !ok {
			list[rest] = e
			rest++
			continue
		}
		h := v.high // of times, the slot
		if s.field != fieldTime {
			h = s.key(v, b.seed)
		}
		b.keys = append(b.keys, keyed{h, e})
	}
	slices.SortFunc(b.keys, func(x, y keyed) int {
		return cmp.Or(cmp.Compare(x.hash, y.hash), cmp.Compare(x.entry, y.entry))
	})
	for i, k := range b.keys {
		list[rest+i] = k.entry
	}
	return rest
}

// A filled slot gets the part of list.
type filled struct {
	slot uint32
	list []entry
}

// table makes the table of n from b.keys, whose entries are list[rest:]. It
// reports false, and makes none, if one part has nearly all entries. It closes
// n if there is room for that.
func (b *builder) table(n *node, list []entry, rest, room int) (lists []filled, ok bool) {
	most := int(leastGain * float64(len(list)))
	largest, values := rest, 0
	for run := range b.runs() {
		largest = max(largest, len(run))
		values++
	}
	if largest > most {
		return nil, false
	}
	// At most three quarters of the slots are in use, and one is empty.
	n.at, n.size = uint32(len(b.slots)), 2
	if n.field != fieldTime {
		n.size = uint32(values + values/3 + 1)
	}
	for range n.size {
		b.slots = append(b.slots, slot{part: part{first: none}})
	}
	table := b.slots[n.at:]
	at := rest
	for run := range b.runs() {
		i := int(run[0].hash) // of times, the slot
		if n.field != fieldTime {
			i = place(run[0].hash, len(table))
		}
		for table[i].part.first != none {
			if i++; i == len(table) {
				i = 0
			}
		}
		table[i] = slot{uint32(run[0].hash >> 32), part{first: 0}}
		lists = append(lists, filled{n.at + uint32(i), list[at : at+len(run) : at+len(run)]})
		at += len(run)
	}
	b.close(n, lists, list[:rest], room, most)
	return lists, true
}

// close closes n, whose rest is given, if that leaves at most room entries in
// its parts, and at most most in one.
func (b *builder) close(n *node, lists []filled, rest []entry, room, most int) {
	if !n.exact() || n.field == fieldTime && len(lists) < 2 ||
		n.field <= fieldDst && len(lists)*len(rest) > 64*room {
		return
	}
	all := len(rest)
	add := make([]int, len(lists))
	for i, l := range lists {
		v, _ := n.of(b.rules.at(l.list[0].number()), l.list[0].swapped())
		if n.field > fieldDst {
			add[i] = len(rest)
		} else {
			for _, e := range rest {
				if n.open(b.rules.at(e.number()), e.swapped(), v) {
					add[i]++
				}
			}
		}
		all += len(l.list) + add[i]
		if all > room || len(l.list)+add[i] > most {
			return
		}
	}
	n.closed = true
	for i := range lists {
		l := &lists[i]
		v, _ := n.of(b.rules.at(l.list[0].number()), l.list[0].swapped())
		both := make([]entry, 0, len(l.list)+add[i])
		both = append(both, l.list...)
		for _, e := range rest {
			if n.open(b.rules.at(e.number()), e.swapped(), v) {
				both = append(both, e)
			}
		}
		slices.Sort(both)
		l.list = both
	}
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
