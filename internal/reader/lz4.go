package reader

import (
	"bufio"
	"encoding/binary"
	"io"
	"math"

	"github.com/pierrec/lz4/v4"
)

// Fields of an LZ4 frame (lz4_Frame_format.md in its repository).
const (
	lz4BlockSums   = 1 << 4 // flag: each block has a checksum
	lz4ContentSize = 1 << 3 // flag: the header states the size of the content
	lz4ContentSum  = 1 << 2 // flag: the frame ends with a checksum
	lz4Dictionary  = 1 << 0 // flag: the header names a dictionary

	// lz4LegacyMost is the size of the largest block of a legacy frame, in
	// bytes: 8 MiB that could not be compressed.
	lz4LegacyMost = 8<<20 + 8<<20/255 + 16
)

// openLZ4 uses one goroutine: the library's concurrent reader cannot be closed
// before its end, and is no faster than the walk over the records.
func openLZ4(r *bufio.Reader, _ *source, _ Options) (unpacker, error) {
	frames := &lz4Frames{src: r}
	z := lz4.NewReader(frames)
	return unpacker{r: z, memory: frames.memory}, z.Apply(lz4.ConcurrencyOption(1))
}

// lz4Frames passes LZ4 frames on to the decoder, and ends where no frame
// follows: the decoder reads on and makes an error of what is there. It follows
// the frames from block to block; what it does not understand is left to the
// decoder to refuse.
type lz4Frames struct {
	src    *bufio.Reader
	left   int64 // bytes to pass on before the next header
	place  lz4Place
	flags  byte // of the frame
	ended  bool
	legacy bool  // there was a legacy frame
	most   int64 // bytes of the largest block that a frame has allowed
}

// memory is that of a block packed and unpacked, and of the 192 KiB that later
// blocks refer to.
func (z *lz4Frames) memory() int64 { return 2*z.most + 192<<10 }

type lz4Place uint8

const (
	lz4Border lz4Place = iota // a frame comes next, or the end
	lz4Block                  // a block of a frame, or its end mark
	lz4Old                    // a block of a legacy frame, or what follows it
)

func (z *lz4Frames) Read(p []byte) (int, error) {
	if z.left == 0 && !z.ended {
		z.next()
	}
	if z.ended {
		return 0, io.EOF
	}
	n, err := z.src.Read(p[:min(int64(len(p)), z.left)])
	z.left -= int64(n)
	return n, err
}

// next finds out what to pass on next.
func (z *lz4Frames) next() {
	switch z.place {
	case lz4Border:
		z.frame()
	case lz4Block:
		z.block()
	case lz4Old:
		z.oldBlock()
	}
}

// frame passes on the header of a frame.
func (z *lz4Frames) frame() {
	h, _ := z.src.Peek(8)
	if len(h) < 4 {
		z.ended = true
		return
	}
	switch m := binary.LittleEndian.Uint32(h); {
	case len(h) < 8 && (m == lz4Magic || m&^15 == skippable):
		z.left = math.MaxInt64 // cut short, and the decoder reports it
	case m&^15 == skippable && !z.legacy:
		z.left = 8 + int64(binary.LittleEndian.Uint32(h[4:]))
	case m == lz4Magic && !z.legacy:
		z.flags, z.place = h[4], lz4Block
		z.most = max(z.most, 1<<(8+2*(h[5]>>4&7))) // 64 KiB, 256 KiB, 1 MiB or 4 MiB
		z.left = 4 + 2 + 1
		if z.flags&lz4ContentSize != 0 {
			z.left += 8
		}
		if z.flags&lz4Dictionary != 0 {
			z.left += 4
		}
	case m == lz4Legacy:
		z.left, z.place, z.legacy = 4, lz4Old, true
		z.most = lz4LegacyMost
	default: // no frame, or one that the decoder does not take after a legacy one
		z.ended = true
	}
}

// block passes on a block of a frame, or its end mark and checksum.
func (z *lz4Frames) block() {
	h, _ := z.src.Peek(4)
	if len(h) < 4 {
		z.left = math.MaxInt64
		return
	}
	size := binary.LittleEndian.Uint32(h)
	z.left = 4 + int64(size&^(1<<31)) // the top bit says that it is not compressed
	sum := byte(lz4BlockSums)
	if size == 0 {
		z.place, sum = lz4Border, lz4ContentSum
	}
	if z.flags&sum != 0 {
		z.left += 4
	}
}

// oldBlock passes on a block of a legacy frame. Such a frame has no end mark:
// it ends where something else than the size of a block follows, or with the
// file, in front of whose end the Linux kernel's build writes the size of the
// content.
func (z *lz4Frames) oldBlock() {
	h, _ := z.src.Peek(5)
	if len(h) < 4 {
		z.ended = true
		return
	}
	size := binary.LittleEndian.Uint32(h)
	switch {
	case len(h) == 4 && size != 0:
		z.left, z.place = 4, lz4Border
	case size == 0 || size > lz4LegacyMost:
		z.place = lz4Border
		z.frame()
	default:
		z.left = 4 + int64(size)
	}
}
