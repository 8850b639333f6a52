package label

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"

	"pcapbatch/internal/flow"
)

const (
	// mostEntries is the number of entries of a leaf above which they are
	// divided.
	mostEntries = 512
	// leastHead and mostHead are how many times as many entries are in the
	// first and in the last of the heads that a list may have.
	leastHead, mostHead = 8, 64
	// samples is how many entries of a part choose looks at.
	samples = 256
	// leastGain: a node whose largest part, or whose expected part, has more
	// of its entries than this is not worth making. It also bounds the depth
	// of the tree, to 165 for 2^25 entries, and the time to build it.
	leastGain = 0.9
	// mostRepeated is how many entries there may be for each rule.
	mostRepeated = 3
	// leastRoom is the number of entries that a tree may always have more of
	// than rules ask for; they take half a megabyte.
	leastRoom = 1 << 14
	// mostKeys are kept from one part to the next: 1 MiB.
	mostKeys = 1 << 16
)

// builder makes the trees of a set.
type builder struct {
	*Set
	keys   []keyed
	list   []entry
	sample []sampled
	hashes []uint64
	most   int // entries of a leaf, unless nothing divides them
	all    int // entries, before any is repeated
	room   int // for entries, with those that are
}

type keyed struct {
	hash  uint64
	entry entry
}

// build makes what finds the rules of s. Lists of more than most entries are
// divided.
func build(s *Set, most int) {
	b := builder{Set: s, most: most}
	s.seed = rand.Uint64()
	s.setScales()
	var counts [len(s.versions)][kinds]int
	for version := range s.versions {
		for kind := range kinds {
			for range s.entriesOf(kind, version) {
				counts[version][kind]++
			}
			b.all += counts[version][kind]
		}
	}
	b.room = max(mostRepeated*int(s.rules.n), b.all+leastRoom)
	// Most sets keep within this room. What is not used of it is never touched,
	// so it takes no memory.
	s.screens = make([]screen, 0, b.all)
	for version := range s.versions {
		v, n := &s.versions[version], &counts[version]
		list := make([]entry, 0, n[0])
		v.none = b.heads(slices.AppendSeq(list, s.entriesOf(0, version)), version, leastHead*most)
		v.one = b.byPorts(1, version, n[1])
		v.both = b.byPorts(2, version, n[2])
	}
}

// share returns how many entries a tree of n may have.
func (b *builder) share(n int) int { return n * b.room / max(b.all, 1) }

// heads makes the part of a whole list of ports. Where the first entries of a
// long one match many sessions, they have leaves of their own, each of eight
// times the length of the one before: then few sessions need look into the rest.
func (b *builder) heads(list []entry, version, head int) part {
	if len(list) <= b.most || head > mostHead*b.most {
		return b.part(list, b.share(len(list)))
	}
	n := min(head, len(list))
	grids, screens := len(b.grids), len(b.screens)
	p := b.leaf(b.different(slices.Clone(list[:n])))
	switch {
	case !b.general(p, list, version):
		b.grids, b.screens = b.grids[:grids], b.screens[:screens]
		return b.part(list, b.share(len(list)))
	case n == len(list):
		return p
	}
	at := len(b.nodes)
	b.nodes = append(b.nodes, node{split: split{field: fieldLine}, table: table{{part: p}}})
	b.nodes[at].rest = b.heads(list[n:], version, 8*head)
	return part{first: p.first, at: uint32(at)}
}

// general reports whether p, a part of list, has a match for half of the
// sessions. These are made for some rules of list, of which p may have other ones.
func (b *builder) general(p part, list []entry, version int) bool {
	const tries = 64
	random := rand.New(rand.NewPCG(b.seed, 1))
	matched := 0
	for i := range tries {
		e := list[i*len(list)/tries]
		r := b.rules.at(e.place())
		var key flow.Key
		key.Version, key.Protocol = [...]uint8{4, 6}[version], r.protocol
		for at, a := range [...]address{r.src, r.dst} {
			n := [...]uint8{r.srcBits, r.dstBits}[at]
			host := address{random.Uint64(), random.Uint64()}
			fixed := host.prefix(n)
			a.high |= host.high &^ fixed.high
			a.low |= host.low &^ fixed.low
			to := [...]*[16]byte{&key.Src, &key.Dst}[at]
			binary.BigEndian.PutUint64(to[:8], a.high)
			if version == 1 {
				binary.BigEndian.PutUint64(to[8:], a.low)
			} else {
				clear(to[4:])
			}
		}
		time := r.start
		if time == math.MinInt64 && r.end != math.MaxInt64 {
			time = r.end
		}
		q := b.query(&key, time, time, captureIDs{name: r.capture})
		if e.swapped() {
			q.reverse()
		}
		if b.search(p, &q); q.best != none && q.found != e.place() {
			matched++
		}
	}
	return matched >= tries/2
}

