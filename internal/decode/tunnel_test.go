package decode

import (
	"fmt"
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
	{"vxlan in ipv6", ipv6(17, `1000 12b5 0000 0000 08000000 00000100`+ethIPv4TCP)},
	{"vxlan on the port of vxlan-gpe", ipv4(17, `1000 12b6 0000 0000 08000000 00000100`+ethIPv4TCP)},
	{"vxlan-gpe", ipv4(17, `1000 12b6 0000 0000 0c000001 00000100`+ipv4TCP)},
	{"vxlan-gpe, ipv6", ipv4(17, `1000 12b6 0000 0000 0c000002 00000100`+ipv6UDP)},
	{"vxlan-gpe with ethernet", ipv4(17, `1000 12b6 0000 0000 0c000003 00000100`+ethIPv4TCP)},
	{"vxlan-gpe with nsh", ipv4(17, `1000 12b6 0000 0000 0c000004 00000100 0fc2 02 01 00000100`+ipv4TCP)},
	{"vxlan-gpe with mpls", ipv4(17, `1000 12b6 0000 0000 0c000005 00000100 0001 0140`+ipv4TCP)},
	{"geneve", ipv4(17, `1000 17c1 0000 0000 0000 6558 00000100`+ethIPv4TCP)},
	{"geneve with options and ip", ipv4(17, `1000 17c1 0000 0000 0200 0800 00000100 0102 8001 00000000`+ipv4TCP)},
	{"gtp-u", ipv4(17, `0868 0868 0000 0000 30 ff 002c 00000001`+ipv4TCP)},
	{"gtp-u with sequence number", ipv4(17, `0868 0868 0000 0000 32 ff 0030 00000001 0001 00 00`+ipv4TCP)},
	{"gtp-u with extension headers", ipv4(17, `0868 0868 0000 0000 34 ff 003c 00000001 0000 00 85  01 0010 c0  02 0000 00000000 00`+ipv4TCP)},
	{"gtp-u with extension type but no flag", ipv4(17, `0868 0868 0000 0000 32 ff 0030 00000001 0001 00 85`+ipv4TCP)},
	{"gtp-u, ipv6", ipv4(17, `0868 0868 0000 0000 30 ff 0034 00000001`+ipv6UDP)},
	{"gtp-u with ethernet", ipv4(17, `1000 0868 0000 0000 30 ff 003a 00000001`+ethIPv4TCP)},
	{"gtp-u with ethernet to a mac address that begins with 4", ipv4(17, `1000 0868 0000 0000 30 ff 003a 00000001 450000200002 020000000001 0800`+ipv4TCP)},
	{"gtp-u with ethernet to a mac address that begins with 6", ipv4(17, `1000 0868 0000 0000 30 ff 003a 00000001 600000000002 020000000001 0800`+ipv4TCP)},
	{"gtp-u from its port", ipv4(17, `0868 1000 0000 0000 30 ff 002c 00000001`+ipv4TCP)},
	{"teredo, ipv6", ipv4(17, `1000 0dd8 0000 0000`+ipv6UDP)},
	{"teredo with origin, ipv6", ipv4(17, `0dd8 1000 0000 0000 0000 f227 fffffffe`+ipv6UDP)},
	{"teredo with authentication and origin, ipv6", ipv4(17, `0dd8 1000 0000 0000 0001 01 02 aa bbcc 0000000000000001 00 0000 f227 fffffffe`+ipv6UDP)},
	{"l2tp from its port", ipv4(17, `06a5 1000 0000 0000 0002 0001 0001 ff03 0021`+ipv4TCP)},
	{"l2tp", ipv4(17, `06a5 06a5 0000 0000 0002 0001 0001 ff03 0021`+ipv4TCP)},
	{"l2tp with all fields", ipv4(17, `06a5 06a5 0000 0000 4a02 0042 0001 0001 0000 0000 0002 0000 0021`+ipv4TCP)},

	{"gre with frame relay", ipv4(47, `0000 6559 1841 03cc`+ipv4TCP)},
	{"eoip", ipv4(47, `2001 6400 003a 0100`+ethIPv4TCP)},
	{"etherip", ipv4(97, `3000`+ethIPv4TCP)},
	{"etherip with the version in the wrong half", ipv6(97, `0300`+ethIPv4TCP)},
	{"ethernet as a protocol", ipv4(143, ethIPv4TCP)},
	{"ethernet behind a segment routing header", ipv6(43, `8f 02 04 00 00 00 0000 20010db8000000000000000000000009`+ethIPv4TCP)},
	{"mpls in ip", ipv4(137, `0001 0040 0002 0140`+ipv4TCP)},
	{"mpls in ipv6 with a pseudowire", ipv6(137, `0001 0140 00000000`+ethIPv4TCP)},
	{"mpls in udp", ipv4(17, `c350 19eb 0000 0000 0001 0140`+ipv4TCP)},
	{"gre in udp", ipv4(17, `c350 1292 0000 0000 2000 0800 00000001`+ipv4TCP)},
	{"tzsp", ipv4(17, `9c40 9090 0000 0000 01 00 0001 01`+ethIPv4TCP)},
	{"tzsp with fields and 802.11", ipv4(17, `9c40 9090 0000 0000 01 01 0012 0a01c5 00 0c01ff 01`+wlan+snap4+ipv4TCP)},
	{"tzsp with prism", ipv4(17, `9c40 9090 0000 0000 01 00 0077 01 44000000 90000000`+zeros(136)+wlan+snap4+ipv4TCP)},
	{"capwap with ethernet", ipv4(17, `1000 147f 0000 0000 00 10 0200 0000 0000`+ethIPv4TCP)},
	{"capwap with 802.11", ipv4(17, `147f 1000 0000 0000 00 10 0300 0000 0000`+wlan+snap4+ipv4TCP)},
	{"capwap with 802.11, frame control exchanged", ipv4(17, `147f 147f 0000 0000 00 10 0300 0000 0000 02 08 0000`+wlanAddresses+`0000`+snap4+ipv4TCP)},
	{"capwap with radio address", ipv4(17, `147f 147f 0000 0000 00 20 0310 0000 0000 06020000 00000100`+wlan+snap4+ipv4TCP)},

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
		{"vxlan from its port", ipv4(17, `12b5 1000 0000 0000 08000000 00000100`+ethIPv4TCP), "192.0.2.1 4789 > 192.0.2.2 4096 / 17 payload 66"},
		{"geneve from its port", ipv4(17, `17c1 1000 0000 0000 0000 6558 00000100`+ethIPv4TCP), "192.0.2.1 6081 > 192.0.2.2 4096 / 17 payload 66"},
		{"gtp-u from its port, length wrong", ipv4(17, `0868 1000 0000 0000 30 ff 002d 00000001`+ipv4TCP), "192.0.2.1 2152 > 192.0.2.2 4096 / 17 payload 52"},
		{"vxlan with a packet longer than the datagram", ipv4(17, `1000 12b5 0049 0000 08000000 00000100`+ethIPv4TCP), "192.0.2.1 4096 > 192.0.2.2 4789 / 17 payload 65"},
		{"vxlan with a packet longer than ip carries", ipv4(17, `1000 12b5 0000 0000 08000000 00000100`+macs+`86dd 60000000 000d 11 40`+ipv6Addresses+`14e9 14ea 000d 0000 61626364`), "192.0.2.1 4096 > 192.0.2.2 4789 / 17 payload 74"},
		{"gtp-u with a packet longer than the datagram", ipv4(17, `0868 0868 0000 0000 30 ff 0034 00000001 60000000 000d 11 40`+ipv6Addresses+`14e9 14ea 000d 0000 61626364`), "192.0.2.1 2152 > 192.0.2.2 2152 / 17 payload 60"},
		{"gtp-u with neither ip nor ethernet", ipv4(17, `0868 0868 0000 0000 30 ff 0010 00000001 45000000 00000000 00000000 00000000`), "192.0.2.1 2152 > 192.0.2.2 2152 / 17 payload 24"},
		{"dns to the port of teredo", ipv4(17, `0035 0dd8 0000 0000 6000 8180 000c 0001 0000 0000 07 6578616d706c65 03 6f7267 00 0001 0001`+zeros(30)), "192.0.2.1 53 > 192.0.2.2 3544 / 17 payload 59"},
		{"teredo shorter than the datagram", ipv4(17, `1000 0dd8 0000 0000`+ipv6UDP+`00`), "192.0.2.1 4096 > 192.0.2.2 3544 / 17 payload 53"},
		{"teredo longer than the datagram", ipv4(17, `1000 0dd8 003b 0000`+ipv6UDP), "192.0.2.1 4096 > 192.0.2.2 3544 / 17 payload 51"},
		{"ipv6 on other ports without an address of teredo", ipv4(17, `1000 2000 0000 0000`+ipv6UDP), "192.0.2.1 4096 > 192.0.2.2 8192 / 17 payload 52"},
		{"teredo bubble with a trailer cut short", ipv4(17, `1000 0dd8 0000 0000 60000000 0000 3b 40`+ipv6Addresses+`0104 000000`), "192.0.2.1 4096 > 192.0.2.2 3544 / 17 payload 45"},
		{"vxlan-gpe of an unknown protocol", ipv4(17, `1000 12b6 0000 0000 0c000009 00000100`+ipv4TCP), "192.0.2.1 4096 > 192.0.2.2 4790 / 17 payload 52"},
		{"etherip of another version", ipv4(97, `4000`+ethIPv4TCP), "192.0.2.1 0 > 192.0.2.2 0 / 97 payload 60"},
		{"eoip keepalive", ipv4(47, `2001 6400 0000 0100`), "192.0.2.1 0 > 192.0.2.2 0 / 47 payload 8"},
		{"tzsp keepalive", ipv4(17, `9c40 9090 0000 0000 01 04 0000 01`), "192.0.2.1 40000 > 192.0.2.2 37008 / 17 payload 5"},
		{"tzsp without an end of its fields", ipv4(17, `9c40 9090 0000 0000 01 00 0001 0aff`+ethIPv4TCP), "192.0.2.1 40000 > 192.0.2.2 37008 / 17 payload 64"},
		{"tzsp from its port", ipv4(17, `9090 9c40 0000 0000 01 00 0001 01`+ethIPv4TCP), "192.0.2.1 37008 > 192.0.2.2 40000 / 17 payload 63"},
		{"capwap keepalive", ipv4(17, `147f 147f 0000 0000 00 10 0308 0000 0000 0012 0000`), "192.0.2.1 5247 > 192.0.2.2 5247 / 17 payload 12"},
		{"capwap, encrypted", ipv4(17, `147f 147f 0000 0000 01 000000`+ethIPv4TCP), "192.0.2.1 5247 > 192.0.2.2 5247 / 17 payload 62"},
		{"capwap, later fragment", ipv4(17, `147f 147f 0000 0000 00 10 0280 0001 0008`+ethIPv4TCP), "192.0.2.1 5247 > 192.0.2.2 5247 / 17 payload 66"},
		{"capwap header longer than the datagram", ipv4(17, `147f 147f 0000 0000 00 f8 0200 0000 0000`+ethIPv4TCP), "192.0.2.1 5247 > 192.0.2.2 5247 / 17 payload 66"},
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

// TestTunnelPorts: with ports of one's own, these announce tunnels and the
// default ones do not.
func TestTunnelPorts(t *testing.T) {
	own := Options{Decapsulate: true, TunnelPorts: []TunnelPort{{14789, GENEVE}, {14789, VXLAN}, {0x1000, Teredo}}}
	vxlan := func(port string) string {
		return ipv4(17, `c350`+port+`0000 0000 08000000 00000100`+ethIPv4TCP)
	}
	runCases(t, []decodeCase{
		{name: "own port", link: 101, opts: own, hex: vxlan(`39c5`), want: ipv4TCPText},
		{name: "default port", link: 101, opts: own, hex: vxlan(`12b5`), want: "192.0.2.1 50000 > 192.0.2.2 4789 / 17 payload 66"},
		{name: "own port at the source", link: 101, opts: own, hex: ipv4(17, `1000 0dd8 0000 0000`+ipv6UDP), want: ipv6UDPText},
		{name: "no ports at all", link: 101, opts: Options{Decapsulate: true, TunnelPorts: []TunnelPort{}}, hex: vxlan(`12b5`),
			want: "192.0.2.1 50000 > 192.0.2.2 4789 / 17 payload 66"},
	})
	added := append(DefaultTunnelPorts(), TunnelPort{14789, VXLAN})
	runCases(t, []decodeCase{
		{name: "added port", link: 101, opts: Options{Decapsulate: true, TunnelPorts: added}, hex: vxlan(`39c5`), want: ipv4TCPText},
		{name: "default port beside it", link: 101, opts: Options{Decapsulate: true, TunnelPorts: added}, hex: vxlan(`12b5`), want: ipv4TCPText},
	})
}

// TestTeredoBubble: a bubble has no content, but may have trailers.
func TestTeredoBubble(t *testing.T) {
	bubble := `1000 0dd8 0000 0000 60000000 0000 3b 15` + ipv6Addresses
	runCases(t, []decodeCase{
		{name: "without trailer", link: 101, opts: Options{Decapsulate: true}, hex: ipv4(17, bubble), want: "2001:db8::2 0 > 2001:db8::1 0 / 59 payload 0"},
		{name: "with nonce, alternate address and random port", link: 101, opts: Options{Decapsulate: true},
			hex: ipv4(17, bubble+`0104 00000001 0308 00000000 ac18ccc8 0502 df78`), want: "2001:db8::2 0 > 2001:db8::1 0 / 59 payload 0"},
	})
}

// TestDecapsulateUncommon has tunnels whose inner session is not that of the
// others.
func TestDecapsulateUncommon(t *testing.T) {
	first := fmt.Sprintf("1000 12b5 004a 0000 08000000 00000100 %x", fromHex(ethIPv4TCP)[:54]) // 4 bytes are in the next fragment
	runCases(t, []decodeCase{
		{name: "teredo between peers on other ports", link: 101, opts: Options{Decapsulate: true},
			hex:  ipv4(17, `1000 2000 0000 0000 60000000 000c 11 40 20010000000000000000000000000001 20010db8000000000000000000000001 14e9 14ea 000c 0000 61626364`),
			want: "2001::1 5353 > 2001:db8::1 5354 / 17 payload 4"},
		{name: "teredo between peers, answer", link: 101, opts: Options{Decapsulate: true},
			hex:  ipv4(17, `2000 1000 0000 0000 60000000 000c 11 40 20010db8000000000000000000000001 20010000000000000000000000000001 14ea 14e9 000c 0000 61626364`),
			want: "2001:db8::1 5354 > 2001::1 5353 / 17 payload 4"},
		{name: "teredo between peers, a port with the low byte of a tunnel's", link: 101, opts: Options{Decapsulate: true},
			hex:  ipv4(17, `10b5 2000 0000 0000 60000000 000c 11 40 20010000000000000000000000000001 20010db8000000000000000000000001 14e9 14ea 000c 0000 61626364`),
			want: "2001::1 5353 > 2001:db8::1 5354 / 17 payload 4"},
		{name: "teredo between peers, one byte too many", link: 101, opts: Options{Decapsulate: true},
			hex:  ipv4(17, `1000 2000 0000 0000 60000000 000b 11 40 20010000000000000000000000000001 20010db8000000000000000000000001 14e9 14ea 000c 0000 61626364`),
			want: "192.0.2.1 4096 > 192.0.2.2 8192 / 17 payload 52"},
		{name: "vxlan in a first fragment", link: 101, opts: Options{Decapsulate: true},
			hex: `45 00 005a 0001 2000 40 11 0000 c0000201 c0000202` + first, want: ipv4TCPText},
		{name: "vxlan in a whole packet whose udp length says more", link: 101, opts: Options{Decapsulate: true},
			hex: ipv4(17, first), want: "192.0.2.1 4096 > 192.0.2.2 4789 / 17 payload 62"},
		{name: "gtp-u with a packet cut short before", link: 101, opts: Options{Decapsulate: true}, // its checksum is right
			hex:  ipv4(17, `0868 0868 0000 0000 30 ff 002c 00000001 45 00 0100 0001 4000 40 06 25f5 0a000001 0a000002 c350 0050 00000001 00000002 5018 2000 00000000 61626364`),
			want: "10.0.0.1 50000 > 10.0.0.2 80 / 6 payload 216"},
	})
}
