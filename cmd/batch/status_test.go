package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"pcapbatch/internal/capturetest"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/durabletest"
	"pcapbatch/internal/runfile"
)

// world is what the runs of TestExitStatus find.
type world struct {
	dir                             string
	good, cut, none                 string // captures
	runs, cutRuns, otherRuns        string // run files: of good, of cut, and with other options
	brokenRuns, brokenParts         string // the runs and parts of good, one of each damaged
	parts, cutParts, missing, state string // missing: one part is not there; state: of good
}

func newWorld(t *testing.T) *world {
	dir, paths := series(t, 2400, 2) // more rows than a pipe holds
	w := &world{dir: dir, good: paths[0], cut: paths[1], none: filepath.Join(dir, "none")}
	data := read(t, w.cut)
	mustWrite(t, w.cut, string(data[:len(data)-3]))
	quietly := func(code int, args ...string) {
		t.Helper()
		if r := runWith(nil, args...); r.code != code {
			t.Fatalf("%q: code %d, %s", args, r.code, r.stderr)
		}
	}
	reduced := func(runs string) string {
		parts := t.TempDir()
		for p := range 2 {
			quietly(exitOK, "reduce", "--partition", fmt.Sprint(p), "--out", parts, runs)
		}
		return parts
	}
	w.runs, w.otherRuns, w.cutRuns = mapped(t, "-P2", "--features=all", w.good), mapped(t, "-P2", "--key=vlan", w.good), t.TempDir()
	quietly(exitDamaged, "map", "-P2", "--out", w.cutRuns, w.cut)
	w.parts, w.cutParts = reduced(w.runs), reduced(w.cutRuns)
	w.state, w.brokenRuns, w.brokenParts, w.missing = t.TempDir(), t.TempDir(), t.TempDir(), t.TempDir()
	quietly(exitOK, "extract", "--state", w.state, w.good)
	for to, from := range map[string]string{w.brokenRuns: w.runs, w.brokenParts: w.parts, w.missing: w.parts} {
		if err := os.CopyFS(to, os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
	}
	const first = "0000-of-0002" + runfile.PartSuffix
	os.Remove(filepath.Join(w.missing, first))
	for _, path := range []string{filepath.Join(w.brokenRuns, runfile.RunName(w.good)), filepath.Join(w.brokenParts, first)} {
		data := read(t, path)
		data[100] ^= 1
		mustWrite(t, path, string(data))
	}
	return w
}

// TestExitStatus is the table of exit statuses: each status of each command that
// can have it, and where several apply the first of 3, 5, 4, 1.
func TestExitStatus(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, c := range []struct {
		code int
		full bool // the disk is, or standard output
		args string
	}{
		{code: 0, args: "extract GOOD"},
		{code: 0, args: "extract --state STATE GOOD"},
		{code: 0, args: "map --out OUT/r GOOD"},
		{code: 0, args: "reduce --partition 1 --out OUT/p RUNS"},
		{code: 0, args: "reduce --partition 1 --out OUT/p CUTRUNS"}, // merge reports the damage
		{code: 0, args: "merge RUNS"},
		{code: 0, args: "merge --parts PARTS"},
		{code: 0, args: "inspect GOOD"},

		{code: 1, args: "extract GOOD CUT"},
		{code: 1, args: "extract --strict GOOD CUT"},
		{code: 1, args: "extract --state OUT/s CUT"},
		{code: 1, args: "map --out OUT/r CUT"},
		{code: 1, args: "merge RUNS CUTRUNS"},
		{code: 1, args: "merge --parts CUTPARTS"},
		{code: 1, args: "inspect GOOD CUT"},

		{code: 2, args: "extract"},
		{code: 2, args: "extract --state OUT/s --interleave GOOD"},
		{code: 2, args: "map GOOD"},
		{code: 2, args: "map --out OUT/r -P 0 GOOD"},
		{code: 2, args: "reduce --partition 1 RUNS"},
		{code: 2, args: "reduce --partition 2 --out OUT/p RUNS"},
		{code: 2, args: "merge"},
		{code: 2, args: "merge --parts"},
		{code: 2, args: "merge --parts --features=all PARTS"},
		{code: 2, args: "inspect"},
		{code: 2, args: "inspect --nonsense GOOD"},

		{code: 3, full: true, args: "extract GOOD"},
		{code: 3, full: true, args: "extract -o OUT/o.csv GOOD"},
		{code: 3, full: true, args: "extract --state OUT/s -o OUT/o.csv GOOD"},
		{code: 3, full: true, args: "map --out OUT/r GOOD"},
		{code: 3, full: true, args: "reduce --partition 1 --out OUT/p RUNS"},
		{code: 3, full: true, args: "merge RUNS"},
		{code: 3, full: true, args: "merge -o OUT/o.csv RUNS"},
		{code: 3, full: true, args: "merge --parts PARTS"},
		{code: 3, full: true, args: "merge --parts -o OUT/o.csv PARTS"},
		{code: 3, full: true, args: "inspect GOOD"},

		{code: 4, args: "extract GOOD NONE"},
		{code: 4, args: "extract NONE"},
		{code: 4, args: "extract --strict GOOD NONE"},
		{code: 4, args: "extract --files-from NONE"},
		{code: 4, args: "extract --state OUT/s GOOD NONE"},
		{code: 4, args: "map --out OUT/r GOOD NONE"},
		{code: 4, args: "reduce --partition 1 --out OUT/p RUNS NONE"},
		{code: 4, args: "merge NONE"},
		{code: 4, args: "merge OUT"}, // no run files in it
		{code: 4, args: "merge --parts NONE"},
		{code: 4, args: "inspect GOOD NONE"},
		{code: 4, args: "inspect --files-from NONE"},

		{code: 5, args: "extract --state STATE --key vlan GOOD"},
		{code: 5, args: "reduce --partition 0 --out OUT/p BROKENRUNS"},
		{code: 5, args: "reduce --partition 0 --out OUT/p RUNS OTHERRUNS"},
		{code: 5, args: "reduce --partition 0 --out OUT/p GOOD"},
		{code: 5, args: "merge BROKENRUNS"},
		{code: 5, args: "merge RUNS OTHERRUNS"},
		{code: 5, args: "merge PARTS/0000-of-0002.part"},
		{code: 5, args: "merge GOOD"},
		{code: 5, args: "merge --parts BROKENPARTS"},
		{code: 5, args: "merge --parts MISSING"},

		// Several at once.
		{code: 4, args: "extract CUT NONE"},
		{code: 4, args: "extract --state OUT/s CUT NONE"},
		{code: 4, args: "map --out OUT/r CUT NONE"},
		{code: 4, args: "inspect NONE CUT"},
		{code: 3, full: true, args: "extract CUT NONE"},
		{code: 3, full: true, args: "extract -o OUT/o.csv CUT NONE"},
		{code: 3, full: true, args: "map --out OUT/r CUT NONE"},
		{code: 3, full: true, args: "inspect NONE CUT"},
		{code: 3, full: true, args: "merge -o OUT/o.csv BROKENRUNS"},
		{code: 3, full: true, args: "extract -o OUT/o.csv --state STATE --key vlan GOOD"},
		{code: 5, args: "extract --state STATE --key vlan GOOD CUT NONE"},
		{code: 5, args: "merge CUTRUNS BROKENRUNS"},
		{code: 5, args: "merge --parts BROKENPARTS CUTPARTS"},
	} {
		out := t.TempDir()
		var args []string
		for arg := range strings.FieldsSeq(c.args) {
			args = append(args, w.expand(arg, out))
		}
		var stdout, stderr bytes.Buffer
		e := &env{name: defaultName, in: bytes.NewReader(nil), out: &stdout, err: &stderr, fs: durable.OS}
		if c.full {
			e.out, e.fs = fullDisk{}, &durabletest.Faults{FS: durable.OS, Err: syscall.ENOSPC, Stays: true}
		}
		code := runIn(e, args)
		if code != c.code {
			t.Errorf("%s: exit status %d, want %d: %s", c.args, code, c.code, &stderr)
		}
		if hint := strings.Contains(stderr.String(), "batch help"); hint != (c.code == exitUsage) {
			t.Errorf("%s: %s", c.args, &stderr)
		}
		if c.code == exitOutput && !strings.Contains(stderr.String(), syscall.ENOSPC.Error()) {
			t.Errorf("%s: the cause is not in %q", c.args, &stderr)
		}
		if rows := c.code == 0 || c.code == 1 || c.code == 4; !rows && stdout.Len() > 0 {
			t.Errorf("%s: %d bytes of rows", c.args, stdout.Len())
		}
	}
}

// expand puts a path in place of the word in capitals at the front of an argument.
func (w *world) expand(arg, out string) string {
	word, rest, _ := strings.Cut(arg, "/")
	if path := map[string]string{
		"OUT": out, "GOOD": w.good, "CUT": w.cut, "NONE": w.none, "STATE": w.state,
		"RUNS": w.runs, "CUTRUNS": w.cutRuns, "OTHERRUNS": w.otherRuns, "BROKENRUNS": w.brokenRuns,
		"PARTS": w.parts, "CUTPARTS": w.cutParts, "BROKENPARTS": w.brokenParts, "MISSING": w.missing,
	}[word]; path != "" {
		return strings.TrimSuffix(path+"/"+rest, "/")
	}
	return arg
}

// TestExitStatusOfSignals: each command that can be made to wait ends with 128
// and the number of the signal.
func TestExitStatusOfSignals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, command := range []string{
		"extract FIFO", "extract --state OUT/s FIFO", "map --out OUT/r FIFO", "inspect FIFO",
		"extract -o FIFO --features all GOOD", "merge -o FIFO --features all RUNS", "merge --parts -o FIFO PARTS",
	} {
		for _, s := range signals {
			out := t.TempDir()
			fifo := filepath.Join(out, "fifo")
			capturetest.FIFO(t, fifo)
			var args []string
			for arg := range strings.FieldsSeq(command) {
				args = append(args, w.expand(strings.Replace(arg, "FIFO", "OUT/fifo", 1), out))
			}
			var stderr bytes.Buffer
			cmd := exec.Command("batch", args...)
			cmd.Stderr = &stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			// Opening waits for the process. Then it waits in its turn: nothing
			// is written, and not all is read that a pipe can hold.
			flag := os.O_WRONLY
			if strings.Contains(command, "-o ") {
				flag = os.O_RDONLY
			}
			other, err := os.OpenFile(fifo, flag, 0)
			if err == nil && flag == os.O_RDONLY {
				_, err = io.ReadFull(other, make([]byte, 1))
			}
			if err != nil {
				t.Fatal(err)
			}
			cmd.Process.Signal(s.signal)
			code := end(t, cmd)
			other.Close()
			if code != s.code {
				t.Errorf("%s, %v: exit status %d, want %d: %s", command, s.signal, code, s.code, &stderr)
			}
		}
	}
}

