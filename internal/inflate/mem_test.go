package inflate

import (
	"bytes"
	"testing"
)

// The primitives against their definitions, byte by byte. Both builds run it:
// go test and go test -tags safe.
func TestCursor(t *testing.T) {
	fresh := func() []byte {
		b := make([]byte, 64)
		for i := range b {
			b[i] = byte(i*37 + 11)
		}
		return b
	}
	for i := range 48 {
		b, want := fresh(), fresh()
		c := cursorAt(b, i)
		v := uint64(0)
		for j := range 8 {
			v |= uint64(b[i+j]) << (8 * j)
		}
		if got := c.load64(); got != v {
			t.Fatalf("load64 at %d: %x, want %x", i, got, v)
		}
		v = v*0x9e3779b97f4a7c15 + 1
		c.store64(v)
		for j := range 8 {
			want[i+j] = byte(v >> (8 * j))
		}
		c.add(8).store8(0xa5)
		want[i+8] = 0xa5
		if !bytes.Equal(b, want) {
			t.Fatalf("stores at %d: %x, want %x", i, b, want)
		}
		for src := range 48 {
			b, want := fresh(), fresh()
			c, s := cursorAt(b, i), cursorAt(b, src)
			c.copy16(s)
			copy(want[i:i+16], fresh()[src:src+16])
			if !bytes.Equal(b, want) {
				t.Fatalf("copy16 from %d to %d", src, i)
			}
			if c.sub(s) != i-src || c.less(s) != (i < src) || s.add(i-src).sub(c) != 0 {
				t.Fatalf("sub, less, add of %d and %d", i, src)
			}
		}
	}
}

// Matches of every distance and length, in both planes, with and without room
// to spare.
func TestCopies(t *testing.T) {
	const plane = 400
	for back := 1; back <= 40; back++ {
		for n := 1; n <= 70; n++ {
			out := randomData(2 * plane)
			clear(out[plane+50:])
			want := bytes.Clone(out)
			for i := 50; i < 50+n; i++ {
				want[i], want[plane+i] = want[i-back], want[plane+i-back]
			}
			exact := bytes.Clone(out)
			copyHistory(exact, 50, n, back, 0, nil, plane)
			if !bytes.Equal(exact, want) {
				t.Fatalf("copyHistory back %d, length %d", back, n)
			}
			copyPlane(cursorAt(out, plane+50), cursorAt(out, plane+50+n), back)
			if !bytes.Equal(out[plane:], want[plane:]) {
				t.Fatalf("copyPlane back %d, length %d", back, n)
			}
			// What lies before the slice comes from the history.
			hist := want[:50]
			low := append([]byte(nil), want[50-min(back, 30):50]...)
			if back < 30 {
				continue
			}
			dst := append(low, make([]byte, 100)...)
			copyHistory(dst, 30, n, back, 0, hist[:20], 0)
			if !bytes.Equal(dst[30:30+n], want[50:50+n]) {
				t.Fatalf("copyHistory over the edge, back %d, length %d", back, n)
			}
		}
	}
}
