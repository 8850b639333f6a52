package inflate

import (
	"math/rand/v2"
	"testing"

	"pcapbatch/internal/capturetest"
)

// randomCode gives the lengths of a complete code of n symbols out of m, up to
// limit bits.
func randomCode(r *rand.Rand, n, m, limit int) []uint8 {
	// Split leaves of a tree at random until there are n.
	leaves := []uint8{1, 1}
	for len(leaves) < n {
		i := r.IntN(len(leaves))
		if int(leaves[i]) < limit {
			leaves[i]++
			leaves = append(leaves, leaves[i])
		}
	}
	lengths := make([]uint8, m)
	for i, s := range r.Perm(m)[:n] {
		lengths[s] = leaves[i]
	}
	return lengths
}

// walk decodes one symbol bit by bit, from RFC 1951, section 3.2.2.
func walk(lengths []uint8, bits uint64) (sym, n int) {
	first, word := 0, 0
	for l := 1; l <= maxCodeBits; l++ {
		word = word<<1 | int(bits>>(l-1)&1)
		count := 0
		for s, sl := range lengths {
			if int(sl) == l {
				if word-first == count {
					return s, l
				}
				count++
			}
		}
		first = (first + count) << 1
	}
	return -1, 0
}

func TestTables(t *testing.T) {
	capturetest.OneGoroutine(t)
	r := rand.New(rand.NewPCG(11, 12))
	var lit litTable
	var dist distTable
	for range 150 {
		lengths := randomCode(r, 2+r.IntN(285), 286, 15)
		if !buildTable(lit[:], litBits, lengths, litBase[:]) {
			t.Fatalf("complete code refused: %v", lengths)
		}
		dl := randomCode(r, 2+r.IntN(29), 30, 15)
		if !buildTable(dist[:], distBits, dl, distBase[:]) {
			t.Fatalf("complete code refused: %v", dl)
		}
		for range 200 {
			bits := r.Uint64()
			e, used := uint64(lit[bits&(1<<litBits-1)]), 0
			if e&kindMask == isLink {
				e, used = uint64(lit[second(e, bits>>litBits)]), litBits
			}
			s, n := walk(lengths, bits)
			if used+int(e>>8&15) != n || uint32(e)-uint32(n-used)*codeUnit != litBase[s] {
				t.Fatalf("literal entry %x for symbol %d of %d bits", e, s, n)
			}
			e, used = dist[bits&(1<<distBits-1)], 0
			if e&kindMask == isLink {
				e, used = dist[second(e, bits>>distBits)], distBits
			}
			s, n = walk(dl, bits)
			if used+int(e>>8&15) != n || e-uint64(n-used)*codeUnit != distBase[s] {
				t.Fatalf("distance entry %x for symbol %d of %d bits", e, s, n)
			}
		}
	}
}

// The bases against the table of RFC 1951, section 3.2.5.
func TestBases(t *testing.T) {
	for _, c := range []struct{ sym, extra, base int }{{257, 0, 3}, {264, 0, 10}, {265, 1, 11}, {269, 2, 19}, {284, 5, 227}, {285, 0, 258}} {
		e := litBase[c.sym]
		if int(e&63) != c.extra || int(e>>16&0xff)+3 != c.base || int(e>>24) != 1<<c.extra-1 {
			t.Errorf("length symbol %d: %x", c.sym, e)
		}
	}
	for _, c := range []struct{ sym, extra, base int }{{0, 0, 1}, {3, 0, 4}, {4, 1, 5}, {16, 7, 257}, {29, 13, 24577}} {
		e := distBase[c.sym]
		if int(e&63) != c.extra || int(e>>16&0xffff) != c.base || int(e>>32) != 1<<c.extra-1 {
			t.Errorf("distance symbol %d: %x", c.sym, e)
		}
	}
}
