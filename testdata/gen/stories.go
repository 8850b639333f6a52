package main

import (
	"encoding/binary"
)

// trust says how far the test compares a capture with what tshark reads.
type trust int

const (
	whole     trust = iota // number, time and wire length of the records; tshark reports no damage
	number                 // number of the records only
	asDamaged              // as whole, but tshark must report damage
	unread                 // tshark cannot read it, or reads it differently on purpose
)

// story is one file of testdata.
type story struct {
	file    string
	text    string // what is special about it, for the README
	capture capture
	pack    packer // compresses capture.data; nil for a plain file
	tool    string // external program that pack calls
	layers  string // protocols, as tshark names them, of at least one packet
	tshark  trust
}

// build returns the finished file. The error wraps exec.ErrNotFound where an
// external tool is missing.
func (s story) build() (capture, error) {
	c := s.capture
	if s.pack == nil {
		return c, nil
	}
	data, err := s.pack(c.data)
	return capture{data, c.records}, err
}

// stories lists all files, in the order of the README.
func stories() []story {
	var all []story
	for _, group := range [][]story{formats(), compressions(), joins(), damages(), times(), networks(), linkTypes(), tunnels()} {
		all = append(all, group...)
	}
	return all
}

func formats() []story {
	x := example()
	var short []record // as a snaplen of 96 would have kept them
	for _, r := range x {
		short = append(short, r.cut(96))
	}
	ether := pcapFormat{link: linkEthernet}
	usBE, nsLE, nsBE, v22, v23, modified := ether, ether, ether, ether, ether, ether
	usBE.bigEndian, nsLE.nano, modified.kuznetzov = true, true, true
	nsBE.bigEndian, nsBE.nano = true, true
	v22.minor, v22.snaplen, v23.minor, v23.snaplen = 2, 96, 3, 96
	aix := pcapFormat{bigEndian: true, aix: true, minor: 2, link: aixEthernet}
	little, big := binary.LittleEndian, binary.BigEndian
	return []story{
		{file: "example.pcap", text: "the README's example: two DNS look-ups, a web download with an idle time of 7.5 s, five pings, an IPv6 download, and the ARP and neighbour discovery before them", capture: ether.file(x...), layers: "eth:ethertype:ip:tcp:http"},
		{file: "pcap-us-be.pcap", text: "the example's packets; classic pcap, big-endian", capture: usBE.file(x...)},
		{file: "pcap-ns-le.pcap", text: "the example's packets; nanosecond pcap, little-endian", capture: nsLE.file(x...)},
		{file: "pcap-ns-be.pcap", text: "the example's packets; nanosecond pcap, big-endian", capture: nsBE.file(x...)},
		{file: "pcap-v2.2.pcap", text: "the example's packets cut to 96 bytes; version 2.2, where wire length and capture length stand in swapped order", capture: v22.file(short...)},
		{file: "pcap-v2.3.pcap", text: "as pcap-v2.2.pcap, but version 2.3: the lengths of the records at even microseconds are swapped", capture: v23.file(short...)},
		{file: "pcap-kuznetzov.pcap", text: "the example's packets; Kuznetzov's modified format, record headers of 24 bytes", capture: modified.file(x...)},
		{file: "pcap-ss990417.pcap", text: "the example's packets; Kuznetzov's first modified format: record headers of 24 bytes under the usual magic number", capture: ether.with(ss990417).file(x...)},
		{file: "pcap-ss990915.pcap", text: "the example's packets; Kuznetzov's second modified format: record headers of 28 bytes", capture: modified.with(ss990915).file(x...)},
		{file: "pcap-nokia.pcap", text: "the example's packets; Nokia IPSO: record headers of 20 bytes under the usual magic number", capture: usBE.with(nokia).file(x...)},
		{file: "pcap-aix.pcap", text: "the example's packets; AIX: version 2.2, big-endian, interface types in place of link types, nanoseconds", capture: aix.file(x...)},
		{file: "pcapng-le.pcapng", text: "the example's packets; pcapng, little-endian, options on every block", capture: pcapngPlain(little, x)},
		{file: "pcapng-be.pcapng", text: "the example's packets; pcapng, big-endian", capture: pcapngPlain(big, x)},
		{file: "pcapng-two-sections.pcapng", text: "two sections, little-endian with Ethernet, big-endian with raw IP; one session, 4 packets 1 s apart", capture: twoSections()},
		{file: "pcapng-many-interfaces.pcapng", text: "six interfaces that count time in six ways: default, if_tsresol 9, 2^-20, 3, 6 with if_tsoffset, 2^-1 with if_tsoffset 100; one session, gaps of 0.5 s, the last 0.500001907 s", capture: manyInterfaces()},
		{file: "pcapng-picoseconds.pcapng", text: "if_tsresol 12 with if_tsoffset; gaps of 0.5 s, 1 ns and 0.499999998 s, digits behind the nanosecond cut off", capture: picoseconds(), tshark: number},
		{file: "pcapng-simple-packets.pcapng", text: "Simple Packet Blocks between Enhanced ones, snaplen 60; one session, gaps 0, 0 and 1 s", capture: simplePackets(), tshark: number},
		{file: "pcapng-obsolete-packet-block.pcapng", text: "the Packet Block that the Enhanced one replaced, big-endian, one with a padded packet", capture: obsoletePacketBlock()},
		{file: "pcapng-unknown-blocks.pcapng", text: "the example's packets between custom, name resolution, statistics, decryption secrets, systemd journal and unknown blocks", capture: unknownBlocks(x)},
		{file: "snoop.snoop", text: "the example's packets; Sun's snoop format", capture: snoop(x)},
		{file: "erf.erf", text: "the example's packets; Endace's ERF, without frame check sequences", capture: erf(x)},
	}
}

