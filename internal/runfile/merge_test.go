package runfile

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"pcapbatch/internal/agg"
	"pcapbatch/internal/capturetest"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/flow"
)

// cut cuts list at random places into n pieces.
func cut(r *rand.Rand, list []flow.Event, n int) [][]flow.Event {
	at := []int{0, len(list)}
	for range n - 1 {
		at = append(at, r.IntN(len(list)))
	}
	slices.Sort(at)
	var out [][]flow.Event
	for i := range n {
		out = append(out, list[at[i]:at[i+1]])
	}
	return out
}

// Packets cut anywhere into sections or runs, with any number of partitions,
// merge into the rows of one pass.
func TestMergeEqualsOnePass(t *testing.T) {
	capturetest.OneGoroutine(t)
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 2))
		keys := []int{3, 40, 900}[seed%3]
		list := events(seed, 12000, keys)
		want := rowsOf(tableOf(list))
		partitions := 1 + r.IntN(7)
		pieces := cut(r, list, 1+r.IntN(9))

		temp := NewTemp(durable.OS, t.TempDir())
		defer temp.Close()
		inputs := make([][]Input, partitions)
		var sections []Input
		dir := t.TempDir()
		for i, piece := range pieces {
			table := tableOf(piece)
			in, err := temp.WriteTable(table, partitions)
			if err != nil {
				t.Fatal(err)
			}
			table.Release()
			sections = append(sections, in)
			run := open(t, writeRun(t, dir, fmt.Sprint(i), piece, partitions))
			for p := range partitions {
				inputs[p] = append(inputs[p], run.Input(p))
			}
		}
		for _, limit := range []int64{0, 1, 1200 << 10} {
			if got := collect(t, [][]Input{sections}, partitions, limit); got != want {
				t.Fatalf("seed %d, limit %d: sections\n%s", seed, limit, firstDifference(got, want))
			}
			if got := collect(t, inputs, partitions, limit); got != want {
				t.Fatalf("seed %d, limit %d: runs\n%s", seed, limit, firstDifference(got, want))
			}
		}
	}
}

func firstDifference(got, want string) string {
	g, w := []byte(got), []byte(want)
	i := 0
	for i < len(g) && i < len(w) && g[i] == w[i] {
		i++
	}
	from := max(0, i-200)
	return fmt.Sprintf("lengths %d and %d, differ at %d\n got ...%s\nwant ...%s", len(g), len(w), i, g[from:min(len(g), i+100)], w[from:min(len(w), i+100)])
}

// More inputs than can be merged at once go through sections in between.
func TestNarrow(t *testing.T) {
	list := events(3, 12000, 100)
	want := rowsOf(tableOf(list))
	r := rand.New(rand.NewPCG(5, 5))
	temp := NewTemp(durable.OS, t.TempDir())
	defer temp.Close()
	var inputs []Input
	for _, piece := range cut(r, list, 2*MaxInputs+17) {
		table := tableOf(piece)
		in, err := temp.WriteTable(table, 4)
		if err != nil {
			t.Fatal(err)
		}
		table.Release()
		inputs = append(inputs, in)
	}
	narrow, _, err := temp.Narrow(context.Background(), inputs, 4, options)
	if err != nil || len(narrow) != 3 {
		t.Fatalf("%d inputs, %v", len(narrow), err)
	}
	for _, limit := range []int64{0, 1} { // a limit of 1: a run of rows per key, so narrowed too
		if got := collect(t, [][]Input{inputs}, 4, limit); got != want {
			t.Fatal(firstDifference(got, want))
		}
	}
}

// What is narrowed on the way counts as if all had been merged at once.
func TestNarrowCounts(t *testing.T) {
	packet := event(rand.New(rand.NewPCG(1, 1)), 1, 0)
	for _, captures := range [][]int{{100}, {129}, {400}, {100, 100}, {1, 300, 1, 5}, {200, 1, 90}} {
		for _, behind := range []int64{-500, 1} { // captures overlap, or not
			c := NewCollector(options, 0, NewTemp(durable.OS, t.TempDir()))
			var inputs []Input
			flat := agg.NewTable(options) // takes one part after the other
			newest := int64(math.MinInt64)
			for n, parts := range captures {
				before := newest
				for i := range parts {
					packet.Time = int64(parts - i) // each part steps back by 1 ns
					if n > 0 {
						packet.Time += before + behind
					}
					newest = max(newest, packet.Time)
					table := tableOf([]flow.Event{packet})
					in, err := c.temp.WriteTable(table, 1)
					if err != nil {
						t.Fatal(err)
					}
					inputs = append(inputs, in)
					if _, err := flat.Absorb(table.AppendSession(nil, 0)); err != nil {
						t.Fatal(err)
					}
					table.Release()
				}
			}
			if err := c.Merge(context.Background(), inputs, 1); err != nil {
				t.Fatal(err)
			}
			n, reordered, inexact := c.Counts()
			if n != 1 || flat.Reordered() == 0 || reordered != flat.Reordered() || inexact != flat.InexactGaps() {
				t.Errorf("%d, captures %d ns behind the one before: %d sessions, %d reordered, %d with inexact gaps; at once %d, %d",
					captures, behind, n, reordered, inexact, flat.Reordered(), flat.InexactGaps())
			}
			c.Close()
			flat.Release()
		}
	}
}

