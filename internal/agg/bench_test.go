package agg

import (
	"fmt"
	"testing"

	"pcapbatch/internal/flow"
)

// benchEvents are packets of the given number of sessions, taken in a random
// order, 2000 at a time as in a run.
func benchEvents(sessions, n int) []flow.Event {
	events := make([]flow.Event, n)
	for i := range events {
		x := scramble(uint64(i))
		events[i] = plainEvent(int(x%uint64(sessions)), int64(i)*1000)
		events[i].WireBytes, events[i].PayloadBytes = uint32(60+x>>32%1455), uint32(x>>32%1455)
	}
	return events
}

func updateAll(t *Table, events []flow.Event, order []uint16) {
	for len(events) > 0 {
		n := min(len(events), len(order))
		t.Update(events[:n], order[:n])
		events = events[n:]
	}
}

// go test -run '^$' -bench Update ./internal/agg
func BenchmarkUpdate(b *testing.B) {
	for _, sessions := range []int{1e3, 1e6} {
		b.Run(fmt.Sprintf("sessions=%.0e", float64(sessions)), func(b *testing.B) {
			events := benchEvents(sessions, 2_000_000)
			order := inOrder(2000)
			t := NewTable(Options{IdleThreshold: DefaultIdleThreshold})
			defer t.Release()
			b.ReportAllocs()
			for b.Loop() {
				t.Reset()
				updateAll(t, events, order)
			}
			if t.Len() > sessions || t.Len() < sessions*8/10 {
				b.Fatalf("%d sessions", t.Len())
			}
			perPacket(b, len(events))
			b.ReportMetric(float64(t.Bytes())/float64(t.Len()), "bytes/session")
		})
	}
}

func perPacket(b *testing.B, packets int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(packets), "ns/packet")
}

// One session of many packets: all of them are folded.
//
// go test -run '^$' -bench Fold ./internal/agg
func BenchmarkFold(b *testing.B) {
	events := benchEvents(1, 1_000_000)
	for i := range events {
		events[i].Time = int64(scramble(uint64(i)) >> 20)
	}
	now := int64(0)
	for i := range events { // gaps of all sizes, nearly all distinct
		now += events[i].Time >> (events[i].Time % 30)
		events[i].Time = now
	}
	order := inOrder(2000)
	t := NewTable(Options{IdleThreshold: DefaultIdleThreshold})
	defer t.Release()
	b.ReportAllocs()
	for b.Loop() {
		t.Reset()
		updateAll(t, events, order)
	}
	if t.Len() != 1 || t.larges.at(0, largeShift).packets < 999_000 {
		b.Fatal("nothing folded")
	}
	perPacket(b, len(events))
}

// go test -run '^$' -bench Summarize ./internal/agg
func BenchmarkSummarize(b *testing.B) {
	for _, packets := range []int{1, 4, 8, 64, 1000} {
		b.Run(fmt.Sprintf("packets=%d", packets), func(b *testing.B) {
			const sessions = 1000
			t := NewTable(Options{IdleThreshold: DefaultIdleThreshold})
			defer t.Release()
			order := inOrder(sessions)
			batch := make([]flow.Event, sessions)
			for p := range packets {
				for i := range batch {
					x := scramble(uint64(p*sessions + i))
					batch[i] = plainEvent(i, int64(p)*1e9+int64(x>>36))
					batch[i].WireBytes = uint32(60 + x%1455)
				}
				t.Update(batch, order)
			}
			var z Summarizer
			var s Summary
			total := uint64(0)
			b.ReportAllocs()
			for b.Loop() {
				total = 0
				for i := range uint32(sessions) {
					z.Summarize(t, i, &s)
					total += s.Packets
				}
			}
			if total != uint64(sessions*packets) {
				b.Fatalf("%d packets", total)
			}
			perPacket(b, sessions*packets)
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/sessions, "ns/session")
		})
	}
}

// go test -run '^$' -bench Merge ./internal/agg
func BenchmarkMerge(b *testing.B) {
	events := benchEvents(100_000, 400_000)
	order := inOrder(2000)
	half, dst := NewTable(Options{}), NewTable(Options{})
	defer half.Release()
	defer dst.Release()
	updateAll(half, events, order)
	b.ReportAllocs()
	for b.Loop() {
		dst.Reset()
		dst.Merge(half)
	}
	if dst.Len() != half.Len() {
		b.Fatalf("%d sessions of %d", dst.Len(), half.Len())
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(half.Len()), "ns/session")
}
