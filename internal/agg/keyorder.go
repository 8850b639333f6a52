package agg

import (
	"cmp"
	"encoding/binary"

	"pcapbatch/internal/flow"
	"pcapbatch/internal/radix"
)

// sortKey is what a session is sorted by on disk: the class of its key, then
// the key. a and b are the first words of the key, so that most comparisons
// need not touch the session.
type sortKey struct {
	a, b    uint64
	index   uint32
	class   uint16
	version uint8
}

// fewKeys is how many keys are sorted in memory of the garbage collector: a page.
const fewKeys = 128

// KeyOrder returns the numbers of all sessions, sorted by the class of their
// key, then the key, sessions of one key in the order they began. A nil class
// is 0 for all. It takes 24 bytes a session while it works, and 4 for the list.
// During Evict it lists those sessions only that are to go.
func (t *Table) KeyOrder(class func(*flow.Key) uint16) []uint32 {
	n := t.Len()
	if t.evicting {
		n -= t.live
	}
	var scratch arena // given back at once; a garbage collector would keep some of these lists for a while
	defer scratch.release()
	var list []sortKey
	if n <= fewKeys {
		list = make([]sortKey, 0, n)
	} else {
		list = alloc[sortKey](&scratch, n)[:0]
	}
	for i := range uint32(t.Len()) {
		s := t.session(i)
		if t.evicting && !t.ended(s) {
			continue
		}
		key := makeSortKey(&s.key, i)
		if class != nil {
			key.class = class(&s.key)
		}
		list = append(list, key)
	}
	front := sortKey.front
	if class == nil {
		front = sortKey.unclassed
	}
	radix.Sort(list, front, func(x, y sortKey) int { return t.compareKeys(&x, &y) })
	order := make([]uint32, len(list))
	for i := range list {
		order[i] = list[i].index
	}
	return order
}

// front and unclassed are as much of the order as fits a number: of the class
// with the first word, and of the first word where all have the same class.
func (s sortKey) front() uint64     { return uint64(s.class)<<48 | s.unclassed()>>16 }
func (s sortKey) unclassed() uint64 { return uint64(s.version&2)<<62 | s.a>>1 }

func makeSortKey(k *flow.Key, index uint32) sortKey {
	be := binary.BigEndian
	s := sortKey{index: index, version: k.Version}
	if k.Version == 4 {
		s.a = uint64(be.Uint32(k.Src[:]))<<32 | uint64(be.Uint32(k.Dst[:]))
		s.b = uint64(k.SrcPort)<<32 | uint64(k.DstPort)<<16 | uint64(k.Protocol)
		return s
	}
	s.a, s.b = be.Uint64(k.Src[:]), be.Uint64(k.Src[8:])
	return s
}

func (t *Table) compareKeys(x, y *sortKey) int {
	if c := cmp.Compare(x.class, y.class); c != 0 {
		return c
	}
	if c := cmp.Compare(x.version, y.version); c != 0 {
		return c
	}
	if c := cmp.Compare(x.a, y.a); c != 0 {
		return c
	}
	if c := cmp.Compare(x.b, y.b); c != 0 {
		return c
	}
	if c := t.session(x.index).key.Compare(&t.session(y.index).key); c != 0 {
		return c
	}
	return cmp.Compare(x.index, y.index)
}

// Key returns the canonical key of session i.
func (t *Table) Key(i uint32) flow.Key { return t.session(i).key }

// RowKey returns the key of session i as its row shows it: from the sender of
// the first packet to its receiver.
func (t *Table) RowKey(i uint32) flow.Key { return t.session(i).rowKey() }
