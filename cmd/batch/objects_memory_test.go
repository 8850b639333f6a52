package main

import (
	"fmt"
	"strings"
	"testing"

	"pcapbatch/internal/capturetest"
	"pcapbatch/internal/objecttest"
)

// Buffers for ranges, for what is asked for ahead and for parts of uploads keep to
// --memory: of one large object, of many small ones, and of the run files of those.
func TestMemoryOfObjects(t *testing.T) {
	if testing.Short() {
		t.Skip("reads a large object")
	}
	s := objecttest.New(t)
	const packets, small = 60_000, 200
	large := pcap()
	one := record{Data: append(ip(client, server, protoUDP, udp(53, 53, 8)), make([]byte, 1400)...)}
	for i := range packets {
		one.Time = begin + int64(i)*1000
		large = appended(large, one)
	}
	s.Put(t, "large", large)
	for i := range small {
		s.Put(t, fmt.Sprintf("small/%03d", i), capturetest.Pcap(capturetest.ManySessions(uint64(i), 600)...))
	}
	for _, c := range []struct {
		memory int
		args   []string
		lines  int
	}{
		{64, []string{"extract", objects + "large"}, 2},
		{128, []string{"extract", objects + "large"}, 2},
		{64, []string{"extract", objects + "small/"}, 0},
		{128, []string{"extract", "-o", objects + "rows", objects + "small/"}, 0},
		{64, []string{"map", "--out", objects + "runs", objects + "small/"}, 0},
		{64, []string{"merge", "-o", objects + "rows", objects + "runs"}, 0},
	} {
		code, rows, stderr := atMost(t, c.memory, 0, append([]string{c.args[0], "-q"}, c.args[1:]...)...)
		if code != exitOK || c.lines > 0 && strings.Count(rows, "\n") != c.lines {
			t.Errorf("%q: exit code %d, %d bytes, %s", c.args, code, len(rows), stderr)
		}
	}
}
