package decode

import (
	"slices"
	"testing"
)

// encapsulations has what may stand between Ethernet and IP, from the first
// EtherType on. It is stepped over and not part of the key.
var encapsulations = []decodeCase{
	{name: "802.1q", hex: `8100 0064 0800`},
	{name: "802.1ad", hex: `88a8 0065 8100 0064 0800`},
	{name: "9100, three tags", hex: `9100 0066 88a8 0065 8100 0064 0800`},
	{name: "9200", hex: `9200 0066 8100 0064 0800`},
	{name: "9300", hex: `8100 0064 9300 0066 0800`},
	{name: "8200", hex: `8200 0066 0800`},
	{name: "vlan and llc", hex: `8100 0064 0034 aaaa03 000000 0800`},
	{name: "mpls", hex: `8847 0001 0140`},
	{name: "mpls, two labels", hex: `8847 0001 0040 0002 0140`},
	{name: "mpls multicast", hex: `8848 0001 0140`},
	{name: "mpls in ppp", hex: `880b 0281 0001 0140`},
	{name: "ethernet pseudowire", hex: `8847 0001 0140` + macs + `0800`},
	{name: "ethernet pseudowire with control word", hex: `8847 0001 0140 00000000` + macs + `0800`},
	{name: "ethernet pseudowire with control word and 802.3", hex: `8847 0001 0140 00000000` + macs + `0034 aaaa03 000000 0800`},
	{name: "ethernet pseudowire with 802.3", hex: `8847 0001 0140 20000000 0002 20000000 0001 0034 aaaa03 000000 0800`},
	{name: "ethernet pseudowire with control word and sequence number", hex: `8847 0001 0140 00000007` + macs + `0800`},
	{name: "pppoe", hex: `8864 1100 0001 002e 0021`},
	{name: "vlan and pppoe", hex: `8100 0064 8864 1100 0001 002e 0021`},
	{name: "macsec without encryption", hex: `88e5 00 00 00000001 0800`},
	{name: "macsec with channel", hex: `88e5 20 00 00000001 0200000000010001 0800`},
	{name: "cisco metadata", hex: `8909 01 01 0001 0005 0800`},
	{name: "vn tag", hex: `8926 0000 0000 0800`},
	{name: "redundancy tag", hex: `f1c1 0000 0001 0800`},
	{name: "redundancy tag of hsr", hex: `89 2f 00 3a 00 01 08 00  # path and size, sequence number`},
	{name: "e-tag", hex: `
		89 3f
		00 00 10 05 00 00  # priority, ingress and egress port
		08 00`},
	{name: "arista time stamp of 64 bits", hex: `
		d2 8b
		00 01 00 10              # time stamp, 64 bits, TAI
		65 53 f1 25 00 00 00 05  # seconds, nanoseconds
		08 00`},
	{name: "arista time stamp of 48 bits, utc", hex: `d28b 0001 0120 f125 00000005 0800`},
	{name: "marvell tag behind linux's ethertype", hex: `
		da da 00 00
		c0 01 00 00  # forward, port 0, no vlan
		08 00`},
	{name: "llc in a jumbo frame", hex: `88 70 aa aa 03 00 00 00 08 00`},
	{name: "802.1ah", hex: `88a8 0001 88e7 00000001` + macs + `0800`},
	{name: "fabricpath", hex: `8903 4020` + macs + `8100 0007 0800`},
	{name: "trill", hex: `22f3 0000 0001 0002` + macs + `0800`},
	{name: "trill with options", hex: `22f3 0040 0001 0002 00000000` + macs + `0800`},
	{name: "transparent ethernet", hex: `6558` + macs + `0800`},
	{name: "nsh", hex: `894f 0fc2 02 01 00000100`},
	{name: "nsh with ethernet and context", hex: `894f 0fc6 01 03 00000100` + zeros(16) + macs + `0800`},
	{name: "nsh in nsh with mpls", hex: `894f 0fc2 02 04 00000100 0fc2 02 05 00000100 0001 0140`},
}

