package writer

import (
	"slices"
	"strconv"
	"time"

	"pcapbatch/internal/agg"
)

// nfstream is the table of NFStream 6.5 (Aouini and Pekar, with statistical
// analysis and wire lengths), less what needs packet inspection, a host or the
// link layer. Times are in milliseconds.
var nfstream = schema{
	name:     "nfstream",
	rules:    Rules{IdleTimeout: 120 * time.Second, ActiveTimeout: 30 * time.Minute},
	needs:    agg.NeedDirection | agg.NeedFlags | agg.NeedEnd,
	numbered: true,
	sequence: true,
	columns:  nfstreamColumns,
}

func nfstreamColumns(o *Options) []Column {
	s := &schema{name: "nfstream"}
	columns := slices.Concat(s.nfIdentity(), s.ofParts(s.nfVolumes), s.ofParts(s.nfSizes), s.ofParts(s.nfGaps), s.ofParts(s.nfFlags))
	if o.Sequence > 0 {
		columns = append(columns, s.nfSequence(o.Sequence)...)
	}
	return columns
}

func (s *schema) nfIdentity() []Column {
	key := s.key("src_ip", "dst_ip", "src_port", "dst_port", "protocol")
	return []Column{
		s.integer("expiration_id", "", "1 where the active time-out ended the session, else 0", 0, func(m *agg.Summary) uint64 {
			if m.End == agg.EndActive {
				return 1
			}
			return 0
		}),
		key[0], key[2], key[1], key[3], key[4],
		s.integer("ip_version", "", "4 or 6", 0, func(m *agg.Summary) uint64 { return uint64(m.Key.Version) }),
		s.integer("vlan_id", "", "outermost VLAN id with --key vlan; 0 without it, or where there is none", 0, func(m *agg.Summary) uint64 { return uint64(m.Key.VLANOuter) }),
		s.integer("tunnel_id", "", "always 0", 0, func(*agg.Summary) uint64 { return 0 }),
	}
}

// A part is a session or one of its directions.
type part struct {
	prefix        string // of names
	what          string // for definitions
	some, someGap needs  // a packet, a gap
	times         func(*agg.Summary) (first, last int64)
	lengths, gaps func(*agg.Summary) *agg.Moments
	flags         func(m *agg.Summary, bit int) uint64
}

// ofParts returns the columns that list gives for the whole, then for each
// direction.
func (s *schema) ofParts(list func(p *part) []Column) []Column {
	columns := list(&part{
		"bidirectional_", "of the session", 0, someGap,
		func(m *agg.Summary) (first, last int64) { return m.First, m.Last },
		func(m *agg.Summary) *agg.Moments { return &m.Lengths.Moments },
		func(m *agg.Summary) *agg.Moments { return &m.Gaps.Moments },
		func(m *agg.Summary, bit int) uint64 { return m.Flags[0][bit] + m.Flags[1][bit] },
	})
	for i, prefix := range [...]string{"src2dst_", "dst2src_"} {
		of := func(m *agg.Summary) *agg.DirectionSummary { return &m.Directions[i] }
		columns = append(columns, list(&part{
			prefix, sides[i].what, sides[i].some, sides[i].someGap,
			func(m *agg.Summary) (first, last int64) { return of(m).First, of(m).Last },
			func(m *agg.Summary) *agg.Moments { return &of(m).Lengths.Moments },
			func(m *agg.Summary) *agg.Moments { return &of(m).Gaps.Moments },
			func(m *agg.Summary, bit int) uint64 { return m.Flags[i][bit] },
		})...)
	}
	return columns
}

const perMillisecond = 1_000_000 // ns

// milliseconds rounds a time down.
func milliseconds(ns int64) int64 {
	ms := ns / perMillisecond
	if ns%perMillisecond < 0 {
		ms--
	}
	return ms
}

