package writer

import (
	"slices"

	"pcapbatch/internal/agg"
)

// A side is one of the two directions of a session, as its columns name it.
type side struct {
	index  int    // in the arrays of agg.Summary
	prefix string // of the column's name
	what   string // for definitions
	// What a session must have in this direction: packets, gaps, and enough of
	// either for a deviation.
	some, someGap, deviating, deviatingGap needs
	window, ttl, flags, bulk, bulkTime     needs
}

var sides = [2]side{
	{0, "fwd_", "from source to destination", someForward, gapForward, deviatingForward, deviatingGapForward, windowForward, ttlForward, flagsForward, bulkForward, bulkTimeForward},
	{1, "bwd_", "from destination to source", someBackward, gapBackward, deviatingBackward, deviatingGapBackward, windowBackward, ttlBackward, flagsBackward, bulkBackward, bulkTimeBackward},
}

func (d *side) column(group Group, name string, typ Type, kind Kind, unit, definition string, needs needs, value func(*Row) uint64) Column {
	return Column{Name: d.prefix + name, Group: group, Type: typ, Kind: kind, Unit: unit, Definition: definition, Exactness: exact, needs: needs,
		value: func(r *Row) Value { return Value{Lo: value(r)} }}
}

// fixed is a column of what stands in the summary.
func (d *side) fixed(group Group, name string, typ Type, kind Kind, unit, definition string, needs needs, field func(*agg.Summary) *uint64) Column {
	c := d.column(group, name, typ, kind, unit, definition, needs, nil)
	c.value, c.field = nil, field
	return c
}

// number is a fixed column that is never undefined.
func (d *side) number(group Group, name, unit, definition string, field func(*agg.Summary) *uint64) Column {
	return d.fixed(group, name, Integer, Unsigned, unit, definition, 0, field)
}

func directionColumns() (list []Column) {
	for i := range sides {
		d := &sides[i]
		own := slices.Concat(d.counts(), d.gaps(),
			d.sizes("packet_length", "wire length", func(s *agg.DirectionSummary) *agg.Stats { return &s.Lengths }),
			d.sizes("payload_size", "payload size", func(s *agg.DirectionSummary) *agg.Stats { return &s.Payloads }))
		for k := range own {
			own[k].void = d.some
		}
		list = append(list, own...)
	}
	return list
}

func (d *side) counts() []Column {
	i := d.index
	time := func(name, definition string, value func(*agg.DirectionSummary) int64) Column {
		return d.column(Direction, name, Integer, Signed, nsUnit, definition, d.some, func(r *Row) uint64 { return uint64(value(&r.Summary.Directions[i])) })
	}
	number := func(name, unit, definition string, field func(*agg.DirectionSummary) *uint64) Column {
		return d.number(Direction, name, unit, definition, func(s *agg.Summary) *uint64 { return field(&s.Directions[i]) })
	}
	least := number("header_min", "bytes", "size of the smallest transport header "+d.what, func(s *agg.DirectionSummary) *uint64 { return &s.HeaderMin })
	least.needs = d.some
	return []Column{
		time("first_seen_ns", "time of the first packet "+d.what, func(s *agg.DirectionSummary) int64 { return s.First }),
		time("last_seen_ns", "time of the last packet "+d.what, func(s *agg.DirectionSummary) int64 { return s.Last }),
		number("packets", "packets", "packets "+d.what, func(s *agg.DirectionSummary) *uint64 { return &s.Packets }),
		number("bytes", "bytes", "sum of the wire lengths "+d.what, func(s *agg.DirectionSummary) *uint64 { return &s.Lengths.Sum }),
		number("payload_bytes", "bytes", "sum of the payload sizes "+d.what, func(s *agg.DirectionSummary) *uint64 { return &s.Payloads.Sum }),
		number("header_bytes", "bytes", "sum of the sizes of the transport headers "+d.what+", 0 for later fragments and for protocols other than TCP, UDP, UDP-Lite, SCTP, DCCP, ICMP and ICMPv6",
			func(s *agg.DirectionSummary) *uint64 { return &s.HeaderBytes }),
		least,
		number("data_packets", "packets", "packets with payload "+d.what, func(s *agg.DirectionSummary) *uint64 { return &s.DataPackets }),
	}
}

