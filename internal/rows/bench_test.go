package rows

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"pcapbatch/internal/agg"
	"pcapbatch/internal/flow"
)

// BenchmarkMerge measures merging, which one goroutine does however many format
// rows: it brings the rows of all tables in order and puts them into chunks.
// The time includes sorting the rows of each table, which is done for all
// tables side by side.
//
//	go test -run - -bench Merge ./internal/rows
func BenchmarkMerge(b *testing.B) {
	const sessions = 1_000_000
	for _, n := range []int{2, 16} {
		b.Run(fmt.Sprintf("tables=%d", n), func(b *testing.B) {
			tables := make([]*agg.Table, n)
			for i := range tables {
				tables[i] = agg.NewTable(agg.Options{})
				defer tables[i].Release()
			}
			rng := rand.New(rand.NewPCG(7, uint64(n)))
			order := []uint16{0}
			for i := range sessions {
				ev := flow.Event{Time: int64(i) * 1000, WireBytes: 60, Hash: rng.Uint32(), Key: flow.Key{Version: 4, Protocol: 6}}
				ev.Key.Src[0], ev.Key.Src[1], ev.Key.Src[2] = byte(i), byte(i>>8), byte(i>>16)
				tables[rng.IntN(n)].Update([]flow.Event{ev}, order)
			}
			for b.Loop() {
				q := &queue{ctx: b.Context(), most: rowsPerChunk, free: make(chan *chunk, 8), work: make(chan *chunk, 8), ordered: make(chan *chunk, 8)}
				for range cap(q.free) {
					q.free <- &chunk{}
				}
				go func() {
					for c := range q.ordered {
						<-q.work
						q.free <- c
					}
				}()
				if err := mergeRows(q, tables); err != nil || q.rows != sessions {
					b.Fatalf("%d rows (%v)", q.rows, err)
				}
				close(q.ordered)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/sessions, "ns/row")
		})
	}
}
