package decode

import (
	"testing"

	"pcapbatch/internal/flow"
)

// TestSession holds the rules that say which session a packet belongs to.
func TestSession(t *testing.T) {
	ether := func(s string) string { return macs + " 08 00 " + s }
	ether6 := func(s string) string { return macs + " 86 dd " + s }
	const ports = ` 04 d2 00 35 ` // 1234 > 53
	const rest8 = ` 00000000 00000000 `
	runCases(t, []decodeCase{
		{name: "tcp", link: 1, hex: ethIPv4TCP, want: ipv4TCPText},
		{name: "udp over ipv6", link: 1, hex: ethIPv6UDP, want: ipv6UDPText},
		{name: "udp", link: 1, hex: ether(ipv4(17, ports+`000a 0000 6162`)), want: "192.0.2.1 1234 > 192.0.2.2 53 / 17 payload 2"},
		{name: "udp-lite", link: 1, hex: ether(ipv4(136, ports+`0008 0000 6162`)), want: "192.0.2.1 1234 > 192.0.2.2 53 / 136 payload 2"},
		{name: "sctp", link: 1, hex: ether(ipv4(132, ports+rest8+`61`)), want: "192.0.2.1 1234 > 192.0.2.2 53 / 132 payload 1"},
		{name: "dccp", link: 1, hex: ether(ipv4(33, ports+`04 00 0000`+rest8+`616263`)), want: "192.0.2.1 1234 > 192.0.2.2 53 / 33 payload 3"},
		{name: "icmp", link: 1, hex: ether(ipv4(1, `08 00 0000 0001 0001 616263`)), want: "192.0.2.1 0 > 192.0.2.2 0 / 1 payload 3"},
		{name: "icmp error belongs to its own addresses", link: 1, hex: ether(ipv4(1, `03 03 0000 00000000 `+ipv4TCP)),
			want: "192.0.2.1 0 > 192.0.2.2 0 / 1 payload 44"},
		{name: "icmp error is no tunnel", link: 1, opts: Options{Decapsulate: true}, hex: ether(ipv4(1, `03 03 0000 00000000 `+ipv4TCP)),
			want: "192.0.2.1 0 > 192.0.2.2 0 / 1 payload 44"},
		{name: "icmpv6", link: 1, hex: ether6(ipv6(58, `80 00 0000 0001 0001 61`)), want: "2001:db8::2 0 > 2001:db8::1 0 / 58 payload 1"},
		{name: "gre", link: 1, hex: ether(ipv4(47, `0000 0800 `+ipv4TCP)), want: "192.0.2.1 0 > 192.0.2.2 0 / 47 payload 48"},
		{name: "esp", link: 1, hex: ether(ipv4(50, rest8)), want: "192.0.2.1 0 > 192.0.2.2 0 / 50 payload 8"},
		{name: "ospf", link: 1, hex: ether(ipv4(89, rest8)), want: "192.0.2.1 0 > 192.0.2.2 0 / 89 payload 8"},
		{name: "protocol 255", link: 1, hex: ether(ipv4(255, ``)), want: "192.0.2.1 0 > 192.0.2.2 0 / 255 payload 0"},

		{name: "ipv4 options are stepped over", link: 1, hex: ether(`
			47 00 00 26  00 00 00 00  40 11 00 00  c0000201 c0000202  # header length 7 words
			82 02 00 00  00 00 00 00                                  # a security option of impossible length
			04 d2 00 35  00 0a 00 00  61 62`), want: "192.0.2.1 1234 > 192.0.2.2 53 / 17 payload 2"},
		{name: "ipv4 authentication header", link: 1, hex: ether(ipv4(51, `11 04 0000 00000001 00000001 000000000000000000000000`+ports+`000a 0000 6162`)),
			want: "192.0.2.1 1234 > 192.0.2.2 53 / 17 payload 2"},

		{name: "all extension headers", link: 1, hex: ether6(ipv6(0, `
			2b 00 01 04 00000000                           # hop-by-hop, then routing
			3c 02 04 00 00000000 `+rest8+rest8+`           # routing, then destination options
			33 01 01 0c 00000000 `+rest8+`                 # destination options, then AH
			2c 04 0000 00000001 00000001 00000000 `+rest8+`# AH, then fragment
			11 00 0000 00000001                            # fragment, all of the datagram, then UDP
			04d2 0035 000a 0000 6162`)), want: "2001:db8::2 1234 > 2001:db8::1 53 / 17 payload 2"},
		{name: "esp ends the walk", link: 1, hex: ether6(ipv6(60, `32 00 01 04 00000000 00000001 00000001`)), want: "2001:db8::2 0 > 2001:db8::1 0 / 50 payload 8"},
		{name: "no next header", link: 1, hex: ether6(ipv6(60, `3b 00 01 04 00000000`)), want: "2001:db8::2 0 > 2001:db8::1 0 / 59 payload 0"},
		{name: "shim6 payload header", link: 1, hex: ether6(ipv6(140, `11 00 8000 00000001 04d2 0035 000a 0000 6162`)), want: "2001:db8::2 1234 > 2001:db8::1 53 / 17 payload 2"},
		{name: "shim6 control message is a protocol", link: 1, hex: ether6(ipv6(140, `3b 01 0100 00000001 0000000000000000`)), want: "2001:db8::2 0 > 2001:db8::1 0 / 140 payload 16"},
		{name: "host identity is a protocol", link: 1, hex: ether6(ipv6(139, `3b 00 0100 00000000`)), want: "2001:db8::2 0 > 2001:db8::1 0 / 139 payload 8"},
		{name: "mobility header is a protocol", link: 1, hex: ether6(ipv6(135, `3b 00 00 00 00000000`)), want: "2001:db8::2 0 > 2001:db8::1 0 / 135 payload 8"},
		{name: "extension header cut off", link: 1, hex: ether6(ipv6(60, `11 00 01 04 00000000 04d2 0035 000a 0000 6162`)), cut: 55,
			want: "2001:db8::2 0 > 2001:db8::1 0 / 60 payload 18 truncated"},
		{name: "ports behind a cut extension header", link: 1, hex: ether6(ipv6(60, `11 00 01 04 00000000 04d2 0035 000a 0000 6162`)), cut: 60,
			want: "2001:db8::2 0 > 2001:db8::1 0 / 17 payload 2 truncated"},

		{name: "first fragment has ports", link: 1, hex: ether(`45 00 0020 0001 2000 40 11 0000 c0000201 c0000202 04d2 0035 0020 0000 61626364`),
			want: "192.0.2.1 1234 > 192.0.2.2 53 / 17 payload 4"},
		{name: "later fragment has no ports", link: 1, hex: ether(`45 00 0020 0001 0001 40 11 0000 c0000201 c0000202 04d2 0035 0020 0000 61626364`),
			want: "192.0.2.1 0 > 192.0.2.2 0 / 17 payload 12"},
		{name: "ipv6 later fragment", link: 1, hex: ether6(ipv6(44, `11 00 0008 00000001 61626364 61626364`)),
			want: "2001:db8::2 0 > 2001:db8::1 0 / 17 payload 8"},

		{name: "ports cut off", link: 1, hex: ethIPv4TCP, cut: 37, want: "10.0.0.1 0 > 10.0.0.2 0 / 6 payload 4 truncated"},
		{name: "transport cut off whole", link: 1, hex: ethIPv4TCP, cut: 34, want: "10.0.0.1 0 > 10.0.0.2 0 / 6 payload 4 truncated"},
		{name: "ports kept, data offset cut off", link: 1, hex: ethIPv4TCP, cut: 38, want: ipv4TCPText + " truncated"},
		{name: "ip header cut off", link: 1, hex: ethIPv4TCP, cut: 33, want: "undecodable: ip header cut off"},
		{name: "ip options cut off", link: 1, hex: ether(`46 00 0018 0000 0000 40 11 0000 c0000201 c0000202 00000000`), cut: 35, want: "undecodable: ip header cut off"},
		{name: "ipv6 header cut off", link: 1, hex: ethIPv6UDP, cut: 53, want: "undecodable: ip header cut off"},
		{name: "nothing behind ethernet", link: 1, hex: macs + ` 0800`, want: "undecodable: ip header cut off"},
		{name: "ethernet cut off", link: 1, hex: ethIPv4TCP, cut: 13, want: "undecodable: link header cut off"},
		{name: "empty record", link: 1, hex: ``, want: "undecodable: link header cut off"},
		{name: "empty raw record", link: 101, hex: ``, want: "undecodable: ip header cut off"},
		{name: "version is not what ethernet says", link: 1, hex: ether(ipv6UDP), want: "undecodable: ip version contradicts link layer"},
		{name: "ipv6 version is not what ethernet says", link: 1, hex: ether6(ipv4TCP), want: "undecodable: ip version contradicts link layer"},
		{name: "header length below 20", link: 1, hex: ether(`44 00 0014 0000 0000 40 11 0000 c0000201 c0000202`), want: "undecodable: ip header length malformed"},
		{name: "total length below header length", link: 1, hex: ether(`45 00 0013 0000 0000 40 11 0000 c0000201 c0000202`), want: "undecodable: ip header length malformed"},

		{name: "arp", link: 1, hex: macs + ` 0806 0001 0800 06 04 0001`, want: "non-ip: arp"},
		{name: "lldp", link: 1, hex: macs + ` 88cc 0207`, want: "non-ip: link control"},
		{name: "spanning tree", link: 1, hex: macs + ` 0026 42 42 03 0000`, want: "non-ip: llc"},
		{name: "appletalk", link: 1, hex: macs + ` 809b 0000`, want: "non-ip: other"},
		{name: "link type without a decoder", link: 231, hex: ipv4TCP, want: "unsupported link type 231"},
	})
}

