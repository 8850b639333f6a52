package reader

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/ulikunitz/xz"
)

// TestJoined joins every sample with every other one, plain and in every
// compression: the records of both come out.
func TestJoined(t *testing.T) {
	all := samples()
	for _, a := range all {
		first := packed(t, a.data)
		first["plain"] = a.data
		for _, b := range all {
			second := packed(t, b.data)
			second["plain"] = b.data
			want := slices.Concat(a.want, b.want)
			for how, x := range first {
				for also, y := range second {
					checkJoined(t, fmt.Sprintf("%s %s, %s %s", a.name, how, b.name, also), slices.Concat(x, y), want)
				}
			}
		}
	}
}

// checkJoined reads two joined captures, in whole and by bytes.
func checkJoined(t *testing.T, name string, data []byte, want []got) {
	t.Helper()
	recs, info, err := readBytes(data)
	if err != nil || !sameRecords(recs, want) {
		t.Fatalf("%s: %d records, want %d, %v", name, len(recs), len(want), err)
	}
	if info.Records != uint64(len(want)) || countLinks(info.Links) != info.Records || len(info.Warnings) > 0 {
		t.Fatalf("%s: info %+v", name, info)
	}
	if strings.Count(name, "plain") == 2 || strings.HasPrefix(name, "pcap-le") { // all of them take long
		if recs, _, err = readAll(iotest.OneByteReader(bytes.NewReader(data))); err != nil || !sameRecords(recs, want) {
			t.Fatalf("%s by bytes: %d records, want %d, %v", name, len(recs), len(want), err)
		}
	}
}

// sameRecords compares records, but for the times of those without one.
func sameRecords(a, b []got) bool {
	return slices.EqualFunc(a, b, func(x, y got) bool {
		if x.Flags&NoTime != 0 {
			x.Time = y.Time
		}
		return x == y
	})
}

// TestJoinedInfo: what captures differ in is mixed, and the link types are
// counted over all of them.
func TestJoinedInfo(t *testing.T) {
	data := slices.Concat(pcapHead(le, magicMicro, 1), pcapRec(le, 1, 0, "a"), pcapHead(be, magicNano, 101), pcapRec(be, 2, 0, "b"),
		pcapHead(le, magicMicro, 1), pcapRec(le, 3, 0, "c"))
	_, info, err := readBytes(data)
	const want = "{pcap 2.4  mixed mixed 65535 [{1 2} {101 1}] 3 3 3 3 0 0 0 0 0 [] []}"
	if err != nil || fmt.Sprint(info) != want {
		t.Errorf("%v %v\nwant %s", err, info, want)
	}
	ng := slices.Concat(section(le), ifaceBlock(le, 1, 0), epb(le, 0, 5, "abcd"))
	_, info, err = readBytes(slices.Concat(data, packedBy(t, "zstd", ng)))
	if err != nil || info.Format != "mixed" || info.Compression != "mixed" || info.Captures != 4 || info.Links[0].Records != 3 {
		t.Errorf("%v %+v", err, info)
	}
}

// TestJoinedTime: a record without a time takes that of the record before it,
// which is of another capture here.
func TestJoinedTime(t *testing.T) {
	recs, _, err := readBytes(slices.Concat(pcapHead(le, magicMicro, 1), pcapRec(le, 7, 0, "a"), section(le), ifaceBlock(le, 1, 0), spb(le, 4, "abcd")))
	if err != nil || len(recs) != 2 || recs[1].Time != 7e9 {
		t.Errorf("%v %v", recs, err)
	}
}

