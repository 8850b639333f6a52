package main

import (
	"encoding/binary"
	"math"
	"time"
)

// split returns the example cut in two by time, and dealt out to two captures
// that overlap.
func split() (earlier, later, even, odd capture) {
	x := example()
	var dealt [2][]record
	for i, r := range x {
		dealt[i%2] = append(dealt[i%2], r)
	}
	half := len(x) / 2
	return pcap(linkEthernet, x[:half]...), pcap(linkEthernet, x[half:]...),
		pcap(linkEthernet, dealt[0]...), pcap(linkEthernet, dealt[1]...)
}

// reordered has packets at 0, 1, 0.4, 0.9 and 2 s of one session, and one of
// another session in between, whose clock does not run back.
func reordered() capture {
	e, other := clientServer, between("192.0.2.11", 40000, "198.51.100.9", 50000)
	udp := func(e ends, d time.Duration) record { return at(d, frame(e.udp(text(10)))) }
	return pcap(linkEthernet, udp(e, 0), udp(e, 1000*ms), udp(other, 300*ms), udp(e, 400*ms), udp(e, 900*ms),
		udp(other, 500*ms), udp(e, 2000*ms))
}

func nanosecondDigits() capture {
	e := clientServer
	var records []record
	for _, d := range []time.Duration{1, 2, 1_000_000_001, 1_000_000_004, 1_999_999_999} {
		records = append(records, at(d, frame(e.udp(text(10)))))
	}
	return pcapFormat{nano: true, link: linkEthernet}.file(records...)
}

func onePacketSessions() capture {
	return pcap(linkEthernet, every(time.Second,
		frame(clientServer.udp(text(10))),
		frame(between("192.0.2.10", 40001, "198.51.100.9", 50000).tcp(syn, 1, 0, nil)),
		frame(between("192.0.2.10", 0, "203.0.113.7", 0).icmp(8, 0, 1, text(8))),
		frame(clientServer6.udp(text(10))))...)
}

// finDoesNotEnd opens and closes a connection three times with the same
// ports, the last time by a reset.
func finDoesNotEnd() capture {
	t := newTalk(between("192.0.2.10", 49152, "198.51.100.80", 80))
	t.open(0, 10*ms)
	t.close(100*ms, 10*ms)
	t.open(2000*ms, 10*ms)
	t.close(2100*ms, 10*ms)
	t.open(4000*ms, 10*ms)
	t.client(4100*ms, rst|ack, nil)
	return pcap(linkEthernet, t.records...)
}

// idleGaps has gaps around the default idle threshold of 5 s:
// 5 s, 1 ns more, 1 ns less, 20 s and none.
func idleGaps() capture {
	e := clientServer
	var records []record
	var d time.Duration
	for _, gap := range []time.Duration{0, 5e9, 5e9 + 1, 5e9 - 1, 20e9, 0} {
		d += gap
		records = append(records, at(d, frame(e.udp(text(10)))))
	}
	return pcapFormat{nano: true, link: linkEthernet}.file(records...)
}

// oddTimes has seconds beyond 2^31 and microsecond fields of a second and more.
func oddTimes() capture {
	c := pcap(linkEthernet, every(time.Second, frame(clientServer.udp(text(10))), frame(clientServer.udp(text(20))),
		frame(clientServer.udp(text(30))))...)
	size := 16 + len(c.records[0].data)
	second, third := 24+size, 24+2*size+10
	binary.LittleEndian.PutUint32(c.data[second+4:], 2_500_000)
	binary.LittleEndian.PutUint32(c.data[third:], math.MaxUint32)
	c.records[1].ns += 2_500_000_000
	c.records[2].ns = math.MaxUint32 * 1_000_000_000
	return c
}

// clampedTimes has timestamps beyond both ends of int64 nanoseconds.
func clampedTimes() capture {
	w := newPcapng(binary.LittleEndian)
	offset := func(s int64) []byte { return w.options(w.option(optTSOffset, w.o.AppendUint64(nil, uint64(s)))) }
	w.iface(linkEthernet, snaplenWhole, offset(math.MinInt64))
	w.iface(linkEthernet, snaplenWhole, offset(math.MaxInt64))
	early := record{ns: math.MinInt64, data: frame(clientServer.udp(text(10)))}
	late := record{ns: math.MaxInt64, data: frame(clientServer.udp(text(20)))}
	early.wire, late.wire = len(early.data), len(late.data)
	w.packet(0, 0, early)
	w.packet(1, math.MaxUint64, late)
	return w.capture()
}
