package writer

import (
	"math"
	"strings"
	"testing"
	"time"

	"pcapbatch/internal/agg"
	"pcapbatch/internal/flow"
)

// everything is all there is to ask.
func everything() Options {
	return Options{Features: []Group{All}, Quantiles: []Quantile{{"25", 25_000}, {"99.9", 99_900}}, Sequence: 10}
}

// detailedTable makes a table for the columns of o.
func detailedTable(o Options, events []flow.Event, details []flow.Detail) *agg.Table {
	a := agg.Options{IdleThreshold: agg.DefaultIdleThreshold}
	a.Needs, a.Sequence = Needs(o)
	t := agg.NewTable(a)
	order := make([]uint16, len(events))
	for i := range events {
		events[i].Hash = uint32(events[i].Key.Hash(0))
		order[i] = uint16(i)
	}
	t.UpdateDetailed(events, details, order)
	return t
}

// connection is a TCP connection: handshake, four data packets one way and one
// the other, a pause of 7 s, and a FIN of each side.
func connection() (events []flow.Event, details []flow.Detail) {
	for _, p := range []struct {
		back    bool
		ms      int64
		payload uint32
		flags   uint8
	}{
		{false, 0, 0, flow.SYN}, {true, 20, 0, flow.SYN | flow.ACK}, {false, 50, 0, flow.ACK},
		{false, 60, 10, flow.ACK | flow.PSH}, {false, 70, 20, flow.ACK}, {false, 80, 30, flow.ACK}, {false, 90, 40, flow.ACK},
		{true, 100, 500, flow.ACK}, {false, 7100, 0, flow.FIN | flow.ACK}, {true, 7200, 0, flow.FIN | flow.ACK},
	} {
		ev := packets(1_700_000_000_000_000_000 + p.ms*1e6)[0]
		ev.PayloadBytes, ev.WireBytes = p.payload, p.payload+54
		d := flow.NewDetail(64).WithHeader(20).WithTCPFlags(p.flags).WithWindow(1000)
		if p.back {
			ev.Flags |= flow.Reversed
			d = flow.NewDetail(50).WithHeader(32).WithTCPFlags(p.flags).WithWindow(2000)
		}
		events, details = append(events, ev), append(details, d)
	}
	return events, details
}

// What a person reads out of the packets above.
func TestGoldenGroups(t *testing.T) {
	o := everything()
	events, details := connection()
	tab := detailedTable(o, events, details)
	defer tab.Release()
	_, rows := rowsOf(t, o, tab)
	expect(t, rows[0], map[string]string{
		"src_ip": "192.0.2.1", "total_packets": "10", "total_bytes": "1140", "payload_bytes": "600",
		"fwd_first_seen_ns": "1700000000000000000", "fwd_last_seen_ns": "1700000007100000000",
		"bwd_first_seen_ns": "1700000000020000000", "bwd_last_seen_ns": "1700000007200000000",
		"fwd_packets": "7", "fwd_bytes": "478", "fwd_payload_bytes": "100", "fwd_header_bytes": "140", "fwd_header_min": "20", "fwd_data_packets": "4",
		"bwd_packets": "3", "bwd_bytes": "662", "bwd_payload_bytes": "500", "bwd_header_bytes": "96", "bwd_header_min": "32", "bwd_data_packets": "1",
		"fwd_iat_min_s": "0.01", "fwd_iat_max_s": "7.01", "fwd_iat_median_s": "0.01", "fwd_iat_mean_s": "1.183333333",
		"bwd_iat_min_s": "0.08", "bwd_iat_max_s": "7.1", "bwd_iat_median_s": "3.59", "bwd_iat_mean_s": "3.59", "bwd_iat_std_s": "3.51",
		"fwd_packet_length_min": "54", "fwd_packet_length_max": "94", "fwd_packet_length_median": "64.0", "bwd_packet_length_mean": "220.666667",
		"fwd_payload_size_max": "40", "fwd_payload_size_median": "10.0", "bwd_payload_size_median": "0.0",
		"fwd_syn_packets": "1", "bwd_syn_packets": "1", "fwd_ack_packets": "6", "bwd_ack_packets": "3", "fwd_psh_packets": "1", "fwd_fin_packets": "1", "bwd_fin_packets": "1", "fwd_rst_packets": "0",
		"tcp_state": "SF", "fwd_initial_window": "1000", "bwd_initial_window": "2000", "syn_synack_s": "0.02", "synack_ack_s": "0.03",
		"active_periods": "2", "idle_periods": "1", "active_min_s": "0.1", "active_max_s": "0.1", "active_mean_s": "0.1", "active_std_s": "0.0",
		"idle_min_s": "7.0", "idle_max_s": "7.0", "idle_mean_s": "7.0", "idle_std_s": "0.0",
		"fwd_bulks": "1", "fwd_bulk_packets": "4", "fwd_bulk_bytes": "100", "fwd_bulk_duration_s": "0.03", "bwd_bulks": "0", "bwd_bulk_duration_s": "0.0", "subflows": "2",
		"fwd_ttl_min": "64", "fwd_ttl_max": "64", "bwd_ttl_min": "50", "fragments": "0", "icmp_type": "0", "icmp_code": "0",
		"community_id": "1:DNFWfjQ3MuttROdTWSdgIncxAbw=", "end_reason": "input",
		"first_seen": "2023-11-14T22:13:20.000000000Z", "last_seen": "2023-11-14T22:13:27.200000000Z",
		"iat_p25_s": "0.01", "packet_length_p25": "54.0", "payload_size_p99.9": "495.86", "iat_p99.9_s": "6.9448",
		"seq_1_length": "54", "seq_1_payload": "0", "seq_1_iat_s": "0.0", "seq_2_length": "-54", "seq_2_iat_s": "0.02", "seq_8_length": "-554", "seq_8_payload": "500", "seq_10_iat_s": "0.1",
	})
}

