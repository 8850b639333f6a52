package main

import (
	"encoding/binary"
	"slices"
	"time"
)

// The two hosts that most stories are about.
var (
	clientServer  = between("192.0.2.10", 40000, "198.51.100.9", 50000)
	clientServer6 = between("2001:db8::10", 40000, "2001:db8:1::9", 50000)
)

// Ethertypes of VLAN tags.
const (
	tagC   = 0x8100 // 802.1Q
	tagS   = 0x88a8 // 802.1ad
	tagOld = 0x9100 // stacked tags before 802.1ad
)

func vlanIPv4() capture {
	e := clientServer
	return pcap(linkEthernet, every(time.Second,
		frame(e.udp(text(10)), tagC, 100),
		frame(e.back().udp(text(20)), tagC, 0x6000|100), // priority 3
		frame(e.udp(text(30)), tagC, 200),
		frame(e.udp(text(40))))...)
}

func qinq() capture {
	e := clientServer
	return pcap(linkEthernet, every(time.Second,
		frame(e.udp(text(10)), tagS, 10, tagC, 20),
		frame(e.back().udp(text(20)), tagS, 10, tagC, 20),
		frame(e.udp(text(30)), tagOld, 11, tagC, 20),
		frame(e.udp(text(40)), tagC, 10, tagC, 20, tagC, 30))...)
}

// pieces cuts an IPv4 payload into fragments of at most n bytes (a multiple of 8).
func pieces(e ends, proto uint8, id uint16, n int, payload []byte) (out [][]byte) {
	for i := 0; i < len(payload); i += n {
		end := min(i+n, len(payload))
		offset := uint16(i / 8)
		if end < len(payload) {
			offset |= 0x2000 // more fragments
		}
		out = append(out, e.ip4(proto, id, offset, payload[i:end]))
	}
	return out
}

// pieces6 is pieces for IPv6 (RFC 8200, section 4.5).
func pieces6(e ends, proto uint8, id uint32, n int, payload []byte) (out [][]byte) {
	for i := 0; i < len(payload); i += n {
		end := min(i+n, len(payload))
		offset := uint16(i)
		if end < len(payload) {
			offset |= 1 // more fragments
		}
		out = append(out, e.ip6(protoFrag6, cat([]byte{proto, 0}, be16(offset), be32(id), payload[i:end])))
	}
	return out
}

func vlanIPv6Frag() capture {
	e := clientServer6
	var packets [][]byte
	for _, p := range pieces6(e, protoUDP, 77, 240, e.udpSegment(text(500))) {
		packets = append(packets, frame(p, tagC, 100))
	}
	packets = append(packets, frame(e.back().udp(text(12)), tagC, 100))
	return pcap(linkEthernet, every(10*ms, packets...)...)
}

// ipv4Frag has three datagrams of three fragments each: in order, with the
// last fragment first, and without the first one.
func ipv4Frag() capture {
	e := clientServer
	datagram := e.udpSegment(text(400))
	a := pieces(e, protoUDP, 101, 160, datagram)
	b := pieces(e, protoUDP, 102, 160, datagram)
	c := pieces(e, protoUDP, 103, 160, datagram)
	order := [][]byte{a[0], a[1], a[2], b[2], b[0], b[1], c[1], c[2]}
	for i := range order {
		order[i] = frame(order[i])
	}
	return pcap(linkEthernet, every(10*ms, order...)...)
}

// ethernetPadding pads short frames to 60 bytes, with bytes that are not zero.
func ethernetPadding() capture {
	udp, tcp := clientServer, between("192.0.2.10", 49152, "198.51.100.80", 80)
	pad := func(f []byte) []byte { return append(slices.Clip(f), slices.Repeat([]byte{0xee}, 60-len(f))...) }
	return pcap(linkEthernet, every(time.Second,
		pad(frame(udp.udp(text(1)))),
		pad(frame(udp.back().udp(nil))),
		pad(frame(tcp.tcp(ack, 1, 1, nil))),
		pad(frame(tcp.back().tcp(psh|ack, 1, 1, text(3)))))...)
}

// snaplenCut keeps less and less of packets of one session: Ethernet 14, IPv4
// 20 and TCP 20 bytes, payload 100.
func snaplenCut() capture {
	e := clientServer
	var records []record
	for i, keep := range []int{154, 60, 54, 40, 38, 37, 36, 34, 33, 20, 14, 8, 0} {
		p := frame(e.tcp(psh|ack, uint32(1+100*i), 1, text(100)))
		records = append(records, at(time.Duration(i)*time.Second, p).cut(keep))
	}
	return pcapFormat{link: linkEthernet, snaplen: 154}.file(records...)
}

// tsoLengthZero holds packets as the kernel hands them to a card that
// segments: the IP length field is 0, the frame is larger than any MTU.
func tsoLengthZero() capture {
	e := clientServer
	p := frame(e.tcp(psh|ack, 1, 1, text(4000)))
	binary.BigEndian.PutUint16(p[16:], 0)
	binary.BigEndian.PutUint16(p[24:], 0)
	binary.BigEndian.PutUint16(p[24:], checksum(p[14:34]))
	return pcapFormat{link: linkEthernet, snaplen: 96}.file(
		at(0, p).cut(96), at(ms, frame(e.back().tcp(ack, 1, 4001, nil))))
}

