package writer

import (
	"encoding/csv"
	"math"
	"math/big"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pcapbatch/internal/agg"
	"pcapbatch/internal/capturetest"
	"pcapbatch/internal/flow"
)

// TestMain collects garbage less often and keeps files in memory, to save time:
// see capturetest.Run.
func TestMain(m *testing.M) { os.Exit(capturetest.Run(m)) }

// The columns of docs/semantics.md, in their order.
const (
	identityNames = "src_ip,dst_ip,src_port,dst_port,protocol"
	vlanNames     = ",vlan_outer,vlan_inner"
	timeNames     = ",first_seen_ns,last_seen_ns"
	basicNames    = ",iat_min_s,iat_max_s,iat_median_s,iat_std_s" +
		",packet_length_min,packet_length_max,packet_length_median,packet_length_std" +
		",payload_size_min,payload_size_max,payload_size_median,payload_size_std" +
		",duration_s,active_time_s,idle_time_s,truncated_packets,total_packets,bytes_per_s,packets_per_s"
	totalsNames = ",total_bytes,payload_bytes"
	meanNames   = ",iat_mean_s,packet_length_mean,payload_size_mean"
	tcpNames    = ",tcp_state,fwd_initial_window,bwd_initial_window,syn_synack_s,synack_ack_s"
	periodNames = ",active_periods,idle_periods,active_min_s,active_max_s,active_mean_s,active_std_s,idle_min_s,idle_max_s,idle_mean_s,idle_std_s"
	bulkNames   = ",D_bulks,D_bulk_packets,D_bulk_bytes,D_bulk_duration_s"
	ipNames     = ",D_ttl_min,D_ttl_max"
	restNames   = ",fragments,icmp_type,icmp_code,community_id,end_reason,first_seen,last_seen"
	flagNames   = ",D_fin_packets,D_syn_packets,D_rst_packets,D_psh_packets,D_ack_packets,D_urg_packets,D_ece_packets,D_cwr_packets"

	directionNames = ",D_first_seen_ns,D_last_seen_ns,D_packets,D_bytes,D_payload_bytes,D_header_bytes,D_header_min,D_data_packets" +
		",D_iat_min_s,D_iat_max_s,D_iat_mean_s,D_iat_median_s,D_iat_std_s" +
		",D_packet_length_min,D_packet_length_max,D_packet_length_mean,D_packet_length_median,D_packet_length_std" +
		",D_payload_size_min,D_payload_size_max,D_payload_size_mean,D_payload_size_median,D_payload_size_std"
)

// both is names with fwd for D, and again with bwd.
func both(names string) string {
	return strings.ReplaceAll(names, ",D_", ",fwd_") + strings.ReplaceAll(names, ",D_", ",bwd_")
}

// moreNames are the columns of all groups behind mean.
func moreNames() string {
	return both(directionNames) + both(flagNames) + tcpNames + periodNames + both(bulkNames) + ",subflows" + both(ipNames) + restNames
}

// early are the groups that need nothing of tables.
var early = []Group{Basic, Totals, Mean}

func TestHeader(t *testing.T) {
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{}, identityNames + timeNames + basicNames},
		{Options{VLAN: true}, identityNames + vlanNames + timeNames + basicNames},
		{Options{Features: []Group{Basic}}, identityNames + timeNames + basicNames},
		{Options{Features: []Group{Totals}}, identityNames + timeNames + totalsNames},
		{Options{Features: []Group{Mean, Totals, Mean}}, identityNames + timeNames + totalsNames + meanNames},
		{Options{Features: []Group{Mean, Basic}}, identityNames + timeNames + basicNames + meanNames},
		{Options{Features: []Group{All}}, identityNames + timeNames + basicNames + totalsNames + meanNames + moreNames()},
		{Options{Features: []Group{Basic, All}, VLAN: true}, identityNames + vlanNames + timeNames + basicNames + totalsNames + meanNames + moreNames()},
		{Options{Features: []Group{End, Flags, CommunityID}, Capture: NoText, VLAN: true}, identityNames + vlanNames + timeNames + ",capture" + both(flagNames) + ",community_id,end_reason"},
		{Options{Quantiles: []Quantile{{"5", 5000}, {"99.9", 99900}}, Sequence: 2, Label: NoLabel}, identityNames + timeNames + basicNames +
			",iat_p5_s,packet_length_p5,payload_size_p5,iat_p99.9_s,packet_length_p99.9,payload_size_p99.9" +
			",seq_1_length,seq_1_payload,seq_1_iat_s,seq_2_length,seq_2_payload,seq_2_iat_s,label"},
	} {
		l, err := NewLayout(c.o)
		if err != nil {
			t.Fatal(err)
		}
		if got := l.Header(); got != c.want+"\n" {
			t.Errorf("%+v:\n got %swant %s", c.o, got, c.want)
		}
		if n := len(l.Columns()); n != strings.Count(c.want, ",")+1 {
			t.Errorf("%+v: %d columns", c.o, n)
		}
	}
}

