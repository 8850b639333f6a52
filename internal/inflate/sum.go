package inflate

import (
	"hash/crc32"
	"math/bits"
)

// combineSums gives the CRC-32 of a string A followed by a string B of n
// bytes, from the sums of both: sum(A)*x^(8n) + sum(B) in the field of
// polynomials modulo the CRC's, where the bits of a sum are coefficients, the
// highest first.
func combineSums(a, b uint32, n int64) uint32 {
	if a == 0 {
		return b
	}
	power := uint32(1 << 31)  // x^0
	square := uint32(1 << 23) // x^8
	for ; n > 0; n >>= 1 {
		if n&1 != 0 {
			power = multiply(power, square)
		}
		square = multiply(square, square)
	}
	return multiply(a, power) ^ b
}

// multiply multiplies two polynomials modulo the CRC's.
func multiply(a, b uint32) uint32 {
	p := uint32(0)
	for ; a != 0; a &^= 1 << 31 {
		shift := bits.LeadingZeros32(a)
		a <<= shift
		for range shift {
			b = b>>1 ^ crc32.IEEE&-(b&1)
		}
		p ^= b
	}
	return p
}
