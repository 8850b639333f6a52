package main

import "time"

// Link types that only the stories here have.
const (
	linkSLIP  = 8
	linkERF   = 197
	linkIPoIB = 242
	linkDSA   = 284
	linkEDSA  = 285
)

// snap is an LLC and SNAP header in front of a datagram (RFC 1042).
func snap(datagram []byte) []byte {
	return cat(unhex("aaaa03 000000"), be16(etherType(datagram)), datagram)
}

// aggregated is an 802.11 frame that holds several packets: two with IPv4 and
// IPv6 around one with ARP, and then the check sequence; and one whose last
// length is that of no subframe.
func aggregated() capture {
	d := datagrams()
	subframe := func(body []byte) []byte {
		return pad4(cat(mac(1), mac(2), be16(uint16(len(body))), body))
	}
	arp := cat(unhex("aaaa03 000000 0806 0001 0800 06 04 0001"), mac(2), make([]byte, 14))
	head := dot11(dot11QoS, nil)
	head[len(head)-2] = 0x80 // QoS control: A-MSDU
	return pcap(link80211, every(time.Second,
		cat(head, subframe(snap(d[0])), subframe(arp), subframe(snap(d[2])), unhex("01020304")),
		cat(head, subframe(snap(d[1])), mac(1), mac(2), be16(0x0fff), snap(d[3])))...)
}

// shims has what may stand between an Ethernet header and IP, one kind a frame.
func shims() capture {
	var packets [][]byte
	for i, tag := range []string{
		"9200 0064", "9300 0064", "8200 0064", // VLAN tags of vendors
		"893f 0000 1005 0000",              // E-TAG
		"892f 003a 0001",                   // HSR
		"d28b 0001 0010 6553f125 00000005", // Arista, 64 bits
		"d28b 0001 0020 f125 00000005",     // Arista, 48 bits
		"dada 0000 c0010000",               // Marvell
		"8870 aaaa03 000000",               // LLC
	} {
		d := datagrams()[i%4]
		packets = append(packets, cat(mac(2), mac(1), unhex(tag), be16(etherType(d)), d))
	}
	return pcap(linkEthernet, every(time.Second, packets...)...)
}

func slip() capture {
	return pcap(linkSLIP, both(func(uint16) []byte { return cat(unhex("00 45"), make([]byte, 14)) })...)
}

func ipoib() capture {
	return pcap(linkIPoIB, both(func(t uint16) []byte { return cat(make([]byte, 40), be16(t, 0)) })...)
}

func dsa() capture {
	return pcap(linkDSA, both(func(t uint16) []byte { return cat(mac(2), mac(1), unhex("c0010000"), be16(t)) })...)
}

func edsa() capture {
	return pcap(linkEDSA, both(func(t uint16) []byte { return cat(mac(2), mac(1), unhex("dada 0000 c0010000"), be16(t)) })...)
}

// erfInPcap has records of ERF in pcap: Ethernet, and IP with an extension
// header.
func erfInPcap() capture {
	var packets [][]byte
	for i, d := range datagrams() {
		head := func(kind byte, size, length int) []byte {
			return cat(unhex("0000000020f15365"), []byte{kind, 4}, be16(uint16(16+size), 0, uint16(length)))
		}
		f := frame(d)
		switch {
		case i%2 == 0:
			packets = append(packets, cat(head(2, 2+len(f), len(f)), be16(0), f))
		case etherType(d) == 0x0800:
			packets = append(packets, cat(head(22|0x80, 8+len(d), len(d)), unhex("0500000000000000"), d))
		default:
			packets = append(packets, cat(head(23|0x80, 8+len(d), len(d)), unhex("0500000000000000"), d))
		}
	}
	return pcap(linkERF, every(time.Second, packets...)...)
}

// ipTunnels has tunnels that are IP protocols, one session inside.
func ipTunnels() capture {
	inner := innerPackets()
	label := be32(2000<<12 | 1<<8 | 64)
	f := frame(inner[0])
	eoip := cat(be16(0x2001, 0x6400, uint16(len(f))), unhex("2a00"), f)
	return pcap(linkEthernet, every(time.Second,
		frame(tunnel4.ip(protoEtherIP, cat(be16(0x3000), f))),
		frame(tunnel6.ip(protoEtherIP, cat(be16(0x3000), frame(inner[1])))),
		frame(tunnel4.ip(protoMPLS, cat(label, inner[0]))),
		frame(tunnel6.ip(protoEthernet, frame(inner[1]))),
		frame(tunnel4.ip(protoGRE, eoip)))...)
}

// udpTunnels has tunnels over UDP beside those with a story of their own.
func udpTunnels() capture {
	inner := innerPackets()
	label := be32(2000<<12 | 1<<8 | 64)
	f := frame(inner[0])
	return pcap(linkEthernet, every(time.Second,
		frame(toPort(tunnel4, 4790, cat(be32(0x0c000001, 42<<8), inner[0]))),
		frame(toPort(tunnel4, 4790, cat(be32(0x08000000, 42<<8), frame(inner[1])))),
		frame(toPort(tunnel4, 2152, cat(unhex("30ff"), be16(uint16(len(f))), be32(0x1234), f))),
		frame(toPort(tunnel4, 37008, cat(unhex("0100 0001 0a01c5 01"), frame(inner[1])))),
		frame(toPort(tunnel4, 5247, cat(unhex("0010 0200 00000000"), f))),
		frame(toPort(tunnel4, 5247, cat(unhex("0010 0300 00000000"), dot11(dot11Data, snap(inner[1]))))),
		frame(toPort(tunnel4, 6635, cat(label, inner[0]))),
		frame(toPort(tunnel4, 4754, cat(be16(0, 0x0800), inner[1]))))...)
}

// noTunnels has datagrams on the ports of tunnels that are none: DNS answers to
// clients that have picked such a port, VXLAN by its source port, and an inner
// packet longer than the datagram.
func noTunnels() capture {
	var packets [][]byte
	for _, port := range []uint16{3544, 4789, 6081, 2152, 1701, 5247, 37008} {
		server := between("192.0.2.53", 53, "192.0.2.10", port)
		packets = append(packets, frame(server.udp(dnsAnswer(0x6000, typeA, []byte{192, 0, 2, 80}))))
	}
	inner := innerPackets()[0]
	answer := tunnel4
	answer.sport, answer.dport = 4789, 49152
	packets = append(packets, frame(answer.udp(cat(be32(0x08000000, 42<<8), frame(inner)))))
	packets = append(packets, frame(toPort(tunnel4, 4789, cat(be32(0x08000000, 42<<8), frame(inner)[:14+len(inner)-1]))))
	return pcap(linkEthernet, every(time.Second, packets...)...)
}

// pseudowires are Ethernet frames behind MPLS labels, without control word, to
// MAC addresses that begin like IP headers.
func pseudowires() capture {
	label := be32(2000<<12 | 1<<8 | 64)
	var packets [][]byte
	for i, d := range datagrams() {
		f := frame(d)
		copy(f, unhex([]string{"450000200002", "600000000002"}[i%2]))
		packets = append(packets, eth(1, 2, 0x8847, cat(label, f)))
	}
	return pcap(linkEthernet, every(time.Second, packets...)...)
}
