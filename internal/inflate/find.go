package inflate

import (
	"bytes"
	"encoding/binary"
	"io"
	"math/bits"
)

const (
	// findSize is how much input the search reads at a time, findMargin the
	// longest header of a block or of a BGZF member.
	findSize   = 64 << 10
	findMargin = 512
)

// finder searches compressed data for places where decoding may start. What
// it finds is a guess: it is used only once decoding up to there has ended at
// exactly that bit.
type finder struct {
	src  io.ReaderAt
	size int64
	bgzf bool // all members are BGZF blocks: look for those alone
	buf  []byte
	d    decoder // for trying out headers
}

// find gives the first promising place from bit at on and before byte end:
// the header of a dynamic block that is not the last one of its member, or the
// header of a member. It looks at stop now and then.
func (f *finder) find(at, end int64, stop func() bool) (origin, bool) {
	if f.buf == nil {
		f.buf = make([]byte, findSize+findMargin)
		f.d.own = new(tables)
	}
	for at < end*8 && !stop() {
		from := at >> 3
		n, _ := f.src.ReadAt(f.buf[:min(int64(len(f.buf)), f.size-from)], from)
		if n == 0 {
			return origin{}, false
		}
		limit := int(min(int64(n), findSize, end-from))
		member := f.findMember(f.buf[:n], limit, from)
		if member >= 0 {
			limit = member
		}
		if !f.bgzf {
			if b := f.findBlock(f.buf[:n], int(at&7), limit); b >= 0 {
				return origin{bit: from*8 + int64(b), state: inBlockHeader}, true
			}
		}
		if member >= 0 {
			return origin{bit: (from + int64(member)) * 8, state: inHeader}, true
		}
		at = (from + int64(limit)) * 8
	}
	return origin{}, false
}

// findMember gives the index of the first member header in b[:limit], or -1; b
// stands at offset in the file.
func (f *finder) findMember(b []byte, limit int, offset int64) int {
	for i := 0; i < limit; i++ {
		n := bytes.Index(b[i:min(len(b), limit+2)], []byte{0x1f, 0x8b, 8})
		if n < 0 {
			return -1
		}
		i += n
		if i+3 < len(b) && b[i+3]&flagsReserved == 0 && (!f.bgzf || f.bgzfFollows(b[i:], offset+int64(i))) {
			return i
		}
	}
	return -1
}

// bgzfFollows reports whether b is the header of a BGZF block (SAM format
// specification, section 4.1) with another one after it, or the end of the
// file.
func (f *finder) bgzfFollows(b []byte, offset int64) bool {
	size := bgzfSize(b)
	if size == 0 {
		return false
	}
	var next [4]byte
	n, _ := f.src.ReadAt(next[:], offset+int64(size))
	return n == 0 || n == 4 && next == [4]byte{0x1f, 0x8b, 8, flagExtra}
}

// bgzfSize gives the size of the BGZF block whose header b starts with, or 0.
func bgzfSize(b []byte) int {
	if len(b) < 18 || string(b[:4]) != "\x1f\x8b\x08\x04" {
		return 0
	}
	extra := b[12:min(len(b), 12+int(binary.LittleEndian.Uint16(b[10:])))]
	for len(extra) >= 4 {
		n := int(binary.LittleEndian.Uint16(extra[2:]))
		if extra[0] == 'B' && extra[1] == 'C' && n == 2 && len(extra) >= 6 {
			return int(binary.LittleEndian.Uint16(extra[4:])) + 1
		}
		extra = extra[min(len(extra), 4+n):]
	}
	return 0
}

// kraft4 sums up four code lengths of 3 bits, in units of 1/128.
var kraft4 = func() (t [1 << 12]uint16) {
	for i := range t {
		for l := i; l != 0; l >>= 3 {
			if l&7 != 0 {
				t[i] += 128 >> (l & 7)
			}
		}
	}
	return t
}()

// findBlock gives the index of the first bit in b, from bit at on and before
// byte limit, that looks like the header of a dynamic block; -1 without one.
func (f *finder) findBlock(b []byte, at, limit int) int {
	// Eight bits of candidates at a time: not the last block, type 2.
	for i := 0; i < limit && i+16 <= len(b); i++ {
		v := binary.LittleEndian.Uint64(b[i:])
		starts := ^v & ^(v >> 1) & (v >> 2) & 0xff >> at << at
		for at = 0; starts != 0; starts &= starts - 1 {
			bit := bits.TrailingZeros64(starts)
			w := v >> bit
			if w>>3&31 >= 30 || w>>8&31 >= 30 {
				continue
			}
			pre := v>>(bit+17) | binary.LittleEndian.Uint64(b[i+8:])<<(47-bit)
			pre &= 1<<(3*(w>>13&15+4)) - 1
			sum := kraft4[pre&0xfff] + kraft4[pre>>12&0xfff] + kraft4[pre>>24&0xfff] +
				kraft4[pre>>36&0xfff] + kraft4[pre>>48&0xfff]
			if sum == 128 && f.try(b, i*8+bit) {
				return i*8 + bit
			}
		}
	}
	return -1
}

// try reports whether a whole and valid block header stands at bit at of b.
func (f *finder) try(b []byte, at int) bool {
	d := &f.d
	d.in, d.ip, d.srcErr = b, at>>3, io.EOF
	d.bits, d.nbits = 0, 0
	if _, err := d.take(uint(at&7) + 3); err != nil {
		return false
	}
	ok, err := d.readCodes()
	return ok && err == nil && d.own.lengths[256] != 0
}
