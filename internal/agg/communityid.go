package agg

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
)

// AppendCommunityID appends the Community ID of the first packet of s to dst:
// version 1 of the specification (github.com/corelight/community-id-spec), with
// seed 0. It is a hash of protocol, addresses and ports, the smaller endpoint
// first. ICMP messages that come in pairs have the type, and the type of the
// other of the pair, as ports; all others type and code, and keep their
// direction.
//
// Requires: the table keeps what NeedCommunityID asks for.
func AppendCommunityID(dst []byte, s *Summary) []byte {
	k := s.Key
	size := 4
	if k.Version == 6 {
		size = 16
	}
	oneWay, ports := false, k.Protocol == 6 || k.Protocol == 17 || k.Protocol == 132
	if s.IP.ICMP.Defined {
		k.SrcPort, k.DstPort, oneWay = icmpPorts(k.Protocol, &s.IP.ICMP)
		ports = true
	}
	c := bytes.Compare(k.Src[:size], k.Dst[:size])
	if !oneWay && (c > 0 || c == 0 && k.SrcPort >= k.DstPort) {
		k.Reverse()
	}
	var b [2 + 16 + 16 + 2 + 4]byte // begins with the seed
	n := 2
	n += copy(b[n:], k.Src[:size])
	n += copy(b[n:], k.Dst[:size])
	b[n] = k.Protocol
	n += 2
	if ports {
		binary.BigEndian.PutUint16(b[n:], k.SrcPort)
		binary.BigEndian.PutUint16(b[n+2:], k.DstPort)
		n += 4
	}
	sum := sha1.Sum(b[:n])
	dst = append(dst, "1:"...)
	return base64.StdEncoding.AppendEncode(dst, sum[:])
}

// pairs are ICMP and ICMPv6 types of which one answers the other.
var (
	pairs4 = [...][2]uint8{{8, 0}, {13, 14}, {15, 16}, {10, 9}, {17, 18}}
	pairs6 = [...][2]uint8{{128, 129}, {133, 134}, {135, 136}, {130, 131}, {144, 145}, {139, 140}}
)

// icmpPorts returns what stands for the ports of an ICMP message.
func icmpPorts(protocol uint8, m *ICMP) (src, dst uint16, oneWay bool) {
	pairs := pairs4[:]
	if protocol == 58 {
		pairs = pairs6[:]
	}
	for _, p := range pairs {
		switch m.Type {
		case p[0]:
			return uint16(p[0]), uint16(p[1]), false
		case p[1]:
			return uint16(p[1]), uint16(p[0]), false
		}
	}
	return uint16(m.Type), uint16(m.Code), true
}
