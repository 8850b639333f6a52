package label

import (
	"encoding/binary"
	"math"

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
	number           uint32  // from 0, in file order
	capture          uint32  // 0 for any, otherwise what captures.add gives
	srcPort, dstPort uint16
	srcBits, dstBits uint8 // prefix lengths; 0 for any address of the version
	protocol, fields uint8
}

// A query is one direction of a session, and what was found for it so far.
type query struct {
	src, dst         address
	first, last      int64
	srcPort, dstPort uint16
	protocol         uint8
	capture          captureIDs
	best             uint32 // number of the first rule that matches so far, or none
}

const none = math.MaxUint32

func newQuery(key *flow.Key, first, last int64, capture captureIDs) query {
	return query{
		src: keyAddress(&key.Src), dst: keyAddress(&key.Dst),
		srcPort: key.SrcPort, dstPort: key.DstPort, protocol: key.Protocol,
		first: first, last: last, capture: capture, best: none,
	}
}

func (q *query) reverse() {
	q.src, q.dst = q.dst, q.src
	q.srcPort, q.dstPort = q.dstPort, q.srcPort
}

// matches reports whether the rule matches q, whose version is known to be the
// rule's.
func (r *rule) matches(q *query) bool {
	return (r.srcPort == q.srcPort || r.fields&hasSrcPort == 0) &&
		(r.dstPort == q.dstPort || r.fields&hasDstPort == 0) &&
		(r.protocol == q.protocol || r.fields&hasProto == 0) &&
		q.first <= r.end && q.last >= r.start &&
		q.src.prefix(r.srcBits) == r.src && q.dst.prefix(r.dstBits) == r.dst &&
		(r.capture == 0 || q.capture.has(r.capture))
}

// rules are the rules of a set in blocks, so that reading many neither copies
// them nor needs to know their number.
type rules struct {
	blocks [][]rule
	n      uint32
}

const (
	blockBits  = 12
	blockRules = 1 << blockBits
)

func (s *rules) at(i uint32) *rule { return &s.blocks[i>>blockBits][i%blockRules] }

func (s *rules) add() *rule {
	if s.n%blockRules == 0 {
		s.blocks = append(s.blocks, make([]rule, blockRules))
	}
	s.n++
	return s.at(s.n - 1)
}

// arrange brings the rules into the given order, in place: the rule order[i]
// comes to i. It destroys order.
func (s *rules) arrange(order []uint32) {
	for i := range order {
		if order[i] == none {
			continue
		}
		first := *s.at(uint32(i))
		to := uint32(i)
		for order[to] != uint32(i) {
			from := order[to]
			*s.at(to) = *s.at(from)
			order[to], to = none, from
		}
		*s.at(to), order[to] = first, none
	}
}
