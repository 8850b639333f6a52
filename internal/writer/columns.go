package writer

import (
	"encoding/binary"

	"pcapbatch/internal/agg"
	"pcapbatch/internal/flow"
)

// Group is a set of columns that --features selects.
type Group string

const (
	Identity Group = "identity" // always there
	VLAN     Group = "vlan"     // with --key vlan
	Capture  Group = "capture"  // with --key capture; identity, too
	Label    Group = "label"    // with --labels; the last column

	Basic       Group = "basic"
	Totals      Group = "totals"
	Mean        Group = "mean"
	Direction   Group = "direction"
	Flags       Group = "flags"
	TCP         Group = "tcp"
	Activity    Group = "activity"
	Bulk        Group = "bulk"
	IP          Group = "ip"
	CommunityID Group = "community-id"
	End         Group = "end"
	Time        Group = "time"

	Quantiles Group = "quantiles" // with --quantiles
	Sequence  Group = "sequence"  // with --sequence
)

// FeatureGroups are the groups that --features may name, besides All, in the
// order of their columns.
func FeatureGroups() []Group {
	return []Group{Basic, Totals, Mean, Direction, Flags, TCP, Activity, Bulk, IP, CommunityID, End, Time}
}

const (
	exact          = "exact"
	rounded        = "exact, rounded once to the last decimal"
	digest         = "exact up to 128 packets and up to 112 distinct values; beyond, a t-digest: its rank error stays below 1 % on traffic (0.45 % was the worst); values forged against it reach 3 %"
	quantileDigest = "exact up to 128 packets and up to 112 distinct values; beyond, a t-digest: its rank error stays below 1 % on traffic (0.4 % was the worst on captures, 0.8 % on hostile orders), and below 0.2 % up to the 1st percentile and from the 99th on (0.08 % and 0.13 %)"

	deviation = "standard deviation, of the population (with --sample-std of a sample),"
	nsUnit    = "ns since 1970-01-01T00:00:00Z"
)

// Columns returns the columns of all feature groups and of the identity with
// VLAN ids, in the order they have in a row.
func Columns() []Column {
	var all []Column
	for _, list := range [][]Column{identityColumns(), gapColumns(), sizeColumns(), timeColumns(), totalColumns(), meanColumns(),
		directionColumns(), flagColumns(), tcpColumns(), activityColumns(), bulkColumns(), ipColumns(), textColumns()} {
		all = append(all, list...)
	}
	return all
}

// Dictionary returns the data dictionary: Columns, with what quantiles,
// sequences, labels and captures in the key add. In names Q stands for a
// percentage and i for the number of a packet. Its columns have no values.
func Dictionary() []Column {
	columns := columnsOf(Columns(), &Options{Capture: NoText, Label: NoLabel})
	label := columns[len(columns)-1]
	columns = append(columns[:len(columns)-1], quantileColumns("Q", 0)...)
	return append(append(columns, sequenceColumns("i", 0)...), label)
}

// NoText is for Options.Capture where only the columns are asked for.
func NoText(dst []byte, _ *agg.Summary) []byte { return dst }

// NoLabel is for Options.Label where only the columns are asked for.
func NoLabel() SessionText { return NoText }

func identityColumns() []Column {
	list := []Column{
		address("src_ip", "source address; the sender of the session's first packet", func(k *flow.Key) *[16]byte { return &k.Src }),
		address("dst_ip", "destination address", func(k *flow.Key) *[16]byte { return &k.Dst }),
		identityNumber("src_port", "source port; 0 for protocols without ports and where the header is not in the capture", func(k *flow.Key) uint64 { return uint64(k.SrcPort) }).narrow(Uint16),
		identityNumber("dst_port", "destination port; 0 as for src_port", func(k *flow.Key) uint64 { return uint64(k.DstPort) }).narrow(Uint16),
		identityNumber("protocol", "IP protocol number; for IPv6 the first upper-layer protocol", func(k *flow.Key) uint64 { return uint64(k.Protocol) }).narrow(Uint8),
		vlanNumber("vlan_outer", "outermost VLAN id; 0 where there is none", func(k *flow.Key) uint64 { return uint64(k.VLANOuter) }).narrow(Uint16),
		vlanNumber("vlan_inner", "innermost VLAN id; 0 where there is none", func(k *flow.Key) uint64 { return uint64(k.VLANInner) }).narrow(Uint16),
		{Name: "first_seen_ns", Group: Identity, Type: Integer, Kind: Signed, Unit: nsUnit, Definition: "time of the first packet", Exactness: exact,
			value: func(r *Row) Value { return Value{Lo: uint64(r.Summary.First)} }},
		{Name: "last_seen_ns", Group: Identity, Type: Integer, Kind: Signed, Unit: nsUnit, Definition: "latest packet time", Exactness: exact,
			value: func(r *Row) Value { return Value{Lo: uint64(r.Summary.Last)} }},
	}
	for i := range tupleCells {
		list[i].tuple = i + 1
	}
	return list
}

