package decode

import (
	"strings"
	"testing"

	"pcapbatch/internal/flow"
)

// tunnels has one packet per tunnel that Options.Decapsulate opens, each with
// ipv4TCP inside, unless its name says IPv6.
var tunnels = []struct{ name, hex string }{
	{"ip in ip", ipv4(4, ipv4TCP)},
	{"6in4, ipv6", ipv4(41, ipv6UDP)},
	{"4in6", ipv6(4, ipv4TCP)},
	{"6in6, ipv6", ipv6(41, ipv6UDP)},
	{"ip in ip behind an authentication header", ipv4(51, `04 01 0000 00000001 00000001`+ipv4TCP)},
	{"4in6 behind destination options", ipv6(60, `04 00 01 04 00000000`+ipv4TCP)},

	{"gre", ipv4(47, `0000 0800`+ipv4TCP)},
	{"gre, ipv6", ipv4(47, `0000 86dd`+ipv6UDP)},
	{"gre in ipv6", ipv6(47, `0000 0800`+ipv4TCP)},
	{"gre with checksum, key and sequence number", ipv4(47, `b000 0800 1234 0000 00000001 00000002`+ipv4TCP)},
	{"gre with source routes", ipv4(47, `4000 0800 0000 0000  0800 00 04 0a000001  0000 00 00`+ipv4TCP)},
	{"gre with ethernet", ipv4(47, `2000 6558 00000001`+ethIPv4TCP)},
	{"gre with vlan", ipv4(47, `0000 8100 0064 0800`+ipv4TCP)},
	{"gre with mpls", ipv4(47, `0000 8847 0001 0140`+ipv4TCP)},
	{"gre with wccp redirect header", ipv4(47, `0000 883e 00000000`+ipv4TCP)},
	{"gre with wccp without redirect header", ipv4(47, `0000 883e`+ipv4TCP)},
	{"gre with 802.11", ipv4(47, `0000 8200 0802 0000`+zeros(20)+`aaaa03 000000 0800`+ipv4TCP)},
	{"pptp", ipv4(47, `3081 880b 0030 0001 00000001 00000002 ff03 0021`+ipv4TCP)},
	{"pptp without acknowledgement", ipv4(47, `3001 880b 002d 0001 00000001 21`+ipv4TCP)},
	{"erspan i", ipv4(47, `0000 88be`+ethIPv4TCP)},
	{"erspan ii", ipv4(47, `1000 88be 00000001 1064 0001 00000000`+ethIPv4TCP)},
	{"erspan iii", ipv4(47, `1000 22eb 00000001 2064 0001 00000000 0000 0000`+ethIPv4TCP)},
	{"erspan iii with platform header", ipv4(47, `1000 22eb 00000001 2064 0001 00000000 0000 0001 0000000000000000`+ethIPv4TCP)},
	{"erspan iii with ip", ipv4(47, `1000 22eb 00000001 2064 0001 00000000 0000 0800`+ipv4TCP)},

	{"vxlan", ipv4(17, `1000 12b5 0000 0000 08000000 00000100`+ethIPv4TCP)},
	{"vxlan on linux", ipv4(17, `1000 2118 0000 0000 08000000 00000100`+ethIPv4TCP)},
	{"vxlan from its port", ipv6(17, `12b5 1000 0000 0000 08000000 00000100`+ethIPv4TCP)},
	{"geneve", ipv4(17, `1000 17c1 0000 0000 0000 6558 00000100`+ethIPv4TCP)},
	{"geneve with options and ip", ipv4(17, `1000 17c1 0000 0000 0200 0800 00000100 0102 8001 00000000`+ipv4TCP)},
	{"gtp-u", ipv4(17, `0868 0868 0000 0000 30 ff 002c 00000001`+ipv4TCP)},
	{"gtp-u with sequence number", ipv4(17, `0868 0868 0000 0000 32 ff 0030 00000001 0001 00 00`+ipv4TCP)},
	{"gtp-u with extension headers", ipv4(17, `0868 0868 0000 0000 34 ff 003c 00000001 0000 00 85  01 0010 c0  02 0000 00000000 00`+ipv4TCP)},
	{"gtp-u with extension type but no flag", ipv4(17, `0868 0868 0000 0000 32 ff 0030 00000001 0001 00 85`+ipv4TCP)},
	{"gtp-u, ipv6", ipv4(17, `0868 0868 0000 0000 30 ff 0034 00000001`+ipv6UDP)},
	{"teredo, ipv6", ipv4(17, `1000 0dd8 0000 0000`+ipv6UDP)},
	{"teredo with origin, ipv6", ipv4(17, `0dd8 1000 0000 0000 0000 f227 fffffffe`+ipv6UDP)},
	{"teredo with authentication and origin, ipv6", ipv4(17, `0dd8 1000 0000 0000 0001 01 02 aa bbcc 0000000000000001 00 0000 f227 fffffffe`+ipv6UDP)},
	{"l2tp", ipv4(17, `06a5 06a5 0000 0000 0002 0001 0001 ff03 0021`+ipv4TCP)},
	{"l2tp with all fields", ipv4(17, `06a5 06a5 0000 0000 4a02 0042 0001 0001 0000 0000 0002 0000 0021`+ipv4TCP)},

	{"gre in vxlan in ip", ipv4(4, ipv4(17, `1000 12b5 0000 0000 08000000 00000100`+macs+`0800`+ipv4(47, `0000 0800`+ipv4TCP)))},
}

