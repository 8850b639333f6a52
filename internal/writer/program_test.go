package writer

import (
	"testing"

	"pcapbatch/internal/flow"
)

// Whatever facts sessions have, and however many combinations of them there
// are, a formatter keeps a bounded number of programs, finds each again, and
// writes the same rows as before.
func TestPrograms(t *testing.T) {
	o := everything()
	events, details := connection()
	tab := detailedTable(o, events, details)
	defer tab.Release()
	l, err := NewLayout(o)
	if err != nil {
		t.Fatal(err)
	}
	f := l.NewFormatter()
	want := string(f.AppendRow(nil, tab, 0))
	for i := range 10 * needs(programSlots) {
		facts := i * i * 0x10001 % (bulkTimeBackward << 1)
		f.row.facts = facts
		p := f.program()
		if p.facts != facts || f.program() != p {
			t.Fatalf("facts %x: the program of facts %x, or another one the second time", facts, p.facts)
		}
		if f.made > mostPrograms {
			t.Fatalf("%d programs", f.made)
		}
		if got := string(f.AppendRow(nil, tab, 0)); got != want {
			t.Fatalf("after facts %x: %s, want %s", facts, got, want)
		}
	}
}

// One value or two of a statistic, equal values and others, as samples and not,
// have the cells that their columns have one by one.
func TestStatisticCells(t *testing.T) {
	for n := 1; n <= 10; n++ {
		for _, sample := range []bool{false, true} {
			for _, empty := range []bool{false, true} {
				for _, sizes := range []uint32{0, 1, 7} {
					o := Options{Features: []Group{All}, SampleStd: sample, UndefinedEmpty: empty}
					change := func(i int, ev *flow.Event, _ *flow.Detail) {
						ev.WireBytes, ev.PayloadBytes = 60+sizes*uint32(i), sizes*uint32(i*i)
						ev.Time += int64(sizes) * int64(i%3)
					}
					events, details := connection()
					for i := range events[:n] {
						change(i, &events[i], &details[i])
					}
					tab := detailedTable(o, events[:n], details[:n])
					_, rows := rowsOf(t, o, tab)
					tab.Release()
					expect(t, rows[0], valueCells(t, o, n, empty, change))
				}
			}
		}
	}
}
