package writer

import (
	"pcapbatch/internal/agg"
	"pcapbatch/internal/flow"
)

// Type is what a column's cells are, in every row.
type Type string

const (
	Text    Type = "text"    // never quoted, never empty
	Integer Type = "integer" // digits, a leading minus for times before 1970; no point
	Decimal Type = "decimal" // always with a point, never with an exponent
)

// Group is a set of columns that --features selects.
type Group string

const (
	Identity Group = "identity" // always there
	VLAN     Group = "vlan"     // with --key vlan
	Basic    Group = "basic"
	Totals   Group = "totals"
	Mean     Group = "mean"
)

// A Column is one entry of the data dictionary.
type Column struct {
	Name       string `json:"name"`
	Group      Group  `json:"group"`
	Type       Type   `json:"type"`
	Unit       string `json:"unit"`
	Definition string `json:"definition"`
	// Exactness says how far the value can be from the true one.
	Exactness string `json:"exactness"`

	// put writes the cell into b at n and returns where it ends. It takes at
	// most maxCell bytes.
	put func(b []byte, n int, f *Formatter, s *agg.Summary) int
	// needs is what a session must have for the value to be defined.
	needs needs
}

// needs are facts about a session on which cells depend.
type needs uint8

const (
	someGap      needs = 1 << iota // two packets or more
	deviatingGap                   // enough gaps for a deviation as the run defines it
	deviating                      // enough packets for one
	someDuration                   // not all packets at one time
)

// factsOf returns what the session has.
func factsOf(s *agg.Summary, sample bool) (n needs) {
	least := uint64(1) // values that a deviation takes
	if sample {
		least = 2
	}
	if s.Gaps.N > 0 {
		n |= someGap
	}
	if s.Gaps.N >= least {
		n |= deviatingGap
	}
	if s.Packets >= least {
		n |= deviating
	}
	if s.First != s.Last {
		n |= someDuration
	}
	return n
}

// maxCell is the size of the longest cell: a rate of 39 digits and 6
// decimals. An IPv6 address has up to 39 bytes.
const maxCell = 48

const (
	exact   = "exact"
	rounded = "exact, rounded once to the last decimal"
	digest  = "exact up to 128 packets and up to 112 distinct values; beyond, a t-digest: its rank error stays below 1 % on traffic (0.45 % was the worst); values forged against it reach 3 %"
)

// Columns returns the data dictionary: all columns there are, in the order
// they have in a row.
func Columns() []Column {
	var all []Column
	for _, list := range [][]Column{identityColumns(), gapColumns(), sizeColumns(), timeColumns(), totalColumns(), meanColumns()} {
		all = append(all, list...)
	}
	return all
}

func identityColumns() []Column {
	return []Column{
		{Name: "src_ip", Group: Identity, Type: Text, Definition: "source address; the sender of the session's first packet", Exactness: exact,
			put: func(b []byte, n int, _ *Formatter, s *agg.Summary) int {
				return putAddress(b, n, s.Key.Version, &s.Key.Src)
			}},
		{Name: "dst_ip", Group: Identity, Type: Text, Definition: "destination address", Exactness: exact,
			put: func(b []byte, n int, _ *Formatter, s *agg.Summary) int {
				return putAddress(b, n, s.Key.Version, &s.Key.Dst)
			}},
		identityNumber("src_port", "source port; 0 for protocols without ports and where the header is not in the capture", func(k *flow.Key) uint64 { return uint64(k.SrcPort) }),
		identityNumber("dst_port", "destination port; 0 as for src_port", func(k *flow.Key) uint64 { return uint64(k.DstPort) }),
		identityNumber("protocol", "IP protocol number; for IPv6 the first upper-layer protocol", func(k *flow.Key) uint64 { return uint64(k.Protocol) }),
		vlanNumber("vlan_outer", "outermost VLAN id; 0 where there is none", func(k *flow.Key) uint64 { return uint64(k.VLANOuter) }),
		vlanNumber("vlan_inner", "innermost VLAN id; 0 where there is none", func(k *flow.Key) uint64 { return uint64(k.VLANInner) }),
		{Name: "first_seen_ns", Group: Identity, Type: Integer, Unit: "ns since 1970-01-01T00:00:00Z", Definition: "time of the first packet", Exactness: exact,
			put: func(b []byte, n int, _ *Formatter, s *agg.Summary) int { return putInt(b, n, s.First) }},
		{Name: "last_seen_ns", Group: Identity, Type: Integer, Unit: "ns since 1970-01-01T00:00:00Z", Definition: "latest packet time", Exactness: exact,
			put: func(b []byte, n int, _ *Formatter, s *agg.Summary) int { return putInt(b, n, s.Last) }},
	}
}

