package inflate

import (
	"errors"
	"hash/crc32"
	"io"
)

const (
	// directSize is the least room for which Read decodes into the caller's
	// slice. Below, keeping the window (32 KiB copied per call) costs more
	// than another copy of the output.
	directSize = 64 << 10
	bufferSize = 128 << 10

	// sumBytes is how much is decoded before its checksum is taken, while it is
	// still in the cache.
	sumBytes = 64 << 10
)

// ErrClosed is what Read returns after Close.
var ErrClosed = errors.New("inflate: read after close")

// Reader decodes a gzip stream of any number of members.
type Reader struct {
	d      decoder
	err    error // sticky
	window [windowSize]byte
	buf    []byte // own output, for small reads; made when needed
	rd, wr int    // buf[rd:wr] is decoded and not yet read
	digest uint32 // of the member so far
	size   uint32 // likewise, modulo 2^32
}

// NewReader makes a Reader of r, which it reads in blocks of 64 KiB, so it may
// read past the end of the stream. It reads nothing before the first Read:
// an input that is no gzip stream shows there (ErrHeader, or
// io.ErrUnexpectedEOF when empty).
func NewReader(r io.Reader) *Reader {
	z := new(Reader)
	z.Reset(r)
	return z
}

// Reset makes z a Reader of r, keeping its memory.
func (z *Reader) Reset(r io.Reader) {
	z.d.reset(r, 0, inHeader)
	z.err, z.rd, z.wr, z.digest, z.size = nil, 0, 0, 0, 0
}

// Unread gives the input that was taken from the source and not decoded. After
// ErrTrailing these bytes, and what the source gives next, are what follows the
// last member. Valid until the next call of another method.
func (z *Reader) Unread() []byte { return z.d.in[z.d.ip:] }

// Read fills p with decompressed bytes, at least one; fewer than len(p) where
// the source has no more at hand. All of p may be used as scratch space. What
// comes with or before an error is what the stream held up to there; it is
// verified by checksum once a later member or io.EOF is reached.
func (z *Reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if z.rd == z.wr && len(p) >= directSize {
		if z.wr > 0 {
			z.keepWindow(z.buf[:z.wr])
			z.rd, z.wr = 0, 0
		}
		n := z.decode(p, 0)
		if n == 0 {
			return 0, z.err
		}
		z.keepWindow(p[:n])
		return n, nil
	}
	if z.rd == z.wr && !z.more() {
		return 0, z.err
	}
	n := copy(p, z.buf[z.rd:z.wr])
	z.rd += n
	return n, nil
}

// Close ends the use of z. It does not close the underlying reader.
func (z *Reader) Close() error {
	z.err, z.rd, z.wr = ErrClosed, 0, 0
	return nil
}

// more decodes into the own buffer and reports whether that gave any bytes.
// Requires: rd == wr.
func (z *Reader) more() bool {
	if z.buf == nil {
		z.buf = make([]byte, bufferSize)
	}
	if z.wr == len(z.buf) {
		z.keepWindow(z.buf)
		z.rd, z.wr = 0, 0
	}
	z.wr = z.decode(z.buf, z.wr)
	return z.rd < z.wr
}

// decode decodes into out[pos:] until that is full, the source has no more at
// hand or the stream ends; it returns the end of what it decoded.
func (z *Reader) decode(out []byte, pos int) int {
	d := &z.d
	d.out, d.pos = out, pos
	for z.err == nil && d.pos < len(out) {
		from := d.pos
		d.end = min(len(out), from+sumBytes)
		ev, err := d.run()
		z.digest = crc32.Update(z.digest, crc32.IEEETable, out[from:d.pos])
		z.size += uint32(d.pos - from)
		z.err = err
		if err == nil {
			switch ev {
			case memberEnd:
				z.checkMember()
			case inputEnd:
				z.err = io.EOF
			}
			if ev == inputOut || d.pos > pos && d.ip == len(d.in) {
				break // what a slow source has sent is never held back
			}
		}
	}
	d.out = nil
	return d.pos
}

// checkMember compares a member with its trailer.
func (z *Reader) checkMember() {
	if z.digest != z.d.crc || z.size != z.d.size {
		z.err = &Error{z.d.memberAt - 8, ErrChecksum}
	}
	z.digest, z.size = 0, 0
}

// keepWindow takes the last of the output out into the window, before out
// goes to the caller or is used again.
func (z *Reader) keepWindow(out []byte) {
	d := &z.d
	out = out[d.low:]
	d.low = 0
	if len(out) > windowSize {
		out = out[len(out)-windowSize:]
	}
	keep := min(len(d.hist), windowSize-len(out))
	copy(z.window[:], d.hist[len(d.hist)-keep:])
	copy(z.window[keep:], out)
	d.hist = z.window[:keep+len(out)]
}
