package writer

import (
	"slices"
	"strconv"
	"time"

	"pcapbatch/internal/agg"
)

// cicflowmeter is the table of CICFlowMeter (Lashkari et al., the version of
// 2022: FlowFeature.java has the names). It takes payload sizes for packet
// lengths. Times are in microseconds.
var cicflowmeter = schema{
	name:     "cicflowmeter",
	rules:    Rules{ActiveTimeout: 120 * time.Second, TCPEnd: true},
	needs:    agg.NeedDirection | agg.NeedFlags | agg.NeedTCP | agg.NeedActivity | agg.NeedBulk,
	columns:  cicflowmeterColumns,
	labelled: true,
}

// manualLabel is the label of sessions that nothing labels.
const manualLabel = "NeedManualLabel"

func cicflowmeterColumns(o *Options) []Column {
	s := &schema{name: "cicflowmeter"}
	label := func(dst []byte, _ *Row) []byte { return append(dst, manualLabel...) }
	if o.Label != nil {
		label = labelOf(o.Label)
	}
	return slices.Concat(s.cicIdentity(), s.cicVolumes(), s.cicGaps(), s.cicHeaders(), s.cicLengths(), s.cicBulks(), s.cicWindows(),
		s.cicPeriods("Active", "active periods: longest stretches without a gap above the idle threshold", 0, func(m *agg.Summary) *agg.Moments { return &m.Activity.Active }),
		s.cicPeriods("Idle", "idle periods: gaps above the idle threshold", someIdle, func(m *agg.Summary) *agg.Moments { return &m.Activity.Idle }),
		[]Column{s.text("Label", "label of the first rule that matches the session; without rules "+manualLabel, label)})
}

func (s *schema) cicIdentity() []Column {
	key := s.key("Src IP", "Dst IP", "Src Port", "Dst Port", "Protocol")
	return []Column{
		s.text("Flow ID", "source address, destination address, source port, destination port and protocol, with - between them", appendFlowID),
		key[0], key[2], key[1], key[3], key[4],
		s.text("Timestamp", "time of the first packet, UTC, as YYYY-MM-DD hh:mm:ss.uuuuuu, rounded down", func(dst []byte, r *Row) []byte { return appendTimestamp(dst, &r.clock, r.Summary.First) }),
		s.integer("Flow Duration", "us", "time from the first packet to the last, rounded down", 0, func(m *agg.Summary) uint64 { return m.Duration() / 1000 }),
	}
}

func appendFlowID(dst []byte, r *Row) []byte {
	k := &r.Summary.Key
	dst = append(k.SrcAddr().AppendTo(dst), '-')
	dst = append(k.DstAddr().AppendTo(dst), '-')
	for i, number := range [...]uint16{k.SrcPort, k.DstPort, uint16(k.Protocol)} {
		if i > 0 {
			dst = append(dst, '-')
		}
		dst = strconv.AppendUint(dst, uint64(number), 10)
	}
	return dst
}

// appendTimestamp appends a time in ns since the epoch as date and time of day
// in UTC, with microseconds, rounded down.
func appendTimestamp(dst []byte, c *clock, ns int64) []byte {
	n := len(dst)
	dst = c.append(dst, ns)
	dst[n+len("2006-01-02")] = ' '
	return dst[:n+len("2006-01-02 15:04:05.000000")]
}

// cicSides are the directions as the names of columns have them.
var cicSides = [2]struct {
	*side
	name string
}{{&sides[0], "Fwd"}, {&sides[1], "Bwd"}}

// each returns the columns that list gives for both directions.
func each(list func(name string, d *side) []Column) (columns []Column) {
	for _, d := range cicSides {
		columns = append(columns, list(d.name, d.side)...)
	}
	return columns
}

// mean returns the mean in millionths.
func mean(m *agg.Moments) (hi, lo uint64) { return 0, m.Mean(1e6) }

// deviates returns the standard deviation of a sample, in millionths.
func deviates(m *agg.Moments) (hi, lo uint64) { return 0, m.Std(1e6, true) }

const (
	sampleStd  = "standard deviation (of a sample; of one value 0) of the "
	ofPayloads = "payload sizes of the packets "
)

