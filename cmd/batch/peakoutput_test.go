package main

import (
	"encoding/binary"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"pcapbatch/internal/capturetest"

	"github.com/klauspost/compress/zstd"
)

// sampledSessions is a capture of n sessions of one packet, no two of which have
// a host in common. Each claims the longest wire length that is believed, and a
// last one so much that the capture is not: a report then takes the sum of all
// for less than it is, and counts far more of the sessions than of others.
func sampledSessions(t *testing.T, n int) string {
	t.Helper()
	data := pcap()
	for i := range n {
		host := func(net uint32) string {
			return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, net+uint32(i)))).String()
		}
		packet := ip(host(0x0a000000), host(0x50000000), protoUDP, udp(uint16(i), uint16(i>>3), 0))
		data = appended(data, record{Time: begin + int64(i)*1000, Wire: 1990, Data: packet})
	}
	last := ip(client, server, protoUDP, udp(1, 2, 0))
	data = appended(data, record{Time: begin + int64(n)*1000, Wire: 1<<32 - 1, Data: last})
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		t.Fatal(err)
	}
	return write(t, "sampled.pcap.zst", z.EncodeAll(data, nil))
}

// What a report counts, and what compresses the rows, is part of the memory.
func TestMemoryOfReportAndCompressedRows(t *testing.T) {
	if testing.Short() {
		t.Skip("reads hundreds of thousands of sessions")
	}
	n := capturetest.Usually(250_000, 1_500_000)
	path := sampledSessions(t, n)
	dir := t.TempDir()
	page := filepath.Join(dir, "report.html")
	for _, memory := range []int{64, 256}[:capturetest.Usually(1, 2)] {
		for _, args := range [][]string{{"-o", "o.csv"}, {"-o", "o.csv.gz"}, {"-o", "o.csv.zst"}, {"--report", page}, {"--report", page, "-o", "o.csv.gz"}} {
			for i, a := range args {
				if strings.HasPrefix(a, "o.") {
					args[i] = filepath.Join(dir, a)
				}
			}
			code, _, stderr := atMost(t, memory, 0, append([]string{"extract", "-q", path}, args...)...)
			if code != exitOK {
				t.Errorf("%q: exit code %d, %s", args, code, stderr)
			}
		}
	}
	if !strings.Contains(string(read(t, page)), "not believed") {
		t.Error("the capture is believed")
	}
}
