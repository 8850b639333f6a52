// Package radix sorts lists by a number and, where that is the same, by
// comparing. For a hundred thousand elements it takes a quarter of the time
// that comparing alone takes.
//
// Packages agg and runfile sort sessions with it, by time. It works in place,
// in the caller's goroutine, and allocates nothing.
package radix

import (
	"cmp"
	"math/bits"
	"slices"
)

// small is the length up to which comparing is faster than counting.
const small = 32

// Sort sorts list by key, and elements of the same key by compare. It sorts in
// place, by one byte of the key after the other, the highest first: American
// flag sort (McIlroy, Bostic and McIlroy: Engineering radix sort, 1993).
//
// Requires: key is the same at each call for an element.
func Sort[T any](list []T, key func(T) uint64, compare func(a, b T) int) {
	if len(list) <= small {
		slices.SortFunc(list, func(a, b T) int {
			if c := cmp.Compare(key(a), key(b)); c != 0 {
				return c
			}
			return compare(a, b)
		})
		return
	}
	first, differ := key(list[0]), uint64(0)
	for i := range list {
		differ |= first ^ key(list[i])
	}
	if differ == 0 {
		slices.SortFunc(list, compare)
		return
	}
	shift := (bits.Len64(differ) - 1) &^ 7 // bytes above are the same in all
	var begin, end [256]int
	for i := range list {
		end[byte(key(list[i])>>shift)]++
	}
	at := 0
	for b, n := range end {
		begin[b] = at
		at += n
		end[b] = at
	}
	next := begin
	for b := range next {
		for next[b] < end[b] {
			// Elements that belong elsewhere change places until one belongs
			// here.
			x := list[next[b]]
			for d := byte(key(x) >> shift); int(d) != b; d = byte(key(x) >> shift) {
				x, list[next[d]] = list[next[d]], x
				next[d]++
			}
			list[next[b]] = x
			next[b]++
		}
	}
	for b := range begin {
		if end[b]-begin[b] > 1 {
			Sort(list[begin[b]:end[b]], key, compare)
		}
	}
}