func address(name, definition string, of func(*flow.Key) *[16]byte) Column {
	return Column{Name: name, Group: Identity, Type: Text, Kind: Address, Definition: definition, Exactness: exact,
		value: func(r *Row) Value {
			k := &r.Summary.Key
			a := of(k)
			return Value{binary.BigEndian.Uint64(a[:8]), binary.BigEndian.Uint64(a[8:]), k.Version}
		}}
}

func identityNumber(name, definition string, value func(*flow.Key) uint64) Column {
	return Column{Name: name, Group: Identity, Type: Integer, Kind: Unsigned, Definition: definition, Exactness: exact,
		value: func(r *Row) Value { return Value{Lo: value(&r.Summary.Key)} }}
}

func vlanNumber(name, definition string, value func(*flow.Key) uint64) Column {
	c := identityNumber(name, definition, value)
	c.Group = VLAN
	return c
}

// secondsIn is seconds for what stands in the summary.
func secondsIn(name, definition string, field func(*agg.Summary) *uint64) Column {
	c := seconds(name, definition, exact, nil)
	c.value, c.field = nil, field
	return c
}

func seconds(name, definition, exactness string, ns func(*Row) uint64) Column {
	return Column{Name: name, Group: Basic, Type: Decimal, Kind: Nanos, Unit: "s", Definition: definition, Exactness: exactness,
		value: func(r *Row) Value { return Value{Lo: ns(r)} }}
}

// gap is a column of the interarrival times, of which a session of one packet
// has none.
func gap(name, definition, exactness string, ns func(*Row) uint64) Column {
	c := seconds(name, definition, exactness, ns)
	c.needs = someGap
	return c
}

func gapColumns() []Column {
	std := gap("iat_std_s", "standard deviation of the interarrival times, of the population (with --sample-std of a sample)", rounded,
		func(r *Row) uint64 { return r.Summary.Gaps.Std(1, r.sample) })
	std.needs, std.void = deviatingGap, someGap
	least := secondsIn("iat_min_s", "smallest interarrival time: time between two neighbouring packets of the session", func(s *agg.Summary) *uint64 { return &s.Gaps.Min })
	most := secondsIn("iat_max_s", "largest interarrival time", func(s *agg.Summary) *uint64 { return &s.Gaps.Max })
	least.needs, most.needs = someGap, someGap
	return statisticOf(func(s *agg.Summary) *agg.Stats { return &s.Gaps },
		least, most,
		gap("iat_median_s", "median of the interarrival times", digest,
			func(r *Row) uint64 { return r.Summary.Gaps.Nearest() }),
		std)
}

func sizeColumns() []Column {
	return append(
		sizes("packet_length", "wire length", func(s *agg.Summary) *agg.Stats { return &s.Lengths }),
		sizes("payload_size", "size of the transport payload by the packet's own length fields", func(s *agg.Summary) *agg.Stats { return &s.Payloads })...)
}