// TestDecapsulate: each tunnel opened gives the inner session, and closed the
// outer one; it is counted as a tunnel either way.
func TestDecapsulate(t *testing.T) {
	for _, c := range tunnels {
		t.Run(c.name, func(t *testing.T) {
			data := fromHex(c.hex)
			inner := ipv4TCPText
			if strings.HasSuffix(c.name, ", ipv6") {
				inner = ipv6UDPText
			}
			for _, open := range []bool{true, false} {
				d := New(Options{Decapsulate: open, Unidirectional: true})
				var ev flow.Event
				if !d.Decode(&ev, 101, data, uint32(len(data)), 0) {
					t.Fatalf("open %v: no event", open)
				}
				if got := eventText(&ev); (got == inner) != open {
					t.Errorf("open %v: got %s", open, got)
				}
				if !open && ev.Key.SrcAddr().String() != "192.0.2.1" && ev.Key.SrcAddr().String() != "2001:db8::2" {
					t.Errorf("closed: source %v is not the outer one", ev.Key.SrcAddr())
				}
				if d.Counts().Tunnelled != 1 {
					t.Errorf("open %v: %d tunnelled", open, d.Counts().Tunnelled)
				}
			}
		})
	}
}

// TestDecapsulateInnerSizes: payload is that of the inner packet, also where
// its length is to be taken from the packet around it, and TCP flags and
// payload of the outer header leave nothing behind.
func TestDecapsulateInnerSizes(t *testing.T) {
	open := Options{Decapsulate: true}
	const offload = `45 00 0000 0000 0000 40 06 0000 0a000001 0a000002 c350 0050 00000001 00000002 5018 2000 00000000 6162`
	runCases(t, []decodeCase{
		{name: "inner total length 0", link: 1, opts: open, hex: macs + `0800` + ipv4(4, offload) + `0000 0000`,
			want: "10.0.0.1 50000 > 10.0.0.2 80 / 6 payload 2"},
		{name: "inner icmp", link: 101, opts: open, hex: ipv4(47, `0000 0800`+ipv4(1, `0800 0000 0001 0001 6162`)),
			want: "192.0.2.1 0 > 192.0.2.2 0 / 1 payload 2"},
		{name: "inner transport cut off", link: 101, opts: open, hex: ipv4(4, ipv4TCP), cut: 40,
			want: "10.0.0.1 0 > 10.0.0.2 0 / 6 payload 4 truncated"},
	})
}

