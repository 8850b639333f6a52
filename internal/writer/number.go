package writer

import (
	"encoding/binary"
	"math/bits"
)

// All functions of this file write text into b at n and return where it ends.
// Requires: b has room; Formatter sees to it once a row. Against append, which
// looks at the capacity at every step, that is a third of a row's time.

// digits holds the two digits of each number below 100.
const digits = "" +
	"00010203040506070809" + "10111213141516171819" +
	"20212223242526272829" + "30313233343536373839" +
	"40414243444546474849" + "50515253545556575859" +
	"60616263646566676869" + "70717273747576777879" +
	"80818283848586878889" + "90919293949596979899"

func put2(b []byte, n int, v uint64) {
	b[n], b[n+1] = digits[2*v], digits[2*v+1]
}

const smallNumbers = 10_000

// small holds the digits of each number below 10000, the first one lowest and
// zeros behind the last. Most numbers of a row are below: ports and lengths of
// any number of digits come out without a branch that a CPU could mispredict.
var small = func() (t [smallNumbers]uint32) {
	for v := range t {
		for left := v; ; left /= 10 {
			t[v] = t[v]<<8 | uint32('0'+left%10)
			if left < 10 {
				break
			}
		}
	}
	return t
}()

// putSmall writes v in decimal, and up to 3 bytes behind it.
// Requires: v < 10000.
func putSmall(b []byte, n int, v uint64) int {
	w := small[v]
	binary.LittleEndian.PutUint32(b[n:], w)
	return n + (bits.Len32(w)+7)>>3
}

// put4 writes the four digits of v. Requires: v < 10000.
func put4(b []byte, n int, v uint64) {
	put2(b, n, v/100)
	put2(b, n+2, v%100)
}

// putUint writes v in decimal.
func putUint(b []byte, n int, v uint64) int {
	if v < smallNumbers {
		return putSmall(b, n, v)
	}
	if v < 1e8 {
		hi := v / 1e4
		n = putSmall(b, n, hi)
		put4(b, n, v-hi*1e4)
		return n + 4
	}
	hi := v / 1e8
	lo := v - hi*1e8
	n = putUint(b, n, hi)
	put4(b, n, lo/1e4)
	put4(b, n+4, lo%1e4)
	return n + 8
}

// putInt writes v in decimal.
func putInt(b []byte, n int, v int64) int {
	if v < 0 {
		b[n] = '-'
		return putUint(b, n+1, -uint64(v))
	}
	return putUint(b, n, uint64(v))
}

// putNano writes v billionths: nanoseconds as seconds. At least one and at
// most nine decimals; trailing zeros are cut.
func putNano(b []byte, n int, v uint64) int {
	whole := v / 1e9
	rest := v - whole*1e9
	n = putUint(b, n, whole)
	if rest == 0 {
		return putZero(b, n)
	}
	hi := rest / 1e5
	lo := rest - hi*1e5
	b[n] = '.'
	put4(b, n+1, hi)
	b[n+5] = byte('0' + lo/1e4)
	put4(b, n+6, lo%1e4)
	return trim(b, n+10)
}

// putMicro writes v millionths, as putNano with at most six decimals.
func putMicro(b []byte, n int, v uint64) int {
	whole := v / 1e6
	return putMillionths(b, putUint(b, n, whole), v-whole*1e6)
}

func putMillionths(b []byte, n int, rest uint64) int {
	if rest == 0 {
		return putZero(b, n)
	}
	b[n] = '.'
	put2(b, n+1, rest/1e4)
	put2(b, n+3, rest/100%100)
	put2(b, n+5, rest%100)
	return trim(b, n+7)
}

// putMicro128 writes hi<<64|lo millionths. Requires: the whole part is below
// 10^38, which every rate is.
func putMicro128(b []byte, n int, hi, lo uint64) int {
	if hi == 0 {
		return putMicro(b, n, lo)
	}
	wholeHi, rest := hi/1e6, hi%1e6
	wholeLo, rest := bits.Div64(rest, lo, 1e6)
	return putMillionths(b, putUint128(b, n, wholeHi, wholeLo), rest)
}

// putUint128 writes hi<<64|lo. Requires: below 10^38.
func putUint128(b []byte, n int, hi, lo uint64) int {
	if hi == 0 {
		return putUint(b, n, lo)
	}
	top, low := bits.Div64(hi, lo, 1e19)
	n = putUint(b, n, top)
	for i := n + 18; i >= n; i-- {
		b[i] = byte('0' + low%10)
		low /= 10
	}
	return n + 19
}

// putHalves writes hi<<64|lo halves. Requires: below 2^65.
func putHalves(b []byte, n int, hi, lo uint64) int {
	n = putUint(b, n, hi<<63|lo>>1)
	b[n], b[n+1] = '.', '0'+byte(lo&1)*5
	return n + 2
}

// putZero writes the decimals of a whole number.
func putZero(b []byte, n int) int {
	b[n], b[n+1] = '.', '0'
	return n + 2
}

// trim cuts zeros off the decimals that end at n. Requires: at most nine, and
// one is not zero.
func trim(b []byte, n int) int {
	last := binary.LittleEndian.Uint64(b[n-8:]) ^ 0x3030303030303030
	return n - bits.LeadingZeros64(last)>>3
}