func compressions() []story {
	x := pcap(linkEthernet, example()...)
	garbage := []byte("this is not a gzip member\n")
	note := func(what string) string { return "example.pcap, " + what }
	list := []story{
		{file: "gzip.pcap.gz", text: note("gzip, one member with its file name"), pack: gzipped},
		{file: "gzip-two-members.pcap.gz", text: note("gzip, two members, cut in the middle of a record"), pack: halves(gzipped)},
		{file: "gzip-trailing-garbage.pcap.gz", text: "gzip of example.pcap, and text after the member: damage, after every packet was read", pack: followed(gzipped, garbage), tshark: asDamaged},
		{file: "gzip-trailing-zeros.pcap.gz", text: "gzip of example.pcap, and 512 zeros after the member: damage, after every packet was read", pack: followed(gzipped, make([]byte, 512)), tshark: asDamaged},
		{file: "gzip-trailing-padding.pcap.gz", text: note("gzip, filled up with zeros to a multiple of 512 bytes, as tapes are"), pack: filled(gzipped), tshark: asDamaged},
		{file: "gzip-under-another-name.pcap", text: note("gzip, under the name of a plain capture"), pack: gzipped},
		{file: "bgzf.pcap.gz", text: note("BGZF: gzip in blocks of 3 000 bytes that say how long they are"), pack: bgzf},
		{file: "zstd.pcap.zst", text: note("zstd, one frame"), pack: zstandard},
		{file: "zstd-two-frames.pcap.zst", text: note("zstd, two frames, cut in the middle of a record"), pack: halves(zstandard), tshark: unread},
		{file: "zstd-skippable-frame.pcap.zst", text: note("zstd, a skippable frame behind each of two frames"), pack: halves(followed(zstandard, skippable([]byte("skip me")))), tshark: unread},
		{file: "zstd-seekable.pcap.zst", text: note("zstd in frames of 3 000 bytes with a seek table at the end"), pack: seekable, tshark: unread},
		{file: "lz4.pcap.lz4", text: note("lz4, one frame"), pack: lz4Frame},
		{file: "lz4-two-frames.pcap.lz4", text: note("lz4, two frames, cut in the middle of a record"), pack: halves(lz4Frame), tshark: unread},
		{file: "xz.pcap.xz", text: note("xz"), pack: xzStream, tshark: unread},
		{file: "bzip2.pcap.bz2", text: note("bzip2"), pack: bzip2Stream, tool: "bzip2", tshark: unread},
		{file: "bzip2-two-streams.pcap.bz2", text: note("bzip2, two streams, cut in the middle of a record"), pack: halves(bzip2Stream), tool: "bzip2", tshark: unread},
	}
	for i := range list {
		list[i].capture = x
	}
	return list
}

