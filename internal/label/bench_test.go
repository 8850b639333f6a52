package label

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"pcapbatch/internal/flow"
)

// BenchmarkMatch asks 10^6 rules with prefixes of 30 lengths on both sides, of
// up to an hour or a day in five days, a tenth of their cells empty. Three quarters of
// the sessions are made for a rule; they come in the order of rows, and are of
// up to 36 seconds. It reports the memory of the set and the time to read it.
//
//	go test ./internal/label -run '^$' -bench Match -benchtime 1000000x
func BenchmarkMatch(b *testing.B) {
	const hour = int64(3600e9)
	for _, ports := range []int{65536, 10} {
		for _, v6 := range []bool{false, true} {
			for _, hours := range []int64{1, 24} {
				name := fmt.Sprintf("ports=%d/v6=%v/hours=%d", ports, v6, hours)
				b.Run(name, func(b *testing.B) {
					w := world{Rand: rand.New(rand.NewPCG(1, 2)), v6: v6, bits: 128, ports: ports, least: 3, empty: 0.1,
						span: 120 * hour, window: hours * hour, protocol: []uint8{6, 17, 1}}
					benchmarkMatch(b, &w)
				})
			}
		}
	}
}

type session struct {
	key         flow.Key
	first, last int64
}

func benchmarkMatch(b *testing.B, w *world) {
	text, list := w.file(1_000_000)
	sessions := make([]session, 1<<16)
	for i := range sessions {
		var near *made
		if w.IntN(4) > 0 {
			near = &list[w.IntN(len(list))]
		}
		k, first, last := w.session(near)
		last = min(last, first+36e9)
		sessions[i] = session{k, first, last}
	}
	slices.SortFunc(sessions, func(x, y session) int { return x.key.Compare(&y.key) })
	list = nil
	before, start := heap(), time.Now()
	s, err := Read(strings.NewReader(text), Options{})
	if err != nil {
		b.Fatal(err)
	}
	read := time.Since(start)
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
	b.ReportMetric(read.Seconds(), "s/read")
	runtime.KeepAlive(text)
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