// TestRecordLikeHeader: records whose seconds are a magic number count as long
// as the rest is no header of a file.
func TestRecordLikeHeader(t *testing.T) {
	for _, o := range []binary.AppendByteOrder{le, be} {
		data, n := pcapHead(o, magicMicro, 1), 0
		for _, m := range append(slices.Clone(magics[:]), "\x1f\x8b\x08\x00", "BZh9") {
			head := []byte(m[:4])
			for _, rest := range [][]byte{raw(o, 0, 5, 5, "hello"), raw(o, 999_999, 0, 0), raw(o, 40, 1000, 1000, strings.Repeat("x", 1000))} {
				data = append(data, slices.Concat(head, rest)...)
				n++
			}
		}
		data = append(data, pcapRec(o, 1, 2, "the last one")...)
		recs, info, err := readBytes(data)
		if err != nil || len(recs) != n+1 || recs[n].Data != "the last one" || info.Captures != 1 {
			t.Errorf("%d records, want %d, %v", len(recs), n+1, err)
		}
	}
}

// TestManyJoins reads a file that is nothing but headers, and one that changes
// its compression with each, and holds the work that takes.
func TestManyJoins(t *testing.T) {
	head := pcapHead(le, magicMicro, 1)
	recs, info, err := readBytes(slices.Concat(bytes.Repeat(head, 200_000), pcapRec(le, 1, 0, "a")))
	if err != nil || len(recs) != 1 || info.Captures != 200_000 {
		t.Errorf("%d records, %d captures, %v", len(recs), info.Captures, err)
	}
	gz := packedBy(t, "gzip", head)
	_, info, err = readBytes(bytes.Repeat(slices.Concat(head, gz), 500))
	if err != nil || info.Captures != 1000 {
		t.Errorf("%d captures, %v", info.Captures, err)
	}
	_, _, err = readBytes(bytes.Repeat(slices.Concat(head, gz), maxSwitches))
	if kindOf(t, err) != Unsupported || !strings.Contains(err.Error(), fmt.Sprint(maxSwitches)) {
		t.Errorf("too many changes of the compression: %v", err)
	}
}

// TestNestedJoin: a compressed stream inside another one is refused, wherever
// it begins.
func TestNestedJoin(t *testing.T) {
	s := samples()[0]
	data := packedBy(t, "zstd", slices.Concat(s.data, packedBy(t, "gzip", s.data)))
	recs, _, err := readBytes(data)
	if kindOf(t, err) != Unsupported || !slices.Equal(recs, s.want) || !strings.Contains(err.Error(), "gzip inside zstd") {
		t.Errorf("%d records, %v", len(recs), err)
	}
}

// tails are what may follow the end of a file, and what becomes of them.
var tails = map[string]struct {
	bytes string
	kind  Kind
}{
	"one zero":        {"\x00", Corrupt},
	"511 zeros":       {strings.Repeat("\x00", 511), Corrupt},
	"4096 zeros":      {strings.Repeat("\x00", 4096), Corrupt},
	"200000 zeros":    {strings.Repeat("\x00", 200_000), Corrupt},
	"text":            {"this is what an editor has left here, and it is no capture", Corrupt},
	"zeros and text":  {strings.Repeat("\x00", 100) + "this is no capture, and it is long enough", Corrupt},
	"ones":            {strings.Repeat("\xff", 300), Corrupt},
	"half a header":   {"\xd4\xc3\xb2\xa1\x02\x00\x04\x00", Truncated},
	"zeros, a header": {strings.Repeat("\x00", 100) + string(pcapHead(le, magicMicro, 1)), Flawed},
}

