package main

import (
	"slices"
	"testing"
)

func TestScheduleIsOrdered(t *testing.T) {
	r := rng{state: 7}
	var s schedule
	var all []due
	for i := range 500 {
		d := due{ns: int64(r.below(100)), slot: int32(i)}
		all = append(all, d)
		s.push(d)
	}
	slices.SortFunc(all, func(a, b due) int {
		if a.before(b) {
			return -1
		}
		return 1
	})
	for i, want := range all {
		if s[0] != want {
			t.Fatalf("entry %d is %v, want %v", i, s[0], want)
		}
		if i%2 == 0 {
			s.dropTop()
		} else {
			s.replaceTop(due{ns: 1000, slot: int32(i)})
		}
	}
	if len(s) != 250 || s[0].slot != 1 {
		t.Errorf("%d left, first %v", len(s), s[0])
	}
}

func TestPermutedIsUnique(t *testing.T) {
	seen := make(map[[2]uint32]bool)
	for serial := range uint64(50_000) {
		a, b := permuted(serial)
		if a >= 60000 || b >= 65000 || seen[[2]uint32{uint32(a), b}] {
			t.Fatalf("serial %d: %d, %d", serial, a, b)
		}
		seen[[2]uint32{uint32(a), b}] = true
	}
}