// pseudowires have no control word, and an Ethernet header that looks like the
// beginning of something else.
var pseudowires = []decodeCase{
	{name: "ethernet pseudowire to a mac address that begins with 4", hex: `8847 0001 0140 450000200002 020000000001 0800`},
	{name: "ethernet pseudowire to a mac address that begins with 6", hex: `8847 0001 0140 600000000002 020000000001 0800`},
	{name: "ethernet pseudowire to a mac address that begins with 1", hex: `8847 0001 0140 100000000002 020000000001 0800`},
	{name: "ethernet pseudowire to a mac address that begins with 0", hex: `8847 0001 0140 001122334455 020000000001 0800`},
	{name: "ethernet pseudowire with vlan to a mac address that begins with 6", hex: `8847 0001 0140 600000000002 020000000001 9200 0064 0800`},
	{name: "ethernet pseudowire with 802.3 to a mac address that begins with 4", hex: `8847 0001 0140 450000200002 020000000001 0034 aaaa03 000000 0800`},
	{name: "ethernet pseudowire with pppoe to a mac address that begins with 6", hex: `8847 0001 0140 600000000002 020000000001 8864 1100 0001 002e 0021`},
}

// TestPseudowires: what a MAC address looks like is not what it is.
func TestPseudowires(t *testing.T) {
	cases := slices.Clone(pseudowires)
	for i := range cases {
		cases[i].link = 1
		cases[i].hex = macs + cases[i].hex + ipv4TCP
		cases[i].want = ipv4TCPText
	}
	runCases(t, cases)
}

// TestEncapsulations has an IPv4 packet behind each of them.
func TestEncapsulations(t *testing.T) {
	cases := slices.Clone(encapsulations)
	for i := range cases {
		cases[i].link = 1
		cases[i].hex = macs + cases[i].hex + ipv4TCP
		cases[i].want = ipv4TCPText
	}
	runCases(t, cases)
}

// TestEncapsulationsIPv6: every encapsulation that names IPv6 in its own way.
func TestEncapsulationsIPv6(t *testing.T) {
	cases := []decodeCase{
		{name: "mpls", hex: `8847 0001 0140`},
		{name: "pppoe", hex: `8864 1100 0001 003a 0057`},
		{name: "nsh", hex: `894f 0fc2 02 02 00000100`},
	}
	for i := range cases {
		cases[i].link = 1
		cases[i].hex = macs + cases[i].hex + ipv6UDP
		cases[i].want = ipv6UDPText
	}
	runCases(t, cases)
}

// TestEncapsulationEnds has encapsulations that do not get to an IP packet.
func TestEncapsulationEnds(t *testing.T) {
	cases := []decodeCase{
		{name: "vlan cut off", hex: `8100 0064 08`, want: "undecodable: link header cut off"},
		{name: "tags without end", hex: repeat(`8100 0064`, 300), want: "undecodable: link header cut off"},
		{name: "labels without end", hex: `8847` + repeat(`0001 0040`, 300), want: "undecodable: link header cut off"},
		{name: "nothing behind the labels", hex: `8847 0001 0140`, want: "undecodable: link header cut off"},
		{name: "mpls associated channel", hex: `8847 0001 0140 1000 0021`, want: "non-ip: link control"},
		{name: "pseudowire too short for ethernet", hex: `8847 0001 0140 0000`, want: "undecodable: link header cut off"},
		{name: "mpls with an ipv4 header of a wrong checksum", hex: `8847 0001 0140` + ipv4(6, `c350 0050 00000001 00000002 5018 2000 00000000`), want: "192.0.2.1 50000 > 192.0.2.2 80 / 6 payload 0"},
		{name: "mpls with an ipv4 packet beyond the frame, checksum right", hex: `8847 0001 0140 45 00 0100 0001 4000 40 06 25f5 0a000001 0a000002 c350 0050`, want: "10.0.0.1 50000 > 10.0.0.2 80 / 6 payload 216"},
		{name: "mpls with ipv6 and a trailer", hex: `8847 0001 0140` + ipv6UDP + `01020304`, want: ipv6UDPText},
		{name: "mpls with ipv6 from an address like an ethertype", hex: `8847 0001 0140 60000000 000c 11 40 20010db8 0800 4500 0000000000000002 20010db8000000000000000000000001 14e9 14ea 000c 0000 61626364`, want: "2001:db8:800:4500::2 5353 > 2001:db8::1 5354 / 17 payload 4"},
		{name: "arp behind a control word", hex: `8847 0001 0140 00000000` + macs + `0806 0001`, want: "non-ip: arp"},
		{name: "arp in a pseudowire to a mac address that begins with 6", hex: `8847 0001 0140 600000000002 020000000001 0806 0001`, want: "non-ip: arp"},
		{name: "lldp in a pseudowire to a mac address that begins with 6", hex: `8847 0001 0140 600000000002 020000000001 88cc` + zeros(40), want: "non-ip: link control"},
		{name: "profinet in a pseudowire to a mac address like an ipv4 header", hex: `8847 0001 0140 450000200002 020000000001 8892` + zeros(40), want: "non-ip: other"},
		{name: "unknown ethertype in a pseudowire to a mac address that begins with 4", hex: `8847 0001 0140 454545454545 020000000001 8892` + zeros(40), want: "non-ip: other"},
		{name: "arp in a pseudowire", hex: `8847 0001 0140` + macs + `0806 0001`, want: "non-ip: arp"},
		{name: "pppoe discovery", hex: `8863 1109 0000 0000`, want: "non-ip: link control"},
		{name: "pppoe with a discovery code", hex: `8864 1109 0000 0000`, want: "non-ip: link control"},
		{name: "macsec with encryption", hex: `88e5 0c 00 00000001 0800` + ipv4TCP, want: "undecodable: encrypted link layer"},
		{name: "arista frame of another subtype", hex: `d28b cafe 0001 0000` + zeros(20), want: "non-ip: other"},
		{name: "arista time stamp of another version", hex: `d28b 0001 0030` + zeros(20), want: "non-ip: other"},
		{name: "hsr supervision", hex: `88fb 0001 0001`, want: "non-ip: link control"},
		{name: "nsh header too short", hex: `894f 0fc1 02 01`, want: "undecodable: link header malformed"},
		{name: "nsh cut off", hex: `894f 0fc2 02 01`, want: "undecodable: link header cut off"},
		{name: "trill cut off", hex: `22f3 07c0 0001 0002`, want: "undecodable: link header cut off"},
		{name: "snap cut off", hex: `0034 aaaa03 0000`, want: "undecodable: link header cut off"},
		{name: "snap of another organisation", hex: `0034 aaaa03 00000c 2000`, want: "non-ip: llc"},
		{name: "ethernet in ethernet in ethernet ...", hex: repeat(`6558`+macs, 200), want: "undecodable: too many layers"},
	}
	for i := range cases {
		cases[i].link = 1
		cases[i].hex = macs + cases[i].hex
	}
	runCases(t, cases)
}

