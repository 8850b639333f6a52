package figures

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"math/bits"
	"sort"
	"sync/atomic"

	"pcapbatch/internal/flow"
)

// A Count is what sessions have together.
type Count struct {
	Sessions uint64 `json:"sessions"`
	Packets  uint64 `json:"packets"`
	Bytes    uint64 `json:"bytes"` // wire lengths
}

func (c *Count) add(sessions, packets, bytes uint64) {
	c.Sessions += sessions
	c.Packets += packets
	c.Bytes += bytes
}

// Sessions are figures of sessions. All but Ports, Talkers and Pairs are exact;
// those are what a sample says, see Begin.
type Sessions struct {
	Packets   Histogram `json:"packets"`     // of a session
	Bytes     Histogram `json:"bytes"`       // of a session: wire lengths
	Durations Histogram `json:"duration_ns"` // of a session
	// Gaps are the interarrival times of packets of one session. Those of a
	// session of more than 128 packets are where the digest for its median has
	// them.
	Gaps      Histogram  `json:"interarrival_ns"`
	Protocols Protocols  `json:"protocols"`
	Ports     Top[Port]  `json:"ports"`   // of the receiver of the first packet
	Talkers   Top[Host]  `json:"talkers"` // every session counts for both ends
	Pairs     Top[Hosts] `json:"pairs"`
	// Claims are sessions whose wire lengths are not to be believed; they are
	// not in Ports, Talkers and Pairs, and their bytes not in Protocols.
	Claims Count `json:"claims"`

	// Below is the size in bytes (wire lengths) below which a session is in the
	// sample only by chance; 0: all sessions are in it.
	Below uint64 `json:"sampled_below_bytes"`

	plan   *Plan
	doubt  bool // there may be claims
	starts []int64
	begun  []uint64
	at     int
}

// sample is how many sessions of equal size a sample has, and enough is the
// number of sessions up to which all are taken. With 2^13 the estimate for what
// has a tenth of all bytes has a standard error of 3.5 % where all sessions are
// small, and looking up the sampled sessions costs 2 % of a run on 650 000
// sessions of one or two packets. 2^14 cost twice that.
const (
	sample = 1 << 13
	enough = 2 * sample
)

// mostKeys bounds the keys of all Tops of one plan together, and those of a
// single Top that comes from elsewhere. A sample has half as many at most, and
// up to enough sessions two thirds; only captures that are made so that far more
// sessions are in the sample reach it. What comes then is left out of the lists.
const mostKeys = 6 * enough

// Memory is how many bytes the Sessions of one plan take at most, all goroutines
// together. TestMemory measures it.
const Memory = 16 << 20

// A Plan says how the sessions of a run are counted. It is the same for all
// goroutines of the run.
type Plan struct {
	// Sessions and Bytes are how many there will be; Bytes is 0 if nobody
	// knows.
	Sessions, Bytes uint64
	// Doubt says that there are captures which state far more bytes than they
	// have.
	Doubt bool
	// Starts are the times of the first records of captures, ascending, in ns
	// since the epoch: sessions are counted by the capture that began last
	// before them. Begun has the result.
	Starts []int64

	keys atomic.Int64 // that the Sessions of this plan have: see mostKeys
}

// room reports whether there is room for one key more.
func (p *Plan) room() bool { return p == nil || p.keys.Add(1) <= mostKeys }

// Begin returns Sessions that count by a plan.
//
// Ports, talkers and pairs are of a sample, as Duffield, Lund and Thorup draw
// it ("Charging from Sampled Network Usage", 2001): a session of x bytes is
// taken always if x >= T, else with probability x/T, and counts for T bytes
// then. The sum of a key is right on average, with variance at most T times
// what it has from sessions below T. T is Plan.Bytes/2^13, or 0, which makes
// everything exact, up to 2^14 sessions. Chance is a hash of the session, so a
// sample depends on nothing else.
func Begin(p *Plan) *Sessions {
	s := &Sessions{plan: p, doubt: p.Doubt, starts: p.Starts, begun: make([]uint64, len(p.Starts))}
	if p.Sessions > enough {
		s.Below = max(1, p.Bytes/sample)
		if p.Bytes == 0 {
			s.Below = max(1, p.Sessions*usualBytes/sample)
		}
	}
	return s
}

// usualBytes is what a session is taken to have where nobody knows the sum of
// all: rather too much, so that there is room for the sample.
const usualBytes = 1024

// A Session is what there is to count of one.
type Session struct {
	Key                      *flow.Key // as its row shows it
	First                    int64     // ns since the epoch
	Packets, Bytes, Duration uint64    // Duration in ns
	Truncated                uint64    // packets of which the capture kept less than there was
}

// believable is the mean wire length, in bytes, up to which truncated packets are
// believed where a capture states a hundred times more bytes than it kept: an IP
// header is the least that must be there of each.
const believable = 100 * 20

// Add counts a session.
func (s *Sessions) Add(x *Session) {
	s.Packets.Add(x.Packets)
	s.Bytes.Add(x.Bytes)
	s.Durations.Add(x.Duration)
	s.Begins(x.First)
	if s.doubt && x.Truncated > 0 && x.Bytes/x.Packets > believable {
		s.Protocols[x.Key.Protocol].add(1, x.Packets, 0)
		s.Claims.add(1, x.Packets, x.Bytes)
		return
	}
	s.Protocols[x.Key.Protocol].add(1, x.Packets, x.Bytes)
	if x.Bytes >= s.Below {
		s.take(x, 1, x.Packets, x.Bytes, 0)
		return
	}
	if high, _ := bits.Mul64(chance(x), s.Below); high >= x.Bytes {
		return
	}
	b := max(1, x.Bytes)
	s.take(x, scaled(1, s.Below, b), scaled(x.Packets, s.Below, b), s.Below, s.Below)
}

