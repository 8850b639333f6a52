package inflate

import (
	"hash/crc32"
	"io"
)

// Flags of a member's header (RFC 1952, section 2.3.1).
const (
	flagText = 1 << iota
	flagHeaderCRC
	flagExtra
	flagName
	flagComment
	flagsReserved = 0xe0
)

// headerReader reads the bytes of one header and sums them.
type headerReader struct {
	d      *decoder
	digest uint32 // CRC-32 so far, not yet complemented
	err    error  // first error; every later byte is 0
}

func (h *headerReader) readByte() byte {
	if h.err == nil {
		var c byte
		if c, h.err = h.d.readByte(); h.err == nil {
			h.digest = crc32.IEEETable[byte(h.digest)^c] ^ h.digest>>8
			return c
		}
	}
	return 0
}

// readN reads a little-endian number of n bytes.
func (h *headerReader) readN(n int) (v uint32) {
	for i := range n {
		v |= uint32(h.readByte()) << (8 * i)
	}
	return v
}

// skipText reads a string that ends with a zero byte.
func (h *headerReader) skipText() {
	for h.readByte() != 0 {
	}
}

// readByte reads one byte of input. Requires: no bits in the bit buffer.
func (d *decoder) readByte() (byte, error) {
	if d.ip == len(d.in) {
		if err := d.fill(); err != nil {
			return 0, err
		}
	}
	d.ip++
	return d.in[d.ip-1], nil
}

// readHeader reads the header of a member and checks it. Nothing in it matters
// to decoding. Requires: no bits in the bit buffer.
func (d *decoder) readHeader() error {
	d.memberAt = d.bitPos() >> 3
	h := headerReader{d: d, digest: 1<<32 - 1}
	if magic := h.readN(3); h.err == nil && magic != 0x088b1f {
		return &Error{d.memberAt, ErrHeader}
	}
	flags := h.readByte()
	if flags&flagsReserved != 0 {
		return &Error{d.memberAt, ErrHeader}
	}
	h.readN(4) // modification time
	h.readN(2) // compression level and operating system
	if flags&flagExtra != 0 {
		for n := h.readN(2); n > 0 && h.err == nil; n-- {
			h.readByte()
		}
	}
	if flags&flagName != 0 {
		h.skipText()
	}
	if flags&flagComment != 0 {
		h.skipText()
	}
	if flags&flagHeaderCRC != 0 {
		want := ^h.digest & 0xffff
		if got := h.readN(2); h.err == nil && got != want {
			return &Error{d.memberAt, ErrHeader}
		}
	}
	return h.err
}

// readTrailer reads the trailer of a member into d.crc and d.size.
func (d *decoder) readTrailer() error {
	d.toByte()
	h := headerReader{d: d}
	d.crc, d.size = h.readN(4), h.readN(4)
	d.memberAt = d.bitPos() >> 3
	return h.err
}

// readTail looks at what follows a member and reports whether the input ends
// there. If not, another member begins; anything else is ErrTrailing, with the
// bytes in question not yet consumed.
func (d *decoder) readTail() (bool, error) {
	if d.ip == len(d.in) {
		if _, err := d.tryFill(); err == io.EOF {
			return true, nil
		} else if err != nil {
			return false, err
		}
	}
	if d.in[d.ip] != 0x1f {
		return false, &Error{d.memberAt, ErrTrailing}
	}
	d.ip++
	c, err := d.readByte()
	if err != nil {
		return false, err
	}
	d.ip -= 2 // tryFill keeps 8 bytes, so both are still there
	if c != 0x8b {
		return false, &Error{d.memberAt, ErrTrailing}
	}
	return false, nil
}