func times() []story {
	earlier, later, even, odd := split()
	return []story{
		{file: "rotated-a-later.pcap", text: "the second half of the example's packets; with rotated-b-earlier.pcap, in any order, the CSV of example.pcap", capture: later},
		{file: "rotated-b-earlier.pcap", text: "the first half of them", capture: earlier},
		{file: "interleaved-even.pcap", text: "every second packet of the example; with interleaved-odd.pcap and --interleave the CSV of example.pcap", capture: even},
		{file: "interleaved-odd.pcap", text: "the packets in between", capture: odd},
		{file: "reordered-times.pcap", text: "one session at 0, 1, 0.4, 0.9 and 2 s: gaps 1, 0, 0 and 1 s, two reordered packets; a second session whose times do not run back", capture: reordered()},
		{file: "nanosecond-digits.pcap", text: "nanosecond pcap; gaps of 1, 999 999 999, 3 and 999 999 995 ns", capture: nanosecondDigits()},
		{file: "one-packet-sessions.pcap", text: "four sessions of one packet: UDP, TCP, ICMP, UDP over IPv6", capture: onePacketSessions()},
		{file: "fin-does-not-end.pcap", text: "one 5-tuple opened three times, closed by FIN, FIN and RST: one session", capture: finDoesNotEnd()},
		{file: "idle-gaps.pcap", text: "gaps of 5 s, 5.000000001 s, 4.999999999 s, 20 s and 0: active 9.999999999 s, idle 25.000000001 s", capture: idleGaps()},
		{file: "tcp-states.pcap", text: "a TCP connection for each value of tcp_state, told by the client port from 40000 on (sessions.go lists them), and a UDP packet", capture: tcpStates()},
		{file: "session-ends.pcap", text: "client ports 50000 to 50006: closed and opened again, FIN of one side, RST, a SYN sent again, 100 s and 1 µs more, 60 s and 1 µs more of silence, and a clock set back", capture: sessionEnds()},
		{file: "odd-times.pcap", text: "classic pcap; a microsecond field of 2.5 s (added as it stands), and seconds of 2^32-1 (unsigned)", capture: oddTimes(), tshark: number},
		{file: "pcapng-clamped-times.pcapng", text: "timestamps beyond both ends of int64 nanoseconds: clamped", capture: clampedTimes(), tshark: number},
	}
}

func networks() []story {
	return []story{
		{file: "vlan-ipv4.pcap", text: "one 5-tuple in VLAN 100 (with and without priority), VLAN 200 and untagged: one session, three with --key vlan", capture: vlanIPv4(), layers: "eth:ethertype:vlan:ethertype:ip:udp"},
		{file: "qinq.pcap", text: "one 5-tuple behind 802.1ad + 802.1Q tags, behind 0x9100 + 802.1Q, and behind three 802.1Q tags", capture: qinq(), layers: "eth:ethertype:vlan:ethertype:vlan:ethertype:ip:udp"},
		{file: "vlan-ipv6-frag.pcap", text: "a UDP datagram of 508 bytes in three IPv6 fragments behind a VLAN tag, and an answer: one session of 4 packets", capture: vlanIPv6Frag(), layers: "eth:ethertype:vlan:ethertype:ipv6:ipv6.fraghdr"},
		{file: "ipv4-frag.pcap", text: "three datagrams in three fragments: in order, last one first, first one missing: 5 packets in the session with ports, 3 in the one without", capture: ipv4Frag(), layers: "eth:ethertype:ip"},
		{file: "ethernet-padding.pcap", text: "frames padded to 60 bytes; payloads of 1, 0, 0 and 3 bytes", capture: ethernetPadding(), layers: "eth:ethertype:ip:tcp"},
		{file: "snaplen-cut.pcap", text: "TCP packets of 154 bytes cut to 154, 60, 54, 40, 38 (the ports just whole), 37, 36, 34 (the IP header just whole), 33, 20, 14, 8 and 0 bytes", capture: snaplenCut()},
		{file: "tso-ip-length-zero.pcap", text: "segmentation offload: IPv4 total length 0 in a frame of 4 054 bytes, of which 96 are kept; payload 4 000", capture: tsoLengthZero()},
		{file: "ipv6-jumbo.pcap", text: "IPv6 payload length 0 with a jumbo payload option: payload 70 000", capture: ipv6Jumbo()},
		{file: "ipv6-extension-headers.pcap", text: "hop-by-hop, routing, destination options and AH before UDP; ESP; no next header: three sessions", capture: ipv6Extensions(), layers: "ipv6.hopopts:ipv6.routing:ipv6.dstopts:ah:udp"},
		{file: "icmp-error.pcap", text: "port unreachable, time exceeded and packet too big, each quoting a UDP session that it does not belong to", capture: icmpError(), layers: "eth:ethertype:ip:icmp:ip:udp"},
		{file: "sctp.pcap", text: "INIT, INIT ACK, DATA, SACK; payload behind the 12-byte common header", capture: sctp(), layers: "eth:ethertype:ip:sctp"},
		{file: "dccp.pcap", text: "request, response, data; payload behind the data offset: 0, 0, 33", capture: dccp(), layers: "eth:ethertype:ip:dccp"},
		{file: "udplite.pcap", text: "UDP-Lite with a checksum that covers the header alone; payloads 40 and 7", capture: udpLite(), layers: "eth:ethertype:ip:udp"},
		{file: "llc-snap.pcap", text: "IPv4 in 802.3 frames with LLC/SNAP, and a spanning tree frame, which is not IP", capture: llcSnap(), layers: "eth:llc:ip:udp"},
		{file: "wrong-lengths.pcap", text: "IPv4, TCP and UDP length fields that contradict each other or the frame: no negative payload", capture: wrongLengths(), tshark: number},
	}
}

