package runfile

import (
	"encoding/binary"
	"hash/crc32"
	"io"
	"sync"

	"pcapbatch/internal/durable"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

const (
	// blockBytes is the size of its entries at which a block is complete: large
	// enough for zstd to compress well and for the cost of a read not to count,
	// small enough to hold MaxInputs of them.
	blockBytes = 128 << 10
	// maxEntry is the largest entry: a session with three full digests is
	// below 12 KiB, a row below 1 KiB.
	maxEntry = 64 << 10
	// maxBlock is the largest size of a block's entries, compressed or not.
	maxBlock = blockBytes + maxEntry + binary.MaxVarintLen32
	// blockHeader is the size of the stored length, the length of the entries,
	// and the CRC.
	blockHeader = 12
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum is the CRC-32C of a block: of its two lengths, its offset in the
// file and its stored bytes. The offset is covered so that a block in the place
// of another is found.
func checksum(lengths []byte, offset int64, stored []byte) uint32 {
	var place [8]byte
	binary.LittleEndian.PutUint64(place[:], uint64(offset))
	sum := crc32.Update(0, castagnoli, lengths[:8])
	sum = crc32.Update(sum, castagnoli, place[:])
	return crc32.Update(sum, castagnoli, stored)
}

// A Section is a sorted range of entries in a file, made of blocks.
type Section struct {
	Offset  int64  `json:"offset"` // of its first byte in the file
	Size    int64  `json:"size"`   // bytes of its blocks
	Entries uint64 `json:"entries"`
	Chain   uint32 `json:"crc"` // CRC-32C of the CRCs of its blocks
}

// chain extends the CRC of a section by that of its next block.
func chain(sum, block uint32) uint32 {
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], block)
	return crc32.Update(sum, castagnoli, b[:])
}

// A blockWriter writes sections, one after the other.
type blockWriter struct {
	w       io.Writer
	path    string
	section Section       // being written
	raw     []byte        // entries of the block that is not complete yet
	out     []byte        // reused: the block as it is stored
	encoder *zstd.Encoder // nil: blocks are compressed with S2
}

// newFastWriter returns a writer of blocks that only this process reads. They
// are compressed with S2: a run over a port scan of 4.6 M packets that spills
// took 9.5 s of CPU time with it, and 13.7 s with zstd.
func newFastWriter(w io.Writer, path string) *blockWriter { return &blockWriter{w: w, path: path} }

// newBlockWriter returns a writer of blocks that are kept, compressed with
// zstd.
func newBlockWriter(w io.Writer, path string) *blockWriter {
	return &blockWriter{w: w, path: path, encoder: blockEncoder()}
}

// blockEncoder compresses the blocks of all writers. There is one, because
// making one for each of many small files took a third of their time.
var blockEncoder = sync.OnceValue(func() *zstd.Encoder {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest),
		zstd.WithEncoderCRC(false), zstd.WithWindowSize(256<<10), zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic("runfile: zstd options: " + err.Error())
	}
	return e
})

// begin starts a section at the given offset of the file.
func (w *blockWriter) begin(offset int64) { w.section = Section{Offset: offset} }

// add appends a copy of an entry. Requires: it has at most maxEntry bytes.
func (w *blockWriter) add(entry []byte) error {
	w.raw = binary.AppendUvarint(w.raw, uint64(len(entry)))
	w.raw = append(w.raw, entry...)
	w.section.Entries++
	if len(w.raw) < blockBytes {
		return nil
	}
	return w.flush()
}

// flush writes the block, if it has entries.
func (w *blockWriter) flush() error {
	if len(w.raw) == 0 {
		return nil
	}
	w.compress()
	if len(w.out)-blockHeader >= len(w.raw) {
		w.out = append(w.out[:blockHeader], w.raw...) // equal lengths mean that it is not compressed
	}
	h, stored := w.out[:blockHeader], w.out[blockHeader:]
	binary.LittleEndian.PutUint32(h, uint32(len(stored)))
	binary.LittleEndian.PutUint32(h[4:], uint32(len(w.raw)))
	sum := checksum(h, w.section.Offset+w.section.Size, stored)
	binary.LittleEndian.PutUint32(h[8:], sum)
	w.raw = w.raw[:0]
	if err := durable.WriteFull(w.w, w.out); err != nil {
		return durable.WriteFailed(w.path, err)
	}
	w.section.Size += int64(len(w.out))
	w.section.Chain = chain(w.section.Chain, sum)
	return nil
}

