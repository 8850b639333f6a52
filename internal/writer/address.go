package writer

import (
	"encoding/binary"
	"net/netip"
)

// putAddress writes the text of an address: dotted decimal for IPv4, RFC 5952
// for IPv6.
func putAddress(b []byte, n int, v Value) int {
	if v.Version != 4 {
		var a [16]byte
		binary.BigEndian.PutUint64(a[:8], v.Hi)
		binary.BigEndian.PutUint64(a[8:], v.Lo)
		return len(netip.AddrFrom16(a).AppendTo(b[:n]))
	}
	n = putOctet(b, n, byte(v.Hi>>56))
	b[n] = '.'
	n = putOctet(b, n+1, byte(v.Hi>>48))
	b[n] = '.'
	n = putOctet(b, n+1, byte(v.Hi>>40))
	b[n] = '.'
	n = putOctet(b, n+1, byte(v.Hi>>32))
	return n
}

func putOctet(b []byte, n int, octet byte) int {
	if octet < 100 {
		return putUint(b, n, uint64(octet))
	}
	b[n] = '0' + octet/100
	put2(b, n+1, uint64(octet%100))
	return n + 3
}
