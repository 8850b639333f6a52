package agg

import "pcapbatch/internal/flow"

// tcpFacts is what is kept of TCP headers: of each kind of packet the first of
// each direction, with its place and time, and of the first RST what decides
// whether it counts. In two stretches that follow each other the first of a
// kind is that of the earlier one, if it has any.
type tcpFacts struct {
	window [2]Window
	first  [2][packetKinds]event
	// Of each direction whether there was a packet with ...
	seen [2]bool // flags in the capture
	fin  [2]bool // FIN

	rst rst
}

// Window is a TCP window, unscaled. It is valid if Defined.
type Window struct {
	Defined bool
	Bytes   uint16
}

// The kinds of packets of which the first is kept.
const (
	kindSYN    = iota // SYN without ACK
	kindSYNACK        // SYN and ACK
	kindACK           // ACK without SYN
	kindDone          // ACK without SYN and RST: completes a handshake
	packetKinds
)

// event is a packet, or none if at is 0.
type event struct {
	at   uint64 // its number in the stretch, counted from 1
	time int64  // of the session's clock
}

// before reports whether e is, and is before o or o is not.
func (e *event) before(o *event) bool { return e.at > 0 && (o.at == 0 || e.at < o.at) }

// rst is the first RST of a stretch.
type rst struct {
	seen bool
	side uint8
	fin  [2]bool // a FIN of each direction came in a packet before it
}

// add takes a packet, which number packets are before.
func (f *tcpFacts) add(p *packet, number uint64) {
	d := p.detail.Side()
	if w, ok := p.detail.Window(); ok && !f.window[d].Defined {
		f.window[d] = Window{true, w}
	}
	flags, ok := p.detail.TCPFlags()
	if !ok {
		return
	}
	f.seen[d] = true
	now := event{number + 1, p.time}
	switch flags & (flow.SYN | flow.ACK) {
	case flow.SYN:
		f.note(d, kindSYN, now)
	case flow.SYN | flow.ACK:
		f.note(d, kindSYNACK, now)
	case flow.ACK:
		f.note(d, kindACK, now)
		if flags&flow.RST == 0 {
			f.note(d, kindDone, now)
		}
	}
	if flags&flow.RST != 0 && !f.rst.seen {
		f.rst = rst{true, uint8(d), f.fin}
	}
	if flags&flow.FIN != 0 {
		f.fin[d] = true
	}
}

func (f *tcpFacts) note(side, kind int, now event) {
	if e := &f.first[side][kind]; e.at == 0 {
		*e = now
	}
}

// join takes the packets of o, which follow the packets of f.
func (f *tcpFacts) join(o *tcpFacts, packets uint64) {
	if o.rst.seen && !f.rst.seen {
		f.rst = o.rst
		for d := range f.fin {
			f.rst.fin[d] = o.rst.fin[d] || f.fin[d]
		}
	}
	for d := range f.first {
		if !f.window[d].Defined {
			f.window[d] = o.window[d]
		}
		for k, e := range o.first[d] {
			if e.at > 0 {
				f.note(d, k, event{e.at + packets, e.time})
			}
		}
		f.seen[d] = f.seen[d] || o.seen[d]
		f.fin[d] = f.fin[d] || o.fin[d]
	}
}

// raise lets packets come at from that came before it.
func (f *tcpFacts) raise(from int64) {
	for d := range f.first {
		for k := range f.first[d] {
			f.first[d][k].time = max(f.first[d][k].time, from)
		}
	}
}

// TCPSummary is what a row says of TCP headers.
type TCPSummary struct {
	State  State
	Window [2]Window // of the first packet that has it: forward, backward
	// SYNToSYNACK is the time from the session's first SYN without ACK to
	// the other side's first SYN with ACK; SYNACKToACK from there to the
	// first packet of the SYN's sender with ACK and neither SYN nor RST.
	SYNToSYNACK, SYNACKToACK Elapsed
}

// Elapsed is a time in ns. It is valid if Defined.
type Elapsed struct {
	Defined bool
	Ns      uint64
}

// summary makes the row of a session whose source is the given side.
func (f *tcpFacts) summary(out *TCPSummary, protocol uint8, source int) {
	out.Window = [2]Window{f.window[source], f.window[1-source]}
	out.SYNToSYNACK, out.SYNACKToACK = Elapsed{}, Elapsed{}
	out.State = StateNone
	if protocol == 6 {
		out.State = f.state(source)
		f.handshake(out)
	}
}

// handshake fills in the times of the first handshake. They are undefined
// where a packet is missing, or stands before the one it should follow.
func (f *tcpFacts) handshake(out *TCPSummary) {
	sender := 0
	if f.first[1][kindSYN].before(&f.first[0][kindSYN]) {
		sender = 1
	}
	syn, answer, done := &f.first[sender][kindSYN], &f.first[1-sender][kindSYNACK], &f.first[sender][kindDone]
	if syn.at == 0 || answer.at == 0 || answer.at < syn.at {
		return
	}
	out.SYNToSYNACK = Elapsed{true, uint64(answer.time) - uint64(syn.time)}
	if done.at > answer.at {
		out.SYNACKToACK = Elapsed{true, uint64(done.time) - uint64(answer.time)}
	}
}
