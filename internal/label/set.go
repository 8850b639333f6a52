package label

import (
	"unsafe"

	"pcapbatch/internal/flow"
)

// A Set is the rules of one file. It does not change, so any number of
// goroutines may use it. It takes about 160 bytes a rule: see Bytes.
type Set struct {
	rules    rules
	captures captures
	names    []string // the different labels, in the order of the file
	text     int      // bytes of the different labels and captures

	bands []band
	nodes []node
	slots []slot
	seed  uint64

	leaves  []leafEntry
	screens []screen // of the entries in leaves

	origin    int64 // the time of tick 0, ns since the epoch
	tickShift uint8 // a tick is 1 << tickShift ns
}

// A band is a tree of neighbouring rules, with a root for each version of
// addresses. All rules of a band stand before those of the next one.
type band struct{ roots [versionMask]part }

// Len is the number of rules.
func (s *Set) Len() int { return int(s.rules.n) }

// Bytes is the memory that the set takes, with so many matchers.
func (s *Set) Bytes(matchers int) int64 {
	n := len(s.rules.blocks)*int(unsafe.Sizeof(block{})) + len(s.nodes)*int(unsafe.Sizeof(node{})) +
		len(s.slots)*int(unsafe.Sizeof(slot{})) + len(s.leaves)*int(unsafe.Sizeof(leafEntry{})) + len(s.screens)*int(unsafe.Sizeof(screen{}))
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
	number := s.find(key, first, last, ids)
	if number == none {
		return "", 0, false
	}
	return s.names[s.rules.at(number).label], s.rules.line(number), true
}

// find returns the number of the first rule that matches, or none.
func (s *Set) find(key *flow.Key, first, last int64, ids captureIDs) uint32 {
	q := newQuery(key, first, last, ids)
	q.firstTick, q.lastTick = s.tick(first), s.tick(last)
	version := version4
	if key.Version == 6 {
		version = version6
	}
	for i := range s.bands {
		s.search(s.bands[i].roots[versionAny], &q)
		s.search(s.bands[i].roots[version], &q)
		if q.best != none {
			break
		}
	}
	return q.best
}

// A Matcher matches sessions as Set.Match does, and counts them. It belongs to
// one goroutine. It takes a bit for each rule and 8 bytes for each label.
type Matcher struct {
	set      *Set
	captures captureCache
	sessions []uint64 // by label, in set.names
	others   uint64   // sessions that no rule matches
	used     []uint64 // a bit for each rule: it gave a session its label
}

// Matcher returns a matcher that has counted nothing.
func (s *Set) Matcher() *Matcher {
	return &Matcher{set: s, sessions: make([]uint64, len(s.names)), used: make([]uint64, (s.Len()+63)/64)}
}

// Match returns the label of the first rule that matches, as Set.Match does.
// It does not allocate but for captures that it has not seen.
func (m *Matcher) Match(key *flow.Key, first, last int64, capture string) (label string, ok bool) {
	number := m.set.find(key, first, last, m.captures.find(&m.set.captures, capture))
	if number == none {
		m.others++
		return "", false
	}
	n := m.set.rules.at(number).label
	m.sessions[n]++
	m.used[number/64] |= 1 << (number % 64)
	return m.set.names[n], true
}

// Add adds what o has counted. Requires: o is a matcher of the same Set.
func (m *Matcher) Add(o *Matcher) {
	m.others += o.others
	for i, n := range o.sessions {
		m.sessions[i] += n
	}
	for i, bits := range o.used {
		m.used[i] |= bits
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
	for number := range m.set.Len() {
		if m.used[number/64]&(1<<(number%64)) != 0 {
			continue
		}
		if rules++; len(lines) < most {
			lines = append(lines, m.set.rules.line(uint32(number)))
		}
	}
	return rules, lines
}