// A packet alone: what needs more is undefined, whatever its type.
func TestUndefinedGroups(t *testing.T) {
	o := everything()
	for _, c := range []struct {
		sample, icmp bool
		empty        []string
	}{
		{false, false, []string{"fwd_iat_min_s", "fwd_iat_std_s", "bwd_first_seen_ns", "bwd_header_min", "bwd_packet_length_min", "bwd_payload_size_median", "bwd_packet_length_std",
			"fwd_initial_window", "bwd_initial_window", "syn_synack_s", "synack_ack_s", "idle_min_s", "idle_std_s", "bwd_ttl_min", "icmp_type", "icmp_code", "iat_p25_s", "seq_2_length", "seq_10_iat_s"}},
		{true, true, []string{"fwd_packet_length_std", "fwd_iat_std_s", "active_std_s", "bwd_ttl_max"}},
	} {
		ev := packets(0)
		d := flow.NewDetail(9).WithHeader(8)
		ev[0].Key.Protocol = 17
		if c.icmp {
			ev[0].Key.Protocol = 1
			d = d.WithICMP(0, 0)
		}
		tab := detailedTable(o, ev, []flow.Detail{d})
		o.SampleStd = c.sample
		o.UndefinedEmpty = true
		_, empty := rowsOf(t, o, tab)
		o.UndefinedEmpty = false
		_, zero := rowsOf(t, o, tab)
		tab.Release()
		for _, name := range c.empty {
			if empty[0][name] != "" || strings.Trim(zero[0][name], "0.") != "" || zero[0][name] == "" {
				t.Errorf("%s is %q, with zeros %q", name, empty[0][name], zero[0][name])
			}
		}
		defined := []string{"fwd_packets", "bwd_packets", "fwd_header_min", "fwd_packet_length_min", "active_min_s", "active_periods", "idle_periods", "fwd_bulks", "subflows", "fwd_ttl_min", "fragments", "tcp_state", "community_id", "seq_1_length", "seq_1_iat_s", "packet_length_p25"}
		if c.icmp {
			defined = append(defined, "icmp_type", "icmp_code")
		} else {
			defined = append(defined, "fwd_packet_length_std", "active_std_s")
		}
		for _, name := range defined {
			if empty[0][name] == "" || empty[0][name] != zero[0][name] {
				t.Errorf("%s is %q, with zeros %q", name, empty[0][name], zero[0][name])
			}
		}
		if got := zero[0]["tcp_state"]; got != "-" {
			t.Errorf("tcp_state of protocol %s: %s", zero[0]["protocol"], got)
		}
	}
}

