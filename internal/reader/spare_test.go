package reader

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Captures read one after the other with what those before left, whole, damaged
// and half read, give what each gives by itself.
func TestSpare(t *testing.T) {
	var all [][]byte
	long := append(pcapHead(le, magicMicro, 1), bytes.Repeat(pcapRec(le, 1, 2, strings.Repeat("much more ", 50)), 3000)...)
	for _, data := range [][]byte{samples()[0].data, samples()[2].data, long} {
		all = append(all, data)
		for _, z := range packed(t, data) {
			broken := bytes.Clone(z)
			broken[len(z)/2] ^= 0x55
			all = append(all, z, z[:len(z)-5], broken)
		}
	}
	type result struct {
		recs []got
		err  string
	}
	read := func(data []byte, o Options) (r result) {
		c, err := New("x", bytes.NewReader(data), o)
		if err == nil {
			r.recs, err = drain(c)
			c.Close()
		}
		r.err = fmt.Sprint(err)
		return r
	}
	alone := make([]result, len(all))
	for i, data := range all {
		alone[i] = read(data, Options{})
	}
	spare := NewSpare(2)
	var readers sync.WaitGroup
	for seed := range uint64(3) {
		readers.Go(func() {
			r := rand.New(rand.NewPCG(seed, 5))
			for range 200 {
				i := r.IntN(len(all))
				o := Options{Spare: spare, Size: int64(r.IntN(2) * len(all[i])), Workers: 1 + r.IntN(2)}
				if r.IntN(4) == 0 {
					if c, err := New("x", bytes.NewReader(all[i]), o); err == nil {
						c.Close()
					}
					continue
				}
				if got := read(all[i], o); got.err != alone[i].err || !slices.Equal(got.recs, alone[i].recs) {
					t.Errorf("capture %d: %d records, %s; alone %d, %s", i, len(got.recs), got.err, len(alone[i].recs), alone[i].err)
				}
			}
		})
	}
	readers.Wait()
	read(packedBy(t, "zstd", samples()[0].data), Options{Spare: spare}) // long ones take a decoder away
	if len(spare.gzip) == 0 || len(spare.zstd) == 0 || len(spare.blocks) == 0 {
		t.Errorf("kept %d of gzip, %d of zstd, %d blocks", len(spare.gzip), len(spare.zstd), len(spare.blocks))
	}
}

// A decoder that took much memory is not kept.
func TestSpareDropsLarge(t *testing.T) {
	s := samples()[0]
	spare := NewSpare(1)
	read := func(window byte) {
		t.Helper()
		last := slices.Concat(raw(le, uint8(len(s.data)<<3|1), uint8(len(s.data)>>5), uint8(0)), s.data)
		filler := bytes.Repeat(zstdRawBlock(0), BlockBytes)
		c, err := New("x", bytes.NewReader(slices.Concat(raw(le, uint32(zstdMagic), uint8(0), window), filler, last)), Options{Spare: spare})
		if err != nil {
			t.Fatal(err)
		}
		if recs, err := drain(c); err != nil || !slices.Equal(recs, s.want) {
			t.Errorf("%d records, %v", len(recs), err)
		}
		c.Close()
	}
	if read(0x70); len(spare.zstd) != 0 { // 16 MiB
		t.Error("kept a decoder with a window of 16 MiB")
	}
	if read(0x50); len(spare.zstd) != 1 { // 1 MiB
		t.Error("did not keep one of 1 MiB")
	}
}

// A capture that was closed does not read on with what is another's by then.
func TestNextAfterClose(t *testing.T) {
	data := append(pcapHead(le, magicMicro, 1), bytes.Repeat(pcapRec(le, 1, 2, strings.Repeat("x", 1000)), 1000)...)
	path := filepath.Join(t.TempDir(), "c")
	if err := os.WriteFile(path, packedBy(t, "gzip", data), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Open(path, Options{Spare: NewSpare(1)})
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	var b Block
	if err := c.Next(&b); !errors.Is(err, os.ErrClosed) || kindOf(t, err) != IO {
		t.Errorf("%v", err)
	}
}

// Small captures cost no decompressor each.
func TestSpareAllocates(t *testing.T) {
	for name, data := range packed(t, samples()[0].data) {
		if name != "gzip" && name != "zstd" {
			continue
		}
		o := Options{Spare: NewSpare(1), Size: int64(len(data))}
		var b Block
		open := func() {
			c, err := New("x", bytes.NewReader(data), o)
			if err == nil {
				err = c.Next(&b)
			}
			if err != nil || len(b.Records) != 3 {
				t.Fatal(err)
			}
			c.Close()
		}
		open()
		const rounds = 100
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range rounds {
			open()
		}
		runtime.ReadMemStats(&after)
		bytesPer := (after.TotalAlloc - before.TotalAlloc) / rounds
		if bytesPer > 48<<10 { // a decompressor is some 300 KiB
			t.Errorf("%s: %d bytes a capture", name, bytesPer)
		}
	}
}
