package main

import "math"

// recordSink takes generated packets in the order of their time.
type recordSink interface {
	// record returns space for one packet of wireBytes bytes, valid until the
	// next call.
	record(ns int64, wireBytes int) ([]byte, error)
}

// generator makes the packets of one capture. Its memory is bounded by the
// sessions alive at one moment: some 40 000 of mix at scale 1.
type generator struct {
	kind    kind
	rng     rng
	words   *words
	out     recordSink
	packets int64  // to be made
	limit   int64  // packets in the largest session
	everyNs uint64 // mean time between the starts of two sessions

	live    []session
	free    []int32
	next    schedule
	startNs int64 // of the next session
	nowNs   int64
	great   session // the elephant

	total genTotals
}

// genTotals is what was generated. A session counts from its first packet.
type genTotals struct {
	Packets, Sessions, WireBytes int64
}

// firstNs is the time of the captures' first packet: 2025-01-01T00:00:00Z.
const firstNs = int64(1735689600e9)

// generate writes a capture of the kind to out. The same kind, scale and seed
// give the same packets everywhere. Requires: scale > 0.
func generate(k kind, scale float64, seed uint64, out recordSink) (genTotals, error) {
	packets, sessions := scaled(k.packets, scale), scaled(k.sessions, scale)
	g := &generator{
		kind:    k,
		rng:     rng{state: seed},
		out:     out,
		packets: packets,
		limit:   max(3, packets/100),
		everyNs: uint64(captureNs / sessions),
		startNs: firstNs,
		nowNs:   firstNs,
	}
	g.words = newWords(&g.rng)
	if k.burst > 0 {
		g.startElephant()
	}
	for g.total.Packets < packets {
		if err := g.step(); err != nil {
			return g.total, err
		}
	}
	return g.total, nil
}

// scaled is the number of packets or sessions at a scale.
func scaled(n int64, scale float64) int64 {
	return max(1, int64(math.Round(float64(n)*scale)))
}

// startElephant makes the session that has most packets of the capture: a bulk
// transfer over TCP. No other session has its serial number.
func (g *generator) startElephant() {
	const serial = 60000*65000 - 1
	g.great.left = 1 << 62
	mixShape(&g.great, &g.rng, serial)
	g.great.ipv6 = false
	tcpShape(&g.great, &g.rng)
	g.great.small, g.great.full, g.great.answers = 60, 40, 60
	g.total.Sessions++
}

// step starts a session or sends one packet, whichever comes first in time.
func (g *generator) step() error {
	if len(g.next) == 0 || g.startNs < g.next[0].ns {
		g.start()
		return nil
	}
	d := g.next[0]
	if err := g.sendGreat(d.ns); err != nil {
		return err
	}
	s := &g.live[d.slot]
	if err := g.send(s, d.ns); err != nil {
		return err
	}
	if s.left == 0 {
		g.next.dropTop()
		g.free = append(g.free, d.slot)
		return nil
	}
	g.next.replaceTop(due{d.ns + g.gap(s), d.slot})
	return nil
}

// gap draws the time to a session's next packet: most of them come in bursts.
func (g *generator) gap(s *session) int64 {
	if g.rng.chance(75) {
		return int64(g.rng.below(uint64(s.gapNs) / 2))
	}
	return int64(g.rng.below(uint64(s.gapNs) * 6))
}

func (g *generator) start() {
	var slot int32
	if n := len(g.free); n > 0 {
		slot = g.free[n-1]
		g.free = g.free[:n-1]
	} else {
		slot = int32(len(g.live))
		g.live = append(g.live, session{})
	}
	s := &g.live[slot]
	*s = session{left: g.kind.size(&g.rng, g.limit)}
	g.kind.shape(s, &g.rng, uint64(g.total.Sessions))
	g.total.Sessions++
	g.next.push(due{g.startNs, slot})
	g.startNs += int64(g.rng.below(2 * g.everyNs))
}

// sendGreat sends the elephant's packets up to the time ns.
func (g *generator) sendGreat(ns int64) error {
	step := (ns - g.nowNs) / (g.kind.burst + 1)
	from := g.nowNs
	for i := range min(g.kind.burst, g.packets-g.total.Packets-1) {
		if err := g.send(&g.great, from+step*(i+1)); err != nil {
			return err
		}
	}
	return nil
}

func (g *generator) send(s *session, ns int64) error {
	var f frame
	g.compose(s, &f)
	dst, err := g.out.record(ns, f.wireBytes())
	if err != nil {
		return err
	}
	payload := f.put(dst)
	if s.text {
		g.words.fillText(payload, &g.rng)
	} else {
		fillRandom(payload, &g.rng)
	}
	g.nowNs = ns
	g.total.Packets++
	g.total.WireBytes += int64(len(dst))
	s.sent++
	s.left--
	return nil
}

// compose decides on direction, flags and payload of a session's next packet.
func (g *generator) compose(s *session, f *frame) {
	answer := s.sent > 0 && g.rng.chance(s.answers)
	if s.sent == 1 {
		answer = true // the first reply
	}
	side := 0
	f.from, f.to = s.client, s.server
	if answer {
		side = 1
		f.from, f.to = s.server, s.client
	}
	f.proto, f.ipv6, f.reply = s.proto, s.ipv6, answer
	f.ident = uint16(s.sent)
	f.options = s.options
	f.payload = g.payloadSize(s, f, answer)
	if s.proto == protoTCP {
		f.tcpFlags = g.kind.flags(s)
		if f.tcpFlags&(tcpSYN|tcpRST|tcpFIN) != 0 {
			f.payload = 0
		}
		f.seq, f.ack = s.seq[side], s.seq[1-side]
		s.seq[side] += uint32(f.payload)
		if f.tcpFlags&(tcpSYN|tcpFIN) != 0 {
			s.seq[side]++
		}
	}
}

func (g *generator) payloadSize(s *session, f *frame, answer bool) int {
	if answer && g.rng.chance(s.full) {
		return maxFrame - ethernetSize - f.ipSize() - f.transportSize()
	}
	return int(g.rng.below(s.small))
}

// flags returns the TCP flags of the session's next packet: SYN, data or FIN.
func (k *kind) flags(s *session) byte {
	switch {
	case s.sent == 0:
		return tcpSYN
	case s.sent == 1 && k.name == "scan":
		return tcpRST | tcpACK
	case s.sent == 1:
		return tcpSYN | tcpACK
	case s.left == 1:
		return tcpFIN | tcpACK
	}
	return tcpPSH | tcpACK
}
