package writer

import (
	"bytes"
	"encoding/csv"
	"slices"
	"strings"
	"testing"
	"time"

	"pcapbatch/internal/agg"
	"pcapbatch/internal/flow"
)

// The header of CICFlowMeter as that program writes it.
const cicHeader = "Flow ID,Src IP,Src Port,Dst IP,Dst Port,Protocol,Timestamp,Flow Duration,Total Fwd Packet,Total Bwd packets," +
	"Total Length of Fwd Packet,Total Length of Bwd Packet,Fwd Packet Length Max,Fwd Packet Length Min,Fwd Packet Length Mean,Fwd Packet Length Std," +
	"Bwd Packet Length Max,Bwd Packet Length Min,Bwd Packet Length Mean,Bwd Packet Length Std,Flow Bytes/s,Flow Packets/s," +
	"Flow IAT Mean,Flow IAT Std,Flow IAT Max,Flow IAT Min,Fwd IAT Total,Fwd IAT Mean,Fwd IAT Std,Fwd IAT Max,Fwd IAT Min," +
	"Bwd IAT Total,Bwd IAT Mean,Bwd IAT Std,Bwd IAT Max,Bwd IAT Min,Fwd PSH Flags,Bwd PSH Flags,Fwd URG Flags,Bwd URG Flags," +
	"Fwd Header Length,Bwd Header Length,Fwd Packets/s,Bwd Packets/s,Packet Length Min,Packet Length Max,Packet Length Mean,Packet Length Std,Packet Length Variance," +
	"FIN Flag Count,SYN Flag Count,RST Flag Count,PSH Flag Count,ACK Flag Count,URG Flag Count,CWR Flag Count,ECE Flag Count," +
	"Down/Up Ratio,Average Packet Size,Fwd Segment Size Avg,Bwd Segment Size Avg," +
	"Fwd Bytes/Bulk Avg,Fwd Packet/Bulk Avg,Fwd Bulk Rate Avg,Bwd Bytes/Bulk Avg,Bwd Packet/Bulk Avg,Bwd Bulk Rate Avg," +
	"Subflow Fwd Packets,Subflow Fwd Bytes,Subflow Bwd Packets,Subflow Bwd Bytes,FWD Init Win Bytes,Bwd Init Win Bytes,Fwd Act Data Pkts,Fwd Seg Size Min," +
	"Active Mean,Active Std,Active Max,Active Min,Idle Mean,Idle Std,Idle Max,Idle Min,Label"

// The header of NFStream as that program writes it, with splt_analysis, and the
// columns that it has and we have not.
const (
	nfHeader = "id,expiration_id,src_ip,src_mac,src_oui,src_port,dst_ip,dst_mac,dst_oui,dst_port,protocol,ip_version,vlan_id,tunnel_id," +
		"bidirectional_first_seen_ms,bidirectional_last_seen_ms,bidirectional_duration_ms,bidirectional_packets,bidirectional_bytes," +
		"src2dst_first_seen_ms,src2dst_last_seen_ms,src2dst_duration_ms,src2dst_packets,src2dst_bytes," +
		"dst2src_first_seen_ms,dst2src_last_seen_ms,dst2src_duration_ms,dst2src_packets,dst2src_bytes," +
		"bidirectional_min_ps,bidirectional_mean_ps,bidirectional_stddev_ps,bidirectional_max_ps," +
		"src2dst_min_ps,src2dst_mean_ps,src2dst_stddev_ps,src2dst_max_ps,dst2src_min_ps,dst2src_mean_ps,dst2src_stddev_ps,dst2src_max_ps," +
		"bidirectional_min_piat_ms,bidirectional_mean_piat_ms,bidirectional_stddev_piat_ms,bidirectional_max_piat_ms," +
		"src2dst_min_piat_ms,src2dst_mean_piat_ms,src2dst_stddev_piat_ms,src2dst_max_piat_ms," +
		"dst2src_min_piat_ms,dst2src_mean_piat_ms,dst2src_stddev_piat_ms,dst2src_max_piat_ms," +
		"bidirectional_syn_packets,bidirectional_cwr_packets,bidirectional_ece_packets,bidirectional_urg_packets," +
		"bidirectional_ack_packets,bidirectional_psh_packets,bidirectional_rst_packets,bidirectional_fin_packets," +
		"src2dst_syn_packets,src2dst_cwr_packets,src2dst_ece_packets,src2dst_urg_packets,src2dst_ack_packets,src2dst_psh_packets,src2dst_rst_packets,src2dst_fin_packets," +
		"dst2src_syn_packets,dst2src_cwr_packets,dst2src_ece_packets,dst2src_urg_packets,dst2src_ack_packets,dst2src_psh_packets,dst2src_rst_packets,dst2src_fin_packets"
	nfSequenceHeader = ",splt_direction,splt_ps,splt_piat_ms"
)