// A column is the same whatever else is asked for, in sessions of one packet
// and of many, of one direction and of both, of TCP and of others, at one time
// and over long ones. So is what is copied.
func TestColumnsAlone(t *testing.T) {
	for name, change := range map[string]func(i int, ev *flow.Event, d *flow.Detail){
		"as it is":     func(int, *flow.Event, *flow.Detail) {},
		"one way":      func(_ int, ev *flow.Event, d *flow.Detail) { ev.Flags = 0 },
		"at one time":  func(_ int, ev *flow.Event, d *flow.Detail) { ev.Time = -5 },
		"no flags":     func(_ int, ev *flow.Event, d *flow.Detail) { *d = flow.NewDetail(3) },
		"UDP":          func(_ int, ev *flow.Event, d *flow.Detail) { *d = flow.NewDetail(3); ev.Key.Protocol = 17 },
		"only answers": func(i int, ev *flow.Event, d *flow.Detail) { ev.Flags = flow.Reversed * flow.Flags(min(i, 1)) },
	} {
		for _, n := range []int{1, 2, 3, 10} {
			for _, empty := range []bool{false, true} {
				make := func(o Options) map[string]string {
					events, details := connection()
					for i := range events[:n] {
						change(i, &events[i], &details[i])
					}
					tab := detailedTable(o, events[:n], details[:n])
					defer tab.Release()
					o.UndefinedEmpty = empty
					_, rows := rowsOf(t, o, tab)
					return rows[0]
				}
				want := make(everything())
				for _, o := range append([]Options{{}, {Quantiles: everything().Quantiles[:1]}, {Sequence: 3}}, alone()...) {
					row := make(o)
					if len(row) < 8 {
						t.Errorf("%+v: only %d columns", o, len(row))
					}
					for column, cell := range row {
						if want[column] != cell {
							t.Errorf("%s, %d packets: %s is %q alone, and %q with all others", name, n, column, cell, want[column])
						}
					}
				}
				for column, cell := range valueCells(t, everything(), n, empty, change) {
					if cell != want[column] {
						t.Errorf("%s, %d packets: %s is %q by its value, and %q in the row", name, n, column, cell, want[column])
					}
				}
			}
		}
	}
}

// valueCells returns each cell of a row as its column's value has it; texts
// apart.
func valueCells(t *testing.T, o Options, n int, empty bool, change func(int, *flow.Event, *flow.Detail)) map[string]string {
	t.Helper()
	events, details := connection()
	for i := range events[:n] {
		change(i, &events[i], &details[i])
	}
	tab := detailedTable(o, events[:n], details[:n])
	defer tab.Release()
	o.UndefinedEmpty = empty
	l, err := NewLayout(o)
	if err != nil {
		t.Fatal(err)
	}
	f := l.NewFormatter()
	f.row.Load(tab, 0)
	row := map[string]string{}
	for k := range l.columns {
		if c := &l.columns[k]; c.Kind != Bytes {
			text := f.cells[k].undefined
			if c.Defined(f.row) {
				text = f.run(nil, []step{f.stepOf(c)})
			}
			row[c.Name] = strings.TrimSuffix(string(text), ",")
		}
	}
	return row
}

func alone() (list []Options) {
	for _, g := range FeatureGroups() {
		list = append(list, Options{Features: []Group{g}})
	}
	return list
}

func TestAppendTime(t *testing.T) {
	var c clock
	r := newRand(12)
	for i := range 200_000 {
		ns := int64(r.Uint64())
		switch i {
		case 0:
			ns = math.MinInt64
		case 1:
			ns = math.MaxInt64
		case 2:
			ns = -1
		case 3:
			ns = 951_782_400e9 - 1 // 29 February 2000
		}
		want := time.Unix(0, ns).UTC().Format("2006-01-02T15:04:05.000000000Z")
		if got := string(c.append([]byte("x"), ns)); got != "x"+want {
			t.Fatalf("%d: %s, want %s", ns, got, want)
		}
	}
}

