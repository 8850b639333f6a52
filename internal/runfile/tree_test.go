package runfile

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"pcapbatch/internal/agg"
	"pcapbatch/internal/capture"
	"pcapbatch/internal/capturetest"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/flow"
)

// A sessionID names a session across tables: the key in canonical form, and
// the time of the first packet.
type sessionID struct {
	key   flow.Key
	first int64
}

// values are the values of one session, gaps, wire lengths and payload sizes,
// each ascending.
type values [3][]uint64

// onePass takes the packets as they come and keeps every value, as
// docs/semantics.md says and as simply as it can be done.
func onePass(list []flow.Event) map[sessionID]*values {
	type open struct {
		*values
		last int64
	}
	all, current := map[sessionID]*values{}, map[flow.Key]*open{}
	for i := range list {
		ev := &list[i]
		s := current[ev.Key]
		if s == nil || ev.Time > s.last && uint64(ev.Time-s.last) > options.IdleTimeout {
			s = &open{values: &values{}, last: ev.Time}
			current[ev.Key] = s
			all[sessionID{ev.Key, ev.Time}] = s.values
		} else {
			s.values[0] = append(s.values[0], uint64(max(0, ev.Time-s.last)))
			s.last = max(s.last, ev.Time)
		}
		s.values[1] = append(s.values[1], uint64(ev.WireBytes))
		s.values[2] = append(s.values[2], uint64(ev.PayloadBytes))
	}
	for _, v := range all {
		for i := range v {
			slices.Sort(v[i])
		}
	}
	return all
}

// rankBound is what docs/semantics.md promises of a median, as a share of the
// number of values.
const rankBound = 0.01

// withinBound reports whether the rank of m is that near to the middle.
func withinBound(sorted []uint64, m agg.Median) bool {
	x := m.Nearest()
	below, _ := slices.BinarySearch(sorted, x)
	upTo, _ := slices.BinarySearch(sorted, x+1)
	half := float64(len(sorted)) / 2
	return max(0, float64(below)-half, half-float64(upTo)) < rankBound*float64(len(sorted))
}

// A tree merges pieces of a sequence of packets, neighbours first, in an order
// and by means that chance chooses.
type tree struct {
	t          *testing.T
	r          *rand.Rand
	dir        string
	temp       *Temp
	partitions int
	truth      map[sessionID]*values
	files      int
	large      int // sessions whose medians were estimated
}

// format is formatRow that looks at the other medians too.
func (x *tree) format(dst []byte, t *agg.Table, i uint32) []byte {
	var z agg.Summarizer
	var s agg.Summary
	if z.Summarize(t, i, &s); s.Packets > 128 {
		x.large++
		id := sessionID{s.Key, s.First}
		id.key.Canonical()
		v := x.truth[id]
		if v == nil {
			x.t.Errorf("no session of %v", id)
			return dst
		}
		for k, m := range []agg.Median{s.Gaps.Median, s.Lengths.Median, s.Payloads.Median} {
			if !withinBound(v[k], m) {
				x.t.Errorf("median %v of %d values is out of bounds", m, len(v[k]))
			}
		}
	}
	return formatRow(dst, t, i)
}

// leaf is one piece as the sections of a run, a section of the temporary file,
// or a table.
func (x *tree) leaf(piece []flow.Event) []Input {
	table := tableOf(piece)
	if x.r.IntN(4) == 0 {
		x.t.Cleanup(table.Release)
		return []Input{TableInput(table, x.partitions)}
	}
	defer table.Release()
	if x.r.IntN(2) == 0 {
		return x.file([]Input{TableInput(table, x.partitions)})
	}
	in, err := x.temp.WriteTable(table, x.partitions)
	if err != nil {
		x.t.Fatal(err)
	}
	return []Input{in}
}

func (x *tree) path(suffix string) string {
	x.files++
	return filepath.Join(x.dir, fmt.Sprint(x.files, suffix))
}