// part divides the entries of list, which are in ascending order. It reorders
// them. The part has at most about room entries, or those of list.
func (b *builder) part(list []entry, room int) part {
	switch {
	case len(list) == 0:
		return part{first: none}
	case len(list) <= b.most:
		return b.leaf(list)
	}
	best, expected := b.choose(list)
	if expected > leastGain {
		return b.leaf(b.different(list))
	}
	first := b.rules.line(list[0].place())
	rest := b.divide(&best, list)
	n := node{split: best}
	lists, ok := b.table(&n, list, rest, room)
	if cap(b.keys) > mostKeys {
		b.keys = nil // parts need fewer
	}
	if !ok {
		slices.Sort(list)
		return b.leaf(b.different(list))
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
		b.nodes[at].table[l.slot].part = p
	}
	return part{first: first, at: at}
}

// leaf returns the part of the entries of list.
func (b *builder) leaf(list []entry) part {
	p := part{first: b.rules.line(list[0].place()), n: uint32(len(list))}
	switch {
	case len(list) == 1:
		p.at = uint32(list[0])
	case len(list) > mostScreens:
		p.at = b.grid(list)
	default:
		p.at = uint32(len(b.screens))
		for _, e := range list {
			b.screens = append(b.screens, b.screen(e))
		}
	}
	return p
}

// different returns the entries of list but those that ask for the same as one
// before, and so are never the first that matches.
func (b *builder) different(list []entry) []entry {
	type content struct {
		rule
		swapped bool
	}
	seen := make(map[content]struct{})
	return slices.DeleteFunc(list, func(e entry) bool {
		c := content{*b.rules.at(e.place()), e.swapped()}
		c.label = 0 // the first one's
		_, ok := seen[c]
		seen[c] = struct{}{}
		return ok
	})
}

// divide orders list by what the entries have in the field of s: first those
// that leave it open, up to the returned place, then those of each value, all
// in ascending order. b.keys then has the others and their hashes.
func (b *builder) divide(s *split, list []entry) (rest int) {
	b.keys = slices.Grow(b.keys[:0], len(list))
	for _, e := range list {
		v, ok := s.of(b.rules.at(e.place()), e.swapped())
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
	sortKeys(b.keys)
	for i, k := range b.keys {
		list[rest+i] = k.entry
	}
	return rest
}

// A filled slot gets the part of list.
type filled struct {
	slot int
	list []entry
}

// table makes the table of n from b.keys, whose entries are list[rest:]. It
// reports false, and makes none, if one part has nearly all entries. It closes
// n if there is room for that.
func (b *builder) table(n *node, list []entry, rest, room int) (lists []filled, ok bool) {
	most := int(leastGain * float64(len(list)))
	largest := rest
	for run := range runs(b.keys) {
		largest = max(largest, len(run))
	}
	if largest > most {
		return nil, false
	}
	if n.table = newTable(b.keys); n.field == fieldTime {
		n.table = slices.Repeat(table{{part: part{first: none}}}, 2)
	}
	at := rest
	for run := range runs(b.keys) {
		i := int(run[0].hash) // of times
		if n.field != fieldTime {
			i = n.table.vacant(run[0].hash)
		}
		n.table[i] = slot{uint32(run[0].hash >> 32), part{first: 0}}
		lists = append(lists, filled{i, list[at : at+len(run) : at+len(run)]})
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
		v, _ := n.of(b.rules.at(l.list[0].place()), l.list[0].swapped())
		if n.field > fieldDst {
			add[i] = len(rest)
		} else {
			for _, e := range rest {
				if n.open(b.rules.at(e.place()), e.swapped(), v) {
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
		v, _ := n.of(b.rules.at(l.list[0].place()), l.list[0].swapped())
		both := make([]entry, 0, len(l.list)+add[i])
		both = append(both, l.list...)
		for _, e := range rest {
			if n.open(b.rules.at(e.place()), e.swapped(), v) {
				both = append(both, e)
			}
		}
		slices.Sort(both)
		l.list = both
	}
}
