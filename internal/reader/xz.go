package reader

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
	"reflect"
	"slices"

	"github.com/ulikunitz/xz/lzma"
)

const (
	xzMagic  = "\xfd7zXZ\x00"
	xzFooter = "YZ"
	xzLZMA2  = 0x21

	// maxDictionary is the largest LZMA2 dictionary accepted, in bytes: that of
	// xz -9.
	maxDictionary = 64 << 20
)

var errXZ = errors.New("contradicts itself")

// xzReader takes apart the container of the xz file format, version 1.1.0:
// streams of blocks, each of LZMA2 data. The library has a reader for it too,
// but one that allocates whatever dictionary a block asks for, 4 GiB at most.
type xzReader struct {
	src   *bufio.Reader
	o     Options
	most  int64 // bytes that a dictionary may take
	held  int64 // the largest one so far
	at    int64 // compressed bytes of the stream read so far
	flags [2]byte
	sum   hash.Hash // of the block; nil where the stream has none, or one not known here
	size  int       // bytes of the checksum after each block

	block    *lzma.Reader2 // the block's data; nil between blocks
	left     []byte        // what the block gave before it failed
	failed   error         // why it did; io.EOF: no stream follows
	start    int64         // where the block begins
	out      int64         // bytes that came out of it
	declared [2]int64      // its compressed and uncompressed size, where the header says; else -1
	head     int64         // bytes of its header

	blocks, unpadded, unpacked uint64 // sums over the blocks, held against the index
}

func openXZ(r *bufio.Reader, _ *source, o Options) (unpacker, error) {
	x := &xzReader{src: r, o: o, most: o.window(maxDictionary)}
	return unpacker{r: x, memory: x.memory}, unexpected(x.streamHeader())
}

// memory is that of the dictionary, and 1 MiB for the decoder's tables and what
// it gave before it failed.
func (x *xzReader) memory() int64 { return x.held + 1<<20 }