func (s *schema) cicVolumes() []Column {
	rate := func(name, unit, definition string, value func(*agg.Summary) uint64) Column {
		return s.rate(name, unit, definition+", divided by the duration", value)
	}
	return slices.Concat([]Column{
		s.integer("Total Fwd Packet", "packets", "packets "+sides[0].what, 0, func(m *agg.Summary) uint64 { return m.Directions[0].Packets }),
		s.integer("Total Bwd packets", "packets", "packets "+sides[1].what, 0, func(m *agg.Summary) uint64 { return m.Directions[1].Packets }),
		s.integer("Total Length of Fwd Packet", "bytes", "sum of the "+ofPayloads+sides[0].what, 0, func(m *agg.Summary) uint64 { return m.Directions[0].Payloads.Sum }),
		s.integer("Total Length of Bwd Packet", "bytes", "sum of the "+ofPayloads+sides[1].what, 0, func(m *agg.Summary) uint64 { return m.Directions[1].Payloads.Sum }),
	}, each(func(name string, d *side) []Column {
		of := func(m *agg.Summary) *agg.Moments { return &m.Directions[d.index].Payloads.Moments }
		name += " Packet Length "
		return []Column{
			s.integer(name+"Max", "bytes", "largest of the "+ofPayloads+d.what, d.some, func(m *agg.Summary) uint64 { return of(m).Max }),
			s.integer(name+"Min", "bytes", "smallest of the "+ofPayloads+d.what, d.some, func(m *agg.Summary) uint64 { return of(m).Min }),
			s.decimal(name+"Mean", "bytes", "mean of the "+ofPayloads+d.what, d.some, func(m *agg.Summary) (hi, lo uint64) { return mean(of(m)) }),
			s.decimal(name+"Std", "bytes", sampleStd+ofPayloads+d.what, d.some, func(m *agg.Summary) (hi, lo uint64) { return deviates(of(m)) }),
		}
	}), []Column{
		rate("Flow Bytes/s", "bytes/s", "sum of the payload sizes", func(m *agg.Summary) uint64 { return m.Payloads.Sum }),
		rate("Flow Packets/s", "1/s", "packets", func(m *agg.Summary) uint64 { return m.Packets }),
	})
}

// rate is a column of something per second of duration, undefined where that
// is 0.
func (s *schema) rate(name, unit, definition string, value func(*agg.Summary) uint64) Column {
	return s.decimal(name, unit, definition, someDuration, func(m *agg.Summary) (hi, lo uint64) { return m.PerSecond(value(m), 1e6) })
}

// periods are the four columns of times in ns, as microseconds.
func (s *schema) periods(name, what string, some needs, of func(*agg.Summary) *agg.Moments) []Column {
	time := func(name, definition, exactness string, ns func(*agg.Moments) uint64) Column {
		c := s.decimal(name, "us", definition+" of the "+what, some, func(m *agg.Summary) (hi, lo uint64) { return microseconds(ns(of(m))) })
		c.Exactness = exactness
		return c
	}
	return []Column{
		time(name+" Mean", "mean", rounded, func(m *agg.Moments) uint64 { return m.Mean(1) }),
		time(name+" Std", "standard deviation (of a sample; of one value 0)", rounded, func(m *agg.Moments) uint64 { return m.Std(1, true) }),
		time(name+" Max", "largest", exact, func(m *agg.Moments) uint64 { return m.Max }),
		time(name+" Min", "smallest", exact, func(m *agg.Moments) uint64 { return m.Min }),
	}
}

func (s *schema) cicPeriods(name, what string, some needs, of func(*agg.Summary) *agg.Moments) []Column {
	return s.periods(name, "lengths of the "+what, some, of)
}

func (s *schema) cicGaps() []Column {
	return append(
		s.periods("Flow IAT", "interarrival times", someGap, func(m *agg.Summary) *agg.Moments { return &m.Gaps.Moments }),
		each(func(name string, d *side) []Column {
			of := func(m *agg.Summary) *agg.Moments { return &m.Directions[d.index].Gaps.Moments }
			what := "interarrival times between neighbouring packets " + d.what
			total := s.decimal(name+" IAT Total", "us", "sum of the "+what, d.someGap, func(m *agg.Summary) (hi, lo uint64) { return microseconds(of(m).Sum) })
			total.Exactness = exact
			return append([]Column{total}, s.periods(name+" IAT", what, d.someGap, of)...)
		})...)
}

// TCP flags by their place in agg.Summary.Flags.
const (
	bitFIN = iota
	bitSYN
	bitRST
	bitPSH
	bitACK
	bitURG
	bitECE
	bitCWR
)

func (s *schema) cicHeaders() []Column {
	flag := func(name, flag string, bit int) []Column {
		return each(func(side string, d *side) []Column {
			return []Column{s.integer(side+" "+name+" Flags", "packets", "TCP packets "+d.what+" with the flag "+flag, 0, func(m *agg.Summary) uint64 { return m.Flags[d.index][bit] })}
		})
	}
	return slices.Concat(flag("PSH", "PSH", bitPSH), flag("URG", "URG", bitURG),
		each(func(name string, d *side) []Column {
			return []Column{s.integer(name+" Header Length", "bytes", "sum of the sizes of the transport headers "+d.what, 0, func(m *agg.Summary) uint64 { return m.Directions[d.index].HeaderBytes })}
		}),
		each(func(name string, d *side) []Column {
			return []Column{s.rate(name+" Packets/s", "1/s", "packets "+d.what+", divided by the duration", func(m *agg.Summary) uint64 { return m.Directions[d.index].Packets })}
		}))
}

