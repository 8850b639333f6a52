package main

import "time"

// The tunnel ends of all stories; the session inside is clientServer.
var (
	tunnel4 = between("203.0.113.1", 0, "203.0.113.2", 0)
	tunnel6 = between("2001:db8:ffff::1", 0, "2001:db8:ffff::2", 0)
)

// innerPackets are what the tunnels carry: one IPv4 session, both ways.
func innerPackets() [][]byte {
	return [][]byte{clientServer.udp(text(10)), clientServer.back().udp(text(25))}
}

// tunnelled has the inner packets behind wrap, the second one on its way back.
func tunnelled(e ends, wrap func(e ends, inner []byte) []byte) []record {
	inner := innerPackets()
	return every(time.Second, frame(wrap(e, inner[0])), frame(wrap(e.back(), inner[1])))
}

// and appends more packets, a second apart, to records.
func and(records []record, packets ...[]byte) []record {
	for _, p := range packets {
		records = append(records, at(time.Duration(len(records))*time.Second, p))
	}
	return records
}

// toPort is a tunnel over UDP: each sender picks a port of its own, as VXLAN does.
func toPort(e ends, port uint16, payload []byte) []byte {
	e.sport, e.dport = 49152, port
	return e.udp(payload)
}

func mpls() capture {
	var packets [][]byte
	for i, d := range datagrams() {
		// Labels 1000 and 1001; the second has the bottom-of-stack bit.
		packets = append(packets, eth(1, 2, 0x8847, cat(be32(1000<<12|64, uint32(1001+i/2)<<12|1<<8|64), d)))
	}
	return pcap(linkEthernet, every(time.Second, packets...)...)
}

// mplsPseudowire carries Ethernet frames, with and without a control word (RFC 4448).
func mplsPseudowire() capture {
	inner := innerPackets()
	label := be32(2000<<12 | 1<<8 | 64)
	return pcap(linkEthernet, every(time.Second,
		eth(1, 2, 0x8847, cat(label, be32(0), frame(inner[0]))),
		eth(2, 1, 0x8847, cat(label, frame(inner[1], tagC, 100))))...)
}

func pppoe() capture {
	var packets [][]byte
	for _, d := range datagrams() {
		body := append(pppProtocol(etherType(d)), d...)
		packets = append(packets, eth(10, 1, 0x8864, cat(be16(0x1100, 7, uint16(len(body))), body)))
	}
	packets = append(packets, eth(10, 0xff, 0x8863, unhex("1109 0000 0004 0101 0000"))) // discovery: not IP
	return pcap(linkEthernet, every(time.Second, packets...)...)
}

// gre has the plain header, then checksum, key and sequence number, then a
// transparent Ethernet frame.
func gre() capture {
	records := tunnelled(tunnel4, func(e ends, inner []byte) []byte {
		return e.ip(protoGRE, cat(be16(0, 0x0800), inner))
	})
	full := cat(be16(0xb000, 0x0800, 0, 0), be32(99, 1), innerPackets()[0])
	full[4], full[5] = byte(checksum(full)>>8), byte(checksum(full))
	bridged := cat(be16(0, 0x6558), frame(innerPackets()[1], tagC, 100))
	return pcap(linkEthernet, and(records, frame(tunnel4.ip(protoGRE, full)), frame(tunnel4.back().ip(protoGRE, bridged)))...)
}

// erspan has type I (no header behind GRE), II (8 bytes) and III (12 bytes).
func erspan() capture {
	inner := innerPackets()
	one := cat(be16(0, 0x88be), frame(inner[0]))
	two := cat(be16(0x1000, 0x88be), be32(1), unhex("1064 0001 00000002"), frame(inner[1]))
	three := cat(be16(0x1000, 0x22eb), be32(2), unhex("2064 0001 00000003 00000000"), frame(inner[0]))
	return pcap(linkEthernet, every(time.Second,
		frame(tunnel4.ip(protoGRE, one)), frame(tunnel4.ip(protoGRE, two)), frame(tunnel4.ip(protoGRE, three)))...)
}

