package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// packetOf is what a test reads from a generated packet. The key has its two
// endpoints in order, so that both directions have the same.
type packetOf struct {
	ns        int64
	wireBytes int
	key       string
	proto     byte
	ipv6      bool
	addresses string
}

// reading is a sink that takes the packets apart again. It knows nothing of
// frame.go, and fails the test on any contradiction in the headers.
type reading struct {
	t       *testing.T
	seen    func(packetOf)
	pending []byte
	ns      int64
}

func (r *reading) record(ns int64, wireBytes int) ([]byte, error) {
	r.finish()
	r.ns = ns
	r.pending = bytes.Repeat([]byte{0xee}, wireBytes) // junk that put must overwrite
	return r.pending, nil
}

func (r *reading) finish() {
	if r.pending != nil {
		r.seen(r.parse(r.pending))
	}
	r.pending = nil
}

func (r *reading) parse(b []byte) packetOf {
	r.t.Helper()
	p := packetOf{ns: r.ns, wireBytes: len(b)}
	ip := b[14:]
	var src, dst, body []byte
	switch ethertype := binary.BigEndian.Uint16(b[12:]); ethertype {
	case 0x0800:
		total := int(binary.BigEndian.Uint16(ip[2:]))
		if ip[0] != 0x45 || total > len(ip) || (total < len(ip) && len(b) != 60) || ones(ip[:20]) != 0xffff {
			r.t.Fatalf("IPv4 header % x of %d bytes", ip[:20], len(ip))
		}
		src, dst, p.proto, body = ip[12:16], ip[16:20], ip[9], ip[20:total]
	case 0x86dd:
		total := 40 + int(binary.BigEndian.Uint16(ip[4:]))
		if ip[0] != 0x60 || total > len(ip) || (total < len(ip) && len(b) != 60) {
			r.t.Fatalf("IPv6 header % x of %d bytes", ip[:40], len(ip))
		}
		src, dst, p.proto, body, p.ipv6 = ip[8:24], ip[24:40], ip[6], ip[40:total], true
	default:
		r.t.Fatalf("EtherType %#x", ethertype)
	}
	from, to := fmt.Sprintf("%x", src), fmt.Sprintf("%x", dst)
	p.addresses = min(from, to) + max(from, to)
	switch p.proto {
	case 6:
		if offset := int(body[12] >> 4 * 4); offset < 20 || offset > len(body) {
			r.t.Fatalf("TCP data offset %d of %d bytes", offset, len(body))
		}
		from, to = fmt.Sprintf("%s:%x", from, body[:2]), fmt.Sprintf("%s:%x", to, body[2:4])
	case 17:
		if int(binary.BigEndian.Uint16(body[4:])) != len(body) {
			r.t.Fatalf("UDP length % x of %d bytes", body[4:6], len(body))
		}
		from, to = fmt.Sprintf("%s:%x", from, body[:2]), fmt.Sprintf("%s:%x", to, body[2:4])
	}
	p.key = fmt.Sprint(p.proto, min(from, to), max(from, to))
	return p
}

// ones is the sum of 16-bit words in ones' complement.
func ones(b []byte) uint32 {
	var sum uint32
	for i := 0; i < len(b); i += 2 {
		sum += uint32(b[i])<<8 | uint32(b[i+1])
		sum = sum&0xffff + sum>>16
	}
	return sum
}

func generated(t *testing.T, name string, scale float64) (packets []packetOf, total genTotals) {
	t.Helper()
	k, ok := kindByName(name)
	if !ok {
		t.Fatal(name)
	}
	sink := &reading{t: t, seen: func(p packetOf) { packets = append(packets, p) }}
	total, err := generate(k, scale, 1, sink)
	if err != nil {
		t.Fatal(err)
	}
	sink.finish()
	return packets, total
}

