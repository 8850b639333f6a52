package agg

// Needs says what sessions keep besides what the basic statistics need. A
// table whose Needs are zero pays nothing for the rest: neither time per packet
// nor bytes per session.
type Needs uint16

const (
	// NeedDirection: statistics of each direction (direction.go).
	NeedDirection Needs = 1 << iota
	// NeedFlags: packets by TCP flag (flags.go).
	NeedFlags
	// NeedTCP: windows, handshake times and connection state (tcp.go).
	NeedTCP
	// NeedActivity: active and idle periods (activity.go).
	NeedActivity
	// NeedBulk: bulks and subflows (bulk.go).
	NeedBulk
	// NeedIP: times to live, fragments, ICMP type and code (ip.go).
	NeedIP
	// NeedCommunityID: ICMP type and code of the first packet
	// (communityid.go).
	NeedCommunityID
	// NeedEnd: which rule ended the session, also in encodings (ending.go).
	NeedEnd
	// NeedQuantiles: digests for any quantile (quantile.go).
	NeedQuantiles

	allNeeds = 1<<iota - 1
)

// Options are what a run asks of the statistics. The zero value has no
// threshold, no rule that ends sessions, and no feature group;
// DefaultIdleThreshold is what the command uses.
//
// ActiveTimeout and TCPEnd need the whole session so far. Sessions are right
// with them where one table sees all packets in capture order. With them Merge
// and Absorb take every session for a whole one and join none, so a session
// that may go on must not be spilled: the caller uses SetAside and Restore for
// it.
type Options struct {
	IdleThreshold uint64 // gaps above it count as idle time, ns
	IdleTimeout   uint64 // a gap above it ends the session, ns; 0: none
	ActiveTimeout uint64 // a packet more than this after the first begins a session, ns; 0: none
	TCPEnd        bool   // a SYN after a closed TCP connection begins a session
	Seed          uint64 // of flow.Key.Hash, the same for all tables of a run
	Captures      bool   // sessions are told apart by capture too (captured.go)

	Needs    Needs
	Sequence int // how many first packets are kept for sequences, 0 to MaxSequence
}

// DefaultIdleThreshold is the 5 s, in ns, that flow feature extractors use.
const DefaultIdleThreshold = 5_000_000_000

// MaxSequence is the largest Options.Sequence. It is below exactRecords, so
// that a session that has folded nothing has all of its sequence.
const MaxSequence = 100

// Details reports whether tables need a flow.Detail for each event.
func (o *Options) Details() bool {
	const beside = NeedDirection | NeedFlags | NeedTCP | NeedBulk | NeedIP | NeedCommunityID
	return o.Needs&beside != 0 || o.Sequence > 0
}

// folds reports whether a session that folds packets away keeps facts of them
// besides the basic statistics and digests.
func (o *Options) folds() bool {
	const facts = NeedDirection | NeedFlags | NeedTCP | NeedActivity | NeedBulk | NeedIP
	return o.Needs&facts != 0
}

// keeps reports whether encodings of sessions have more than the basic
// statistics.
func (o *Options) keeps() bool { return o.Needs != 0 || o.Sequence > 0 }

// Whole reports whether a rule that ends sessions needs the whole session so far,
// so that sessions that may go on cannot be spilled.
func (o *Options) Whole() bool { return o.ActiveTimeout > 0 || o.TCPEnd }

// plain reports whether the short way of Update does.
func (o *Options) plain() bool {
	return !o.Details() && !o.folds() && o.Needs&NeedQuantiles == 0 && !o.TCPEnd
}
