package heap

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// What is pushed in any order comes out sorted, with items changed in place in
// between, as a merge of sorted lists changes them.
func TestMerge(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(1, seed))
		h := New(func(a, b *[]int) bool { return (*a)[0] < (*b)[0] })
		var want, got []int
		for range r.IntN(20) {
			list := make([]int, 1+r.IntN(10))
			for i := range list {
				list[i] = r.IntN(30)
			}
			want = append(want, list...)
			slices.Sort(list)
			h.Push(list)
		}
		slices.Sort(want)
		for h.Len() > 0 {
			front := h.Front()
			got = append(got, (*front)[0])
			if *front = (*front)[1:]; len(*front) == 0 {
				h.PopFront()
			} else {
				h.FixFront()
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("seed %d: %v, want %v", seed, got, want)
		}
	}
}

func TestItems(t *testing.T) {
	h := New(func(a, b *int) bool { return *a < *b })
	for _, n := range []int{3, 1, 2} {
		h.Push(n)
	}
	if items := h.Items(); len(items) != 3 || items[0] != 1 {
		t.Errorf("%v", items)
	}
	h.PopFront()
	if *h.Front() != 2 || h.Len() != 2 {
		t.Errorf("front %d of %d", *h.Front(), h.Len())
	}
}
