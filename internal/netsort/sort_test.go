package netsort

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"testing"
)

// sorts are all ways to sort up to Most numbers.
func sorts() map[string]func(v []uint64) {
	all := map[string]func([]uint64){"Sort": Sort, "runs": func(v []uint64) {
		var a [Most]uint64
		fill(a[copy(a[:], v):])
		sortRuns(&a, Most)
		copy(v, a[:])
	}}
	if !wide {
		return all
	}
	all["wide"] = func(v []uint64) {
		var a [Most]uint64
		fill(a[copy(a[:], v):])
		sort128(&a)
		copy(v, a[:])
	}
	return all
}

func TestSort(t *testing.T) {
	if !wide {
		t.Log("without AVX-512, which this CPU or this build does not have")
	}
	for name, sort := range sorts() {
		rng := rand.New(rand.NewPCG(1, 2))
		for n := range Most + 1 {
			for _, limit := range []uint64{1, 3, 50, math.MaxUint64} {
				v := make([]uint64, n)
				for i := range v {
					v[i] = rng.Uint64N(limit)
					if rng.IntN(20) == 0 {
						v[i] = math.MaxUint64 // what short lists are filled up with
					}
				}
				want := slices.Sorted(slices.Values(v))
				if sort(v); !slices.Equal(v, want) {
					t.Fatalf("%s: %d values below %d: %v, want %v", name, n, limit, v, want)
				}
			}
		}
	}
}

// A sorting network sorts everything if it sorts all sequences of zeros and
// ones (the zero-one principle, Knuth, section 5.3.4). Of 64 or 128 of them
// there are too many sequences, but where a comparator is missing or turned
// around, a good part of them stays unsorted.
func TestSortBits(t *testing.T) {
	for name, sort := range sorts() {
		rng := rand.New(rand.NewPCG(3, 4))
		for _, n := range []int{Most / 2, Most} {
			v := make([]uint64, n)
			for range 5000 {
				ones := rng.IntN(n + 1)
				for i := range v {
					v[i] = 0
					if rng.IntN(n) < ones {
						v[i] = 1
					}
				}
				if sort(v); !slices.IsSorted(v) {
					t.Fatalf("%s: %d numbers: %v", name, n, v)
				}
			}
		}
	}
}

// The assembly is what generate.go writes.
func TestGenerated(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip(err)
	}
	generate := exec.Command("go", "run", "generate.go")
	generate.Env = append(os.Environ(), "GOOS=", "GOARCH=") // of this machine, whatever the test was built for
	want, err := generate.Output()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile("sort_amd64.s"); err != nil || !bytes.Equal(got, want) {
		t.Errorf("sort_amd64.s is not what 'go generate' writes here (%v)", err)
	}
}

// See TestSortBits: of eight zeros and ones all sequences can be tried.
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

// BenchmarkSort measures Sort beside slices.Sort. With the build tag safe it
// measures the sort without AVX-512.
//
//	go test -run - -bench Sort ./internal/netsort
//	go test -run - -bench Sort -tags safe ./internal/netsort
func BenchmarkSort(b *testing.B) {
	for _, n := range []int{9, 13, 16, 32, 64, 120} {
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
		run("values", Sort)
		run("slices", slices.Sort)
	}
}
