package reader

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"flag"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"

	"pcapbatch/internal/capturetest"
)

// TestMain collects garbage less often and keeps files in memory, to save time:
// see capturetest.Run.
func TestMain(m *testing.M) { os.Exit(capturetest.Run(m)) }

var seedFlag = flag.Uint64("seed", 0, "seed of random captures; 0: any")

// newRand returns random numbers of a seed that is told if the test fails.
func newRand(t *testing.T) *rand.Rand {
	t.Helper()
	seed := *seedFlag
	for seed == 0 {
		seed = rand.Uint64()
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("repeat with: go test ./internal/reader -run %s -args -seed=%d", t.Name(), seed)
		}
	})
	return rand.New(rand.NewPCG(seed, 0))
}

// got is a record with its bytes copied out of the block.
type got struct {
	Time    int64
	WireLen uint32
	Link    uint16
	Flags   uint16
	Data    string
}

// drain reads a capture to its end; the error is nil for a clean one.
func drain(c *Capture) ([]got, error) {
	var out []got
	var b Block
	for {
		if err := c.Next(&b); err == io.EOF {
			return out, nil
		} else if err != nil {
			return out, err
		}
		for _, r := range b.Records {
			out = append(out, got{r.Time, r.WireLen, r.Link, r.Flags, string(b.Data[r.Off:][:r.CapLen])})
		}
	}
}

// readAll opens and drains a stream.
func readAll(r io.Reader) ([]got, Info, error) {
	c, err := New("x", r, Options{})
	if err != nil {
		return nil, Info{}, err
	}
	defer c.Close()
	recs, err := drain(c)
	return recs, c.Info(), err
}

func readBytes(b []byte) ([]got, Info, error) { return readAll(bytes.NewReader(b)) }

// kindOf is the Kind of an error that must be an *Error.
func kindOf(t testing.TB, err error) Kind {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("error %v is of type %T", err, err)
	}
	return e.Kind
}

// raw joins fields of fixed size in a byte order; strings and byte slices as
// they are.
func raw(order binary.AppendByteOrder, fields ...any) []byte {
	var b []byte
	for _, f := range fields {
		switch v := f.(type) {
		case uint8:
			b = append(b, v)
		case uint16:
			b = order.AppendUint16(b, v)
		case uint32:
			b = order.AppendUint32(b, v)
		case int:
			b = order.AppendUint32(b, uint32(v))
		case uint64:
			b = order.AppendUint64(b, v)
		case string:
			b = append(b, v...)
		case []byte:
			b = append(b, v...)
		default:
			panic("raw: field type")
		}
	}
	return b
}

var (
	le = binary.LittleEndian
	be = binary.BigEndian
)

// pcapHead is the header of a classic capture: version 2.4, snaplen 65535.
func pcapHead(order binary.AppendByteOrder, magic, link uint32) []byte {
	return raw(order, magic, uint16(2), uint16(4), 0, 0, uint32(65535), link)
}

// pcapRec is one record of it, with wire length as capture length.
func pcapRec(order binary.AppendByteOrder, sec, sub uint32, data string) []byte {
	return raw(order, sec, sub, len(data), len(data), data)
}

// block is a pcapng block around a body whose length must be a multiple of 4.
func block(order binary.AppendByteOrder, kind uint32, fields ...any) []byte {
	body := raw(order, fields...)
	return raw(order, kind, len(body)+12, body, len(body)+12)
}

func section(order binary.AppendByteOrder) []byte {
	return block(order, blockSection, uint32(ngOrderMagic), uint16(1), uint16(0), ^uint64(0))
}

func option(order binary.AppendByteOrder, code uint16, value []byte) []byte {
	return raw(order, code, uint16(len(value)), value, make([]byte, -len(value)&3))
}

// ifaceBlock is an interface description with options.
func ifaceBlock(order binary.AppendByteOrder, link uint16, snaplen uint32, options ...[]byte) []byte {
	return block(order, blockInterface, link, uint16(0), snaplen, slices.Concat(options...))
}

// epb is an enhanced packet block.
func epb(order binary.AppendByteOrder, id uint32, ts uint64, data string, options ...[]byte) []byte {
	return block(order, blockEnhanced, id, uint32(ts>>32), uint32(ts), len(data), len(data), data, make([]byte, -len(data)&3), slices.Concat(options...))
}

func spb(order binary.AppendByteOrder, wireLen uint32, data string) []byte {
	return block(order, blockSimple, wireLen, data, make([]byte, -len(data)&3))
}

// erfRec is one ERF record of type kind; packet has what stands behind the
// header.
func erfRec(ts uint64, kind uint8, wireLen uint16, packet string) []byte {
	return slices.Concat(raw(le, ts), raw(be, kind, uint8(4), uint16(16+len(packet)), uint16(0), wireLen, packet))
}

// snoopRec is one snoop record, padded to a multiple of 4.
func snoopRec(sec, usec uint32, data string) []byte {
	pad := -len(data) & 3
	return raw(be, len(data), len(data), 24+len(data)+pad, 0, sec, usec, data, make([]byte, pad))
}

