package writer

import "net/netip"

// putAddress writes the text of an address: dotted decimal for IPv4, RFC 5952
// for IPv6.
func putAddress(b []byte, n int, version uint8, a *[16]byte) int {
	if version != 4 {
		return len(netip.AddrFrom16(*a).AppendTo(b[:n]))
	}
	n = putOctet(b, n, a[0])
	for _, octet := range a[1:4] {
		b[n] = '.'
		n = putOctet(b, n+1, octet)
	}
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