// file merges inputs into a run.
func (x *tree) file(inputs []Input) (list []Input) {
	w, err := Create(durable.OS, x.path(RunSuffix))
	if err != nil {
		x.t.Fatal(err)
	}
	if _, err := w.WriteSessions(context.Background(), inputs, x.partitions, options); err != nil {
		x.t.Fatal(err)
	}
	run, err := w.Detach(&Meta{Kind: Sessions, Capture: &capture.Identity{}, Report: []byte("{}")}) // not synced: a thousand files
	if err != nil {
		x.t.Fatal(err)
	}
	x.t.Cleanup(func() { run.Close() })
	for p := range run.Index {
		list = append(list, run.Input(p))
	}
	return list
}

// section merges inputs into a section of the temporary file.
func (x *tree) section(inputs []Input) []Input {
	s, err := x.temp.write(func(w *blockWriter) error {
		_, err := combine(context.Background(), inputs, options, func(_ int, session []byte) error { return w.add(session) })
		return err
	})
	if err != nil {
		x.t.Fatal(err)
	}
	return []Input{x.temp.input(s, sessionOrder(x.partitions))}
}

// node merges some neighbours, as the command does: what is too much for one
// merge is narrowed first.
func (x *tree) node(parts [][]Input) []Input {
	inputs, _, err := x.temp.Narrow(context.Background(), slices.Concat(parts...), x.partitions, options)
	if err != nil {
		x.t.Fatal(err)
	}
	if x.r.IntN(2) == 0 {
		return x.file(inputs)
	}
	return x.section(inputs)
}

// grow merges neighbours until at most most parts are left.
func (x *tree) grow(parts [][]Input, most int) [][]Input {
	for len(parts) > most {
		n := min(len(parts), 2+x.r.IntN(len(parts)))
		i := x.r.IntN(len(parts) - n + 1)
		parts = slices.Replace(parts, i, i+n, x.node(parts[i:i+n]))
	}
	return parts
}

// rows makes the text of all rows in one of the ways in which the command does.
func (x *tree) rows(parts [][]Input) string {
	inputs := slices.Concat(parts...)
	limit := int64(x.r.IntN(2)) // 1: a run for each session, which are narrowed too
	switch x.r.IntN(3) {
	case 0: // one worker merges all
		return textOf(x.t, []*Collector{x.collector(inputs, limit)}, x.format)
	case 1: // a worker for each partition, as far as sections have one
		return textOf(x.t, x.byPartition(inputs, limit), x.format)
	default: // parts, as of reduce
		var list []*Run
		for _, c := range x.byPartition(inputs, limit) {
			list = append(list, x.part(c))
		}
		var out bytes.Buffer
		temp := NewTemp(durable.OS, x.dir)
		defer temp.Close()
		if err := CopyParts(context.Background(), list, temp, &out); err != nil {
			x.t.Fatal(err)
		}
		return out.String()
	}
}

func (x *tree) collector(inputs []Input, limit int64) *Collector {
	c := NewCollector(options, limit, NewTemp(durable.OS, x.dir))
	x.t.Cleanup(func() { c.Close() })
	if err := c.Merge(context.Background(), inputs, x.partitions); err != nil {
		x.t.Fatal(err)
	}
	return c
}

// byPartition cuts what inputs merge to into partitions, with a collector for
// each.
func (x *tree) byPartition(inputs []Input, limit int64) (list []*Collector) {
	inputs, _, err := x.temp.Narrow(context.Background(), inputs, x.partitions, options)
	if err != nil {
		x.t.Fatal(err)
	}
	for _, in := range x.file(inputs) {
		list = append(list, x.collector([]Input{in}, limit))
	}
	return list
}

