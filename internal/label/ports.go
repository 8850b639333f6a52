package label

import (
	"cmp"
	"iter"
	"math"
	"math/bits"
	"slices"
)

// lists are all entries that can match sessions of one version of addresses, by
// the ports that they ask for.
type lists struct {
	both portTable // by both ports, of which the source's is not the greater one
	one  portTable // by the port of the source; these leave that of the destination open
	none part      // these leave both ports open
}

// A portTable has a part for each value of ports. Its slots are many, and most
// sessions find nothing there that stands before what they have found already.
// So levels says, with a byte for every two slots, when a look at them cannot
// pay: what begins there stands on line 1 << (level - 1) or after it.
type portTable struct {
	table
	levels []uint8
}

func level(line uint32) uint8 { return uint8(bits.Len32(line)) }

// portKey is the key of ports in a table.
func (s *Set) portKey(src, dst uint16) uint64 {
	v := address{high: uint64(src)<<16 | uint64(dst)}
	return v.high<<32 | v.mix(s.seed)&math.MaxUint32
}

// searchLists searches l. It may exchange source and destination of q.
func (s *Set) searchLists(l *lists, q *query) {
	if q.srcPort > q.dstPort {
		q.reverse()
	}
	// All levels are asked for before one is needed, so that the cache misses
	// once instead of three times in turn.
	both := l.both.probe(s.portKey(q.srcPort, q.dstPort))
	src := l.one.probe(s.portKey(q.srcPort, 0))
	dst := l.one.probe(s.portKey(q.dstPort, 0))
	s.search(l.none, q)
	s.searchPorts(&l.both, both, q)
	s.searchPorts(&l.one, src, q)
	q.reverse()
	s.searchPorts(&l.one, dst, q)
}

// A probe is a key, where it is looked for, and the level there.
type probe struct {
	key   uint64
	at    int
	level uint8
}

func (t *portTable) probe(key uint64) probe {
	if len(t.table) == 0 {
		return probe{level: level(none) + 1}
	}
	i := place(key, len(t.table))
	return probe{key, i, t.levels[i/2]}
}

// searchPorts searches the part that t has for what p looks for.
func (s *Set) searchPorts(t *portTable, p probe, q *query) {
	if p.level > level(q.best) {
		return
	}
	for i := p.at; t.table[i].part.first != none; {
		if t.table[i].check == uint32(p.key>>32) {
			s.search(t.table[i].part, q)
			return
		}
		if i++; i == len(t.table) {
			i = 0
		}
	}
}

// entriesOf yields the entries that sessions of a version need of the rules of
// a kind, in the order of the file. Where ports tell the directions apart, a rule
// has one entry.
func (s *Set) entriesOf(kind, version int) iter.Seq[entry] {
	return func(yield func(entry) bool) {
		for p := range s.rules.places(kind) {
			r := s.rules.at(p)
			if v := r.fields & versionMask; v != versionAny && versionScale(v) != version {
				continue
			}
			asIs, swapped := true, !r.symmetric()
			switch {
			case kind == 1:
				asIs = r.fields&hasSrcPort != 0
				swapped = !asIs
			case kind == 2 && r.srcPort != r.dstPort:
				asIs = r.srcPort < r.dstPort
				swapped = !asIs
			}
			if asIs && !yield(entry(p<<1)) || swapped && !yield(entry(p<<1|1)) {
				return
			}
		}
	}
}

// byPorts makes the table of the entries of a kind, of which there are n.
func (b *builder) byPorts(kind, version, n int) (t portTable) {
	if n == 0 {
		return t
	}
	keys := make([]keyed, 0, n)
	for e := range b.entriesOf(kind, version) {
		r := b.rules.at(e.place())
		src, dst := r.srcPort, r.dstPort
		if e.swapped() {
			src, dst = dst, src
		}
		if kind == 1 {
			dst = 0
		}
		keys = append(keys, keyed{b.portKey(src, dst), e})
	}
	sortKeys(keys)
	t.table = newTable(keys)
	t.levels = slices.Repeat([]uint8{level(none) + 1}, len(t.table)/2+1)
	for run := range runs(keys) {
		b.list = b.list[:0]
		for _, k := range run {
			b.list = append(b.list, k.entry)
		}
		p := b.heads(b.list, version, leastHead*b.most)
		t.table[t.vacant(run[0].hash)] = slot{uint32(run[0].hash >> 32), p}
		l := &t.levels[place(run[0].hash, len(t.table))/2]
		*l = min(*l, level(p.first))
	}
	return t
}

func sortKeys(keys []keyed) {
	slices.SortFunc(keys, func(x, y keyed) int {
		return cmp.Or(cmp.Compare(x.hash, y.hash), cmp.Compare(x.entry, y.entry))
	})
}

// runs yields the keys of equal hash, which are neighbours.
func runs(keys []keyed) iter.Seq[[]keyed] {
	return func(yield func([]keyed) bool) {
		for i, j := 0, 0; i < len(keys); i = j {
			for j = i + 1; j < len(keys) && keys[j].hash == keys[i].hash; j++ {
			}
			if !yield(keys[i:j]) {
				return
			}
		}
	}
}