func identityNumber(name, definition string, value func(*flow.Key) uint64) Column {
	return Column{Name: name, Group: Identity, Type: Integer, Definition: definition, Exactness: exact,
		put: func(b []byte, n int, _ *Formatter, s *agg.Summary) int { return putUint(b, n, value(&s.Key)) }}
}

func vlanNumber(name, definition string, value func(*flow.Key) uint64) Column {
	c := identityNumber(name, definition, value)
	c.Group = VLAN
	return c
}

func seconds(name, definition, exactness string, ns func(f *Formatter, s *agg.Summary) uint64) Column {
	return Column{Name: name, Group: Basic, Type: Decimal, Unit: "s", Definition: definition, Exactness: exactness,
		put: func(b []byte, n int, f *Formatter, s *agg.Summary) int { return putNano(b, n, ns(f, s)) }}
}

// gap is a column of the interarrival times, of which a session of one packet
// has none.
func gap(name, definition, exactness string, ns func(f *Formatter, s *agg.Summary) uint64) Column {
	c := seconds(name, definition, exactness, ns)
	c.needs = someGap
	return c
}

func gapColumns() []Column {
	std := gap("iat_std_s", "standard deviation of the interarrival times, of the population (with --sample-std of a sample)", rounded,
		func(f *Formatter, s *agg.Summary) uint64 { return s.Gaps.Std(1, f.layout.options.SampleStd) })
	std.needs = deviatingGap
	return []Column{
		gap("iat_min_s", "smallest interarrival time: time between two neighbouring packets of the session", exact,
			func(_ *Formatter, s *agg.Summary) uint64 { return s.Gaps.Min }),
		gap("iat_max_s", "largest interarrival time", exact,
			func(_ *Formatter, s *agg.Summary) uint64 { return s.Gaps.Max }),
		gap("iat_median_s", "median of the interarrival times", digest,
			func(_ *Formatter, s *agg.Summary) uint64 { return s.Gaps.Nearest() }),
		std,
	}
}

func sizeColumns() []Column {
	return append(
		sizes("packet_length", "wire length", func(s *agg.Summary) *agg.Stats { return &s.Lengths }),
		sizes("payload_size", "size of the transport payload by the packet's own length fields", func(s *agg.Summary) *agg.Stats { return &s.Payloads })...)
}

// sizes are the four columns of one size per packet.
func sizes(name, what string, of func(*agg.Summary) *agg.Stats) []Column {
	integer := func(suffix, adjective string, value func(*agg.Stats) uint64) Column {
		return Column{Name: name + suffix, Group: Basic, Type: Integer, Unit: "bytes", Definition: adjective + " " + what, Exactness: exact,
			put: func(b []byte, n int, _ *Formatter, s *agg.Summary) int { return putUint(b, n, value(of(s))) }}
	}
	return []Column{
		integer("_min", "smallest", func(st *agg.Stats) uint64 { return st.Min }),
		integer("_max", "largest", func(st *agg.Stats) uint64 { return st.Max }),
		{Name: name + "_median", Group: Basic, Type: Decimal, Unit: "bytes", Definition: "median " + what, Exactness: digest,
			put: func(b []byte, n int, _ *Formatter, s *agg.Summary) int { return putHalves(b, n, of(s).Median) }},
		{Name: name + "_std", Group: Basic, Type: Decimal, Unit: "bytes", Definition: "standard deviation of the " + what + ", of the population (with --sample-std of a sample)", Exactness: rounded,
			put: func(b []byte, n int, f *Formatter, s *agg.Summary) int {
				return putMicro(b, n, of(s).Std(1e6, f.layout.options.SampleStd))
			},
			needs: deviating},
	}
}

