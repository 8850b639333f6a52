package main

import "math"

// captureNs is the time a capture spans at every scale, about: a smaller
// scale has fewer packets a second, so that the part of the sessions that is
// alive at any moment stays the same.
const captureNs = int64(300e9)

// maxLifeNs bounds the expected life of a session.
const maxLifeNs = int64(120e9)

// kind is a shape of traffic.
type kind struct {
	name     string
	about    string
	packets  int64 // at scale 1
	sessions int64 // at scale 1, about
	// size draws the number of packets of a session, 1 to limit.
	size func(r *rng, limit int64) int64
	// shape fills in everything else; serial is unique in the capture.
	shape func(s *session, r *rng, serial uint64)
	// burst is the number of packets of one great session before every
	// packet of the others; 0: no such session.
	burst int64
}

var kinds = []kind{
	{name: "mix", about: "Pareto session sizes, TCP, UDP and ICMP over IPv4 and IPv6", packets: 10_000_000, sessions: 1_100_000, size: paretoSize, shape: mixShape},
	{name: "scan", about: "sessions of 1 to 3 packets", packets: 4_600_000, sessions: 2_600_000, size: scanSize, shape: scanShape},
	{name: "elephant", about: "one session with 80 % of the packets, mix in between", packets: 10_000_000, sessions: 220_000, size: paretoSize, shape: mixShape, burst: 4},
	{name: "victim", about: "mix between two addresses: only ports differ", packets: 10_000_000, sessions: 1_100_000, size: paretoSize, shape: victimShape},
}

func kindByName(name string) (kind, bool) {
	for _, k := range kinds {
		if k.name == name {
			return k, true
		}
	}
	return kind{}, false
}

// session is a session of which packets are still to be generated.
type session struct {
	client, server endpoint
	proto          byte
	ipv6           bool
	text           bool   // payloads are readable
	options        int    // bytes of TCP options
	answers        uint64 // percent of the packets that the server sends
	// Payload sizes in bytes: below small of one side's packets, and large
	// for the share of the server's packets given by full, in percent.
	small uint64
	full  uint64
	gapNs int64 // mean
	sent  int64
	left  int64
	seq   [2]uint32 // next sequence number, client's and server's
}

// paretoSize draws from a Pareto distribution with exponent 8/7, rounded
// down. Square roots and single operations are exact to the last bit on every
// platform; math.Pow is not.
func paretoSize(r *rng, limit int64) int64 {
	x := float64(1<<32) / float64(r.below(1<<32)+1)
	eighth := math.Sqrt(math.Sqrt(math.Sqrt(x)))
	return max(1, min(int64(1.61*(x/eighth)), limit))
}

func scanSize(r *rng, _ int64) int64 {
	switch d := r.below(100); {
	case d < 45:
		return 1
	case d < 78:
		return 2
	}
	return 3
}

// permuted returns two numbers, a < 60000 and b < 65000, a pair that no other
// serial has. The multiplier is a prime that does not divide 60000*65000.
// Requires: serial < 60000*65000.
func permuted(serial uint64) (a uint16, b uint32) {
	p := serial * 2654435761 % (60000 * 65000)
	return uint16(p % 60000), uint32(p / 60000)
}

const (
	net10     = 10 << 24         // clients
	net198_18 = 198<<24 | 18<<16 // servers: benchmarking addresses (RFC 2544)
	net172_16 = 172<<24 | 16<<16 // targets of echo requests
)

func mixShape(s *session, r *rng, serial uint64) {
	port, host := permuted(serial)
	s.ipv6 = r.chance(20)
	s.client = endpoint{net10 | host, 1024 + port}
	// The product of two draws: some servers are much busier than others.
	s.server = endpoint{host: net198_18 | uint32(r.below(1+r.below(1<<17)))}
	switch d := r.below(100); {
	case d < 64:
		tcpShape(s, r)
	case d < 97:
		udpShape(s, r)
	default:
		echoShape(s, port)
	}
	s.text = r.chance(65)
	spread(s, r)
}

// spread sets the mean gap: 16 ms to 33 s, as many in every octave.
func spread(s *session, r *rng) {
	gap := int64(16e6) << r.below(11)
	s.gapNs = min(gap+int64(r.below(uint64(gap))), maxLifeNs/s.left)
}

func tcpShape(s *session, r *rng) {
	ports := [8]uint16{443, 443, 443, 443, 80, 80, 22, 8080}
	s.proto = protoTCP
	s.server.port = ports[r.below(8)]
	s.seq = [2]uint32{uint32(r.next()), uint32(r.next())}
	if r.chance(50) {
		s.options = 12
	}
	switch d := r.below(100); {
	case d < 35:
		s.small, s.full, s.answers = 120, 0, 50
	case d < 68:
		s.small, s.full, s.answers = 740, 12, 50
	default:
		s.small, s.full, s.answers = 60, 90, 60
	}
}

func udpShape(s *session, r *rng) {
	ports := [4]uint16{53, 443, 123, 5060}
	s.proto = protoUDP
	s.server.port = ports[r.below(4)]
	s.small, s.full, s.answers = 540, 19, 50
}

func echoShape(s *session, unique uint16) {
	s.proto = protoICMP
	if s.ipv6 {
		s.proto = protoICMPv6
	}
	s.client.port, s.server.port = 0, 0
	s.server.host = net172_16 | uint32(unique)
	s.small, s.full, s.answers = 64, 0, 50
}

func victimShape(s *session, r *rng, serial uint64) {
	mixShape(s, r, serial)
	if s.proto != protoTCP && s.proto != protoUDP {
		udpShape(s, r) // without ports all of them would be one session
	}
	port, other := permuted(serial)
	s.ipv6 = false
	s.client = endpoint{net10 | 1, 1024 + port}
	s.server = endpoint{net198_18 | 1, uint16(1 + other)}
}

func scanShape(s *session, r *rng, serial uint64) {
	port, host := permuted(serial)
	s.proto = protoTCP
	s.client = endpoint{net198_18 | uint32(r.below(16)), uint16(32768 + r.below(28000))}
	s.server = endpoint{net10 | host, 1 + port}
	s.answers = 50
	s.seq = [2]uint32{uint32(r.next()), uint32(r.next())}
	s.gapNs = int64(20e6 + r.below(180e6))
}
