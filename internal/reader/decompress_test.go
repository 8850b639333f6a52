package reader

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pcapbatch/internal/capturetest"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// TestFramesInARow cuts a capture anywhere, packs the two parts apart and joins
// them, with what each format allows in between.
func TestFramesInARow(t *testing.T) {
	s := samples()[0]
	skip := raw(le, uint32(skippable+5), 3, "abc")
	between := map[string][][]byte{
		"gzip":  {nil},
		"zstd":  {nil, skip, slices.Concat(skip, skip)},
		"lz4":   {nil, skip},
		"xz":    {nil, make([]byte, 8)},
		"bzip2": {},
	}
	for cut := 0; cut < len(s.data); cut += 9 {
		first, second := packed(t, s.data[:cut]), packed(t, s.data[cut:])
		for how := range first {
			for _, gap := range between[how] {
				recs, info, err := readBytes(slices.Concat(first[how], gap, second[how]))
				if err != nil || !slices.Equal(recs, s.want) || len(info.Warnings) != 0 {
					t.Fatalf("%s cut at %d, %d bytes between: %d records, %v %q", how, cut, len(gap), len(recs), err, info.Warnings)
				}
			}
		}
	}
}

// TestSkippableFirst begins with frames to be skipped, as pzstd does; zstd and
// lz4 share their magic numbers.
func TestSkippableFirst(t *testing.T) {
	s := samples()[0]
	skip := raw(le, uint32(skippable), 4, "abcd")
	far := raw(le, uint32(skippable+15), 1<<20, make([]byte, 1<<20)) // beyond what recognition looks at
	for _, c := range []struct {
		how   string
		front []byte
	}{{"zstd", skip}, {"lz4", skip}, {"zstd", far}} {
		recs, info, err := readBytes(slices.Concat(c.front, packedBy(t, c.how, s.data)))
		if err != nil || !slices.Equal(recs, s.want) || info.Compression != c.how {
			t.Errorf("%s behind %d bytes: %v %v", c.how, len(c.front), info, err)
		}
	}
}

// bgzfOf packs data in blocks of so many bytes, and has the end mark after them.
func bgzfOf(t testing.TB, data []byte, bytes int) (blocks [][]byte) {
	t.Helper()
	for part := range slices.Chunk(data, bytes) {
		z := capturetest.Gzipped(t, part)
		z[3] |= 4
		blocks = append(blocks, slices.Concat(z[:10], raw(le, uint16(6), "BC", uint16(2), uint16(len(z)+8-1)), z[10:]))
	}
	return append(blocks, []byte(bgzfEnd))
}

// TestBGZF reads blocked gzip. A stream without its end mark, cut between two
// blocks, cannot be told from a whole one but by that mark.
func TestBGZF(t *testing.T) {
	s := samples()[0]
	blocks := bgzfOf(t, s.data, 44)
	for n := range len(blocks) + 1 {
		recs, info, err := readBytes(slices.Concat(blocks[:n]...))
		switch {
		case n == 0:
		case info.Compression != "bgzf" || !slices.Equal(recs, s.want[:len(recs)]):
			t.Errorf("%d blocks: %v, %d records, %v", n, info, len(recs), err)
		case (n == len(blocks)) != (err == nil && len(info.Warnings) == 0):
			t.Errorf("%d of %d blocks: %v, %q", n, len(blocks), err, info.Warnings)
		}
	}
}

