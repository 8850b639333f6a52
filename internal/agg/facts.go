package agg

// facts is what feature groups know of a stretch of a session's packets,
// neighbours in the session's order, besides digests: of those that were folded
// away, or of all while a row is made. Each group adds packets one after the
// other, joins two stretches that follow each other, and can be raised.
//
// Directions are those of the key, 0 from Key.Src to Key.Dst; forward and
// backward exist in the row only.
type facts struct {
	span
	// done, of a session's digest block, is how many of its records are in
	// here already: at least keptRecords, which never are.
	done uint8

	direction [2]side
	flags     [2]flagCounts
	tcp       tcpFacts
	activity  activity
	bulk      bulks
	ip        ipFacts
}

// span is how many packets there are, and from when to when. The times are
// valid if there is a packet.
type span struct {
	packets     uint64
	first, last int64
}

// next takes a packet at time.
func (sp *span) next(time int64) {
	if sp.packets == 0 {
		sp.first = time
	}
	sp.packets++
	sp.last = time
}

// gap returns the time since the last packet. Requires: there is one.
func (sp *span) gap(time int64) uint64 { return uint64(time) - uint64(sp.last) }

// join takes the packets of o, which follow.
func (sp *span) join(o *span) {
	if sp.packets == 0 {
		sp.first = o.first
	}
	if o.packets > 0 {
		sp.last = o.last
	}
	sp.packets += o.packets
}

// longest returns the longest gap before one of packets, which follow those of
// sp.
func (sp span) longest(packets []packet) (gap uint64) {
	for i := range packets {
		if sp.packets > 0 {
			gap = max(gap, sp.gap(packets[i].time))
		}
		sp.next(packets[i].time)
	}
	return gap
}

// spanOf returns the span of packets.
func spanOf(packets []packet) *span {
	if len(packets) == 0 {
		return &span{}
	}
	return &span{uint64(len(packets)), packets[0].time, packets[len(packets)-1].time}
}

// add takes packets that follow those of f. Values of each direction go to v.
func (f *facts) add(o *Options, packets []packet, v *sideValues) {
	if len(packets) == 0 {
		return
	}
	if o.Needs&NeedDirection != 0 {
		for i := range packets {
			p := &packets[i]
			f.direction[p.detail.Side()].add(p, &v[p.detail.Side()])
		}
	}
	if o.Needs&NeedFlags != 0 {
		addFlags(&f.flags, packets)
	}
	if o.Needs&NeedTCP != 0 {
		for i := range packets {
			f.tcp.add(&packets[i], f.packets+uint64(i))
		}
	}
	longest := f.longest(packets)
	if o.Needs&NeedActivity != 0 {
		f.activity.add(packets, f.span, longest, o.IdleThreshold)
	}
	if o.Needs&NeedBulk != 0 {
		f.bulk.add(packets, f.span, longest)
	}
	if o.Needs&NeedIP != 0 {
		for i := range packets {
			f.ip.add(&packets[i])
		}
	}
	f.span.join(spanOf(packets))
}

// join takes the stretch n, which follows that of f. Values that lie between
// the two go to v.
func (f *facts) join(o *Options, n *facts, v *sideValues) {
	if n.packets == 0 {
		return
	}
	if o.Needs&NeedDirection != 0 {
		for d := range f.direction {
			f.direction[d].join(&n.direction[d], &v[d])
		}
	}
	if o.Needs&NeedFlags != 0 {
		for d := range f.flags {
			f.flags[d].join(&n.flags[d])
		}
	}
	if o.Needs&NeedTCP != 0 {
		f.tcp.join(&n.tcp, f.packets)
	}
	if o.Needs&NeedActivity != 0 {
		f.activity.join(&n.activity, f.span, n.span, o.IdleThreshold)
	}
	if o.Needs&NeedBulk != 0 {
		f.bulk.join(&n.bulk, f.span, n.span)
	}
	if o.Needs&NeedIP != 0 {
		f.ip.join(&n.ip)
	}
	f.span.join(&n.span)
}

// raise makes f what is known of its packets when the session they are joined
// to has run ahead to the time from: packets before it came at it. step is how
// long after it the last of the folded packets came; buffered are those of f
// that are known one by one, as they come then. See mergeLarge.
func (f *facts) raise(o *Options, from int64, step uint64, buffered []packet) {
	folded := span{f.packets - uint64(len(buffered)), from, int64(uint64(from) + step)}
	f.span = folded
	f.span.join(spanOf(buffered))
	for d := range f.direction {
		f.direction[d].raise(from)
	}
	f.tcp.raise(from)
	f.activity = activity{}
	f.activity.collapse(folded, o.IdleThreshold)
	f.activity.add(buffered, folded, folded.longest(buffered), o.IdleThreshold)
	f.bulk.raise(from, f.last)
	f.bulk.slow = 0
	if step > subflowGap {
		f.bulk.slow++
	}
	f.bulk.addGaps(buffered, folded)
}