func (x *xzReader) Read(p []byte) (int, error) {
	for {
		if x.failed != nil {
			n := copy(p, x.left)
			if x.left = x.left[n:]; n > 0 || len(p) == 0 {
				return n, nil
			}
			return 0, x.failed
		}
		if x.block == nil {
			x.failed = x.next()
			continue
		}
		n, err := x.block.Read(p)
		if err != nil && err != io.EOF {
			x.left, x.failed = unread(x.block), err
			err = nil
		}
		x.out += int64(n)
		if x.sum != nil {
			x.sum.Write(p[:n])
		}
		if err == io.EOF {
			err = unexpected(x.endBlock())
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}

// unread returns what a decoder holds in its dictionary and did not give out.
// The library keeps that to itself when it comes upon an error: up to 2 MiB
// that came before the damage. So this looks into it; where it has changed,
// there is nothing to see, and a test fails.
func unread(r *lzma.Reader2) []byte {
	dict := reflect.ValueOf(r).Elem().FieldByName("dict")
	if dict.Kind() != reflect.Pointer || dict.IsNil() {
		return nil
	}
	ring := dict.Elem().FieldByName("buf")
	if ring.Kind() != reflect.Struct {
		return nil
	}
	data, front, rear := ring.FieldByName("data"), ring.FieldByName("front"), ring.FieldByName("rear")
	if data.Type() != reflect.TypeFor[[]byte]() || !front.CanInt() || !rear.CanInt() {
		return nil
	}
	b, from, to := data.Bytes(), rear.Int(), front.Int()
	if from <= to {
		return b[from:to]
	}
	return slices.Concat(b[from:], b[:to])
}

// counted reads the source for the LZMA2 decoder and counts what it takes.
type counted struct{ x *xzReader }

func (c counted) Read(p []byte) (int, error) {
	n, err := c.x.src.Read(p)
	c.x.at += int64(n)
	return n, err
}

// take reads n bytes, a few at most.
func (x *xzReader) take(n int) ([]byte, error) {
	b := make([]byte, n)
	m, err := io.ReadFull(x.src, b)
	x.at += int64(m)
	return b, err
}

// streamHeader reads the header of a stream. io.EOF: there is none.
func (x *xzReader) streamHeader() error {
	x.at, x.blocks, x.unpadded, x.unpacked = 0, 0, 0, 0
	h, err := x.take(12)
	if err != nil {
		return err
	}
	if string(h[:6]) != xzMagic || crc32.ChecksumIEEE(h[6:8]) != binary.LittleEndian.Uint32(h[8:]) {
		return fmt.Errorf("the stream header %w", errXZ)
	}
	x.flags = [2]byte(h[6:8])
	if h[6] != 0 || h[7] > 15 {
		return fmt.Errorf("stream flags %x are %w", h[6:8], errUnsupported)
	}
	x.sum, x.size = nil, [...]int{0, 4, 8, 16, 32, 64}[(h[7]+2)/3]
	switch h[7] {
	case 1:
		x.sum = crc32.NewIEEE()
	case 4:
		x.sum = crc64.New(crc64.MakeTable(crc64.ECMA))
	case 10:
		x.sum = sha256.New()
	}
	return nil
}

// next goes on to the next block, across the end of a stream and the begin of
// another.
func (x *xzReader) next() error {
	x.start = x.at
	size, err := x.take(1)
	if err != nil {
		return unexpected(err)
	}
	if size[0] != 0 {
		return unexpected(x.blockHeader(size[0]))
	}
	if err := x.index(); err != nil {
		return unexpected(err)
	}
	ahead, err := x.src.Peek(x.src.Size())
	padding := leadingZeros(ahead) &^ 3 // between streams
	if bytes.HasPrefix(ahead[padding:], []byte(xzMagic)) {
		x.src.Discard(padding)
		return unexpected(x.streamHeader())
	}
	if err != nil && err != io.EOF {
		return err
	}
	return io.EOF
}

// blockHeader reads the rest of a block header whose size field is size, and
// makes the decoder.
func (x *xzReader) blockHeader(size byte) error {
	rest, err := x.take(int(size)*4 + 3)
	if err != nil {
		return err
	}
	h := append([]byte{size}, rest...)
	body, sum := h[:len(h)-4], h[len(h)-4:]
	if crc32.ChecksumIEEE(body) != binary.LittleEndian.Uint32(sum) {
		return fmt.Errorf("the block header %w", errXZ)
	}
	x.head = int64(len(h))
	dict, err := x.blockFlags(body[1], body[2:])
	if err != nil {
		return err
	}
	if dict > maxDictionary {
		return fmt.Errorf("a dictionary of more than %d MiB is %w", maxDictionary>>20, errUnsupported)
	}
	ahead, _ := x.src.Peek(x.src.Size())
	if out, all := lzma2Size(ahead); all || len(ahead) < x.src.Size() {
		dict = min(dict, out) // a small block must not cost a large dictionary
	}
	if dict > x.most {
		return x.o.errMemory("dictionary", dict, 0, x.most)
	}
	x.held = max(x.held, dict)
	x.out = 0
	if x.sum != nil {
		x.sum.Reset()
	}
	x.block, err = lzma.Reader2Config{DictCap: int(max(dict, lzma.MinDictCap))}.NewReader2(counted{x})
	return err
}

// blockFlags reads the fields of a block header after its flags f, and returns
// the size of the dictionary.
func (x *xzReader) blockFlags(f byte, b []byte) (dict int64, err error) {
	x.declared = [2]int64{-1, -1}
	for i := range x.declared {
		if f&(0x40<<i) != 0 {
			if x.declared[i], b, err = uvarint(b); err != nil {
				return 0, err
			}
		}
	}
	id, b, err := uvarint(b)
	if err != nil {
		return 0, err
	}
	if f&0x3f != 0 || id != xzLZMA2 {
		return 0, fmt.Errorf("any filter but LZMA2 is %w", errUnsupported)
	}
	if len(b) < 2 || b[0] != 1 || b[1] > 40 {
		return 0, fmt.Errorf("the LZMA2 filter %w", errXZ)
	}
	if b[1] == 40 {
		return 1<<32 - 1, nil
	}
	return int64(2|b[1]&1) << (b[1]/2 + 11), nil
}

// lzma2Size adds up what the LZMA2 chunks make that begin in p; false when p
// does not hold the last one.
func lzma2Size(p []byte) (size int64, all bool) {
	for len(p) >= 6 && p[0] != 0 {
		n := int(binary.BigEndian.Uint16(p[1:])) + 1
		switch c := p[0]; {
		case c < 0x80: // not compressed; or not a chunk, and refused by the decoder
			size += int64(n)
			n += 3
		default:
			size += int64(c&0x1f)<<16 + int64(n)
			n = int(binary.BigEndian.Uint16(p[3:])) + 1 + 5
			if c >= 0xc0 {
				n++ // a byte of properties
			}
		}
		p = p[min(n, len(p)):]
	}
	if len(p) > 0 && p[0] != 0 {
		size += 1 << 21 // the most a chunk makes
	}
	return size, len(p) > 0 && p[0] == 0
}

// endBlock checks the sizes and the checksum of a block that was read to its
// end.
func (x *xzReader) endBlock() error {
	x.block = nil
	packed := x.at - x.start - x.head
	if x.declared[0] >= 0 && x.declared[0] != packed || x.declared[1] >= 0 && x.declared[1] != x.out {
		return fmt.Errorf("the size of a block %w", errXZ)
	}
	x.blocks++
	x.unpadded += uint64(x.head + packed + int64(x.size))
	x.unpacked += uint64(x.out)
	pad := int(-packed & 3)
	tail, err := x.take(pad + x.size)
	if err != nil {
		return err
	}
	if x.sum == nil {
		return nil
	}
	want := x.sum.Sum(nil)
	if x.size <= 8 { // the CRCs are little-endian in the file
		for i, j := 0, len(want)-1; i < j; i, j = i+1, j-1 {
			want[i], want[j] = want[j], want[i]
		}
	}
	if !bytes.Equal(want, tail[pad:]) {
		return fmt.Errorf("the checksum of a block %w", errXZ)
	}
	return nil
}

// index reads the index, whose first byte is gone, and the footer, and holds
// them against what was read.
func (x *xzReader) index() error {
	crc := crc32.NewIEEE()
	crc.Write([]byte{0})
	in := &summed{x: x, crc: crc}
	var sums [2]uint64
	count, err := binary.ReadUvarint(in)
	for i := uint64(0); err == nil && i < 2*count; i++ {
		var v uint64
		v, err = binary.ReadUvarint(in)
		sums[i%2] += v
		if sums[0] > x.unpadded || sums[1] > x.unpacked {
			break
		}
	}
	if err == nil && (count != x.blocks || sums[0] != x.unpadded || sums[1] != x.unpacked) {
		err = fmt.Errorf("the index %w", errXZ)
	}
	for err == nil && (x.at-x.start)%4 != 0 {
		_, err = in.ReadByte()
	}
	if err != nil {
		return err
	}
	size := x.at - x.start // without its checksum, which the footer's field does not count either
	tail, err := x.take(4 + 12)
	if err != nil {
		return err
	}
	foot := tail[4:]
	if binary.LittleEndian.Uint32(tail) != crc.Sum32() || binary.LittleEndian.Uint32(foot) != crc32.ChecksumIEEE(foot[4:10]) ||
		int64(binary.LittleEndian.Uint32(foot[4:]))*4 != size || [2]byte(foot[8:10]) != x.flags || string(foot[10:]) != xzFooter {
		return fmt.Errorf("the end of the stream %w", errXZ)
	}
	return nil
}

// summed reads bytes of the index into its checksum.
type summed struct {
	x   *xzReader
	crc hash.Hash32
}

func (s *summed) ReadByte() (byte, error) {
	b, err := s.x.src.ReadByte()
	if err == nil {
		s.x.at++
		s.crc.Write([]byte{b})
	}
	return b, err
}

// uvarint takes a number off the front of b.
func uvarint(b []byte) (v int64, rest []byte, err error) {
	u, n := binary.Uvarint(b)
	if n <= 0 || int64(u) < 0 {
		return 0, nil, fmt.Errorf("a number in the block header %w", errXZ)
	}
	return int64(u), b[n:], nil
}