// TestTails puts them behind every sample, plain and in every compression:
// every record comes out, and the tail is damage.
func TestTails(t *testing.T) {
	for _, s := range samples() {
		files := packed(t, s.data)
		files["plain"] = s.data
		for how, data := range files {
			for name, tail := range tails {
				if how == "xz" && tail.kind == Flawed {
					continue // zeros in fours are part of the format between streams
				}
				recs, info, err := readBytes(slices.Concat(data, []byte(tail.bytes)))
				if err == nil || !slices.Equal(recs, s.want) {
					t.Errorf("%s %s, %s: %d records, want %d, %v", s.name, how, name, len(recs), len(s.want), err)
					continue
				}
				kind := kindOf(t, err)
				if kind != tail.kind && !(kind == Truncated && tail.kind == Corrupt) && !(kind == Corrupt && tail.kind == Truncated) {
					t.Errorf("%s %s, %s: %v %v, want %v", s.name, how, name, kind, err, tail.kind)
				}
				if info.Records != uint64(len(s.want)) {
					t.Errorf("%s %s, %s: %d records counted", s.name, how, name, info.Records)
				}
			}
			// Zeros that fill up a block of a tape are none.
			padded := append(bytes.Clone(data), make([]byte, -len(data)&511)...)
			if recs, info, err := readBytes(padded); err != nil || !slices.Equal(recs, s.want) || len(info.Warnings) > 0 {
				t.Errorf("%s %s padded to %d bytes: %d records, %v %q", s.name, how, len(padded), len(recs), err, info.Warnings)
			}
			if recs, _, err := readBytes(append(padded, make([]byte, 512)...)); err == nil || !slices.Equal(recs, s.want) {
				t.Errorf("%s %s and a block of zeros: %d records, no error", s.name, how, len(recs))
			}
		}
	}
}

// TestTailInside: what follows the records inside a compressed stream is judged
// by the same rule, and the size there.
func TestTailInside(t *testing.T) {
	s := samples()[0]
	for _, c := range []struct {
		zeros int
		whole bool
	}{{-len(s.data) & 511, true}, {100, false}, {512 + -len(s.data)&511, false}} {
		for how, data := range packed(t, append(bytes.Clone(s.data), make([]byte, c.zeros)...)) {
			recs, _, err := readBytes(data)
			if (err == nil) != c.whole || !slices.Equal(recs, s.want) {
				t.Errorf("%d zeros in %s: %d records, %v", c.zeros, how, len(recs), err)
			}
		}
	}
}

// TestZeroRecords: records of nothing but zeros count where others follow them.
func TestZeroRecords(t *testing.T) {
	for _, n := range []int{1, 2, 100, 2000} {
		data := slices.Concat(pcapHead(le, magicMicro, 1), pcapRec(le, 0, 5, "a"), make([]byte, n*pcapRecord), pcapRec(le, 0, 9, "b"))
		for _, size := range []int{0, 1000} {
			c, err := New("x", bytes.NewReader(data), Options{BlockBytes: size})
			if err != nil {
				t.Fatal(err)
			}
			if recs, err := drain(c); err != nil || len(recs) != n+2 || recs[n+1].Data != "b" {
				t.Errorf("%d records of zeros, blocks of %d: %d records, %v", n, size, len(recs), err)
			}
		}
	}
	hole := slices.Concat(pcapHead(le, magicMicro, 1), pcapRec(le, 5, 5, "a"), make([]byte, 2*mostZeros), pcapRec(le, 5, 9, "b"))
	for _, size := range []int{0, 1000} {
		c, err := New("x", bytes.NewReader(hole), Options{BlockBytes: size})
		if err != nil {
			t.Fatal(err)
		}
		recs, err := drain(c)
		if len(recs) != 1 || err == nil || !strings.HasSuffix(err.Error(), "record 2 at offset 41: 65536 zero bytes or more where a record is due") {
			t.Errorf("a hole, blocks of %d: %d records, %v", size, len(recs), err)
		}
	}
}

// TestFlippedMember flips each bit of the first two bytes of a member that
// begins at the border of a record: what it held is gone, and that is damage.
func TestFlippedMember(t *testing.T) {
	s := samples()[0]
	cut := s.ends[1]
	for how := range packers {
		first, second := packedBy(t, how, s.data[:cut]), packedBy(t, how, s.data[cut:])
		for bit := range 16 {
			bad := bytes.Clone(second)
			bad[bit/8] ^= 1 << (bit % 8)
			recs, _, err := readBytes(slices.Concat(first, bad))
			if err == nil || !slices.Equal(recs, s.want[:1]) {
				t.Errorf("%s, bit %d: %d records, %v", how, bit, len(recs), err)
			}
		}
	}
}