func (s *schema) cicLengths() []Column {
	const what = "payload sizes of all packets"
	of := func(m *agg.Summary) *agg.Moments { return &m.Payloads.Moments }
	columns := []Column{
		s.integer("Packet Length Min", "bytes", "smallest of the "+what, 0, func(m *agg.Summary) uint64 { return of(m).Min }),
		s.integer("Packet Length Max", "bytes", "largest of the "+what, 0, func(m *agg.Summary) uint64 { return of(m).Max }),
		s.decimal("Packet Length Mean", "bytes", "mean of the "+what, 0, func(m *agg.Summary) (hi, lo uint64) { return mean(of(m)) }),
		s.decimal("Packet Length Std", "bytes", sampleStd+what, 0, func(m *agg.Summary) (hi, lo uint64) { return deviates(of(m)) }),
		s.decimal("Packet Length Variance", "bytes^2", "variance (of a sample; of one value 0) of the "+what, 0, func(m *agg.Summary) (hi, lo uint64) { return of(m).Variance(1e6) }),
	}
	for _, f := range []struct {
		name string
		bit  int
	}{{"FIN", bitFIN}, {"SYN", bitSYN}, {"RST", bitRST}, {"PSH", bitPSH}, {"ACK", bitACK}, {"URG", bitURG}, {"CWR", bitCWR}, {"ECE", bitECE}} {
		columns = append(columns, s.integer(f.name+" Flag Count", "packets", "TCP packets of both directions with the flag "+f.name, 0,
			func(m *agg.Summary) uint64 { return m.Flags[0][f.bit] + m.Flags[1][f.bit] }))
	}
	return slices.Concat(columns, []Column{
		s.decimal("Down/Up Ratio", "", "packets "+sides[1].what+", divided by those "+sides[0].what, 0, func(m *agg.Summary) (hi, lo uint64) {
			return agg.Ratio(m.Directions[1].Packets, 1e6, m.Directions[0].Packets)
		}),
		s.decimal("Average Packet Size", "bytes", "mean of the "+what, 0, func(m *agg.Summary) (hi, lo uint64) { return mean(of(m)) }),
	}, each(func(name string, d *side) []Column {
		return []Column{s.decimal(name+" Segment Size Avg", "bytes", "mean of the "+ofPayloads+d.what, d.some, func(m *agg.Summary) (hi, lo uint64) { return mean(&m.Directions[d.index].Payloads.Moments) })}
	}))
}

func (s *schema) cicBulks() []Column {
	bulks := each(func(name string, d *side) []Column {
		of := func(m *agg.Summary) *agg.BulkCounts { return &m.Bulk.Bulks[d.index] }
		return []Column{
			s.decimal(name+" Bytes/Bulk Avg", "bytes", "payload bytes in bulks "+d.what+", divided by the number of bulks", d.bulk, func(m *agg.Summary) (hi, lo uint64) { return agg.Ratio(of(m).Bytes, 1e6, of(m).Bulks) }),
			s.decimal(name+" Packet/Bulk Avg", "packets", "data packets in bulks "+d.what+", divided by the number of bulks", d.bulk, func(m *agg.Summary) (hi, lo uint64) { return agg.Ratio(of(m).Packets, 1e6, of(m).Bulks) }),
			s.decimal(name+" Bulk Rate Avg", "bytes/s", "payload bytes in bulks "+d.what+", divided by the time from first to last packet of a bulk, summed", d.bulkTime,
				func(m *agg.Summary) (hi, lo uint64) { return agg.Ratio(of(m).Bytes, 1e15, of(m).Duration) }),
		}
	})
	return append(bulks, each(func(name string, d *side) []Column {
		share := func(what, unit, definition string, value func(*agg.DirectionSummary) uint64) Column {
			return s.integer("Subflow "+name+" "+what, unit, definition+" "+d.what+", divided by the number of subflows (1 + the number of gaps above 1 s); the integer part", 0,
				func(m *agg.Summary) uint64 { return value(&m.Directions[d.index]) / m.Bulk.Subflows })
		}
		return []Column{
			share("Packets", "packets", "packets", func(d *agg.DirectionSummary) uint64 { return d.Packets }),
			share("Bytes", "bytes", "payload bytes", func(d *agg.DirectionSummary) uint64 { return d.Payloads.Sum }),
		}
	})...)
}

func (s *schema) cicWindows() []Column {
	window := func(name string, d *side) Column {
		return s.integer(name, "bytes", "TCP window, unscaled, of the first packet "+d.what+" that has it", d.window, func(m *agg.Summary) uint64 { return uint64(m.TCP.Window[d.index].Bytes) })
	}
	return []Column{
		window("FWD Init Win Bytes", &sides[0]), window("Bwd Init Win Bytes", &sides[1]),
		s.integer("Fwd Act Data Pkts", "packets", "packets with payload "+sides[0].what, 0, func(m *agg.Summary) uint64 { return m.Directions[0].DataPackets }),
		s.integer("Fwd Seg Size Min", "bytes", "size of the smallest transport header "+sides[0].what, 0, func(m *agg.Summary) uint64 { return m.Directions[0].HeaderMin }),
	}
}
