package main

import (
	"encoding/binary"
	"net/netip"
	"slices"
)

// Hand-made captures: just enough of each header for the decoder. Checksums
// are 0, which nothing here looks at.

const second = 1_000_000_000 // ns

// begin is the time of most first packets, in ns: 2023-11-14T22:13:20Z.
const begin int64 = 1_700_000_000 * second

// A record is one packet entry of a hand-made capture.
type record struct {
	time int64 // ns
	wire int   // wire length; 0: that of data
	data []byte
}

// pcap is a nanosecond capture of link type Ethernet, little-endian.
func pcap(records ...record) []byte { return classicPcap(0xa1b23c4d, 1, records) }

// microPcap is a microsecond capture.
func microPcap(records ...record) []byte { return classicPcap(0xa1b2c3d4, 1000, records) }

func classicPcap(magic uint32, unit int64, records []record) []byte {
	le := binary.LittleEndian
	b := le.AppendUint32(nil, magic)
	b = le.AppendUint16(b, 2)
	b = le.AppendUint16(b, 4)
	b = append(b, make([]byte, 8)...)
	b = le.AppendUint32(b, 262144)
	b = le.AppendUint32(b, 1)
	for _, r := range records {
		wire := r.wire
		if wire == 0 {
			wire = len(r.data)
		}
		b = le.AppendUint32(b, uint32(r.time/second))
		b = le.AppendUint32(b, uint32(r.time%second/unit))
		b = le.AppendUint32(b, uint32(len(r.data)))
		b = le.AppendUint32(b, uint32(wire))
		b = append(b, r.data...)
	}
	return b
}

func ethernet(etherType uint16, payload []byte) []byte {
	b := make([]byte, 12, 14+len(payload))
	b = binary.BigEndian.AppendUint16(b, etherType)
	return append(b, payload...)
}

// ip is an Ethernet frame with an IP packet, of the version of the addresses.
func ip(src, dst string, protocol byte, payload []byte) []byte {
	s, d := netip.MustParseAddr(src), netip.MustParseAddr(dst)
	be := binary.BigEndian
	if s.Is6() {
		h := []byte{0x60, 0, 0, 0}
		h = be.AppendUint16(h, uint16(len(payload)))
		h = append(h, protocol, 64)
		return ethernet(0x86dd, slices.Concat(h, s.AsSlice(), d.AsSlice(), payload))
	}
	h := []byte{0x45, 0}
	h = be.AppendUint16(h, uint16(20+len(payload)))
	h = append(h, 0, 0, 0x40, 0, 64, protocol, 0, 0)
	return ethernet(0x0800, slices.Concat(h, s.AsSlice(), d.AsSlice(), payload))
}

const (
	fin = 0x01
	syn = 0x02
	rst = 0x04
	ack = 0x10
)

// tcp is a TCP segment without options.
func tcp(src, dst uint16, flags byte, payload int) []byte {
	b := binary.BigEndian.AppendUint16(nil, src)
	b = binary.BigEndian.AppendUint16(b, dst)
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0, 5<<4, flags, 0, 0, 0, 0, 0, 0)
	return append(b, make([]byte, payload)...)
}

// udp is a UDP datagram.
func udp(src, dst uint16, payload int) []byte {
	b := binary.BigEndian.AppendUint16(nil, src)
	b = binary.BigEndian.AppendUint16(b, dst)
	b = binary.BigEndian.AppendUint16(b, uint16(8+payload))
	return append(b, make([]byte, 2+payload)...)
}

const (
	protoTCP = 6
	protoUDP = 17
)

// client and server are the ends of most hand-made sessions.
const (
	client = "192.0.2.1"
	server = "198.51.100.7"
)

// sent is a TCP packet of the client, answered one of the server.
func sent(flags byte, payload int) []byte {
	return ip(client, server, protoTCP, tcp(40000, 443, flags, payload))
}

func answered(flags byte, payload int) []byte {
	return ip(server, client, protoTCP, tcp(443, 40000, flags, payload))
}