// TestTotals: what the generator says is what a reader finds, in time order.
func TestTotals(t *testing.T) {
	for _, k := range kinds {
		packets, total := generated(t, k.name, 0.003)
		keys := make(map[string]int64)
		var wire, last int64
		for _, p := range packets {
			keys[p.key]++
			wire += int64(p.wireBytes)
			if p.ns < last {
				t.Fatalf("%s: time goes back from %d to %d", k.name, last, p.ns)
			}
			last = p.ns
		}
		got := genTotals{int64(len(packets)), int64(len(keys)), wire}
		if got != total || got.Packets != scaled(k.packets, 0.003) {
			t.Errorf("%s: read %+v, generated %+v", k.name, got, total)
		}
		if want := scaled(k.sessions, 0.003); got.Sessions < want*2/3 || got.Sessions > want*3/2 {
			t.Errorf("%s: %d sessions, about %d wanted", k.name, got.Sessions, want)
		}
		if span := last - packets[0].ns; span < captureNs/2 || span > captureNs*2 {
			t.Errorf("%s: spans %d ns", k.name, span)
		}
	}
}

// TestMixLooksLikeTraffic: protocols, sizes, lengths, and sessions that
// start all over the capture, overlap, and end.
func TestMixLooksLikeTraffic(t *testing.T) {
	packets, total := generated(t, "mix", 0.008)
	perProto := make(map[byte]int)
	first, last, count := make(map[string]int), make(map[string]int), make(map[string]int)
	ipv6 := 0
	for i, p := range packets {
		perProto[p.proto]++
		if p.ipv6 {
			ipv6++
		}
		if count[p.key] == 0 {
			first[p.key] = i
		}
		last[p.key] = i
		count[p.key]++
	}
	for _, proto := range []byte{protoTCP, protoUDP, protoICMP, protoICMPv6} {
		if perProto[proto] < len(packets)/500 {
			t.Errorf("protocol %d: %d packets", proto, perProto[proto])
		}
	}
	if share := float64(ipv6) / float64(len(packets)); share < 0.1 || share > 0.3 {
		t.Errorf("share of IPv6 %.2f", share)
	}
	if mean := total.WireBytes / total.Packets; mean < 300 || mean > 460 {
		t.Errorf("mean wire length %d", mean)
	}
	half := len(packets) / 2
	single, large, late, across := 0, 0, 0, 0
	for key, n := range count {
		if n == 1 {
			single++
		}
		if n > 200 {
			large++
		}
		if first[key] > half {
			late++
		}
		if first[key] < half && last[key] > half {
			across++
		}
	}
	sessions := len(count)
	if single < sessions/5 || single > sessions/2 || large == 0 {
		t.Errorf("%d of %d sessions have one packet, %d more than 200", single, sessions, large)
	}
	if late < sessions/3 || across < sessions/100 || across > sessions/5 {
		t.Errorf("of %d sessions %d start in the second half, %d are alive in the middle", sessions, late, across)
	}
}

func TestScanHasShortSessions(t *testing.T) {
	packets, _ := generated(t, "scan", 0.005)
	count := make(map[string]int)
	for _, p := range packets {
		count[p.key]++
	}
	var sizes [4]int
	for key, n := range count {
		if n > 3 {
			t.Fatalf("session %s has %d packets", key, n)
		}
		sizes[n]++
	}
	if slices.Min(sizes[1:]) < len(count)/6 {
		t.Errorf("sessions by size: %v", sizes)
	}
}

func TestElephantHasOneGreatSession(t *testing.T) {
	packets, _ := generated(t, "elephant", 0.003)
	count := make(map[string]int)
	for _, p := range packets {
		count[p.key]++
	}
	great := 0
	for _, n := range count {
		great = max(great, n)
	}
	if share := float64(great) / float64(len(packets)); share < 0.79 || share > 0.81 {
		t.Errorf("the great session has %.3f of the packets", share)
	}
}

func TestVictimHasTwoAddresses(t *testing.T) {
	packets, total := generated(t, "victim", 0.002)
	for _, p := range packets {
		if p.addresses != packets[0].addresses {
			t.Fatalf("addresses %s and %s", p.addresses, packets[0].addresses)
		}
	}
	if total.Sessions < 1000 {
		t.Errorf("%d sessions", total.Sessions)
	}
}

// TestSamePacketsEverywhere holds the captures to the byte: baselines of the
// gate and figures in bench/results would not compare otherwise.
func TestSamePacketsEverywhere(t *testing.T) {
	want := map[string]string{
		"mix":      "cf9e913ec1ebcaef0437634b227e063cac23734477640a3fc39ff9c6a60efb60",
		"scan":     "f93e8660449d88fb39f6e5966134be5b929d760fd85f6ef9b4c1a5d69946cbc2",
		"elephant": "d144de7953536ec8b724506c51249bfdf1961bc0bc9ede38802ed43584e9d794",
		"victim":   "c8e71e981696032e433a293d2fa333571a84771e094b17a6575c23f04c6878ac",
	}
	for _, k := range kinds {
		dir := t.TempDir()
		if _, err := writeCapture(k, 0.001, 1, 1, dir); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(dir, k.name+".pcap"))
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%x", sha256.Sum256(text)); got != want[k.name] {
			t.Errorf("%s: %s", k.name, got)
		}
	}
}

