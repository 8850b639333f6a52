package agg

// beside fills in what feature groups say of session i of t. It comes after
// basic, which leaves the values of the records in scratch.
func (z *Summarizer) beside(t *Table, i uint32, out *Summary) {
	if z.more == nil {
		z.more = new(moreScratch)
	}
	s := t.session(i)
	if t.opt.Needs&NeedQuantiles != 0 {
		z.quantiles(t, s, int(out.Packets-z.folded(t, s)))
	}
	forward := 0
	if s.state&reversed != 0 {
		forward = 1
	}
	z.sequence(t, s, i, forward)
	if t.opt.Needs&(NeedIP|NeedCommunityID) != 0 {
		m := &out.IP.ICMP
		m.Type, m.Code, m.Defined = t.heads.at(i, sessionShift)[0].ICMP()
	}
	if t.opt.folds() {
		z.facts(t, s, i)
		z.groups(t, s, forward, out)
	}
}

// folded returns the number of packets that s has folded away.
func (z *Summarizer) folded(t *Table, s *Session) uint64 {
	if s.large == 0 {
		return 0
	}
	return t.larges.at(s.large-1, largeShift).packets
}

// quantiles computes the quantiles asked of s, which has n records. Those of a
// small session are sorted by now: its medians were asked.
func (z *Summarizer) quantiles(t *Table, s *Session, n int) {
	z.Quantiles = z.Quantiles[:0]
	for range z.Asked {
		z.Quantiles = append(z.Quantiles, Quantiles{})
	}
	for m := range metrics {
		values := z.scr.values[m][:n]
		if m == gapMetric {
			values = values[1:]
		}
		var list []centroid
		if s.large != 0 {
			list = t.quantiles.at(s.large-1, largeShift)[m].with(&z.scr, &z.more.quantiles, values)
		}
		weight := weightOf(list)
		for k, q := range z.Asked {
			v := [metrics]*QuantileValue{&z.Quantiles[k].Gaps, &z.Quantiles[k].Lengths, &z.Quantiles[k].Payloads}[m]
			if s.large != 0 {
				*v = q.ofList(list, weight)
			} else {
				*v = q.ofSorted(values)
			}
		}
	}
}

// sequence makes the first packets of session i.
func (z *Summarizer) sequence(t *Table, s *Session, i uint32, forward int) {
	n := t.opt.Sequence
	z.Sequence = z.Sequence[:0]
	if n == 0 {
		return
	}
	var packets []packet
	if s.large != 0 {
		packets = t.sequences.at(s.large - 1)
	} else {
		packets = t.packets(z.more.packets[:0], s, i, 0, min(uint8(n), s.fill), s.first())
	}
	z.Sequence = sequenceOf(z.Sequence, packets, forward)
}

// facts makes the facts of all packets of session i: of the kept records, of
// what is folded away, and of the other records.
func (z *Summarizer) facts(t *Table, s *Session, i uint32) {
	f, v := &z.more.facts, &z.more.sides
	*f = facts{}
	v.reset()
	buffer := z.more.packets[:0]
	if s.large == 0 {
		f.add(&t.opt, t.packets(buffer, s, i, 0, s.fill, s.first()), v)
		return
	}
	folded := t.facts.at(s.large-1, largeShift)
	f.add(&t.opt, t.packets(buffer, s, i, 0, keptRecords, s.first()), v)
	f.join(&t.opt, folded, v)
	f.add(&t.opt, t.packets(buffer, s, i, folded.done, s.fill, f.last), v)
}

// groups makes the row of the facts in scratch.
func (z *Summarizer) groups(t *Table, s *Session, forward int, out *Summary) {
	f, v := &z.more.facts, &z.more.sides
	for i, d := range [...]int{forward, 1 - forward} {
		if t.opt.Needs&NeedDirection != 0 {
			var digests *[metrics]digest
			if s.large != 0 {
				digests = &t.sides.at(s.large-1, largeShift)[d]
			}
			f.direction[d].counts(&out.Directions[i])
			if f.direction[d].packets == f.packets { // all are of this direction
				out.Directions[i].Gaps, out.Directions[i].Lengths, out.Directions[i].Payloads = out.Gaps, out.Lengths, out.Payloads
			} else {
				f.direction[d].stats(&out.Directions[i], &z.scr, &v[d], digests)
			}
		}
		out.Flags[i] = f.flags[d]
		out.IP.TTL[i] = f.ip.ttl[d]
	}
	out.IP.Fragments = f.ip.fragments
	if t.opt.Needs&NeedTCP != 0 {
		f.tcp.summary(&out.TCP, s.key.Protocol, forward)
	}
	if t.opt.Needs&NeedActivity != 0 {
		f.activity.summary(&out.Activity, f.span)
	}
	if t.opt.Needs&NeedBulk != 0 {
		f.bulk.summary(&out.Bulk, forward)
	}
}
