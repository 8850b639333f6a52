package reader

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"

	"github.com/klauspost/compress/zstd"
)

const (
	// maxWindow is the largest zstd window accepted, in bytes: what the zstd
	// command accepts unless told otherwise.
	maxWindow = 128 << 20

	// usualWindow is a window that a frame gets for the asking, in bytes. For a
	// larger one its compressed bytes must fill a read of the file, or its
	// blocks be enough.
	usualWindow = 1 << 20

	zstdBlock = 128 << 10 // the most that a block unpacks to, in bytes

	// zstdBlockBytes is the memory of a block on its way through a decoder with
	// goroutines: its compressed bytes, literals, sequences and output.
	zstdBlockBytes = 512 << 10
	zstdHeader     = 18 // the longest frame header, with its magic number
)

func openZstd(r *bufio.Reader, s *source, o Options) (unpacker, error) {
	seekBytes := int64(o.Workers+1) * 2 * mostSpan
	if s.splits(o, seekBytes) {
		if spans := spansOf(s, s.size); len(spans) > 1 {
			z, err := newSeekReader(s, spans, o)
			if err != nil {
				return unpacker{}, err
			}
			return unpacker{r: z, close: z.close, rest: z.follows, memory: fixed(seekBytes)}, nil
		}
	}
	frames := &zstdFrames{src: r, o: o, most: uint64(o.window(maxWindow))}
	if blocks := int64(o.Workers) * blocksPerCore * zstdBlockBytes; o.Workers > 1 && !o.small() && o.affords(2*blocks) {
		d, err := newZstd(frames, o.Workers)
		if err != nil {
			return unpacker{}, err
		}
		return unpacker{r: zstdReader{d, frames}, close: d.Close, memory: func() int64 { return frames.memory() + blocks }}, nil
	}
	d, err := o.Spare.takeZstd(frames)
	if err != nil {
		return unpacker{}, err
	}
	return unpacker{r: zstdReader{d, frames}, memory: frames.memory, close: func() {
		if frames.window > usualWindow {
			d.Close()
		} else {
			o.Spare.keepZstd(d)
		}
	}}, nil
}

// blocksPerCore is how many blocks of a zstd stream are on their way for each
// core. Their literals, sequences and copies are done one after the other, by
// three goroutines that wait for each other the less, the more there are: with
// one a core a capture takes a quarter longer.
const blocksPerCore = 8

func newZstd(r io.Reader, workers int) (*zstd.Decoder, error) {
	if workers > 1 { // one: no goroutines
		workers *= blocksPerCore
	}
	return zstd.NewReader(r, zstd.WithDecoderConcurrency(workers), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderMaxMemory(1<<62))
}

// zstdReader names what zstd streams ask for that is refused.
type zstdReader struct {
	*zstd.Decoder
	frames *zstdFrames
}

func (z zstdReader) Read(p []byte) (int, error) {
	n, err := z.Decoder.Read(p)
	if err != nil && err != io.EOF && n < len(p) {
		// Without goroutines, the decoder gives the error that it found at the
		// end of a block before that block.
		var more int
		more, err = z.Decoder.Read(p[n:])
		n += more
	}
	switch {
	case z.frames.refused != nil && err != nil && err != io.EOF:
		err = z.frames.refused
	case errors.Is(err, zstd.ErrWindowSizeExceeded):
		err = fmt.Errorf("a window of more than %d MiB is %w", maxWindow>>20, errUnsupported)
	case errors.Is(err, zstd.ErrUnknownDictionary):
		err = fmt.Errorf("a dictionary is %w", errUnsupported)
	}
	return n, err
}

// zstdFrames passes a zstd stream (RFC 8878) on to the decoder, and lowers the
// window of frames that cannot make use of it: the decoder allocates the whole
// of it at once, and a frame of ten bytes may ask for as much as any. It
// follows the stream from header to header, and ends where no frame follows;
// what it does not understand is left to the decoder to refuse.
type zstdFrames struct {
	src    *bufio.Reader
	o      Options
	most   uint64 // bytes that a window may take
	header []byte // of a frame, ready to be passed on
	left   int64  // bytes to be passed on before the next header
	inside bool   // a frame: a block header comes next
	summed bool   // the frame ends with a checksum
	window uint64 // the largest that a frame got, bytes
	ended  bool   // no frame follows

	// refused is why a frame was kept from the decoder. It is written before
	// the decoder sees an error, and read after.
	refused error
}

// memory is the window, and 2 MiB for a decoder's buffers.
func (z *zstdFrames) memory() int64 { return int64(min(z.window, maxWindow)) + 2<<20 }