// compress makes out of room for a header and the compressed entries.
func (w *blockWriter) compress() {
	if w.encoder != nil {
		w.out = w.encoder.EncodeAll(w.raw, append(w.out[:0], make([]byte, blockHeader)...))
		return
	}
	most := blockHeader + s2.MaxEncodedLen(len(w.raw))
	if cap(w.out) < most {
		w.out = make([]byte, most)
	}
	w.out = w.out[:most]
	w.out = w.out[:blockHeader+len(s2.Encode(w.out[blockHeader:], w.raw))]
}

// end completes the section and returns it.
func (w *blockWriter) end() (Section, error) {
	err := w.flush()
	return w.section, err
}

// readAhead is how many bytes of a section are read with the header of a block:
// all of a small block, in one system call.
const readAhead = 4 << 10

// A blockReader reads the blocks of a section.
type blockReader struct {
	at      io.ReaderAt
	path    string
	section Section
	offset  int64  // of the next block, from the beginning of the section
	chain   uint32 // of the blocks before it
	stored  []byte // the block that was read, with its header
	raw     []byte // its entries
	fast    bool   // blocks are compressed with S2
}

// newDecoder returns a decoder for blocks, one at a time, so that it starts no
// goroutines.
func newDecoder() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxBlock),
		zstd.WithDecoderMaxWindow(1<<20), zstd.WithDecoderLowmem(true))
	if err != nil {
		panic("runfile: zstd options: " + err.Error())
	}
	return d
}

// load reads the next block and checks its checksum, without decompressing it.
// It returns io.EOF after the last.
func (r *blockReader) load() error {
	left := r.section.Size - r.offset
	place := r.section.Offset + r.offset
	if left == 0 {
		if r.chain != r.section.Chain {
			return damaged(r.path, place, "blocks of another file")
		}
		return io.EOF
	}
	if left < blockHeader {
		return damaged(r.path, place, "cut in a block header")
	}
	n := min(left, readAhead)
	r.stored = append(r.stored[:0], make([]byte, n)...)
	if err := r.readAt(r.stored, place); err != nil {
		return err
	}
	header := r.stored[:blockHeader]
	stored, raw := int64(binary.LittleEndian.Uint32(header[:])), int64(binary.LittleEndian.Uint32(header[4:]))
	if stored == 0 || raw > maxBlock || stored > raw || stored > left-blockHeader {
		return damaged(r.path, place, "block of %d bytes for %d, with %d left", stored, raw, left)
	}
	if more := blockHeader + stored - n; more > 0 {
		r.stored = append(r.stored, make([]byte, more)...)
		if err := r.readAt(r.stored[n:], place+n); err != nil {
			return err
		}
	}
	r.stored = r.stored[:blockHeader+stored]
	sum := checksum(r.stored, place, r.stored[blockHeader:])
	if sum != binary.LittleEndian.Uint32(r.stored[8:]) {
		return damaged(r.path, place, "checksum of the block does not match")
	}
	r.offset += blockHeader + stored
	r.chain = chain(r.chain, sum)
	return nil
}

// readAt fills p from the given offset of the file.
func (r *blockReader) readAt(p []byte, offset int64) error {
	if _, err := r.at.ReadAt(p, offset); err == io.EOF {
		return damaged(r.path, offset, "file is cut short")
	} else if err != nil {
		return err
	}
	return nil
}

// decompress returns the entries of the block that load read, valid until the
// next call.
func (r *blockReader) decompress(d *zstd.Decoder) ([]byte, error) {
	size := int(binary.LittleEndian.Uint32(r.stored[4:]))
	stored := r.stored[blockHeader:]
	if len(stored) == size {
		r.raw = append(r.raw[:0], stored...)
		return r.raw, nil
	}
	if cap(r.raw) < size {
		r.raw = make([]byte, size)
	}
	raw, err := r.decode(d, r.raw[:size], stored)
	if err != nil || len(raw) != size {
		return nil, damaged(r.path, r.section.Offset+r.offset-int64(len(r.stored)), "block cannot be decompressed: %d bytes of %d, %v", len(raw), size, err)
	}
	r.raw = raw
	return raw, nil
}

// decode decompresses stored into dst, which has the length of the result.
func (r *blockReader) decode(d *zstd.Decoder, dst, stored []byte) ([]byte, error) {
	if !r.fast {
		return d.DecodeAll(stored, dst[:0])
	}
	if n, err := s2.DecodedLen(stored); err != nil || n != len(dst) {
		return nil, s2.ErrCorrupt
	}
	return s2.Decode(dst, stored)
}
