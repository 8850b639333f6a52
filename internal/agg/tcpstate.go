package agg

// State is the state of a TCP connection as far as a session shows it. The
// names are those of the field conn_state in Zeek's conn.log.
type State uint8

const (
	StateNone   State = iota // no TCP
	StateS0                  // connection attempt, no reply
	StateS1                  // established, not ended
	StateS2                  // established, the originator has closed
	StateS3                  // established, the responder has closed
	StateSF                  // established and closed by both
	StateREJ                 // attempt rejected
	StateRSTO                // established, the originator aborted
	StateRSTR                // the responder aborted
	StateRSTOS0              // the originator sent SYN and RST, no SYN+ACK seen
	StateRSTRH               // the responder sent SYN+ACK and RST, no SYN seen
	StateSH                  // the originator sent SYN and FIN, no SYN+ACK seen
	StateSHR                 // the responder sent SYN+ACK and FIN, no SYN seen
	StateOTH                 // none of these
)

var stateNames = [...]string{"-", "S0", "S1", "S2", "S3", "SF", "REJ", "RSTO", "RSTR", "RSTOS0", "RSTRH", "SH", "SHR", "OTH"}

func (s State) String() string { return stateNames[s] }

// originator returns the side that opened the connection: the sender of the
// first SYN without ACK, else the receiver of the first SYN with ACK, else the
// source of the session.
func (f *tcpFacts) originator(source int) int {
	syn, answer := [2]*event{}, [2]*event{}
	for d := range f.first {
		syn[d], answer[d] = &f.first[d][kindSYN], &f.first[d][kindSYNACK]
	}
	switch {
	case syn[0].before(syn[1]), syn[1].at == 0 && answer[1].before(answer[0]):
		return 0
	case syn[1].before(syn[0]), answer[0].before(answer[1]):
		return 1
	}
	return source
}

// state returns the state of a TCP session whose source is the given side. The
// conditions are asked in this order (Zeek's manual, conn_state); a RST does
// not count if both sides had sent FIN before it.
func (f *tcpFacts) state(source int) State {
	o := f.originator(source)
	r := 1 - o
	syn := f.first[o][kindSYN].at > 0
	answered := f.first[r][kindSYNACK].at > 0
	established := answered && (syn || f.first[o][kindACK].at > 0)
	if f.rst.seen && !(f.rst.fin[0] && f.rst.fin[1]) {
		if int(f.rst.side) == o {
			return either(answered, StateRSTO, StateRSTOS0)
		}
		if syn && !answered {
			return StateREJ
		}
		return either(syn || established, StateRSTR, StateRSTRH)
	}
	switch {
	case f.fin[o] && f.fin[r]:
		return StateSF
	case f.fin[o]:
		return either(answered, StateS2, StateSH)
	case f.fin[r]:
		return either(syn || established, StateS3, StateSHR)
	case syn && !f.seen[r]:
		return StateS0
	}
	return either(established, StateS1, StateOTH)
}

func either(first bool, a, b State) State {
	if first {
		return a
	}
	return b
}