func linkTypes() []story {
	four, six := datagrams()[:2], datagrams()[2:]
	const rest = "one IPv4 and one IPv6 session"
	return []story{
		{file: "null.pcap", text: "BSD loopback, little-endian; " + rest, capture: null(false), layers: "null:ip:udp"},
		{file: "null-be.pcap", text: "BSD loopback, big-endian; " + rest, capture: null(true), layers: "null:ipv6:udp"},
		{file: "loop.pcap", text: "OpenBSD loopback; " + rest, capture: loop(), layers: "null:ip:udp"},
		{file: "raw.pcap", text: "raw IP (101); " + rest, capture: raw(linkRaw), layers: "raw:ip:udp"},
		{file: "raw-12.pcap", text: "raw IP under the number 12; " + rest, capture: raw(rawOtherBSDs), layers: "raw:ip:udp"},
		{file: "raw-14.pcap", text: "raw IP under the number 14; " + rest, capture: raw(rawOpenBSD), layers: "raw:ip:udp"},
		{file: "raw-ipv4.pcap", text: "raw IPv4 (228)", capture: rawOneVersion(linkIPv4, four), layers: "ip:udp"},
		{file: "raw-ipv6.pcap", text: "raw IPv6 (229)", capture: rawOneVersion(linkIPv6, six), layers: "ipv6:udp"},
		{file: "sll.pcap", text: "Linux cooked capture; " + rest, capture: sll(), layers: "sll:ethertype:ip:udp"},
		{file: "sll2.pcap", text: "Linux cooked capture version 2; " + rest, capture: sll2(), layers: "sll:ethertype:ip:udp"},
		{file: "ppp.pcap", text: "PPP with and without address and control, with short protocol numbers, and an LCP packet, which is not IP; " + rest, capture: ppp(), layers: "ppp:ip:udp"},
		{file: "ppp-hdlc.pcap", text: "PPP in HDLC framing; " + rest, capture: pppHDLC(), layers: "ppp:ip:udp"},
		{file: "c-hdlc.pcap", text: "Cisco HDLC; " + rest, capture: chdlc(), layers: "chdlc:ip:udp"},
		{file: "frame-relay.pcap", text: "Frame Relay, by NLPID and by SNAP; " + rest, capture: frameRelay(), layers: "fr:ip:udp"},
		{file: "80211.pcap", text: "802.11 data, QoS data, 4-address data, a beacon (not IP) and an encrypted frame; " + rest, capture: pcap(link80211, wireless(nil)...), layers: "wlan:llc:ip:udp"},
		{file: "80211-radiotap.pcap", text: "the same behind a radiotap header of 9 bytes", capture: radiotap(), layers: "radiotap:wlan_radio:wlan:llc:ip:udp"},
		{file: "80211-ppi.pcap", text: "the same behind a PPI header", capture: ppi(), layers: "ppi:wlan_radio:wlan:llc:ip:udp"},
		{file: "80211-amsdu.pcap", text: "two 802.11 frames of several packets: IPv4, ARP and IPv6 with a check sequence behind them; IPv4 and one whose length is wrong; two sessions, 3 packets", capture: aggregated(), layers: "wlan:llc:ip:udp:data:llc:arp:llc:ipv6:udp"},
		{file: "slip.pcap", text: "SLIP; " + rest, capture: slip(), tshark: unread},
		{file: "ipoib.pcap", text: "IP over InfiniBand; " + rest, capture: ipoib(), layers: "ipoib:ip:udp"},
		{file: "dsa.pcap", text: "Ethernet with the tag of a Marvell switch; " + rest, capture: dsa(), tshark: unread},
		{file: "edsa.pcap", text: "the same tag behind an EtherType; " + rest, capture: edsa(), tshark: unread},
		{file: "erf-in-pcap.pcap", text: "records of ERF in pcap, with Ethernet and with IP; " + rest, capture: erfInPcap(), tshark: number},
		{file: "enc.pcap", text: "OpenBSD's IPsec interface; " + rest, capture: enc(), layers: "enc:ip:udp"},
		{file: "pflog.pcap", text: "OpenBSD's packet filter log; " + rest, capture: pflog(), layers: "pflog:ip:udp"},
		{file: "nflog.pcap", text: "Linux netfilter log, a prefix before the packet; " + rest, capture: nflog(), layers: "nflog:ip:udp"},
		{file: "unsupported-link-type.pcap", text: "USB: no record belongs to a session", capture: usb(), layers: "usb"},
	}
}

