package job

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"pcapbatch/internal/capturetest"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/runfile"
)

// A second Map reads nothing and reports what the first one did, damage too.
func TestMapKeepsCurrent(t *testing.T) {
	t.Parallel()
	dir, paths := series(t, 2000, 3)
	cut := load(t, paths[1])
	write(t, paths[1], cut[:len(cut)-5])
	write(t, filepath.Join(dir, "text"), []byte("no capture"))
	runs, c := t.TempDir(), testConfig(2)
	names := append(slices.Clone(paths), filepath.Join(dir, "text"), filepath.Join(dir, "lost"))
	first := mapTo(t, c, runs, 4, names...)
	if first.read != 3 || len(first.notes) > 0 {
		t.Fatalf("%d captures read, notes %q", first.read, first.notes)
	}
	before, rows := runTimes(t, runs), merge(t, c, runs).rows
	again := mapTo(t, c, runs, 4, names...)
	if want := []string{"not reading 3 captures whose run files in " + runs + " are current"}; again.read != 0 || !slices.Equal(again.notes, want) {
		t.Errorf("%d captures read, notes %q", again.read, again.notes)
	}
	slices.Sort(first.notices)
	slices.Sort(again.notices)
	if !slices.Equal(again.notices, first.notices) || fmt.Sprint(again.err) != fmt.Sprint(first.err) || CategoryOf(again.err) != Input {
		t.Errorf("%v, notices %q; at first %v, %q", again.err, again.notices, first.err, first.notices)
	}
	if g, w := jsonOf(t, again.report), jsonOf(t, first.report); g != w {
		t.Errorf("report\n%s\nat first\n%s", g, w)
	}
	for _, path := range paths {
		if name := runfile.RunName(path); runTimes(t, runs)[name] != before[name] {
			t.Errorf("%s was made again", name)
		}
	}
	sameRows(t, "merged", merge(t, c, runs).rows, rows)

	all := c
	all.Again = true
	if r := mapTo(t, all, runs, 4, names...); r.read != 3 || len(r.notes) > 0 {
		t.Errorf("again: %d captures read, notes %q", r.read, r.notes)
	}
	if first.report.Damaged() != again.report.Damaged() || len(again.report.Damage) != 3 {
		t.Errorf("%+v", again.report.Damage)
	}
}

// The outcome of a capture that was kept has the numbers of its run file.
func TestOutcomeOfCurrent(t *testing.T) {
	t.Parallel()
	_, paths := series(t, 400, 3)
	whole := load(t, paths[1])
	write(t, paths[1], whole[:len(whole)-1])
	runs, c := t.TempDir(), testConfig(2)
	first := map[string]Outcome{}
	for _, o := range outcomesOf(t, c, runs, paths[:2]...) {
		first[o.Name] = o
	}
	for _, o := range outcomesOf(t, c, runs, paths...) {
		was, ok := first[o.Name]
		if want := map[bool]Status{true: Unchanged, false: Made}[ok]; o.Status != want {
			t.Errorf("%s: %q, not %q", o.Name, o.Status, want)
		}
		if !ok {
			continue
		}
		if (o.Damage == nil) != (was.Damage == nil) || o.Damage != nil && *o.Damage != *was.Damage {
			t.Errorf("%s: damage %v, at first %v", o.Name, o.Damage, was.Damage)
		}
		o.Status, o.Seconds, o.Damage = was.Status, was.Seconds, was.Damage
		if o != was || o.Sessions == 0 || o.Bytes == 0 {
			t.Errorf("%+v, at first %+v", o, was)
		}
	}
}

