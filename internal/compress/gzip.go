package compress

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/flate"
)

// gzipBlock is the size of a block. A block knows nothing of those before it,
// which costs a thousandth of the size.
const gzipBlock = 512 << 10

// gzipLevel is the fastest: of rows the others make files that are 1 % smaller,
// in twice the time.
const gzipLevel = 1

// gzipHeader is that of a member without a name and time.
var gzipHeader = []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255}

// NewGzip returns a Writer of gzip that compresses in so many goroutines. The
// caller closes it.
//
// Its output is one member (RFC 1952) of one DEFLATE stream: each block but the
// last ends with an empty stored block, which brings the next one to a byte
// boundary (RFC 1951, section 3.2.4).
func NewGzip(w io.Writer, workers int) *Writer {
	crc, size := uint32(0), uint32(0) // of the input, size modulo 2^32
	return newWriter(w, workers, format{
		block: gzipBlock, header: gzipHeader, newCoder: newDeflater,
		sum: func(in []byte) {
			crc = crc32.Update(crc, crc32.IEEETable, in)
			size += uint32(len(in))
		},
		trailer: func() []byte {
			return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, crc), size)
		},
	})
}

func newDeflater() (coder, error) {
	f, err := flate.NewWriter(nil, gzipLevel)
	return func(out []byte, b *block) ([]byte, error) {
		to := bytes.NewBuffer(out)
		f.Reset(to)
		_, err := f.Write(b.in)
		switch {
		case err != nil:
		case b.last:
			err = f.Close()
		default:
			err = f.Flush()
		}
		return to.Bytes(), err
	}, err
}
