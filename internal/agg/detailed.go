package agg

import "pcapbatch/internal/flow"

// This file is the way of packets into tables that are not plain. It does what
// Update, touch, update and append do, and keeps the details beside the
// records; the short way is left as it is for runs that need none.

// UpdateDetailed is Update with the details of the events, a list as long as
// that of the events. It may be nil if Options.Details() is false. The
// direction of a detail is not looked at: it is that of its event.
func (t *Table) UpdateDetailed(events []flow.Event, details []flow.Detail, order []uint16) {
	if t.plain {
		t.Update(events, order)
		return
	}
	t.updateDetailed(events, details, order)
}

func (t *Table) updateDetailed(events []flow.Event, details []flow.Detail, order []uint16) {
	for len(order) > 0 {
		n := min(len(order), groupSize)
		t.ensure(n)
		t.coverSessions(n)
		var hashes [groupSize]uint32
		for i, o := range order[:n] {
			hashes[i] = events[o].Hash
		}
		t.touchBeside(hashes[:n])
		var s *Session
		var at uint32
		for i, o := range order[:n] {
			ev := &events[o]
			if i == 0 || hashes[i] != hashes[i-1] || !s.key.Equal(&ev.Key) {
				s, at = t.find(&ev.Key, hashes[i])
			}
			d := flow.Detail(0)
			if t.detailed {
				d = details[o].WithReversed(ev.Flags)
			}
			s, at = t.take(s, at, ev, d)
		}
		order = order[n:]
	}
}

// touchBeside is touch, and loads the details that the packets write next too.
func (t *Table) touchBeside(hashes []uint32) {
	if !t.detailed {
		t.touch(hashes)
		return
	}
	var sum uint64
	for _, h := range hashes {
		sum += t.slots[h&t.mask]
	}
	var found [groupSize]uint32
	n := 0
	last := ^hashes[0]
	for _, h := range hashes {
		if h == last {
			continue // packets of one session often follow each other
		}
		last = h
		for i := h & t.mask; t.slots[i] != 0; i = (i + 1) & t.mask {
			if slot := t.slots[i]; uint32(slot>>32) == h {
				found[n] = uint32(slot) - 1
				n++
				break
			}
		}
	}
	for _, i := range found[:n] {
		sum += uint64(t.session(i).fill) + uint64(t.heads.at(i, sessionShift)[0])
	}
	for _, i := range found[:n] {
		s := t.session(i)
		if f := s.fill; f < headRecords {
			sum += s.head[f].gap
		} else if c := classRecords[s.state&classMask]; f < c {
			at := s.block + uint32(f-headRecords)/unitRecords
			sum += t.records.at(at, unitShift)[f%unitRecords].gap + uint64(t.words.at(at, unitShift)[0])
		}
	}
	t.scratch.touched += sum
}

// take gives ev to s, the newest session of its key, which is session i, or to
// a new one if s is nil, and returns the key's newest session afterwards.
func (t *Table) take(s *Session, i uint32, ev *flow.Event, d flow.Detail) (*Session, uint32) {
	gap, ok := uint64(0), false
	if s == nil {
		s, i = t.insert(&ev.Key, ev.Hash)
	} else if gap, ok = t.advance(s, ev); !ok {
		s, i = t.renew(&ev.Key, ev.Hash)
	}
	if ok {
		t.appendDetailed(s, i, record{gap, ev.WireBytes, ev.PayloadBytes}, d)
	} else {
		s.init(&ev.Key, ev.Flags&flow.Reversed != 0, ev.Time, ev.WireBytes, ev.PayloadBytes)
		if t.detailed {
			t.heads.at(i, sessionShift)[0] = d
		}
	}
	if t.ends.tcp {
		s.noteClosing(ev.Flags)
	}
	s.truncated += uint16(ev.Flags / flow.Truncated)
	t.newest = max(t.newest, ev.Time)
	return s, i
}

// appendDetailed adds a record after the last one of s, which is session i.
func (t *Table) appendDetailed(s *Session, i uint32, r record, d flow.Detail) {
	if s.fill == classRecords[s.state&classMask] {
		if s.state&classMask < lastClass {
			t.grow(s)
		} else {
			t.foldDetailed(s, i)
		}
	}
	*t.recordAt(s, s.fill) = r
	if t.detailed {
		*t.detailAt(s, i, s.fill) = d
	}
	s.fill++
}

// foldDetailed is fold for tables that are not plain. Requires: s is full.
func (t *Table) foldDetailed(s *Session, i uint32) {
	fresh := s.large == 0
	l := t.digestBlock(s)
	if fresh {
		t.beginLarge(s, i)
	}
	if t.opt.folds() {
		f := t.facts.at(s.large-1, largeShift)
		t.foldFacts(s, i, f)
		f.done = keptRecords
	}
	if t.opt.Needs&NeedQuantiles != 0 {
		t.foldQuantiles(s)
	}
	t.fold(s, l)
}

// beginLarge makes what belongs to the new digest block of s, which is session
// i. The sequence has as many packets as s has records.
func (t *Table) beginLarge(s *Session, i uint32) {
	at := s.large - 1
	if t.opt.folds() {
		*t.facts.at(at, largeShift) = facts{done: keptRecords}
	}
	if t.opt.Needs&NeedDirection != 0 {
		for _, side := range [...]*[metrics]digest{&t.sides.at(at, largeShift)[0], &t.sides.at(at, largeShift)[1]} {
			for m := range side {
				side[m].n = 0
			}
		}
	}
	if t.opt.Needs&NeedQuantiles != 0 {
		for m := range metrics {
			t.quantiles.at(at, largeShift)[m].n = 0
		}
	}
	if n := t.opt.Sequence; n > 0 {
		t.packets(t.sequences.at(at)[:0], s, i, 0, min(uint8(n), s.fill), s.first())
	}
}

// foldFacts takes the records of s, which is session i, that f has not into f
// and the digests of the directions.
func (t *Table) foldFacts(s *Session, i uint32, f *facts) {
	clock := f.last
	if f.packets == 0 {
		clock = t.keptClock(s)
	}
	v := &t.more.sides
	v.reset()
	packets := t.packets(t.more.packets[:0], s, i, f.done, s.fill, clock)
	f.add(&t.opt, packets, v)
	t.foldSides(s, f, v)
	f.done = s.fill
}

// foldSides takes values of the directions into the moments in f and into the
// digests of s.
func (t *Table) foldSides(s *Session, f *facts, v *sideValues) {
	if t.opt.Needs&NeedDirection == 0 {
		return
	}
	d := t.sides.at(s.large-1, largeShift)
	for side := range d {
		f.direction[side].fold(&t.scratch.digestScratch, &v[side], &d[side])
	}
}

// foldQuantiles takes the records of s after the kept ones into its digests
// for quantiles.
func (t *Table) foldQuantiles(s *Session) {
	n := t.gather(s, &t.scratch.values)
	for m := range metrics {
		values := t.scratch.values[m][keptRecords:n]
		t.quantiles.at(s.large-1, largeShift)[m].fold(&t.scratch.digestScratch, &t.more.quantiles, values)
	}
}