// sample is a small capture of three records in one format, and what must come
// out of it. ends are the offsets at which the header or a record ends, blocks
// further ones at which a capture may end.
type sample struct {
	name   string
	data   []byte
	want   []got
	ends   []int
	blocks []int
}

// newSample joins parts: the first is everything in front of the first record,
// each other one a record.
func newSample(name string, want []got, parts ...[]byte) sample {
	s := sample{name: name, want: want}
	for _, p := range parts {
		s.data = append(s.data, p...)
		s.ends = append(s.ends, len(s.data))
	}
	return s
}

// samples has one capture of every format and byte order.
func samples() []sample {
	micro := []got{{1_000_002_000, 4, 1, 0, "abcd"}, {1_000_003_000, 0, 1, 0, ""}, {4294967295_999999000, 5, 1, 0, "hello"}}
	nano := []got{{1_000_000_002, 4, 1, 0, "abcd"}, {1_000_000_003, 0, 1, 0, ""}, {4294967295_000999999, 5, 1, 0, "hello"}}
	var all []sample
	for _, o := range []struct {
		name  string
		order binary.AppendByteOrder
	}{{"le", le}, {"be", be}} {
		records := [][]byte{pcapRec(o.order, 1, 2, "abcd"), pcapRec(o.order, 1, 3, ""), pcapRec(o.order, 1<<32-1, 999999, "hello")}
		all = append(all,
			newSample("pcap-"+o.name, micro, append([][]byte{pcapHead(o.order, magicMicro, 1)}, records...)...),
			newSample("pcap-ns-"+o.name, nano, append([][]byte{pcapHead(o.order, magicNano, 1)}, records...)...),
			newSample("pcapng-"+o.name, []got{{5_000, 4, 1, 0, "abcd"}, {5_000, 9, 1, NoTime, "wxyz"}, {7_000, 3, 113, 0, "own"}},
				slices.Concat(section(o.order), ifaceBlock(o.order, 1, 4), ifaceBlock(o.order, 113, 0)),
				epb(o.order, 0, 5, "abcd"), spb(o.order, 9, "wxyz"), epb(o.order, 1, 7, "own")))
		all[len(all)-1].blocks = []int{28, 48} // behind the section header and the first interface
	}
	eth := "\x00\x00"
	return append(all,
		newSample("snoop", []got{{1_000_002_000, 4, 1, 0, "abcd"}, {1_000_003_000, 0, 1, 0, ""}, {2_000_000_000, 8, 1, 0, "unpadded"}},
			raw(be, snoopMagic, 2, 4), snoopRec(1, 2, "abcd"), snoopRec(1, 3, ""), snoopRec(2, 0, "unpadded")),
		newSample("erf", []got{{1e18, 4, 1, 0, "abcd"}, {1e18 + 500_000_000, 2, 228, 0, "v4"}, {1e18 + 1e9, 9, 1, 0, "long"}},
			nil, erfRec(1e9<<32, erfEthernet, 4, eth+"abcd  "), erfRec(1e9<<32+1<<31, erfIPv4, 2, "v4"), erfRec((1e9+1)<<32, erfEthernet, 9, eth+"long")))
}

// bzip2Sample is the first of samples, packed by the bzip2 command: the
// standard library only unpacks.
const bzip2Sample = "425a6839314159265359b177e404000020cd1efe80800090003e44a0001000080004000000a00050a00311a69a341a6a6d483132643d449d93ce6252870cc88e0b3902e7c200b1b1eaf8cace87bf44606888fc5dc914e14242c5df9010"

// packers are the compressors, by name; that of bzip2 is missing.
var packers = map[string]func(w io.Writer) (io.WriteCloser, error){
	"gzip": func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil },
	"zstd": func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w, zstd.WithEncoderConcurrency(1)) },
	"lz4": func(w io.Writer) (io.WriteCloser, error) {
		z := lz4.NewWriter(w)
		return z, z.Apply(lz4.BlockSizeOption(lz4.Block64Kb))
	},
	"xz": func(w io.Writer) (io.WriteCloser, error) { return xz.WriterConfig{DictCap: 1 << 16}.NewWriter(w) },
}

// packedBy compresses data with one of packers.
func packedBy(t testing.TB, how string, data []byte) []byte {
	t.Helper()
	return packedInto(t, packers[how], data)
}

// packedInto returns what the writer of open makes of data.
func packedInto(t testing.TB, open func(w io.Writer) (io.WriteCloser, error), data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := open(&b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// packed compresses data with each of packers; of the first sample there is a
// bzip2 stream too.
func packed(t testing.TB, data []byte) map[string][]byte {
	t.Helper()
	out := make(map[string][]byte)
	for how := range packers {
		out[how] = packedBy(t, how, data)
	}
	if bytes.Equal(data, samples()[0].data) {
		b, err := hex.DecodeString(bzip2Sample)
		if err != nil {
			t.Fatal(err)
		}
		out["bzip2"] = b
	}
	return out
}