func vxlan() capture {
	records := tunnelled(tunnel4, func(e ends, inner []byte) []byte {
		return toPort(e, 4789, cat(be32(0x08000000, 42<<8), frame(inner)))
	})
	linux := toPort(tunnel4, 8472, cat(be32(0x08000000, 42<<8), frame(innerPackets()[0])))
	return pcap(linkEthernet, and(records, frame(linux))...)
}

// geneve has an Ethernet frame behind one option of 8 bytes, and then plain IPv4.
func geneve() capture {
	records := tunnelled(tunnel4, func(e ends, inner []byte) []byte {
		return toPort(e, 6081, cat(unhex("0200 6558 00002a00 0102 80 01 cafebabe"), frame(inner)))
	})
	plain := toPort(tunnel4, 6081, cat(unhex("0000 0800 00002a00"), innerPackets()[0]))
	return pcap(linkEthernet, and(records, frame(plain))...)
}

// gtpu has a plain header, a sequence number, a PDU session container, and an
// echo request, which carries no packet.
func gtpu() capture {
	const port = 2152
	e := tunnel4
	e.sport, e.dport = port, port
	inner := innerPackets()
	message := func(flags, typ byte, optional, payload []byte) []byte {
		body := cat(optional, payload)
		return cat([]byte{flags, typ}, be16(uint16(len(body))), be32(0x1234), body)
	}
	return pcap(linkEthernet, every(time.Second,
		frame(e.udp(message(0x30, 255, nil, inner[0]))),
		frame(e.back().udp(message(0x32, 255, unhex("0001 00 00"), inner[1]))),
		frame(e.udp(message(0x34, 255, unhex("0000 00 85 01 1009 00"), inner[0]))),
		frame(e.udp(message(0x32, 1, unhex("0002 00 00"), nil))))...)
}

// teredo has IPv6 in UDP, alone and behind an origin indication (RFC 4380).
func teredo() capture {
	e := between("192.0.2.10", 3545, "203.0.113.2", 3544)
	six := between("2001:0:cb00:7102::1", 40000, "2001:db8:1::9", 50000)
	origin := unhex("0000 1234 34fffdf5")
	return pcap(linkEthernet, every(time.Second,
		frame(e.udp(six.udp(text(10)))),
		frame(e.back().udp(append(origin, six.back().udp(text(25))...))))...)
}

// l2tp has data messages with PPP, without and with length and sequence
// numbers, and a control message.
func l2tp() capture {
	e := tunnel4
	e.sport, e.dport = 1701, 1701
	inner := innerPackets()
	frames := cat(unhex("ff03 0021"), inner[1])
	withLength := cat(be16(0x4802, uint16(12+len(frames)), 5, 6, 1, 0), frames)
	return pcap(linkEthernet, every(time.Second,
		frame(e.udp(cat(be16(0x0002, 5, 6), unhex("ff03 0021"), inner[0]))),
		frame(e.back().udp(withLength)),
		frame(e.udp(be16(0xc802, 12, 5, 0, 2, 1))))...)
}

func ipInIP() capture {
	return pcap(linkEthernet, tunnelled(tunnel4, func(e ends, inner []byte) []byte { return e.ip(protoIPIP, inner) })...)
}

func sixInFour() capture {
	six := clientServer6
	return pcap(linkEthernet, every(time.Second,
		frame(tunnel4.ip(protoIPv6, six.udp(text(10)))),
		frame(tunnel4.back().ip(protoIPv6, six.back().udp(text(25)))))...)
}

func fourInSix() capture {
	return pcap(linkEthernet, tunnelled(tunnel6, func(e ends, inner []byte) []byte { return e.ip(protoIPIP, inner) })...)
}

// nested is VXLAN in GRE: the innermost of three IP headers is the session.
func nested() capture {
	inside := tunnel4
	inside.sport, inside.dport = 49152, 4789
	return pcap(linkEthernet, tunnelled(tunnel6, func(e ends, inner []byte) []byte {
		return e.ip(protoGRE, cat(be16(0, 0x0800), inside.udp(cat(be32(0x08000000, 42<<8), frame(inner)))))
	})...)
}
