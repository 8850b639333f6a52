package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Each test here is a mistake that other extractors of session features are
// known for.

// sessions runs batch extract over one hand-made capture.
func sessions(t *testing.T, capture []byte, args ...string) []row {
	t.Helper()
	path := write(t, "c.pcap", capture)
	return parseRows(t, mustRun(t, append([]string{"extract", path}, args...)...))
}

// single is sessions where there must be a single one.
func single(t *testing.T, capture []byte, args ...string) row {
	t.Helper()
	rows := sessions(t, capture, args...)
	if len(rows) != 1 {
		t.Fatalf("%d sessions, want 1: %v", len(rows), rows)
	}
	return rows[0]
}

func TestSessionsOfOnePacketAreRows(t *testing.T) {
	rows := sessions(t, pcap(
		record{Time: begin, Data: sent(syn, 0)},
		record{Time: begin + second, Data: ip(client, server, protoUDP, udp(5000, 53, 30))},
		record{Time: begin + 2*second, Data: ip(client, server, 1, make([]byte, 16))},
	))
	if len(rows) != 3 {
		t.Fatalf("%d sessions, want 3", len(rows))
	}
	rows[0].expect(t, row{
		"src_ip": client, "dst_ip": server, "src_port": "40000", "dst_port": "443", "protocol": "6",
		"first_seen_ns": "1700000000000000000", "last_seen_ns": "1700000000000000000",
		"total_packets": "1", "packet_length_min": "54", "packet_length_max": "54",
		"packet_length_median": "54.0", "packet_length_std": "0.0", "payload_size_max": "0", "duration_s": "0.0",
	})
	rows[1].expect(t, row{"protocol": "17", "payload_size_min": "30", "packet_length_max": "72"})
	rows[2].expect(t, row{"protocol": "1", "src_port": "0", "dst_port": "0", "payload_size_min": "8"})
}

func TestUndefinedIsNeverNaNOrInf(t *testing.T) {
	capture := pcap(
		record{Time: begin, Data: sent(syn, 0)},
		record{Time: begin, Data: answered(syn|ack, 0)}, // two packets, no time between them
		record{Time: begin, Data: ip(client, server, protoUDP, udp(1, 2, 0))},
	)
	gaps := []string{"iat_min_s", "iat_max_s", "iat_median_s", "iat_std_s"}
	rates := []string{"bytes_per_s", "packets_per_s"}
	for undefined, want := range map[string]string{"zero": "0.0", "empty": ""} {
		for _, r := range sessions(t, capture, "--undefined", undefined) {
			cells := row{"duration_s": "0.0", "active_time_s": "0.0", "idle_time_s": "0.0"}
			for _, name := range gaps {
				cells[name] = "0.0" // there is a gap, of no length
				if r["total_packets"] == "1" {
					cells[name] = want
				}
			}
			for _, name := range rates {
				cells[name] = want
			}
			r.expect(t, cells)
		}
	}
	for _, r := range sessions(t, capture, "--undefined", "empty", "--sample-std") {
		if r["total_packets"] == "1" {
			r.expect(t, row{"packet_length_std": "", "payload_size_std": "", "packet_length_median": "42.0"})
		} else {
			r.expect(t, row{"packet_length_std": "0.0", "iat_std_s": "", "iat_min_s": "0.0"})
		}
	}
}

func TestEthernetPaddingIsNotPayload(t *testing.T) {
	padded := make([]byte, 60)
	copy(padded, sent(ack, 0)) // 54 bytes
	r := single(t, pcap(
		record{Time: begin, Data: padded},
		record{Time: begin + second, Data: sent(ack, 100)},
	))
	r.expect(t, row{
		"packet_length_min": "60", "packet_length_max": "154",
		"payload_size_min": "0", "payload_size_max": "100", "payload_size_median": "50.0", "payload_size_std": "50.0",
	})
}

func TestPacketsCutBySnaplenCountInFull(t *testing.T) {
	r := single(t, pcap(
		record{Time: begin, Data: sent(ack, 1400)[:96], Wire: 1454},
		record{Time: begin + second/2, Data: sent(ack, 1400)[:54], Wire: 1454},
		record{Time: begin + second, Data: sent(ack, 10)},
	))
	r.expect(t, row{
		"packet_length_min": "64", "packet_length_max": "1454", "packet_length_median": "1454.0",
		"payload_size_min": "10", "payload_size_max": "1400", "payload_size_median": "1400.0",
		"truncated_packets": "2", "total_packets": "3", "bytes_per_s": "2972.0", "packets_per_s": "3.0",
	})
}

func TestActiveAndIdleMakeTheDuration(t *testing.T) {
	r := single(t, pcap(
		record{Time: begin, Data: sent(ack, 1)},
		record{Time: begin + 5*second, Data: sent(ack, 1)},           // a gap of the threshold is active
		record{Time: begin + 10*second + 1, Data: sent(ack, 1)},      // a nanosecond more is idle
		record{Time: begin + 10*second + 3, Data: sent(ack, 1)},      // 2 ns
		record{Time: begin + 110*second + 7, Data: sent(ack, 1)},     // 100.000000004 s
		record{Time: begin + 114*second + 7_007, Data: sent(ack, 1)}, // 4.000007 s
	))
	r.expect(t, row{
		"duration_s": "114.000007007", "active_time_s": "9.000007002", "idle_time_s": "105.000000005",
		"iat_min_s": "0.000000002", "iat_max_s": "100.000000004", "iat_median_s": "5.0",
	})
	r = single(t, pcap(
		record{Time: begin, Data: sent(ack, 1)},
		record{Time: begin + 5*second, Data: sent(ack, 1)},
	), "--idle-threshold", "4.999999999s")
	r.expect(t, row{"active_time_s": "0.0", "idle_time_s": "5.0"})
}

