package runfile

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"pcapbatch/internal/agg"
	"pcapbatch/internal/capture"
	"pcapbatch/internal/capturetest"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/flow"
)

// TestMain collects garbage less often and keeps files in memory, to save time:
// see capturetest.Run.
func TestMain(m *testing.M) { os.Exit(capturetest.Run(m)) }

// options of all tables here: thresholds that random gaps meet often.
var options = agg.Options{IdleThreshold: 500, IdleTimeout: 5000, Seed: 7}

// event makes a packet of one of keys sessions, some of them IPv6.
func event(r *rand.Rand, keys int, time int64) flow.Event {
	n := r.IntN(keys)
	k := flow.Key{SrcPort: uint16(n), DstPort: 80, Protocol: 6, Version: 4}
	if n%3 == 0 {
		k.Version = 6
		k.Src[15], k.Dst[15] = byte(n), 9
	}
	k.Src[0], k.Src[1], k.Dst[0] = 10, byte(n), 11
	if r.IntN(2) == 0 {
		k.Reverse()
	}
	ev := flow.Event{Time: time, WireBytes: uint32(60 + r.IntN(1400)), PayloadBytes: uint32(r.IntN(1400)), Key: k}
	if ev.Key.Canonical() {
		ev.Flags |= flow.Reversed
	}
	if r.IntN(4) == 0 {
		ev.Flags |= flow.Truncated
	}
	ev.Hash = uint32(ev.Key.Hash(options.Seed))
	return ev
}

// events are n packets in time order, of sessions small and large.
func events(seed uint64, n, keys int) []flow.Event {
	r := rand.New(rand.NewPCG(seed, 1))
	list := make([]flow.Event, n)
	time := int64(-1000)
	for i := range list {
		time += int64(r.IntN(40))
		if r.IntN(500) == 0 {
			time += 9000
		}
		list[i] = event(r, keys, time)
	}
	return list
}

// tableOf is one pass over the events.
func tableOf(list []flow.Event) *agg.Table {
	t := agg.NewTable(options)
	update(t, list)
	return t
}

func update(t *agg.Table, list []flow.Event) {
	for len(list) > 0 {
		n := min(len(list), 1000)
		order := make([]uint16, n)
		for i := range order {
			order[i] = uint16(i)
		}
		t.Update(list[:n], order)
		list = list[n:]
	}
}

// formatRow is a line with everything that merging must leave alone: medians
// only where they are exact.
func formatRow(dst []byte, t *agg.Table, i uint32) []byte {
	var z agg.Summarizer
	var s agg.Summary
	z.Summarize(t, i, &s)
	dst = fmt.Appendf(dst, "%v:%d>%v:%d/%d %d %d n=%d t=%d idle=%d %v %v %v", s.Key.SrcAddr(), s.Key.SrcPort, s.Key.DstAddr(), s.Key.DstPort, s.Key.Protocol,
		s.First, s.Last, s.Packets, s.Truncated, s.Idle, s.Gaps.Moments, s.Lengths.Moments, s.Payloads.Moments)
	if s.Packets <= 128 {
		dst = fmt.Appendf(dst, " %v %v %v", s.Gaps.Median, s.Lengths.Median, s.Payloads.Median)
	}
	return append(dst, '\n')
}

// rowsOf is the text of a table's rows in order.
func rowsOf(t *agg.Table) string {
	var b []byte
	for _, r := range t.Rows() {
		b = formatRow(b, t, r.Index)
	}
	return string(b)
}

// textOf is the text of the rows of all collectors.
func textOf(t *testing.T, collectors []*Collector, format func(dst []byte, t *agg.Table, i uint32) []byte) string {
	t.Helper()
	var text []byte
	table := agg.NewTable(options)
	defer table.Release()
	err := EachSession(context.Background(), collectors, nil, func(session []byte) error {
		rest, err := table.Load(session)
		if err == nil && len(rest) > 0 {
			err = errors.New("more than a session")
		}
		text = format(text, table, 0)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// collect merges inputs as the command does, and returns the rows.
func collect(t *testing.T, inputs [][]Input, partitions int, limit int64) string {
	t.Helper()
	c := NewCollector(options, limit, NewTemp(durable.OS, t.TempDir()))
	defer c.Close()
	for _, in := range inputs {
		if err := c.Merge(context.Background(), in, partitions); err != nil {
			t.Fatal(err)
		}
	}
	if len(c.sorted) > 0 && limit == 0 || len(c.sorted) == 0 && limit == 1 && c.sessions > 1 {
		t.Fatalf("limit %d: %d sections of %d sessions", limit, len(c.sorted), c.sessions)
	}
	return textOf(t, []*Collector{c}, formatRow)
}

// writeRun makes a run of the events and returns its path.
func writeRun(t testing.TB, dir, name string, list []flow.Event, partitions int) string {
	t.Helper()
	path := filepath.Join(dir, name+RunSuffix)
	w, err := Create(durable.OS, path)
	if err != nil {
		t.Fatal(err)
	}
	table := tableOf(list)
	defer table.Release()
	if _, err := w.WriteSessions(context.Background(), []Input{TableInput(table, partitions)}, partitions, options); err != nil {
		t.Fatal(err)
	}
	m := &Meta{Kind: Sessions, Capture: &capture.Identity{Path: name, Size: 1}, Options: []byte(`{"direction":"bidirectional"}`), Report: []byte("{}")}
	if err := w.Commit(m); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t *testing.T, path string) *Run {
	t.Helper()
	r, err := (&Files{FS: durable.OS}).Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
