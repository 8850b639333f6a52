package decode

import (
	"slices"
	"strings"
	"testing"
)

// Link headers that the cases below share.
const (
	snap4         = ` aa aa 03  00 00 00  08 00 `
	wlanAddresses = ` 02 00 00 00 00 02  02 00 00 00 00 01  02 00 00 00 00 03 `
	wlan          = ` 08 02 00 00 ` + wlanAddresses + ` 00 00 `
	sllAddress    = ` 0006 02 00 00 00 00 01 0000 `
	juniper       = ` 4d 47 43 `
)

// linkTypes has one link header per link type and per way a link type has of
// announcing IPv4.
var linkTypes = []decodeCase{
	{name: "null, little endian", link: 0, hex: `02 00 00 00`},
	{name: "null, big endian", link: 0, hex: `00 00 00 02`},
	{name: "loop", link: 108, hex: `00 00 00 02`},
	{name: "ethernet", link: 1, hex: macs + `08 00`},
	{name: "ethernet 802.3 llc snap", link: 1, hex: macs + `00 34` + snap4},
	{name: "ethernet 802.3 bridge tunnel", link: 1, hex: macs + `00 34 aa aa 03 00 00 f8 08 00`},
	{name: "ethernet 802.3 ip sap", link: 1, hex: macs + `00 2f 06 06 03`},
	{name: "token ring", link: 6, hex: `10 40` + macs + snap4},
	{name: "token ring with source route", link: 6, hex: `10 40 02 00 00 00 00 02  82 00 00 00 00 01 04 30 00 10` + snap4},
	{name: "ppp", link: 9, hex: `ff 03 00 21`},
	{name: "ppp without address and control", link: 9, hex: `00 21`},
	{name: "ppp with short protocol", link: 9, hex: `21`},
	{name: "fddi", link: 10, hex: `50` + macs + snap4},
	{name: "raw 12", link: 12},
	{name: "raw 14", link: 14},
	{name: "raw 101", link: 101},
	{name: "raw ipv4", link: 228},
	{name: "ppp in hdlc", link: 50, hex: `ff 03 00 21`},
	{name: "cisco hdlc in ppp-hdlc", link: 50, hex: `0f 00 08 00`},
	{name: "pppoe", link: 51, hex: `11 00 0001 002e 0021`},
	{name: "atm rfc1483", link: 100, hex: snap4},
	{name: "c-hdlc", link: 104, hex: `0f 00 08 00`},
	{name: "802.11", link: 105, hex: wlan + snap4},
	{name: "802.11 qos", link: 105, hex: `88 02 00 00` + wlanAddresses + `00 00 00 00` + snap4},
	{name: "802.11 qos with ht control", link: 105, hex: `88 82 00 00` + wlanAddresses + `00 00 00 00 00000000` + snap4},
	{name: "802.11 in a mesh", link: 105, hex: `88 03 00 00` + wlanAddresses + `00 00 02 00 00 00 00 04 00 01 00 1f 00000001` + snap4},
	{name: "802.11 in a mesh, group address and one more address", link: 105, hex: `88 02 00 00` + wlanAddresses + `00 00 00 01 01 1f 00000001 020000000005` + snap4},
	{name: "802.11 in a mesh, two more addresses", link: 105, hex: `88 03 00 00` + wlanAddresses + `00 00 02 00 00 00 00 04 00 01 02 1f 00000001 020000000005 020000000006` + snap4},
	{name: "802.11 from a station, whose queue size is odd", link: 105, hex: `88 01 00 00` + wlanAddresses + `00 00 00 01` + snap4},
	{name: "802.11 from an access point, bit of a mesh set", link: 105, hex: `88 02 00 00` + wlanAddresses + `00 00 00 01` + snap4},
	{name: "802.11 four addresses", link: 105, hex: `08 03 00 00` + wlanAddresses + `00 00 02 00 00 00 00 04` + snap4},
	{name: "frame relay, nlpid", link: 107, hex: `18 41 03 cc`},
	{name: "frame relay, padded snap", link: 107, hex: `18 41 03 00 80 000000 0800`},
	{name: "frame relay, ppp", link: 107, hex: `18 41 03 cf 0021`},
	{name: "frame relay, cisco", link: 107, hex: `18 41 08 00`},
	{name: "frame relay, four address bytes", link: 107, hex: `18 40 00 41 03 cc`},
	{name: "enc", link: 109, hex: `02 00 00 00 00000001 00000000`},
	{name: "sll", link: 113, hex: `0000 0001` + sllAddress + `0800`},
	{name: "sll with llc", link: 113, hex: `0000 0001` + sllAddress + `0004` + snap4},
	{name: "sll with vlan", link: 113, hex: `0000 0001` + sllAddress + `8100 0064 0800`},
	{name: "sll of a wireless monitor", link: 113, hex: `0000 0321` + sllAddress + `0004` + wlan + snap4},
	{name: "pflog", link: 117, hex: `3d 02 00 00` + zeros(60)},
	{name: "pflog, header as OpenBSD has it now", link: 117, hex: `64 02 00 00` + zeros(96)},
	{name: "prism", link: 119, hex: `44 00 00 00 90 00 00 00` + zeros(136) + wlan + snap4},
	{name: "avs", link: 119, hex: `80 21 10 01 00 00 00 40` + zeros(56) + wlan + snap4},
	{name: "fibre channel", link: 122, hex: zeros(16) + snap4},
	{name: "radiotap", link: 127, hex: `00 00 08 00 00000000` + wlan + snap4},
	{name: "radiotap, padded 802.11 header", link: 127, hex: `00 00 11 00 03000000 0000000000000000 20` + `88 02 00 00` + wlanAddresses + `00 00 00 00 00 00` + snap4},
	{name: "radiotap, flags behind two bitmaps", link: 127, hex: `00 00 0d 00 02000080 00000000 20` + `88 02 00 00` + wlanAddresses + `00 00 00 00 00 00` + snap4},
	{name: "apple firewire", link: 138, hex: zeros(16) + `0800`},
	{name: "pktap of ethernet", link: 258, hex: `6c000000 01000000 01000000` + zeros(96) + macs + `0800`},
	{name: "pktap under its first number", link: 149, hex: `6c000000 01000000 0c000000` + zeros(96)},
	{name: "ppp with direction", link: 204, hex: `00 ff 03 00 21`},
	{name: "pppd, direction in place of the address", link: 166, hex: `01 03 00 21`},
	{name: "juniper ethernet", link: 178, hex: juniper + `01` + macs + `0800`},
	{name: "juniper ethernet with extensions", link: 178, hex: juniper + `80 0006 04 01 0102 0300` + macs + `0800`},
	{name: "juniper without link layer", link: 178, hex: juniper + `02 02000000`},
	{name: "juniper ppp", link: 179, hex: juniper + `00 ff03 0021`},
	{name: "juniper frame relay", link: 180, hex: juniper + `00 1841 03 cc`},
	{name: "juniper c-hdlc", link: 181, hex: juniper + `00 0f00 0800`},
	{name: "ppi", link: 192, hex: `00 00 08 00 69000000` + wlan + snap4},
	{name: "ppi of ethernet", link: 192, hex: `00 00 0c 00 01000000 00000000` + macs + `0800`},
	{name: "ipnet", link: 226, hex: `01 02 0000 00000044` + zeros(16)},
	{name: "nflog", link: 239, hex: `02 00 0000  0800 0100 0800 0100  0500 0a00 00 000000  3000 0900`},
	{name: "nflog, big endian", link: 239, hex: `02 00 0000  0008 0001 0800 0100  0005 000a 00 000000  0030 0009`},
	{name: "slip", link: 8, hex: `
		00                                # received
		45 00 00 2c  00 01 40 00  40 06   # as it was compressed
		26 c9 0a 00  00`},
	{name: "ip over infiniband", link: 242, hex: `
		60 00 00 00  00 34 1b 00      # global routing header: version, length
		fe80000000000000 0002c90300000001
		ff12401bffff0000 00000000ffffffff
		08 00  00 00                  # EtherType, reserved`},
	{name: "broadcom tag", link: 281, hex: macs + `20 00 00 01 08 00  # opcode and port`},
	{name: "broadcom tag and vlan", link: 281, hex: macs + `20 00 00 01 81 00 00 64 08 00`},
	{name: "broadcom tag with 802.3", link: 281, hex: macs + `20 00 00 01 00 34` + snap4},
	{name: "broadcom tag in front", link: 282, hex: `20 00 00 01` + macs + `08 00`},
	{name: "marvell tag", link: 284, hex: macs + `c0 01 00 00 08 00  # forward, port 0, no vlan`},
	{name: "marvell tag of a frame with vlan", link: 284, hex: macs + `e0 01 00 64 08 00`},
	{name: "marvell tag behind an ethertype", link: 285, hex: macs + `da da 00 00 c0 01 00 00 08 00`},
	{name: "marvell tag behind another ethertype", link: 285, hex: macs + `91 00 00 00 40 08 00 00 08 00`},
	{name: "erf", link: 197, hex: `
		00 00 00 00 f1 53 65 00  # time
		02 04 00 50 00 00 00 3a  # Ethernet; record length, losses, wire length 58
		00 00                    # padding
		` + macs + ` 08 00`},
	{name: "erf, frame check sequence counted", link: 197, hex: `0000000000f15365 14 04 0050 0000 003e 0000` + macs + `0800`},
	{name: "erf with extension headers", link: 197, hex: `0000000000f15365 82 04 0060 0000 003a 84 00000000000000 05 00000000000000 0000` + macs + `0800`},
	{name: "erf with ipv4", link: 197, hex: `0000000000f15365 16 04 003c 0000 002c`},
	{name: "erf with ppp", link: 197, hex: `0000000000f15365 01 04 0040 0000 0034 ff03 0021`},
	{name: "erf with cisco hdlc", link: 197, hex: `0000000000f15365 01 04 0040 0000 0034 0f00 0800`},
	{name: "erf with multi-channel hdlc", link: 197, hex: `0000000000f15365 05 04 0040 0000 0034 00000001 0f00 0800`},
	{name: "erf ethernet", link: 175, hex: `0000000000f15365 02 04 0050 0000 003a 0000` + macs + `0800`},
	{name: "erf packet over sonet", link: 176, hex: `0000000000f15365 01 04 0040 0000 0034 ff03 0021`},
	{name: "erf in ppi", link: 192, hex: `00 00 08 00 c5000000 0000000000f15365 16 04 003c 0000 002c`},
	{name: "mpls", link: 219, hex: `0001 0140`},
	{name: "c-hdlc with direction", link: 205, hex: `01 0f 00 08 00`},
	{name: "frame relay with direction", link: 206, hex: `00 18 41 03 cc`},
	{name: "frame relay, bridged ethernet", link: 107, hex: `18 41 03 00 80 00 80 c2 00 07` + macs + `08 00`},
	{name: "frame relay, bridged ethernet with frame check sequence", link: 107, hex: `18 41 03 00 80 00 80 c2 00 01` + macs + `08 00`},
	{name: "frame relay, bridged token ring", link: 107, hex: `18 41 03 00 80 00 80 c2 00 09 00 40` + macs + snap4},
	{name: "frame relay, bridged fddi", link: 107, hex: `18 41 03 00 80 00 80 c2 00 0a 00 50` + macs + snap4},
	{name: "atm, bridged token ring", link: 100, hex: `aa aa 03 00 80 c2 00 03 00 00 00 40` + macs + snap4},
	{name: "atm, bridged ethernet", link: 100, hex: `aa aa 03 00 80 c2 00 07 00 00` + macs + `08 00`},
	{name: "atm, nlpid", link: 100, hex: `fe fe 03 cc`},
	{name: "atm, ppp", link: 100, hex: `fe fe 03 cf 00 21`},
	{name: "sll of a frame relay device", link: 113, hex: `0000 0302 0000 0000 0000 0000 0000 0000 18 41 03 cc`},
	{name: "sll2 of a frame relay device", link: 276, hex: `0019 0000 00000001 0302 00 00 0000000000000000 18 41 08 00`},
	{name: "sll of a wireless monitor with prism", link: 113, hex: `0000 0322` + sllAddress + `0004 44 00 00 00 90 00 00 00` + zeros(136) + wlan + snap4},
	{name: "sll with ethernet", link: 113, hex: `0000 0001` + sllAddress + `0003` + macs + `08 00`},
	{name: "sll with ppp", link: 113, hex: `0000 0200` + sllAddress + `0007 ff 03 00 21`},
	{name: "sll2", link: 276, hex: `0800 0000 00000001 0001 00 06 02 00 00 00 00 01 0000`},
}

