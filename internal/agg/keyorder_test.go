package agg

import (
	"math/rand/v2"
	"slices"
	"testing"

	"pcapbatch/internal/flow"
)

// keyTable has sessions of all sorts of keys, some of which differ only in
// what a sortKey does not hold, and several sessions of one key.
func keyTable(n int) *Table {
	rng := rand.New(rand.NewPCG(1, 9))
	t := NewTable(Options{IdleTimeout: 10})
	for i := range n {
		k := flow.Key{Version: 4, Protocol: 6, SrcPort: uint16(rng.IntN(3)), VLANInner: uint16(rng.IntN(3))}
		k.Src[3], k.Dst[3] = byte(rng.IntN(3)), byte(rng.IntN(3))
		if rng.IntN(2) == 0 {
			k.Version = 6
			k.Src[15], k.Dst[15] = byte(rng.IntN(3)), byte(rng.IntN(3))
		}
		ev := flow.Event{Time: int64(i), Key: k, Hash: uint32(k.Hash(0))}
		t.Update([]flow.Event{ev}, []uint16{0})
	}
	return t
}

func TestKeyOrder(t *testing.T) {
	table := keyTable(5000)
	defer table.Release()
	class := func(k *flow.Key) uint16 { return uint16(k.Src[3]) % 2 }
	for _, by := range []func(*flow.Key) uint16{nil, class} {
		order := table.KeyOrder(by)
		if len(order) != table.Len() || len(order) < 1000 {
			t.Fatalf("%d of %d sessions", len(order), table.Len())
		}
		if !slices.IsSortedFunc(order, func(a, b uint32) int {
			ka, kb := table.Key(a), table.Key(b)
			if by != nil && by(&ka) != by(&kb) {
				return int(by(&ka)) - int(by(&kb))
			}
			if c := ka.Compare(&kb); c != 0 {
				return c
			}
			return int(a) - int(b)
		}) {
			t.Error("out of order")
		}
		slices.Sort(order)
		if len(slices.Compact(order)) != table.Len() {
			t.Error("a session is there twice")
		}
	}
}