// chance is a number that is as good as random, but follows from the session. It
// costs half of flow.Key.Hash, and need not stand up to anybody: who makes
// sessions that are all in the sample, or none, misleads the reader of a report
// on them, and mostKeys bounds the memory.
func chance(x *Session) uint64 {
	const m = 0x9e3779b97f4a7c15
	le, k := binary.LittleEndian, x.Key
	h := le.Uint64(k.Src[:8]) ^ bits.RotateLeft64(le.Uint64(k.Src[8:]), 21) ^ uint64(x.First)
	h = h*m ^ le.Uint64(k.Dst[:8]) ^ bits.RotateLeft64(le.Uint64(k.Dst[8:]), 21)
	h = (h^h>>29)*m ^ uint64(k.SrcPort) ^ uint64(k.DstPort)<<16 ^ uint64(k.Protocol)<<32
	h = (h ^ h>>32) * 0xd6e8feb86659fd93
	return h ^ h>>31
}

// scaled is n*a/b rounded, or the largest number where that is beyond 64 bits.
func scaled(n, a, b uint64) uint64 {
	high, low := bits.Mul64(n, a)
	low, carry := bits.Add64(low, b/2, 0)
	high += carry
	if high >= b {
		return math.MaxUint64
	}
	q, _ := bits.Div64(high, low, b)
	return q
}

// Begins counts a session for its capture alone.
func (s *Sessions) Begins(first int64) {
	if len(s.starts) == 0 {
		return
	}
	k := s.at
	if first < s.starts[k] || k+1 < len(s.starts) && first >= s.starts[k+1] {
		k = sort.Search(len(s.starts), func(i int) bool { return s.starts[i] > first }) - 1
		k = max(k, 0) // a packet may be earlier than the first of its capture
		s.at = k
	}
	s.begun[k]++
}

// Begun returns how many sessions began in each capture of the plan.
func (s *Sessions) Begun() []uint64 { return s.begun }

// take takes a session into the sample, as if it were so many; small is what is
// estimated of bytes.
func (s *Sessions) take(x *Session, sessions, packets, bytes, small uint64) {
	c := Estimate{Count{sessions, packets, bytes}, small}
	k := x.Key
	s.Ports.add(Port{uint16(k.Protocol), k.DstPort}, &c, s.plan)
	a, b := Host{k.Version, k.Src}, Host{k.Version, k.Dst}
	s.Talkers.add(a, &c, s.plan)
	if a == b {
		s.Pairs.add(Hosts{a, b}, &c, s.plan)
		return
	}
	s.Talkers.add(b, &c, s.plan)
	if b.compare(a) < 0 {
		a, b = b, a
	}
	s.Pairs.add(Hosts{a, b}, &c, s.plan)
}

// GapsNear counts n interarrival times near a value, in ns.
func (s *Sessions) GapsNear(value, n uint64) { s.Gaps.AddMany(value, n) }

// GapsOf counts interarrival times in ns.
func (s *Sessions) GapsOf(values []uint64) {
	for _, v := range values {
		s.Gaps.Add(v)
	}
}

// Merge adds what o has counted, by the same plan or in another part of the same
// captures.
func (s *Sessions) Merge(o *Sessions) {
	s.Packets.Merge(&o.Packets)
	s.Bytes.Merge(&o.Bytes)
	s.Durations.Merge(&o.Durations)
	s.Gaps.Merge(&o.Gaps)
	for i, c := range o.Protocols {
		s.Protocols[i].add(c.Sessions, c.Packets, c.Bytes)
	}
	s.Ports.Merge(&o.Ports)
	s.Talkers.Merge(&o.Talkers)
	s.Pairs.Merge(&o.Pairs)
	s.Claims.add(o.Claims.Sessions, o.Claims.Packets, o.Claims.Bytes)
	s.Below = max(s.Below, o.Below)
	for i, n := range o.begun {
		s.begun[i] += n
	}
}

// Trim leaves the n largest of ports, talkers and pairs.
func (s *Sessions) Trim(n int) {
	s.Ports.trim(n)
	s.Talkers.trim(n)
	s.Pairs.trim(n)
}

// UnmarshalJSON implements json.Unmarshaler, as that of Packets does.
func (s *Sessions) UnmarshalJSON(data []byte) error {
	type plain Sessions
	return strict(data, (*plain)(s))
}

// Protocols counts sessions by IP protocol number. In JSON it is an object of
// those that there are.
type Protocols [256]Count

// MarshalJSON implements json.Marshaler.
func (p *Protocols) MarshalJSON() ([]byte, error) {
	m := map[uint8]Count{}
	for i, c := range p {
		if c.Sessions > 0 {
			m[uint8(i)] = c
		}
	}
	return json.Marshal(m)
}

// UnmarshalJSON implements json.Unmarshaler.
func (p *Protocols) UnmarshalJSON(data []byte) error {
	var m map[uint8]Count
	if err := json.Unmarshal(data, &m); err != nil {
		return err
	}
	*p = Protocols{}
	for i, c := range m {
		p[i] = c
	}
	return nil
}
