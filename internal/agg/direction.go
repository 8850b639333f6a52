package agg

import "math"

// side is what is kept of the packets of one direction: counts, first and last
// time, and the moments of its three quantities, gaps between neighbours of the
// direction among them. Its medians come from digests beside it (sideDigests).
//
// Two stretches that follow each other join by adding up. The one value that is
// in neither is the gap from the last packet of one to the first of the other.
type side struct {
	span
	data   uint64 // packets with payload
	header uint64 // sum of the transport headers, bytes
	least  uint64 // size of the smallest transport header, bytes; valid if there is a packet

	moments [metrics]Moments
}

// sideDigests are the digests of both directions of one session.
type sideDigests [2][metrics]digest

// values are the values of one direction of a session's buffer.
type values struct {
	n    [metrics]int
	list [metrics][exactRecords]uint64
}

// sideValues are those of both directions.
type sideValues [2]values

func (v *sideValues) reset() { v[0].n, v[1].n = [metrics]int{}, [metrics]int{} }

func (v *values) add(m metric, value uint64) {
	v.list[m][v.n[m]] = value
	v.n[m]++
}

func (v *values) of(m metric) []uint64 { return v.list[m][:v.n[m]] }

// add takes a packet, and puts its values into v instead of the moments.
func (s *side) add(p *packet, v *values) {
	if s.packets > 0 {
		v.add(gapMetric, s.gap(p.time))
	} else {
		s.least = math.MaxUint64
	}
	s.next(p.time)
	v.add(lengthMetric, uint64(p.wire))
	v.add(payloadMetric, uint64(p.payload))
	if p.payload > 0 {
		s.data++
	}
	h := uint64(p.detail.Header())
	s.header += h
	s.least = min(s.least, h)
}

// join takes the packets of o, which follow. The gap between goes to v.
func (s *side) join(o *side, v *values) {
	if o.packets == 0 {
		return
	}
	if s.packets > 0 {
		v.add(gapMetric, s.gap(o.first))
		s.least = min(s.least, o.least)
	} else {
		s.least = o.least
	}
	s.span.join(&o.span)
	s.data += o.data
	s.header += o.header
	for m := range metrics {
		s.moments[m].merge(&o.moments[m])
	}
}

// raise lets packets come at from that came before it. Which gaps vanish is
// not known: all are taken as 0 but one, so that they still add up.
func (s *side) raise(from int64) {
	if s.packets == 0 {
		return
	}
	s.first, s.last = max(s.first, from), max(s.last, from)
	s.moments[gapMetric] = collapsed(s.packets-1, uint64(s.last)-uint64(s.first))
}

// collapsed are the moments of n values, all 0 but one.
func collapsed(n, value uint64) (m Moments) {
	if n == 0 {
		return m
	}
	m.add([]uint64{value})
	m.N = n
	if n > 1 {
		m.Min = 0
	}
	return m
}

// collapse makes d a digest of n values, all 0 but one.
func (d *digest) collapse(scr *digestScratch, n, value uint64) {
	d.n = 0
	if n == 0 {
		return
	}
	d.fold(scr, []uint64{value})
	if n > 1 {
		zeros := digest{n: 1}
		zeros.list[0] = atomOf(0, n-1)
		d.merge(scr, &zeros)
	}
}

// fold takes the values of v into the moments of s and the digests d.
func (s *side) fold(scr *digestScratch, v *values, d *[metrics]digest) {
	for m := range metrics {
		if v.n[m] > 0 {
			s.moments[m].add(v.of(m))
			d[m].fold(scr, v.of(m))
		}
	}
}

// DirectionSummary is what a row says of one direction of a session.
type DirectionSummary struct {
	First, Last int64  // packet times, ns since the epoch; valid if there is a packet
	Packets     uint64 // may be 0
	DataPackets uint64 // packets with payload
	HeaderBytes uint64 // sum of the transport headers, bytes
	HeaderMin   uint64 // size of the smallest of them, bytes; valid if there is a packet
	Gaps        Stats  // ns, between neighbouring packets of the direction; Packets-1 of them
	Lengths     Stats  // wire lengths, bytes
	Payloads    Stats  // payload sizes, bytes
}

// counts makes the row of s but for statistics.
func (s *side) counts(out *DirectionSummary) {
	out.First, out.Last, out.Packets = s.first, s.last, s.packets
	out.DataPackets, out.HeaderBytes, out.HeaderMin = s.data, s.header, s.least
}

// stats makes the statistics of s and of the values that its moments lack; d
// are the digests that go with those moments, nil if there are none. It sorts values.
func (s *side) stats(out *DirectionSummary, scr *digestScratch, v *values, d *[metrics]digest) {
	for m, st := range [metrics]*Stats{&out.Gaps, &out.Lengths, &out.Payloads} {
		if d == nil {
			st.of(v.of(metric(m)))
			continue
		}
		st.Moments = s.moments[m]
		st.Moments.add(v.of(metric(m)))
		st.Median = medianOfList(d[m].with(scr, v.of(metric(m))))
	}
}
