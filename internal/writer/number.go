package writer

import (
	"encoding/binary"
	"math/bits"
)

// The put functions write text into b at n and return where it ends. Some write
// whole words, and so change up to 8 bytes after the text as well. Requires: b
// has room for maxCell bytes from n on, which Formatter sees to once a row.
// With append, which looks at the capacity at every step, a row takes a third
// longer.
//
// A CPU that loads bytes which it has just stored in other portions has to wait
// for the stores. So no function reads back what it has written, and most texts
// are made in a register and stored as a word.

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

// small holds the text of each number below 10000, the first digit in the
// lowest byte and zero bytes after the last. Most numbers of a row are that
// small. The number of their digits is as good as random, and with the table no
// branch depends on it.
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

// putSmall writes v in decimal, and up to 3 bytes after it.
// Requires: v < 10000.
func putSmall(b []byte, n int, v uint64) int {
	w := small[v]
	binary.LittleEndian.PutUint32(b[n:], w)
	return n + (bits.Len32(w)+7)>>3
}

// put4 writes v in four digits, with leading zeros. Requires: v < 10000.
func put4(b []byte, n int, v uint64) {
	put2(b, n, v/100)
	put2(b, n+2, v%100)
}

// zeros is the text "00000000".
const zeros = 0x3030303030303030

// eight returns the text of v in eight digits, with leading zeros, as a word
// whose lowest byte is the first digit. Requires: v < 10^8.
//
// It splits the number in three steps, whose results are side by side in one
// word: into two numbers below 10^4, four below 100 and eight below 10. One
// multiplication divides all numbers of a word. 5243/2^19 and 103/2^10 are
// slightly above 1/100 and 1/10, by so little that the quotients of numbers
// below 10^4 and below 100 are exact; the masks drop what a number shifts into
// the one below it. (Division by multiplication: Granlund and Montgomery,
// "Division by Invariant Integers using Multiplication", 1994. Splitting side
// by side: P. Khuong, "How to print integers really fast", 2017.)
func eight(v uint64) uint64 {
	hi := v / 1e4
	x := hi | (v-hi*1e4)<<32
	hundreds := x * 5243 >> 19 & 0x7f_0000_007f
	x = hundreds | (x-hundreds*100)<<16
	tens := x * 103 >> 10 & 0x0f_000f_000f_000f
	return tens | (x-tens*10)<<8 | zeros
}

// store writes the eight bytes of a word of text, lowest byte first.
func store(b []byte, n int, text uint64) { binary.LittleEndian.PutUint64(b[n:], text) }

// putUint writes v in decimal, and up to 3 bytes after it.
func putUint(b []byte, n int, v uint64) int {
	if v < smallNumbers {
		return putSmall(b, n, v)
	}
	return putLarge(b, n, v)
}

// putLarge is putUint for numbers that small does not have. It is right for
// smaller ones too, but writes up to 7 bytes after them.
func putLarge(b []byte, n int, v uint64) int {
	if v < 1e8 {
		text := eight(v)
		leading := bits.TrailingZeros64(text^zeros|1<<63) &^ 7 // zeros, 8 bits each; never all eight
		store(b, n, text>>leading)
		return n + 8 - leading>>3
	}
	hi := v / 1e8
	n = putUint(b, n, hi)
	store(b, n, eight(v-hi*1e8))
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

// putNano writes v billionths: nanoseconds as seconds. There are one to nine
// decimals, because trailing zeros after the first are cut. Up to 8 bytes after
// the text are written.
func putNano(b []byte, n int, v uint64) int {
	var t nanos
	t.set(v)
	return t.put(b, n)
}

// nanos is the text of a number of nanoseconds in seconds. It is made once
// (set) for several cells that have the same text, and written for each (put).
type nanos struct {
	of       uint64 // the number of nanoseconds
	whole    uint64 // full seconds
	first    uint64 // text of the first eight decimals
	ninth    byte   // digit of the ninth
	decimals int    // how many of them the text has, 1 to 9
}

func (t *nanos) set(v uint64) {
	t.of, t.whole = v, v/1e9
	rest := v - t.whole*1e9
	hi := rest / 10
	last := rest - hi*10
	t.first, t.ninth, t.decimals = eight(hi), byte('0'+last), 9
	if last == 0 {
		t.decimals = cut(t.first)
	}
}

func (t *nanos) put(b []byte, n int) int {
	n = putUint(b, n, t.whole)
	b[n] = '.'
	store(b, n+1, t.first)
	b[n+9] = t.ninth
	return n + 1 + t.decimals
}

// cut returns how many of eight decimals, a word of text, are left without the
// zeros at the end: at least one.
func cut(decimals uint64) int {
	return max(1, 8-bits.LeadingZeros64(decimals^zeros)>>3)
}

// putMicro writes v millionths, with one to six decimals as putNano. Up to 7
// bytes after the text are written.
func putMicro(b []byte, n int, v uint64) int {
	whole := v / 1e6
	return putMillionths(b, putUint(b, n, whole), v-whole*1e6)
}

// putMillionths writes the point and the decimals of rest millionths.
// Requires: rest < 10^6.
func putMillionths(b []byte, n int, rest uint64) int {
	b[n] = '.'
	text := eight(rest * 100) // six decimals and two zeros, which cut drops
	store(b, n+1, text)
	return n + 1 + cut(text)
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

// putZero writes the point and the decimal of a whole number.
func putZero(b []byte, n int) int {
	b[n], b[n+1] = '.', '0'
	return n + 2
}
