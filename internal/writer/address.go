package writer

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// putAddress writes the text of an address: dotted decimal for IPv4, RFC 5952
// for IPv6.
func putAddress(b []byte, n int, v Value) int {
	if v.Version == 4 {
		var a [4]byte
		binary.BigEndian.PutUint32(a[:], uint32(v.Hi>>32))
		return putIPv4(b, n, a)
	}
	var a [16]byte
	binary.BigEndian.PutUint64(a[:8], v.Hi)
	binary.BigEndian.PutUint64(a[8:], v.Lo)
	return putIPv6(b, n, a)
}

// putIPv6 writes an IPv6 address as RFC 5952 asks for it, at most 39 bytes.
func putIPv6(b []byte, n int, a [16]byte) int {
	return len(netip.AddrFrom16(a).AppendTo(b[:n]))
}

// octets holds the text of each number below 256 with a point after it, the
// first digit in the lowest byte and zero bytes after the point.
var octets = func() (t [256]uint32) {
	for v := range t {
		t[v] = small[v] | '.'<<((bits.Len32(small[v])+7)&^7)
	}
	return t
}()

// putIPv4 writes an IPv4 address in dotted decimal, and up to 3 bytes after it.
func putIPv4(b []byte, n int, a [4]byte) int {
	for _, octet := range a {
		text := octets[octet]
		binary.LittleEndian.PutUint32(b[n:], text)
		n += (bits.Len32(text) + 7) >> 3
	}
	return n - 1 // without the last point
}
