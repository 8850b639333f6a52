package reader

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/pierrec/lz4/v4"

	"pcapbatch/internal/inflate"
)

// unpacker is a decompressor at work.
type unpacker struct {
	name    string
	r       io.Reader
	close   func()        // nil where there is nothing to release
	warning func() string // what was odd about the compressed stream; nil for never
}

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

// compressionOf finds the compression of a stream by its first bytes; nil for none.
func compressionOf(head []byte) *compression {
	for i := range compressions {
		if compressions[i].match(head) {
			return &compressions[i]
		}
	}
	return nil
}

// decompress puts a decompressor in front of c.in when its content is compressed.
func (c *Capture) decompress(o Options) (err error) {
	how := compressionOf(c.in.peek(sniffBytes))
	if how == nil {
		return nil
	}
	c.unpack, err = how.open(bufio.NewReaderSize(c.in, o.readAhead()), c.raw, o)
	c.unpack.name = how.name
	if err != nil {
		return c.fault(err)
	}
	c.in = &stream{r: c.unpack.r}
	if inner := compressionOf(c.in.peek(sniffBytes)); inner != nil {
		return c.fail(Unsupported, fmt.Errorf("%s inside %s: unpack one of them first", inner.name, how.name))
	}
	return nil
}

const gzipMagic = "\x1f\x8b"

// isBGZF tells whether a gzip stream is of the blocked kind: its first extra field says so.
func isBGZF(head []byte) bool {
	return len(head) >= 18 && magic(gzipMagic)(head) && head[3]&4 != 0 && head[12] == 'B' && head[13] == 'C'
}

// splitBytes is the compressed size from which a stream is decoded by several goroutines: some chunks for each.
const splitBytes = 4 << 20

// gzipReader reads a gzip stream of any number of members, and does with what follows as gzip does: zeros are ignored,
// garbage too, but told.
type gzipReader struct {
	io.ReadCloser
	odd string
}

func openGzip(r *bufio.Reader, s *source, o Options) (unpacker, error) {
	g := &gzipReader{}
	u := unpacker{r: g, close: func() { g.Close() }, warning: func() string { return g.odd }}
	if s.file != nil && o.Workers > 1 && s.size >= splitBytes {
		if err := s.readTail(); err != nil {
			return unpacker{}, err
		}
		g.ReadCloser = inflate.NewParallelReader(s, s.size, inflate.Options{Workers: o.Workers})
	} else {
		z := o.Spare.takeGzip(r)
		g.ReadCloser = z
		u.close = func() { g.Close(); o.Spare.keepGzip(z) }
	}
	return u, nil
}

func (g *gzipReader) Read(p []byte) (int, error) {
	n, err := g.ReadCloser.Read(p)
	if errors.Is(err, inflate.ErrTrailing) {
		g.odd = "garbage behind the gzip stream is ignored"
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

// behindSkippable returns the first magic number of a zstd or lz4 frame that is not to be skipped, as far as head
// shows: 0 for none, skippable for more to skip than head has.
func behindSkippable(head []byte) uint32 {
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

// isZstd takes a stream that shows nothing but frames to be skipped for zstd: pzstd and seekable files have them.
func isZstd(head []byte) bool {
	m := behindSkippable(head)
	return m == zstdMagic || m == skippable
}

func isLZ4(head []byte) bool {
	m := behindSkippable(head)
	return m == lz4Magic || m == lz4Legacy
}

// openLZ4 uses one goroutine: the library's concurrent reader cannot be closed before its end, and is no faster than
// what follows.
func openLZ4(r *bufio.Reader, _ *source, _ Options) (unpacker, error) {
	z := lz4.NewReader(r)
	return unpacker{r: z}, z.Apply(lz4.ConcurrencyOption(1))
}

// isBzip2 looks for a stream header and the magic number of its first block, or of its end.
func isBzip2(head []byte) bool {
	if len(head) < 10 || string(head[:3]) != "BZh" || head[3] < '1' || head[3] > '9' {
		return false
	}
	m := string(head[4:10])
	return m == "1AY&SY" || m == "\x17rE8P\x90"
}

func openBzip2(r *bufio.Reader, _ *source, _ Options) (unpacker, error) {
	return unpacker{r: bzip2.NewReader(r)}, nil
}
