package agg

import "pcapbatch/internal/flow"

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
		t.coverSessions(int(g))
		var hashes [groupSize]uint32
		for j := range g {
			hashes[j] = uint32(o.session(i + j).key.Hash(t.opt.Seed))
		}
		t.touch(hashes[:g])
		for j := range g {
			t.mergeSession(o, i+j, hashes[j])
		}
		i += g
	}
	t.newest = max(t.newest, o.newest)
	t.reordered += o.reordered
}

// mergeSession takes session n of o.
func (t *Table) mergeSession(o *Table, n uint32, hash uint32) {
	from := o.session(n)
	s, i := t.find(&from.key, hash)
	switch {
	case s == nil:
		s, i = t.insert(&from.key, hash)
	case t.ends.whole: // both are whole sessions: see Options
		s, i = t.renew(&from.key, hash)
	case t.endedBefore(s, from.first()):
		s.end(EndIdle)
		s, i = t.renew(&from.key, hash)
	default:
		t.join(sessionRef{t, s, i}, sessionRef{o, from, n})
		return
	}
	t.adopt(sessionRef{t, s, i}, sessionRef{o, from, n})
}

// A sessionRef is session i of a table.
type sessionRef struct {
	*Table
	s *Session
	i uint32
}

// adopt makes p a copy of a session of another table.
func (t *Table) adopt(p, from sessionRef) {
	s := p.s
	*s = *from.s
	if t.detailed {
		*t.heads.at(p.i, sessionShift) = *from.heads.at(from.i, sessionShift)
	}
	if class := s.state & classMask; class > 0 {
		s.block = t.block(class)
		copy(t.records.block(s.block, class), from.records.block(from.s.block, class))
		if t.detailed {
			copy(t.words.block(s.block, class), from.words.block(from.s.block, class))
		}
	}
	if from.s.large != 0 {
		s.large = 0
		*t.digestBlock(s) = *from.larges.at(from.s.large-1, largeShift)
		t.adoptBeside(p, from)
	}
}

// join appends a session of another table to p.
func (t *Table) join(p, from sessionRef) {
	s, f := p.s, from.s
	s.state |= f.state & (inexactGaps | sawRST | sawFINs)
	s.end(f.endReason())
	s.truncated += f.truncated
	kept := min(f.fill, keptRecords)
	clock := t.replay(p, from, 0, kept, f.first())
	if f.large != 0 {
		clock = t.mergeLarge(p, from, clock)
		if t.opt.folds() {
			kept, clock = t.replayDone(p, from, clock)
		}
	}
	t.replay(p, from, kept, f.fill, clock)
}

// replay gives p the records begin to end of from, whose clock stands at clock
// before them, and returns that clock behind them.
func (t *Table) replay(p, from sessionRef, begin, end uint8, clock int64) int64 {
	for j := begin; j < end; j++ {
		r := from.recordAt(from.s, j)
		if j > 0 {
			clock = int64(uint64(clock) + r.gap)
		}
		gap := t.follow(p.s, clock, j == 0 || r.gap > 0)
		if t.plain {
			t.append(p.s, record{gap, r.wire, r.payload})
			continue
		}
		d := flow.Detail(0)
		if t.detailed {
			d = *from.detailAt(from.s, from.i, j)
		}
		t.appendDetailed(p.s, p.i, record{gap, r.wire, r.payload}, d)
	}
	return clock
}

// follow sets the clock of s to clock, that of another session when a record
// of it came, and returns the gap before it in s. The clock of s never runs
// back, so a record that came before s had ended has gap 0, as it would have
// had in one pass.
func (t *Table) follow(s *Session, clock int64, moved bool) (gap uint64) {
	if clock < s.last {
		if moved {
			t.reordered++
		}
		return 0
	}
	gap = uint64(clock) - uint64(s.last)
	s.last = clock
	return gap
}

// mergeLarge takes what another session has folded away, with its clock at
// clock, and returns that clock as it stood afterwards.
//
// If s has not run ahead of that clock, this is exact. If it has, which of the
// folded gaps vanish is not known any more: all are taken as 0 except one,
// which makes up the time that s was behind, so that the gaps still add up to
// the duration.
func (t *Table) mergeLarge(p, from sessionRef, clock int64) int64 {
	s, l := p.s, from.larges.at(from.s.large-1, largeShift)
	fresh := s.large == 0
	dst := t.digestBlock(s)
	end := int64(uint64(clock) + l.moments[gapMetric].Sum)
	ahead, step := s.last > clock, uint64(0)
	if ahead && end > s.last {
		step = uint64(end) - uint64(s.last)
	}
	if !t.plain && dst.takes(l) {
		t.mergeBeside(p, from, &overlap{ahead, step, end}, fresh)
	}
	if !ahead {
		dst.merge(&t.scratch.digestScratch, l)
		s.last = end
		return end
	}
	s.state |= inexactGaps
	s.last = max(s.last, end)
	other := *l
	other.collapseGaps(&t.scratch.digestScratch, step, t.opt.IdleThreshold)
	dst.merge(&t.scratch.digestScratch, &other)
	return end
}

// collapseGaps makes the gaps behind l zeros and one of the given size.
func (l *large) collapseGaps(scr *digestScratch, step, threshold uint64) {
	l.idle = idleSum([]uint64{step}, threshold)
	l.moments[gapMetric] = collapsed(l.packets, step)
	l.digests[gapMetric].collapse(scr, l.packets, step)
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