// TestDecapsulateNothing: what looks like a tunnel but has no IP packet that
// can be read stays in the outer session and is no tunnel.
func TestDecapsulateNothing(t *testing.T) {
	for _, c := range []struct{ name, hex, want string }{
		{"inner header cut off", ipv4(4, `45 00 00 2c 00 01 40 00 40 06 00 00`), "192.0.2.1 0 > 192.0.2.2 0 / 4 payload 12"},
		{"inner version wrong", ipv4(4, ipv6UDP), "192.0.2.1 0 > 192.0.2.2 0 / 4 payload 52"},
		{"arp in gre", ipv4(47, `0000 0806 0001`), "192.0.2.1 0 > 192.0.2.2 0 / 47 payload 6"},
		{"gre cut off", ipv4(47, `a000 08`), "192.0.2.1 0 > 192.0.2.2 0 / 47 payload 3"},
		{"gre source routes without end", ipv4(47, `4000 0800 0000 0000 0800 00 04`), "192.0.2.1 0 > 192.0.2.2 0 / 47 payload 12"},
		{"erspan iii cut off", ipv4(47, `1000 22eb 00000001 2064 0001`), "192.0.2.1 0 > 192.0.2.2 0 / 47 payload 12"},
		{"vxlan without network", ipv4(17, `1000 12b5 0000 0000 00000000 00000100`+ethIPv4TCP), "192.0.2.1 4096 > 192.0.2.2 4789 / 17 payload 66"},
		{"geneve of another version", ipv4(17, `1000 17c1 0000 0000 4000 6558 00000100`+ethIPv4TCP), "192.0.2.1 4096 > 192.0.2.2 6081 / 17 payload 66"},
		{"geneve options cut off", ipv4(17, `1000 17c1 0000 0000 3f00 0800 00000100`), "192.0.2.1 4096 > 192.0.2.2 6081 / 17 payload 8"},
		{"gtp-u echo", ipv4(17, `0868 0868 0000 0000 32 01 0004 00000000 0000 0000`), "192.0.2.1 2152 > 192.0.2.2 2152 / 17 payload 12"},
		{"gtp-u extension of no length", ipv4(17, `0868 0868 0000 0000 34 ff 0008 00000001 0000 00 85 00 000000`), "192.0.2.1 2152 > 192.0.2.2 2152 / 17 payload 16"},
		{"gtp-u extension cut off", ipv4(17, `0868 0868 0000 0000 34 ff 0008 00000001 0000 00 85 02 000000`), "192.0.2.1 2152 > 192.0.2.2 2152 / 17 payload 16"},
		{"teredo bubble header cut off", ipv4(17, `1000 0dd8 0000 0000 0001 ff ff`), "192.0.2.1 4096 > 192.0.2.2 3544 / 17 payload 4"},
		{"l2tp control", ipv4(17, `06a5 06a5 0000 0000 c802 000c 0001 0000 0000 0000`), "192.0.2.1 1701 > 192.0.2.2 1701 / 17 payload 12"},
		{"l2tp version 3", ipv4(17, `06a5 06a5 0000 0000 0003 0000 00000001`), "192.0.2.1 1701 > 192.0.2.2 1701 / 17 payload 8"},
		{"l2tp offset beyond the packet", ipv4(17, `06a5 06a5 0000 0000 0202 0001 0001 ffff`), "192.0.2.1 1701 > 192.0.2.2 1701 / 17 payload 8"},
		{"l2tp with lcp", ipv4(17, `06a5 06a5 0000 0000 0002 0001 0001 ff03 c021 0101 0004`), "192.0.2.1 1701 > 192.0.2.2 1701 / 17 payload 14"},
		{"later fragment", `45 00 0044 0001 0010 40 2f 0000 c0000201 c0000202 0000 0800` + ipv4TCP, "192.0.2.1 0 > 192.0.2.2 0 / 47 payload 48"},
	} {
		t.Run(c.name, func(t *testing.T) {
			data := fromHex(c.hex)
			for _, open := range []bool{true, false} {
				d := New(Options{Decapsulate: open, Unidirectional: true})
				var ev flow.Event
				if !d.Decode(&ev, 101, data, uint32(len(data)), 0) {
					t.Fatalf("open %v: no event", open)
				}
				if got := eventText(&ev); got != c.want {
					t.Errorf("open %v:\ngot  %s\nwant %s", open, got, c.want)
				}
				if d.Counts().Tunnelled != 0 {
					t.Errorf("open %v: counted as a tunnel", open)
				}
			}
		})
	}
}

// TestDecapsulateDepth: nesting is opened down to a fixed depth of layers and
// no further; the packet then belongs to the deepest session reached.
func TestDecapsulateDepth(t *testing.T) {
	packet := ipv4(17, `04d2 0035 0008 0000`)
	for range 200 {
		packet = ipv4(4, packet)
	}
	data := fromHex(packet)
	d := New(Options{Decapsulate: true})
	var ev flow.Event
	if !d.Decode(&ev, 101, data, uint32(len(data)), 0) {
		t.Fatal("no event")
	}
	if want := uint32(len(data)) - 20*maxLayers; ev.Key.Protocol != 4 || ev.PayloadBytes != want {
		t.Errorf("protocol %d with payload %d, want 4 with %d", ev.Key.Protocol, ev.PayloadBytes, want)
	}
}