// TestLinkTypes has an IPv4 packet behind each of them.
func TestLinkTypes(t *testing.T) {
	cases := slices.Clone(linkTypes)
	for i := range cases {
		cases[i].hex += ipv4TCP
		cases[i].want = ipv4TCPText
	}
	runCases(t, cases)
}

// TestEveryCut cuts the packets of all link types, encapsulations and tunnels
// at every length. What is left is a session with the packet's own addresses
// and payload, or a header that was cut off, and never anything else.
func TestEveryCut(t *testing.T) {
	cases := slices.Clone(linkTypes)
	for _, c := range encapsulations {
		cases = append(cases, decodeCase{name: c.name, link: 1, hex: macs + c.hex})
	}
	for _, c := range cases {
		data := fromHex(c.hex + ipv4TCP)
		header := len(data) - 44
		for n := range len(data) {
			got := describe(t, Options{}, c.link, data[:n], len(data))
			want := "10.0.0.1 50000 > 10.0.0.2 80 / 6 payload 4 truncated"
			switch {
			case n < header:
				want = "undecodable: link header cut off"
			case n == header && strings.Contains(c.name, "mpls"):
				want = "undecodable: link header cut off" // nothing but the packet says that it is IP
			case n < header+20:
				want = "undecodable: ip header cut off"
			case n < header+24:
				want = "10.0.0.1 0 > 10.0.0.2 0 / 6 payload 4 truncated"
			}
			if got != want {
				t.Errorf("%s cut to %d bytes, header %d:\ngot  %s\nwant %s", c.name, n, header, got, want)
			}
		}
	}
	for _, c := range tunnels {
		data := fromHex(c.hex)
		for n := range len(data) {
			got := describe(t, Options{Decapsulate: true}, 101, data[:n], len(data))
			outer := 20
			if data[0]>>4 == 6 {
				outer = 40
			}
			if n < outer && got != "undecodable: ip header cut off" || n >= outer && !strings.HasSuffix(got, " truncated") {
				t.Errorf("%s cut to %d bytes: %s", c.name, n, got)
			}
		}
	}
}

