package agg

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestSortValues(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for n := range exactRecords + 1 {
		for _, limit := range []uint64{1, 3, 50, math.MaxUint64} {
			v := make([]uint64, n)
			for i := range v {
				v[i] = rng.Uint64N(limit)
				if rng.IntN(20) == 0 {
					v[i] = math.MaxUint64 // what short runs are filled up with
				}
			}
			want := slices.Sorted(slices.Values(v))
			if sortValues(v); !slices.Equal(v, want) {
				t.Fatalf("%d values below %d: %v, want %v", n, limit, v, want)
			}
		}
	}
}

// A sorting network sorts everything if it sorts all sequences of zeros and
// ones.
func TestSort8(t *testing.T) {
	for pattern := range 256 {
		var v [8]uint64
		for i := range v {
			v[i] = uint64(pattern >> i & 1)
		}
		if sort8(&v); !slices.IsSorted(v[:]) {
			t.Fatalf("pattern %08b gives %v", pattern, v)
		}
	}
}

func BenchmarkSort(b *testing.B) {
	for _, n := range []int{9, 16, 32, 120} {
		rng := rand.New(rand.NewPCG(1, 2))
		lists := make([]uint64, 1024*n)
		for i := range lists {
			lists[i] = rng.Uint64()
		}
		work := make([]uint64, n)
		run := func(name string, sort func([]uint64)) {
			b.Run(fmt.Sprintf("n=%d/by=%s", n, name), func(b *testing.B) {
				i := 0
				for b.Loop() {
					copy(work, lists[i:i+n])
					sort(work)
					if i += n; i == len(lists) {
						i = 0
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/value")
			})
		}
		run("values", sortValues)
		run("slices", slices.Sort)
	}
}
