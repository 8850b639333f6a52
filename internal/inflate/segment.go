package inflate

import (
	"encoding/binary"
	"hash/crc32"
)

// segmentSize is how much output a segment holds: small enough that the
// patching and summing of one find it in the L2 cache.
const segmentSize = 512 << 10

// planeSize is the length of each of the two planes of a segment.
const planeSize = windowSize + segmentSize

// segment is a piece of output with the window before it.
//
// While the window at the start of a chunk is not known, output is kept in two
// planes. The first one is the output itself. The second one says of each byte
// whether it is known (0) or a copy of a byte of that window; then its place
// there, 0 to 32767, is the first plane's byte and 7 bits of the second plane's
// above it, whose top bit is set. Literals need not touch the second plane, and
// once no byte of the last 32 KiB is unknown, decoding goes on in the first one
// alone, at full speed and in place.
type segment struct {
	buf    []byte // window and output; after planeSize the same of the second plane
	end    int    // the output is buf[windowSize:end]
	marked int    // second plane is 0 from here on
	parts  []part
	owner  *chunk
}

// part is the bytes of a segment that belong to one member.
type part struct {
	end       int    // in buf
	sum       uint32 // CRC-32
	last      bool   // the member ends here; its trailer says:
	crc, size uint32
	offset    int64 // of the trailer
}

// markWindow makes the window of s unknown and the rest known.
func (s *segment) markWindow() {
	for i := range windowSize {
		s.buf[i] = byte(i)
		s.buf[planeSize+i] = 0x80 | byte(i>>8)
	}
	clear(s.buf[planeSize+windowSize:])
}

// lookup tells what a byte stands for, by its bytes in both planes: the lower
// 256 are themselves, the upper 32 KiB are the window.
type lookup [1 << 16]byte

// newLookup makes a lookup for the given window.
func newLookup(window []byte) *lookup {
	t := new(lookup)
	for i := range 256 {
		t[i] = byte(i)
	}
	copy(t[len(t)-len(window):], window)
	return t
}

// window is the n bytes of the window that are nearest.
func (t *lookup) window(n int) []byte { return t[len(t)-n:] }

// patch makes buf[from:marked] known.
func (s *segment) patch(t *lookup, from int) {
	if from < s.marked {
		t.resolve(s.buf[from:s.marked], s.buf[planeSize+from:planeSize+s.marked])
		s.marked = from
	}
}

// resolve replaces the bytes of out that marks calls unknown. It takes eight
// at a time: where one is unknown, most are, and a branch for each costs more.
func (t *lookup) resolve(out, marks []byte) {
	i := 0
	for ; i+8 <= len(out); i += 8 {
		m := binary.LittleEndian.Uint64(marks[i:])
		if m == 0 {
			continue
		}
		o := out[i : i+8 : i+8]
		for j := range o {
			o[j] = t[uint16(m)<<8|uint16(o[j])]
			m >>= 8
		}
	}
	for ; i < len(out); i++ {
		out[i] = t[uint16(marks[i])<<8|uint16(out[i])]
	}
}

// unmarked reports whether marks are all 0.
func unmarked(marks []byte) bool {
	for ; len(marks) >= 8; marks = marks[8:] {
		if binary.LittleEndian.Uint64(marks) != 0 {
			return false
		}
	}
	return true
}

// sum closes the last part and computes the sums of all.
func (s *segment) sum() {
	if n := len(s.parts); n == 0 || s.parts[n-1].end < s.end {
		s.parts = append(s.parts, part{end: s.end})
	}
	from := windowSize
	for i := range s.parts {
		p := &s.parts[i]
		p.sum = crc32.ChecksumIEEE(s.buf[from:p.end])
		from = p.end
	}
}