func nfColumnsHere() string {
	names := slices.DeleteFunc(strings.Split(nfHeader, ","), func(name string) bool {
		return slices.Contains([]string{"src_mac", "src_oui", "dst_mac", "dst_oui"}, name)
	})
	return strings.Join(names, ",")
}

func TestSchemaHeaders(t *testing.T) {
	if n := strings.Count(cicHeader, ",") + 1; n != 84 {
		t.Fatalf("%d columns", n)
	}
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{Schema: "cicflowmeter"}, cicHeader},
		{Options{Schema: "cicflowmeter", VLAN: true, Capture: NoText, Label: NoLabel, SampleStd: true}, cicHeader + ",capture"},
		{Options{Schema: "nfstream"}, nfColumnsHere()},
		{Options{Schema: "nfstream", VLAN: true, Capture: NoText, Label: NoLabel}, nfColumnsHere() + ",capture,label"},
		{Options{Schema: "nfstream", Sequence: 3}, nfColumnsHere() + nfSequenceHeader},
		{Options{Schema: "nfstream", Sequence: 100, Label: NoLabel}, nfColumnsHere() + nfSequenceHeader + ",label"},
	} {
		l, err := NewLayout(c.o)
		if err != nil {
			t.Fatal(err)
		}
		if got := l.Header(); got != c.want+"\n" {
			t.Errorf("%+v:\n got %swant %s", c.o, got, c.want)
		}
		if l.Numbered() != strings.HasPrefix(c.want, "id,") {
			t.Errorf("%+v: numbered is %t", c.o, l.Numbered())
		}
	}
}

func TestSchemaColumns(t *testing.T) {
	for name, want := range map[string]string{"cicflowmeter": cicHeader + ",capture", "nfstream": nfColumnsHere() + nfSequenceHeader + ",capture,label"} {
		columns, err := SchemaColumns(name)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, c := range columns {
			names = append(names, c.Name)
			if c.Definition == "" || c.Exactness == "" || c.Group != Group(name) || !slices.Contains([]Type{Text, Integer, Decimal}, c.Type) {
				t.Errorf("%s: %+v", c.Name, c)
			}
			if (c.Kind == Bytes) != (c.text != nil) || (c.Type == Decimal) != (c.Kind == Micros128) || (c.Type == Integer) != (c.Kind == Unsigned || c.Kind == Signed) {
				t.Errorf("%s of type %s is of kind %d", c.Name, c.Type, c.Kind)
			}
		}
		if got := strings.Join(names, ","); got != want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, want)
		}
	}
	if _, err := SchemaColumns("argus"); err == nil || !strings.Contains(err.Error(), `"argus": there are cicflowmeter and nfstream`) {
		t.Error(err)
	}
}

