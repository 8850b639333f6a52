package agg

// activity is what is kept of the active and idle periods of a stretch of a
// session. Gaps above the threshold are idle periods and cut it into active
// ones; of those the first and the last are open, because what stands before
// and after the stretch may go on with them, and only their borders are kept.
//
// Where two stretches join, the gap between them is an idle period, or joins
// the last active period of one and the first of the other.
type activity struct {
	idle   Moments // of the idle periods, ns
	closed Moments // of the active periods but the first and the last, ns
	// firstEnd is the end of the first active period, valid if there is an
	// idle one; begin the beginning of the last.
	firstEnd, begin int64
}

// add takes packets that follow those of sp, with gaps of at most longest before
// them.
func (a *activity) add(packets []packet, sp span, longest, threshold uint64) {
	if longest <= threshold { // the period goes on
		if sp.packets == 0 && len(packets) > 0 {
			a.begin = packets[0].time
		}
		return
	}
	for i := range packets {
		p := &packets[i]
		switch {
		case sp.packets == 0:
			a.begin = p.time
		case sp.gap(p.time) > threshold:
			a.close(sp.last)
			a.idle.add([]uint64{sp.gap(p.time)})
			a.begin = p.time
		}
		sp.next(p.time)
	}
}

// close ends the last active period at time.
func (a *activity) close(time int64) {
	if a.idle.N == 0 {
		a.firstEnd = time
	} else {
		a.closed.add([]uint64{uint64(time) - uint64(a.begin)})
	}
}

// join takes the stretch o with the span os, which follows that of a with sp.
func (a *activity) join(o *activity, sp, os span, threshold uint64) {
	switch {
	case sp.packets == 0:
		*a = *o
		return
	case sp.gap(os.first) > threshold:
		a.close(sp.last)
		a.idle.add([]uint64{sp.gap(os.first)})
		a.begin = os.first
	}
	if o.idle.N == 0 {
		return // all of o is one period, which is the last one now
	}
	a.close(o.firstEnd)
	a.idle.merge(&o.idle)
	a.closed.merge(&o.closed)
	a.begin = o.begin
}

// collapse makes a that of packets all at the first time of sp, or all but the
// last, or all at the last time: which, is not known and does not matter.
func (a *activity) collapse(sp span, threshold uint64) {
	a.begin = sp.first
	if step := uint64(sp.last) - uint64(sp.first); step > threshold {
		a.close(sp.first)
		a.idle.add([]uint64{step})
		a.begin = sp.last
	}
}

// ActivitySummary is what a row says of activity: moments of the lengths of
// the active periods, at least one, and of the idle periods, in ns.
type ActivitySummary struct{ Active, Idle Moments }

// summary makes the row of a stretch that is a whole session.
func (a *activity) summary(out *ActivitySummary, sp span) {
	out.Active, out.Idle = a.closed, a.idle
	if a.idle.N > 0 {
		out.Active.add([]uint64{uint64(a.firstEnd) - uint64(sp.first)})
	}
	out.Active.add([]uint64{uint64(sp.last) - uint64(a.begin)})
}
