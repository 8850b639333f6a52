package inflate

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"hash/crc32"
	"io"
	"testing"
)

func crc32Bytes(b []byte) uint32 { return crc32.ChecksumIEEE(b) }

var plainHeader = []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255}

// member wraps deflate data of the given contents.
func member(deflated, data []byte) []byte {
	out := append(bytes.Clone(plainHeader), deflated...)
	out = binary.LittleEndian.AppendUint32(out, crc32Bytes(data))
	return binary.LittleEndian.AppendUint32(out, uint32(len(data)))
}

// bitWriter writes deflate streams by hand.
type bitWriter struct {
	out  []byte
	bits uint64
	n    uint
}

// put writes n bits, the lowest one first.
func (w *bitWriter) put(v uint64, n uint) {
	w.bits |= v << w.n
	for w.n += n; w.n >= 8; w.n -= 8 {
		w.out = append(w.out, byte(w.bits))
		w.bits >>= 8
	}
}

// align fills up the last byte and returns the stream.
func (w *bitWriter) align() []byte {
	if w.n > 0 {
		w.put(0, 8-w.n)
	}
	return w.out
}

// stored writes a stored block.
func (w *bitWriter) stored(data []byte, final uint64) {
	w.put(final, 3)
	w.align()
	w.put(uint64(len(data)), 16)
	w.put(uint64(len(data))^0xffff, 16)
	w.out = append(w.out, data...)
}

// code is a canonical code: lengths by symbol, and what to write.
type code struct {
	lengths []uint8
	words   []uint64 // reversed, as written
}

func newCode(lengths []uint8) code {
	c := code{lengths, make([]uint64, len(lengths))}
	word := 0
	for l := 1; l <= maxCodeBits; l++ {
		for s, sl := range lengths {
			if int(sl) == l {
				for i := range l {
					c.words[s] |= uint64(word>>i&1) << (l - 1 - i)
				}
				word++
			}
		}
		word <<= 1
	}
	return c
}

func (w *bitWriter) symbol(c code, s int) { w.put(c.words[s], uint(c.lengths[s])) }

// dynamic writes the header of a dynamic block; every length is sent on its
// own with a code length code of 16 codes of 4 bits.
func (w *bitWriter) dynamic(lit, dist code, final uint64) {
	w.put(final|2<<1, 3)
	w.put(uint64(len(lit.lengths)-257), 5)
	w.put(uint64(len(dist.lengths)-1), 5)
	w.put(numPreSyms-4, 4)
	pre := make([]uint8, numPreSyms)
	for s := range 16 {
		pre[s] = 4
	}
	for _, s := range preOrder {
		w.put(uint64(pre[s]), 3)
	}
	pc := newCode(pre)
	for _, l := range append(lit.lengths[:len(lit.lengths):len(lit.lengths)], dist.lengths...) {
		w.symbol(pc, int(l))
	}
}

// lengthsOf gives n lengths, all 0 but those named.
func lengthsOf(n int, of map[int]uint8) []uint8 {
	l := make([]uint8, n)
	for s, v := range of {
		l[s] = v
	}
	return l
}

// deepLengths is a complete code with one code of each length 1 to 14 and two
// of 15, in the order of syms.
func deepLengths(n int, syms ...int) []uint8 {
	l := make([]uint8, n)
	for i, s := range syms {
		l[s] = uint8(min(i+1, 15))
	}
	return l
}

// bomb gives a member of n times 64 MiB of zeros.
func bomb(t testing.TB, n int) (io.Reader, int64) {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, 9)
	if err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, 1<<20)
	parts := []io.Reader{bytes.NewReader(plainHeader)}
	for range 64 {
		_, _ = w.Write(zeros)
	}
	_ = w.Flush() // ends at a byte, so the same bytes can follow
	sum := uint32(0)
	for range n {
		parts = append(parts, bytes.NewReader(b.Bytes()))
		for range 64 {
			sum = crc32.Update(sum, crc32.IEEETable, zeros)
		}
	}
	size := int64(n) << 26
	end := binary.LittleEndian.AppendUint32([]byte{1, 0, 0, 0xff, 0xff}, sum)
	end = binary.LittleEndian.AppendUint32(end, uint32(size))
	return io.MultiReader(append(parts, bytes.NewReader(end))...), size
}

// verdict is what compress/flate says of deflate data.
func verdict(deflated []byte) ([]byte, error) {
	return io.ReadAll(flate.NewReader(bytes.NewReader(deflated)))
}