func TestSchemaRules(t *testing.T) {
	for name, want := range map[string]Rules{
		"cicflowmeter": {ActiveTimeout: 120 * time.Second, TCPEnd: true},
		"nfstream":     {IdleTimeout: 120 * time.Second, ActiveTimeout: 1800 * time.Second},
	} {
		if got, err := SchemaRules(name); got != want || err != nil {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	if _, err := SchemaRules(""); err == nil {
		t.Error("rules of no schema")
	}
}

func TestSchemaExcludes(t *testing.T) {
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{Schema: "CICFlowMeter"}, `unknown schema "CICFlowMeter": there are cicflowmeter and nfstream`},
		{Options{Schema: "cicflowmeter", Features: []Group{Basic}}, "--features"},
		{Options{Schema: "nfstream", Features: []Group{All}}, "--features"},
		{Options{Schema: "nfstream", Quantiles: []Quantile{{"5", 5000}}}, "quantiles"},
		{Options{Schema: "cicflowmeter", Sequence: 5}, "no columns for --sequence"},
		{Options{Schema: "nfstream", Sequence: 101}, "1 to 100"},
		{Options{Schema: "nfstream", Sequence: -1}, "1 to 100"},
	} {
		if l, err := NewLayout(c.o); err == nil || l != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c.o, err)
		}
	}
}

// schemaRows formats the sessions of the events and returns the cells by their
// names, and again with undefined cells empty.
func schemaRows(t *testing.T, o Options, events []flow.Event, details []flow.Detail) (zero, empty []map[string]string) {
	t.Helper()
	tab := detailedTable(o, events, details)
	defer tab.Release()
	for _, undefined := range []bool{false, true} {
		o.UndefinedEmpty = undefined
		l, err := NewLayout(o)
		if err != nil {
			t.Fatal(err)
		}
		var text []byte
		f := l.NewFormatter()
		for i := range uint32(tab.Len()) {
			text = f.AppendRow(text, tab, i)
		}
		for line := range bytes.Lines(text) {
			record, err := csv.NewReader(bytes.NewReader(line)).Read()
			if err != nil || len(record) != len(l.Columns()) {
				t.Fatalf("%q: %v", line, err)
			}
			row := map[string]string{}
			for i, c := range l.Columns() {
				row[c.Name] = record[i]
			}
			if undefined {
				empty = append(empty, row)
			} else {
				zero = append(zero, row)
			}
		}
	}
	return zero, empty
}

// What a person reads out of the packets of connection.
func TestGoldenCICFlowMeter(t *testing.T) {
	events, details := connection()
	zero, empty := schemaRows(t, Options{Schema: "cicflowmeter"}, events, details)
	want := map[string]string{
		"Flow ID": "192.0.2.1-198.51.100.7-51234-443-6", "Src IP": "192.0.2.1", "Src Port": "51234", "Dst IP": "198.51.100.7", "Dst Port": "443", "Protocol": "6",
		"Timestamp": "2023-11-14 22:13:20.000000", "Flow Duration": "7200000",
		"Total Fwd Packet": "7", "Total Bwd packets": "3", "Total Length of Fwd Packet": "100", "Total Length of Bwd Packet": "500",
		"Fwd Packet Length Max": "40", "Fwd Packet Length Min": "0", "Fwd Packet Length Mean": "14.285714", "Fwd Packet Length Std": "16.183472",
		"Bwd Packet Length Max": "500", "Bwd Packet Length Min": "0", "Bwd Packet Length Mean": "166.666667", "Bwd Packet Length Std": "288.675135",
		"Flow Bytes/s": "83.333333", "Flow Packets/s": "1.388889",
		"Flow IAT Mean": "800000.0", "Flow IAT Std": "2325182.789", "Flow IAT Max": "7000000.0", "Flow IAT Min": "10000.0",
		"Fwd IAT Total": "7100000.0", "Fwd IAT Mean": "1183333.333", "Fwd IAT Std": "2854516.888", "Fwd IAT Max": "7010000.0", "Fwd IAT Min": "10000.0",
		"Bwd IAT Total": "7180000.0", "Bwd IAT Mean": "3590000.0", "Bwd IAT Std": "4963889.604", "Bwd IAT Max": "7100000.0", "Bwd IAT Min": "80000.0",
		"Fwd PSH Flags": "1", "Bwd PSH Flags": "0", "Fwd URG Flags": "0", "Bwd URG Flags": "0", "Fwd Header Length": "140", "Bwd Header Length": "96",
		"Fwd Packets/s": "0.972222", "Bwd Packets/s": "0.416667",
		"Packet Length Min": "0", "Packet Length Max": "500", "Packet Length Mean": "60.0", "Packet Length Std": "155.277529", "Packet Length Variance": "24111.111111",
		"FIN Flag Count": "2", "SYN Flag Count": "2", "RST Flag Count": "0", "PSH Flag Count": "1", "ACK Flag Count": "9", "URG Flag Count": "0", "CWR Flag Count": "0", "ECE Flag Count": "0",
		"Down/Up Ratio": "0.428571", "Average Packet Size": "60.0", "Fwd Segment Size Avg": "14.285714", "Bwd Segment Size Avg": "166.666667",
		"Fwd Bytes/Bulk Avg": "100.0", "Fwd Packet/Bulk Avg": "4.0", "Fwd Bulk Rate Avg": "3333.333333", "Bwd Bytes/Bulk Avg": "0.0", "Bwd Packet/Bulk Avg": "0.0", "Bwd Bulk Rate Avg": "0.0",
		"Subflow Fwd Packets": "3", "Subflow Fwd Bytes": "50", "Subflow Bwd Packets": "1", "Subflow Bwd Bytes": "250",
		"FWD Init Win Bytes": "1000", "Bwd Init Win Bytes": "2000", "Fwd Act Data Pkts": "4", "Fwd Seg Size Min": "20",
		"Active Mean": "100000.0", "Active Std": "0.0", "Active Max": "100000.0", "Active Min": "100000.0", "Idle Mean": "7000000.0", "Idle Std": "0.0", "Idle Max": "7000000.0", "Idle Min": "7000000.0",
		"Label": "NeedManualLabel",
	}
	if len(want) != 84 || len(zero) != 1 {
		t.Fatalf("%d columns, %d rows", len(want), len(zero))
	}
	expect(t, zero[0], want)
	for _, name := range []string{"Bwd Bytes/Bulk Avg", "Bwd Packet/Bulk Avg", "Bwd Bulk Rate Avg"} {
		want[name] = ""
	}
	expect(t, empty[0], want)
}

