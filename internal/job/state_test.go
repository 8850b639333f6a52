package job

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pcapbatch/internal/capturetest"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/durabletest"
	"pcapbatch/internal/report"
	"pcapbatch/internal/runfile"
)

// Whatever was kept of it before, the rows are those of one run; what was kept
// is not read again.
func TestStateSameBytes(t *testing.T) {
	t.Parallel()
	dir, paths := series(t, 4000, 5)
	state := filepath.Join(t.TempDir(), "state")
	c := testConfig(1)
	sameRows(t, "two captures", resume(t, c, state, paths[3], paths[1]).clean(t), extract(t, c, paths[1], paths[3]).clean(t))
	before := runTimes(t, state)
	if len(before) != 2 {
		t.Fatalf("%d run files", len(before))
	}
	want := extract(t, c, dir).clean(t)
	for _, c.Workers = range []int{1, 3} {
		sameRows(t, fmt.Sprint("all captures, workers: ", c.Workers), resume(t, c, state, dir).clean(t), want)
		after := runTimes(t, state)
		for name, made := range before {
			if after[name] != made {
				t.Errorf("%d workers: %s was made again", c.Workers, name)
			}
		}
		if before = after; len(before) != 5 {
			t.Fatalf("%d run files", len(before))
		}
	}
}

// A run that is made of what was kept reports what the first one did.
func TestStateReport(t *testing.T) {
	t.Parallel()
	dir, paths := series(t, 2000, 3)
	cut := load(t, paths[1])
	write(t, paths[1], cut[:len(cut)-5])
	state, c := t.TempDir(), testConfig(1)
	plain := extract(t, c, dir)
	if plain.err != nil || len(plain.notices) != 1 {
		t.Fatalf("%v, %q", plain.err, plain.notices)
	}
	for range 2 {
		got := resume(t, c, state, dir)
		if got.err != nil || got.rows != plain.rows || !slices.Equal(got.notices, plain.notices) || len(got.notes) > 0 {
			t.Errorf("%v, notices %q, notes %q; without a state directory %q", got.err, got.notices, got.notes, plain.notices)
		}
		if g, w := jsonOf(t, got.report), jsonOf(t, plain.report); g != w {
			t.Errorf("report\n%s\nwithout a state directory\n%s", g, w)
		}
	}
}

