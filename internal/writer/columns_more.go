package writer

import (
	"strconv"

	"pcapbatch/internal/agg"
)

func tcpColumns() []Column {
	list := []Column{{Name: "tcp_state", Group: TCP, Type: Text, Kind: Bytes, Exactness: exact,
		Definition: "state of the TCP connection by the names of Zeek's conn_state: S0, S1, S2, S3, SF, REJ, RSTO, RSTR, RSTOS0, RSTRH, SH, SHR or OTH; - for other protocols",
		text:       func(dst []byte, r *Row) []byte { return append(dst, r.Summary.TCP.State.String()...) }}}
	for i := range sides {
		d := &sides[i]
		list = append(list, d.column(TCP, "initial_window", Integer, Unsigned, "bytes", "TCP window, unscaled, of the first packet "+d.what+" that has it", d.window,
			func(r *Row) uint64 { return uint64(r.Summary.TCP.Window[d.index].Bytes) }).narrow(Uint16))
	}
	elapsed := func(name, definition string, needs needs, of func(*agg.TCPSummary) *agg.Elapsed) Column {
		c := secondsIn(name, definition, func(s *agg.Summary) *uint64 { return &of(&s.TCP).Ns })
		c.Group, c.needs = TCP, needs
		return c
	}
	list = append(list,
		elapsed("syn_synack_s", "time from the first SYN without ACK to the other side's first SYN with ACK", answered, func(s *agg.TCPSummary) *agg.Elapsed { return &s.SYNToSYNACK }),
		elapsed("synack_ack_s", "time from there to the first packet of the SYN's sender with ACK and neither SYN nor RST", completed, func(s *agg.TCPSummary) *agg.Elapsed { return &s.SYNACKToACK }))
	for k := range list {
		list[k].void = tcpProtocol
	}
	return list
}

func activityColumns() []Column {
	return append([]Column{
		count("active_periods", "longest stretches without a gap above the idle threshold", Activity, "", func(s *agg.Summary) *uint64 { return &s.Activity.Active.N }),
		count("idle_periods", "gaps above the idle threshold", Activity, "", func(s *agg.Summary) *uint64 { return &s.Activity.Idle.N }),
	}, append(
		periods("active", 0, deviatingActive, func(s *agg.Summary) *agg.Moments { return &s.Activity.Active }),
		periods("idle", someIdle, deviatingIdle, func(s *agg.Summary) *agg.Moments { return &s.Activity.Idle })...)...)
}

// periods are the four columns of the lengths of active or of idle periods.
func periods(name string, some, deviating needs, of func(*agg.Summary) *agg.Moments) []Column {
	column := func(suffix, what, exactness string, needs needs, value func(*Row, *agg.Moments) uint64) Column {
		c := seconds(name+suffix, what+" of the lengths of the "+name+" periods", exactness, func(r *Row) uint64 { return value(r, of(&r.Summary)) })
		c.Group, c.needs, c.void = Activity, needs, some
		return c
	}
	extreme := func(suffix, what string, field func(*agg.Moments) *uint64) Column {
		c := column(suffix, what, exact, some, nil)
		c.value, c.field = nil, func(s *agg.Summary) *uint64 { return field(of(s)) }
		return c
	}
	return []Column{
		extreme("_min_s", "smallest", func(m *agg.Moments) *uint64 { return &m.Min }),
		extreme("_max_s", "largest", func(m *agg.Moments) *uint64 { return &m.Max }),
		column("_mean_s", "mean", rounded, some, func(_ *Row, m *agg.Moments) uint64 { return m.Mean(1) }),
		column("_std_s", deviation, rounded, deviating, func(r *Row, m *agg.Moments) uint64 { return m.Std(1, r.sample) }),
	}
}

func bulkColumns() (list []Column) {
	for i := range sides {
		d := &sides[i]
		of := func(s *agg.Summary) *agg.BulkCounts { return &s.Bulk.Bulks[d.index] }
		own := []Column{
			d.number(Bulk, "bulks", "", "bulks "+d.what+": runs of at least four data packets, without a data packet of the other direction between them and with at most 1 s between neighbours",
				func(s *agg.Summary) *uint64 { return &of(s).Bulks }),
			d.number(Bulk, "bulk_packets", "packets", "data packets in bulks "+d.what, func(s *agg.Summary) *uint64 { return &of(s).Packets }),
			d.number(Bulk, "bulk_bytes", "bytes", "payload bytes in bulks "+d.what, func(s *agg.Summary) *uint64 { return &of(s).Bytes }),
			d.fixed(Bulk, "bulk_duration_s", Decimal, Nanos, "s", "time from first to last packet of a bulk "+d.what+", summed", 0,
				func(s *agg.Summary) *uint64 { return &of(s).Duration }),
		}
		for k := range own {
			own[k].void = d.bulk
		}
		list = append(list, own...)
	}
	return append(list, count("subflows", "1 + the number of gaps above 1 s", Bulk, "", func(s *agg.Summary) *uint64 { return &s.Bulk.Subflows }))
}