func TestParseQuantiles(t *testing.T) {
	got, err := ParseQuantiles("5,25,75,99.9,0.001,99.999,05.50")
	want := []Quantile{{"5", 5000}, {"25", 25_000}, {"75", 75_000}, {"99.9", 99_900}, {"0.001", 1}, {"99.999", 99_999}, {"05.50", 5500}}
	if err != nil || len(got) != len(want) {
		t.Fatal(got, err)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%v, want %v", got[i], want[i])
		}
	}
	for list, named := range map[string]string{
		"": `""`, "0": `"0"`, "100": `"100"`, "5,": `""`, "x": `"x"`, "5,0,101": `"0"`, "101": `"101"`, "0.0001": `"0.0001"`, "5.": `"5."`, ".5": `".5"`, "-5": `"-5"`,
		"+5": `"+5"`, " 5": `" 5"`, "1e1": `"1e1"`, "0.000": `"0.000"`, "5,5": `"5"`, "5,25,5.0": `"5.0"`, "５": `"５"`,
	} {
		if _, err := ParseQuantiles(list); err == nil || !strings.Contains(err.Error(), named) {
			t.Errorf("%q: %v", list, err)
		}
	}
}

func TestSequenceBounds(t *testing.T) {
	for _, n := range []int{-1, 101, math.MaxInt} {
		if _, err := NewLayout(Options{Sequence: n}); err == nil || !strings.Contains(err.Error(), "1 to 100") {
			t.Errorf("sequence of %d: %v", n, err)
		}
	}
	if CheckSequence(0) == nil || CheckSequence(1) != nil || CheckSequence(100) != nil {
		t.Error("wrong bounds")
	}
}

func TestNeeds(t *testing.T) {
	for _, o := range []Options{{}, {Features: early}, {Features: []Group{Time, Basic}}} {
		if n, sequence := Needs(o); n != 0 || sequence != 0 {
			t.Errorf("%+v needs %b, %d", o, n, sequence)
		}
	}
	seen := agg.Needs(0)
	for _, g := range []Group{Direction, Flags, TCP, Activity, Bulk, IP, CommunityID, End} {
		n, _ := Needs(Options{Features: []Group{g, Basic}})
		if n == 0 || n&seen != 0 {
			t.Errorf("%s needs %b", g, n)
		}
		seen |= n
	}
	if n, sequence := Needs(everything()); n != seen|agg.NeedQuantiles || sequence != 10 {
		t.Errorf("everything needs %b, %d", n, sequence)
	}
}

func TestAppendRowOfGroupsAllocates(t *testing.T) {
	o := everything()
	l, err := NewLayout(o)
	if err != nil {
		t.Fatal(err)
	}
	for _, times := range []int{1, 50} {
		var events []flow.Event
		var details []flow.Detail
		for range times {
			e, d := connection()
			events, details = append(events, e...), append(details, d...)
		}
		tab := detailedTable(o, events, details)
		f := l.NewFormatter()
		buf := f.AppendRow(nil, tab, 0)
		if a := testing.AllocsPerRun(100, func() { buf = f.AppendRow(buf[:0], tab, 0) }); a != 0 {
			t.Errorf("%v allocations for the row of %d packets", a, len(events))
		}
		tab.Release()
	}
}

// go test -run '^$' -bench AllGroups ./internal/writer
func BenchmarkAllGroups(b *testing.B) {
	o := Options{Features: []Group{All}}
	for name, n := range map[string]int{"packets=1": 1, "packets=10": 10} {
		b.Run(name, func(b *testing.B) {
			events, details := connection()
			tab := detailedTable(o, events[:n], details[:n])
			defer tab.Release()
			l, err := NewLayout(o)
			if err != nil {
				b.Fatal(err)
			}
			f := l.NewFormatter()
			var buf []byte
			b.ReportAllocs()
			for b.Loop() {
				buf = f.AppendRow(buf[:0], tab, 0)
			}
			b.SetBytes(int64(len(buf)))
		})
	}
}
