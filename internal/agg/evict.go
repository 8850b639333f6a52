package agg

// Evict takes the sessions that have ended out of t: those that were followed
// by another of their key, and those whose last packet is more than the idle
// time-out before the newest packet of t (see ended). It calls put, during which
// KeyOrder lists these sessions alone and Reordered is what belongs to them. If
// put returns nil they leave t, and their memory is used for sessions to come.
// The others stay as they are, renumbered.
//
// It does nothing where that would not pay: without a rule that ends sessions,
// where all have ended because they were gathered, or while less than half of
// the sessions have ended. It looks at the sessions only when there are twice as
// many as had not ended when it looked last, so its work is linear in the number
// of sessions that t ever had. A caller that is pressed has no room for more: then
// it looks at them in any case, and an eighth is enough.
//
// That an evicted session has ended is a guess: a packet that comes late may
// still be of it. It begins a session of its own then, and belongs to the
// evicted one where both are merged (Absorb). With a rule that needs the whole
// session nothing is guessed.
func (t *Table) Evict(put func() error, pressed bool) error {
	if t.gathered || !t.ends.any || t.Len() < 2*t.live && !pressed {
		return nil
	}
	t.live = 0
	for i := range uint32(t.Len()) {
		if !t.ended(t.session(i)) {
			t.live++
		}
	}
	ended, pays := t.Len()-t.live, t.Len()/2
	if pressed {
		pays = t.Len() / 8
	}
	if ended == 0 || ended < pays {
		return nil
	}
	t.evicting = true
	err := put()
	t.evicting = false
	if err == nil {
		t.remove(t.ended)
		t.reordered = 0
	}
	return err
}

// ended reports whether a session is over, as far as t can know. With a rule
// that needs the whole session, only what was followed by another session of
// its key is: a late packet could not be put right by merging.
func (t *Table) ended(s *Session) bool {
	return s.endReason() != EndInput || !t.ends.whole && t.endedBefore(s, t.newest)
}

// remove moves the sessions that leaves does not name to the front. Their
// records stay where they are; those of the others are free.
func (t *Table) remove(leaves func(s *Session) bool) {
	clear(t.slots)
	t.keys = 0
	n := uint32(t.Len())
	t.sessions.reset()
	for i := range n {
		s := t.session(i)
		if leaves(s) {
			t.forget(s)
			continue
		}
		to, at := t.another(&s.key, uint32(s.key.Hash(t.opt.Seed)))
		*to = *s
		if t.detailed {
			*t.heads.at(at, sessionShift) = *t.heads.at(i, sessionShift)
		}
	}
}

// forget takes back what s has besides itself.
func (t *Table) forget(s *Session) {
	if class := s.state & classMask; class > 0 {
		t.records.put(s.block, class)
	}
	if s.large != 0 {
		t.larges.at(s.large-1, largeShift).packets = uint64(t.freeLarge)
		t.freeLarge = s.large
		t.freeLarges++
	}
}