func tunnels() []story {
	return []story{
		{file: "mpls.pcap", text: "two MPLS labels before IP, other labels for IPv6; one IPv4 and one IPv6 session", capture: mpls(), layers: "eth:ethertype:mpls:ip:udp"},
		{file: "mpls-pseudowire.pcap", text: "Ethernet in MPLS, with a control word, and without one and with a VLAN tag; one session", capture: mplsPseudowire(), layers: "mpls:pwethheuristic:pwethcw:eth:ethertype:ip:udp"},
		{file: "pseudowires.pcap", text: "Ethernet in MPLS without a control word, to MAC addresses that begin like IP headers; one IPv4 and one IPv6 session", capture: pseudowires(), tshark: number},
		{file: "shims.pcap", text: "TPIDs 0x9200, 0x9300, 0x8200, E-TAG, HSR, time stamps of Arista, a Marvell tag, LLC behind 0x8870; one IPv4 and one IPv6 session", capture: shims(), layers: "eth:ethertype:etag:ethertype:ipv6:udp"},
		{file: "pppoe.pcap", text: "PPPoE session frames and a discovery frame, which is not IP; one IPv4 and one IPv6 session", capture: pppoe(), layers: "eth:ethertype:pppoes:ppp:ip:udp"},
		{file: "gre.pcap", text: "GRE: plain; with checksum, key and sequence number; with a transparent Ethernet frame", capture: gre(), layers: "eth:ethertype:ip:gre:ip:udp"},
		{file: "erspan.pcap", text: "ERSPAN types I, II and III", capture: erspan(), layers: "gre:erspan:eth:ethertype:ip:udp"},
		{file: "vxlan.pcap", text: "VXLAN on port 4789, and one packet on Linux's old port 8472", capture: vxlan(), layers: "udp:vxlan:eth:ethertype:ip:udp"},
		{file: "geneve.pcap", text: "GENEVE with an option before an Ethernet frame, and with plain IPv4", capture: geneve(), layers: "udp:geneve:eth:ethertype:ip:udp"},
		{file: "gtpu.pcap", text: "GTP-U: plain, with sequence number, with extension header, and an echo request, which carries no packet", capture: gtpu(), layers: "udp:gtp:ip:udp"},
		{file: "teredo.pcap", text: "Teredo, without and with an origin indication", capture: teredo(), layers: "udp:teredo:ipv6:udp"},
		{file: "l2tp.pcap", text: "L2TPv2: data, data with length and sequence numbers, and a control message, which carries no packet", capture: l2tp(), layers: "udp:l2tp:ppp:ip:udp"},
		{file: "ip-in-ip.pcap", text: "IPv4 in IPv4", capture: ipInIP(), layers: "eth:ethertype:ip:ip:udp"},
		{file: "6in4.pcap", text: "IPv6 in IPv4", capture: sixInFour(), layers: "eth:ethertype:ip:ipv6:udp"},
		{file: "4in6.pcap", text: "IPv4 in IPv6", capture: fourInSix(), layers: "eth:ethertype:ipv6:ip:udp"},
		{file: "ip-tunnels.pcap", text: "EtherIP, MPLS in IP, Ethernet as an IP protocol, EoIP in GRE; one session inside", capture: ipTunnels(), layers: "eth:ethertype:ip:etherip:eth:ethertype:ip:udp"},
		{file: "udp-tunnels.pcap", text: "VXLAN-GPE, and VXLAN on its port; Ethernet in GTP-U; TZSP; CAPWAP with Ethernet and with 802.11; MPLS and GRE in UDP; one session inside", capture: udpTunnels(), layers: "udp:tzsp:eth:ethertype:ip:udp"},
		{file: "no-tunnels.pcap", text: "what lies on the ports of tunnels and is none: DNS answers, VXLAN by its source port, a packet longer than its datagram", capture: noTunnels(), tshark: number},
		{file: "nested-tunnels.pcap", text: "VXLAN in IPv4 in GRE in IPv6", capture: nested(), layers: "eth:ethertype:ipv6:gre:ip:udp:vxlan:eth:ethertype:ip:udp"},
	}
}
