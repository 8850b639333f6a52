package agg

// Merge takes the sessions of o, which hold what comes after the sessions of
// t in capture order. Afterwards t is what it would have been, had the events
// of o been given to t instead, with these exceptions:
//
//   - The digest of a session of more than 128 packets has folded its values in
//     other portions, so its medians may differ within the digest's error.
//   - Where a session of more than 128 packets in o begins before its part in t
//     has ended, and goes on so for more than its first seven packets, only
//     the sum of its gaps is right: see mergeLarge. Such a session is marked,
//     and counted by InexactGaps.
//
// Both tables have the same options. o is left as it was.
func (t *Table) Merge(o *Table) {
	n := uint32(o.Len())
	for i := uint32(0); i < n; {
		g := min(n-i, groupSize)
		t.ensure(int(g))
		var hashes [groupSize]uint32
		for j := range g {
			hashes[j] = uint32(o.session(i + j).key.Hash(t.opt.Seed))
		}
		t.touch(hashes[:g])
		for j := range g {
			t.mergeSession(o, o.session(i+j), hashes[j])
		}
		i += g
	}
	t.newest = max(t.newest, o.newest)
	t.reordered += o.reordered
}

// mergeSession takes one session of o.
func (t *Table) mergeSession(o *Table, from *Session, hash uint32) {
	s := t.find(&from.key, hash)
	switch {
	case s == nil:
		s = t.insert(&from.key, hash)
	case t.endedBefore(s, from.first()):
		s = t.renew(&from.key, hash)
	default:
		t.join(s, o, from)
		return
	}
	t.adopt(s, o, from)
}

// endedBefore reports whether a packet at time begins a session of its own.
func (t *Table) endedBefore(s *Session, time int64) bool {
	return t.opt.IdleTimeout > 0 && time > s.last && uint64(time)-uint64(s.last) > t.opt.IdleTimeout
}

// adopt makes s a copy of a session of o.
func (t *Table) adopt(s *Session, o *Table, from *Session) {
	*s = *from
	if class := s.state & classMask; class > 0 {
		s.block = t.records.get(class)
		copy(t.records.block(s.block, class), o.records.block(from.block, class))
	}
	if from.large != 0 {
		s.large = 0
		*t.digestBlock(s) = *o.larges.at(from.large-1, largeShift)
	}
}

// join appends a session of o to s.
func (t *Table) join(s *Session, o *Table, from *Session) {
	s.state |= from.state & inexactGaps
	s.truncated += from.truncated
	kept := min(from.fill, keptRecords)
	clock := t.replayAll(s, o, from, 0, kept, from.first())
	if from.large != 0 {
		clock = t.mergeLarge(s, o.larges.at(from.large-1, largeShift), clock)
	}
	t.replayAll(s, o, from, kept, from.fill, clock)
}

// replayAll gives s the records begin to end of from, a session of o whose
// clock stands at clock before them, and returns that clock behind them.
func (t *Table) replayAll(s *Session, o *Table, from *Session, begin, end uint8, clock int64) int64 {
	for i := begin; i < end; i++ {
		r := o.recordAt(from, i)
		if i > 0 {
			clock = int64(uint64(clock) + r.gap)
		}
		t.replay(s, clock, i == 0 || r.gap > 0, r)
	}
	return clock
}

// replay gives s a record of a session whose own clock stood at clock when it
// came. The clock of s never runs back, so a record that came before s had
// ended has gap 0, as it would have had in one pass.
func (t *Table) replay(s *Session, clock int64, moved bool, r *record) {
	if clock < s.last {
		if moved {
			t.reordered++
		}
		t.append(s, record{0, r.wire, r.payload})
		return
	}
	gap := uint64(clock) - uint64(s.last)
	s.last = clock
	t.append(s, record{gap, r.wire, r.payload})
}

// mergeLarge takes what another session has folded away, with its clock at
// clock, and returns that clock as it stood afterwards.
//
// If s has not run ahead of that clock, this is exact. If it has, which of the
// folded gaps vanish is not known any more: all are taken as 0 except one,
// which makes up the time that s was behind, so that the gaps still add up to
// the duration.
func (t *Table) mergeLarge(s *Session, l *large, clock int64) int64 {
	dst := t.digestBlock(s)
	end := int64(uint64(clock) + l.moments[gapMetric].Sum)
	if s.last <= clock {
		dst.merge(&t.scratch.digestScratch, l)
		s.last = end
		return end
	}
	s.state |= inexactGaps
	other := *l
	step := uint64(0)
	if end > s.last {
		step = uint64(end) - uint64(s.last)
		s.last = end
	}
	other.collapseGaps(&t.scratch.digestScratch, step, t.opt.IdleThreshold)
	dst.merge(&t.scratch.digestScratch, &other)
	return end
}

// collapseGaps makes the gaps behind l zeros and one of the given size.
func (l *large) collapseGaps(scr *digestScratch, step, threshold uint64) {
	n := l.packets
	l.idle = idleSum([]uint64{step}, threshold)
	l.moments[gapMetric] = Moments{}
	l.moments[gapMetric].add([]uint64{step})
	l.moments[gapMetric].N = n
	if n > 1 {
		l.moments[gapMetric].Min = 0
	}
	l.digests[gapMetric] = digest{}
	l.digests[gapMetric].fold(scr, []uint64{step})
	if n > 1 {
		zeros := digest{n: 1}
		zeros.list[0] = atomOf(0, n-1)
		l.digests[gapMetric].merge(scr, &zeros)
	}
}

// InexactGaps returns the number of sessions of whose gaps only the sum is
// exact, because two summaries that were merged overlapped in time by more
// packets than a summary keeps as they came.
func (t *Table) InexactGaps() (n uint64) {
	for i := range uint32(t.Len()) {
		if t.session(i).state&inexactGaps != 0 {
			n++
		}
	}
	return n
}
