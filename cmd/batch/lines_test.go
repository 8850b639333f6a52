package main

import (
	"bytes"
	"encoding/json"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"pcapbatch/internal/durable"
	"pcapbatch/internal/job"
)

// closedPipe is a pipe whose reader is gone, once it has read some calls of Write.
type closedPipe struct{ left int }

func (c *closedPipe) Write(p []byte) (int, error) {
	if c.left--; c.left < 0 {
		return 0, syscall.EPIPE
	}
	return len(p), nil
}

// runTo runs a command whose standard output is out.
func runTo(out io.Writer, args ...string) result {
	var stderr bytes.Buffer
	code := runIn(&env{name: defaultName, in: strings.NewReader(""), out: out, err: &stderr, fs: durable.NoSync(durable.OS)}, args)
	return result{stderr: stderr.String(), code: code}
}

// Whoever reads outcomes and ends has not seen that all is well: map must not end
// with 0 before all run files are there. A summary that nobody reads to its end does
// not hide what the exit status says.
func TestClosedPipe(t *testing.T) {
	t.Parallel()
	dir, paths := series(t, 600, 5)
	whole := read(t, paths[0])
	cut := write(t, "cut.pcap", whole[:len(whole)-1])
	none := filepath.Join(t.TempDir(), "none.pcap")
	runs := mapped(t, "-P2", dir)
	for _, c := range []struct {
		args   string
		left   int
		code   int
		stderr string
	}{
		{"map --out OUT/r --outcomes - DIR", 2, exitOutput, "standard output: its reader has closed it"},
		{"map --out OUT/r --outcomes - DIR", 5, exitOK, ""},
		{"map --out OUT/r --summary - DIR", 0, exitOK, ""},
		{"map --out OUT/r --summary - CUT", 0, exitDamaged, "cut short"},
		{"map --out OUT/r --summary - NONE CUT", 0, exitInput, "1 capture without a run file"},
		{"extract -o OUT/o.csv --summary - CUT", 0, exitDamaged, "cut short"},
		{"extract -o OUT/o.csv --report - --summary OUT/s.json CUT NONE", 0, exitInput, "no such file"},
		{"merge -o OUT/o.csv --summary - RUNS", 0, exitOK, ""},
		{"extract DIR", 0, exitOK, ""},
		{"merge RUNS", 0, exitOK, ""},
	} {
		out := t.TempDir()
		var args []string
		for arg := range strings.FieldsSeq(c.args) {
			args = append(args, strings.NewReplacer("OUT", out, "DIR", dir, "CUT", cut, "NONE", none, "RUNS", runs).Replace(arg))
		}
		r := runTo(&closedPipe{c.left}, args...)
		if r.code != c.code || !strings.Contains(r.stderr, c.stderr) || c.stderr == "" && r.stderr != "" {
			t.Errorf("%s: exit status %d, not %d, %q", c.args, r.code, c.code, r.stderr)
		}
		if strings.Contains(c.args, "/s.json") {
			readSummary(t, filepath.Join(out, "s.json"))
		}
		if r.code == exitOutput {
			if r := runTo(io.Discard, args...); r.code != exitOK {
				t.Errorf("%s, another try: exit status %d, %q", c.args, r.code, r.stderr)
			}
		}
	}
}

// Copies of a task that write outcomes to one file leave whole lines there, of all
// captures.
func TestOutcomesOfCopies(t *testing.T) {
	t.Parallel()
	dir, paths := series(t, 3000, 20)
	out := t.TempDir()
	outcomes := filepath.Join(out, "outcomes")
	var copies sync.WaitGroup
	for range 3 {
		copies.Go(func() {
			if r := runTo(io.Discard, "map", "-q", "-P2", "--out", filepath.Join(out, "runs"), "--outcomes", outcomes, dir); r.code != exitOK || r.stderr != "" {
				t.Errorf("exit status %d, %s", r.code, r.stderr)
			}
		})
	}
	copies.Wait()
	names := map[string]bool{}
	for line := range strings.Lines(string(read(t, outcomes))) {
		var o job.Outcome
		if err := json.Unmarshal([]byte(line), &o); err != nil || o.RunFile == "" {
			t.Fatalf("%q: %v", line, err)
		}
		names[o.Name] = true
	}
	if len(names) != len(paths) {
		t.Errorf("outcomes of %d captures, not %d", len(names), len(paths))
	}
	noTemporaries(t, filepath.Join(out, "runs"))
	if got, want := mustRun(t, "merge", "--expect", outcomes, filepath.Join(out, "runs")), extracted(t, dir); got != want {
		t.Errorf("other rows from line %d", differentLine(got, want))
	}
}