func TestGoldenNFStream(t *testing.T) {
	events, details := connection()
	label := func(dst []byte, s *agg.Summary) []byte { return append(dst, `web, "new"`...) }
	zero, _ := schemaRows(t, Options{Schema: "nfstream", Sequence: 12, Label: func() SessionText { return label }}, events, details)
	expect(t, zero[0], map[string]string{
		"expiration_id": "0", "src_ip": "192.0.2.1", "src_port": "51234", "dst_ip": "198.51.100.7", "dst_port": "443", "protocol": "6", "ip_version": "4", "vlan_id": "0", "tunnel_id": "0",
		"bidirectional_first_seen_ms": "1700000000000", "bidirectional_last_seen_ms": "1700000007200", "bidirectional_duration_ms": "7200", "bidirectional_packets": "10", "bidirectional_bytes": "1140",
		"src2dst_first_seen_ms": "1700000000000", "src2dst_last_seen_ms": "1700000007100", "src2dst_duration_ms": "7100", "src2dst_packets": "7", "src2dst_bytes": "478",
		"dst2src_first_seen_ms": "1700000000020", "dst2src_last_seen_ms": "1700000007200", "dst2src_duration_ms": "7180", "dst2src_packets": "3", "dst2src_bytes": "662",
		"bidirectional_min_ps": "54", "bidirectional_mean_ps": "114.0", "bidirectional_stddev_ps": "155.277529", "bidirectional_max_ps": "554",
		"src2dst_min_ps": "54", "src2dst_mean_ps": "68.285714", "src2dst_stddev_ps": "16.183472", "src2dst_max_ps": "94",
		"dst2src_min_ps": "54", "dst2src_mean_ps": "220.666667", "dst2src_stddev_ps": "288.675135", "dst2src_max_ps": "554",
		"bidirectional_min_piat_ms": "10", "bidirectional_mean_piat_ms": "800.0", "bidirectional_stddev_piat_ms": "2325.182789", "bidirectional_max_piat_ms": "7000",
		"src2dst_min_piat_ms": "10", "src2dst_mean_piat_ms": "1183.333333", "src2dst_max_piat_ms": "7010", "dst2src_min_piat_ms": "80", "dst2src_stddev_piat_ms": "4963.889604", "dst2src_max_piat_ms": "7100",
		"bidirectional_syn_packets": "2", "bidirectional_cwr_packets": "0", "bidirectional_ack_packets": "9", "bidirectional_psh_packets": "1", "bidirectional_fin_packets": "2",
		"src2dst_syn_packets": "1", "src2dst_ack_packets": "6", "src2dst_fin_packets": "1", "dst2src_syn_packets": "1", "dst2src_ack_packets": "3", "dst2src_psh_packets": "0",
		"splt_direction": "[0, 1, 0, 0, 0, 0, 0, 1, 0, 1, -1, -1]", "splt_ps": "[54, 54, 54, 64, 74, 84, 94, 554, 54, 54, -1, -1]", "splt_piat_ms": "[0, 20, 30, 10, 10, 10, 10, 10, 7000, 100, -1, -1]",
		"label": `web, "new"`,
	})
}

