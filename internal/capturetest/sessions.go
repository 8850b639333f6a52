package capturetest

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"slices"
)

// ManySessions are n packets of about n/2 sessions, all small, in time order,
// with some that come late and some long gaps.
func ManySessions(seed uint64, n int) []Record {
	rng := rand.New(rand.NewPCG(seed, 4))
	records := make([]Record, n)
	time := Begin
	for i := range records {
		time += 1 + rng.Int64N(2_000_000)
		if rng.IntN(n/4) == 0 {
			time += 30 * Second
		}
		host := rng.IntN(n / 2)
		src := netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, 0x0a000000+uint32(host)))).String()
		at := time
		if rng.IntN(50) == 0 {
			at -= rng.Int64N(3_000_000)
		}
		records[i] = Record{Time: at, Data: IP(src, "192.0.2.1", ProtoUDP, UDP(uint16(host%7), 53, rng.IntN(40)))}
	}
	return records
}

// Churn are n packets, 1 ms apart, of sessions that come and go, and of a
// few that stay. Some packets are of a session that is long over; some of those
// carry a time at which it was not.
func Churn(seed uint64, n int) []Record {
	rng := rand.New(rand.NewPCG(seed, 6))
	records := make([]Record, n)
	for i := range records {
		host, at := i/2+rng.IntN(400), Begin+int64(i)*1_000_000+rng.Int64N(1000)
		switch rng.IntN(40) {
		case 0, 1, 2, 3:
			host = n + rng.IntN(n/400)
		case 4:
			host = rng.IntN(i/2 + 1)
		case 5:
			back := rng.Int64N(int64(i) + 1)
			host, at = max(0, (i-int(back))/2+rng.IntN(100)-50), at-back*1_000_000
		case 6:
			at -= rng.Int64N(5_000_000)
		}
		src := netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, 0x0a000000+uint32(host)))).String()
		records[i] = Record{Time: at, Data: IP(src, "192.0.2.1", ProtoUDP, UDP(uint16(host%7), 53, rng.IntN(40)))}
	}
	records[0].Time = Begin // of the first capture, when they are dealt out
	return records
}

// Traffic is n packets of sessions from one packet to hundreds, in time order,
// no two at the same time: of equal times nobody could tell which was first.
// flows has the session of each. A few datagrams are in fragments.
func Traffic(n int) (records []Record, flows []int) {
	rng := rand.New(rand.NewPCG(1, 2))
	time := Begin
	for len(records) < n {
		time += 1 + rng.Int64N(40_000_000)
		flow := int(rng.ExpFloat64() * 60)
		src, dst, sport, dport := Client, Server, uint16(1024+flow), uint16(443)
		if rng.IntN(2) == 0 && flow%3 > 0 {
			src, dst, sport, dport = dst, src, dport, sport
		}
		if flow%3 == 0 {
			data := IP(src, dst, ProtoUDP, UDP(sport, dport, rng.IntN(1200)))
			if flow%9 == 0 {
				first, rest := fragmented(data, uint16(len(records)))
				records = append(records, Record{Time: time, Data: first})
				flows = append(flows, flow)
				time += 1 + rng.Int64N(1000)
				data = rest
			}
			records = append(records, Record{Time: time, Data: data})
		} else {
			records = append(records, Record{Time: time, Data: IP(src, dst, ProtoTCP, TCP(sport, dport, ACK, rng.IntN(1400)))})
		}
		flows = append(flows, flow)
	}
	return records, flows
}

// fragmented cuts an Ethernet frame with an IPv4 datagram behind the first 8
// bytes of its payload.
func fragmented(frame []byte, id uint16) (first, rest []byte) {
	const ethernet, header, cut = 14, 20, 8
	first = bytes.Clone(frame[:ethernet+header+cut])
	rest = slices.Concat(frame[:ethernet+header], frame[ethernet+header+cut:])
	for i, f := range [][]byte{first, rest} {
		h := f[ethernet:]
		binary.BigEndian.PutUint16(h[2:], uint16(len(h)))
		binary.BigEndian.PutUint16(h[4:], id)
		binary.BigEndian.PutUint16(h[6:], []uint16{0x2000, cut / 8}[i]) // more fragments; offset
	}
	return first, rest
}

// ManyLinks is a pcapng capture with a packet of each link type there can be.
func ManyLinks() []byte {
	data := section()
	for link := range uint32(1 << 16) {
		data = description(data, link)
	}
	for link := range uint32(1 << 16) {
		data = shortPacket(data, link, 0)
	}
	return data
}

// ManyInterfaces is a pcapng capture with a packet, then as many interfaces as a
// section may have, and a packet of some of them, one after the other in time.
func ManyInterfaces() []byte {
	const most = 1 << 18
	data := shortPacket(description(section(), 1), 0, 0)
	for range most - 1 {
		data = description(data, 1)
	}
	for id := uint32(0); id < most; id += 100 {
		data = shortPacket(data, id, id)
	}
	return data
}

// section is the section header of a pcapng capture, little-endian.
func section() []byte {
	return pcapngBlock(nil, 0x0a0d0d0a, []byte("\x4d\x3c\x2b\x1a\x01\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff"))
}

// description appends an interface of a link type.
func description(data []byte, link uint32) []byte {
	return pcapngBlock(data, 1, binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, link), 0))
}

// shortPacket appends a packet of 4 bytes of an interface; time is in microseconds
// since a second of 1970.
func shortPacket(data []byte, id, time uint32) []byte {
	var body []byte
	for _, v := range []uint32{id, 5, time, 4, 4, 0} {
		body = binary.LittleEndian.AppendUint32(body, v)
	}
	return pcapngBlock(data, 6, body)
}

func pcapngBlock(data []byte, kind uint32, body []byte) []byte {
	le := binary.LittleEndian
	size := uint32(len(body) + 12)
	return le.AppendUint32(append(le.AppendUint32(le.AppendUint32(data, kind), size), body...), size)
}