// sizes are the four columns of one size per packet.
func sizes(name, what string, of func(*agg.Summary) *agg.Stats) []Column {
	integer := func(suffix, adjective string, field func(*agg.Stats) *uint64) Column {
		return count(name+suffix, adjective+" "+what, Basic, "bytes", func(s *agg.Summary) *uint64 { return field(of(s)) })
	}
	return statisticOf(of,
		integer("_min", "smallest", func(st *agg.Stats) *uint64 { return &st.Min }),
		integer("_max", "largest", func(st *agg.Stats) *uint64 { return &st.Max }),
		Column{Name: name + "_median", Group: Basic, Type: Decimal, Kind: Halves, Unit: "bytes", Definition: "median " + what, Exactness: digest,
			value: func(r *Row) Value { return halves(of(&r.Summary).Median) }},
		Column{Name: name + "_std", Group: Basic, Type: Decimal, Kind: Micros, Unit: "bytes", Definition: "standard deviation of the " + what + ", of the population (with --sample-std of a sample)", Exactness: rounded,
			value: func(r *Row) Value { return Value{Lo: of(&r.Summary).Std(1e6, r.sample)} },
			needs: deviating})
}

// halves is the mean of the two middle values. Requires: both are sizes of
// packets, below 2^32.
func halves(m agg.Median) Value { return Value{Lo: m.Lo + m.Hi} }

func count(name, definition string, group Group, unit string, field func(*agg.Summary) *uint64) Column {
	return Column{Name: name, Group: group, Type: Integer, Kind: Unsigned, Unit: unit, Definition: definition, Exactness: exact, field: field}
}

func timeColumns() []Column {
	list := []Column{
		seconds("duration_s", "time from the first packet to the last", exact,
			func(r *Row) uint64 { return r.Summary.Duration() }),
		seconds("active_time_s", "sum of the interarrival times up to the idle threshold", exact,
			func(r *Row) uint64 { return r.Summary.Duration() - r.Summary.Idle }),
		secondsIn("idle_time_s", "sum of the interarrival times above the idle threshold", func(s *agg.Summary) *uint64 { return &s.Idle }),
		count("truncated_packets", "packets of which the capture kept fewer bytes than were on the wire", Basic, "packets",
			func(s *agg.Summary) *uint64 { return &s.Truncated }),
		count("total_packets", "packets of the session", Basic, "packets",
			func(s *agg.Summary) *uint64 { return &s.Packets }),
		rate("bytes_per_s", "bytes/s", "sum of the wire lengths, divided by the duration", func(s *agg.Summary) uint64 { return s.Lengths.Sum }),
		rate("packets_per_s", "1/s", "number of packets, divided by the duration", func(s *agg.Summary) uint64 { return s.Packets }),
	}
	list[0].void, list[1].void, list[2].void = someDuration, someDuration, someIdleTime
	return list
}

func rate(name, unit, definition string, value func(*agg.Summary) uint64) Column {
	return Column{Name: name, Group: Basic, Type: Decimal, Kind: Micros128, Unit: unit, Definition: definition, Exactness: rounded,
		value: func(r *Row) Value {
			hi, lo := r.Summary.PerSecond(value(&r.Summary), 1e6)
			return Value{Hi: hi, Lo: lo}
		},
		needs: someDuration}
}

func totalColumns() []Column {
	return []Column{
		count("total_bytes", "sum of the wire lengths", Totals, "bytes", func(s *agg.Summary) *uint64 { return &s.Lengths.Sum }),
		count("payload_bytes", "sum of the payload sizes", Totals, "bytes", func(s *agg.Summary) *uint64 { return &s.Payloads.Sum }),
	}
}

func meanColumns() []Column {
	mean := func(name, what string, of func(*agg.Summary) *agg.Stats) Column {
		return Column{Name: name, Group: Mean, Type: Decimal, Kind: Micros, Unit: "bytes", Definition: "mean of the " + what, Exactness: rounded,
			value: func(r *Row) Value { return Value{Lo: of(&r.Summary).Mean(1e6)} }}
	}
	iat := gap("iat_mean_s", "mean of the interarrival times", rounded, func(r *Row) uint64 { return r.Summary.Gaps.Mean(1) })
	iat.Group = Mean
	return []Column{
		iat,
		mean("packet_length_mean", "wire lengths", func(s *agg.Summary) *agg.Stats { return &s.Lengths }),
		mean("payload_size_mean", "payload sizes", func(s *agg.Summary) *agg.Stats { return &s.Payloads }),
	}
}
