package writer

import "net/netip"

// appendAddress appends the text of an address: dotted decimal for IPv4, RFC
// 5952 for IPv6.
func appendAddress(dst []byte, version uint8, a *[16]byte) []byte {
	if version != 4 {
		return netip.AddrFrom16(*a).AppendTo(dst)
	}
	for i, b := range a[:4] {
		if i > 0 {
			dst = append(dst, '.')
		}
		dst = appendByte(dst, b)
	}
	return dst
}

func appendByte(dst []byte, b byte) []byte {
	if b < 100 {
		return appendUint(dst, uint64(b))
	}
	d := 2 * int(b%100)
	return append(dst, '0'+b/100, digits[d], digits[d+1])
}
