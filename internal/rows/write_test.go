package rows

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"

	"pcapbatch/internal/agg"
	"pcapbatch/internal/capturetest"
	"pcapbatch/internal/flow"
)

type textFormatter struct{ z agg.Summarizer }

func (f *textFormatter) AppendRow(dst []byte, t *agg.Table, i uint32) []byte {
	var s agg.Summary
	f.z.Summarize(t, i, &s)
	return fmt.Appendf(dst, "%+v\n", s)
}

// A failing writer ends WriteTables with its error.
func TestWriteTablesError(t *testing.T) {
	before := runtime.NumGoroutine()
	table := agg.NewTable(agg.Options{Seed: 7})
	defer table.Release()
	var events []flow.Event
	for i := range 50_000 {
		k := flow.Key{Version: 4, Protocol: 17, SrcPort: uint16(i), DstPort: uint16(i >> 16)}
		events = append(events, flow.Event{Time: int64(i), Key: k, Hash: uint32(k.Hash(7))})
	}
	order := []uint16{}
	for i := range events {
		order = append(order, uint16(i))
	}
	table.Update(events, order)
	want := errors.New("disk full")
	w := &failingWriter{left: 100_000, err: want}
	err := WriteTables(context.Background(), []*agg.Table{table}, 2, Encoding{NewFormatter: func() Formatter { return &textFormatter{} }}, w)
	if !errors.Is(err, want) {
		t.Fatalf("error is %v, want %v", err, want)
	}
	capturetest.GoroutinesEnd(t, before, "the end")
}

type failingWriter struct {
	left int
	err  error
}

func (w *failingWriter) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		return 0, w.err
	}
	return len(p), nil
}

func TestEach(t *testing.T) {
	var sum, busy atomic.Int64
	err := Each(context.Background(), 3, 100, func(_ context.Context, worker, i int) error {
		sum.Add(int64(i))
		busy.Or(1 << worker)
		return nil
	})
	if err != nil || sum.Load() != 4950 || busy.Load()&^7 != 0 {
		t.Errorf("sum %d, workers %b, %v", sum.Load(), busy.Load(), err)
	}
	broken := errors.New("broken")
	calls := atomic.Int64{}
	err = Each(context.Background(), 2, 1000, func(_ context.Context, _, i int) error {
		calls.Add(1)
		if i == 10 {
			return broken
		}
		return nil
	})
	if err != broken || calls.Load() < 11 {
		t.Errorf("%v after %d calls", err, calls.Load())
	}
}
