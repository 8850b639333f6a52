//go:build safe

package inflate

import "encoding/binary"

// cursor is the checked twin of the one in mem_unsafe.go.
type cursor struct {
	b []byte
	i int
}

func cursorAt(b []byte, i int) cursor { return cursor{b, i} }

func (c cursor) add(n int) cursor   { return cursor{c.b, c.i + n} }
func (c cursor) sub(o cursor) int   { return c.i - o.i }
func (c cursor) less(o cursor) bool { return c.i < o.i }
func (c cursor) load64() uint64     { return binary.LittleEndian.Uint64(c.b[c.i:]) }
func (c cursor) store8(v byte)      { c.b[c.i] = v }
func (c cursor) store64(v uint64)   { binary.LittleEndian.PutUint64(c.b[c.i:], v) }
func (c cursor) copy16(src cursor)  { copy(c.b[c.i:c.i+16], src.b[src.i:src.i+16]) }
