package decode

import (
	"encoding/csv"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pcapbatch/internal/flow"
)

// session is what the oracle's rows and our events are compared by.
type session struct{ packets, bytes, payload uint64 }

// debatable are the captures of which the oracle sees less than there is; the
// reasons are in the packets themselves.
var debatable = map[string]string{
	"ndpi__fuzz-2006-06-26-2594.pcap":                                          "UDP lengths below what IP carries, which the oracle does not look at",
	"tcpdump__bootp_asan.pcap":                                                 "as above",
	"tcpdump__l2tp-avp-overflow.pcap":                                          "as above",
	"ndpi__ajp.pcap":                                                           "12 packets are FabricPath, whose dissector the oracle has switched off",
	"ndpi__someip_sd_sample.pcap":                                              "Ethernet in PPI, which the oracle has switched off",
	"tcpdump__LINKTYPE_USER2_PKTAP.pcap":                                       "PKTAP under link type 149, which the oracle has switched off",
	"nfstream__fuzz-2021-06-07-c6c72a0a56.pcap":                                "wire length above 2^31, which tshark lowers",
	"pcapplusplus__clusterfuzz-testcase-minimized-FuzzTarget-4683685084594176": "wire length above 2^31, which tshark lowers",
	"pcapplusplus__clusterfuzz-testcase-minimized-FuzzTarget-5755755617189888": "wire length above 2^31, which tshark lowers",
}

// TestOuterAgainstOracle compares packets, bytes and payload of every session
// of the shared captures with what tshark makes of them.
func TestOuterAgainstOracle(t *testing.T) {
	paths := capturesOf(t)
	compared := 0
	for _, path := range paths {
		name := filepath.Base(path)
		want, skip := oracleSessions(t, filepath.Join(sharedDir, "expected", name+".uni.csv"))
		records := readRecords(t, path)
		if len(want) == 0 || len(records) == 0 || debatable[name] != "" {
			continue
		}
		compared++
		compareSessions(t, name, sessionsOf(Options{Unidirectional: true}, records), want, skip)
	}
	if compared < 130 {
		t.Errorf("only %d captures compared", compared)
	}
}

// TestInnerAgainstOracle does so for the innermost sessions of captures with
// tunnels; see testdata/inner/README.md.
func TestInnerAgainstOracle(t *testing.T) {
	capturesOf(t)
	golden, _ := filepath.Glob("testdata/inner/*.csv")
	if len(golden) < 16 {
		t.Fatalf("only %d golden files", len(golden))
	}
	for _, path := range golden {
		name := strings.TrimSuffix(filepath.Base(path), ".csv")
		want, skip := oracleSessions(t, path)
		records := readRecords(t, filepath.Join(sharedDir, "captures", name))
		if len(records) == 0 {
			t.Errorf("%s: no records", name)
		}
		compareSessions(t, name, sessionsOf(Options{Unidirectional: true, Decapsulate: true}, records), want, skip)
	}
}

// sessionsOf sums up the events of a capture by 5-tuple. Fragments are left
// where Decode puts them: the oracle does not follow them.
func sessionsOf(o Options, records []record) map[string]session {
	d := New(o)
	got := map[string]session{}
	var ev flow.Event
	for _, r := range records {
		for ok := d.Decode(&ev, r.link, r.data, r.wireLen, r.time); ok; ok = d.More(&ev) {
			k := &ev.Key
			name := fmt.Sprintf("%v,%v,%d,%d,%d", k.SrcAddr(), k.DstAddr(), k.SrcPort, k.DstPort, k.Protocol)
			s := got[name]
			s.packets++
			s.bytes += uint64(ev.WireBytes)
			s.payload += uint64(ev.PayloadBytes)
			got[name] = s
		}
	}
	return got
}

// oracleSessions reads the oracle's rows; skip has those whose header fields
// the oracle itself calls damaged.
func oracleSessions(t *testing.T, path string) (want map[string]session, skip map[string]bool) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		return nil, nil
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	column := func(row []string, name string) string {
		if i := slices.Index(rows[0], name); i >= 0 {
			return row[i]
		}
		return ""
	}
	number := func(row []string, name string) uint64 {
		n, err := strconv.ParseUint(column(row, name), 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		return n
	}
	want, skip = map[string]session{}, map[string]bool{}
	for _, row := range rows[1:] {
		src, dst := netip.MustParseAddr(column(row, "src")), netip.MustParseAddr(column(row, "dst"))
		name := fmt.Sprintf("%v,%v,%d,%d,%d", src, dst, number(row, "sport"), number(row, "dport"), number(row, "proto"))
		want[name] = session{number(row, "packets"), number(row, "bytes"), number(row, "pay_bytes")}
		skip[name] = strings.ContainsAny(column(row, "flags"), "TLP")
	}
	return want, skip
}

func compareSessions(t *testing.T, name string, got, want map[string]session, skip map[string]bool) {
	t.Helper()
	for k, w := range want {
		if g := got[k]; g != w && !skip[k] {
			t.Errorf("%s: %s: got %+v, oracle %+v", name, k, g, w)
		}
	}
	for k, g := range got {
		if _, ok := want[k]; !ok {
			t.Errorf("%s: %s: %+v, which the oracle has not", name, k, g)
		}
	}
}