func ipColumns() (list []Column) {
	for i := range sides {
		d := &sides[i]
		list = append(list,
			d.column(IP, "ttl_min", Integer, Unsigned, "", "smallest IPv4 time to live, or IPv6 hop limit, "+d.what, d.ttl, func(r *Row) uint64 { return uint64(r.Summary.IP.TTL[d.index].Min) }).narrow(Uint8),
			d.column(IP, "ttl_max", Integer, Unsigned, "", "largest IPv4 time to live, or IPv6 hop limit, "+d.what, d.ttl, func(r *Row) uint64 { return uint64(r.Summary.IP.TTL[d.index].Max) }).narrow(Uint8))
	}
	icmp := func(name, what string, value func(*agg.ICMP) uint8) Column {
		return Column{Name: name, Group: IP, Type: Integer, Kind: Unsigned, Definition: what + " of the session's first packet, an ICMP or ICMPv6 message", Exactness: exact, needs: icmpKnown,
			value: func(r *Row) Value { return Value{Lo: uint64(value(&r.Summary.IP.ICMP))} }}
	}
	return append(list,
		count("fragments", "packets that are IP fragments, first ones too", IP, "packets", func(s *agg.Summary) *uint64 { return &s.IP.Fragments }),
		icmp("icmp_type", "type", func(m *agg.ICMP) uint8 { return m.Type }).narrow(Uint8),
		icmp("icmp_code", "code", func(m *agg.ICMP) uint8 { return m.Code }).narrow(Uint8))
}

// textColumns are the groups community-id, end and time.
func textColumns() []Column {
	text := func(name string, group Group, definition string, text func([]byte, *Row) []byte) Column {
		return Column{Name: name, Group: group, Type: Text, Kind: Bytes, Definition: definition, Exactness: exact, text: text}
	}
	moment := func(name, definition string, of func(*Row) int64) Column {
		c := text(name, Time, definition, func(dst []byte, r *Row) []byte { return r.clock.append(dst, of(r)) })
		c.time = of
		return c
	}
	return []Column{
		text("community_id", CommunityID, "Community ID flow hash of the session's first packet, version 1, seed 0",
			func(dst []byte, r *Row) []byte { return agg.AppendCommunityID(dst, &r.Summary) }),
		text("end_reason", End, "rule by which a packet began the next session of the key: idle, active or tcp; input for the last session of a key",
			func(dst []byte, r *Row) []byte { return append(dst, r.Summary.End.String()...) }),
		moment("first_seen", "time of the first packet, RFC 3339, UTC", func(r *Row) int64 { return r.Summary.First }),
		moment("last_seen", "latest packet time, RFC 3339, UTC", func(r *Row) int64 { return r.Summary.Last }),
	}
}

// quantileColumns are the columns of the quantile that is number k of a run,
// named as it was asked for.
func quantileColumns(name string, k int) []Column {
	what := "quantile at " + name + " % of the "
	linear := ", linear between the closest ranks (numpy's default)"
	iat := seconds("iat_p"+name+"_s", what+"interarrival times"+linear, quantileDigest, func(r *Row) uint64 { return r.Quantiles()[k].Gaps.Nearest() })
	iat.Group, iat.needs = Quantiles, someGap
	size := func(column, of string, value func(*agg.Quantiles) *agg.QuantileValue) Column {
		return Column{Name: column + "_p" + name, Group: Quantiles, Type: Decimal, Kind: Micros, Unit: "bytes", Definition: what + of + linear, Exactness: quantileDigest,
			value: func(r *Row) Value { return Value{Lo: value(&r.Quantiles()[k]).Micros()} }}
	}
	return []Column{iat,
		size("packet_length", "wire lengths", func(q *agg.Quantiles) *agg.QuantileValue { return &q.Lengths }),
		size("payload_size", "payload sizes", func(q *agg.Quantiles) *agg.QuantileValue { return &q.Payloads })}
}

// sequenceColumns are the columns of packet i of a session, counted from 0,
// which the names call number.
func sequenceColumns(number string, i int) []Column {
	column := func(name string, typ Type, kind Kind, unit, definition string, value func(*agg.SequencePacket) uint64) Column {
		return Column{Name: "seq_" + number + name, Group: Sequence, Type: typ, Kind: kind, Unit: unit, Definition: definition, Exactness: exact, position: i,
			value: func(r *Row) Value { return Value{Lo: value(&r.Sequence()[i])} }}
	}
	which := "packet " + number + " of the session"
	return []Column{
		column("_length", Integer, Signed, "bytes", "wire length of "+which+", negative for a backward packet", func(p *agg.SequencePacket) uint64 {
			if p.Backward {
				return -uint64(p.Wire)
			}
			return uint64(p.Wire)
		}),
		column("_payload", Integer, Unsigned, "bytes", "payload size of "+which, func(p *agg.SequencePacket) uint64 { return uint64(p.Payload) }),
		column("_iat_s", Decimal, Nanos, "s", "time since the packet before "+which+"; 0 for the first", func(p *agg.SequencePacket) uint64 { return p.Gap }),
	}
}

func sequenceOf(n int) (list []Column) {
	for i := range n {
		list = append(list, sequenceColumns(strconv.Itoa(i+1), i)...)
	}
	return list
}
