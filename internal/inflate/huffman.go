package inflate

import "math/bits"

// Codes are decoded by table: the next litBits (distBits) bits of the stream
// index an entry that says everything about the symbol found there; longer
// codes go through one more table. Sizes chosen with
// go test -bench Reader ./internal/inflate: 10 bits lose on text, 12 on the
// many small blocks of captures.
const (
	litBits  = 11
	distBits = 9
	preBits  = 7

	maxCodeBits = 15
	maxLitSyms  = 286
	maxDistSyms = 30
	numPreSyms  = 19

	// Upper bounds of all tables with complete codes of up to 15 bits (root
	// table plus second tables), from zlib's enough.c, for 288 and 32 symbols.
	litSize  = 2342
	distSize = 594
)

// Entry layout. Common to all tables:
//
//	bits 0-5    bits to consume, extra bits included
//	bits 8-11   bits of the code itself (where the extra bits start)
//	bits 12-15  kind, below
//	bits 16-    value
//
// Values: a literal entry holds the byte; a length entry length-3 in
// 8 bits and the mask of its extra bits above that; a distance entry the
// distance in 16 bits and the mask above that; a link entry the index of its
// second table, whose width stands in bits 8-11.
const (
	isSpecial  = 1 << 14 // end of block, link, or not a valid code
	notLiteral = 1 << 15
	isEnd      = notLiteral | isSpecial | 1<<12
	isLink     = notLiteral | isSpecial | 2<<12
	isInvalid  = notLiteral | isSpecial
	kindMask   = 15 << 12

	codeUnit = 1<<8 | 1 // one bit of code, to consume and of the code itself
)

type (
	litTable  [litSize]uint32
	distTable [distSize]uint64
	preTable  [1 << preBits]uint32
)

// litBase, distBase and preBase are the entries of each symbol for a code of
// no bits (RFC 1951, section 3.2.5).
var (
	litBase  = makeLitBase()
	distBase = makeDistBase()
	preBase  = makePreBase()
)

func makeLitBase() (t [288]uint32) {
	for s := range 256 {
		t[s] = uint32(s) << 16
	}
	t[256] = isEnd
	for s, base := 257, 0; s < 285; s++ {
		extra := max(0, (s-261)/4)
		t[s] = notLiteral | uint32(extra) | uint32(base)<<16 | uint32(1<<extra-1)<<24
		base += 1 << extra
	}
	t[285] = notLiteral | 255<<16
	t[286], t[287] = isInvalid, isInvalid
	return t
}

func makeDistBase() (t [32]uint64) {
	for s, base := 0, 1; s < 30; s++ {
		extra := max(0, s/2-1)
		t[s] = notLiteral | uint64(extra) | uint64(base)<<16 | uint64(1<<extra-1)<<32
		base += 1 << extra
	}
	t[30], t[31] = isInvalid, isInvalid
	return t
}

func makePreBase() (t [numPreSyms]uint32) {
	for s := range t {
		t[s] = uint32(s) << 16
	}
	return t
}

// buildTable fills table for the code with the given lengths (0: no code) and
// reports whether it is a code that DEFLATE allows: complete, a single code of
// one bit, or none at all (which is an error only when it is used).
//
// Canonical codes are handed out in order of length; the table is doubled
// whenever the length grows, so every entry of the root table is written once
// and then copied in bulk.
func buildTable[E uint32 | uint64](table []E, rootBits int, lengths []uint8, base []E) bool {
	var count [maxCodeBits + 1]int
	for _, l := range lengths {
		count[l&maxCodeBits]++
	}
	used, left := len(lengths)-count[0], 1
	count[0] = 0
	var next [maxCodeBits + 2]int
	for l := 1; l <= maxCodeBits; l++ {
		left = left<<1 - count[l]
		next[l+1] = next[l] + count[l]
		if left < 0 {
			return false
		}
	}
	var sorted [288]uint16
	for s, l := range lengths {
		if l != 0 {
			sorted[next[l]] = uint16(s)
			next[l]++
		}
	}
	if left != 0 {
		if used > 1 || used == 1 && count[1] == 0 {
			return false
		}
		fillDegenerate(table[:1<<rootBits], sorted[:used], base)
		return true
	}
	fillTable(table, rootBits, &count, &sorted, base)
	return true
}

// fillDegenerate makes the table of an empty code or of one code of one bit.
func fillDegenerate[E uint32 | uint64](table []E, syms []uint16, base []E) {
	for i := range table {
		table[i] = E(isInvalid + len(syms))
		if i&1 == 0 && len(syms) == 1 {
			table[i] = base[syms[0]] + codeUnit
		}
	}
}

// fillTable makes the table of a complete code.
func fillTable[E uint32 | uint64](table []E, rootBits int, count *[maxCodeBits + 1]int, sorted *[288]uint16, base []E) {
	code, l, s, end := 0, 0, 0, 1
	for {
		for count[l] == 0 {
			if l == rootBits {
				fillSecond(table, rootBits, count, sorted[s:], base, code)
				return
			}
			copy(table[end:2*end], table[:end])
			end *= 2
			l++
		}
		for ; count[l] > 0; count[l]-- {
			table[code] = base[sorted[s]] + E(l*codeUnit)
			s++
			if code == end-1 {
				for ; l < rootBits; l++ {
					copy(table[end:2*end], table[:end])
					end *= 2
				}
				return
			}
			code = nextCode(code, end-1)
		}
	}
}

// fillSecond makes the second tables; code is the first one longer than
// rootBits, its bits reversed as they stand in the stream.
func fillSecond[E uint32 | uint64](table []E, rootBits int, count *[maxCodeBits + 1]int, sorted []uint16, base []E, code int) {
	root := 1<<rootBits - 1
	l, prefix, start, end := rootBits+1, -1, 0, root+1
	for _, sym := range sorted {
		for count[l] == 0 {
			l++
			if l > maxCodeBits {
				return
			}
		}
		if code&root != prefix {
			prefix, start = code&root, end
			width := l - rootBits
			for room := count[l]; room < 1<<width; {
				width++
				room = room<<1 + count[rootBits+width]
			}
			end = start + 1<<width
			table[prefix] = E(isLink | uint32(rootBits) | uint32(width)<<8 | uint32(start)<<16)
		}
		entry := base[sym] + E((l-rootBits)*codeUnit)
		for i := start + code>>rootBits; i < end; i += 1 << (l - rootBits) {
			table[i] = entry
		}
		count[l]--
		if code == 1<<l-1 {
			return
		}
		code = nextCode(code, 1<<l-1)
	}
}

// nextCode adds one to a code whose bits are reversed: the highest clear bit
// is set and all above it are cleared. Requires: code != ones.
func nextCode(code, ones int) int {
	bit := 1 << (bits.Len(uint(code^ones)) - 1)
	return code&(bit-1) | bit
}