// What is not current is read again, and a note says why.
func TestMapReadsStale(t *testing.T) {
	t.Parallel()
	_, paths := series(t, 800, 2)
	path := paths[0]
	basic := testConfig(1)
	basic.Columns.Features = nil
	keyed := testConfig(1)
	keyed.Sessions.VLAN = true
	figured := testConfig(1)
	figured.ReportData = true
	for _, c := range []struct {
		what       string
		before     Config
		now        Config
		partitions int
		change     func(run string)
		note       string // "": the run file is current
	}{
		{what: "nothing", before: testConfig(1), now: testConfig(3)},
		{what: "fewer columns", before: testConfig(1), now: basic},
		{what: "more columns", before: basic, now: testConfig(1), note: "is without what feature group"},
		{what: "data for a report", before: testConfig(1), now: figured, note: "is without what --report-data needs"},
		{what: "options", before: testConfig(1), now: keyed, note: `made with other options: --key is "" and "vlan" (there and here)`},
		{what: "partitions", before: testConfig(1), now: testConfig(1), partitions: 5, note: "has 4 partitions, not 5"},
		{what: "a damaged run file", before: testConfig(1), now: testConfig(1), note: "damaged run file: at offset", change: func(run string) {
			data := load(t, run)
			data[len(data)/3] ^= 4
			write(t, run, data)
		}},
		{what: "half a run file", before: testConfig(1), now: testConfig(1), note: "damaged run file: at offset", change: func(run string) {
			write(t, run, load(t, run)[:100])
		}},
		{what: "no run file", before: testConfig(1), now: testConfig(1), note: "none", change: func(run string) {
			if err := os.Remove(run); err != nil {
				t.Fatal(err)
			}
		}},
		{what: "a part", before: testConfig(1), now: testConfig(1), note: "is a part, not a run file", change: func(run string) {
			parts := reduced(t, testConfig(1), 1, mapped(t, testConfig(1), 1, path))
			write(t, run, load(t, filepath.Join(parts, entriesOf(t, parts)[0])))
		}},
		{what: "the capture", before: testConfig(1), now: testConfig(1), note: "changed since it was read", change: func(string) {
			write(t, path, capturetest.Pcap(capturetest.ManySessions(7, 900)...))
		}},
	} {
		runs := t.TempDir()
		mapTo(t, c.before, runs, 4, path).clean(t)
		run := filepath.Join(runs, runfile.RunName(path))
		if c.change != nil {
			c.change(run)
		}
		r := mapTo(t, c.now, runs, max(c.partitions, 4), path)
		kept := r.read == 0 && len(r.notes) == 1 && strings.HasPrefix(r.notes[0], "not reading 1 capture ")
		anew := r.read == 1 && (len(r.notes) == 1 && strings.HasPrefix(r.notes[0], path) && strings.Contains(r.notes[0], c.note) || c.note == "none" && len(r.notes) == 0)
		if r.err != nil || kept != (c.note == "") || anew != (c.note != "") {
			t.Errorf("%s: %v, %d captures read, notes %q", c.what, r.err, r.read, r.notes)
		}
		sameRows(t, c.what, merge(t, c.now, runs).rows, extract(t, c.now, path).rows)
		if r := mapTo(t, c.now, runs, max(c.partitions, 4), path); r.err != nil || r.read != 0 {
			t.Errorf("%s, the next run: %v, %d captures read, notes %q", c.what, r.err, r.read, r.notes)
		}
	}
}

// What stands in the place of a run file and is no file was put there by somebody.
func TestMapRefusesNoFile(t *testing.T) {
	t.Parallel()
	_, paths := series(t, 100, 1)
	runs := t.TempDir()
	if err := os.Mkdir(filepath.Join(runs, runfile.RunName(paths[0])), 0o777); err != nil {
		t.Fatal(err)
	}
	mapTo(t, testConfig(1), runs, 4, paths...).refuses(t, Kept, "not a regular file")
}

// With Strict, damage that is known from before ends the run as it does when it
// is met.
func TestMapStrictCurrent(t *testing.T) {
	t.Parallel()
	_, paths := series(t, 400, 1)
	data := load(t, paths[0])
	write(t, paths[0], data[:len(data)-5])
	runs, strict := t.TempDir(), testConfig(1)
	strict.Strict = true
	first := mapTo(t, strict, runs, 4, paths[0])
	if n := len(entriesOf(t, runs)); n != 0 || first.err == nil {
		t.Errorf("%d run files, %v", n, first.err)
	}
	mapTo(t, testConfig(1), runs, 4, paths[0])
	again := mapTo(t, strict, runs, 4, paths[0])
	again.refuses(t, CategoryOf(first.err), first.err.Error())
}

