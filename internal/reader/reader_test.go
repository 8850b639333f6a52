package reader

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"pcapbatch/internal/capturetest"
)

func TestFormatsAndCompressions(t *testing.T) {
	arrivals := map[string]func(io.Reader) io.Reader{
		"whole":   func(r io.Reader) io.Reader { return r },
		"bytes":   iotest.OneByteReader,
		"halves":  iotest.HalfReader,
		"dataErr": iotest.DataErrReader,
	}
	for _, s := range samples() {
		files := packed(t, s.data)
		files["plain"] = s.data
		for how, data := range files {
			for arrival, wrap := range arrivals {
				t.Run(fmt.Sprintf("%s/%s/%s", s.name, how, arrival), func(t *testing.T) {
					recs, info, err := readAll(wrap(bytes.NewReader(data)))
					if err != nil {
						t.Fatal(err)
					}
					if !slices.Equal(recs, s.want) {
						t.Errorf("records\n%v\nwant\n%v", recs, s.want)
					}
					if want := strings.TrimPrefix(how, "plain"); info.Compression != want {
						t.Errorf("compression %q, want %q", info.Compression, want)
					}
					if info.Records != 3 || !strings.HasPrefix(s.name, info.Format) || len(info.Warnings) != 0 {
						t.Errorf("info %+v", info)
					}
				})
			}
		}
	}
}

func TestInfo(t *testing.T) {
	want := map[string]string{
		"pcap-le":    "{pcap 2.4  little-endian microseconds 65535 [{1 3}] 1 1 1 3 0 0 0 0 0 [] []}",
		"pcap-ns-be": "{pcap 2.4  big-endian nanoseconds 65535 [{1 3}] 1 1 1 3 0 0 0 0 0 [] []}",
		"pcapng-be":  "{pcapng 1.0  big-endian microseconds 4 [{1 2} {113 1}] 1 2 1 3 1 0 0 0 0 [] []}",
		"snoop":      "{snoop 2  big-endian microseconds 0 [{1 3}] 1 1 1 3 0 0 0 0 0 [] []}",
		"erf":        "{erf   little-endian 2^-32 s 0 [{1 2} {228 1}] 1 1 1 3 0 0 0 0 0 [] []}",
	}
	for _, s := range samples() {
		_, info, err := readBytes(s.data)
		if err != nil {
			t.Fatal(err)
		}
		if w := want[s.name]; w != "" && fmt.Sprint(info) != w {
			t.Errorf("%s: %v\nwant %s", s.name, info, w)
		}
	}
}

