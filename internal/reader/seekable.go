package reader

import (
	"bufio"
	"encoding/binary"
	"io"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// The seekable format of zstd (contrib/seekable_format in its repository):
// frames, and after them a table of their sizes in a frame to be skipped.
const (
	seekMagic      = 0x8f92eab1
	seekTable      = skippable + 14
	seekFooter     = 4 + 1 + 4 // number of frames, descriptor, seekMagic
	seekChecksums  = 0x80      // in the descriptor: an entry has a checksum too
	seekReserved   = 0x7c
	skippableBytes = 8 // magic, size

	// leastSpan is how much is unpacked at a time, where the frames are no
	// larger, and mostSpan the largest frame that is unpacked at once, in
	// bytes.
	leastSpan = 1 << 20
	mostSpan  = 8 << 20

	// leastFrame is the size of the smallest frame there is, and mostSpans how
	// many spans are kept: those of 256 GiB and more. A table that says
	// otherwise is a lie, or too long to be worth its memory.
	leastFrame = 9
	mostSpans  = 1 << 18
)

// A span is a row of frames that are unpacked at once.
type span struct{ from, packed, unpacked int64 }

// spansOf reads the table of a seekable file. It returns nil where there is
// none, or none that is of use: frames of more than mostSpan bytes keep a
// decoder busy by themselves. The table is only a hint: see seekReader.
func spansOf(file io.ReaderAt, size int64) (spans []span) {
	var footer [seekFooter]byte
	if _, err := file.ReadAt(footer[:], max(0, size-seekFooter)); err != nil || binary.LittleEndian.Uint32(footer[5:]) != seekMagic || footer[4]&seekReserved != 0 {
		return nil
	}
	entry := int64(8)
	if footer[4]&seekChecksums != 0 {
		entry = 12
	}
	content := int64(binary.LittleEndian.Uint32(footer[:]))*entry + seekFooter
	end := size - content - skippableBytes // of the last frame
	if end < 0 {
		return nil
	}
	table := bufio.NewReader(io.NewSectionReader(file, end, size-end))
	var b [12]byte
	if _, err := io.ReadFull(table, b[:skippableBytes]); err != nil ||
		binary.LittleEndian.Uint32(b[:]) != seekTable || int64(binary.LittleEndian.Uint32(b[4:])) != content {
		return nil
	}
	var s span
	for ; content > seekFooter; content -= entry {
		if _, err := io.ReadFull(table, b[:entry]); err != nil {
			return nil
		}
		packed, unpacked := int64(binary.LittleEndian.Uint32(b[:])), int64(binary.LittleEndian.Uint32(b[4:]))
		if packed < leastFrame || packed > mostSpan || unpacked > mostSpan || len(spans) == mostSpans {
			return nil
		}
		if s.unpacked+unpacked > mostSpan || s.packed+packed > mostSpan {
			spans = append(spans, s)
			s = span{from: s.from + s.packed}
		}
		s.packed += packed
		s.unpacked += unpacked
		if s.unpacked >= leastSpan {
			spans = append(spans, s)
			s = span{from: s.from + s.packed}
		}
	}
	if s.packed > 0 {
		spans = append(spans, s)
	}
	if s.from+s.packed != end {
		return nil
	}
	return spans
}

// seekReader unpacks the spans of a seekable file side by side, and gives them
// in order. Where one does not come out as the table says, all from its
// beginning on is unpacked as if there were no table. So the bytes and the
// error are those of a file without one, whatever it says. It holds one span
// more than there are workers, packed and unpacked: some 2 MiB each, at most
// 16.
type seekReader struct {
	file    *source
	decoder *zstd.Decoder
	spans   []span // not begun
	begun   []*unpacking
	spare   []*unpacking
	most    int // begun at a time
	out     []byte
	rest    *zstdReader       // from a span on that was not as the table says
	section *io.SectionReader // what rest reads
	window  uint64            // largest window that rest may use, in bytes
	running sync.WaitGroup
}

// An unpacking is a span being unpacked. Its buffers are used again.
type unpacking struct {
	span
	in, out []byte
	ok      bool
	done    chan struct{}
}

func newSeekReader(file *source, spans []span, o Options) (*seekReader, error) {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(o.Workers), zstd.WithDecodeAllCapLimit(true),
		zstd.WithDecoderMaxWindow(maxWindow))
	return &seekReader{file: file, decoder: d, spans: spans, most: o.Workers + 1, window: uint64(o.window(maxWindow))}, err
}

func (z *seekReader) Read(p []byte) (n int, err error) {
	for len(z.out) == 0 {
		if z.rest != nil {
			return z.rest.Read(p)
		}
		if err := z.next(); err != nil {
			return 0, err
		}
	}
	n = copy(p, z.out)
	z.out = z.out[n:]
	return n, nil
}

// next makes out the next span, or rest what follows.
func (z *seekReader) next() (err error) {
	if len(z.begun) > 0 && z.begun[0].ok { // all of it was read
		z.spare = append(z.spare, z.begun[0])
		z.begun = append(z.begun[:0], z.begun[1:]...)
	}
	for len(z.begun) < z.most && len(z.spans) > 0 {
		z.begin()
	}
	if len(z.begun) == 0 {
		return io.EOF
	}
	u := z.begun[0]
	<-u.done
	if u.ok {
		z.out = u.out
		return nil
	}
	z.running.Wait()
	z.section = io.NewSectionReader(z.file, 0, z.file.size)
	z.section.Seek(u.from, io.SeekStart)
	frames := &zstdFrames{src: bufio.NewReaderSize(z.section, BlockBytes), most: z.window}
	d, err := newZstd(frames, z.most-1)
	z.rest = &zstdReader{d, frames}
	return err
}

// follows gives the file from the end of the frames on. The table lies at the
// end of the file, so that without rest it is the end.
func (z *seekReader) follows() *stream {
	if z.rest == nil {
		return z.file.from(-1)
	}
	at, _ := z.section.Seek(0, io.SeekCurrent)
	return z.file.from(at - int64(z.rest.frames.src.Buffered()))
}

// begin unpacks the next span in a goroutine of its own.
func (z *seekReader) begin() {
	u := &unpacking{done: make(chan struct{}, 1)}
	if n := len(z.spare); n > 0 {
		u, z.spare = z.spare[n-1], z.spare[:n-1]
	}
	u.span, z.spans = z.spans[0], z.spans[1:]
	z.begun = append(z.begun, u)
	z.running.Add(1)
	go func() {
		defer z.running.Done()
		u.ok = z.unpack(u)
		u.done <- struct{}{}
	}()
}

// unpack reports whether u came out as the table says.
func (z *seekReader) unpack(u *unpacking) bool {
	u.in = grow(u.in, int(u.packed))
	u.out = grow(u.out, int(u.unpacked))
	if n, _ := z.file.ReadAt(u.in, u.from); n < len(u.in) {
		return false
	}
	out, err := z.decoder.DecodeAll(u.in, u.out[:0])
	ok := err == nil && len(out) == len(u.out)
	u.out = out
	return ok
}

// grow returns a slice of n bytes, b if it has room.
func grow(b []byte, n int) []byte {
	if cap(b) < n {
		return make([]byte, n)
	}
	return b[:n]
}

func (z *seekReader) close() {
	z.running.Wait()
	z.decoder.Close()
	if z.rest != nil && z.rest.Decoder != nil {
		z.rest.Close()
	}
}