// TestBytesReadOfDamage: how many bytes a damaged file counts for, and how many
// records, does not depend on how many workers decompress it.
func TestBytesReadOfDamage(t *testing.T) {
	data := append(pcapHead(le, magicMicro, 1), bytes.Repeat(pcapRec(le, 1, 2, noise(900)), 14_000)...)
	for _, how := range []string{"gzip", "zstd", "lz4"} {
		var z []byte
		if how == "gzip" {
			z = stored(t, data)
		} else {
			z = packedBy(t, how, data)
		}
		if len(z) < splitBytes {
			z = append(z, z...)
		}
		for _, at := range []int{len(z) / 10, len(z) / 2, len(z) * 9 / 10} {
			bad := bytes.Clone(z)
			for i := range 60 {
				bad[at+i] ^= 0x5a
			}
			path := filepath.Join(t.TempDir(), "x")
			if err := os.WriteFile(path, bad, 0o666); err != nil {
				t.Fatal(err)
			}
			var first string
			for _, workers := range []int{1, 2, 5} {
				c, err := Open(path, Options{Workers: workers, Size: int64(len(bad))})
				if err != nil {
					t.Fatal(err)
				}
				recs, err := drain(c)
				saw := fmt.Sprintf("%d records, %d bytes, %v", len(recs), c.BytesRead(), err)
				c.Close()
				if first == "" {
					first = saw
				}
				if saw != first || c.BytesRead() != int64(len(bad)) {
					t.Errorf("%s damaged at %d of %d, %d workers: %s\nwith one: %s", how, at, len(bad), workers, saw, first)
				}
			}
		}
	}
}

// noise is text that does not compress to nothing.
func noise(n int) string {
	b := make([]byte, n)
	x := uint32(1)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return string(b)
}

// stored is gzip whose blocks hold the data as it is, and so is as large.
func stored(t *testing.T, data []byte) []byte {
	t.Helper()
	return packedInto(t, func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriterLevel(w, gzip.HuffmanOnly) }, data)
}

// TestMemoryLimit: a capture that asks for more memory than it may have is
// refused with what it asks for, whatever asks.
func TestMemoryLimit(t *testing.T) {
	head := raw(le, uint32(magicMicro), uint16(2), uint16(4), 0, 0, uint32(maxRecord), 1)
	large := slices.Concat(head, pcapRec(le, 1, 0, "small"), pcapRec(le, 2, 0, strings.Repeat("x", 6<<20)))
	window := slices.Concat(raw(le, uint32(zstdMagic), "\x00\x70"), bytes.Repeat(zstdRawBlock(100<<10), 30)) // 16 MiB
	for name, c := range map[string]struct {
		data    []byte
		records int
		says    string
	}{
		"record":           {large, 1, "a record of 6291472 bytes, where --memory leaves 4194304 for this capture (it would take --memory 107M), is"},
		"record in zstd":   {zstdStored(large), 1, "a record of 6291472 bytes, where --memory leaves 1966080 for this capture (it would take --memory 109M), is"},
		"zstd":             {window, 0, "a window of 16777216 bytes, where --memory leaves 4194304 for this capture (it would take --memory 116M), is"},
		"xz":               {xzLarge(t), 0, "a dictionary of 16777216 bytes, where --memory leaves 4194304 for this capture (it would take --memory 116M), is"},
		"records together": {slices.Concat(head, pcapRec(le, 1, 0, strings.Repeat("x", 3<<20)), pcapRec(le, 2, 0, strings.Repeat("x", 5<<20))), 1, "a record of 5242896 bytes"},
	} {
		o := Options{Memory: 4 << 20, MemoryFor: func(bytes int64) int64 { return bytes + 100<<20 }}
		capture, err := New("x", bytes.NewReader(c.data), o)
		n := 0
		if err == nil {
			var recs []got
			recs, err = drain(capture)
			n = len(recs)
			capture.Close()
		}
		if err == nil || kindOf(t, err) != Unsupported || !strings.Contains(err.Error(), c.says) || n != c.records {
			t.Errorf("%s: %d records, %v", name, n, err)
		}
		if !errors.Is(err, errUnsupported) || !NoMemory(err) {
			t.Errorf("%s: %v is not marked as unsupported for want of memory", name, err)
		}
	}
}