// zeros is the hex of n bytes that do not matter.
func zeros(n int) string {
	b := make([]byte, 2*n)
	for i := range b {
		b[i] = '0'
	}
	return string(b)
}

// TestLinkTypesIPv6 has the ways of announcing IPv6 that are not an EtherType.
func TestLinkTypesIPv6(t *testing.T) {
	cases := []decodeCase{
		{name: "null, linux", link: 0, hex: `0a 00 00 00`},
		{name: "null, windows", link: 0, hex: `17 00 00 00`},
		{name: "null, openbsd", link: 0, hex: `18 00 00 00`},
		{name: "null, freebsd", link: 0, hex: `1c 00 00 00`},
		{name: "null, darwin, big endian", link: 0, hex: `00 00 00 1e`},
		{name: "raw", link: 101},
		{name: "raw ipv6", link: 229},
		{name: "ppp", link: 9, hex: `0057`},
		{name: "frame relay", link: 107, hex: `18 41 03 8e`},
		{name: "ipnet", link: 226, hex: `01 1a 0000 00000044` + zeros(16)},
		{name: "nflog", link: 239, hex: `0a 00 0000  3800 0900`},
	}
	for i := range cases {
		cases[i].hex += ipv6UDP
		cases[i].want = ipv6UDPText
	}
	runCases(t, cases)
}