func (s *schema) nfVolumes(p *part) []Column {
	time := func(name, definition string, ns func(*agg.Summary) int64) Column {
		return s.column(p.prefix+name, Integer, Signed, "ms since 1970-01-01T00:00:00Z", definition+" "+p.what+", rounded down", exact, p.some,
			func(m *agg.Summary) Value { return Value{Lo: uint64(milliseconds(ns(m)))} })
	}
	return []Column{
		time("first_seen_ms", "time of the first packet", func(m *agg.Summary) int64 { first, _ := p.times(m); return first }),
		time("last_seen_ms", "time of the last packet", func(m *agg.Summary) int64 { _, last := p.times(m); return last }),
		s.integer(p.prefix+"duration_ms", "ms", "time from the first packet to the last "+p.what+", rounded down", p.some, func(m *agg.Summary) uint64 {
			first, last := p.times(m)
			return (uint64(last) - uint64(first)) / perMillisecond
		}),
		s.integer(p.prefix+"packets", "packets", "packets "+p.what, 0, func(m *agg.Summary) uint64 { return p.lengths(m).N }),
		s.integer(p.prefix+"bytes", "bytes", "sum of the wire lengths "+p.what, 0, func(m *agg.Summary) uint64 { return p.lengths(m).Sum }),
	}
}

func (s *schema) nfSizes(p *part) []Column {
	what := "wire lengths of the packets " + p.what
	return []Column{
		s.integer(p.prefix+"min_ps", "bytes", "smallest of the "+what, p.some, func(m *agg.Summary) uint64 { return p.lengths(m).Min }),
		s.decimal(p.prefix+"mean_ps", "bytes", "mean of the "+what, p.some, func(m *agg.Summary) (hi, lo uint64) { return mean(p.lengths(m)) }),
		s.decimal(p.prefix+"stddev_ps", "bytes", sampleStd+what, p.some, func(m *agg.Summary) (hi, lo uint64) { return deviates(p.lengths(m)) }),
		s.integer(p.prefix+"max_ps", "bytes", "largest of the "+what, p.some, func(m *agg.Summary) uint64 { return p.lengths(m).Max }),
	}
}

// nfGaps: a nanosecond is a millionth of a millisecond.
func (s *schema) nfGaps(p *part) []Column {
	what := "interarrival times between neighbouring packets " + p.what
	return []Column{
		s.integer(p.prefix+"min_piat_ms", "ms", "smallest of the "+what+", rounded down", p.someGap, func(m *agg.Summary) uint64 { return p.gaps(m).Min / perMillisecond }),
		s.decimal(p.prefix+"mean_piat_ms", "ms", "mean of the "+what, p.someGap, func(m *agg.Summary) (hi, lo uint64) { return 0, p.gaps(m).Mean(1) }),
		s.decimal(p.prefix+"stddev_piat_ms", "ms", sampleStd+what, p.someGap, func(m *agg.Summary) (hi, lo uint64) { return 0, p.gaps(m).Std(1, true) }),
		s.integer(p.prefix+"max_piat_ms", "ms", "largest of the "+what+", rounded down", p.someGap, func(m *agg.Summary) uint64 { return p.gaps(m).Max / perMillisecond }),
	}
}

func (s *schema) nfFlags(p *part) (columns []Column) {
	for _, f := range []struct {
		name string
		bit  int
	}{{"syn", bitSYN}, {"cwr", bitCWR}, {"ece", bitECE}, {"urg", bitURG}, {"ack", bitACK}, {"psh", bitPSH}, {"rst", bitRST}, {"fin", bitFIN}} {
		columns = append(columns, s.integer(p.prefix+f.name+"_packets", "packets", "TCP packets "+p.what+" with the flag "+upper(f.name), 0,
			func(m *agg.Summary) uint64 { return p.flags(m, f.bit) }))
	}
	return columns
}

// nfSequence are the lists of the first n packets.
func (s *schema) nfSequence(n int) []Column {
	list := func(name, what string, value func(*agg.SequencePacket) uint64) Column {
		definition := what + " of the session's first packets, as [0, 1, ...], with -1 for those it has not; with --sequence"
		return s.text("splt_"+name, definition, func(dst []byte, r *Row) []byte {
			packets := r.Sequence()
			dst = append(dst, '[')
			for i := range n {
				if i > 0 {
					dst = append(dst, ", "...)
				}
				if i < len(packets) {
					dst = strconv.AppendUint(dst, value(&packets[i]), 10)
				} else {
					dst = append(dst, "-1"...)
				}
			}
			return append(dst, ']')
		})
	}
	return []Column{
		list("direction", "directions (0 forward, 1 backward)", func(p *agg.SequencePacket) uint64 {
			if p.Backward {
				return 1
			}
			return 0
		}),
		list("ps", "wire lengths in bytes", func(p *agg.SequencePacket) uint64 { return uint64(p.Wire) }),
		list("piat_ms", "times since the packet before in ms, rounded down and 0 for the first,", func(p *agg.SequencePacket) uint64 { return p.Gap / perMillisecond }),
	}
}
