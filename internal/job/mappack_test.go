package job

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pcapbatch/internal/capture"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/runfile"
)

// onePack has all small run files in one pack.
func onePack(c Config) Config {
	c.PackTime = time.Hour
	return c
}

// mapOutcomes is outcomesOf by the names of the captures. Each outcome must be
// told when the run file that it names is there.
func mapOutcomes(t *testing.T, c Config, runs string, names ...string) map[string]Outcome {
	t.Helper()
	found := map[string]Outcome{}
	c.Outcome = func(o *Outcome) error {
		found[o.Name] = *o
		if pack := filepath.Dir(o.RunFile); pack != runs {
			return wholePack(pack)
		}
		_, err := os.Stat(o.RunFile)
		return err
	}
	if r := mapTo(t, c, runs, 4, names...); r.err != nil {
		t.Fatal(r.err)
	}
	return found
}

// withStatus counts the outcomes of a status.
func withStatus(outcomes map[string]Outcome, status Status) (n int) {
	for _, o := range outcomes {
		if o.Status == status {
			n++
		}
	}
	return n
}

// sameFromRuns fails unless merge, and reduce with merge of parts, give the rows.
func sameFromRuns(t testing.TB, what string, c Config, runs, want string) {
	t.Helper()
	sameRows(t, what+", merge", merge(t, c, runs).clean(t), want)
	sameRows(t, what+", parts", joinParts(t, c, reduced(t, c, 4, runs)).clean(t), want)
	if d := damagedOf(t, runs); len(d) > 0 {
		t.Errorf("%s: damaged: %q", what, d)
	}
}

// Map keeps the run files of many small captures in packs, knows them again, and
// makes new ones of those that have changed.
func TestMapPacks(t *testing.T) {
	t.Parallel()
	dir, paths := series(t, 600, 100)
	for _, workers := range []int{1, 3} {
		c, runs := smallPacks(testConfig(workers)), t.TempDir()
		first := mapOutcomes(t, c, runs, dir)
		if n := withStatus(first, Made); n != 100 || len(packsIn(t, runs)) == 0 || len(runTimes(t, runs)) > leastPack {
			t.Fatalf("%d made, files %q", n, entriesOf(t, runs))
		}
		sameFromRuns(t, "first", c, runs, extract(t, c, dir).clean(t))
		for name, o := range mapOutcomes(t, c, runs, dir) {
			if was := first[name]; o.Status != Unchanged || o.RunFile != was.RunFile || o.Sessions != was.Sessions || o.Packets != was.Packets {
				t.Errorf("%+v, at first %+v", o, was)
			}
		}
		if r := mapTo(t, c, runs, 4, paths[7]); r.read != 0 {
			t.Errorf("a capture in a pack was read again")
		}
		before := packsIn(t, runs)
		change(t, 30+uint64(workers), paths[10:40]...)
		if n := withStatus(mapOutcomes(t, c, runs, dir), Made); n != 30 {
			t.Errorf("%d of 30 that have changed were read again", n)
		}
		sameFromRuns(t, "changed", c, runs, extract(t, c, dir).clean(t))
		if after := packsIn(t, runs); !slices.Equal(after[:len(before)], before) || len(after) == len(before) {
			t.Errorf("packs %q, before %q", after, before)
		}
		change(t, 40+uint64(workers), paths[0], paths[12]) // fewer than a pack
		if n := withStatus(mapOutcomes(t, c, runs, dir), Made); n != 2 {
			t.Errorf("%d of 2 that have changed were read again", n)
		}
		sameFromRuns(t, "two changed", c, runs, extract(t, c, dir).clean(t))
		again := c
		again.Again = true
		if n := withStatus(mapOutcomes(t, again, runs, dir), Made); n != 100 {
			t.Errorf("again: %d of 100 were read", n)
		}
		sameFromRuns(t, "again", c, runs, extract(t, c, dir).clean(t))
	}
}

// Other options and numbers of partitions make new run files, whose packs take
// the place of those that are there.
func TestMapPacksOtherOptions(t *testing.T) {
	t.Parallel()
	dir, _ := series(t, 240, 40)
	c, runs := smallPacks(testConfig(1)), t.TempDir()
	mapTo(t, c, runs, 9, dir).clean(t)
	if r := mapTo(t, c, runs, 4, dir); r.read != 40 || len(r.notes) != 40 || !strings.Contains(r.notes[0], "has 9 partitions, not 4") {
		t.Errorf("%d read, notes %q", r.read, r.notes)
	}
	sameFromRuns(t, "other partitions", c, runs, extract(t, c, dir).clean(t))
	c.Sessions.VLAN = true
	if r := mapTo(t, c, runs, 4, dir); r.read != 40 || len(r.notes) != 40 {
		t.Errorf("%d read, notes %q", r.read, r.notes)
	}
	sameFromRuns(t, "other options", c, runs, extract(t, c, dir).clean(t))
}