// Times that are no whole milliseconds or microseconds, and before 1970.
func TestSchemaRounding(t *testing.T) {
	events := packets(-1, 1_999_998, 4_999_999)
	details := make([]flow.Detail, 3)
	nf, _ := schemaRows(t, Options{Schema: "nfstream", Sequence: 3}, events, details)
	expect(t, nf[0], map[string]string{
		"bidirectional_first_seen_ms": "-1", "bidirectional_last_seen_ms": "4", "bidirectional_duration_ms": "5",
		"bidirectional_min_piat_ms": "1", "bidirectional_max_piat_ms": "3", "bidirectional_mean_piat_ms": "2.5", "bidirectional_stddev_piat_ms": "0.707108", // 707107.488 ns
		"splt_piat_ms": "[0, 1, 3]",
	})
	cic, _ := schemaRows(t, Options{Schema: "cicflowmeter"}, packets(-1, 1_999_998, 4_999_999), details)
	expect(t, cic[0], map[string]string{
		"Timestamp": "1969-12-31 23:59:59.999999", "Flow Duration": "5000", "Flow IAT Min": "1999.999", "Flow IAT Max": "3000.001", "Flow IAT Mean": "2500.0", "Flow IAT Std": "707.108",
	})
}

// A packet alone, several at one time, and packets without payload: each cell
// is what its type says, 0 where there is no value, or empty.
func TestSchemaUndefined(t *testing.T) {
	sessions := map[string][]flow.Event{"one": packets(5e9), "same time": packets(5e9, 5e9, 5e9, 5e9, 5e9, 5e9), "no payload": packets(5e9, 6e9)}
	sessions["no payload"][1].PayloadBytes = 0
	undefined := map[string][]string{
		"one": {"Bwd Packet Length Max", "Bwd Packet Length Std", "Flow Bytes/s", "Fwd Packets/s", "Flow IAT Mean", "Flow IAT Min", "Fwd IAT Total", "Bwd IAT Std", "Bwd Segment Size Avg",
			"Fwd Bytes/Bulk Avg", "Fwd Bulk Rate Avg", "FWD Init Win Bytes", "Idle Mean", "Idle Min",
			"dst2src_first_seen_ms", "dst2src_duration_ms", "dst2src_min_ps", "dst2src_mean_ps", "bidirectional_min_piat_ms", "src2dst_mean_piat_ms", "dst2src_stddev_piat_ms"},
		"same time":  {"Flow Bytes/s", "Flow Packets/s", "Bwd Packets/s", "Fwd Bulk Rate Avg", "Idle Std", "dst2src_last_seen_ms"},
		"no payload": {"Fwd Packet/Bulk Avg", "Bwd Bytes/Bulk Avg", "Idle Max"},
	}
	for name, events := range sessions {
		for _, schema := range Schemas() {
			o := Options{Schema: schema}
			zero, empty := schemaRows(t, o, slices.Clone(events), make([]flow.Detail, len(events)))
			columns, _ := SchemaColumns(schema)
			for _, c := range columns {
				z, ok := zero[0][c.Name]
				e := empty[0][c.Name]
				switch {
				case !ok: // id, label and lists of sequences
				case c.Type != Text && !cells[c.Type].MatchString(z):
					t.Errorf("%s, %s: %s is %q", name, schema, c.Name, z)
				case e != z && (e != "" || strings.Trim(z, "0.") != ""):
					t.Errorf("%s, %s: %s is %q, with zeros %q", name, schema, c.Name, e, z)
				}
			}
			for _, n := range undefined[name] {
				if e, ok := empty[0][n]; ok && e != "" {
					t.Errorf("%s, %s: %s is %q", name, schema, n, e)
				}
			}
			for _, n := range []string{"Fwd Packet Length Std", "Packet Length Variance", "Down/Up Ratio", "Subflow Fwd Packets", "Active Std", "Fwd Seg Size Min", "src2dst_stddev_ps", "dst2src_packets", "bidirectional_stddev_ps"} {
				if e, ok := empty[0][n]; ok && e == "" {
					t.Errorf("%s, %s: %s is empty", name, schema, n)
				}
			}
		}
	}
}