// TestPayloadSize holds the rules of the payload size: the packet's own length
// fields count, whatever was captured or padded.
func TestPayloadSize(t *testing.T) {
	const tcp = ` 1000 2000 00000001 00000002 `
	ether := func(s string) string { return macs + " 08 00 " + s }
	runCases(t, []decodeCase{
		{name: "ethernet padding", link: 1, hex: ether(ipv4(6, tcp+`50 10 2000 00000000`)) + ` 0000 0000 0000`,
			want: "192.0.2.1 4096 > 192.0.2.2 8192 / 6 payload 0"},
		{name: "tcp options", link: 1, hex: ether(ipv4(6, tcp+`80 10 2000 00000000 0101080a 00000001 00000002 6162`)),
			want: "192.0.2.1 4096 > 192.0.2.2 8192 / 6 payload 2"},
		{name: "tcp data offset beyond the packet", link: 1, hex: ether(ipv4(6, tcp+`f0 10 2000 00000000`)),
			want: "192.0.2.1 4096 > 192.0.2.2 8192 / 6 payload 0"},
		{name: "tcp data offset below 5 stands", link: 1, hex: ether(ipv4(6, tcp+`40 10 2000 00000000`)),
			want: "192.0.2.1 4096 > 192.0.2.2 8192 / 6 payload 4"},
		{name: "ports in padding are no ports", link: 1, hex: ether(`45 00 0014 0000 0000 40 11 0000 c0000201 c0000202`) + ` 04d2 0035 0008 0000`,
			want: "192.0.2.1 0 > 192.0.2.2 0 / 17 payload 0"},
		{name: "udp length beyond ip", link: 1, hex: ether(ipv4(17, `04d2 0035 ffff 0000 6162`)),
			want: "192.0.2.1 1234 > 192.0.2.2 53 / 17 payload 2"},
		{name: "total length beyond the wire stands", link: 1, hex: ether(`45 00 0420 0000 0000 40 11 0000 c0000201 c0000202 04d2 0035 040c 0000`),
			want: "192.0.2.1 1234 > 192.0.2.2 53 / 17 payload 1028"},
		{name: "udp length below ip", link: 1, hex: ether(ipv4(17, `04d2 0035 000a 0000 6162 0101 0101`)),
			want: "192.0.2.1 1234 > 192.0.2.2 53 / 17 payload 2"},
		{name: "udp length below a header", link: 1, hex: ether(ipv4(17, `04d2 0035 0007 0000 6162`)),
			want: "192.0.2.1 1234 > 192.0.2.2 53 / 17 payload 2"},
		{name: "truncated packet keeps its payload", link: 1, hex: ethIPv4TCP, cut: 54, want: ipv4TCPText + " truncated"},
		{name: "dccp data offset", link: 1, hex: ether(ipv4(33, `04d2 0035 03 00 0000 00000000 6162`)),
			want: "192.0.2.1 1234 > 192.0.2.2 53 / 33 payload 2"},
		{name: "icmp shorter than its header", link: 1, hex: ether(ipv4(1, `0800 0000`)),
			want: "192.0.2.1 0 > 192.0.2.2 0 / 1 payload 0"},
		{name: "total length 0 is segmentation offload", link: 1, hex: ether(`45 00 0000 0000 0000 40 06 0000 c0000201 c0000202 ` + tcp + `50 10 2000 00000000 616263`),
			want: "192.0.2.1 4096 > 192.0.2.2 8192 / 6 payload 3"},
		{name: "total length 0, vlan, truncated", link: 1, cut: 40, hex: macs + ` 8100 0064 0800 45 00 0000 0000 0000 40 06 0000 c0000201 c0000202 ` + tcp + `50 10 2000 00000000 616263`,
			want: "192.0.2.1 0 > 192.0.2.2 0 / 6 payload 3 truncated"},
		{name: "ipv6 payload length 0 with tcp", link: 1, hex: macs + ` 86dd 60000000 0000 06 40 ` + ipv6Addresses + tcp + `50 10 2000 00000000 616263`,
			want: "2001:db8::2 4096 > 2001:db8::1 8192 / 6 payload 3"},
		{name: "ipv6 jumbo payload", link: 1, hex: macs + ` 86dd 60000000 0000 00 40 ` + ipv6Addresses + `11 00 c2 04 00010008 04d2 0035 0000 0000 616263`,
			want: "2001:db8::2 1234 > 2001:db8::1 53 / 17 payload 65528"},
		{name: "ipv6 jumbo payload behind padding, with a trailer", link: 1, hex: macs + ` 86dd 60000000 0000 00 40 ` + ipv6Addresses + `11 01 00 01 01 00 c2 04 00010010 01 02 0000 04d2 0035 0000 0000 616263 00000000`,
			want: "2001:db8::2 1234 > 2001:db8::1 53 / 17 payload 65528"},
		{name: "ipv6 hop-by-hop options without a jumbo payload", link: 1, hex: macs + ` 86dd 60000000 0000 00 40 ` + ipv6Addresses + `11 00 05 02 0000 c204 04d2 0035 0000 0000 616263`,
			want: "2001:db8::2 1234 > 2001:db8::1 53 / 17 payload 3"},
		{name: "ipv6 jumbo payload cut off", link: 1, cut: 60, hex: macs + ` 86dd 60000000 0000 00 40 ` + ipv6Addresses + `11 00 c2 04 00010008 04d2 0035 0000 0000 616263`,
			want: "2001:db8::2 0 > 2001:db8::1 0 / 17 payload 3 truncated"},
		{name: "ipv6 payload length 0 in a short frame", link: 1, hex: macs + ` 86dd 60000000 0000 11 40 ` + ipv6Addresses + `04d2 0035 0000 0000 0000`,
			want: "2001:db8::2 1234 > 2001:db8::1 53 / 17 payload 0"},
		{name: "ipv6 payload length 0 in a frame of 65 bytes", link: 1, hex: macs + ` 86dd 60000000 0000 11 40 ` + ipv6Addresses + `04d2 0035 0000 0000 616263`,
			want: "2001:db8::2 1234 > 2001:db8::1 53 / 17 payload 3"},
		{name: "ipv6 payload length 0 without frame", link: 101, hex: `60000000 0000 11 40 ` + ipv6Addresses + `04d2 0035 0000 0000 6162`,
			want: "2001:db8::2 1234 > 2001:db8::1 53 / 17 payload 2"},
		{name: "ipv6 payload length 0 and no next header", link: 1, hex: macs + ` 86dd 60000000 0000 3b 40 ` + ipv6Addresses + `0000 0000 0000`,
			want: "2001:db8::2 0 > 2001:db8::1 0 / 59 payload 0"},
		{name: "extension headers beyond the payload length", link: 1, hex: macs + ` 86dd 60000000 0004 3c 40 ` + ipv6Addresses + `11 00 01 04 00000000`,
			want: "2001:db8::2 0 > 2001:db8::1 0 / 17 payload 0"},
		{name: "802.3 length ends the packet", link: 1, hex: macs + ` 0024 aaaa03 000000 0800 45 00 0000 0000 0000 40 11 0000 c0000201 c0000202 04d2 0035 0008 0000` + ` 00000000`,
			want: "192.0.2.1 1234 > 192.0.2.2 53 / 17 payload 0"},
	})
}