func TestUnknownGroup(t *testing.T) {
	for _, g := range []Group{"", "Basic", Identity, VLAN, Quantiles, Sequence, Capture, Label, "basic,mean"} {
		l, err := NewLayout(Options{Features: []Group{Basic, g}})
		if err == nil || l != nil || !strings.Contains(err.Error(), strconv.Quote(string(g))) || !strings.Contains(err.Error(), "there are basic, totals, mean, direction, flags, tcp, activity, bulk, ip, community-id, end, time and all") {
			t.Errorf("group %q: %v", g, err)
		}
	}
}

var kindsOf = map[Type][]Kind{
	Text:    {Address, Bytes},
	Integer: {Unsigned, Signed},
	Decimal: {Nanos, Micros, Micros128, Halves},
}

func TestDictionary(t *testing.T) {
	name := regexp.MustCompile(`^[a-z][a-z_]*(Q(_s)?)?$`)
	seen := map[string]bool{}
	groups := append([]Group{Identity, VLAN, Capture, Label, Quantiles, Sequence}, FeatureGroups()...)
	for _, c := range Dictionary() {
		if !name.MatchString(c.Name) || seen[c.Name] {
			t.Errorf("column %q is badly named, or there twice", c.Name)
		}
		seen[c.Name] = true
		if c.Definition == "" || c.Exactness == "" || (c.value == nil && c.field == nil) == (c.Kind != Bytes) || (c.text == nil) == (c.Kind == Bytes) {
			t.Errorf("%s: %+v", c.Name, c)
		}
		if !slices.Contains([]Type{Text, Integer, Decimal}, c.Type) || !slices.Contains(groups, c.Group) {
			t.Errorf("%s is of type %q in group %q", c.Name, c.Type, c.Group)
		}
		if !slices.Contains(kindsOf[c.Type], c.Kind) {
			t.Errorf("%s of type %s is of kind %d", c.Name, c.Type, c.Kind)
		}
		if strings.HasSuffix(c.Name, "_s") != (c.Unit == "s" || strings.HasSuffix(c.Unit, "/s")) {
			t.Errorf("%s is in %q", c.Name, c.Unit)
		}
		if strings.Contains(c.Name, "median") != (c.Exactness == digest) || strings.Contains(c.Name, "_pQ") != (c.Exactness == quantileDigest) {
			t.Errorf("%s: exactness %q", c.Name, c.Exactness)
		}
	}
}

// tableOf makes a table of packets of one key each.
func tableOf(o agg.Options, events ...flow.Event) *agg.Table {
	t := agg.NewTable(o)
	order := make([]uint16, len(events))
	for i := range events {
		events[i].Hash = uint32(events[i].Key.Hash(0))
		order[i] = uint16(i)
	}
	t.Update(events, order)
	return t
}

// packets returns packets of one IPv4 session at the given times, of 100, 101
// ... bytes.
func packets(times ...int64) []flow.Event {
	list := make([]flow.Event, len(times))
	for i, ns := range times {
		list[i] = flow.Event{Time: ns, WireBytes: uint32(100 + i), PayloadBytes: uint32(i), Key: flow.Key{
			Src: [16]byte{192, 0, 2, 1}, Dst: [16]byte{198, 51, 100, 7}, SrcPort: 51234, DstPort: 443, Protocol: 6, Version: 4}}
	}
	return list
}

