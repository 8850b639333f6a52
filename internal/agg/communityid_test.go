package agg

import (
	"net/netip"
	"testing"

	"pcapbatch/internal/flow"
)

// The first ones are from the specification's own baseline.
func TestCommunityID(t *testing.T) {
	for _, c := range []struct {
		protocol uint8
		src, dst string
		a, b     uint16 // ports, or ICMP type and code
		want     string
	}{
		{6, "128.232.110.120", "66.35.250.204", 34855, 80, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
		{6, "66.35.250.204", "128.232.110.120", 80, 34855, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="},
		{1, "192.168.0.89", "192.168.0.1", 8, 0, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="},
		{1, "192.168.0.1", "192.168.0.89", 0, 0, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="},
	} {
		s := Summary{Key: flow.Key{Protocol: c.protocol, Version: 4}}
		src, dst := netip.MustParseAddr(c.src).As4(), netip.MustParseAddr(c.dst).As4()
		copy(s.Key.Src[:], src[:])
		copy(s.Key.Dst[:], dst[:])
		if c.protocol == 1 {
			s.IP.ICMP = ICMP{true, uint8(c.a), uint8(c.b)}
		} else {
			s.Key.SrcPort, s.Key.DstPort = c.a, c.b
		}
		if got := string(AppendCommunityID(nil, &s)); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

// Messages that answer each other have one ID; others have one for each
// direction, and without type and code there are no ports.
func TestCommunityIDOfICMP(t *testing.T) {
	id := func(protocol uint8, back bool, m ICMP) string {
		s := Summary{Key: flow.Key{Protocol: protocol, Version: 6, Src: [16]byte{15: 1}, Dst: [16]byte{15: 2}}}
		if back {
			s.Key.Reverse()
		}
		s.IP.ICMP = m
		return string(AppendCommunityID(nil, &s))
	}
	for protocol, pairs := range map[uint8][][2]uint8{1: pairs4[:], 58: pairs6[:]} {
		for _, p := range pairs {
			ask, answer := id(protocol, false, ICMP{true, p[0], 0}), id(protocol, true, ICMP{true, p[1], 0})
			if ask != answer || ask == id(protocol, false, ICMP{true, p[1], 0}) {
				t.Errorf("protocol %d, types %v: %s, %s", protocol, p, ask, answer)
			}
		}
		if m := (ICMP{true, 3, 1}); id(protocol, false, m) == id(protocol, true, m) || id(protocol, false, m) == id(protocol, false, ICMP{true, 3, 2}) {
			t.Errorf("protocol %d: a message without an answer", protocol)
		}
		if id(protocol, false, ICMP{}) != id(protocol, true, ICMP{}) || id(protocol, false, ICMP{}) == id(protocol, false, ICMP{Defined: true}) {
			t.Errorf("protocol %d: without type and code", protocol)
		}
	}
}
