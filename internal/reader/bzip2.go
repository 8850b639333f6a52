package reader

import (
	"bufio"
	"compress/bzip2"
	"io"
	"strings"
)

const (
	// bzip2End is what stands at the end of a bzip2 stream, in 48 bits at any
	// bit, before 32 bits of checksum and what fills up the last byte.
	bzip2End = 0x177245385090

	// bzip2Bytes is the memory of a decoder: a block of 900 000 values of 32
	// bits, and its tables.
	bzip2Bytes = 4 << 20
)

// bzip2Reader ends where no stream follows. The library's decoder takes the
// first bytes of what is there for another stream and makes an error of them.
type bzip2Reader struct {
	r      io.Reader
	src    *bufio.Reader
	hi, lo uint64 // the last 16 bytes read
	extra  []byte // read beyond the end
}

func openBzip2(r *bufio.Reader, _ *source, _ Options) (unpacker, error) {
	z := &bzip2Reader{src: r}
	z.r = bzip2.NewReader(z)
	return unpacker{r: readerFunc(z.unpack), unread: func() []byte { return z.extra }, memory: fixed(bzip2Bytes)}, nil
}

// readerFunc is an io.Reader made of its method.
type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// ReadByte reads the file for the decoder, which asks for no more than it
// needs.
func (z *bzip2Reader) ReadByte() (byte, error) {
	b, err := z.src.ReadByte()
	if err == nil {
		z.hi, z.lo = z.hi<<8|z.lo>>56, z.lo<<8|uint64(b)
	}
	return b, err
}

// Read is never called: the decoder prefers ReadByte.
func (z *bzip2Reader) Read(p []byte) (int, error) { return z.src.Read(p) }

// unpack reads what the decoder gives.
func (z *bzip2Reader) unpack(p []byte) (int, error) {
	n, err := z.r.Read(p)
	if err == nil || err == io.EOF {
		return n, err
	}
	if _, failed := err.(bzip2.StructuralError); !failed && err != io.ErrUnexpectedEOF {
		return n, err
	}
	for beyond := 1; beyond <= 4; beyond++ {
		if !z.endedBefore(beyond) {
			continue
		}
		extra := make([]byte, beyond)
		for i := range extra {
			extra[i] = byte(z.lo >> (8 * (beyond - 1 - i)))
		}
		if err == io.ErrUnexpectedEOF && strings.HasPrefix("BZh", string(extra)) {
			break // another stream that is cut short
		}
		z.extra = extra
		return n, io.EOF
	}
	return n, err
}

// endedBefore tells whether a stream ended so many bytes ago. Requires: 1 to 4.
func (z *bzip2Reader) endedBefore(beyond int) bool {
	for fill := range 8 {
		shift := 8*beyond + fill + 32 // bits to the right of the mark
		mark := z.hi >> max(0, shift-64)
		if shift < 64 {
			mark = z.lo>>shift | z.hi<<(64-shift)
		}
		if mark&(1<<48-1) == bzip2End {
			return true
		}
	}
	return false
}
