package agg

import (
	"pcapbatch/internal/flow"
	"pcapbatch/internal/netsort"
)

// headRecords is the number of packets a Session holds in itself. Most
// sessions of most captures have no more.
const headRecords = 4

// keptRecords is the number of packets that are never folded away, but stay in
// the order they came as long as the session lives: merge needs them where
// captures overlap by a few packets.
const keptRecords = headRecords + unitRecords

// exactRecords is the number of packets up to which a session keeps every
// value, so that its medians are exact whatever they are. It is also what a
// longer session gathers before it folds, head included: with 64, folding cost
// twice as much a packet, and sessions of 65 to 128 packets four times the
// memory.
const exactRecords = netsort.Most

// record is what the statistics need of one packet.
type record struct {
	// gap is the time since the session's packet before, in ns. In the very
	// first record it is the session's first time as the bits of an int64.
	gap uint64
	// wire and payload are the wire length and the payload size in bytes.
	wire, payload uint32
}

// Session is the state of one session: two cache lines, no pointers.
// The zero Session is not valid.
type Session struct {
	key flow.Key
	// truncated counts packets with capture length < wire length that
	// large does not count yet: at most fill, but for the time of a merge.
	truncated uint16
	state     sessionState // class of block, and facts about the session
	fill      uint8        // records held: head first, then block
	_         uint8
	block     uint32 // records beyond head: index of a block of class, see recordSlab
	large     uint32 // index + 1 of the digest block, 0 without one
	last      int64  // latest packet time, ns since the epoch
	head      [headRecords]record
}

type sessionState uint16

const (
	classMask      sessionState = 7      // index into classRecords
	reversed       sessionState = 1 << 3 // the first packet went from key.Dst to key.Src
	inexactGaps    sessionState = 1 << 4 // merging kept only the sum of some gaps: see mergeLarge
	sawRST         sessionState = 1 << 5 // with Options.TCPEnd: a packet with RST
	sawFIN         sessionState = 1 << 6 // likewise a FIN from key.Src to key.Dst
	sawFINReversed sessionState = 1 << 7 // and the other way
	sawFINs                     = sawFIN | sawFINReversed

	endShift = 8 // of the EndReason
	endMask  = 3
)

// classRecords is how many records a session of each class holds, head
// included. The steps were chosen so that a session never holds less than
// half of what it has room for.
var classRecords = [...]uint8{headRecords, 8, 16, 32, 64, exactRecords}

// lastClass is the class of sessions that hold exactRecords.
const lastClass = sessionState(len(classRecords) - 1)

// init makes s the session of its first packet.
func (s *Session) init(k *flow.Key, rev bool, time int64, wire, payload uint32) {
	s.key = *k
	s.fill = 1
	s.state = 0
	if rev {
		s.state = reversed
	}
	s.truncated, s.block, s.large = 0, 0, 0
	s.last = time
	s.head[0] = record{gap: uint64(time), wire: wire, payload: payload}
}

// first returns the time of the session's first packet.
func (s *Session) first() int64 { return int64(s.head[0].gap) }

// rowKey returns the key as the row shows it: from the sender of the first
// packet to its receiver.
func (s *Session) rowKey() (k flow.Key) {
	s.putRowKey(&k)
	return k
}

// putRowKey writes the key as the row shows it to k.
func (s *Session) putRowKey(k *flow.Key) {
	k.SetTurned(&s.key, s.state&reversed != 0)
}
