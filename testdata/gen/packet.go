package main

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"net/netip"
	"slices"
	"strings"
)

// IP protocol numbers (IANA).
const (
	protoICMP     = 1
	protoIPIP     = 4
	protoTCP      = 6
	protoUDP      = 17
	protoDCCP     = 33
	protoIPv6     = 41
	protoFrag6    = 44
	protoGRE      = 47
	protoAH       = 51
	protoICMP6    = 58
	protoDstOpts  = 60
	protoEtherIP  = 97
	protoSCTP     = 132
	protoUDPLite  = 136
	protoMPLS     = 137
	protoEthernet = 143
)

// TCP flags (RFC 9293, section 3.1).
const (
	fin = 1 << iota
	syn
	rst
	psh
	ack
)

// ends are the two ends of a conversation; ports are 0 where the protocol has
// none. Methods that make a datagram return it without any link layer.
type ends struct {
	src, dst     netip.Addr
	sport, dport uint16
}

func between(src string, sport uint16, dst string, dport uint16) ends {
	return ends{netip.MustParseAddr(src), netip.MustParseAddr(dst), sport, dport}
}

// back is the other direction.
func (e ends) back() ends { return ends{e.dst, e.src, e.dport, e.sport} }

// ip puts payload behind an IPv4 or IPv6 header, as the addresses ask.
func (e ends) ip(proto uint8, payload []byte) []byte {
	if e.src.Is6() {
		return e.ip6(proto, payload)
	}
	return e.ip4(proto, 0, 0x4000, payload) // do not fragment
}

// ip4 is an IPv4 datagram (RFC 791); frag holds the flags and the offset in
// units of 8 bytes.
func (e ends) ip4(proto uint8, id, frag uint16, payload []byte) []byte {
	h := cat(be16(0x4500, uint16(20+len(payload)), id, frag), []byte{64, proto, 0, 0}, e.src.AsSlice(), e.dst.AsSlice())
	binary.BigEndian.PutUint16(h[10:], checksum(h))
	return append(h, payload...)
}

// ip6 is an IPv6 datagram (RFC 8200); payload begins with the header named next.
func (e ends) ip6(next uint8, payload []byte) []byte {
	return cat(be32(0x60000000), be16(uint16(len(payload))), []byte{next, 64}, e.src.AsSlice(), e.dst.AsSlice(), payload)
}

// pseudo is the pseudo header of the transport checksums.
func (e ends) pseudo(proto uint8, n int) []byte {
	return cat(e.src.AsSlice(), e.dst.AsSlice(), be16(0, uint16(proto)), be32(uint32(n)))
}

// sealed sets the 16-bit checksum at offset at of segment, pseudo header included.
func (e ends) sealed(proto uint8, at int, segment []byte) []byte {
	sum := checksum(cat(e.pseudo(proto, len(segment)), segment))
	if sum == 0 {
		sum = 0xffff
	}
	binary.BigEndian.PutUint16(segment[at:], sum)
	return segment
}

// udpSegment is a UDP datagram without its IP header (RFC 768).
func (e ends) udpSegment(payload []byte) []byte {
	return e.sealed(protoUDP, 6, cat(be16(e.sport, e.dport, uint16(8+len(payload)), 0), payload))
}

func (e ends) udp(payload []byte) []byte { return e.ip(protoUDP, e.udpSegment(payload)) }

// tcpSegment is a TCP segment (RFC 9293); a SYN carries the MSS option.
func (e ends) tcpSegment(flags uint8, seq, acked uint32, payload []byte) []byte {
	var options []byte
	if flags&syn != 0 {
		options = cat([]byte{2, 4}, be16(1460))
	}
	offset := uint8(20+len(options)) / 4
	h := cat(be16(e.sport, e.dport), be32(seq, acked), []byte{offset << 4, flags}, be16(64240, 0, 0), options)
	return e.sealed(protoTCP, 16, append(h, payload...))
}

func (e ends) tcp(flags uint8, seq, acked uint32, payload []byte) []byte {
	return e.ip(protoTCP, e.tcpSegment(flags, seq, acked, payload))
}

// icmp is an ICMP or ICMPv6 message: type, code, 4 bytes of rest, body.
func (e ends) icmp(typ, code uint8, rest uint32, body []byte) []byte {
	m := cat([]byte{typ, code, 0, 0}, be32(rest), body)
	if e.src.Is6() {
		return e.ip(protoICMP6, e.sealed(protoICMP6, 2, m))
	}
	binary.BigEndian.PutUint16(m[2:], checksum(m))
	return e.ip(protoICMP, m)
}

// sctp is an SCTP packet: the common header of 12 bytes and chunks (RFC 9260).
func (e ends) sctp(tag uint32, chunks []byte) []byte {
	p := cat(be16(e.sport, e.dport), be32(tag, 0), chunks)
	binary.LittleEndian.PutUint32(p[8:], crc32.Checksum(p, crc32.MakeTable(crc32.Castagnoli)))
	return e.ip(protoSCTP, p)
}

// eth puts payload behind an Ethernet header.
func eth(src, dst byte, typ uint16, payload []byte) []byte {
	return cat(mac(dst), mac(src), be16(typ), payload)
}

// frame puts an IP datagram into an Ethernet frame, behind tags: pairs of
// ethertype and tag control information, outermost first. The last byte of an
// IP address is also the last of its MAC address.
func frame(datagram []byte, tags ...uint16) []byte {
	src, dst := datagram[15], datagram[19]
	if datagram[0]>>4 == 6 {
		src, dst = datagram[23], datagram[39]
	}
	head := append(slices.Clone(tags), etherType(datagram))
	return cat(mac(dst), mac(src), be16(head...), datagram)
}

func etherType(datagram []byte) uint16 {
	if datagram[0]>>4 == 6 {
		return 0x86dd
	}
	return 0x0800
}

// mac is an address of the documentation range (RFC 7042).
func mac(last byte) []byte { return []byte{0x00, 0x00, 0x5e, 0x00, 0x53, last} }

// checksum is the Internet checksum (RFC 1071).
func checksum(b []byte) uint16 {
	var sum uint32
	for i, v := range b {
		sum += uint32(v) << (8 * (1 - i&1))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

func cat(parts ...[]byte) []byte { return slices.Concat(parts...) }

func be16(values ...uint16) (b []byte) {
	for _, v := range values {
		b = binary.BigEndian.AppendUint16(b, v)
	}
	return b
}

func be32(values ...uint32) (b []byte) {
	for _, v := range values {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return b
}

// unhex reads hex digits, spaces allowed.
func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(fmt.Sprintf("gen: bad hex %q: %v", s, err))
	}
	return b
}

// text is n bytes of readable filler.
func text(n int) []byte {
	const line = "all packets that share a session key, over all captures of a run\n"
	return []byte(strings.Repeat(line, n/len(line)+1)[:n])
}
