package agg

import (
	"math/bits"

	"pcapbatch/internal/flow"
)

// A Summary is what a row says of one session. It holds no pointers and stays
// valid when the table goes. What belongs to feature groups is valid if the
// table's Needs have them.
type Summary struct {
	Key         flow.Key // from the sender of the first packet to its receiver
	First, Last int64    // packet times, ns since the epoch
	Packets     uint64   // >= 1
	Truncated   uint64   // packets with capture length < wire length
	Idle        uint64   // sum of the gaps above the idle threshold, ns
	Gaps        Stats    // interarrival times, ns; Packets-1 of them
	Lengths     Stats    // wire lengths, bytes
	Payloads    Stats    // payload sizes, bytes
	End         EndReason
	Capture     uint32 // with Options.Captures, its place in capture order, from 0

	// Of two directions the forward one, from the row's source, is first.
	Directions [2]DirectionSummary // NeedDirection
	Flags      [2][8]uint64        // NeedFlags: packets by TCP flag, FIN first, CWR last
	TCP        TCPSummary          // NeedTCP
	Activity   ActivitySummary     // NeedActivity
	Bulk       BulkSummary         // NeedBulk
	IP         IPSummary           // NeedIP; ICMP also NeedCommunityID
}

// Duration is the time from the first to the last packet in ns: the sum of
// all gaps.
func (s *Summary) Duration() uint64 { return uint64(s.Last) - uint64(s.First) }

// Stats are the statistics of one quantity of a session.
type Stats struct {
	Moments
	Median
}

// A Summarizer makes summaries of the sessions of tables that are no longer
// updated. It belongs to one goroutine; several may read one table.
// The zero value is ready.
type Summarizer struct {
	// Asked are the quantiles that Quantiles has. They need NeedQuantiles.
	Asked []Quantile
	// Quantiles of the session, in the order asked, and its first packets, at
	// most Options.Sequence. Both are valid until the next call.
	Quantiles []Quantiles
	Sequence  []SequencePacket

	// Gaps, if there is one, is shown the interarrival times of each session.
	Gaps GapTaker

	scr  digestScratch
	more *moreScratch
}

// A GapTaker is shown the interarrival times of sessions, in ns.
type GapTaker interface {
	// GapsOf takes exact values. It must not keep or change the slice.
	GapsOf(values []uint64)
	// GapsNear takes n values of which only the mean is known, because the
	// digest of a large session has joined them.
	GapsNear(value, n uint64)
}

// Summarize fills out with session i of t. Requires: i < t.Len().
func (z *Summarizer) Summarize(t *Table, i uint32, out *Summary) {
	z.basic(t, i, out)
	if !t.plain {
		z.beside(t, i, out)
	}
}

func (z *Summarizer) basic(t *Table, i uint32, out *Summary) {
	s := t.session(i)
	s.putRowKey(&out.Key)
	out.First, out.Last = s.first(), s.last
	out.End = s.endReason()
	out.Capture = t.captureOf(i)
	out.Truncated = uint64(s.truncated)
	if s.fill == 1 && s.large == 0 && t.plain {
		// Nearly half of all sessions have one packet. In a table that is not
		// plain, their values must be in z.scr for beside.
		out.Packets, out.Idle, out.Gaps = 1, 0, Stats{}
		out.Lengths.one(uint64(s.head[0].wire))
		out.Payloads.one(uint64(s.head[0].payload))
		return
	}
	n := t.gather(s, &z.scr.values)
	v := &z.scr.values
	gaps := v[gapMetric][1:n] // the first record has no gap
	out.Packets = uint64(n)
	out.Idle = idleSum(gaps, t.opt.IdleThreshold)
	if z.Gaps != nil && len(gaps) > 0 {
		z.Gaps.GapsOf(gaps)
	}
	if s.large == 0 {
		out.Gaps.of(gaps)
		out.Lengths.of(v[lengthMetric][:n])
		out.Payloads.of(v[payloadMetric][:n])
		return
	}
	l := t.larges.at(s.large-1, largeShift)
	if z.Gaps != nil {
		l.digests[gapMetric].show(z.Gaps)
	}
	out.Packets += l.packets
	out.Truncated += l.truncated
	out.Idle += l.idle
	out.Gaps.with(&z.scr, l, gapMetric, gaps)
	out.Lengths.with(&z.scr, l, lengthMetric, v[lengthMetric][:n])
	out.Payloads.with(&z.scr, l, payloadMetric, v[payloadMetric][:n])
}

// gather copies the records that s holds, head and block, into one array per
// quantity and returns their number.
func (t *Table) gather(s *Session, v *[metrics][exactRecords]uint64) int {
	n := 0
	take := func(u *unit, left int) {
		for i := range min(left, len(u)) {
			v[gapMetric][n], v[lengthMetric][n], v[payloadMetric][n] = u[i].gap, uint64(u[i].wire), uint64(u[i].payload)
			n++
		}
	}
	take((*unit)(&s.head), int(s.fill))
	if left := int(s.fill) - headRecords; left > 0 {
		for i := range t.records.block(s.block, s.state&classMask) {
			take(&t.records.block(s.block, s.state&classMask)[i], left-unitRecords*i)
		}
	}
	return n
}

// of makes st the statistics of values, which are all that there are. It sorts
// values.
func (st *Stats) of(values []uint64) {
	if len(values) == 1 {
		st.one(values[0])
		return
	}
	st.Moments = Moments{}
	st.Moments.add(values)
	st.Median = medianOf(values)
}

// one makes st the statistics of one value. It writes field by field: of a
// struct that is put together elsewhere and then copied, a CPU loads what it
// has just stored in other portions, and waits a dozen cycles for it.
func (st *Stats) one(v uint64) {
	st.N, st.Sum, st.Min, st.Max, st.Lo, st.Hi = 1, v, v, v, v, v
	st.SqHi, st.SqLo = bits.Mul64(v, v)
}

// with makes st the statistics of what l has folded away and of values. It
// sorts values.
func (st *Stats) with(scr *digestScratch, l *large, m metric, values []uint64) {
	st.Moments = l.moments[m]
	st.Moments.add(values)
	st.Median = medianOfList(l.digests[m].with(scr, values))
}

// PerSecond returns x per second of duration, times scale, rounded to the
// nearest integer, ties to even, as a 128-bit number: 0 where the duration is
// 0. Requires: scale is below 2^34.
func (s *Summary) PerSecond(x, scale uint64) (hi, lo uint64) {
	return Ratio(x, scale*1e9, s.Duration())
}

// show shows the values of d, which are interarrival times.
func (d *digest) show(to GapTaker) {
	for i := range d.list[:d.n] {
		c := &d.list[i]
		if n := c.weight(); n > 0 { // a forged run file may have others
			to.GapsNear(c.sum/n, n)
		}
	}
}
