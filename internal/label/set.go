package label

import (
	"slices"
	"unsafe"

	"pcapbatch/internal/flow"
)

// A Set is the rules of one file. It does not change, so any number of
// goroutines may use it. It takes 100 to 180 bytes a rule: see Bytes.
type Set struct {
	rules    rules
	captures captures
	names    []string // the different labels, in the order of the file
	text     int      // bytes of the different labels and captures

	versions [2]lists // for IPv4 and for IPv6
	nodes    []node
	screens  []screen
	grids    []grid
	scales   [scales]*scale
	seed     uint64
}

// Len is the number of rules.
func (s *Set) Len() int { return int(s.rules.n) }

// Bytes is the memory that the set takes, with so many matchers.
func (s *Set) Bytes(matchers int) int64 {
	n := s.rules.bytes() + len(s.nodes)*int(unsafe.Sizeof(node{})) +
		len(s.screens)*int(unsafe.Sizeof(screen{})) + len(s.grids)*int(unsafe.Sizeof(grid{}))
	for i := range s.grids {
		g := &s.grids[i]
		n += 8*len(g.entries) + 8*len(g.rows) + 4*len(g.lines)
	}
	for i := range s.nodes {
		n += s.nodes[i].table.bytes()
	}
	for i := range s.versions {
		v := &s.versions[i]
		n += v.both.bytes() + len(v.both.levels) + v.one.bytes() + len(v.one.levels)
	}
	if len(s.grids) > 0 {
		n += scales * int(unsafe.Sizeof(scale{}))
	}
	const text = 64 // of a string besides its bytes, with an entry of a map
	n += 2*s.text + text*(len(s.names)+s.captures.len())
	n += matchers * (8*len(s.names) + s.Len()/8)
	return int64(n)
}

// NamesCaptures reports whether a rule names a capture.
func (s *Set) NamesCaptures() bool { return s.captures.len() > 0 }

// Match returns the label of the first rule in file order that matches a
// session, the line on which that rule begins (the header is line 1), and
// whether there is one. A rule matches if key does, as it is or with source and
// destination exchanged, and if a time from first to last, both inclusive and
// in ns since the epoch, is one of the rule's. capture is the session's, with
// Options.Captures; it is not kept. Match does not allocate unless rules have
// globs; a Matcher asks them once for each capture.
func (s *Set) Match(key *flow.Key, first, last int64, capture string) (label string, line int, ok bool) {
	var ids captureIDs
	if s.captures.len() > 0 {
		ids = s.captures.ids(capture)
	}
	q := s.find(key, first, last, ids)
	if q.best == none {
		return "", 0, false
	}
	return s.names[s.rules.at(q.found).label], int(q.best), true
}

// find finds the first rule that matches.
func (s *Set) find(key *flow.Key, first, last int64, ids captureIDs) query {
	q := s.query(key, first, last, ids)
	s.searchLists(&s.versions[versionOf(key)], &q)
	return q
}

// A Matcher matches sessions as Set.Match does, and counts them. It belongs to
// one goroutine. It takes a bit for each rule and 8 bytes for each label.
type Matcher struct {
	set      *Set
	captures captureCache
	sessions []uint64        // by label, in set.names
	others   uint64          // sessions that no rule matches
	used     [kinds][]uint64 // a bit for each rule: it gave a session its label
}

// Matcher returns a matcher that has counted nothing.
func (s *Set) Matcher() *Matcher {
	m := &Matcher{set: s, sessions: make([]uint64, len(s.names))}
	for kind := range m.used {
		m.used[kind] = make([]uint64, (s.rules.kinds[kind].n+63)/64)
	}
	return m
}

// Match returns the label of the first rule that matches, as Set.Match does.
// It does not allocate but for captures that it has not seen.
func (m *Matcher) Match(key *flow.Key, first, last int64, capture string) (label string, ok bool) {
	q := m.set.find(key, first, last, m.captures.find(&m.set.captures, capture))
	if q.best == none {
		m.others++
		return "", false
	}
	n := m.set.rules.at(q.found).label
	m.sessions[n]++
	number := q.found % (1 << kindBits)
	m.used[q.found>>kindBits][number/64] |= 1 << (number % 64)
	return m.set.names[n], true
}

// Add adds what o has counted. Requires: o is a matcher of the same Set.
func (m *Matcher) Add(o *Matcher) {
	m.others += o.others
	for i, n := range o.sessions {
		m.sessions[i] += n
	}
	for kind := range m.used {
		for i, bits := range o.used[kind] {
			m.used[kind][i] |= bits
		}
	}
}

// A Count is the number of sessions that rules gave a label.
type Count struct {
	Label    string
	Sessions uint64
}

// Counts returns the sessions by label, in the order in which the file first
// has the labels, those without sessions too, and the number of sessions that
// no rule matches.
func (m *Matcher) Counts() (counts []Count, unmatched uint64) {
	for i, name := range m.set.names {
		counts = append(counts, Count{name, m.sessions[i]})
	}
	return counts, m.others
}

// Unused returns how many rules gave no session its label, since they match
// none or only such that a rule before them matches, and the lines on which the
// first of them begin, at most the given number.
func (m *Matcher) Unused(most int) (rules int, lines []int) {
	for kind := range m.used {
		for p := range m.set.rules.places(kind) {
			number := p % (1 << kindBits)
			if m.used[kind][number/64]&(1<<(number%64)) != 0 {
				continue
			}
			rules++
			line := int(m.set.rules.line(p))
			at, _ := slices.BinarySearch(lines, line)
			if at < most {
				lines = slices.Insert(lines, at, line)
				lines = lines[:min(len(lines), most)]
			}
		}
	}
	return rules, lines
}
