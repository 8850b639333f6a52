//go:build !safe

package inflate

import (
	"encoding/binary"
	"unsafe"
)

// cursor is a place in a slice, for the fast loop: no bounds checks, and one
// register instead of three. Requires, of every method: each byte that it
// touches or moves to lies inside the slice; the margins of the fast loop see
// to that. mem_safe.go is the checked twin (build tag safe).
type cursor struct{ p unsafe.Pointer }

// cursorAt points to b[i].
func cursorAt(b []byte, i int) cursor {
	return cursor{unsafe.Add(unsafe.Pointer(unsafe.SliceData(b)), i)}
}

// add moves n bytes on, or back.
func (c cursor) add(n int) cursor { return cursor{unsafe.Add(c.p, n)} }

// sub is the distance from o, a place in the same slice, to c.
func (c cursor) sub(o cursor) int { return int(uintptr(c.p) - uintptr(o.p)) }

// less reports whether c lies before o, a place in the same slice.
func (c cursor) less(o cursor) bool { return uintptr(c.p) < uintptr(o.p) }

// load64 reads 8 bytes, the first one lowest.
func (c cursor) load64() uint64 { return binary.LittleEndian.Uint64((*[8]byte)(c.p)[:]) }

// store8 writes a byte.
func (c cursor) store8(v byte) { *(*byte)(c.p) = v }

// store64 writes 8 bytes, the lowest one first.
func (c cursor) store64(v uint64) { binary.LittleEndian.PutUint64((*[8]byte)(c.p)[:], v) }

// copy16 copies 16 bytes from src, reading all before it writes any.
func (c cursor) copy16(src cursor) { *(*[16]byte)(c.p) = *(*[16]byte)(src.p) }