// swapping is a file system on which another file takes the place of a capture as
// soon as that was opened.
type swapping struct {
	durable.FS
	swap func()
}

func (s swapping) OpenSource(path string) (durable.Source, error) {
	f, err := s.FS.OpenSource(path)
	s.swap()
	return f, err
}

// A capture that is replaced while it is read is read again by the next Map: its
// run file does not count as one of the new content.
func TestMapOfReplaced(t *testing.T) {
	t.Parallel()
	for _, names := range [][]string{{"a"}, {"a", "b"}} {
		dir := t.TempDir()
		var paths []string
		for i, name := range names {
			paths = append(paths, write(t, filepath.Join(dir, name), capturetest.Pcap(capturetest.ManySessions(uint64(3+i), 300)...)))
		}
		fresh := write(t, filepath.Join(t.TempDir(), "fresh"), capturetest.Pcap(capturetest.ManySessions(9, 300)...))
		c, runs := testConfig(1), t.TempDir()
		swapped := c
		swapped.FS = swapping{c.FS, func() { os.Rename(fresh, paths[0]) }}
		mapTo(t, swapped, runs, 2, paths...).clean(t)
		if r := mapTo(t, c, runs, 2, paths...); r.err != nil || r.read > 1 {
			t.Errorf("%v, %d captures read", r.err, r.read)
		}
		sameRows(t, fmt.Sprint(len(names), " captures"), merge(t, c, runs).clean(t), extract(t, c, paths...).clean(t))
	}
}

// Several jobs may work in one directory, on the same captures too.
func TestMapSideBySide(t *testing.T) {
	t.Parallel()
	dir, paths := series(t, 3000, 4)
	runs, c := t.TempDir(), testConfig(1)
	var wg sync.WaitGroup
	results := make([]result, 6)
	for i := range results {
		wg.Go(func() {
			for j := range paths {
				if results[i] = mapTo(t, c, runs, 4, paths[j:]...); results[i].err != nil {
					break
				}
			}
		})
	}
	wg.Wait()
	for _, r := range results {
		if r.err != nil || len(r.notices) > 0 {
			t.Errorf("%v, notices %q", r.err, r.notices)
		}
	}
	if n := len(entriesOf(t, runs)); n != len(paths) {
		t.Errorf("%d files, want %d", n, len(paths))
	}
	sameRows(t, "merged", merge(t, c, runs).clean(t), extract(t, c, dir).clean(t))
}

// A capture that --memory left too little for is read again, as there may be more
// now, whether it was refused at its beginning or later.
func TestMoreMemory(t *testing.T) {
	t.Parallel()
	_, paths := series(t, 2000, 2)
	first, second := load(t, paths[0]), load(t, paths[1])[24:]
	for i := range byte(3) {
		second = append(second, noiseRecord(i)...)
	}
	for what, data := range map[string][]byte{
		"at once": zstdOf(t, 64<<20, slices.Concat(first, second)),
		"later":   slices.Concat(zstdOf(t, 64<<10, first), zstdOf(t, 64<<20, second)),
	} {
		path := write(t, filepath.Join(t.TempDir(), "c.zst"), data)
		scant, ample := testConfig(1), testConfig(1)
		scant.CaptureBytes = 4 << 20
		runs, state := t.TempDir(), t.TempDir()
		for name, try := range map[string]func(c Config) result{
			"map":   func(c Config) result { return mapTo(t, c, runs, 4, path) },
			"state": func(c Config) result { return resume(t, c, state, path) },
		} {
			if r := try(scant); len(r.report.Damage) != 1 || !r.report.Damage[0].Memory {
				t.Fatalf("%s, %s: %v, %+v", what, name, r.err, r.report.Damage)
			}
			if r := try(ample); r.err != nil || len(r.report.Damage) != 0 || r.read != 1 {
				t.Errorf("%s, %s: %v, %+v", what, name, r.err, r.report.Damage)
			}
			if r := try(scant); what == "later" && (r.err != nil || len(r.report.Damage) != 0 || r.read != 0) {
				t.Errorf("%s, %s, once more: %v, %+v", what, name, r.err, r.report.Damage)
			}
		}
	}
}