func TestFirstTimeAndBytesRead(t *testing.T) {
	for _, s := range samples() {
		c, err := New("x", bytes.NewReader(s.data), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if ns, ok := c.FirstTime(); !ok || ns != s.want[0].Time {
			t.Errorf("%s: first time %d %t, want %d", s.name, ns, ok, s.want[0].Time)
		}
		if _, err := drain(c); err != nil {
			t.Fatal(err)
		}
		if n := c.BytesRead(); n != int64(len(s.data)) {
			t.Errorf("%s: %d bytes read of %d", s.name, n, len(s.data))
		}
	}
	c, err := New("x", bytes.NewReader(pcapHead(le, magicMicro, 1)), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := c.FirstTime(); ok {
		t.Error("a capture without records has a first time")
	}
}

// TestBlocks reads a capture of many blocks: no block is larger than it says,
// and records that cross the end of one come out whole.
func TestBlocks(t *testing.T) {
	var data []byte
	var want []string
	data = append(data, pcapHead(le, magicMicro, 1)...)
	for i := range 3000 {
		p := strings.Repeat(string(rune('a'+i%26)), i%1500)
		want = append(want, p)
		data = append(data, pcapRec(le, uint32(i), 0, p)...)
	}
	for _, size := range []int{0, 64 << 10, 1000, 50} {
		c, err := New("x", bytes.NewReader(data), Options{BlockBytes: size})
		if err != nil {
			t.Fatal(err)
		}
		var b Block
		n, blocks := 0, 0
		for ; ; blocks++ {
			if err := c.Next(&b); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("blocks of %d: %v", size, err)
			}
			if len(b.Data) > BlockBytes || len(b.Records) == 0 {
				t.Fatalf("blocks of %d: %d bytes, %d records", size, len(b.Data), len(b.Records))
			}
			for _, r := range b.Records {
				if p := string(b.Data[r.Off:][:r.CapLen]); p != want[n] || r.Time != int64(n)*1e9 {
					t.Fatalf("blocks of %d, record %d: %d bytes %.10q at %d", size, n+1, len(p), p, r.Time)
				}
				n++
			}
		}
		if n != len(want) || blocks < 5 {
			t.Errorf("blocks of %d: %d records in %d", size, n, blocks)
		}
	}
}

// TestLargeRecord reads records beyond the size of a block: they come whole,
// and their buffer does not stay.
func TestLargeRecord(t *testing.T) {
	large := strings.Repeat("0123456789abcdef", 3<<20/16)
	head := raw(le, uint32(magicMicro), uint16(2), uint16(4), 0, 0, uint32(maxRecord), 1)
	pcap := slices.Concat(head, pcapRec(le, 1, 0, "before"), pcapRec(le, 2, 0, large), pcapRec(le, 3, 0, "after"))
	ng := slices.Concat(section(le), ifaceBlock(le, 1, 0), epb(le, 0, 1e6, "before"), epb(le, 0, 2e6, large), epb(le, 0, 3e6, "after"))
	for name, data := range map[string][]byte{"pcap": pcap, "pcapng": ng, "first": slices.Concat(head, pcapRec(le, 1, 0, large))} {
		recs, _, err := readBytes(data)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		found := slices.ContainsFunc(recs, func(r got) bool { return r.Data == large })
		if !found || name != "first" && (len(recs) != 3 || recs[2].Data != "after") {
			t.Errorf("%s: %d records, large one found: %t", name, len(recs), found)
		}
	}
	c, err := New("x", bytes.NewReader(pcap), Options{})
	if err != nil {
		t.Fatal(err)
	}
	var b Block
	for c.Next(&b) == nil {
	}
	if cap(b.buf) != BlockBytes {
		t.Errorf("the block keeps a buffer of %d bytes", cap(b.buf))
	}
}

// TestReadErrors fails the source at every offset: what came before is
// returned, and the failure is reported as one.
func TestReadErrors(t *testing.T) {
	boom := errors.New("boom")
	for _, s := range samples() {
		for at := range len(s.data) {
			r := io.MultiReader(bytes.NewReader(s.data[:at]), iotest.ErrReader(boom))
			recs, _, err := readAll(r)
			if kindOf(t, err) != IO || !errors.Is(err, boom) {
				t.Fatalf("%s, failure at %d: %v", s.name, at, err)
			}
			if want := s.want[:s.whole(at)]; !slices.Equal(recs, want) {
				t.Fatalf("%s, failure at %d: %d records, want %d", s.name, at, len(recs), len(want))
			}
		}
	}
	for how, data := range packed(t, samples()[0].data) {
		for at := range len(data) {
			r := io.MultiReader(bytes.NewReader(data[:at]), iotest.ErrReader(boom))
			if _, _, err := readAll(r); kindOf(t, err) != IO || !errors.Is(err, boom) {
				t.Fatalf("%s, failure at %d: %v", how, at, err)
			}
		}
	}
}

// whole is how many records lie in the first n bytes.
func (s sample) whole(n int) int {
	records := -1
	for _, e := range s.ends {
		if e <= n {
			records++
		}
	}
	return max(records, 0)
}

// TestStuckReader reads from a source that returns nothing, and no error, for
// ever.
func TestStuckReader(t *testing.T) {
	data := samples()[0].data
	for _, at := range []int{0, 10, len(data)} {
		_, _, err := readAll(io.MultiReader(bytes.NewReader(data[:at]), stuck{}))
		if kindOf(t, err) != IO || !errors.Is(err, io.ErrNoProgress) {
			t.Errorf("stuck at %d: %v", at, err)
		}
	}
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.weird\nname")
	s := samples()[0]
	if err := os.WriteFile(path, s.data, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Open(path, Options{Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	if recs, err := drain(c); err != nil || !slices.Equal(recs, s.want) {
		t.Errorf("%v %v", recs, err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	_, err = Open(filepath.Join(dir, "none"), Options{})
	if kindOf(t, err) != IO || !errors.Is(err, os.ErrNotExist) || strings.Count(err.Error(), "none") != 1 {
		t.Errorf("missing: %v", err)
	}
	if _, err = Open(dir, Options{}); kindOf(t, err) != IO {
		t.Errorf("directory: %v", err)
	}
}

func TestOpenFIFO(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fifo")
	capturetest.FIFO(t, path)
	s := samples()[0]
	done := make(chan error, 1)
	go func() { done <- os.WriteFile(path, s.data, 0o600) }()
	c, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if recs, err := drain(c); err != nil || !slices.Equal(recs, s.want) {
		t.Errorf("%v %v", recs, err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestNextAfterEnd holds that the end is final, and that a block goes from one
// capture to the next.
func TestNextAfterEnd(t *testing.T) {
	var b Block
	for _, s := range samples() {
		c, err := New("x", bytes.NewReader(s.data[:len(s.data)-1]), Options{})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for err = c.Next(&b); err == nil; err = c.Next(&b) {
			n += len(b.Records)
		}
		if again := c.Next(&b); again != err || kindOf(t, err) != Truncated || n != 2 || len(b.Records) != 0 {
			t.Errorf("%s: %d records, %v, then %v", s.name, n, err, again)
		}
	}
}

// TestNextAllocates: in steady state a block of classic pcap is read without
// allocating, and is really read.
func TestNextAllocates(t *testing.T) {
	data := append(pcapHead(le, magicMicro, 1), bytes.Repeat(pcapRec(le, 1, 2, strings.Repeat("p", 84)), 200_000)...)
	c, err := New("x", bytes.NewReader(data), Options{})
	if err != nil {
		t.Fatal(err)
	}
	var b Block
	records := 0
	next := func() {
		if err := c.Next(&b); err != nil {
			t.Fatal(err)
		}
		records += len(b.Records)
	}
	for range 3 {
		next()
	}
	before := records
	if allocs := testing.AllocsPerRun(50, next); allocs != 0 {
		t.Errorf("%v allocations a block", allocs)
	}
	if n := records - before; n < 50*2600 {
		t.Errorf("only %d records in the blocks measured", n)
	}
}

// BenchmarkNext: go test -bench Next -count 10 ./internal/reader
func BenchmarkNext(b *testing.B) {
	for _, size := range []int{64, 800} {
		for name, data := range map[string][]byte{
			"pcap-le":   append(pcapHead(le, magicMicro, 1), bytes.Repeat(pcapRec(le, 1, 2, strings.Repeat("p", size)), 16<<20/size)...),
			"pcap-be":   append(pcapHead(be, magicNano, 1), bytes.Repeat(pcapRec(be, 1, 2, strings.Repeat("p", size)), 16<<20/size)...),
			"pcapng-le": slices.Concat(section(le), ifaceBlock(le, 1, 0), bytes.Repeat(epb(le, 0, 7, strings.Repeat("p", size)), 16<<20/size)),
		} {
			b.Run(fmt.Sprintf("format=%s/packet=%d", name, size), func(b *testing.B) {
				b.SetBytes(int64(len(data)))
				b.ReportAllocs()
				var blk Block
				records := 0
				for b.Loop() {
					c, err := New("x", bytes.NewReader(data), Options{})
					if err != nil {
						b.Fatal(err)
					}
					for err = c.Next(&blk); err == nil; err = c.Next(&blk) {
						records += len(blk.Records)
					}
				}
				if records != b.N*(16<<20/size) {
					b.Fatalf("%d records", records)
				}
				b.ReportMetric(float64(records)/b.Elapsed().Seconds(), "packets/s")
			})
		}
	}
}
