package label

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"pcapbatch/internal/flow"
)

// BenchmarkMatch asks 10^6 rules with prefixes of 30 lengths on both sides and
// a tenth of the cells empty. Three quarters of the sessions are made for a
// rule, in random order. It reports the memory of a set, and the largest heap
// while one is read, the file apart.
//
//	go test ./internal/label -run '^$' -bench Match -benchtime 1000000x
func BenchmarkMatch(b *testing.B) {
	const hour = int64(3600e9)
	for _, ports := range []int{65536, 200, 10} {
		for _, v6 := range []bool{false, true} {
			for _, bits := range []int{128, 16} {
				name := fmt.Sprintf("ports=%d/v6=%v/bits=%d", ports, v6, bits)
				b.Run(name, func(b *testing.B) {
					w := world{Rand: rand.New(rand.NewPCG(1, 2)), v6: v6, bits: bits, ports: ports, least: 3, empty: 0.1,
						span: 120 * hour, window: hour}
					benchmarkMatch(b, &w, os.Getenv("SORTED") != "")
				})
			}
		}
	}
}

type session struct {
	key         flow.Key
	first, last int64
}

func benchmarkMatch(b *testing.B, w *world, sorted bool) {
	text, list := w.file(1_000_000)
	sessions := make([]session, 1<<16)
	for i := range sessions {
		var near *made
		if w.IntN(4) > 0 {
			near = &list[w.IntN(len(list))]
		}
		k, first, last := w.session(near)
		last = first + (last-first)/100
		sessions[i] = session{k, first, last}
	}
	if sorted {
		slices.SortFunc(sessions, func(x, y session) int { return x.key.Compare(&y.key) })
	}
	list = nil
	before := heap()
	s, err := Read(strings.NewReader(text), Options{})
	if err != nil {
		b.Fatal(err)
	}
	size := heap() - before
	m := s.Matcher()
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		q := &sessions[i%len(sessions)]
		m.Match(&q.key, q.first, q.last, "")
		i++
	}
	if _, others := m.Counts(); others > uint64(i)*9/10 {
		b.Fatalf("%d of %d sessions matched no rule", others, i)
	}
	b.ReportMetric(float64(size)/1e6, "MB")
	runtime.KeepAlive(text)
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
