package radix

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

type element struct {
	key  uint64
	rank int
	load [16]byte
}

func compareAll(a, b element) int {
	return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.rank, b.rank))
}

func random(r *rand.Rand, n int, key func(r *rand.Rand) uint64) []element {
	list := make([]element, n)
	for i := range list {
		list[i] = element{key: key(r), rank: i}
		list[i].load[0] = byte(list[i].key + uint64(i))
	}
	r.Shuffle(n, func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list
}

var keys = map[string]func(r *rand.Rand) uint64{
	"random":   func(r *rand.Rand) uint64 { return r.Uint64() },
	"constant": func(*rand.Rand) uint64 { return 1 << 63 },
	"two":      func(r *rand.Rand) uint64 { return r.Uint64() & 1 << 40 },
	"low byte": func(r *rand.Rand) uint64 { return 0xfedcba9876543200 | r.Uint64()&0xff },
	"skewed":   func(r *rand.Rand) uint64 { return 1 << r.IntN(64) },
	"subnet":   func(r *rand.Rand) uint64 { return 0x0a000000c6120000 | r.Uint64()&0xffff<<32 | r.Uint64()&0xff },
}

func TestSort(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for name, key := range keys {
		for _, n := range []int{0, 1, 2, small, small + 1, 1000, 30000} {
			got := random(r, n, key)
			want := slices.Clone(got)
			slices.SortFunc(want, compareAll)
			Sort(got, func(e element) uint64 { return e.key }, func(a, b element) int { return cmp.Compare(a.rank, b.rank) })
			if !slices.Equal(got, want) {
				t.Errorf("%s: %d elements are not in order", name, n)
			}
		}
	}
}

func BenchmarkSort(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	list := random(r, 130_000, keys["subnet"])
	work := make([]element, len(list))
	for _, how := range []string{"radix", "compare"} {
		b.Run(fmt.Sprint(how), func(b *testing.B) {
			for b.Loop() {
				copy(work, list)
				if how == "radix" {
					Sort(work, func(e element) uint64 { return e.key }, func(a, b element) int { return cmp.Compare(a.rank, b.rank) })
				} else {
					slices.SortFunc(work, compareAll)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(list)), "ns/element")
		})
	}
}