func (z *zstdFrames) Read(p []byte) (int, error) {
	if len(z.header) == 0 && z.left == 0 {
		z.next()
	}
	switch {
	case z.refused != nil:
		return 0, z.refused
	case z.ended:
		return 0, io.EOF
	}
	if len(z.header) > 0 {
		n := copy(p, z.header)
		z.header = z.header[n:]
		return n, nil
	}
	n, err := z.src.Read(p[:min(int64(len(p)), z.left)])
	z.left -= int64(n)
	return n, err
}

// next finds out what to pass on next.
func (z *zstdFrames) next() {
	if z.inside {
		z.nextBlock()
		return
	}
	h, _ := z.src.Peek(zstdHeader)
	if len(h) >= 8 && binary.LittleEndian.Uint32(h)&^15 == skippable {
		z.left = 8 + int64(binary.LittleEndian.Uint32(h[4:]))
		return
	}
	f, ok := zstdFrameHead(h)
	if !ok {
		if len(h) < 4 || binary.LittleEndian.Uint32(h) != zstdMagic && binary.LittleEndian.Uint32(h)&^15 != skippable {
			z.ended = true
			return
		}
		z.left = math.MaxInt64
		z.window = math.MaxUint64 // who knows what the decoder makes of it
		return
	}
	z.inside, z.summed, z.header = true, h[4]&4 != 0, f.bytes
	if f.size() > usualWindow {
		ahead, _ := z.src.Peek(z.src.Size())
		if size, all := zstdUnpacked(ahead[len(f.bytes):]); all || len(ahead) < z.src.Size() {
			f.lower(max(size, usualWindow))
		}
	}
	z.window = max(z.window, f.size())
	if f.size() > z.most && f.size() <= maxWindow {
		z.refused = z.o.errMemory("window", int64(f.size()), 0, int64(z.most))
	}
	z.src.Discard(len(f.bytes))
}

// nextBlock passes on a block, and the checksum after the last one.
func (z *zstdFrames) nextBlock() {
	h, _ := z.src.Peek(3)
	if len(h) < 3 {
		z.left = math.MaxInt64
		return
	}
	size, last := zstdBlockSize(h)
	z.left, z.inside = int64(size), !last
	if last && z.summed {
		z.left += 4
	}
}

// zstdBlockSize returns the size of a block with its header h, in bytes, and
// whether it is the last of its frame.
func zstdBlockSize(h []byte) (size int, last bool) {
	v := int(h[0]) | int(h[1])<<8 | int(h[2])<<16
	if v>>1&3 == 1 { // one byte, repeated
		return 3 + 1, v&1 != 0
	}
	return 3 + v>>3, v&1 != 0
}

// zstdUnpacked returns the most that the blocks in p can unpack to, in bytes,
// and whether p has all of the frame.
func zstdUnpacked(p []byte) (size uint64, all bool) {
	for len(p) >= 3 && !all {
		var n int
		n, all = zstdBlockSize(p)
		size += zstdBlock
		p = p[min(n, len(p)):]
	}
	return size, all
}

// zstdHead is a frame header, and where in it the fields that set the window
// are.
type zstdHead struct {
	bytes   []byte
	window  int // offset of the window descriptor; 0: the content size is the window
	content int // offset of the content size
}

// zstdFrameHead finds the frame header that h begins with; false where there is
// none, or not all of one.
func zstdFrameHead(h []byte) (f zstdHead, ok bool) {
	if len(h) < 5 || binary.LittleEndian.Uint32(h) != zstdMagic {
		return f, false
	}
	flags, single := h[4], h[4]&0x20 != 0
	f.content = 5 + [...]int{0, 1, 2, 4}[flags&3]
	if !single {
		f.window = 5
		f.content++
	}
	size := f.content + [...]int{0, 2, 4, 8}[flags>>6]
	if single && flags>>6 == 0 {
		size++
	}
	if size > len(h) {
		return f, false
	}
	f.bytes = append([]byte(nil), h[:size]...)
	return f, true
}

// size is the window that the frame asks for, in bytes.
func (f *zstdHead) size() uint64 {
	if f.window != 0 {
		d := f.bytes[f.window]
		return (8 + uint64(d&7)) << (7 + d>>3)
	}
	var field [8]byte
	copy(field[:], f.bytes[f.content:]) // the odd 256 bytes of a short field are no matter here
	return binary.LittleEndian.Uint64(field[:])
}

// lower makes the frame ask for no more than the next power of two from size
// on, or for size where the window is the content size: a frame that states
// more content than its blocks can hold is damaged, and found to be all the
// same.
func (f *zstdHead) lower(size uint64) {
	if f.size() <= size {
		return
	}
	if f.window != 0 {
		f.bytes[f.window] = min(f.bytes[f.window], uint8(bits.Len64(size-1)-10)<<3)
		return
	}
	copy(f.bytes[f.content:], binary.LittleEndian.AppendUint64(nil, size))
}