// putHalves writes the mean of the two middle values.
// Requires: both are below 2^63.
func putHalves(b []byte, n int, m agg.Median) int {
	sum := m.Lo + m.Hi
	n = putUint(b, n, sum/2)
	b[n], b[n+1] = '.', '0'+byte(sum%2)*5
	return n + 2
}

func count(name, definition string, group Group, unit string, value func(*agg.Summary) uint64) Column {
	return Column{Name: name, Group: group, Type: Integer, Unit: unit, Definition: definition, Exactness: exact,
		put: func(b []byte, n int, _ *Formatter, s *agg.Summary) int { return putUint(b, n, value(s)) }}
}

func timeColumns() []Column {
	return []Column{
		seconds("duration_s", "time from the first packet to the last", exact,
			func(_ *Formatter, s *agg.Summary) uint64 { return s.Duration() }),
		seconds("active_time_s", "sum of the interarrival times up to the idle threshold", exact,
			func(_ *Formatter, s *agg.Summary) uint64 { return s.Duration() - s.Idle }),
		seconds("idle_time_s", "sum of the interarrival times above the idle threshold", exact,
			func(_ *Formatter, s *agg.Summary) uint64 { return s.Idle }),
		count("truncated_packets", "packets of which the capture kept fewer bytes than were on the wire", Basic, "packets",
			func(s *agg.Summary) uint64 { return s.Truncated }),
		count("total_packets", "packets of the session", Basic, "packets",
			func(s *agg.Summary) uint64 { return s.Packets }),
		rate("bytes_per_s", "bytes/s", "sum of the wire lengths, divided by the duration", func(s *agg.Summary) uint64 { return s.Lengths.Sum }),
		rate("packets_per_s", "1/s", "number of packets, divided by the duration", func(s *agg.Summary) uint64 { return s.Packets }),
	}
}

func rate(name, unit, definition string, value func(*agg.Summary) uint64) Column {
	return Column{Name: name, Group: Basic, Type: Decimal, Unit: unit, Definition: definition, Exactness: rounded,
		put: func(b []byte, n int, _ *Formatter, s *agg.Summary) int {
			hi, lo := s.PerSecond(value(s), 1e6)
			return putMicro128(b, n, hi, lo)
		},
		needs: someDuration}
}

func totalColumns() []Column {
	return []Column{
		count("total_bytes", "sum of the wire lengths", Totals, "bytes", func(s *agg.Summary) uint64 { return s.Lengths.Sum }),
		count("payload_bytes", "sum of the payload sizes", Totals, "bytes", func(s *agg.Summary) uint64 { return s.Payloads.Sum }),
	}
}

func meanColumns() []Column {
	mean := func(name, what string, of func(*agg.Summary) *agg.Stats) Column {
		return Column{Name: name, Group: Mean, Type: Decimal, Unit: "bytes", Definition: "mean of the " + what, Exactness: rounded,
			put: func(b []byte, n int, _ *Formatter, s *agg.Summary) int { return putMicro(b, n, of(s).Mean(1e6)) }}
	}
	iat := gap("iat_mean_s", "mean of the interarrival times", rounded, func(_ *Formatter, s *agg.Summary) uint64 { return s.Gaps.Mean(1) })
	iat.Group = Mean
	return []Column{
		iat,
		mean("packet_length_mean", "wire lengths", func(s *agg.Summary) *agg.Stats { return &s.Lengths }),
		mean("payload_size_mean", "payload sizes", func(s *agg.Summary) *agg.Stats { return &s.Payloads }),
	}
}