// TestDamagedRunFileIsNoUsage: whatever is wrong with a run file or a part, the
// exit status is 5 and there is no hint at the help.
func TestDamagedRunFileIsNoUsage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	part := filepath.Join(w.parts, "0000-of-0002"+runfile.PartSuffix)
	run := filepath.Join(w.runs, runfile.RunName(w.good))
	for _, c := range []struct{ command, path string }{
		{"merge RUNS", run}, {"reduce --partition 0 --out OUT/p RUNS", run}, {"merge --parts PARTS", part},
	} {
		whole := read(t, c.path)
		clean := ""
		try := func(what string, data []byte) {
			t.Helper()
			mustWrite(t, c.path, string(data))
			out := t.TempDir()
			var args []string
			for arg := range strings.FieldsSeq(c.command) {
				args = append(args, w.expand(arg, out))
			}
			r := runWith(nil, args...)
			if what == "" {
				clean = r.stdout
			}
			if r.code == exitOK && r.stderr == "" && r.stdout == clean { // that byte is not used
				return
			}
			if r.code != exitKept || strings.Contains(r.stderr, "batch help") || !strings.Contains(r.stderr, c.path) || strings.Count(r.stderr, "\n") != 1 {
				t.Errorf("%s, %s: exit status %d, %s", c.command, what, r.code, r.stderr)
			}
		}
		try("", whole)
		places := 100
		if testing.Short() {
			places = 20
		}
		for at := 0; at < len(whole); at += 1 + len(whole)/places {
			damaged := bytes.Clone(whole)
			damaged[at] ^= 0x21
			try(fmt.Sprint("byte ", at), damaged)
			try(fmt.Sprint("cut at ", at), whole[:at])
		}
		try("a byte too many", append(bytes.Clone(whole), 0))
		try("text", []byte("src_ip,dst_ip\n"))
		try("a capture", pcap(capturetest.ManySessions(1, 100)...))
		try("zeros", make([]byte, len(whole)))
		mustWrite(t, c.path, string(whole))
	}
}
