package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pcapbatch/internal/report"
)

// traffic is n packets of sessions from one packet to hundreds, in time order,
// no two at the same time: of equal times nobody could tell which was first.
// flows has the session of each. A few datagrams are in fragments.
func traffic(n int) (records []record, flows []int) {
	rng := rand.New(rand.NewPCG(1, 2))
	time := begin
	for len(records) < n {
		time += 1 + rng.Int64N(40_000_000)
		flow := int(rng.ExpFloat64() * 60)
		src, dst, sport, dport := client, server, uint16(1024+flow), uint16(443)
		if rng.IntN(2) == 0 && flow%3 > 0 {
			src, dst, sport, dport = dst, src, dport, sport
		}
		if flow%3 == 0 {
			data := ip(src, dst, protoUDP, udp(sport, dport, rng.IntN(1200)))
			if flow%9 == 0 {
				first, rest := fragmented(data, uint16(len(records)))
				records = append(records, record{time: time, data: first})
				flows = append(flows, flow)
				time += 1 + rng.Int64N(1000)
				data = rest
			}
			records = append(records, record{time: time, data: data})
		} else {
			records = append(records, record{time: time, data: ip(src, dst, protoTCP, tcp(sport, dport, ack, rng.IntN(1400)))})
		}
		flows = append(flows, flow)
	}
	return records, flows
}

// fragmented cuts an Ethernet frame with an IPv4 datagram behind the first 8
// bytes of its payload.
func fragmented(frame []byte, id uint16) (first, rest []byte) {
	const ethernet, header, cut = 14, 20, 8
	first = bytes.Clone(frame[:ethernet+header+cut])
	rest = slices.Concat(frame[:ethernet+header], frame[ethernet+header+cut:])
	for i, f := range [][]byte{first, rest} {
		h := f[ethernet:]
		binary.BigEndian.PutUint16(h[2:], uint16(len(h)))
		binary.BigEndian.PutUint16(h[4:], id)
		binary.BigEndian.PutUint16(h[6:], []uint16{0x2000, cut / 8}[i]) // more fragments; offset
	}
	return first, rest
}