// TestCompressedErrors lists compressed streams that are refused.
func TestCompressedErrors(t *testing.T) {
	all := packed(t, samples()[0].data)
	badSum := bytes.Clone(all["gzip"])
	badSum[len(badSum)-8] ^= 1
	badFrame := slices.Concat(all["zstd"], []byte("what is this"))
	for _, c := range []struct {
		name    string
		data    []byte
		records int
		kind    Kind
		says    string
	}{
		{"gzip in zstd", packedBy(t, "zstd", all["gzip"]), 0, Unsupported, "gzip inside zstd: unpack one of them first"},
		{"xz in gzip", packedBy(t, "gzip", all["xz"]), 0, Unsupported, "xz inside gzip"},
		{"nothing in gzip", packedBy(t, "gzip", nil), 0, Empty, "nothing inside the gzip stream"},
		{"text in lz4", packedBy(t, "lz4", []byte("hello world")), 0, NotCapture, "not a capture"},
		{"gzip checksum", badSum, 3, Corrupt, "in the gzip stream: "},
		{"zstd and more", badFrame, 3, Corrupt, "garbage follows the zstd stream: byte "},
		{"gzip header", []byte("\x1f\x8b\x07\x00\x00\x00\x00\x00\x00\x00"), 0, Corrupt, "x: in the gzip stream"},
		{"zstd dictionary", raw(le, uint32(zstdMagic), "\x23\x07\x00\x00\x00\x05", "\x01\x00\x00"), 0, Unsupported, "dictionary"},
		{"zstd window", slices.Concat(raw(le, uint32(zstdMagic), "\x00\x90"), bytes.Repeat(zstdRawBlock(100<<10), 3)), 0, Unsupported, "window of more than 128 MiB"},
		{"xz dictionary", xzBlock(t, xzLZMA2, 1, 40), 0, Unsupported, "dictionary of more than 64 MiB"},
		{"xz filter", xzBlock(t, 4, 0, 0), 0, Unsupported, "any filter but LZMA2"},
		{"xz filter property", xzBlock(t, xzLZMA2, 1, 41), 0, Corrupt, "LZMA2 filter contradicts"},
	} {
		recs, _, err := readBytes(c.data)
		if err == nil {
			t.Errorf("%s: no error", c.name)
			continue
		}
		if k := kindOf(t, err); k != c.kind || !strings.Contains(err.Error(), c.says) || len(recs) != c.records {
			t.Errorf("%s: %v, %d records: %v\nwant %v, %d records: %s", c.name, k, len(recs), err, c.kind, c.records, c.says)
		}
	}
}

// zstdRawBlock is a block of n zero bytes, not compressed and not the last one.
func zstdRawBlock(n int) []byte {
	return raw(le, uint8(n<<3), uint8(n>>5), uint8(n>>13), make([]byte, n))
}

// TestZstdWindows reads frames of any window, small enough or with enough in
// them to have it.
func TestZstdWindows(t *testing.T) {
	s := samples()[0]
	last := slices.Concat(raw(le, uint8(len(s.data)<<3|1), uint8(len(s.data)>>5), uint8(0)), s.data)
	for _, window := range []byte{0x00, 0x38, 0x69, 0x88, 0x90, 0xff} {
		recs, _, err := readBytes(slices.Concat(raw(le, uint32(zstdMagic), uint8(0), window), last))
		if err != nil || !slices.Equal(recs, s.want) {
			t.Errorf("window %#x: %d records, %v", window, len(recs), err)
		}
	}
	rec := pcapRec(le, 1, 2, strings.Repeat("x", 1000))
	data := append(pcapHead(le, magicMicro, 1), bytes.Repeat(rec, 20_000)...)
	for _, window := range []int{1 << 10, 8 << 20, 16 << 20} {
		w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(window))
		if err != nil {
			t.Fatal(err)
		}
		z := w.EncodeAll(data, nil)
		if recs, _, err := readBytes(slices.Concat(z, packedBy(t, "zstd", rec))); err != nil || len(recs) != 20_001 {
			t.Errorf("window %d: %d records, %v", window, len(recs), err)
		}
	}
}

// xzBlock is an xz stream up to its first block header, which names one filter
// with one byte of properties.
func xzBlock(t testing.TB, filter, size, property byte) []byte {
	t.Helper()
	sum := func(b []byte) []byte { return binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(b)) }
	flags := sum([]byte{0, 1})
	header := sum([]byte{2, 0, filter, size, property, 0, 0, 0})
	return slices.Concat([]byte(xzMagic), flags, header, make([]byte, 64))
}