func TestNanosecondsKeepTheirDigits(t *testing.T) {
	at := []int64{begin + 1, begin + 2, begin + 1_000_000_001}
	records := func() (list []record) {
		for _, ns := range at {
			list = append(list, record{Time: ns, Data: sent(ack, 1)})
		}
		return list
	}()
	single(t, pcap(records...)).expect(t, row{
		"first_seen_ns": "1700000000000000001", "last_seen_ns": "1700000001000000001",
		"iat_min_s": "0.000000001", "iat_max_s": "0.999999999", "iat_median_s": "0.5", "iat_std_s": "0.499999999",
		"duration_s": "1.0",
	})
	at = []int64{begin + 1_000, begin + 2_000, begin + 999_999_000}
	for i := range records {
		records[i].Time = at[i]
	}
	single(t, microPcap(records...)).expect(t, row{
		"first_seen_ns": "1700000000000001000", "iat_min_s": "0.000001", "iat_max_s": "0.999997", "duration_s": "0.999998",
	})
}

func TestFINEndsNoSession(t *testing.T) {
	r := single(t, pcap(
		record{Time: begin, Data: sent(syn, 0)},
		record{Time: begin + second, Data: sent(fin|ack, 0)},
		record{Time: begin + 2*second, Data: answered(fin|ack, 0)},
		record{Time: begin + 3*second, Data: sent(ack, 0)},
		record{Time: begin + 4*second, Data: answered(rst, 0)},
		record{Time: begin + 5*second, Data: sent(syn, 0)}, // the same ports again
	))
	r.expect(t, row{"total_packets": "6", "duration_s": "5.0", "iat_max_s": "1.0", "src_ip": client})
}

func TestPacketsOutOfTimeOrder(t *testing.T) {
	path := write(t, "c.pcap", pcap(
		record{Time: begin, Data: sent(ack, 1)},
		record{Time: begin + 3*second, Data: sent(ack, 1)},
		record{Time: begin + 1*second, Data: sent(ack, 1)}, // taken as arriving at 3 s
		record{Time: begin + 2*second, Data: sent(ack, 1)}, // likewise
		record{Time: begin + 7*second, Data: sent(ack, 1)},
	))
	summary := filepath.Join(t.TempDir(), "s.json")
	rows := parseRows(t, mustRun(t, "extract", path, "--summary", summary))
	if len(rows) != 1 {
		t.Fatalf("%d sessions, want 1", len(rows))
	}
	rows[0].expect(t, row{
		"first_seen_ns": "1700000000000000000", "last_seen_ns": "1700000007000000000",
		"iat_min_s": "0.0", "iat_max_s": "4.0", "iat_median_s": "1.5", "duration_s": "7.0", "active_time_s": "7.0",
		"total_packets": "5",
	})
	if n := readSummary(t, summary).Reordered; n != 2 {
		t.Errorf("%d reordered packets, want 2", n)
	}
}

func TestSegmentationOffload(t *testing.T) {
	big := sent(ack, 4000)
	big[14+2], big[14+3] = 0, 0 // IPv4 total length: the network card would have filled it in
	r := single(t, pcap(record{Time: begin, Data: big}))
	r.expect(t, row{"packet_length_max": "4054", "payload_size_min": "4000", "payload_size_max": "4000"})
	r = single(t, pcap(record{Time: begin, Data: big[:96], Wire: len(big)}))
	r.expect(t, row{"packet_length_max": "4054", "payload_size_max": "4000", "truncated_packets": "1"})
}

func TestIPv6(t *testing.T) {
	a, b := "2001:db8::1", "2001:db8:0:0:1::2"
	r := single(t, pcap(
		record{Time: begin, Data: ip(a, b, protoUDP, udp(5353, 53, 40))},
		record{Time: begin + second/4, Data: ip(b, a, protoUDP, udp(53, 5353, 200))},
	))
	r.expect(t, row{
		"src_ip": "2001:db8::1", "dst_ip": "2001:db8::1:0:0:2", "src_port": "5353", "dst_port": "53", "protocol": "17",
		"total_packets": "2", "packet_length_min": "102", "packet_length_max": "262",
		"payload_size_min": "40", "payload_size_max": "200", "iat_median_s": "0.25", "bytes_per_s": "1456.0",
	})
}

func TestOneHeaderLineForManyCaptures(t *testing.T) {
	dir := t.TempDir()
	for i, name := range []string{"a.pcap", "b.pcap", "c.pcap"} {
		capture := pcap(record{Time: begin + int64(i)*second, Data: ip(client, server, protoUDP, udp(uint16(i+1), 53, 0))})
		if err := os.WriteFile(filepath.Join(dir, name), capture, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out := mustRun(t, "extract", dir)
	lines := strings.Split(out, "\n")
	if len(lines) != 5 || lines[4] != "" || strings.Count(out, "src_ip") != 1 || !strings.HasPrefix(out, "src_ip,") {
		t.Errorf("want a header line and three rows, got:\n%s", out)
	}
	if strings.Contains(out, "\r") {
		t.Error("a line ends with a carriage return")
	}
}