// deal puts each record into the capture that to names, of k, and writes them
// to a directory. The names are in no order of time.
func deal(t *testing.T, records []record, k int, compress bool, to func(i int) int) (dir string) {
	t.Helper()
	hands := make([][]record, k)
	for i, r := range records {
		hands[to(i)] = append(hands[to(i)], r)
	}
	dir = t.TempDir()
	for i, name := range rand.New(rand.NewPCG(3, uint64(k))).Perm(k) {
		data := pcap(hands[i]...)
		if compress {
			data = gzipped(t, data)
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%03d", name)), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// summarised is a clean run, and its summary.
func summarised(t *testing.T, args ...string) (csv string, r *report.Run) {
	t.Helper()
	summary := filepath.Join(t.TempDir(), "summary.json")
	csv = mustRun(t, append([]string{"extract", "--features=all", "--summary", summary}, args...)...)
	return csv, readSummary(t, summary)
}

// sameAsWhole compares an interleaved run over dir with the run over all
// records as one capture.
func sameAsWhole(t *testing.T, records []record, dir string, args ...string) {
	t.Helper()
	want, whole := summarised(t, append(args, write(t, "whole.pcap", pcap(records...)))...)
	for _, workers := range []string{"1", "2", "3"} {
		got, r := summarised(t, append(args, "--interleave", "--workers", workers, dir)...)
		if got != want {
			t.Errorf("%s workers: the rows differ from those of one capture", workers)
		}
		if r.Records != whole.Records || r.Packets != whole.Packets || r.Reordered != whole.Reordered ||
			r.Fragments != whole.Fragments || r.Unmatched != whole.Unmatched || len(r.Overlaps) != 0 {
			t.Errorf("%s workers: %+v, as one capture %+v", workers, r, whole)
		}
	}
}

func TestInterleaveIsAsOneCapture(t *testing.T) {
	records, flows := traffic(8000)
	for _, k := range []int{2, 7, 300} {
		for _, compress := range []bool{false, true} {
			t.Run(fmt.Sprintf("captures=%d/gzip=%t", k, compress), func(t *testing.T) {
				turns := deal(t, records, k, compress, func(i int) int { return i % k })
				sameAsWhole(t, records, turns)
				sameAsWhole(t, records, turns, "--idle-timeout=1s", "--direction=unidirectional")
				sameAsWhole(t, records, deal(t, records, k, compress, func(i int) int { return flows[i] % k }))
			})
		}
	}
}

// TestInterleaveKeepsDisorder: packets that come late inside one capture stay
// where they are, and are counted.
func TestInterleaveKeepsDisorder(t *testing.T) {
	records, flows := traffic(5000)
	for i := range records {
		if i%11 == 0 {
			records[i].time -= 3 * second
		}
	}
	const k = 7
	dir := deal(t, records, k, false, func(i int) int { return flows[i] % k })
	sameAsWhole(t, records, dir)
	if _, r := summarised(t, "--interleave", dir); r.Reordered < 100 {
		t.Errorf("%d packets out of order: the test shows nothing", r.Reordered)
	}
}

// TestOverlapNamesInterleave: without --interleave the sessions that suffer are
// told of: the captures and the flag are named.
func TestOverlapNamesInterleave(t *testing.T) {
	records, _ := traffic(2000)
	const k = 5
	for _, compress := range []bool{false, true} {
		dir := deal(t, records, k, compress, func(i int) int { return i % k })
		summary := filepath.Join(t.TempDir(), "summary.json")
		limit := int64(1) // each compressed capture a stretch of its own
		r := runStretched(limit, "--verbose", "--summary", summary, dir)
		if r.code != exitOK || !strings.Contains(r.stderr, "--interleave") {
			t.Errorf("gzip=%t: exit code %d, %q", compress, r.code, r.stderr)
		}
		if n := len(readSummary(t, summary).Overlaps); n != k-1 {
			t.Errorf("gzip=%t: %d captures overlap an earlier one, want %d", compress, n, k-1)
		}
		r = runStretched(limit, "--verbose", "--interleave", dir)
		if r.code != exitOK || strings.Contains(r.stderr, "--interleave") {
			t.Errorf("gzip=%t: interleaved: exit code %d, %q", compress, r.code, r.stderr)
		}
	}
}

// TestInterleaveDamage: of damaged captures every record before the damage
// counts, those without records do no harm, and the others go on.
func TestInterleaveDamage(t *testing.T) {
	records, _ := traffic(900)
	const k = 3
	dir := deal(t, records, k, false, func(i int) int { return i % k })
	cut := filepath.Join(dir, "001")
	data := read(t, cut)
	for name, content := range map[string][]byte{"001": data[:len(data)-1], "none.pcap": pcap(), "text": []byte("no capture at all")} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	summary := filepath.Join(t.TempDir(), "summary.json")
	r := runWith(nil, "extract", "--interleave", "--summary", summary, dir)
	if r.code != exitDamaged || strings.Count(r.stderr, "\n") != 2 || !strings.Contains(r.stderr, cut+": record 300 at offset") {
		t.Errorf("exit code %d, %q", r.code, r.stderr)
	}
	if got := readSummary(t, summary); got.Records != uint64(len(records)-1) || len(got.Captures) != k+1 || len(got.Damage) != 2 {
		t.Errorf("%d records, %d captures, %d damaged", got.Records, len(got.Captures), len(got.Damage))
	}
	if r := runWith(nil, "extract", "--interleave", "--strict", dir); r.code != exitDamaged || r.stdout != "" {
		t.Errorf("strict: exit code %d, %d bytes of rows", r.code, len(r.stdout))
	}
}

// TestInterleaveStandardInput merges what can be read only once with a file.
func TestInterleaveStandardInput(t *testing.T) {
	records, _ := traffic(3000)
	var hands [2][]record
	for i, r := range records {
		hands[i%2] = append(hands[i%2], r)
	}
	want := mustRun(t, "extract", write(t, "whole.pcap", pcap(records...)))
	r := runWith(gzipped(t, pcap(hands[0]...)), "extract", "--interleave", "-", write(t, "odd.pcap", pcap(hands[1]...)))
	if r.code != exitOK || r.stdout != want {
		t.Errorf("exit code %d, %q; rows as of one capture: %t", r.code, r.stderr, r.stdout == want)
	}
}

// TestInterleaveFewFiles merges more captures than the system lets be open.
func TestInterleaveFewFiles(t *testing.T) {
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no shell to set the limit with")
	}
	records, _ := traffic(12_000)
	const k = 300
	dir := deal(t, records, k, false, func(i int) int { return i % k })
	whole := write(t, "whole.pcap", pcap(records...))
	for _, limit := range []string{"24", "1000"} {
		cmd := exec.Command(sh, "-c", "ulimit -n "+limit+" && exec batch extract --interleave "+dir)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		got, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s files: %v: %s", limit, err, &stderr)
		}
		if string(got) != mustRun(t, "extract", whole) {
			t.Errorf("%s files: the rows differ from those of one capture", limit)
		}
	}
}

// TestMergedBlock: records of any size fit, and a huge one leaves no huge
// buffer behind.
func TestMergedBlock(t *testing.T) {
	huge := make([]byte, 3<<20)
	hands := [][]record{
		{{time: begin, data: sent(syn, 0)}, {time: begin + 2, data: ip(client, server, 99, huge[:60000])}, {time: begin + 4, data: sent(ack, 9)}},
		{{time: begin + 1, data: ethernet(0x1234, huge[:250_000])}, {time: begin + 3, data: answered(ack, 7)}},
	}
	dir := t.TempDir()
	var all []record
	for i, h := range hands {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)), pcap(h...), 0o600); err != nil {
			t.Fatal(err)
		}
		all = append(all, h...)
	}
	slices.SortFunc(all, func(a, b record) int { return int(a.time - b.time) })
	sameAsWhole(t, all, dir)
}