// TestLinkWithoutIP has packets of link types that carry no readable IP.
func TestLinkWithoutIP(t *testing.T) {
	runCases(t, []decodeCase{
		{name: "null, appletalk", link: 0, hex: `10 00 00 00 00`, want: "non-ip: other"},
		{name: "c-hdlc keepalive", link: 104, hex: `8f 00 80 35 00000002`, want: "non-ip: link control"},
		{name: "lcp", link: 9, hex: `ff 03 c0 21 01 00 0004`, want: "non-ip: link control"},
		{name: "ppp compressed tcp", link: 9, hex: `ff 03 00 2d 00`, want: "non-ip: other"},
		{name: "frame relay lmi", link: 107, hex: `00 01 03 08 00 75`, want: "non-ip: other"},
		{name: "802.11 beacon", link: 105, hex: `80 00 00 00`, want: "non-ip: link control"},
		{name: "802.11 null data", link: 105, hex: `48 01 00 00`, want: "non-ip: link control"},
		{name: "802.11 encrypted", link: 105, hex: `08 42 00 00` + zeros(20) + ipv4TCP, want: "undecodable: encrypted link layer"},
		{name: "802.11 cut off", link: 105, hex: `08 02 00 00` + zeros(19), want: "undecodable: link header cut off"},
		{name: "802.11 qos cut off", link: 105, hex: `88 02 00 00` + zeros(21), want: "undecodable: link header cut off"},
		{name: "radiotap of no length", link: 127, hex: `00 00 00 00 00000000`, want: "undecodable: link header malformed"},
		{name: "radiotap cut off", link: 127, hex: `00 00 30 00 00000000`, want: "undecodable: link header cut off"},
		{name: "prism of impossible length", link: 119, hex: `44 00 00 00 00 00 00 00`, want: "undecodable: link header malformed"},
		{name: "fddi station management", link: 10, hex: `41` + macs + `0000`, want: "non-ip: link control"},
		{name: "token ring mac frame", link: 6, hex: `10 00` + macs + `0000`, want: "non-ip: link control"},
		{name: "netlink in sll", link: 113, hex: `0004 0338 0000 0000 0000 0000 0000 0000 00000000`, want: "non-ip: link control"},
		{name: "raw 802.3 in sll", link: 113, hex: `0000 0001 0000 0000 0000 0000 0000 0001 ffff`, want: "non-ip: other"},
		{name: "pflog header too short to be one", link: 117, hex: `08 02 00 00 00000000` + ipv4TCP, want: "undecodable: link header malformed"},
		{name: "nflog attribute of no length", link: 239, hex: `02 00 0000 0000 0100`, want: "undecodable: link header malformed"},
		{name: "nflog without packet", link: 239, hex: `02 00 0000 0500 0100 00 000000`, want: "undecodable: link header cut off"},
		{name: "pktap of a link type without decoder", link: 258, hex: `6c000000 01000000 e7000000` + zeros(96), want: "unsupported link type 231"},
		{name: "erf of an unknown type", link: 197, hex: `0000000000f15365 15 04 0010 0000 0000`, want: "unsupported link type 197"},
		{name: "erf with hdlc of an unknown kind", link: 197, hex: `0000000000f15365 01 04 0020 0000 0010` + zeros(16), want: "unsupported link type 197"},
		{name: "erf metadata", link: 197, hex: `0000000000f15365 1b 04 0010 0000 0000`, want: "non-ip: link control"},
		{name: "erf extension headers without end", link: 197, hex: `0000000000f15365 82 04 0010 0000 0000 8400000000000000`, want: "undecodable: link header cut off"},
		{name: "slip with neither version", link: 8, hex: zeros(16) + `00`, want: "undecodable: ip version contradicts link layer"},
		{name: "infiniband arp", link: 242, hex: zeros(40) + `0806 0000 0020`, want: "non-ip: arp"},
		{name: "frame relay, bridged spanning tree", link: 107, hex: `18 41 03 00 80 00 80 c2 00 0e 0000`, want: "non-ip: llc"},
		{name: "isis", link: 1, hex: macs + `0008 fe fe 03 83 1b 01 00 00`, want: "non-ip: llc"},
		{name: "ppi inside ppi inside ppi ...", link: 192, hex: repeat(`00 00 08 00 c0000000`, 200), want: "undecodable: too many layers"},
		{name: "ppi length inside its header", link: 192, hex: `00 00 04 00 01000000`, want: "undecodable: link header malformed"},
		{name: "juniper without magic number", link: 178, hex: `4d 47 44 00 0000`, want: "undecodable: link header malformed"},
		{name: "juniper extensions cut off", link: 178, hex: `4d 47 43 80 ffff 00`, want: "undecodable: link header cut off"},
		{name: "raw, neither version", link: 101, hex: `00`, want: "undecodable: ip version contradicts link layer"},
	})
}

func repeat(s string, n int) string {
	r := ""
	for range n {
		r += s
	}
	return r
}
