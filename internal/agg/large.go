package agg

// metric numbers the three quantities of which every session has statistics.
type metric int

const (
	gapMetric metric = iota
	lengthMetric
	payloadMetric
	metrics
)

// large holds what a session of more than exactRecords packets has folded
// away: every packet that is neither in its head nor in its block.
type large struct {
	packets   uint64
	truncated uint64
	idle      uint64 // sum of the gaps above the idle threshold, ns
	moments   [metrics]Moments
	digests   [metrics]digest
}

// reset empties l. It leaves the centroids alone, which would be 6 KiB to
// clear: those beyond a digest's n are never looked at.
func (l *large) reset() {
	l.packets, l.truncated, l.idle = 0, 0, 0
	for m := range metrics {
		l.moments[m] = Moments{}
		l.digests[m].n = 0
	}
}

// fold moves the records of s behind the kept ones into its digest block.
// Requires: s has a digest block, which is l.
func (t *Table) fold(s *Session, l *large) {
	n := 0
	v := &t.scratch.values
	blocks := t.records.block(s.block, s.state&classMask)[(keptRecords-headRecords)/unitRecords:]
	for left := int(s.fill) - keptRecords; left > 0; left -= unitRecords {
		u := &blocks[n/unitRecords]
		for i := range min(left, unitRecords) {
			v[gapMetric][n], v[lengthMetric][n], v[payloadMetric][n] = u[i].gap, uint64(u[i].wire), uint64(u[i].payload)
			n++
		}
	}
	l.packets += uint64(n)
	l.truncated += uint64(s.truncated)
	l.idle += idleSum(v[gapMetric][:n], t.opt.IdleThreshold)
	for m := range metrics {
		l.moments[m].add(v[m][:n])
		l.digests[m].fold(&t.scratch.digestScratch, v[m][:n])
	}
	s.truncated = 0
	s.fill = keptRecords
}

// idleSum adds up the gaps above threshold.
func idleSum(gaps []uint64, threshold uint64) (sum uint64) {
	for _, g := range gaps {
		if g > threshold {
			sum += g
		}
	}
	return sum
}

// mostPackets bounds the packets behind a session, so that no weight and no
// rank overflows. Captures do not hold as many; forged summaries claim them.
const mostPackets = 1 << 62

// takes reports whether merge takes o in.
func (l *large) takes(o *large) bool { return o.packets <= mostPackets-min(l.packets, mostPackets) }

// merge takes what o has folded away into l, or leaves l as it is where that
// would be more than mostPackets.
func (l *large) merge(scr *digestScratch, o *large) {
	if !l.takes(o) {
		return
	}
	l.packets += o.packets
	l.truncated += o.truncated
	l.idle += o.idle
	for m := range metrics {
		l.moments[m].merge(&o.moments[m])
		l.digests[m].merge(scr, &o.digests[m])
	}
}
