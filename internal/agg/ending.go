package agg

import "pcapbatch/internal/flow"

// An EndReason is why a session ended.
type EndReason uint8

const (
	EndInput  EndReason = iota // there were no more packets of its key
	EndIdle                    // idle time-out
	EndActive                  // active time-out
	EndTCP                     // a new TCP connection
)

func (e EndReason) String() string {
	return [...]string{"input", "idle", "active", "tcp"}[e]
}

// endings are the rules by which a packet of a key begins a new session. They
// are asked in the order of the fields, and the first that holds is the reason
// for which the old session ended.
type endings struct {
	any    bool   // there is a rule
	whole  bool   // there is one that needs all packets of the session so far
	idle   uint64 // a gap above it, ns, or off
	active uint64 // a time since the first packet above it, ns, or off
	tcp    bool   // SYN without ACK, and the session is closed
}

// off is a time-out that no time is above.
const off = ^uint64(0)

func endingsOf(o *Options) endings {
	e := endings{idle: off, active: off, tcp: o.TCPEnd}
	if o.IdleTimeout > 0 {
		e.idle = o.IdleTimeout
	}
	if o.ActiveTimeout > 0 {
		e.active = o.ActiveTimeout
	}
	e.whole = o.Whole()
	e.any = o.IdleTimeout > 0 || e.whole
	return e
}

// before returns the rule by which a packet of s's key, at the given time and
// with the given flags, begins a new session, or EndInput if it belongs to s.
func (e *endings) before(s *Session, time int64, flags flow.Flags) EndReason {
	clock := max(time, s.last) // the session's clock never runs back
	switch {
	case uint64(clock)-uint64(s.last) > e.idle:
		return EndIdle
	case !e.whole: // spares a look at the session's second cache line
	case uint64(clock)-uint64(s.first()) > e.active:
		return EndActive
	case e.tcp && flags&(tcpSYN|tcpACK) == tcpSYN && s.closed():
		return EndTCP
	}
	return EndInput
}

// TCP flags in flow.Flags (RFC 9293, section 3.1).
const (
	tcpFIN = flow.Flags(flow.FIN)
	tcpSYN = flow.Flags(flow.SYN)
	tcpRST = flow.Flags(flow.RST)
	tcpACK = flow.Flags(flow.ACK)
)

// closed reports whether a RST was seen, or a FIN of both sides. With
// unidirectional sessions there is one side only.
func (s *Session) closed() bool {
	return s.state&sawRST != 0 || s.state&sawFINs == sawFINs
}

// noteClosing notes what closes a TCP connection.
func (s *Session) noteClosing(flags flow.Flags) {
	switch {
	case flags&(tcpFIN|tcpRST) == 0:
	case flags&tcpRST != 0:
		s.state |= sawRST
	case flags&flow.Reversed != 0:
		s.state |= sawFINReversed
	default:
		s.state |= sawFIN
	}
}

// end marks s as ended by rule e, or as not ended by EndInput.
func (s *Session) end(e EndReason) {
	s.state = s.state&^(endMask<<endShift) | sessionState(e)<<endShift
}

// endReason returns the rule that ended s.
func (s *Session) endReason() EndReason { return EndReason(s.state >> endShift & endMask) }

// endedBefore reports whether a session at time is apart from s by the rules
// that can be asked of parts of sessions: the idle time-out.
func (t *Table) endedBefore(s *Session, time int64) bool {
	return t.ends.any && time > s.last && uint64(time)-uint64(s.last) > t.ends.idle
}
