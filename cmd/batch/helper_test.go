package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"pcapbatch/internal/capturetest"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/report"

	"github.com/rogpeppe/go-internal/testscript"
)

// testdata holds the captures that the generator made, by story.
const testdata = "../../testdata"

// TestMain lets the test binary be the command: in scripts, and for the tests
// that need a process of its own (exec.Command("batch")).
func TestMain(m *testing.M) {
	testscript.Main(packageTests{m}, map[string]func(){"batch": main, "pcapbatch": main, "batch-peak": mainPeak, "batch-bar": mainBar, "batch-crash": mainCrash})
}

// mainCrash is a program of ours that crashes.
func mainCrash() {
	crashBySignal()
	panic("crash")
}

// packageTests are run by capturetest.
type packageTests struct{ m *testing.M }

// raceVariable is the environment variable with the options of the race
// detector.
const raceVariable = "GORACE"

// Run runs the tests. With the race detector, every process waits a second
// before it ends, to find races of goroutines that still run. A hundredth of
// that is enough here, because a run waits for its goroutines; and the tests
// start hundreds of processes.
//
// Parallel tests are those that wait for processes, terminals and signals, and
// need little of a core: four or more of them run side by side, unless
// -parallel gives another number. With -fuzz the number is left alone, because
// there it is that of processes that fuzz, each of which takes a core.
func (p packageTests) Run() int {
	fuzzes := slices.ContainsFunc(os.Args, func(arg string) bool { return strings.HasPrefix(arg, "-test.fuzz=") })
	if !fuzzes {
		flag.Set("test.parallel", fmt.Sprint(max(4, runtime.GOMAXPROCS(0))))
	}
	if os.Getenv(raceVariable) == "" {
		os.Setenv(raceVariable, "atexit_sleep_ms=10")
	}
	return capturetest.Run(p.m)
}

// result is what a run left.
type result struct {
	stdout, stderr string
	code           int
}

// runWith is a run that reads stdin, in this process, and waits for no disk.
func runWith(stdin []byte, args ...string) result {
	return runIO(durable.NoSync(durable.OS), stdin, args)
}

// runOn is a run on a file system.
func runOn(fs durable.FS, args ...string) result { return runIO(fs, nil, args) }

// runStreams is a run with these streams, in this process.
func runStreams(stdin io.Reader, stdout, stderr io.Writer, args ...string) int {
	return runIn(&env{name: defaultName, in: stdin, out: stdout, err: stderr, fs: durable.OS}, args)
}

func runIO(fs durable.FS, stdin []byte, args []string) result {
	var out, err bytes.Buffer
	code := runIn(&env{name: defaultName, in: bytes.NewReader(stdin), out: &out, err: &err, fs: fs}, args)
	return result{out.String(), err.String(), code}
}

// mustRun is a run that ends well and says nothing on standard error.
func mustRun(t testing.TB, args ...string) string {
	t.Helper()
	r := runWith(nil, args...)
	if r.code != exitOK || r.stderr != "" {
		t.Fatalf("batch %q: exit code %d, stderr %q", args, r.code, r.stderr)
	}
	return r.stdout
}

// A row is one session by column name.
type row map[string]string

// expect compares the columns named in want.
func (r row) expect(t testing.TB, want row) {
	t.Helper()
	for name, w := range want {
		if got, ok := r[name]; !ok || got != w {
			t.Errorf("%s = %q, want %q", name, got, w)
		}
	}
}

// write puts a file into a directory of the test's own.
func write(t testing.TB, name string, data []byte) string {
	t.Helper()
	return capturetest.Write(t, filepath.Join(t.TempDir(), name), data)
}

// readSummary reads what --summary wrote.
func readSummary(t testing.TB, path string) *report.Run {
	t.Helper()
	var r report.Run
	if err := json.Unmarshal(read(t, path), &r); err != nil {
		t.Fatal(err)
	}
	return &r
}

// files lists the captures of testdata: every file but the README.
func files(t testing.TB) []string {
	t.Helper()
	entries, err := os.ReadDir(testdata)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if e.Type().IsRegular() && e.Name() != "README.md" {
			names = append(names, e.Name())
		}
	}
	if len(names) < 50 {
		t.Fatalf("only %d captures in %s", len(names), testdata)
	}
	return names
}

// extracted is the plain run that all others are held against.
func extracted(t *testing.T, args ...string) string {
	t.Helper()
	return mustRun(t, append([]string{"extract"}, args...)...)
}

// mapped makes run files of captures and returns their directory.
func mapped(t *testing.T, args ...string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "runs")
	if text := mustRun(t, append([]string{"map", "--out", out}, args...)...); text != "" {
		t.Errorf("map wrote %q", text)
	}
	return out
}

// differentLine is the number of the first line that differs.
func differentLine(a, b string) int {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range x {
		if i >= len(y) || x[i] != y[i] {
			return i + 1
		}
	}
	return len(x)
}
