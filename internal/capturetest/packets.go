// Package capturetest makes captures for tests: by hand, packet by packet, and
// of many random sessions. Only tests import it.
//
// There is just enough of each header for the decoder. Checksums are 0, which
// nothing looks at.
package capturetest

import (
	"encoding/binary"
	"net/netip"
	"slices"
)

// Second is in ns.
const Second = 1_000_000_000

// Begin is the time of most first packets, in ns: 2023-11-14T22:13:20Z.
const Begin int64 = 1_700_000_000 * Second

// A Record is one packet entry of a hand-made capture.
type Record struct {
	Time int64 // ns since the epoch
	Wire int   // wire length; 0: that of Data
	Data []byte
}

// Pcap is a nanosecond capture of link type Ethernet, little-endian.
func Pcap(records ...Record) []byte { return classicPcap(0xa1b23c4d, 1, records) }

// MicroPcap is a microsecond capture.
func MicroPcap(records ...Record) []byte { return classicPcap(0xa1b2c3d4, 1000, records) }

func classicPcap(magic uint32, unit int64, records []Record) []byte {
	le := binary.LittleEndian
	size := 24
	for _, r := range records {
		size += 16 + len(r.Data)
	}
	b := le.AppendUint32(make([]byte, 0, size), magic)
	b = le.AppendUint16(b, 2)
	b = le.AppendUint16(b, 4)
	b = append(b, make([]byte, 8)...)
	b = le.AppendUint32(b, 262144)
	b = le.AppendUint32(b, 1)
	for _, r := range records {
		b = appendRecord(b, unit, r)
	}
	return b
}

// AppendRecord appends a packet to a capture of Pcap.
func AppendRecord(b []byte, r Record) []byte { return appendRecord(b, 1, r) }

func appendRecord(b []byte, unit int64, r Record) []byte {
	le := binary.LittleEndian
	wire := r.Wire
	if wire == 0 {
		wire = len(r.Data)
	}
	b = le.AppendUint32(b, uint32(r.Time/Second))
	b = le.AppendUint32(b, uint32(r.Time%Second/unit))
	b = le.AppendUint32(b, uint32(len(r.Data)))
	b = le.AppendUint32(b, uint32(wire))
	return append(b, r.Data...)
}

// Ethernet is a frame from and to address 0.
func Ethernet(etherType uint16, payload []byte) []byte {
	b := make([]byte, 12, 14+len(payload))
	b = binary.BigEndian.AppendUint16(b, etherType)
	return append(b, payload...)
}

// IP is an Ethernet frame with an IP packet, of the version of the addresses.
func IP(src, dst string, protocol byte, payload []byte) []byte {
	s, d := netip.MustParseAddr(src), netip.MustParseAddr(dst)
	be := binary.BigEndian
	if s.Is6() {
		h := []byte{0x60, 0, 0, 0}
		h = be.AppendUint16(h, uint16(len(payload)))
		h = append(h, protocol, 64)
		return Ethernet(0x86dd, slices.Concat(h, s.AsSlice(), d.AsSlice(), payload))
	}
	h := []byte{0x45, 0}
	h = be.AppendUint16(h, uint16(20+len(payload)))
	h = append(h, 0, 0, 0x40, 0, 64, protocol, 0, 0)
	return Ethernet(0x0800, slices.Concat(h, s.AsSlice(), d.AsSlice(), payload))
}

// TCP flags.
const (
	FIN = 0x01
	SYN = 0x02
	RST = 0x04
	ACK = 0x10
)

// TCP is a TCP segment without options.
func TCP(src, dst uint16, flags byte, payload int) []byte {
	b := binary.BigEndian.AppendUint16(nil, src)
	b = binary.BigEndian.AppendUint16(b, dst)
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0, 5<<4, flags, 0, 0, 0, 0, 0, 0)
	return append(b, make([]byte, payload)...)
}

// UDP is a UDP datagram.
func UDP(src, dst uint16, payload int) []byte {
	b := binary.BigEndian.AppendUint16(nil, src)
	b = binary.BigEndian.AppendUint16(b, dst)
	b = binary.BigEndian.AppendUint16(b, uint16(8+payload))
	return append(b, make([]byte, 2+payload)...)
}

// IP protocols.
const (
	ProtoTCP = 6
	ProtoUDP = 17
)

// Client and Server are the ends of most hand-made sessions.
const (
	Client = "192.0.2.1"
	Server = "198.51.100.7"
)

// Sent is a TCP packet of the client.
func Sent(flags byte, payload int) []byte {
	return IP(Client, Server, ProtoTCP, TCP(40000, 443, flags, payload))
}

// Answered is a TCP packet of the server, of the same session as Sent.
func Answered(flags byte, payload int) []byte {
	return IP(Server, Client, ProtoTCP, TCP(443, 40000, flags, payload))
}