// TestXZChecks reads every kind of checksum, and notices a wrong one.
func TestXZChecks(t *testing.T) {
	s := samples()[0]
	for name, config := range map[string]xz.WriterConfig{
		"none":   {NoCheckSum: true},
		"crc32":  {CheckSum: xz.CRC32},
		"crc64":  {CheckSum: xz.CRC64},
		"sha256": {CheckSum: xz.SHA256},
		"blocks": {CheckSum: xz.CRC64, BlockSize: 7},
	} {
		var b bytes.Buffer
		config.DictCap = 1 << 16
		w, err := config.NewWriter(&b)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(s.data); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if recs, _, err := readBytes(b.Bytes()); err != nil || !slices.Equal(recs, s.want) {
			t.Errorf("%s: %d records, %v", name, len(recs), err)
		}
	}
}

// TestXZCut cuts a stream anywhere: what is left of it comes out but for a few
// bytes, though the library keeps up to 2 MiB before the damage to itself.
func TestXZCut(t *testing.T) {
	capturetest.Arithmetic(t)
	r := rand.New(rand.NewPCG(1, 1))
	plain := make([]byte, 3<<20)
	for i := range plain {
		plain[i] = byte(r.IntN(4)) // a quarter of each byte is news, so xz makes little of it
	}
	// A sum at the end of the block, and three chunks, which do not begin where
	// others end.
	z := packedBy(t, "xz", plain)
	rate := float64(len(plain)) / float64(len(z))
	for _, cut := range []int{len(z) / 7, len(z) / 2, len(z) - 100_000, len(z) - 1000, len(z) - 100, len(z) - 1} {
		u, err := openXZ(bufio.NewReader(bytes.NewReader(z[:cut])), nil, Options{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(u.r)
		if !errors.Is(err, io.ErrUnexpectedEOF) || !bytes.HasPrefix(plain, got) {
			t.Errorf("cut at %d of %d: %v, or other bytes", cut, len(z), err)
		}
		if least := int(float64(cut)*rate*0.99) - 2000; len(got) < least {
			t.Errorf("cut at %d of %d: %d bytes, want %d or more", cut, len(z), len(got), least)
		}
	}
	// A distance that leads nowhere is an error inside a chunk.
	for _, at := range []int{len(z) / 3, len(z) - 500} {
		bad := bytes.Clone(z)
		for i := at; i < at+40; i++ {
			bad[i] = 0xff
		}
		u, err := openXZ(bufio.NewReader(bytes.NewReader(bad)), nil, Options{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(u.r)
		same := 0
		for same < min(len(got), len(plain)) && got[same] == plain[same] {
			same++
		}
		if least := int(float64(at)*rate*0.99) - 2000; err == nil || same < least {
			t.Errorf("damaged at %d: %v, %d bytes as they were, want %d or more", at, err, same, least)
		}
	}
}

// TestWorkers reads a large zstd stream with a decoder of several goroutines,
// and leaves another one half read.
func TestWorkers(t *testing.T) {
	rec := pcapRec(le, 1, 2, strings.Repeat("some bytes ", 100))
	data := append(pcapHead(le, magicMicro, 1), bytes.Repeat(rec, 20_000)...)
	w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	z := w.EncodeAll(data, nil)
	for _, workers := range []int{0, 1, 4} {
		c, err := New("x", bytes.NewReader(z), Options{Workers: workers})
		if err != nil {
			t.Fatal(err)
		}
		var b Block
		n := 0
		for err = c.Next(&b); err == nil; err = c.Next(&b) {
			n += len(b.Records)
		}
		if err != io.EOF || n != 20_000 || c.BytesRead() != int64(len(z)) {
			t.Errorf("%d workers: %d records, %d of %d bytes, %v", workers, n, c.BytesRead(), len(z), err)
		}
		c.Close()
		if c, err = New("x", bytes.NewReader(z), Options{Workers: workers}); err != nil {
			t.Fatal(err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}
