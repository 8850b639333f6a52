package agg

import (
	"cmp"
	"slices"
	"testing"

	"pcapbatch/internal/flow"
)

func TestKeyOrder(t *testing.T) {
	r := newRand(50)
	tr := traffic{keys: 300, gap: gapKinds["seconds"], size: sizeKinds["usual"]}
	tab := tableOf(r, Options{IdleTimeout: 600e9}, tr.events(r, 5000, 0))
	defer tab.Release()
	for name, class := range map[string]func(*flow.Key) uint16{
		"none": nil,
		"port": func(k *flow.Key) uint16 { return k.SrcPort % 3 },
	} {
		order := tab.KeyOrder(class)
		want := make([]uint32, tab.Len())
		for i := range want {
			want[i] = uint32(i)
		}
		slices.SortStableFunc(want, func(a, b uint32) int {
			ka, kb := tab.Key(a), tab.Key(b)
			if class == nil {
				return ka.Compare(&kb)
			}
			return cmp.Or(cmp.Compare(class(&ka), class(&kb)), ka.Compare(&kb))
		})
		if !slices.Equal(order, want) {
			t.Errorf("class %s: another order", name)
		}
	}
}

// Neighbouring IPv6 keys that share their first words, and VLAN ids, are told
// apart by the rest of the key.
func TestKeyOrderOfNearKeys(t *testing.T) {
	tab := NewTable(Options{})
	defer tab.Release()
	var events []flow.Event
	for i := range 200 {
		k := flow.Key{Src: [16]byte{0x20, 1}, Dst: [16]byte{15: byte(scramble(uint64(i)))}, SrcPort: uint16(i % 7), VLANInner: uint16(i % 3), Protocol: 17, Version: 6}
		if i%2 == 0 {
			k.Version, k.Dst = 4, [16]byte{1, 2, 3, byte(i % 5)}
		}
		events = append(events, flow.Event{Key: k, Hash: uint32(k.Hash(0))})
	}
	tab.Update(events, inOrder(len(events)))
	order := tab.KeyOrder(nil)
	for i := 1; i < len(order); i++ {
		a, b := tab.Key(order[i-1]), tab.Key(order[i])
		if a.Compare(&b) >= 0 {
			t.Fatalf("%v is before %v", a, b)
		}
	}
	if len(order) != tab.Len() || len(order) < 100 {
		t.Fatalf("%d of %d sessions", len(order), tab.Len())
	}
}

// A table that was put away and goes on in its successor: the parts absorb
// into what one table would have held, and reordered packets of one capture
// are not taken for overlapping captures.
func TestSuccessor(t *testing.T) {
	o := Options{IdleThreshold: 1e9}
	events := sequence([]int64{0, 10, 20, 15, 18, 30, 29, 40}, 0)
	ref := newReference(o)
	ref.add(events)
	for at := range len(events) {
		r := newRand(51)
		first := tableOf(r, o, events[:at])
		second := first.Successor()
		update(second, r, events[at:])
		if n, b := second.Span(); n != 40 || b != minTime {
			t.Errorf("span %d, %d", n, b)
		}
		whole := NewTable(o)
		for _, part := range []*Table{first, second} {
			for i := range uint32(part.Len()) {
				_, boundary := part.Span()
				if rest, err := whole.AbsorbPart(part.AppendSession(nil, i), boundary); err != nil || len(rest) > 0 {
					t.Fatal(rest, err)
				}
			}
		}
		ref.check(t, whole)
		if n := whole.Overlapped(); n != 0 {
			t.Errorf("cut at %d: %d sessions overlap, but there is one capture", at, n)
		}
		whole.Release()
		first.Release()
		second.Release()
	}
}
