package agg

import (
	"slices"

	"pcapbatch/internal/flow"
)

// refFeatures computes what feature groups say of a session from its packets,
// by the definitions of docs/semantics.md.
func refFeatures(s *refSession, o *Options, got *Summary) (want Summary) {
	want = *got // the medians, which checkSide looks at
	forward := s.all[0].detail.Side()
	for i, side := range [2]int{forward, 1 - forward} {
		refSide(s, side, &want, i)
	}
	want.TCP = refTCP(s, forward)
	want.Activity = refActivity(s.all, o.IdleThreshold)
	want.Bulk = refBulk(s.all, forward)
	want.IP.Fragments = 0
	for _, p := range s.all {
		if p.detail.Fragment() {
			want.IP.Fragments++
		}
	}
	m := &want.IP.ICMP
	m.Type, m.Code, m.Defined = s.all[0].detail.ICMP()
	return want
}

func refSide(s *refSession, side int, want *Summary, i int) {
	d, ttl := &want.Directions[i], &want.IP.TTL[i]
	*d = DirectionSummary{Gaps: d.Gaps, Lengths: d.Lengths, Payloads: d.Payloads}
	*ttl = TTLRange{}
	want.Flags[i] = [8]uint64{}
	for _, p := range s.all {
		if p.detail.Side() != side {
			continue
		}
		header := uint64(p.detail.Header())
		if d.Packets == 0 {
			d.First, d.HeaderMin = p.time, header
			*ttl = TTLRange{true, p.detail.TTL(), p.detail.TTL()}
		}
		d.Last = p.time
		d.Packets++
		d.HeaderBytes += header
		d.HeaderMin = min(d.HeaderMin, header)
		ttl.Min, ttl.Max = min(ttl.Min, p.detail.TTL()), max(ttl.Max, p.detail.TTL())
		if p.payload > 0 {
			d.DataPackets++
		}
		if flags, ok := p.detail.TCPFlags(); ok {
			for bit := range 8 {
				want.Flags[i][bit] += uint64(flags >> bit & 1)
			}
		}
	}
}

// side returns the three quantities of one direction.
func (s *refSession) side(side int) (gaps, lengths, payloads []uint64) {
	last := int64(0)
	for _, p := range s.all {
		if p.detail.Side() != side {
			continue
		}
		if len(lengths) > 0 {
			gaps = append(gaps, distance(last, p.time))
		}
		last = p.time
		lengths, payloads = append(lengths, uint64(p.wire)), append(payloads, uint64(p.payload))
	}
	return gaps, lengths, payloads
}

// firstWhere returns the number of the first packet of a side, or -1 of any,
// whose flags masked are want; -1 if there is none.
func firstWhere(all []packet, side int, mask, want uint8) int {
	return slices.IndexFunc(all, func(p packet) bool {
		flags, ok := p.detail.TCPFlags()
		return ok && (side < 0 || p.detail.Side() == side) && flags&mask == want
	})
}

func refTCP(s *refSession, forward int) (out TCPSummary) {
	for i, side := range [2]int{forward, 1 - forward} {
		for _, p := range s.all {
			if w, ok := p.detail.Window(); ok && p.detail.Side() == side {
				out.Window[i] = Window{true, w}
				break
			}
		}
	}
	const syn, ack = flow.SYN, flow.ACK
	if s.key.Protocol != 6 {
		return out
	}
	out.State = refState(s, forward)
	i := firstWhere(s.all, -1, syn|ack, syn)
	if i < 0 {
		return out
	}
	side := s.all[i].detail.Side()
	j := firstWhere(s.all, 1-side, syn|ack, syn|ack)
	if j < i {
		return out
	}
	out.SYNToSYNACK = Elapsed{true, distance(s.all[i].time, s.all[j].time)}
	if k := firstWhere(s.all, side, syn|ack|flow.RST, ack); k > j {
		out.SYNACKToACK = Elapsed{true, distance(s.all[j].time, s.all[k].time)}
	}
	return out
}

func refState(s *refSession, forward int) State {
	const syn, ack = flow.SYN, flow.ACK
	o := forward
	if i := firstWhere(s.all, -1, syn|ack, syn); i >= 0 {
		o = s.all[i].detail.Side()
	} else if i := firstWhere(s.all, -1, syn|ack, syn|ack); i >= 0 {
		o = 1 - s.all[i].detail.Side()
	}
	has := func(side int, mask, want uint8) bool { return firstWhere(s.all, side, mask, want) >= 0 }
	sent, answered := has(o, syn|ack, syn), has(1-o, syn|ack, syn|ack)
	established := answered && (sent || has(o, syn|ack, ack))
	fin := [2]bool{}
	rst := -1
	for _, p := range s.all {
		flags, ok := p.detail.TCPFlags()
		if ok && flags&flow.RST != 0 && rst < 0 && !(fin[0] && fin[1]) {
			rst = p.detail.Side()
		}
		if ok && flags&flow.FIN != 0 {
			fin[p.detail.Side()] = true
		}
	}
	switch {
	case rst == o && answered:
		return StateRSTO
	case rst == o:
		return StateRSTOS0
	case rst >= 0 && sent && !answered:
		return StateREJ
	case rst >= 0 && (sent || established):
		return StateRSTR
	case rst >= 0:
		return StateRSTRH
	case fin[0] && fin[1]:
		return StateSF
	case fin[o] && answered:
		return StateS2
	case fin[o]:
		return StateSH
	case fin[1-o] && (sent || established):
		return StateS3
	case fin[1-o]:
		return StateSHR
	case sent && !has(1-o, 0, 0):
		return StateS0
	case established:
		return StateS1
	}
	return StateOTH
}

func refActivity(all []packet, threshold uint64) ActivitySummary {
	var active, idle []uint64
	begin := all[0].time
	for i := 1; i < len(all); i++ {
		if gap := distance(all[i-1].time, all[i].time); gap > threshold {
			active, idle, begin = append(active, distance(begin, all[i-1].time)), append(idle, gap), all[i].time
		}
	}
	active = append(active, distance(begin, all[len(all)-1].time))
	slices.Sort(active)
	slices.Sort(idle)
	return ActivitySummary{refMoments(active), refMoments(idle)}
}

func refBulk(all []packet, forward int) (out BulkSummary) {
	out.Subflows = 1
	var list []packet
	end := func() {
		if len(list) >= 4 {
			c := &out.Bulks[(list[0].detail.Side()+forward)%2]
			c.Bulks++
			c.Packets += uint64(len(list))
			c.Duration += distance(list[0].time, list[len(list)-1].time)
			for _, p := range list {
				c.Bytes += uint64(p.payload)
			}
		}
		list = nil
	}
	for i, p := range all {
		if i > 0 && distance(all[i-1].time, p.time) > 1e9 {
			out.Subflows++
		}
		if p.payload == 0 {
			continue
		}
		if len(list) > 0 && (list[0].detail.Side() != p.detail.Side() || distance(list[len(list)-1].time, p.time) > 1e9) {
			end()
		}
		list = append(list, p)
	}
	end()
	return out
}