// TestVLANKey: with the option, the ids of the outermost and the innermost tag
// are in the key; priority and drop bits are not.
func TestVLANKey(t *testing.T) {
	vlan := Options{VLANKey: true}
	inner := macs + `8100 0007 0800` + ipv4TCP
	vxlan := macs + `8100 0005 0800` + ipv4(17, `1000 12b5 0000 0000  08000000 00000100`+inner)
	runCases(t, []decodeCase{
		{name: "no tag", link: 1, opts: vlan, hex: ethIPv4TCP, want: ipv4TCPText},
		{name: "one tag", link: 1, opts: vlan, hex: macs + `8100 f064 0800` + ipv4TCP, want: ipv4TCPText + " vlan 100,0"},
		{name: "two tags", link: 1, opts: vlan, hex: macs + `88a8 0065 8100 3064 0800` + ipv4TCP, want: ipv4TCPText + " vlan 101,100"},
		{name: "three tags", link: 1, opts: vlan, hex: macs + `9100 0066 88a8 0065 8100 3064 0800` + ipv4TCP, want: ipv4TCPText + " vlan 102,100"},
		{name: "marvell tag of a frame with vlan", link: 284, opts: vlan, hex: macs + `e0 01 f0 64 08 00` + ipv4TCP, want: ipv4TCPText + " vlan 100,0"},
		{name: "marvell tag of a frame without", link: 284, opts: vlan, hex: macs + `c0 01 00 64 08 00` + ipv4TCP, want: ipv4TCPText},
		{name: "marvell tag in front of another vlan tag", link: 1, opts: vlan, hex: macs + `dada 0000 e0 01 00 65 8100 0064 08 00` + ipv4TCP, want: ipv4TCPText + " vlan 101,100"},
		{name: "off", link: 1, hex: macs + `8100 0064 0800` + ipv4TCP, want: ipv4TCPText},
		{name: "ipv6", link: 1, opts: vlan, hex: macs + `8100 0064 86dd` + ipv6UDP, want: ipv6UDPText + " vlan 100,0"},
		{name: "tag inside a closed tunnel", link: 1, opts: vlan, hex: vxlan, want: "192.0.2.1 4096 > 192.0.2.2 4789 / 17 payload 70 vlan 5,0"},
		{name: "tag inside an open tunnel", link: 1, opts: Options{VLANKey: true, Decapsulate: true}, hex: vxlan, want: ipv4TCPText + " vlan 5,7"},
	})
}
