package label

import (
	"encoding/binary"
	"iter"
	"math"
	"unsafe"

	"pcapbatch/internal/flow"
)

// An address is an IPv4 or IPv6 address as flow.Key has it, IPv4 in the highest
// 32 bits.
type address struct{ high, low uint64 }

func keyAddress(b *[16]byte) address {
	return address{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

// prefix returns a with all but its first n bits zero, 0 <= n <= 128.
func (a address) prefix(n uint8) address {
	// A shift by 64 bits or more gives 0.
	return address{a.high &^ (math.MaxUint64 >> n), a.low &^ (math.MaxUint64 >> (max(n, 64) - 64))}
}

// Bits of rule.fields: what the rule asks for besides addresses, times and
// captures. The two low bits are the version of its addresses.
const (
	versionAny uint8 = iota // the rule has no address
	version4
	version6
	versionMask uint8 = 3

	hasSrcPort uint8 = 1 << 2
	hasDstPort uint8 = 1 << 3
	hasProto   uint8 = 1 << 4
)

// A rule takes one cache line.
type rule struct {
	src, dst         address // zero beyond their lengths
	start, end       int64   // ns since the epoch; the extremes where there is none
	label            uint32  // in Set.names
	capture          uint32  // 0 for any, otherwise what captures.add gives
	srcPort, dstPort uint16
	srcBits, dstBits uint8 // prefix lengths; 0 for any address of the version
	protocol, fields uint8
}

// A query is a session, and what was found for it so far.
type query struct {
	src, dst         address
	first, last      int64
	srcPort, dstPort uint16
	protocol         uint8
	capture          captureIDs
	screen           uint64 // q.screened()
	// The ranks of src, dst, last and first: see grid.
	ranks [gridTime]uint16
	// The first rule that matches so far: its line, or none, and its place.
	best, found uint32
}

const none = math.MaxUint32

func (s *Set) query(key *flow.Key, first, last int64, capture captureIDs) query {
	q := query{
		src: keyAddress(&key.Src), dst: keyAddress(&key.Dst),
		srcPort: key.SrcPort, dstPort: key.DstPort, protocol: key.Protocol,
		first: first, last: last, capture: capture, best: none,
	}
	q.screen = q.screened()
	if len(s.grids) > 0 {
		q.ranks[gridSrc], q.ranks[gridDst], q.ranks[gridLast], q.ranks[gridFirst] =
			rank4(s.scales[versionOf(key)], s.scales[scaleTime], q.src.high, q.dst.high, ordered(last), ordered(first))
	}
	return q
}

// versionOf returns the number of the version of addresses that a session has.
func versionOf(key *flow.Key) int {
	if key.Version == 6 {
		return 1
	}
	return 0
}

// reverse exchanges source and destination.
func (q *query) reverse() {
	q.src, q.dst = q.dst, q.src
	q.srcPort, q.dstPort = q.dstPort, q.srcPort
	q.ranks[gridSrc], q.ranks[gridDst] = q.ranks[gridDst], q.ranks[gridSrc]
	q.screen = q.screened()
}

// An entry is one direction of a rule: twice its place, and 1 more where it has
// source and destination exchanged.
type entry uint32

func (e entry) place() uint32 { return uint32(e) >> 1 }
func (e entry) swapped() bool { return e&1 != 0 }

// A lined entry has the line of its rule.
type lined struct {
	entry
	line uint32
}

func (s *Set) lined(e entry) lined { return lined{e, s.rules.line(e.place())} }

// matches reports whether r, or r swapped, matches q, whose version and ports
// are known to be the rule's.
func (r *rule) matches(q *query, swapped bool) bool {
	src, dst := q.src, q.dst
	if swapped {
		src, dst = dst, src
	}
	return q.first <= r.end && q.last >= r.start &&
		(r.fields&hasProto == 0 || r.protocol == q.protocol) &&
		src.prefix(r.srcBits) == r.src && dst.prefix(r.dstBits) == r.dst &&
		(r.capture == 0 || q.capture.has(r.capture))
}

// symmetric reports whether r matches the same sessions swapped.
func (r *rule) symmetric() bool {
	return r.src == r.dst && r.srcBits == r.dstBits && r.srcPort == r.dstPort &&
		(r.fields&hasSrcPort != 0) == (r.fields&hasDstPort != 0)
}

// rules are the rules of a set. There are three kinds of them, by the number of
// ports that they ask for: rules of one kind are looked at by the same sessions,
// so they stand together in memory, in the order of the file.
type rules struct {
	kinds [kinds]ruleList
	n     uint32 // of all kinds
}

const kinds = 3

// A ruleList has its rules in blocks, so that reading many neither copies them
// nor needs to know their number.
type ruleList struct {
	blocks []*block
	n      uint32
}

// A block has neighbouring rules, and the lines on which they begin.
type block struct {
	rules [blockRules]rule
	lines [blockRules]uint32
}

const (
	blockBits  = 12
	blockRules = 1 << blockBits
	// kindBits are those of the number of a rule among those of its kind.
	kindBits = 24
)

// block returns the block that has the rule at a place: its kind, and from the
// bit kindBits down its number among those.
func (r *rules) block(place uint32) *block {
	return r.kinds[place>>kindBits].blocks[place%(1<<kindBits)>>blockBits]
}

func (r *rules) at(place uint32) *rule { return &r.block(place).rules[place%blockRules] }

func (r *rules) line(place uint32) uint32 { return r.block(place).lines[place%blockRules] }

// places yields the places of the rules of a kind, in the order of the file.
func (r *rules) places(kind int) iter.Seq[uint32] {
	return func(yield func(uint32) bool) {
		for i := range r.kinds[kind].n {
			if !yield(uint32(kind)<<kindBits | i) {
				return
			}
		}
	}
}

func (r *rules) add(added *rule, line uint32) {
	l := &r.kinds[added.ports()]
	if l.n%blockRules == 0 {
		l.blocks = append(l.blocks, new(block))
	}
	b, i := l.blocks[l.n>>blockBits], l.n%blockRules
	b.rules[i], b.lines[i] = *added, line
	l.n++
	r.n++
}

// ports returns for how many ports r asks: its kind.
func (r *rule) ports() int {
	return int(r.fields&hasSrcPort/hasSrcPort + r.fields&hasDstPort/hasDstPort)
}

func (r *rules) bytes() (n int) {
	for kind := range r.kinds {
		n += len(r.kinds[kind].blocks) * int(unsafe.Sizeof(block{}))
	}
	return n
}
