package reader

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"pcapbatch/internal/capturetest"

	"github.com/klauspost/compress/gzip"
)

// A reading is all that a capture gave.
type reading struct {
	records []got
	offsets []int64
	info    Info
	err     string
}

func readingOf(t *testing.T, path string, o Options) (r reading, prefetched int) {
	t.Helper()
	c, err := Open(path, o)
	if err != nil {
		return reading{err: err.Error()}, 0
	}
	defer c.Close()
	var b Block
	for {
		if err = c.Next(&b); err != nil {
			break
		}
		if c.raw.moved {
			prefetched++
		}
		for _, x := range b.Records {
			r.records = append(r.records, got{x.Time, x.WireLen, x.Link, x.Flags, string(b.Data[x.Off:][:x.CapLen])})
			r.offsets = append(r.offsets, b.Offset+int64(x.Off))
		}
	}
	r.info, r.err = c.Info(), err.Error()
	return r, prefetched
}

// A capture read in several places at once is the one that is read in one.
func TestPrefetch(t *testing.T) {
	rng := newRand(t)
	path := filepath.Join(t.TempDir(), "capture")
	total, captures := 0, capturetest.Usually(50, 150)
	if poison {
		captures = 8 // with the race detector
	}
	for i := range captures {
		data := randomCapture(rng)
		if err := os.WriteFile(path, data, 0o666); err != nil {
			t.Fatal(err)
		}
		o := Options{Readers: 2 + rng.IntN(3), chunk: 128 << rng.IntN(7), BlockBytes: 512}
		total += samePrefetched(t, fmt.Sprintf("capture %d", i), path, o)
	}
	// A capture of few chunks is not divided, and a chunk behind an unusual
	// record is dropped: most captures still give tens of blocks.
	if total < captures {
		t.Errorf("only %d blocks of %d captures were read ahead", total, captures)
	}
}

// samePrefetched returns how many blocks of the capture were read ahead.
func samePrefetched(t *testing.T, what, path string, o Options) int {
	t.Helper()
	want, _ := readingOf(t, path, Options{})
	have, prefetched := readingOf(t, path, o)
	if len(have.records) != len(want.records) {
		t.Fatalf("%s: %d records, not %d", what, len(have.records), len(want.records))
	}
	for i := range want.records {
		if have.records[i] != want.records[i] || have.offsets[i] != want.offsets[i] {
			t.Fatalf("%s: record %d at %d, not at %d", what, i, have.offsets[i], want.offsets[i])
		}
	}
	if have.err != want.err || !reflect.DeepEqual(have.info, want.info) {
		t.Fatalf("%s: %s, %+v\nnot %s, %+v", what, have.err, have.info, want.err, want.info)
	}
	return prefetched
}

// TestPrefetchReal does the same with real captures.
func TestPrefetchReal(t *testing.T) {
	files := capturetest.RealCaptures(t, "../..")
	total := 0
	for _, f := range files {
		total += samePrefetched(t, f, f, Options{Readers: 3, chunk: 4 << 10, BlockBytes: 1 << 10})
	}
	if total < 1000 {
		t.Errorf("only %d blocks were read ahead", total)
	}
}

// randomCapture makes a capture, or several joined, of which most records are
// usual. Packets hold what looks like records.
func randomCapture(rng *rand.Rand) []byte {
	var data []byte
	for range 1 + rng.IntN(3)/2 {
		if rng.IntN(2) == 0 {
			data = append(data, randomPcap(rng)...)
		} else {
			data = append(data, randomPcapng(rng)...)
		}
	}
	switch rng.IntN(12) {
	case 0:
		data = data[:len(data)-rng.IntN(40)]
	case 1:
		data = append(data, strings.Repeat("x", 1+rng.IntN(100))...)
	case 2:
		data = append(data, make([]byte, rng.IntN(4000))...)
	case 3:
		var z bytes.Buffer
		w := gzip.NewWriter(&z)
		w.Write(randomPcap(rng))
		w.Close()
		data = append(data, z.Bytes()...)
	case 4:
		data[len(data)/2+rng.IntN(len(data)/2)] ^= 1 << rng.IntN(8)
	}
	return data
}

func randomOrder(rng *rand.Rand) binary.AppendByteOrder {
	return []binary.AppendByteOrder{le, be}[rng.IntN(2)]
}

