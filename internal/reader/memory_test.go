package reader

import (
	"bytes"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// TestMemory holds what Memory says of open captures against what the heap
// grows by, in captures that ask for much.
func TestMemory(t *testing.T) {
	data := append(pcapHead(le, magicMicro, 1), bytes.Repeat(pcapRec(le, 1, 2, noise(900)), 9000)...)
	ng := slices.Concat(section(le), bytes.Repeat(ifaceBlock(le, 1, 0), 100_000), epb(le, 0, 1, "abcd"))
	files := packed(t, data)
	files["pcapng"] = ng
	files["plain"] = data
	for how, file := range files {
		const open = 8
		var captures [open]*Capture
		var before, after runtime.MemStats
		readBytes(file) // libraries build tables on first use
		runtime.GC()
		runtime.ReadMemStats(&before)
		said := int64(0)
		var b Block
		for i := range captures {
			c, err := New("x", bytes.NewReader(file), Options{})
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := c.Next(&b); err != nil {
					break
				}
			}
			captures[i] = c
			said += c.Memory()
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > said+int64(open*OpenBytes) {
			t.Errorf("%s: the heap grew by %d KiB for %d captures, Memory says %d", how, grown>>10, open, said>>10)
		} else {
			t.Logf("%s: the heap grew by %d KiB for %d captures, Memory says %d", how, grown>>10, open, said>>10)
		}
		for _, c := range captures {
			c.Close()
		}
	}
}

// TestShrink: the buffer of a large record goes when the block is done with.
func TestShrink(t *testing.T) {
	head := raw(le, uint32(magicMicro), uint16(2), uint16(4), 0, 0, uint32(maxRecord), 1)
	c, err := New("x", bytes.NewReader(slices.Concat(head, pcapRec(le, 1, 0, "small"), pcapRec(le, 2, 0, strings.Repeat("x", 3<<20)))), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var b Block
	for i, large := range []bool{false, true} {
		if err := c.Next(&b); err != nil || len(b.Records) != 1 {
			t.Fatalf("block %d: %d records, %v", i, len(b.Records), err)
		}
		if b.Shrink(); large != (b.Data == nil) || cap(b.buf) > BlockBytes {
			t.Errorf("block %d: %d bytes are kept, and a buffer of %d", i, cap(b.Data), cap(b.buf))
		}
	}
}
