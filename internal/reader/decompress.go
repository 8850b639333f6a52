package reader

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"

	"pcapbatch/internal/inflate"
)

// unpacker is a decompressor at work. Its reader ends with io.EOF where its
// stream ends, whatever follows in the file.
type unpacker struct {
	name  string
	r     io.Reader
	close func() // nil where there is nothing to release
	// unread gives what the decompressor took from its source and did not use,
	// once r has ended; nil where that is nothing.
	unread func() []byte
	// rest gives the file from the end of the stream on, where the decompressor
	// has not read the source it was opened with; else nil.
	rest func() *stream
	// memory is how many bytes the decompressor holds at most, by what it has
	// read so far.
	memory func() int64
}

// fixed is the memory of a decompressor that always takes as much.
func fixed(bytes int64) func() int64 { return func() int64 { return bytes } }

// compression is one way of compression.
type compression struct {
	name  string
	match func(head []byte) bool
	open  func(r *bufio.Reader, s *source, o Options) (unpacker, error)
}

var compressions = []compression{
	{"bgzf", isBGZF, openGzip},
	{"gzip", magic(gzipMagic), openGzip},
	{"zstd", isZstd, openZstd},
	{"lz4", isLZ4, openLZ4},
	{"xz", magic(xzMagic), openXZ},
	{"bzip2", isBzip2, openBzip2},
}

func magic(m string) func([]byte) bool {
	return func(head []byte) bool { return bytes.HasPrefix(head, []byte(m)) }
}

// compressionOf finds the compression of a stream by its first bytes; nil for
// none.
func compressionOf(head []byte) *compression {
	for i := range compressions {
		if compressions[i].match(head) {
			return &compressions[i]
		}
	}
	return nil
}

const gzipMagic = "\x1f\x8b"

// isBGZF tells whether a gzip stream is of the blocked kind: its first extra
// field says so.
func isBGZF(head []byte) bool {
	return len(head) >= 18 && magic(gzipMagic)(head) && head[3]&4 != 0 && head[12] == 'B' && head[13] == 'C'
}

// splitBytes is the compressed size from which a stream is decoded by several
// goroutines: some chunks for each.
const splitBytes = 4 << 20

// gzipBytes is the memory of a sequential gzip decoder, with its own buffer.
const gzipBytes = 384 << 10

// gzipParallelBytes is what a parallel gzip decoder may hold: ten segments of
// 1.1 MiB for each of its chunks (inflate.NewParallelReader), and 1 MiB of
// tables and buffers.
func gzipParallelBytes(workers int) int64 { return int64(workers+2) * 12 << 20 }

// gzipReader reads a gzip stream of any number of members, and ends where no
// member follows.
type gzipReader struct {
	io.ReadCloser
	end int64 // offset of what follows the stream, from its beginning; -1: nothing does
}

func openGzip(r *bufio.Reader, s *source, o Options) (unpacker, error) {
	g := &gzipReader{end: -1}
	if s.splits(o, gzipParallelBytes(o.Workers)) {
		if err := s.readTail(); err != nil {
			return unpacker{}, err
		}
		g.ReadCloser = inflate.NewParallelReader(s, s.size, inflate.Options{Workers: o.Workers})
		return unpacker{r: g, close: func() { g.Close() }, rest: func() *stream { return s.from(g.end) },
			memory: fixed(gzipParallelBytes(o.Workers))}, nil
	}
	z := o.Spare.takeGzip(r)
	g.ReadCloser = z
	return unpacker{r: g, close: func() { g.Close(); o.Spare.keepGzip(z) }, unread: z.Unread, memory: fixed(gzipBytes)}, nil
}

func (g *gzipReader) Read(p []byte) (int, error) {
	n, err := g.ReadCloser.Read(p)
	if e, ok := errors.AsType[*inflate.Error](err); ok && e.Err == inflate.ErrTrailing {
		g.end = e.Offset
		err = io.EOF
	}
	return n, err
}

// unexpected makes an end in a place where a stream cannot end an error.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

const (
	zstdMagic = 0xfd2fb528
	lz4Magic  = 0x184d2204
	lz4Legacy = 0x184c2102
	skippable = 0x184d2a50 // 16 magic numbers from here; zstd and lz4 share them
)

// afterSkippable returns the first magic number of a zstd or lz4 frame that is
// not to be skipped, as far as head shows: 0 for none, skippable for more to
// skip than head has.
func afterSkippable(head []byte) uint32 {
	skipped := uint32(0)
	for len(head) >= 8 {
		m := binary.LittleEndian.Uint32(head)
		if m&^15 != skippable {
			return m
		}
		skipped = skippable
		size := int64(binary.LittleEndian.Uint32(head[4:])) + 8
		if size > int64(len(head)) {
			break
		}
		head = head[size:]
	}
	return skipped
}

// isZstd takes a stream that shows nothing but frames to be skipped for zstd:
// pzstd and seekable files have them.
func isZstd(head []byte) bool {
	m := afterSkippable(head)
	return m == zstdMagic || m == skippable
}

func isLZ4(head []byte) bool {
	m := afterSkippable(head)
	return m == lz4Magic || m == lz4Legacy
}

// isBzip2 looks for a stream header and the magic number of its first block, or
// of its end.
func isBzip2(head []byte) bool {
	if len(head) < 10 || string(head[:3]) != "BZh" || head[3] < '1' || head[3] > '9' {
		return false
	}
	m := string(head[4:10])
	return m == "1AY&SY" || m == "\x17rE8P\x90"
}