// Any number of calls may map the same captures into one directory side by side,
// however each cuts its packs.
func TestMapPacksSideBySide(t *testing.T) {
	t.Parallel()
	dir, _ := series(t, 480, 80)
	c, runs := smallPacks(testConfig(1)), t.TempDir()
	errs := make([]error, 4)
	var all sync.WaitGroup
	for i := range errs {
		mine := c
		mine.PackTime, mine.PackBytes = []time.Duration{time.Hour, time.Nanosecond, time.Millisecond, time.Hour}[i], int64(8+4*i)<<10
		all.Go(func() {
			_, errs[i] = Map(t.Context(), mine, runs, 4, capture.Find(durable.OS, []string{dir}, false))
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
	sameFromRuns(t, "side by side", c, runs, extract(t, c, dir).clean(t))
	if r := mapTo(t, c, runs, 4, dir); r.read != 0 {
		t.Errorf("%d captures were read again", r.read)
	}
}

// Two packs of one number hold what two calls made of captures that changed
// between them. Every reader takes the same one of them for each capture.
func TestMapPacksOfOneNumber(t *testing.T) {
	t.Parallel()
	dir, paths := series(t, 240, 40)
	c, both := onePack(testConfig(1)), t.TempDir()
	var possible []string
	for i := range uint64(2) {
		change(t, 50+i, paths[:37]...)
		possible = append(possible, extract(t, c, dir).clean(t))
		if err := os.CopyFS(both, os.DirFS(mapped(t, c, 4, dir))); err != nil {
			t.Fatal(err)
		}
	}
	packs := packsIn(t, both)
	if len(packs) != 2 || packs[0][:8] != packs[1][:8] {
		t.Fatalf("packs %q", packs)
	}
	rows := merge(t, c, both).clean(t)
	if !slices.Contains(possible, rows) {
		t.Error("rows of no one state of the captures")
	}
	sameFromRuns(t, "one number", c, both, rows)
}

// A pack whose index is damaged is not removed, because others may have captures
// in it: Map reads its own ones again, and whoever merges is told.
func TestMapPacksDamagedIndex(t *testing.T) {
	t.Parallel()
	dir, _ := series(t, 240, 40)
	c := onePack(testConfig(1))
	runs := mapped(t, c, 4, dir)
	path := filepath.Join(runs, packsIn(t, runs)[0])
	data := load(t, path)
	for name, at := range map[string]int{"index": len(data) - 20, "entry": 100} {
		spoilt := bytes.Clone(data)
		spoilt[at] ^= 1
		write(t, path, spoilt)
		want := map[string]int{"index": 40, "entry": 1}[name]
		if r := mapTo(t, c, runs, 4, dir); r.err != nil || r.read != want || len(r.notes) < 1 || !strings.Contains(r.notes[0], "damaged run file: at offset") {
			t.Errorf("%s: %v, %d read, notes %q", name, r.err, r.read, r.notes)
		}
		if name == "index" {
			merge(t, c, runs).refuses(t, Kept, path+": damaged run file: at offset ")
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
		sameFromRuns(t, name, c, runs, extract(t, c, dir).clean(t))
		runs = mapped(t, c, 4, dir)
		path = filepath.Join(runs, packsIn(t, runs)[0])
		data = load(t, path)
	}
}

// The name of a pack says its number, and whether it is one of ours.
func TestPackNames(t *testing.T) {
	t.Parallel()
	s := &shelf{shared: true, next: 41}
	a, b := s.newName(), s.newName()
	m, ok := packNumber(a)
	n, too := packNumber(b)
	if !ok || !too || m != 41 || n != 42 || latestFirst(a, b) <= 0 {
		t.Errorf("%q has %d, %q has %d", a, m, b, n)
	}
	for _, name := range []string{"day.pack", "1.pack", "00000001-.pack", "00000001-day.pack", "00000001-A-B.pack", "-0000001.pack", "00000001.run"} {
		if n, ok := packNumber(name); ok {
			t.Errorf("%q has number %d", name, n)
		}
	}
	if n, ok := packNumber(packName(7, "")); !ok || n != 7 || runfile.PackSuffix != ".pack" {
		t.Error(packName(7, ""))
	}
}