func jsonOf(t *testing.T, r *report.Run) string {
	t.Helper()
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// With Strict, damage that is known from before ends the run as it does when it
// is met.
func TestStateStrict(t *testing.T) {
	t.Parallel()
	_, paths := series(t, 400, 1)
	data := load(t, paths[0])
	write(t, paths[0], data[:len(data)-5])
	state, c := t.TempDir(), testConfig(1)
	strict := c
	strict.Strict = true
	first := resume(t, strict, state, paths[0])
	first.refuses(t, Damaged, "cut short")
	if n := len(runTimes(t, state)); n != 0 {
		t.Errorf("%d run files", n)
	}
	if r := resume(t, c, state, paths[0]); r.err != nil || len(r.report.Damage) != 1 {
		t.Fatal(r.err, r.report)
	}
	again := resume(t, strict, state, paths[0])
	again.refuses(t, Damaged, first.err.Error())
	if !slices.Equal(again.notices, first.notices) {
		t.Errorf("notices %q, at first %q", again.notices, first.notices)
	}
}

func TestStateChangedCapture(t *testing.T) {
	t.Parallel()
	dir, paths := series(t, 2000, 2)
	state, c := t.TempDir(), testConfig(1)
	resume(t, c, state, dir).clean(t)
	write(t, paths[0], capturetest.Pcap(capturetest.ManySessions(7, 2000)[0])) // its first record alone
	r := resume(t, c, state, dir)
	if want := []string{paths[0] + ": changed since it was read, reading it again"}; r.err != nil || !slices.Equal(r.notes, want) || len(r.notices) > 0 {
		t.Errorf("%v, notes %q, notices %q", r.err, r.notes, r.notices)
	}
	sameRows(t, "after the change", r.rows, extract(t, c, dir).clean(t))
	sameRows(t, "the next run", resume(t, c, state, dir).clean(t), r.rows)
}

func TestStateDamagedRun(t *testing.T) {
	t.Parallel()
	dir, paths := series(t, 2000, 2)
	state, c := t.TempDir(), testConfig(1)
	want := resume(t, c, state, dir).clean(t)
	path := filepath.Join(state, runfile.RunName(paths[1]))
	data := load(t, path)
	data[len(data)/3] ^= 4
	write(t, path, data)
	r := resume(t, c, state, dir)
	said := paths[1] + ": what was kept of it cannot be used, reading it again: " + path + ": damaged run file: at offset "
	if r.err != nil || len(r.notes) != 1 || !strings.HasPrefix(r.notes[0], said) {
		t.Errorf("%v, notes %q", r.err, r.notes)
	}
	sameRows(t, "read again", r.rows, want)
	sameRows(t, "the next run", resume(t, c, state, dir).clean(t), want)
}

func TestStateRefusals(t *testing.T) {
	t.Parallel()
	dir, paths := series(t, 100, 1)
	state, c := t.TempDir(), testConfig(1)
	resume(t, c, state, dir).clean(t)
	other := c
	other.Sessions.Unidirectional = true
	resume(t, other, state, dir).refuses(t, Kept, `was made with other options: --direction is "bidirectional" and "unidirectional"`)
	other = c
	other.Sessions.IdleTimeout = 60e9
	resume(t, other, state, dir).refuses(t, Kept, `--idle-timeout is "0s" and "1m0s"`)
	other = c
	other.Interleave = true
	resume(t, other, state, dir).refuses(t, Usage, "use one or the other")
	other = c
	other.Stdin = strings.NewReader(string(load(t, paths[0])))
	resume(t, other, state, "-").refuses(t, Usage, "-: this is no file that can be read again")
	lock, err := durable.LockDir(state)
	if err != nil {
		t.Fatal(err)
	}
	resume(t, c, state, dir).refuses(t, Input, "another run uses this directory")
	lock.Close()
	c.Columns.Features, c.Columns.SampleStd = nil, true // these shape no number that is kept
	resume(t, c, state, dir).clean(t)
}

// Captures that outgrow the memory are kept as others are.
func TestStateSpilling(t *testing.T) {
	t.Parallel()
	dir, _ := series(t, 12_000, 2)
	want := extract(t, testConfig(1), dir)
	for _, workers := range []int{1, 3} {
		fs, state := durabletest.None(), t.TempDir()
		c := scarce(testConfig(workers))
		c.FS = fs
		first := resume(t, c, state, dir)
		sameRows(t, fmt.Sprint(workers, " workers"), first.clean(t), want.rows)
		sameCounts(t, first, want)
		if fs.Temps() < 2 || fs.Calls() < 2*runfile.MaxInputs {
			t.Errorf("%d workers: %d temporary files, %d calls", workers, fs.Temps(), fs.Calls())
		}
		if runs, err := RunFiles(durable.OS, []string{state}); err != nil || len(runs) != 2 {
			t.Fatal(len(runs), err)
		}
		sameRows(t, "the next run", resume(t, c, state, dir).clean(t), want.rows)
	}
}

// What is told of a capture that was read before is told under its name of now.
func TestReusedUnderAnotherName(t *testing.T) {
	t.Parallel()
	dir, paths := series(t, 400, 1)
	data := load(t, paths[0])
	write(t, paths[0], data[:len(data)-3])
	state := filepath.Join(t.TempDir(), "state")
	for _, path := range []string{paths[0], dir + "/./" + filepath.Base(paths[0])} {
		r := resume(t, testConfig(1), state, path)
		if r.err != nil || len(r.report.Damage) != 1 || r.report.Damage[0].Path != path || r.report.Captures[0].Path != path {
			t.Errorf("%s: %v, %+v, %+v", path, r.err, r.report.Damage, r.report.Captures)
		}
	}
}

// What is in a state directory beside its run files is left alone.
func TestStateDirectoryHolds(t *testing.T) {
	t.Parallel()
	dir, paths := series(t, 100, 1)
	state := t.TempDir()
	write(t, filepath.Join(state, "notes"), nil)
	resume(t, testConfig(1), state, dir).clean(t)
	want := []string{"notes", optionsName, runfile.RunName(paths[0])}
	got := slices.DeleteFunc(entriesOf(t, state), func(name string) bool { return name == "lock" })
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if err := os.Remove(filepath.Join(state, optionsName)); err != nil {
		t.Fatal(err)
	}
	resume(t, testConfig(1), state, dir).clean(t) // it is written anew
}
