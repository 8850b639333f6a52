package label

import (
	"encoding/binary"
	"math"
	"math/bits"

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
	// first and last as Set.tick has them.
	firstTick, lastTick uint32
	best                uint32 // number of the first rule that matches so far, or none
}

const none = math.MaxUint32

func newQuery(key *flow.Key, first, last int64, capture captureIDs) query {
	q := query{
		src: keyAddress(&key.Src), dst: keyAddress(&key.Dst),
		srcPort: key.SrcPort, dstPort: key.DstPort, protocol: key.Protocol,
		first: first, last: last, capture: capture, best: none,
	}
	q.screen = q.screened()
	return q
}

// An entry is one direction of a rule: twice its number, and 1 more where it
// has source and destination exchanged.
type entry uint32

func (e entry) number() uint32 { return uint32(e) >> 1 }
func (e entry) swapped() bool  { return e&1 != 0 }

// A leafEntry is an entry in a leaf, with its times in ticks: where they do not
// match, nothing of the rule need be looked at.
type leafEntry struct {
	entry
	start, end uint32
}

// setTicks chooses ticks so that all times of rules are within 2^32 of them.
func (s *Set) setTicks() {
	first, last := int64(math.MaxInt64), int64(math.MinInt64)
	for i := range s.rules.n {
		r := s.rules.at(i)
		if r.start != math.MinInt64 {
			first, last = min(first, r.start), max(last, r.start)
		}
		if r.end != math.MaxInt64 {
			first, last = min(first, r.end), max(last, r.end)
		}
	}
	if first <= last {
		s.origin = first
		s.tickShift = uint8(max(bits.Len64(uint64(last)-uint64(first)), 32) - 32)
	}
}

// tick returns a time in ticks: a later one has as many or more.
func (s *Set) tick(t int64) uint32 {
	if t < s.origin {
		return 0
	}
	return uint32(min((uint64(t)-uint64(s.origin))>>s.tickShift, math.MaxUint32))
}

// matches reports whether r, or r swapped, matches q, whose version is known to
// be the rule's. The ports and the protocol are screened already.
func (r *rule) matches(q *query, swapped bool) bool {
	src, dst := q.src, q.dst
	if swapped {
		src, dst = dst, src
	}
	return q.first <= r.end && q.last >= r.start &&
		src.prefix(r.srcBits) == r.src && dst.prefix(r.dstBits) == r.dst &&
		(r.capture == 0 || q.capture.has(r.capture))
}

// symmetric reports whether r matches the same sessions swapped.
func (r *rule) symmetric() bool {
	return r.src == r.dst && r.srcBits == r.dstBits && r.srcPort == r.dstPort &&
		(r.fields&hasSrcPort != 0) == (r.fields&hasDstPort != 0)
}

// A screen has in value what a rule asks for of the ports, the protocol and the
// first 12 bits of both addresses, and in mask those bits of them that it does
// ask for. Four of them are in a cache line, so most rules of a leaf are refused
// without a look at them.
type screen struct{ value, mask uint64 }

const screenBits = 12 // of an address

func (a address) top() uint64 { return a.high >> (64 - screenBits) }

func (q *query) screened() uint64 {
	return uint64(q.srcPort)<<48 | uint64(q.dstPort)<<32 | uint64(q.protocol)<<24 | q.src.top()<<screenBits | q.dst.top()
}

func (r *rule) screen(swapped bool) (s screen) {
	of := query{src: r.src, dst: r.dst, srcPort: r.srcPort, dstPort: r.dstPort, protocol: r.protocol}
	all := address{high: math.MaxUint64}
	mask := query{src: all.prefix(r.srcBits), dst: all.prefix(r.dstBits)}
	if r.fields&hasSrcPort != 0 {
		mask.srcPort = math.MaxUint16
	}
	if r.fields&hasDstPort != 0 {
		mask.dstPort = math.MaxUint16
	}
	if r.fields&hasProto != 0 {
		mask.protocol = math.MaxUint8
	}
	if swapped {
		of.reverse()
		mask.reverse()
	}
	return screen{of.screened(), mask.screened()}
}

func (q *query) reverse() {
	q.src, q.dst = q.dst, q.src
	q.srcPort, q.dstPort = q.dstPort, q.srcPort
}

// rules are the rules of a set in blocks, so that reading many neither copies
// them nor needs to know their number.
type rules struct {
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
)

func (s *rules) at(i uint32) *rule { return &s.blocks[i>>blockBits].rules[i%blockRules] }

func (s *rules) line(i uint32) int { return int(s.blocks[i>>blockBits].lines[i%blockRules]) }

func (s *rules) add(line uint32) *rule {
	if s.n%blockRules == 0 {
		s.blocks = append(s.blocks, new(block))
	}
	s.blocks[s.n>>blockBits].lines[s.n%blockRules] = line
	s.n++
	return s.at(s.n - 1)
}