// TestExactNumberOfPackets: the elephant's bursts must not go beyond it, and
// a capture must not run over into a file of the same name.
func TestExactNumberOfPackets(t *testing.T) {
	for _, k := range kinds {
		for n := int64(1); n < 14; n++ {
			dir := t.TempDir()
			total, err := writeCapture(k, float64(n)/float64(k.packets), 1, 1, dir)
			if err != nil {
				t.Fatal(err)
			}
			var got walkTotals
			if err := walkFile(filepath.Join(dir, k.name+".pcap"), &got); err != nil {
				t.Fatal(err)
			}
			if got.packets != n || total.Packets != n || got.wireBytes != total.WireBytes {
				t.Errorf("%s: %d packets wanted, %+v generated, %+v in the file", k.name, n, total, got)
			}
		}
	}
}

func TestSeedAndSplit(t *testing.T) {
	dir := t.TempDir()
	k := kinds[0]
	read := func(seed uint64, split int64) []byte {
		sub, err := os.MkdirTemp(dir, "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := writeCapture(k, 0.0005, seed, split, sub); err != nil {
			t.Fatal(err)
		}
		files, err := filepath.Glob(filepath.Join(sub, "*.pcap"))
		if err != nil || int64(len(files)) != split {
			t.Fatalf("split %d: files %q, %v", split, files, err)
		}
		var records []byte
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil || len(text) <= fileHeaderSize {
				t.Fatalf("%s: %d bytes, %v", file, len(text), err)
			}
			records = append(records, text[fileHeaderSize:]...)
		}
		return records
	}
	one := read(1, 1)
	if !bytes.Equal(one, read(1, 7)) {
		t.Error("seven files do not hold the records of the one")
	}
	if bytes.Equal(one, read(2, 1)) {
		t.Error("another seed gives the same capture")
	}
}

// TestCompressesLikeACapture: gzip makes 1.3 to 2 times less of real ones.
func TestCompressesLikeACapture(t *testing.T) {
	dir := t.TempDir()
	if _, err := writeCapture(kinds[0], 0.002, 1, 1, dir); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "mix.pcap"))
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if ratio := float64(len(text)) / float64(packed.Len()); ratio < 1.3 || ratio > 2 {
		t.Errorf("%d bytes to %d: ratio %.2f", len(text), packed.Len(), ratio)
	}
}

// TestTshark has another program look at the packets, when it is installed.
func TestTshark(t *testing.T) {
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		t.Skip("tshark is not installed")
	}
	var ours []string
	for _, layer := range []string{"Ethernet", "IPv4", "IPv6", "TCP", "UDP", "ICMP", "ICMPv6"} {
		ours = append(ours, "[Malformed Packet: "+layer+"]")
	}
	dir := t.TempDir()
	for _, k := range kinds {
		if _, err := writeCapture(k, 0.0001, 1, 1, dir); err != nil {
			t.Fatal(err)
		}
		text, err := exec.Command(tshark, "-n", "-r", filepath.Join(dir, k.name+".pcap"), "-o", "ip.check_checksum:TRUE",
			"-T", "fields", "-E", "occurrence=f", "-e", "ip.checksum.status", "-e", "_ws.malformed").Output()
		if err != nil {
			t.Fatalf("tshark: %v", err)
		}
		lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
		if int64(len(lines)) != scaled(k.packets, 0.0001) {
			t.Errorf("%s: tshark finds %d packets", k.name, len(lines))
		}
		for i, line := range lines {
			// A checksum is good, or there is none in IPv6. What is malformed
			// must be above the transport: payloads mean nothing.
			checksum, malformed, _ := strings.Cut(line, "\t")
			if checksum != "1" && checksum != "" || slices.Contains(ours, malformed) {
				t.Fatalf("%s, packet %d: %q", k.name, i+1, line)
			}
		}
	}
}