// rowsOf formats all sessions of t and reads them again with encoding/csv.
func rowsOf(t *testing.T, o Options, tab *agg.Table) (text string, rows []map[string]string) {
	t.Helper()
	l, err := NewLayout(o)
	if err != nil {
		t.Fatal(err)
	}
	f := l.NewFormatter()
	b := []byte(l.Header())
	for i := range uint32(tab.Len()) {
		b = f.AppendRow(b, tab, i)
	}
	if strings.Contains(string(b), `"`) || strings.Contains(string(b), "\r") {
		t.Errorf("quotes or carriage returns in %q", b)
	}
	records, err := csv.NewReader(strings.NewReader(string(b))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records[1:] {
		row := map[string]string{}
		for i, name := range records[0] {
			row[name] = r[i]
		}
		rows = append(rows, row)
	}
	return string(b), rows
}

func expect(t *testing.T, row map[string]string, want map[string]string) {
	t.Helper()
	for name, w := range want {
		if got, ok := row[name]; !ok || got != w {
			t.Errorf("%s = %q, want %q", name, got, w)
		}
	}
}

// A row computed by hand: four packets, gaps of 1 ns, 6 s and 2 s.
func TestGoldenRow(t *testing.T) {
	events := packets(1_700_000_000_000_000_000, 1_700_000_000_000_000_001, 1_700_000_006_000_000_001, 1_700_000_008_000_000_001)
	events[1].Flags = flow.Truncated
	for i := range events {
		events[i].Flags |= flow.Reversed
		events[i].Key.Reverse() // so that the row shows it as packets made it
	}
	tab := tableOf(agg.Options{IdleThreshold: agg.DefaultIdleThreshold}, events...)
	defer tab.Release()
	text, _ := rowsOf(t, Options{Features: early, VLAN: true}, tab)
	const want = "192.0.2.1,198.51.100.7,51234,443,6,0,0,1700000000000000000,1700000008000000001," +
		"0.000000001,6.0,2.0,2.494438257," + // 2494438257.49 ns
		"100,103,101.5,1.118034," +
		"0,3,1.5,1.118034," +
		"8.000000001,2.000000001,6.0,1,4,50.75,0.5," +
		"406,6,2.666666667,101.5,1.5\n"
	if _, got, _ := strings.Cut(text, "\n"); got != want {
		t.Errorf("\n got %swant %s", got, want)
	}
}

func TestUndefinedValues(t *testing.T) {
	gaps := []string{"iat_min_s", "iat_max_s", "iat_median_s", "iat_std_s", "iat_mean_s"}
	rates := []string{"bytes_per_s", "packets_per_s"}
	sizes := []string{"packet_length_std", "payload_size_std"}
	for _, c := range []struct {
		name      string
		times     []int64
		sample    bool
		undefined []string
	}{
		{"one packet", []int64{5}, false, slices.Concat(gaps, rates)},
		{"one packet, of a sample", []int64{5}, true, slices.Concat(gaps, rates, sizes)},
		{"two packets", []int64{5, 9}, false, nil},
		{"two packets, of a sample", []int64{5, 9}, true, []string{"iat_std_s"}},
		{"two at one time", []int64{5, 5}, false, rates},
		{"three, of a sample", []int64{5, 9, 9}, true, nil},
	} {
		tab := tableOf(agg.Options{}, packets(c.times...)...)
		o := Options{Features: early, SampleStd: c.sample}
		_, zero := rowsOf(t, o, tab)
		o.UndefinedEmpty = true
		_, empty := rowsOf(t, o, tab)
		tab.Release()
		for name, cell := range empty[0] {
			undefined := slices.Contains(c.undefined, name)
			if (cell == "") != undefined {
				t.Errorf("%s: %s is %q", c.name, name, cell)
			}
			if got := zero[0][name]; undefined && got != "0.0" || !undefined && got != cell {
				t.Errorf("%s: %s is %q, with empty cells %q", c.name, name, got, cell)
			}
		}
	}
}

// A row of one empty cell is no empty line, which programs that read CSV skip.
func TestOneEmptyCell(t *testing.T) {
	tab := tableOf(agg.Options{}, packets(5)...)
	defer tab.Release()
	none := func() SessionText { return func(dst []byte, _ *agg.Summary) []byte { return dst } }
	for _, o := range []Options{
		{Columns: []string{"iat_median_s"}, UndefinedEmpty: true},
		{Columns: []string{"label"}, Label: none},
	} {
		l, err := NewLayout(o)
		if err != nil {
			t.Fatal(err)
		}
		if row := string(l.NewFormatter().AppendRow([]byte("before\n"), tab, 0)); row != "before\n\"\"\n" {
			t.Errorf("column %s: %q", o.Columns, row)
		}
	}
}

func TestSampleStd(t *testing.T) {
	tab := tableOf(agg.Options{}, packets(0, 1e9, 4e9)...) // gaps of 1 s and 3 s; 100, 101, 102 bytes
	defer tab.Release()
	_, rows := rowsOf(t, Options{}, tab)
	expect(t, rows[0], map[string]string{"iat_std_s": "1.0", "packet_length_std": "0.816497", "payload_size_std": "0.816497"})
	_, rows = rowsOf(t, Options{SampleStd: true}, tab)
	expect(t, rows[0], map[string]string{"iat_std_s": "1.414213562", "packet_length_std": "1.0", "payload_size_std": "1.0"})
}

func TestExtremes(t *testing.T) {
	events := packets(math.MinInt64, math.MaxInt64)
	for i := range events {
		events[i].WireBytes, events[i].PayloadBytes = math.MaxUint32, math.MaxUint32
		events[i].Key.Version, events[i].Key.VLANOuter, events[i].Key.VLANInner = 6, 4095, 1
		events[i].Key.Src = [16]byte{0x20, 1, 0xd, 0xb8, 15: 1}
		events[i].Key.Protocol, events[i].Key.SrcPort = 255, 65535
	}
	tab := tableOf(agg.Options{IdleThreshold: math.MaxUint64}, events...)
	defer tab.Release()
	_, rows := rowsOf(t, Options{Features: early, VLAN: true}, tab)
	expect(t, rows[0], map[string]string{
		"src_ip": "2001:db8::1", "dst_ip": "c633:6407::", "src_port": "65535", "protocol": "255", "vlan_outer": "4095", "vlan_inner": "1",
		"first_seen_ns": "-9223372036854775808", "last_seen_ns": "9223372036854775807",
		"iat_min_s": "18446744073.709551615", "iat_max_s": "18446744073.709551615", "iat_median_s": "18446744073.709551615", "iat_std_s": "0.0",
		"packet_length_min": "4294967295", "packet_length_median": "4294967295.0", "packet_length_std": "0.0",
		"duration_s": "18446744073.709551615", "active_time_s": "18446744073.709551615", "idle_time_s": "0.0",
		"bytes_per_s": "0.465661", "packets_per_s": "0.0", "total_bytes": "8589934590", "packet_length_mean": "4294967295.0",
	})
}

var cells = map[Type]*regexp.Regexp{
	Text:    regexp.MustCompile(`^[0-9a-f.:]+$`),
	Integer: regexp.MustCompile(`^(0|-?[1-9][0-9]*)$`),
	Decimal: regexp.MustCompile(`^(0|[1-9][0-9]*)\.([0-9]|[0-9]{1,8}[1-9])$`),
}

// Random sessions: every cell has the form of its type, and says what the
// summary says.
func TestRandomRows(t *testing.T) {
	r := newRand(6)
	var events []flow.Event
	now := int64(0)
	for i := range 20_000 {
		now += int64(r.Uint64() >> (20 + r.UintN(44)))
		ev := packets(now)[0]
		ev.Key.SrcPort = uint16(r.IntN(1 + i/20))
		ev.WireBytes, ev.PayloadBytes = r.Uint32()>>r.UintN(32), r.Uint32()>>r.UintN(32)
		ev.Flags = flow.Truncated * flow.Flags(r.IntN(2))
		events = append(events, ev)
	}
	tab := tableOf(agg.Options{IdleThreshold: agg.DefaultIdleThreshold}, events...)
	defer tab.Release()
	for _, sample := range []bool{false, true} {
		_, rows := rowsOf(t, Options{Features: early, VLAN: true, SampleStd: sample}, tab)
		if len(rows) != tab.Len() || len(rows) < 100 {
			t.Fatalf("%d rows of %d sessions", len(rows), tab.Len())
		}
		var z agg.Summarizer
		var s agg.Summary
		for i, row := range rows {
			z.Summarize(tab, uint32(i), &s)
			checkForm(t, row)
			expect(t, row, wantRow(&s, sample))
		}
	}
}

func checkForm(t *testing.T, row map[string]string) {
	t.Helper()
	for _, c := range Columns() {
		if _, ok := row[c.Name]; !ok {
			continue
		}
		if !cells[c.Type].MatchString(row[c.Name]) {
			t.Fatalf("%s, a cell of type %s, is %q", c.Name, c.Type, row[c.Name])
		}
		_, decimals, _ := strings.Cut(row[c.Name], ".")
		if c.Type == Decimal && c.Unit != "s" && len(decimals) > 6 {
			t.Fatalf("%s has %d decimals: %s", c.Name, len(decimals), row[c.Name])
		}
	}
}

// wantRow is the row of s by strconv and math/big.
func wantRow(s *agg.Summary, sample bool) map[string]string {
	u := func(v uint64) string { return strconv.FormatUint(v, 10) }
	dec := func(v uint64, places int) string { return decimal(new(big.Int).SetUint64(v), places) }
	rate := func(v uint64) string {
		if s.First == s.Last {
			return "0.0"
		}
		hi, lo := s.PerSecond(v, 1e6)
		x := new(big.Int).Lsh(new(big.Int).SetUint64(hi), 64)
		return decimal(x.Or(x, new(big.Int).SetUint64(lo)), 6)
	}
	row := map[string]string{
		"src_ip": s.Key.SrcAddr().String(), "dst_ip": s.Key.DstAddr().String(),
		"src_port": u(uint64(s.Key.SrcPort)), "dst_port": u(uint64(s.Key.DstPort)), "protocol": u(uint64(s.Key.Protocol)),
		"first_seen_ns": strconv.FormatInt(s.First, 10), "last_seen_ns": strconv.FormatInt(s.Last, 10),
		"iat_min_s": dec(s.Gaps.Min, 9), "iat_max_s": dec(s.Gaps.Max, 9), "iat_median_s": dec(s.Gaps.Nearest(), 9),
		"iat_std_s": dec(s.Gaps.Std(1, sample), 9), "iat_mean_s": dec(s.Gaps.Mean(1), 9),
		"duration_s": dec(s.Duration(), 9), "active_time_s": dec(s.Duration()-s.Idle, 9), "idle_time_s": dec(s.Idle, 9),
		"truncated_packets": u(s.Truncated), "total_packets": u(s.Packets), "bytes_per_s": rate(s.Lengths.Sum), "packets_per_s": rate(s.Packets),
		"total_bytes": u(s.Lengths.Sum), "payload_bytes": u(s.Payloads.Sum),
	}
	for name, st := range map[string]*agg.Stats{"packet_length": &s.Lengths, "payload_size": &s.Payloads} {
		row[name+"_min"], row[name+"_max"] = u(st.Min), u(st.Max)
		row[name+"_median"] = dec(5*(st.Median.Lo+st.Median.Hi), 1)
		row[name+"_std"], row[name+"_mean"] = dec(st.Std(1e6, sample), 6), dec(st.Mean(1e6), 6)
	}
	return row
}

func TestAppendRowAllocates(t *testing.T) {
	times := make([]int64, 500)
	for i := range times {
		times[i] = int64(i*i) * 1e6
	}
	for _, n := range []int{1, 8, 100, 500} {
		tab := tableOf(agg.Options{}, packets(times[:n]...)...)
		l, err := NewLayout(Options{Features: early, VLAN: true})
		if err != nil {
			t.Fatal(err)
		}
		f := l.NewFormatter()
		buf := f.AppendRow(nil, tab, 0)
		want := string(buf)
		if a := testing.AllocsPerRun(100, func() { buf = f.AppendRow(buf[:0], tab, 0) }); a != 0 {
			t.Errorf("%v allocations for the row of %d packets", a, n)
		}
		if string(buf) != want || strings.Count(want, ",") != len(l.columns)-1 {
			t.Errorf("row %q, want %q", buf, want)
		}
		tab.Release()
	}
}

// go test -run '^$' -bench AppendRow ./internal/writer
func BenchmarkAppendRow(b *testing.B) {
	for _, n := range []int{1, 2, 3, 8, 64} {
		b.Run("packets="+strconv.Itoa(n), func(b *testing.B) {
			times := make([]int64, n)
			for i := range times {
				times[i] = 1_700_000_000_000_000_000 + int64(i*i)*1_234_567
			}
			tab := tableOf(agg.Options{IdleThreshold: agg.DefaultIdleThreshold}, packets(times...)...)
			defer tab.Release()
			l, err := NewLayout(Options{})
			if err != nil {
				b.Fatal(err)
			}
			f := l.NewFormatter()
			var buf []byte
			b.ReportAllocs()
			for b.Loop() {
				buf = f.AppendRow(buf[:0], tab, 0)
			}
			if len(buf) < 100 || buf[len(buf)-1] != '\n' {
				b.Fatalf("%q", buf)
			}
			b.SetBytes(int64(len(buf)))
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/packet")
		})
	}
}