// randomPacket is a packet that may hold copies of earlier records.
func randomPacket(rng *rand.Rand, before []byte) string {
	size := rng.IntN(200)
	if rng.IntN(200) == 0 {
		size = rng.IntN(100 << 10)
	}
	packet := make([]byte, size)
	if rng.IntN(2) == 0 && len(before) > 0 {
		copy(packet, before[rng.IntN(len(before)):])
	} else {
		for i := range packet {
			packet[i] = byte(rng.Uint32())
		}
	}
	return string(packet)
}

func randomPcap(rng *rand.Rand) []byte {
	order := randomOrder(rng)
	data := pcapHead(order, []uint32{magicMicro, magicNano}[rng.IntN(2)], 1)
	sec := uint32(1_700_000_000)
	for range 200 + rng.IntN(2000) {
		packet := randomPacket(rng, data)
		r := pcapRec(order, sec, uint32(rng.IntN(1e6)), packet)
		switch rng.IntN(400) {
		case 0:
			sec += uint32(rng.IntN(1 << 20))
		case 1:
			order.(binary.ByteOrder).PutUint32(r[4:], 3e9)
		case 2:
			order.(binary.ByteOrder).PutUint32(r[12:], 0)
		case 3:
			order.(binary.ByteOrder).PutUint32(r, 0)
		}
		data = append(data, r...)
	}
	return data
}

func randomPcapng(rng *rand.Rand) []byte {
	order := randomOrder(rng)
	data := append(section(order), ifaceBlock(order, 1, 0)...)
	ifaces := uint32(1)
	for range 200 + rng.IntN(2000) {
		var b []byte
		switch rng.IntN(300) {
		case 0:
			b = ifaceBlock(order, uint16(rng.IntN(3)), 0)
			ifaces++
		case 1:
			b = append(section(order), ifaceBlock(order, 113, 0)...)
			ifaces = 1
		case 2:
			b = block(order, blockStatistics, make([]byte, 4*rng.IntN(10)))
		case 3:
			b = spb(order, 5, "12345")
		case 4:
			b = epb(order, 0, 7, "abc", option(order, 1, []byte("comment")))
		default:
			b = epb(order, uint32(rng.IntN(int(ifaces))), 1_700_000_000_000_000+rng.Uint64N(1e12), randomPacket(rng, data))
		}
		data = append(data, b...)
	}
	return data
}

// A prefetch allocates nothing once it is under way.
func TestPrefetchAllocates(t *testing.T) {
	for name, head := range map[string][]byte{"pcap": pcapHead(le, magicMicro, 1), "pcapng": append(section(le), ifaceBlock(le, 1, 0)...)} {
		record := pcapRec(le, 1, 2, strings.Repeat("p", 84))
		if name == "pcapng" {
			record = epb(le, 0, 7, strings.Repeat("p", 84))
		}
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, append(head, bytes.Repeat(record, 1<<18)...), 0o666); err != nil {
			t.Fatal(err)
		}
		c, err := Open(path, Options{Readers: 2})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		var b Block
		next := func() {
			if err := c.Next(&b); err != nil || cap(b.buf) < chunkBytes+mostTail {
				t.Fatalf("%s: %v, a buffer of %d bytes", name, err, cap(b.buf))
			}
		}
		if err := c.Next(&b); err != nil { // what Open has read
			t.Fatal(err)
		}
		for range 10 {
			next()
		}
		if allocs := testing.AllocsPerRun(50, next); allocs != 0 {
			t.Errorf("%s: %v allocations a block", name, allocs)
		}
	}
}

// BenchmarkReaders: go test -run - -bench Readers -cpu 2 ./internal/reader, and
// beside it the same system calls without a walk.
func BenchmarkReaders(b *testing.B) {
	path := filepath.Join(b.TempDir(), "x.pcap")
	record := pcapRec(le, 1, 2, strings.Repeat("p", 400))
	data := append(pcapHead(le, magicMicro, 1), bytes.Repeat(record, 512<<20/len(record))...)
	if err := os.WriteFile(path, data, 0o666); err != nil {
		b.Fatal(err)
	}
	for _, n := range []int{1, 2, 4} {
		b.Run(fmt.Sprintf("readers=%d", n), func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			var blocks [16]Block
			for b.Loop() {
				c, err := Open(path, Options{Readers: n})
				if err != nil {
					b.Fatal(err)
				}
				for i := 0; err == nil; i++ {
					err = c.Next(&blocks[i%len(blocks)])
				}
				c.Close()
			}
		})
	}
}