// zstdStored is a zstd frame with a window of 128 KiB that holds the data as it
// is.
func zstdStored(data []byte) []byte {
	frame := raw(le, uint32(zstdMagic), "\x00\x38")
	for len(data) > 0 {
		n := min(len(data), 100<<10)
		last := uint32(0)
		if n == len(data) {
			last = 1
		}
		frame = append(le.AppendUint32(frame, last|uint32(n)<<3)[:len(frame)+3], data[:n]...)
		data = data[n:]
	}
	return frame
}

// xzLarge is an xz stream that needs a dictionary of 16 MiB: its block does not
// end within what is read ahead.
func xzLarge(t *testing.T) []byte {
	var b bytes.Buffer
	w, err := xz.WriterConfig{DictCap: 16 << 20}.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	data := append(pcapHead(le, magicMicro, 1), pcapRec(le, 1, 0, noise(200_000))...)
	for range 3 {
		data = append(data, pcapRec(le, 1, 0, noise(200_000))...)
	}
	x := uint32(7)
	for i := range data[100:] {
		x = x*1664525 + 1013904223
		data[100+i] ^= byte(x >> 24)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestJoinedInParallel: a file that several workers decompress ends, and goes
// on, as it does with one.
func TestJoinedInParallel(t *testing.T) {
	const n = 6000
	chance, packet := rand.NewChaCha8([32]byte{1}), make([]byte, 900)
	data := pcapHead(le, magicMicro, 1)
	for range n {
		chance.Read(packet)
		data = append(data, pcapRec(le, 1, 2, string(packet))...)
	}
	s := samples()[0]
	more := packed(t, s.data)
	more["plain"] = s.data
	tail := map[string]string{"zeros": strings.Repeat("\x00", 700), "text": "what follows is no capture at all"}
	for how, z := range map[string][]byte{"gzip": stored(t, data), "zstd": packedBy(t, "zstd", data), "plain": data} {
		if len(z) < splitBytes {
			t.Fatalf("%s: only %d bytes", how, len(z))
		}
		for _, workers := range []int{1, 3} {
			read := func(behind []byte) ([]got, *Capture, error) {
				path := filepath.Join(t.TempDir(), "x")
				if err := os.WriteFile(path, slices.Concat(z, behind), 0o666); err != nil {
					t.Fatal(err)
				}
				c, err := Open(path, Options{Workers: workers, Size: int64(len(z) + len(behind))})
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				recs, err := drain(c)
				if c.BytesRead() != int64(len(z)+len(behind)) {
					t.Errorf("%s, %d workers: %d bytes read of %d", how, workers, c.BytesRead(), len(z)+len(behind))
				}
				return recs, c, err
			}
			for also, b := range more {
				recs, _, err := read(b)
				if err != nil || len(recs) != n+len(s.want) || !slices.Equal(recs[n:], s.want) {
					t.Errorf("%s and %s, %d workers: %d records, %v", how, also, workers, len(recs), err)
				}
			}
			for what, b := range tail {
				if recs, _, err := read([]byte(b)); err == nil || len(recs) != n {
					t.Errorf("%s and %s, %d workers: %d records, %v", how, what, workers, len(recs), err)
				}
			}
			if recs, c, err := read(make([]byte, -len(z)&511)); err != nil || len(recs) != n || len(c.Info().Warnings) > 0 {
				t.Errorf("%s padded, %d workers: %d records, %v", how, workers, len(recs), err)
			}
		}
	}
}
