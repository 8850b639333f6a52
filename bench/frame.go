package main

import "encoding/binary"

// Sizes of the headers written, in bytes.
const (
	ethernetSize = 14
	ipv4Size     = 20
	ipv6Size     = 40
	tcpSize      = 20
	udpSize      = 8
	icmpSize     = 8
	minFrame     = 60 // Ethernet pads shorter frames, and captures keep the padding
	maxFrame     = 1514
)

// IP protocol numbers (IANA).
const (
	protoICMP   = 1
	protoTCP    = 6
	protoUDP    = 17
	protoICMPv6 = 58
)

// TCP flags (RFC 9293).
const (
	tcpFIN = 0x01
	tcpSYN = 0x02
	tcpRST = 0x04
	tcpPSH = 0x08
	tcpACK = 0x10
)

// endpoint is one side of a session. host is the whole IPv4 address, or the
// last 32 bits of an IPv6 address in 2001:db8::/64 (RFC 3849).
type endpoint struct {
	host uint32
	port uint16
}

// frame describes one packet to be written.
type frame struct {
	from, to endpoint
	ipv6     bool
	proto    byte
	tcpFlags byte
	options  int // bytes of TCP options, a multiple of 4
	seq, ack uint32
	ident    uint16 // IPv4 identification, and the sequence number of an echo
	reply    bool   // ICMP: echo reply
	payload  int    // bytes
}

func (f *frame) transportSize() int {
	switch f.proto {
	case protoTCP:
		return tcpSize + f.options
	case protoUDP:
		return udpSize
	}
	return icmpSize
}

func (f *frame) ipSize() int {
	if f.ipv6 {
		return ipv6Size
	}
	return ipv4Size
}

// wireBytes is the length of the frame on the wire, without the check sequence.
func (f *frame) wireBytes() int {
	return max(minFrame, ethernetSize+f.ipSize()+f.transportSize()+f.payload)
}

// put writes the frame to dst and returns the part of dst that is payload,
// for the caller to fill. Transport checksums are left 0, as a capture on a
// sender with checksum offload shows them; the IPv4 header checksum is right.
// Requires: len(dst) == f.wireBytes().
func (f *frame) put(dst []byte) []byte {
	copy(dst, "\x02\x00\x00\x00\x00\x01\x02\x00\x00\x00\x00\x02")
	ip := dst[ethernetSize:]
	length := f.transportSize() + f.payload
	if f.ipv6 {
		binary.BigEndian.PutUint16(dst[12:], 0x86dd)
		f.putIPv6(ip, length)
	} else {
		binary.BigEndian.PutUint16(dst[12:], 0x0800)
		f.putIPv4(ip, length)
	}
	transport := ip[f.ipSize():]
	f.putTransport(transport)
	payload := transport[f.transportSize():]
	clear(payload[f.payload:])
	return payload[:f.payload]
}

func (f *frame) putIPv4(b []byte, length int) {
	b[0], b[1] = 0x45, 0
	binary.BigEndian.PutUint16(b[2:], uint16(ipv4Size+length))
	binary.BigEndian.PutUint16(b[4:], f.ident)
	binary.BigEndian.PutUint16(b[6:], 0x4000) // do not fragment
	b[8], b[9] = 64, f.proto
	b[10], b[11] = 0, 0
	binary.BigEndian.PutUint32(b[12:], f.from.host)
	binary.BigEndian.PutUint32(b[16:], f.to.host)
	binary.BigEndian.PutUint16(b[10:], headerChecksum(b[:ipv4Size]))
}

func (f *frame) putIPv6(b []byte, length int) {
	const prefix = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00"
	binary.BigEndian.PutUint32(b, 6<<28)
	binary.BigEndian.PutUint16(b[4:], uint16(length))
	b[6], b[7] = f.proto, 64
	copy(b[8:], prefix)
	binary.BigEndian.PutUint32(b[20:], f.from.host)
	copy(b[24:], prefix)
	binary.BigEndian.PutUint32(b[36:], f.to.host)
}

// headerChecksum is the Internet checksum (RFC 1071) of an even number of
// bytes.
func headerChecksum(b []byte) uint16 {
	var sum uint32
	for ; len(b) > 0; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	sum = sum>>16 + sum&0xffff
	return ^uint16(sum>>16 + sum&0xffff)
}

func (f *frame) putTransport(b []byte) {
	switch f.proto {
	case protoTCP:
		f.putTCP(b)
	case protoUDP:
		binary.BigEndian.PutUint16(b[0:], f.from.port)
		binary.BigEndian.PutUint16(b[2:], f.to.port)
		binary.BigEndian.PutUint16(b[4:], uint16(udpSize+f.payload))
		b[6], b[7] = 0, 0
	default:
		b[0] = f.echoType()
		b[1], b[2], b[3] = 0, 0, 0
		binary.BigEndian.PutUint16(b[4:], 1)
		binary.BigEndian.PutUint16(b[6:], f.ident)
	}
}

func (f *frame) echoType() byte {
	switch {
	case f.proto == protoICMPv6 && f.reply:
		return 129
	case f.proto == protoICMPv6:
		return 128
	case f.reply:
		return 0
	}
	return 8
}

func (f *frame) putTCP(b []byte) {
	binary.BigEndian.PutUint16(b[0:], f.from.port)
	binary.BigEndian.PutUint16(b[2:], f.to.port)
	binary.BigEndian.PutUint32(b[4:], f.seq)
	binary.BigEndian.PutUint32(b[8:], f.ack)
	b[12] = byte((tcpSize + f.options) / 4 << 4)
	b[13] = f.tcpFlags
	binary.BigEndian.PutUint32(b[14:], 0xffff<<16) // window, checksum
	b[18], b[19] = 0, 0
	options := b[tcpSize : tcpSize+f.options]
	for i := range options {
		options[i] = 1 // no operation
	}
	if len(options) >= 12 { // timestamps (RFC 7323), as Linux lays them out
		options[2], options[3] = 8, 10
		binary.BigEndian.PutUint32(options[4:], f.seq)
		binary.BigEndian.PutUint32(options[8:], f.ack)
	}
}