func (d *side) gaps() []Column {
	i := d.index
	of := " of the interarrival times between neighbouring packets " + d.what
	gap := func(name, what string, needs needs, value func(*Row, *agg.Stats) uint64) Column {
		return d.column(Direction, "iat_"+name+"_s", Decimal, Nanos, "s", what+of, needs,
			func(r *Row) uint64 { return value(r, &r.Summary.Directions[i].Gaps) })
	}
	extreme := func(name, what string, field func(*agg.Stats) *uint64) Column {
		return d.fixed(Direction, "iat_"+name+"_s", Decimal, Nanos, "s", what+of, d.someGap,
			func(s *agg.Summary) *uint64 { return field(&s.Directions[i].Gaps) })
	}
	mean := gap("mean", "mean", d.someGap, func(_ *Row, st *agg.Stats) uint64 { return st.Mean(1) })
	median := gap("median", "median", d.someGap, func(_ *Row, st *agg.Stats) uint64 { return st.Nearest() })
	std := gap("std", deviation, d.deviatingGap, func(r *Row, st *agg.Stats) uint64 { return st.Std(1, r.sample) })
	mean.Exactness, median.Exactness, std.Exactness = rounded, digest, rounded
	return statisticOf(func(s *agg.Summary) *agg.Stats { return &s.Directions[i].Gaps },
		extreme("min", "smallest", func(st *agg.Stats) *uint64 { return &st.Min }),
		extreme("max", "largest", func(st *agg.Stats) *uint64 { return &st.Max }),
		mean, median, std)
}

// sizes are the five columns of one size per packet.
func (d *side) sizes(name, what string, of func(*agg.DirectionSummary) *agg.Stats) []Column {
	i := d.index
	column := func(suffix, adjective string, typ Type, kind Kind, needs needs, value func(*Row, *agg.Stats) uint64) Column {
		return d.column(Direction, name+suffix, typ, kind, "bytes", adjective+" "+what+" of the packets "+d.what, needs,
			func(r *Row) uint64 { return value(r, of(&r.Summary.Directions[i])) })
	}
	extreme := func(suffix, adjective string, field func(*agg.Stats) *uint64) Column {
		return d.fixed(Direction, name+suffix, Integer, Unsigned, "bytes", adjective+" "+what+" of the packets "+d.what, d.some,
			func(s *agg.Summary) *uint64 { return field(of(&s.Directions[i])) })
	}
	mean := column("_mean", "mean", Decimal, Micros, d.some, func(_ *Row, st *agg.Stats) uint64 { return st.Mean(1e6) })
	median := column("_median", "median", Decimal, Halves, d.some, func(_ *Row, st *agg.Stats) uint64 { return halves(st.Median).Lo })
	std := column("_std", deviation+" of the", Decimal, Micros, d.deviating, func(r *Row, st *agg.Stats) uint64 { return st.Std(1e6, r.sample) })
	mean.Exactness, median.Exactness, std.Exactness = rounded, digest, rounded
	return statisticOf(func(s *agg.Summary) *agg.Stats { return of(&s.Directions[i]) },
		extreme("_min", "smallest", func(st *agg.Stats) *uint64 { return &st.Min }),
		extreme("_max", "largest", func(st *agg.Stats) *uint64 { return &st.Max }),
		mean, median, std)
}

// statisticOf marks columns as those of one statistic, which stands at of: its
// minimum, maximum, median and deviation, with the mean before the median if
// there are five.
func statisticOf(of func(*agg.Summary) *agg.Stats, list ...Column) []Column {
	parts := [...]statPart{partMin, partMax, partMean, partMedian, partStd}
	for i := range list {
		list[i].stats, list[i].part = of, parts[i]
		if len(list) < len(parts) && i >= int(partMean) {
			list[i].part++
		}
	}
	return list
}

func flagColumns() (list []Column) {
	for i := range sides {
		d := &sides[i]
		for bit, name := range [...]string{"fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr"} {
			c := d.number(Flags, name+"_packets", "packets", "TCP packets "+d.what+" with the flag "+upper(name),
				func(s *agg.Summary) *uint64 { return &s.Flags[d.index][bit] })
			c.void = d.flags
			list = append(list, c)
		}
	}
	return list
}

func upper(name string) string {
	b := []byte(name)
	for i := range b {
		b[i] -= 'a' - 'A'
	}
	return string(b)
}
