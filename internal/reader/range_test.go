package reader

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pcapbatch/internal/capturetest"
)

// A piece is what a range of a capture gave.
type piece struct {
	reading
	lead    []got
	borders Borders
	damage  *Error
}

func pieceOf(t *testing.T, path string, o Options) (p piece) {
	t.Helper()
	c, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var b Block
	for {
		if err = c.Next(&b); err != nil {
			break
		}
		for _, x := range b.Records {
			g := got{x.Time, x.WireLen, x.Link, x.Flags, string(b.Data[x.Off:][:x.CapLen])}
			if b.Lead {
				p.lead = append(p.lead, g)
				continue
			}
			p.records, p.offsets = append(p.records, g), append(p.offsets, b.Offset+int64(x.Off))
		}
	}
	p.info, p.err, p.borders = c.Info(), err.Error(), *c.Borders()
	p.damage, _ = errors.AsType[*Error](err)
	return p
}

// The ranges of a capture have its records, each once and in order, or their
// borders show that they have not.
func TestRange(t *testing.T) {
	rng := newRand(t)
	path := filepath.Join(t.TempDir(), "capture")
	captures := capturetest.Usually(60, 300)
	if poison {
		captures = 8
	}
	joined, jumps := 0, 0
	for i := range captures {
		data := randomCapture(rng)
		if err := os.WriteFile(path, data, 0o666); err != nil {
			t.Fatal(err)
		}
		cuts := []int64{0, int64(len(data))}
		for range 1 + rng.IntN(5) {
			cuts = append(cuts, 1+rng.Int64N(int64(len(data)-1)))
		}
		slices.Sort(cuts)
		lead := int64(1+rng.IntN(4)) << (10 + rng.IntN(8))
		ok, n := sameInRanges(t, fmt.Sprintf("capture %d", i), path, slices.Compact(cuts), lead)
		if ok {
			joined++
		}
		jumps += n
	}
	if joined < captures/20 || jumps < captures/20 { // most are joined, or change their interfaces
		t.Errorf("of %d captures only %d could be put together, with %d ranges that do not begin at the beginning of the file", captures, joined, jumps)
	}
}

// sameInRanges compares the ranges with the whole, where their borders fit. It
// returns how many were read from the middle of the capture.
func sameInRanges(t *testing.T, what, path string, cuts []int64, lead int64) (fit bool, jumps int) {
	t.Helper()
	want, _ := readingOf(t, path, Options{})
	if want.err != "EOF" && len(want.records) == 0 {
		return false, 0
	}
	var have piece
	var records, noTime uint64
	var bytes int64
	content, end := int64(0), Border{}
	for i, from := range cuts[:len(cuts)-1] {
		p := pieceOf(t, path, Options{Range: Range{From: from, To: cuts[i+1], Lead: lead}, BlockBytes: 512})
		if i > 0 && (p.borders.Unknown || p.borders.Begin != end) {
			return false, jumps // as joined captures and damage make it
		}
		if i > 0 && len(p.lead) > 0 && len(p.lead) < len(have.records) {
			jumps++
		}
		// The first of the lead may be none, but look like records inside one:
		// the lead is small
		// here, and random packets are made like that.
		n := min(len(p.lead), len(have.records))
		n = min(n, 1)
		if !slices.Equal(p.lead[len(p.lead)-n:], have.records[len(have.records)-n:]) {
			t.Fatalf("%s: range %d: the records before it are others", what, i)
		}
		have.records, have.offsets = append(have.records, p.records...), append(have.offsets, p.offsets...)
		if want.info.Compression != "" {
			if e := p.damage; e != nil {
				e.Record += records
				e.Offset += content
				p.err = e.Error()
			}
			content += p.borders.Content
			have.offsets = want.offsets // those of blocks are counted from another place
		}
		records, noTime, end, have.err = records+p.info.Records, noTime+p.info.NoTime, p.borders.End, p.err
		bytes += cuts[i+1] - from
		if p.err != "EOF" {
			break // what comes after damage is in no range
		}
	}
	if !slices.Equal(have.records, want.records) || !slices.Equal(have.offsets, want.offsets) {
		t.Fatalf("%s: %d records in ranges %v, and %d in the whole, or others", what, len(have.records), cuts, len(want.records))
	}
	if records != want.info.Records || noTime != want.info.NoTime {
		t.Fatalf("%s: %d records, %d without a time; in the whole %d and %d", what, records, noTime, want.info.Records, want.info.NoTime)
	}
	if (have.err == "EOF") != (want.err == "EOF") || want.info.Compression != "" && have.err != want.err {
		t.Fatalf("%s: the ranges end with %s, the whole with %s", what, have.err, want.err)
	}
	return true, jumps
}

// The ranges of BGZF and of seekable zstd have the records of the whole, up to
// damage where there is some.
func TestRangeCompressed(t *testing.T) {
	rng := newRand(t)
	data := pcapHead(le, magicMicro, 1)
	for i := range 30_000 {
		packet := make([]byte, rng.IntN(300))
		for i := range packet[:len(packet)/2] {
			packet[i] = byte(rng.Uint32())
		}
		data = append(data, pcapRec(le, 1_700_000_000+uint32(i/1000), uint32(i%1000), string(packet))...)
	}
	for name, z := range map[string][]byte{
		"bgzf": slices.Concat(bgzfOf(t, data, 30_000)...),
		"zstd": seekable(t, data, 100_000, true),
	} {
		for _, damage := range []bool{false, true} {
			times := capturetest.Usually(4, 40)
			if poison { // with the race detector
				times = 1
			}
			for i := range times {
				what := fmt.Sprintf("%s %d, damage %t", name, i, damage)
				z := slices.Clone(z)
				if damage {
					z[len(z)/2+rng.IntN(len(z)/3)] ^= 1 << rng.IntN(8)
				}
				path := filepath.Join(t.TempDir(), "capture")
				if err := os.WriteFile(path, z, 0o666); err != nil {
					t.Fatal(err)
				}
				cuts := []int64{0, int64(len(z))}
				for range 1 + rng.IntN(4) {
					cuts = append(cuts, 1+rng.Int64N(int64(len(z)-1)))
				}
				slices.Sort(cuts)
				if ok, _ := sameInRanges(t, what, path, slices.Compact(cuts), 500_000); !ok {
					t.Errorf("%s: the ranges %v do not fit", what, cuts)
				}
			}
		}
	}
}

// TestRangeReal does the same with real captures.
func TestRangeReal(t *testing.T) {
	files := capturetest.RealCaptures(t, "../..")
	joined, jumps := 0, 0
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		c, err := Open(f, Options{Range: Range{From: 0, To: 1}})
		if err != nil {
			continue // compressed, or of another format
		}
		c.Close()
		size := info.Size()
		ok, n := sameInRanges(t, f, f, slices.Compact([]int64{0, size / 3, size * 2 / 3, size}), 4<<10)
		if ok {
			joined++
		} else {
			t.Logf("%s does not fit", filepath.Base(f))
		}
		jumps += n
	}
	t.Logf("%d captures in ranges, %d ranges from the middle", joined, jumps)
	if joined < len(files)/2 || jumps < len(files)/10 {
		t.Errorf("only %d captures could be put together, with %d ranges from the middle", joined, jumps)
	}
}