// An IPv6 Flow ID is longer than any number.
func TestSchemaIPv6(t *testing.T) {
	ev := packets(0, 1)
	for i := range ev {
		ev[i].Key.Version = 6
		for k := range 16 {
			ev[i].Key.Src[k], ev[i].Key.Dst[k] = 0xab, 0xcd
		}
	}
	zero, _ := schemaRows(t, Options{Schema: "cicflowmeter"}, ev, make([]flow.Detail, 2))
	expect(t, zero[0], map[string]string{"Flow ID": "abab:abab:abab:abab:abab:abab:abab:abab-cdcd:cdcd:cdcd:cdcd:cdcd:cdcd:cdcd:cdcd-51234-443-6"})
	nf, _ := schemaRows(t, Options{Schema: "nfstream"}, ev, make([]flow.Detail, 2))
	expect(t, nf[0], map[string]string{"ip_version": "6", "src_ip": "abab:abab:abab:abab:abab:abab:abab:abab"})
}

// The id of a session that the active time-out ended is 1, of others 0.
func TestExpirationID(t *testing.T) {
	a := agg.Options{ActiveTimeout: 10e9, IdleTimeout: 8e9, Seed: 0}
	a.Needs, _ = Needs(Options{Schema: "nfstream"})
	tab := agg.NewTable(a)
	defer tab.Release()
	events := packets(0, 6e9, 11e9, 30e9)
	order := make([]uint16, len(events))
	for i := range events {
		events[i].Hash, order[i] = uint32(events[i].Key.Hash(0)), uint16(i)
	}
	tab.UpdateDetailed(events, make([]flow.Detail, len(events)), order)
	l, err := NewLayout(Options{Schema: "nfstream"})
	if err != nil {
		t.Fatal(err)
	}
	f := l.NewFormatter()
	var got []string
	for _, r := range tab.Rows() {
		id, _, _ := strings.Cut(string(f.AppendRow(nil, tab, r.Index)), ",")
		got = append(got, id)
	}
	if strings.Join(got, "") != "100" { // active, idle, end of the input
		t.Errorf("expiration ids %q", got)
	}
}

func TestSchemaNeeds(t *testing.T) {
	for _, o := range []Options{{Schema: "cicflowmeter"}, {Schema: "nfstream", Sequence: 7}} {
		if n, sequence := Needs(o); n == 0 || sequence != o.Sequence || n&agg.NeedQuantiles != 0 {
			t.Errorf("%+v needs %b, %d", o, n, sequence)
		}
	}
}

func TestSchemaRowAllocates(t *testing.T) {
	for _, o := range []Options{{Schema: "cicflowmeter"}, {Schema: "nfstream", Sequence: 10}} {
		events, details := connection()
		tab := detailedTable(o, events, details)
		l, err := NewLayout(o)
		if err != nil {
			t.Fatal(err)
		}
		f := l.NewFormatter()
		buf := f.AppendRow(nil, tab, 0)
		if a := testing.AllocsPerRun(100, func() { buf = f.AppendRow(buf[:0], tab, 0) }); a != 0 {
			t.Errorf("%s: %v allocations a row of %d bytes", o.Schema, a, len(buf))
		}
		tab.Release()
	}
}
