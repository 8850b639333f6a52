package agg

// This file merges what feature groups keep of folded packets, as merge.go
// does for the basic statistics, and calls it.

// overlap says how a session stands to the folded packets of another that are
// to follow it.
type overlap struct {
	ahead bool   // its clock has run ahead of them: see mergeLarge
	step  uint64 // then, how long after its clock the last of them came, ns
	end   int64  // the other session's clock after them
}

// adoptBeside copies what belongs to the digest block of from.
func (t *Table) adoptBeside(p, from sessionRef) {
	if t.plain {
		return
	}
	to, at := p.s.large-1, from.s.large-1
	if t.opt.folds() {
		*t.facts.at(to, largeShift) = *from.facts.at(at, largeShift)
	}
	if t.opt.Needs&NeedDirection != 0 {
		*t.sides.at(to, largeShift) = *from.sides.at(at, largeShift)
	}
	if t.opt.Needs&NeedQuantiles != 0 {
		*t.quantiles.at(to, largeShift) = *from.quantiles.at(at, largeShift)
	}
	if t.opt.Sequence > 0 {
		copy(t.sequences.at(to), from.sequences.at(at))
	}
}

// mergeBeside takes what from keeps of its folded packets into p, whose digest
// block is fresh or not. The clock of p is still that before them.
func (t *Table) mergeBeside(p, from sessionRef, o *overlap, fresh bool) {
	if fresh {
		t.beginLarge(p.s, p.i)
		t.mergeSequence(p, from)
	}
	if t.opt.folds() {
		t.mergeFacts(p, from, o)
	}
	if t.opt.Needs&NeedQuantiles == 0 {
		return
	}
	to, theirs := t.quantiles.at(p.s.large-1, largeShift), from.quantiles.at(from.s.large-1, largeShift)
	for m := range to {
		list := theirs[m].list[:theirs[m].n]
		if o.ahead && m == int(gapMetric) {
			gaps := digest{}
			gaps.collapse(&t.scratch.digestScratch, from.larges.at(from.s.large-1, largeShift).packets, o.step)
			list = gaps.list[:gaps.n]
		}
		to[m].take(&t.more.quantiles, list)
	}
}

// mergeSequence completes the first packets of p, which has just begun a
// digest block, with those of from. The first ones of from are among the
// records of p.
func (t *Table) mergeSequence(p, from sessionRef) {
	n := t.opt.Sequence
	have := min(n, int(p.s.fill))
	if have == n {
		return
	}
	to := t.sequences.at(p.s.large - 1)[have:]
	copy(to, from.sequences.at(from.s.large - 1)[keptRecords:])
	for i := range to {
		to[i].time = max(to[i].time, p.s.last)
	}
}

// mergeFacts takes the facts of from and the digests of its directions into p.
// The facts of p have all records of p afterwards, because what is folded in
// from comes after them.
func (t *Table) mergeFacts(p, from sessionRef, o *overlap) {
	f := t.facts.at(p.s.large-1, largeShift)
	t.foldFacts(p.s, p.i, f)
	theirs := &t.more.facts
	*theirs = *from.facts.at(from.s.large-1, largeShift)
	if o.ahead {
		buffered := from.packets(t.more.packets[:0], from.s, from.i, keptRecords, theirs.done, o.end)
		for i := range buffered {
			buffered[i].time = max(buffered[i].time, p.s.last)
		}
		theirs.raise(&t.opt, p.s.last, o.step, buffered)
	}
	v := &t.more.sides
	v.reset()
	f.join(&t.opt, theirs, v)
	t.foldSides(p.s, f, v)
	if t.opt.Needs&NeedDirection != 0 {
		t.mergeSides(p, from, theirs, o.ahead)
	}
}

// mergeSides takes the digests of the directions of from into p. Their facts
// may have been raised.
func (t *Table) mergeSides(p, from sessionRef, theirs *facts, raised bool) {
	scr := &t.scratch.digestScratch
	to, list := t.sides.at(p.s.large-1, largeShift), from.sides.at(from.s.large-1, largeShift)
	for d := range to {
		for m := range to[d] {
			if raised && m == int(gapMetric) {
				gaps := digest{}
				gaps.collapse(scr, theirs.direction[d].moments[m].N, theirs.direction[d].moments[m].Sum)
				to[d][m].merge(scr, &gaps)
				continue
			}
			to[d][m].merge(scr, &list[d][m])
		}
	}
}

// replayDone gives p the records of from that its facts had, which p's facts
// have by now, and returns the number of the next record and the clock of from
// before it.
func (t *Table) replayDone(p, from sessionRef, clock int64) (next uint8, after int64) {
	done := from.facts.at(from.s.large-1, largeShift).done
	for j := uint8(keptRecords); j < done; j++ {
		clock = t.replay(p, from, j, j+1, clock)
		t.facts.at(p.s.large-1, largeShift).done = p.s.fill
	}
	return done, clock
}
