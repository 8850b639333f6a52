package agg

// A bulk is a run of at least four data packets of one direction, without one
// of the other between them, and with at most a second between neighbours.
// Subflows are cut at gaps of more than a second.
const (
	bulkPackets = 4
	bulkGap     = 1_000_000_000 // ns
	subflowGap  = 1_000_000_000 // ns
)

// bulks is what is kept of the bulks of a stretch of a session. Runs of data
// packets that other runs enclose are counted, if long enough; the first and
// the last are open, because they may go on before and after the stretch.
//
// Where two stretches join, the last run of one and the first of the other are
// one run if they are of one direction and close enough, else both are closed.
type bulks struct {
	runs        uint8 // 0; 1: last is all; 2: first and last, and what is counted
	first, last burst
	sums        [2]BulkCounts // of closed runs, by direction
	slow        uint64        // gaps above subflowGap
}

// A burst is a run of data packets, long enough to be a bulk or not.
type burst struct {
	packets, bytes uint64 // payload bytes
	begin, end     int64
	side           uint8
}

// takes reports whether a data packet of a side goes on with the run.
func (r *burst) takes(side uint8, time int64) bool {
	return r.side == side && uint64(time)-uint64(r.end) <= bulkGap
}

// BulkCounts are the bulks of one direction of a session.
type BulkCounts struct {
	Bulks, Packets uint64
	Bytes          uint64 // payload
	Duration       uint64 // from first to last packet, summed, ns
}

func (c *BulkCounts) add(r *burst) {
	if r.packets >= bulkPackets {
		c.join(&BulkCounts{1, r.packets, r.bytes, uint64(r.end) - uint64(r.begin)})
	}
}

func (c *BulkCounts) join(o *BulkCounts) {
	c.Bulks += o.Bulks
	c.Packets += o.Packets
	c.Bytes += o.Bytes
	c.Duration += o.Duration
}

// add takes packets that follow those of sp, with gaps of at most longest before
// them.
func (b *bulks) add(packets []packet, sp span, longest uint64) {
	if longest > subflowGap {
		b.addGaps(packets, sp)
	}
	for i := range packets {
		p := &packets[i]
		if p.payload == 0 {
			continue
		}
		side := uint8(p.detail.Side())
		if l := &b.last; b.runs > 0 && l.takes(side, p.time) { // take, without a burst of its own
			l.packets++
			l.bytes += uint64(p.payload)
			l.end = p.time
			continue
		}
		b.take(&burst{1, uint64(p.payload), p.time, p.time, side})
	}
}

// addGaps counts the gaps before packets that follow those of sp.
func (b *bulks) addGaps(packets []packet, sp span) {
	for i := range packets {
		if sp.packets > 0 && sp.gap(packets[i].time) > subflowGap {
			b.slow++
		}
		sp.next(packets[i].time)
	}
}

// take takes a run that follows the others.
func (b *bulks) take(r *burst) {
	if b.runs == 0 {
		b.runs, b.last = 1, *r
		return
	}
	if l := &b.last; l.takes(r.side, r.begin) {
		l.packets += r.packets
		l.bytes += r.bytes
		l.end = r.end
		return
	}
	b.closeLast()
	b.last = *r
}

// closeLast ends the last run, for another to take its place.
func (b *bulks) closeLast() {
	if b.runs == 1 {
		b.runs, b.first = 2, b.last
	} else {
		b.sums[b.last.side].add(&b.last)
	}
}

// join takes the stretch o with the span os, which follows that of b with sp.
func (b *bulks) join(o *bulks, sp, os span) {
	if sp.packets > 0 && sp.gap(os.first) > subflowGap {
		b.slow++
	}
	b.slow += o.slow
	if o.runs == 0 {
		return
	}
	if o.runs == 1 {
		b.take(&o.last)
		return
	}
	b.take(&o.first)
	b.closeLast()
	for d := range b.sums {
		b.sums[d].join(&o.sums[d])
	}
	b.last = o.last
}

// raise lets packets come at from that came before it, and the last at end.
// Runs stay as they were, though some may have come closer to each other; those
// that are closed last no longer than there is time.
func (b *bulks) raise(from, end int64) {
	for _, r := range [...]*burst{&b.first, &b.last} {
		r.begin, r.end = max(r.begin, from), max(r.end, from)
	}
	for d := range b.sums {
		b.sums[d].Duration = min(b.sums[d].Duration, uint64(end)-uint64(from))
	}
}

// BulkSummary is what a row says of bulks.
type BulkSummary struct {
	Bulks    [2]BulkCounts // forward, backward
	Subflows uint64
}

// summary makes the row of a stretch that is a whole session, with the given
// side as the forward one.
func (b *bulks) summary(out *BulkSummary, forward int) {
	sums := b.sums
	switch b.runs {
	case 2:
		sums[b.first.side].add(&b.first)
		fallthrough
	case 1:
		sums[b.last.side].add(&b.last)
	}
	out.Bulks = [2]BulkCounts{sums[forward], sums[1-forward]}
	out.Subflows = 1 + b.slow
}