// TestWireLengthAboveInt31: payload taken from the wire length stays in its 32
// bits.
func TestWireLengthAboveInt31(t *testing.T) {
	data := fromHex(`45 00 0000 0000 0000 40 ff 0000 c0000201 c0000202`)
	d := New(Options{})
	var ev flow.Event
	if !d.Decode(&ev, 101, data, 1<<32-1, 0) || ev.PayloadBytes != 1<<32-1-20 {
		t.Errorf("payload %d, want %d", ev.PayloadBytes, uint32(1<<32-1-20))
	}
}

// TestDirection: both directions have one key, in canonical form, unless
// sessions are unidirectional.
func TestDirection(t *testing.T) {
	there := fromHex(ipv4(17, `04d2 0035 0008 0000`))
	back := fromHex(ipv4(17, `0035 04d2 0008 0000`))
	copy(back[12:], there[16:20])
	copy(back[16:], there[12:16])
	var a, b flow.Event
	d := New(Options{Seed: 3, Shards: 7})
	if !d.Decode(&a, 101, there, 28, 0) || !d.Decode(&b, 101, back, 28, 0) {
		t.Fatal("no events")
	}
	if a.Key != b.Key || a.Hash != b.Hash || a.Shard != b.Shard || (a.Flags^b.Flags)&flow.Reversed == 0 {
		t.Errorf("bidirectional:\n%+v\n%+v", a, b)
	}
	hash := a.Key.Hash(3)
	if a.Hash != uint32(hash) || a.Shard != a.Key.Shard(7) {
		t.Errorf("hash %x, shard %d do not belong to the key", a.Hash, a.Shard)
	}
	d = New(Options{Unidirectional: true})
	d.Decode(&a, 101, there, 28, 0)
	d.Decode(&b, 101, back, 28, 0)
	if a.Key == b.Key || a.Flags|b.Flags != 0 {
		t.Errorf("unidirectional:\n%+v\n%+v", a, b)
	}
}

// TestTCPFlags: the low six bits of Flags are those of the TCP header, and no
// protocol but TCP has them.
func TestTCPFlags(t *testing.T) {
	d := New(Options{Unidirectional: true})
	var ev flow.Event
	d.Decode(&ev, 1, fromHex(ethIPv4TCP), 58, 0)
	if ev.Flags != 0x18 {
		t.Errorf("flags %#x, want 0x18", ev.Flags)
	}
	d.Decode(&ev, 1, fromHex(ethIPv6UDP), 66, 0)
	if ev.Flags != 0 {
		t.Errorf("flags of udp %#x", ev.Flags)
	}
}
