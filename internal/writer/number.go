package writer

import (
	"math/bits"
	"strconv"
)

// digits holds the two digits of each number below 100.
const digits = "" +
	"00010203040506070809" + "10111213141516171819" +
	"20212223242526272829" + "30313233343536373839" +
	"40414243444546474849" + "50515253545556575859" +
	"60616263646566676869" + "70717273747576777879" +
	"80818283848586878889" + "90919293949596979899"

// appendUint appends v in decimal.
func appendUint(dst []byte, v uint64) []byte {
	if v < 10 {
		return append(dst, byte('0'+v))
	}
	if v < 100 {
		return append(dst, digits[2*v], digits[2*v+1])
	}
	var buf [20]byte
	i := len(buf)
	for v >= 100 {
		q := v / 100
		d := 2 * (v - 100*q)
		i -= 2
		buf[i], buf[i+1] = digits[d], digits[d+1]
		v = q
	}
	if v >= 10 {
		i -= 2
		buf[i], buf[i+1] = digits[2*v], digits[2*v+1]
	} else {
		i--
		buf[i] = byte('0' + v)
	}
	return append(dst, buf[i:]...)
}

func appendInt(dst []byte, v int64) []byte { return strconv.AppendInt(dst, v, 10) }

// appendNano appends v billionths: nanoseconds as seconds. At least one and at
// most nine decimals; trailing zeros are cut.
func appendNano(dst []byte, v uint64) []byte {
	whole := v / 1e9
	rest := v - whole*1e9
	dst = appendUint(dst, whole)
	if rest == 0 {
		return append(dst, '.', '0')
	}
	hi := rest / 1e5
	lo := rest - hi*1e5
	d := [10]byte{0: '.'}
	put2(d[1:], hi/100)
	put2(d[3:], hi%100)
	d[5] = byte('0' + lo/1e4)
	lo %= 1e4
	put2(d[6:], lo/100)
	put2(d[8:], lo%100)
	return appendTrimmed(dst, d[:])
}

// appendMicro appends v millionths, as appendNano with at most six decimals.
func appendMicro(dst []byte, v uint64) []byte {
	whole := v / 1e6
	return appendMillionths(appendUint(dst, whole), uint32(v-whole*1e6))
}

func appendMillionths(dst []byte, rest uint32) []byte {
	if rest == 0 {
		return append(dst, '.', '0')
	}
	d := [7]byte{0: '.'}
	put2(d[1:], uint64(rest/1e4))
	put2(d[3:], uint64(rest/100%100))
	put2(d[5:], uint64(rest%100))
	return appendTrimmed(dst, d[:])
}

// appendMicro128 appends hi<<64|lo millionths. Requires: the whole part is
// below 10^38, which every rate is.
func appendMicro128(dst []byte, hi, lo uint64) []byte {
	if hi == 0 {
		return appendMicro(dst, lo)
	}
	wholeHi, rest := hi/1e6, hi%1e6
	wholeLo, rest := bits.Div64(rest, lo, 1e6)
	if wholeHi == 0 {
		dst = appendUint(dst, wholeLo)
	} else {
		dst = appendUint128(dst, wholeHi, wholeLo)
	}
	return appendMillionths(dst, uint32(rest))
}

// appendUint128 appends hi<<64|lo. Requires: below 10^38.
func appendUint128(dst []byte, hi, lo uint64) []byte {
	const e19 = 1e19
	top, low := bits.Div64(hi%e19, lo, e19)
	dst = appendUint(dst, top)
	var buf [19]byte
	for i := len(buf) - 1; i >= 0; i-- {
		buf[i] = byte('0' + low%10)
		low /= 10
	}
	return append(dst, buf[:]...)
}

func put2(d []byte, v uint64) { d[0], d[1] = digits[2*v], digits[2*v+1] }

// appendTrimmed appends a point and decimals without the trailing zeros.
// Requires: one decimal is not zero.
func appendTrimmed(dst, d []byte) []byte {
	n := len(d)
	for d[n-1] == '0' {
		n--
	}
	return append(dst, d[:n]...)
}
