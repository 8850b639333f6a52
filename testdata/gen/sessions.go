package main

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// exchanges are TCP connections, one for each way to a state of docs/semantics.md,
// "TCP state". C is a packet of the client, S one of the server, and behind it
// are its flags.
var exchanges = []struct{ state, packets string }{
	{"RSTO", "C:s S:sa C:a C:r"},
	{"RSTOS0", "C:s C:r"},
	{"REJ", "C:s S:ra"},
	{"RSTR", "C:s S:sa C:a S:r"},
	{"RSTRH", "S:sa S:r"},
	{"SF", "C:s S:sa C:a C:fa S:fa C:a"},
	{"SF", "C:s S:sa C:a C:fa S:fa S:r"}, // a RST after both FINs does not count
	{"S2", "C:s S:sa C:a C:fa S:a"},
	{"SH", "C:s C:f"},
	{"S3", "C:s S:sa C:a S:fa C:a"},
	{"SHR", "S:sa S:fa"},
	{"S0", "C:s C:s"},
	{"S1", "C:s S:sa C:a"},
	{"OTH", "C:a S:a"},
	{"OTH", "S:sa"}, // answered, but nobody heard of the client
}

// exchange has the packets of a connection, 10 ms apart.
func exchange(t *talk, d time.Duration, packets string) {
	for i, p := range strings.Fields(packets) {
		who, letters, _ := strings.Cut(p, ":")
		var flags uint8
		for _, c := range letters {
			flags |= map[rune]uint8{'s': syn, 'a': ack, 'f': fin, 'r': rst}[c]
		}
		from := 0
		if who == "S" {
			from = 1
		}
		t.send(d+time.Duration(i)*10*ms, from, flags, nil)
	}
}

// tcpStates has the exchanges, the n-th with client port 40000 + n, and a UDP
// packet.
func tcpStates() capture {
	var records []record
	for i, e := range exchanges {
		t := newTalk(between("192.0.2.10", uint16(40000+i), "198.51.100.80", 80))
		exchange(t, time.Duration(i)*time.Second, e.packets)
		records = append(records, t.records...)
	}
	records = append(records, at(time.Duration(len(exchanges))*time.Second, frame(clientServer.udp(text(10)))))
	return pcap(linkEthernet, records...)
}

// sessionEnds has a 5-tuple for each case of the rules that end sessions, told
// by its client port, with packets at its borders.
func sessionEnds() capture {
	const second = time.Second
	var records []record
	port := uint16(50000)
	connection := func(packets func(t *talk)) {
		t := newTalk(between("192.0.2.10", port, "198.51.100.80", 80))
		port++
		packets(t)
		records = append(records, t.records...)
	}
	// 50000: closed by both, a late ACK, and opened again.
	connection(func(t *talk) { exchange(t, 0, "C:s S:sa C:a C:fa S:fa C:a"); exchange(t, second, "C:s S:sa C:a") })
	// 50001: FIN from one side only.
	connection(func(t *talk) { exchange(t, 0, "C:s S:sa C:a C:fa S:a"); exchange(t, second, "C:s") })
	// 50002: a RST, and opened again.
	connection(func(t *talk) { exchange(t, 0, "C:s S:ra"); exchange(t, second, "C:s S:ra") })
	// 50003: a SYN that is sent again.
	connection(func(t *talk) { exchange(t, 0, "C:s"); exchange(t, second, "C:s S:sa C:a") })
	// 50004: 50, 100 and 100.000001 s after the first packet.
	connection(func(t *talk) {
		for _, d := range []time.Duration{0, 50 * second, 100 * second, 100*second + time.Microsecond} {
			exchange(t, d, "C:a")
		}
	})
	// 50005: closed, and 60 s and 60.000001 s of silence.
	connection(func(t *talk) {
		for _, d := range []time.Duration{0, 60 * second, 120*second + time.Microsecond} {
			exchange(t, d, "C:r")
		}
	})
	slices.SortStableFunc(records, func(a, b record) int { return cmp.Compare(a.ns, b.ns) })
	// 50006: the clock is 5 s earlier when the connection is opened again.
	connection(func(t *talk) {
		exchange(t, 200*second, "C:s S:ra")
		exchange(t, 195*second, "C:s S:sa C:a")
	})
	return pcap(linkEthernet, records...)
}
