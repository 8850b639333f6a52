package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pcapbatch/internal/durable"
	"pcapbatch/internal/job"
	"pcapbatch/internal/report"
	"pcapbatch/internal/runfile"
)

func mustWrite(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// series cuts n packets of small sessions into k captures that follow each
// other, and returns their directory.
func series(t *testing.T, n, k int) (dir string, paths []string) {
	t.Helper()
	dir = t.TempDir()
	records := manySessions(7, n)
	for i := range k {
		path := filepath.Join(dir, fmt.Sprintf("%02d.pcap", i))
		mustWrite(t, path, string(pcap(records[i*n/k:(i+1)*n/k]...)))
		paths = append(paths, path)
	}
	return dir, paths
}

// extracted is the plain run that all others are held against.
func extracted(t *testing.T, args ...string) string {
	t.Helper()
	return mustRun(t, append([]string{"extract"}, args...)...)
}

func runFiles(t *testing.T, dir string) map[string]time.Time {
	t.Helper()
	m := map[string]time.Time{}
	names, err := filepath.Glob(filepath.Join(dir, "*.run"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		m[name] = info.ModTime()
	}
	return m
}

// Whatever was kept of it before, the rows are those of one run; what was kept
// is not read again.
func TestStateSameBytes(t *testing.T) {
	dir, paths := series(t, 4000, 5)
	state := filepath.Join(t.TempDir(), "state")
	if got, want := mustRun(t, "extract", "--state", state, paths[3], paths[1]), extracted(t, paths[1], paths[3]); got != want {
		t.Errorf("two captures: other rows from line %d", differentLine(got, want))
	}
	before := runFiles(t, state)
	if len(before) != 2 {
		t.Fatalf("%d run files", len(before))
	}
	want := extracted(t, dir)
	for _, workers := range []string{"-j1", "-j3"} {
		if got := mustRun(t, "extract", "--state", state, workers, dir); got != want {
			t.Errorf("%s, all captures: other rows from line %d", workers, differentLine(got, want))
		}
		for name, made := range before {
			if !runFiles(t, state)[name].Equal(made) {
				t.Errorf("%s was made again", name)
			}
		}
		before = runFiles(t, state)
		if len(before) != 5 {
			t.Fatalf("%d run files", len(before))
		}
	}
}

// A run that is made of what was kept reports what the first one did.
func TestStateReport(t *testing.T) {
	dir, _ := series(t, 2000, 3)
	cut := read(t, filepath.Join(dir, "01.pcap"))
	mustWrite(t, filepath.Join(dir, "01.pcap"), string(cut[:len(cut)-5]))
	state := t.TempDir()
	summary := filepath.Join(t.TempDir(), "s.json")
	plain := runWith(nil, "extract", "--summary", summary, dir)
	want := readSummary(t, summary)
	for range 2 {
		got := runWith(nil, "extract", "--summary", summary, "--state", state, dir)
		if got.code != exitDamaged || got != plain {
			t.Errorf("code %d, %q; without --state %d, %q", got.code, got.stderr, plain.code, plain.stderr)
		}
		r := readSummary(t, summary)
		r.Flags, r.Seconds, want.Flags, want.Seconds = nil, 0, nil, 0
		g, errGot := json.Marshal(publicPart(r))
		w, errWant := json.Marshal(publicPart(want))
		if string(g) != string(w) || errGot != nil || errWant != nil {
			t.Errorf("report\n%s\nwithout --state\n%s (%v, %v)", g, w, errGot, errWant)
		}
	}
}

// With --strict, damage that is known from before ends the run as it does when
// it is met.
func TestStateStrict(t *testing.T) {
	_, paths := series(t, 400, 1)
	data := read(t, paths[0])
	mustWrite(t, paths[0], string(data[:len(data)-5]))
	state := t.TempDir()
	first := runWith(nil, "extract", "--state", state, "--strict", paths[0])
	if first.code != exitDamaged || first.stdout != "" || len(runFiles(t, state)) != 0 {
		t.Errorf("code %d, %d run files", first.code, len(runFiles(t, state)))
	}
	runWith(nil, "extract", "--state", state, paths[0])
	if again := runWith(nil, "extract", "--state", state, "--strict", paths[0]); again != first {
		t.Errorf("code %d, %q; at first %d, %q", again.code, again.stderr, first.code, first.stderr)
	}
}

// publicPart is what two reports can be compared by.
func publicPart(r *report.Run) *struct {
	Records, Packets, Sessions, Reordered uint64
	Bytes                                 int64
	Captures                              []report.Capture
	Damage                                []report.Damage
} {
	return &struct {
		Records, Packets, Sessions, Reordered uint64
		Bytes                                 int64
		Captures                              []report.Capture
		Damage                                []report.Damage
	}{r.Records, r.Packets, r.Sessions, r.Reordered, r.Bytes, r.Captures, r.Damage}
}

func TestStateChangedCapture(t *testing.T) {
	dir, paths := series(t, 2000, 2)
	state := t.TempDir()
	mustRun(t, "extract", "--state", state, dir)
	data := read(t, paths[0])
	mustWrite(t, paths[0], string(data[:24+16+len(manySessions(7, 2000)[0].data)])) // its first record alone
	r := runWith(nil, "extract", "--state", state, dir)
	if want := "batch: " + paths[0] + ": changed since it was read, reading it again\n"; r.code != exitOK || r.stderr != want {
		t.Errorf("code %d, %q", r.code, r.stderr)
	}
	if want := extracted(t, dir); r.stdout != want {
		t.Errorf("other rows from line %d", differentLine(r.stdout, want))
	}
	if got := mustRun(t, "extract", "--state", state, dir); got != r.stdout {
		t.Error("the next run differs")
	}
}

func TestStateDamagedRun(t *testing.T) {
	dir, paths := series(t, 2000, 2)
	state := t.TempDir()
	want := mustRun(t, "extract", "--state", state, dir)
	path := filepath.Join(state, runfile.RunName(paths[1]))
	data := read(t, path)
	data[len(data)/3] ^= 4
	mustWrite(t, path, string(data))
	r := runWith(nil, "extract", "--state", state, dir)
	if r.code != exitOK || r.stdout != want || !strings.Contains(r.stderr, "what was kept of it cannot be used, reading it again: "+path+": damaged run file: at offset ") {
		t.Errorf("code %d, %q", r.code, r.stderr)
	}
	if got := mustRun(t, "extract", "--state", state, dir); got != want {
		t.Error("the next run differs")
	}
}

func TestStateRefusals(t *testing.T) {
	dir, paths := series(t, 100, 1)
	state := t.TempDir()
	mustRun(t, "extract", "--state", state, dir)
	refuse := func(code int, want string, args ...string) {
		t.Helper()
		r := runWith(nil, append([]string{"extract", "--state", state}, args...)...)
		if r.code != code || !strings.Contains(r.stderr, want) || r.stdout != "" {
			t.Errorf("%q: code %d, %q", args, r.code, r.stderr)
		}
	}
	refuse(exitKept, `was made with other options: --direction is "bidirectional" and "unidirectional"`, "--direction=unidirectional", dir)
	refuse(exitKept, `--idle-timeout is "0s" and "1m0s"`, "--idle-timeout=60s", dir)
	refuse(exitUsage, "use one or the other", "--interleave", dir)
	if r := runWith(read(t, paths[0]), "extract", "--state", state, "-"); r.code != exitUsage || !strings.Contains(r.stderr, "-: this is no file that can be read again") {
		t.Errorf("standard input: code %d, %q", r.code, r.stderr)
	}
	lock, err := durable.LockDir(state)
	if err != nil {
		t.Fatal(err)
	}
	refuse(exitInput, "another run uses this directory", dir)
	lock.Close()
	mustRun(t, "extract", "--state", state, "--features=totals,mean,time", "--sample-std", dir) // these shape no number that is kept
}

// Captures that outgrow the memory are kept as others are.
func TestStateWithMemoryLimit(t *testing.T) {
	dir, _ := series(t, 300_000, 2)
	want := extracted(t, "--features=all", dir)
	for _, limited := range spillArgs() {
		fs := &spilling{FS: durable.OS}
		state := t.TempDir()
		got := runSpilling(t, fs, 1, append(limited, "--state", state, dir)...)
		if got.code != exitOK || got.stdout != want || fs.files.Load() < 2 {
			t.Errorf("%v: code %d, %d temporary files, other rows from line %d: %s", limited, got.code, fs.files.Load(), differentLine(got.stdout, want), got.stderr)
		}
		runs, err := job.RunFiles([]string{state})
		if err != nil || len(runs) != 2 {
			t.Fatal(len(runs), err)
		}
		if again := runSpilling(t, fs, 1, append(limited, "--state", state, dir)...); again.stdout != want {
			t.Errorf("%v: the next run differs", limited)
		}
	}
}

// mapped makes run files of captures and returns their directory.
func mapped(t *testing.T, args ...string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "runs")
	if text := mustRun(t, append([]string{"map", "--features=all", "--out", out}, args...)...); text != "" {
		t.Errorf("map wrote %q", text)
	}
	return out
}

func TestMergeSameBytes(t *testing.T) {
	dir, paths := series(t, 4000, 5)
	one, two := mapped(t, paths[4], paths[0]), mapped(t, "--partitions=16", "-j2", paths[1], paths[2], paths[3])
	other := mapped(t, "-P3", paths[1], paths[2], paths[3])
	for _, args := range [][]string{{}, {"--features=all", "--sample-std"}, {"-j1"}} {
		want := extracted(t, append(args, dir)...)
		for _, second := range []string{two, other} {
			if got := mustRun(t, append([]string{"merge", one, second}, args...)...); got != want {
				t.Errorf("%v: other rows from line %d", args, differentLine(got, want))
			}
		}
	}
}

func TestReduceSameBytes(t *testing.T) {
	dir, _ := series(t, 4000, 5)
	runs := mapped(t, "-P4", "--idle-timeout=10s", dir)
	parts := filepath.Join(t.TempDir(), "parts")
	for p := range 4 {
		for range 2 { // twice does no harm
			mustRun(t, "reduce", "--features=all", "--partition", fmt.Sprint(p), "--out", parts, runs)
		}
	}
	summary := filepath.Join(t.TempDir(), "s.json")
	want := extracted(t, "--features=all", "--idle-timeout=10s", "--summary", summary, dir)
	whole := readSummary(t, summary)
	if got := mustRun(t, "merge", "--parts", "--summary", summary, parts); got != want {
		t.Errorf("other rows from line %d", differentLine(got, want))
	}
	if r := readSummary(t, summary); r.Records != whole.Records || r.Sessions != whole.Sessions || r.Reordered != whole.Reordered {
		t.Errorf("%d records, %d sessions, %d reordered, in one run %d, %d, %d", r.Records, r.Sessions, r.Reordered, whole.Records, whole.Sessions, whole.Reordered)
	}
	for flag, said := range map[string]string{
		"--features=all": "--features cannot be used with --parts", "--sample-std": "--sample-std cannot", "--undefined=empty": "--undefined cannot",
		"--allow-duplicates": "--allow-duplicates cannot", "-j0": "--workers 0", "--memory=x": "--memory",
	} {
		if r := runWith(nil, "merge", "--parts", flag, parts); r.code != exitUsage || r.stdout != "" || !strings.Contains(r.stderr, said) {
			t.Errorf("merge --parts %s: code %d, %q", flag, r.code, r.stderr)
		}
	}
	os.Remove(filepath.Join(parts, "0002-of-0004.part"))
	if r := runWith(nil, "merge", "--parts", parts); r.code != exitKept || !strings.Contains(r.stderr, "part 2 of 4 is missing") {
		t.Errorf("code %d, %q", r.code, r.stderr)
	}
}

func TestMergeRefusals(t *testing.T) {
	_, paths := series(t, 400, 3)
	a, b := mapped(t, paths[0], paths[1]), mapped(t, paths[1], paths[2])
	refuse := func(code int, want string, args ...string) {
		t.Helper()
		out := filepath.Join(t.TempDir(), "o.csv")
		r := runWith(nil, append([]string{"merge", "-o", out}, args...)...)
		if strings.Contains(r.stderr, "batch help") != (code == exitUsage) {
			t.Errorf("%q: %q", args, r.stderr)
		}
		if r.code != code || !strings.Contains(r.stderr, want) {
			t.Errorf("%q: code %d, %q", args, r.code, r.stderr)
		}
		expectEntries(t, filepath.Dir(out))
	}
	refuse(exitKept, "hold the same capture", a, b)
	refuse(exitKept, "were made with other options: --key", a, mapped(t, "--key=vlan", paths[2]))
	refuse(exitKept, "not a run file", paths[0])
	refuse(exitUsage, "no run files named")
	refuse(exitInput, "no files *.run", t.TempDir())
	refuse(exitKept, "is a run file, not a part", "--parts", filepath.Join(a, runfile.RunName(paths[0])))
	if r := runWith(nil, "merge", "--allow-duplicates", a, b); r.code != exitOK || strings.Count(r.stdout, "\n") < 100 {
		t.Errorf("--allow-duplicates: code %d, %q", r.code, r.stderr)
	}
	path := filepath.Join(a, runfile.RunName(paths[0]))
	data := read(t, path)
	if r := runWith(nil, "merge", "-o", path, a); r.code != exitUsage || !bytes.Equal(read(t, path), data) {
		t.Errorf("a run file as output: code %d, %q", r.code, r.stderr)
	}
	mustWrite(t, path, string(data[:len(data)-30]))
	refuse(exitKept, path+": damaged run file", a)
	flipped := bytes.Clone(data)
	flipped[100] ^= 1
	mustWrite(t, path, string(flipped))
	refuse(exitKept, path+": damaged run file", a)
}

func TestMapReports(t *testing.T) {
	dir, paths := series(t, 400, 2)
	data := read(t, paths[1])
	mustWrite(t, paths[1], string(data[:len(data)-3]))
	out := filepath.Join(t.TempDir(), "runs")
	r := runWith(nil, "map", "--out", out, dir)
	if r.code != exitDamaged || !strings.Contains(r.stderr, "cut short") {
		t.Errorf("map: code %d, %q", r.code, r.stderr)
	}
	merged, plain := runWith(nil, "merge", out), runWith(nil, "extract", dir)
	if merged != plain {
		t.Errorf("merge: code %d, %q; extract: %d, %q", merged.code, merged.stderr, plain.code, plain.stderr)
	}
	if r := runWith(nil, "map", dir); r.code != exitUsage {
		t.Errorf("without --out: %d", r.code)
	}

	// What is no capture has a run file that says so.
	for name, text := range map[string]string{"notes": "not a capture", "empty": "", "head.pcap": string(data[:20])} {
		mustWrite(t, filepath.Join(dir, name), text)
	}
	r = runWith(nil, "map", "--out", out, dir)
	if r.code != exitDamaged || strings.Count(r.stderr, "\n") != 4 {
		t.Errorf("map of what is no capture: code %d, %q", r.code, r.stderr)
	}
	merged, plain = runWith(nil, "merge", out), runWith(nil, "extract", dir)
	if merged.code != exitDamaged || merged.stdout != plain.stdout || sortedLines(merged.stderr) != sortedLines(plain.stderr) {
		t.Errorf("merge: code %d, %q; extract: %d, %q", merged.code, merged.stderr, plain.code, plain.stderr)
	}

	// A capture without a run file cannot be taken for one that is damaged.
	for _, strict := range []bool{false, true} {
		r = runWith(nil, "map", "--strict="+fmt.Sprint(strict), "--out", out, paths[0], filepath.Join(dir, "none"))
		if r.code != exitInput || !strings.Contains(r.stderr, "none") || !strict && !strings.Contains(r.stderr, "1 capture without a run file") {
			t.Errorf("map of what is missing, strict %t: code %d, %q", strict, r.code, r.stderr)
		}
	}
	if r := runWith(nil, "reduce", "--out", t.TempDir(), "--partition=16", out); r.code != exitUsage || !strings.Contains(r.stderr, "partitions 0 to 15") {
		t.Errorf("partition beyond: %d, %q", r.code, r.stderr)
	}
}

func sortedLines(s string) string {
	lines := strings.Split(s, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// What is told of a capture that was read before is told under its name of now.
func TestReusedUnderAnotherName(t *testing.T) {
	dir, paths := series(t, 400, 1)
	data := read(t, paths[0])
	mustWrite(t, paths[0], string(data[:len(data)-3]))
	state, summary := filepath.Join(t.TempDir(), "state"), filepath.Join(t.TempDir(), "s.json")
	for _, path := range []string{paths[0], dir + "/./" + filepath.Base(paths[0])} {
		r := runWith(nil, "extract", "--state", state, "--summary", summary, path)
		if s := readSummary(t, summary); r.code != exitDamaged || len(s.Damage) != 1 || s.Damage[0].Path != path || s.Captures[0].Path != path {
			t.Errorf("%s: code %d, %+v, %+v", path, r.code, s.Damage, s.Captures)
		}
	}
}