// ipv6Jumbo has a datagram whose length stands in a jumbo payload option (RFC 2675).
func ipv6Jumbo() capture {
	e := clientServer6
	segment := e.tcpSegment(psh|ack, 1, 1, text(70000))
	hop := cat([]byte{protoTCP, 0, 0xc2, 4}, be32(uint32(8+len(segment))))
	p := e.ip6(0, append(hop, segment...))
	binary.BigEndian.PutUint16(p[4:], 0)
	return pcapFormat{link: linkEthernet, snaplen: 128}.file(
		at(0, frame(p)).cut(128), at(ms, frame(e.back().tcp(ack, 1, 70001, nil))))
}

// ipv6Extensions walks hop-by-hop, routing, destination options and AH before
// UDP, and ends at "no next header" and ESP.
func ipv6Extensions() capture {
	const hopByHop, routing, esp, none = 0, 43, 50, 59
	e := clientServer6
	header := func(next uint8) []byte { return []byte{next, 0, 1, 4, 0, 0, 0, 0} } // one PadN option
	auth := cat([]byte{protoUDP, 4, 0, 0}, be32(256, 1), make([]byte, 12))
	chain := cat(header(routing), []byte{protoDstOpts, 2, 4, 0, 0, 0, 0, 0}, e.dst.AsSlice(), header(protoAH), auth)
	return pcap(linkEthernet, every(time.Second,
		frame(e.ip6(hopByHop, append(chain, e.udpSegment(text(10))...))),
		frame(e.back().udp(text(20))),
		frame(e.ip6(esp, cat(be32(256, 1), text(40)))),
		frame(e.ip6(none, nil)))...)
}

func icmpError() capture {
	e, e6 := clientServer, clientServer6
	udp, udp6 := e.udp(text(30)), e6.udp(text(300))
	router := between("198.51.100.1", 0, "192.0.2.10", 0)
	router6 := between("2001:db8::1", 0, "2001:db8::10", 0)
	return pcap(linkEthernet, every(time.Second,
		frame(udp), frame(e.back().icmp(3, 3, 0, udp[:28])), // port unreachable, by the server
		frame(udp), frame(router.icmp(11, 0, 0, udp[:28])), // time exceeded, by a router
		frame(udp6), frame(router6.icmp(2, 0, 1280, udp6[:64])))...) // packet too big
}

func sctp() capture {
	e := clientServer
	init := func(typ byte) []byte {
		return cat([]byte{typ, 0}, be16(20), be32(7, 65536), be16(1, 1), be32(1))
	}
	data := cat([]byte{0, 3}, be16(16+25), be32(1), be16(0, 0), be32(0), text(25), make([]byte, 3))
	sack := cat([]byte{3, 0}, be16(16), be32(1, 65536), be16(0, 0))
	return pcap(linkEthernet, every(20*ms,
		frame(e.sctp(0, init(1))), frame(e.back().sctp(7, init(2))),
		frame(e.sctp(7, data)), frame(e.back().sctp(7, sack)))...)
}

func dccp() capture {
	e := clientServer
	// A generic header with 48-bit sequence numbers, then what the type needs.
	packet := func(e ends, typ byte, specific, payload []byte) []byte {
		head := cat(be16(e.sport, e.dport), []byte{byte(16+len(specific)) / 4, 0, 0, 0, typ<<1 | 1, 0}, be16(0), be32(1))
		return frame(e.ip(protoDCCP, e.sealed(protoDCCP, 6, cat(head, specific, payload))))
	}
	const request, response, data = 0, 1, 2
	service, acked := []byte("demo"), make([]byte, 8)
	return pcap(linkEthernet, every(20*ms,
		packet(e, request, service, nil),
		packet(e.back(), response, append(acked, service...), nil),
		packet(e, data, nil, text(33)))...)
}

func udpLite() capture {
	e := clientServer
	packet := func(e ends, n int) []byte { // the checksum covers the header alone
		p := cat(be16(e.sport, e.dport, 8, 0), text(n))
		sum := checksum(cat(e.pseudo(protoUDPLite, len(p)), p[:8]))
		binary.BigEndian.PutUint16(p[6:], sum)
		return frame(e.ip(protoUDPLite, p))
	}
	return pcap(linkEthernet, every(20*ms, packet(e, 40), packet(e.back(), 7))...)
}

// llcSnap is IPv4 in 802.3 frames with an LLC/SNAP header, and a spanning
// tree frame, which is not IP.
func llcSnap() capture {
	snap := func(e ends, n int) []byte {
		d := e.udp(text(n))
		return eth(10, 9, uint16(8+len(d)), cat(unhex("aaaa03 000000 0800"), d))
	}
	stp := eth(1, 0, 38, cat(unhex("424203"), make([]byte, 35)))
	return pcap(linkEthernet, every(time.Second, snap(clientServer, 10), snap(clientServer.back(), 20), stp)...)
}

// wrongLengths has length fields that contradict each other or the frame.
func wrongLengths() capture {
	e := clientServer
	with := func(p []byte, at int, v uint16) []byte {
		binary.BigEndian.PutUint16(p[at:], v)
		return p
	}
	long := frame(e.tcp(psh|ack, 1, 1, text(10)))
	long[14+20+12] = 15 << 4 // a TCP header of 60 bytes in a datagram of 50
	return pcap(linkEthernet, every(time.Second,
		frame(e.udp(text(10))),
		with(frame(e.udp(text(10))), 14+20+4, 3), // UDP length 3: less than its header
		with(frame(e.udp(text(10))), 14+2, 21),   // IPv4 total length 21: less than IP and UDP header
		with(frame(e.udp(text(10))), 14+2, 12),   // IPv4 total length 12: less than its own header
		with(frame(e.udp(text(10))), 14+2, 1500), // IPv4 total length beyond the frame
		long,
		append(frame(e.udp(text(10)))[:14], 0x44), // IPv4 with a header of 16 bytes, and nothing behind
	)...)
}