// A Temp leaves nothing in its directory, even while it is in use, and gives
// its space back.
func TestTempHasNoName(t *testing.T) {
	dir := t.TempDir()
	temp := NewTemp(durable.OS, dir)
	defer temp.Close()
	table := tableOf(events(1, 5000, 300))
	for range 2 {
		if _, err := temp.WriteTable(table, 1); err != nil {
			t.Fatal(err)
		}
	}
	if names, _ := os.ReadDir(dir); len(names) > 0 {
		t.Errorf("there is %v", names)
	}
	if err := temp.Drop(2); err != nil || temp.end != 0 {
		t.Errorf("end %d, %v", temp.end, err)
	}
	in, err := temp.WriteTable(table, 1)
	if err != nil {
		t.Fatal(err)
	}
	if got := collect(t, [][]Input{{in}}, 1, 0); got != rowsOf(table) {
		t.Error("what was written after Drop reads differently")
	}
}

// The partition of a key is part of the format.
func TestPartition(t *testing.T) {
	k := flow.Key{Version: 4, Protocol: 6, SrcPort: 1234, DstPort: 80, Src: [16]byte{10, 0, 0, 1}, Dst: [16]byte{10, 0, 0, 2}}
	k6 := flow.Key{Version: 6, Protocol: 17, SrcPort: 53, DstPort: 53, Src: [16]byte{0x20, 1, 0xd, 0xb8, 15: 1}, Dst: [16]byte{0x20, 1, 0xd, 0xb8, 15: 2}}
	if p, p6 := Partition(&k, 1000), Partition(&k6, 1000); p != 417 || p6 != 172 {
		t.Errorf("partitions %d and %d", p, p6)
	}
	counts := make([]int, 16)
	for _, ev := range events(9, 40000, 200) {
		counts[Partition(&ev.Key, 16)]++
	}
	if slices.Min(counts) == 0 {
		t.Errorf("partitions are uneven: %v", counts)
	}
}

// The bytes that sort keys are compared by have the order of the keys.
func TestKeyBytesOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		a, b := event(r, 50, 0).Key, event(r, 50, 0).Key
		if r.IntN(3) == 0 {
			b = a
			b.VLANInner = uint16(r.IntN(3))
		}
		got := slices.Compare(appendKey(nil, &a), appendKey(nil, &b))
		if want := a.Compare(&b); got != want {
			t.Fatalf("%v and %v: %d, not %d", a, b, got, want)
		}
	}
	x, y := flow.Key{Version: 4}, flow.Key{Version: 4}
	if slices.Compare(appendRowKey(nil, -1, &x), appendRowKey(nil, 0, &y)) >= 0 {
		t.Error("times before the epoch come later")
	}
}

func TestCombineJoinsOnlyOneKey(t *testing.T) {
	list := events(4, 4000, 30)
	half := len(list) / 2
	a, b := tableOf(list[:half]), tableOf(list[half:])
	n := 0
	into := agg.NewTable(options)
	_, err := combine(context.Background(), []Input{TableInput(a, 1), TableInput(b, 1)}, options, func(_ int, s []byte) error {
		n++
		_, err := into.Absorb(s)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if one := tableOf(list); n != one.Len() || rowsOf(into) != rowsOf(one) {
		t.Errorf("%d sessions, one pass makes %d", n, one.Len())
	}
}

// Of one key with more sessions than are held at a time, those that two inputs
// have parts of are joined, and all come in order.
func TestCombineManySessionsOfOneKey(t *testing.T) {
	o := options
	o.IdleTimeout = 10
	r := rand.New(rand.NewPCG(4, 6))
	list := make([]flow.Event, 20*maxJoined)
	now := int64(0)
	for i := range list {
		now += 1 + r.Int64N(25)
		list[i] = event(r, 1, now)
		list[i].Time = now
		list[i].Key = list[0].Key
		list[i].Hash = uint32(list[0].Key.Hash(o.Seed))
	}
	one := agg.NewTable(o)
	defer one.Release()
	update(one, list)
	for _, pieces := range []int{1, 2, 7, 100} {
		var inputs []Input
		for i := range pieces {
			part := agg.NewTable(o)
			defer part.Release()
			update(part, list[i*len(list)/pieces:(i+1)*len(list)/pieces])
			inputs = append(inputs, TableInput(part, 1))
		}
		var got, want []byte
		n := 0
		if _, err := combine(t.Context(), inputs, o, func(_ int, s []byte) error {
			n++
			got = append(got, s...)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		for i := range uint32(one.Len()) {
			want = one.AppendSession(want, i)
		}
		if n < 5*maxJoined || !bytes.Equal(got, want) {
			t.Errorf("%d pieces: %d sessions, one pass makes %d, or they differ", pieces, n, one.Len())
		}
	}
}