// part puts the rows of a collector into a part.
func (x *tree) part(c *Collector) *Run {
	w, err := Create(durable.OS, x.path(PartSuffix))
	if err != nil {
		x.t.Fatal(err)
	}
	if err := w.WriteRows(context.Background(), []*Collector{c}, x.format); err != nil {
		x.t.Fatal(err)
	}
	run, err := w.Detach(&Meta{Kind: Rows, Part: &Part{}, Report: []byte("{}")})
	if err != nil {
		x.t.Fatal(err)
	}
	x.t.Cleanup(func() { run.Close() })
	return run
}

// late exchanges the times of some neighbours, so that packets come late, but
// only one of a session across any cut.
func late(r *rand.Rand, list []flow.Event) {
	for i := 1; i < len(list); i += 2 {
		if r.IntN(5) == 0 {
			list[i].Time, list[i-1].Time = list[i-1].Time, list[i].Time
		}
	}
}

// Random packets, cut at random places into runs, sections and tables, and
// merged in a random tree, are equal to one pass: medians of sessions that are
// too large for exact ones within their bound, all else byte for byte. Some
// trees have more leaves than one merge can take, and more partitions.
func TestAnyTreeEqualsOnePass(t *testing.T) {
	capturetest.OneGoroutine(t)
	seeds := uint64(20)
	if testing.Short() {
		seeds = 6
	}
	large := 0
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 11))
			list := events(seed, 1000+r.IntN(5000), []int{2, 30, 120}[seed%3])
			late(r, list)
			if seed%2 == 0 { // pauses that end no session
				for i := range list {
					list[i].Time /= 4
				}
			}
			x := &tree{t: t, r: r, dir: t.TempDir(), truth: onePass(list), partitions: []int{1, 5, MaxInputs + 9}[r.IntN(3)]}
			x.temp = NewTemp(durable.OS, x.dir)
			defer x.temp.Close()
			table := tableOf(list)
			defer table.Release()
			want := rowsOf(table)

			leaves := 1 + r.IntN(12)
			if seed%4 == 0 {
				leaves = MaxInputs + r.IntN(MaxInputs)
			}
			var parts [][]Input
			for _, piece := range cut(r, list, leaves) {
				parts = append(parts, x.leaf(piece))
			}
			parts = x.grow(parts, 1+r.IntN(len(parts)))
			inputs := len(slices.Concat(parts...))
			if got := x.rows(parts); got != want {
				t.Fatalf("%d leaves, %d partitions: %s", leaves, x.partitions, firstDifference(got, want))
			}
			t.Logf("%d packets, %d leaves, %d partitions, %d inputs at the root, %d files, %d large sessions", len(list), leaves, x.partitions, inputs, x.files, x.large)
			large += x.large
		})
	}
	if large == 0 {
		t.Error("no session was too large for exact medians")
	}
}

// More sections than two levels of merging can take.
func TestNarrowTwice(t *testing.T) {
	capturetest.OneGoroutine(t)
	if testing.Short() {
		t.Skip("a section for each of 16,000 packets")
	}
	list := events(8, MaxInputs*MaxInputs+300, 90)
	whole := tableOf(list)
	defer whole.Release()
	temp := NewTemp(durable.OS, t.TempDir())
	defer temp.Close()
	table := agg.NewTable(options)
	defer table.Release()
	var inputs []Input
	for i := range list {
		table.Reset()
		update(table, list[i:i+1])
		in, err := temp.WriteTable(table, 3)
		if err != nil {
			t.Fatal(err)
		}
		inputs = append(inputs, in)
	}
	before := temp.live
	narrow, _, err := temp.Narrow(context.Background(), inputs, 3, options)
	if err != nil || len(narrow) != 2 || temp.live-before != 131+2 {
		t.Fatalf("%d inputs and %d sections, %v", len(narrow), temp.live-before, err)
	}
	if got := collect(t, [][]Input{narrow}, 3, 0); got != rowsOf(whole) {
		t.Fatal(firstDifference(got, rowsOf(whole)))
	}
}
