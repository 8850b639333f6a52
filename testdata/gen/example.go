package main

import (
	"fmt"
	"time"
)

const ms = time.Millisecond

// example is the capture of the README: two DNS look-ups, a web download that
// pauses for 7.5 s, five pings and an IPv6 session, with the ARP and neighbour
// discovery that precede them. Times are whole microseconds.
func example() []record {
	return byTime(arp(), dns(), download(), pings(), ipv6Session())
}

func arp() []record {
	const request, reply = 1, 2
	message := func(op uint16, from, to []byte, fromIP, toIP byte) []byte {
		return cat(be16(1, 0x0800, 0x0604, op), from, []byte{192, 0, 2, fromIP}, to, []byte{192, 0, 2, toIP})
	}
	ask := message(request, mac(10), make([]byte, 6), 10, 1)
	answer := message(reply, mac(1), mac(10), 1, 10)
	return []record{
		at(0, cat([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, mac(10), be16(0x0806), ask)),
		at(400*time.Microsecond, eth(1, 10, 0x0806, answer)),
	}
}

// Types of a DNS question.
const (
	typeA    = 1
	typeAAAA = 28
)

// dnsName is www.example.com in DNS form.
const dnsName = "\x03www\x07example\x03com\x00"

func dnsQuery(id, typ uint16) []byte {
	return cat(be16(id, 0x0100, 1, 0, 0, 0), []byte(dnsName), be16(typ, 1))
}

func dnsAnswer(id, typ uint16, address []byte) []byte {
	return cat(be16(id, 0x8180, 1, 1, 0, 0), []byte(dnsName), be16(typ, 1),
		be16(0xc00c, typ, 1), be32(3600), be16(uint16(len(address))), address)
}

func dns() []record {
	a := between("192.0.2.10", 53124, "192.0.2.53", 53)
	aaaa := between("192.0.2.10", 53125, "192.0.2.53", 53)
	six := between("2001:db8::10", 0, "2001:db8:1::50", 0).dst
	return []record{
		at(2*ms, frame(a.udp(dnsQuery(0x1a2b, typeA)))),
		at(2100*time.Microsecond, frame(aaaa.udp(dnsQuery(0x1a2c, typeAAAA)))),
		at(18*ms, frame(a.back().udp(dnsAnswer(0x1a2b, typeA, []byte{198, 51, 100, 80})))),
		at(25250*time.Microsecond, frame(aaaa.back().udp(dnsAnswer(0x1a2c, typeAAAA, six.AsSlice())))),
	}
}

// talk is a TCP conversation that keeps its sequence numbers.
type talk struct {
	ends
	next    [2]uint32 // of the client, of the server
	records []record
}

func newTalk(e ends) *talk { return &talk{ends: e, next: [2]uint32{1000, 5000}} }

func (t *talk) client(d time.Duration, flags uint8, payload []byte) { t.send(d, 0, flags, payload) }
func (t *talk) server(d time.Duration, flags uint8, payload []byte) { t.send(d, 1, flags, payload) }

func (t *talk) send(d time.Duration, who int, flags uint8, payload []byte) {
	e, acked := t.ends, t.next[1-who]
	if who == 1 {
		e = e.back()
	}
	if flags&ack == 0 {
		acked = 0
	}
	t.records = append(t.records, at(d, frame(e.tcp(flags, t.next[who], acked, payload))))
	t.next[who] += uint32(len(payload))
	if flags&(syn|fin) != 0 {
		t.next[who]++
	}
}

// open is the three-way handshake, rtt long.
func (t *talk) open(d, rtt time.Duration) {
	t.client(d, syn, nil)
	t.server(d+rtt, syn|ack, nil)
	t.client(d+rtt+100*time.Microsecond, ack, nil)
}

// close is FIN, FIN, ACK, begun by the client.
func (t *talk) close(d, rtt time.Duration) {
	t.client(d, fin|ack, nil)
	t.server(d+rtt, fin|ack, nil)
	t.client(d+rtt+100*time.Microsecond, ack, nil)
}

// get asks for path and receives size bytes of body in segments of at most
// 536 bytes, every second one acknowledged.
func (t *talk) get(d time.Duration, path string, size int) {
	t.client(d, psh|ack, fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: www.example.com\r\n\r\n", path))
	d += 20 * ms
	t.server(d, ack, nil)
	rest := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s", size, text(size))
	for i := 1; len(rest) > 0; i++ {
		n := min(536, len(rest))
		d += time.Duration(i*137) * time.Microsecond
		t.server(d, psh|ack, rest[:n])
		if rest = rest[n:]; i%2 == 0 || len(rest) == 0 {
			t.client(d+50*time.Microsecond, ack, nil)
		}
	}
}

func download() []record {
	t := newTalk(between("192.0.2.10", 49152, "198.51.100.80", 80))
	t.open(30*ms, 20*ms)
	t.get(51*ms, "/", 4000)
	t.get(7600*ms, "/more", 1000)
	t.close(7700*ms, 20*ms)
	return t.records
}

func pings() (records []record) {
	e := between("192.0.2.10", 0, "203.0.113.7", 0)
	for i := range 5 {
		sent := time.Duration(i+1) * time.Second
		rest := 0x0a01_0000 | uint32(i+1) // identifier, sequence number
		records = append(records,
			at(sent, frame(e.icmp(8, 0, rest, text(56)))),
			at(sent+31*ms+time.Duration(i*250)*time.Microsecond, frame(e.back().icmp(0, 0, rest, text(56)))))
	}
	return records
}

func ipv6Session() []record {
	router := between("2001:db8::10", 0, "2001:db8::1", 0)
	solicit := cat(router.dst.AsSlice(), []byte{1, 1}, mac(0x10))
	advert := cat(router.dst.AsSlice(), []byte{2, 1}, mac(1))
	t := newTalk(between("2001:db8::10", 49153, "2001:db8:1::50", 8080))
	t.open(2600*ms, 12*ms)
	t.get(2613*ms, "/six", 1500)
	t.close(2700*ms, 12*ms)
	return append([]record{
		at(2598*ms, frame(router.icmp(135, 0, 0, solicit))),
		at(2598500*time.Microsecond, frame(router.back().icmp(136, 0, 0xe0000000, advert))),
	}, t.records...)
}
