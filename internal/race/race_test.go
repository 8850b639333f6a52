package race

import (
	"slices"
	"testing"
)

func TestJunk(t *testing.T) {
	for n := range 20 {
		s := make([]int, n)
		if Junk(s, 7); slices.ContainsFunc(s, func(i int) bool { return i != 7 }) {
			t.Errorf("%d elements: %v", n, s)
		}
	}
}

func TestAssert(t *testing.T) {
	Assert(true, "unused")
	defer func() {
		if r := recover(); r != "internal error: 3 blocks" {
			t.Errorf("%v", r)
		}
	}()
	Assert(false, "%d blocks", 3)
}
