package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"

	"pcapbatch/internal/durable"
	"pcapbatch/internal/job"
	"pcapbatch/internal/runfile"
)

// unreadable is a file system whose files the system fails to read.
type unreadable struct{ durable.FS }

func (unreadable) Open(path string) (durable.File, error) {
	return nil, &fs.PathError{Op: "read", Path: path, Err: syscall.EIO}
}

// failures are the failures of map, reduce and merge that a scheduler has to tell
// apart. Words in capitals are those of world.expand, and the files that
// TestFailures makes: of OUT, and of LISTS.
var failures = []struct {
	code int
	what string
	args string // of several commands, with | in between
	// mend does away with the cause of 4, so that another try succeeds.
	mend func(t *testing.T, w *world, out string)
	fs   durable.FS
	in   io.Reader // nil: it is empty
}{
	{code: 4, what: "a capture is missing", args: "map --out OUT/r GOOD NONE", mend: makeNone},
	{code: 4, what: "the only capture is missing", args: "map --out OUT/r NONE", mend: makeNone},
	{code: 4, what: "the capture of a range is missing", args: "map --range 0- --out OUT/r NONE|map --unit LISTS/plan:0 --out OUT/r", mend: makeNone},
	{code: 4, what: "a capture is missing, another damaged", args: "map --out OUT/r CUT NONE"},
	{code: 4, what: "a capture is missing, and the run stops there", args: "map --strict --out OUT/r CUT NONE"},
	{code: 4, what: "a directory has no captures", args: "map --out OUT/r OUT/empty", mend: func(t *testing.T, w *world, out string) {
		mustWrite(t, filepath.Join(out, "empty", "c"), string(read(t, w.good)))
	}},
	{code: 4, what: "the list of captures is missing", args: "map --out OUT/r --files-from NONE"},
	{code: 4, what: "a pipe fails", args: "map --out OUT/r --name s3://b/k -", in: iotest.ErrReader(errors.New("connection reset"))},
	{code: 4, what: "run files are missing", args: "merge NONE|reduce --partition 0 --out OUT/p NONE|merge --parts NONE"},
	{code: 4, what: "no run files are there yet", args: "merge OUT/empty|reduce --partition 0 --out OUT/p OUT/empty", mend: func(t *testing.T, w *world, out string) {
		if err := os.CopyFS(filepath.Join(out, "empty"), os.DirFS(w.runs)); err != nil {
			t.Fatal(err)
		}
	}},
	{code: 4, what: "no parts are there yet", args: "merge --parts OUT/empty"},
	{code: 4, what: "the list of --expect is missing", args: "merge --expect NONE RUNS|reduce --partition 0 --out OUT/p --expect NONE RUNS|merge --parts --expect NONE PARTS"},
	{code: 4, what: "the system fails to read", fs: unreadable{durable.OS}, args: "merge RUNS|reduce --partition 0 --out OUT/p RUNS|merge --parts PARTS"},

	{code: 1, what: "a capture is damaged", args: "map --out OUT/r GOOD CUT|map -P2 --out CUTRUNS CUT"}, // the second has a current run file
	{code: 1, what: "a capture is damaged, and the run stops there", args: "map --strict --out OUT/r CUT|map --strict -P2 --out CUTRUNS CUT"},
	{code: 1, what: "what is named is no capture", args: "map --out OUT/r LISTS/good|map --out OUT/r --name s3://b/k -"},
	{code: 1, what: "run files tell of damage", args: "merge CUTRUNS|merge --parts CUTPARTS|merge --expect LISTS/cut CUTRUNS|merge --parts --expect LISTS/cut CUTPARTS"},
	{code: 0, what: "run files tell of damage, which merge reports", args: "reduce --partition 0 --out OUT/p CUTRUNS"},

	{code: 5, what: "a run file is damaged", args: "merge BROKENRUNS|reduce --partition 0 --out OUT/p BROKENRUNS|merge --expect LISTS/good BROKENRUNS"},
	{code: 5, what: "a part is damaged", args: "merge --parts BROKENPARTS|merge --parts --expect LISTS/good BROKENPARTS"},
	{code: 5, what: "a run file is cut short", args: "merge LISTS/short.run|reduce --partition 0 --out OUT/p LISTS/short.run"},
	{code: 5, what: "a run file is of a later version", args: "merge LISTS/later.run|reduce --partition 0 --out OUT/p LISTS/later.run"},
	{code: 5, what: "a part is of a later version", args: "merge --parts LISTS/later.part PARTS/0001-of-0002.part"},
	{code: 0, what: "map makes a run file anew that is of a later version", args: "map -q -P2 --out LISTS/newer GOOD"},
	{code: 5, what: "other options", args: "merge RUNS OTHERRUNS|reduce --partition 0 --out OUT/p RUNS OTHERRUNS"},
	{code: 5, what: "another number of partitions", args: "reduce --partition 0 --out OUT/p RUNS STATE"},
	{code: 5, what: "a capture twice", args: "merge RUNS STATE"},
	{code: 5, what: "columns that were not kept", args: "merge --features all CUTRUNS|reduce --features all --partition 0 --out OUT/p CUTRUNS"},
	{code: 5, what: "a part in place of a run file", args: "merge PARTS/0000-of-0002.part|reduce --partition 0 --out OUT/p PARTS/0000-of-0002.part"},
	{code: 5, what: "a run file in place of a part", args: "merge --parts LISTS/good.run"},
	{code: 5, what: "no run file at all", args: "merge GOOD|reduce --partition 0 --out OUT/p GOOD|merge --parts GOOD"},
	{code: 5, what: "a part is not among them", args: "merge --parts MISSING"},
	{code: 5, what: "parts of different captures", args: "merge --parts PARTS/0000-of-0002.part CUTPARTS/0001-of-0002.part"},
	{code: 5, what: "a part twice", args: "merge --parts PARTS CUTPARTS"},
	{code: 5, what: "an expected run file is lost", args: "merge --expect LISTS/both RUNS|reduce --partition 0 --out OUT/p --expect LISTS/both RUNS|merge --parts --expect LISTS/both PARTS"},
	{code: 5, what: "a run file is not expected", args: "merge --expect LISTS/cut RUNS|reduce --partition 0 --out OUT/p --expect LISTS/cut RUNS|merge --parts --expect LISTS/cut PARTS"},
	{code: 5, what: "an expected run file is lost, others are damaged", args: "merge --expect LISTS/both CUTRUNS"},
	{code: 5, what: "a directory has the name of a run file", args: "map --out LISTS/taken GOOD"},

	{code: 3, what: "the disk is full", fs: full, args: "map --out OUT/r GOOD|reduce --partition 0 --out OUT/p RUNS|merge -o OUT/o.csv RUNS|merge --parts -o OUT/o.csv PARTS"},
	{code: 3, what: "the directory cannot be made", args: "map --out GOOD/r GOOD|reduce --partition 0 --out GOOD/p RUNS|merge -o GOOD/o.csv RUNS"},
	{code: 3, what: "outcomes cannot be written", args: "map --out OUT/r --outcomes OUT/none/o GOOD"},
	{code: 3, what: "the summary cannot be written", args: "map --out OUT/r --summary OUT/none/s GOOD|merge -o OUT/o.csv --summary OUT/none/s RUNS"},

	{code: 2, what: "usage", args: "map --out OUT/r -P 0 GOOD|map --out OUT/r --identity x -|reduce --partition 2 --out OUT/p RUNS|reduce --out OUT/p RUNS|merge --parts --features all PARTS"},
	{code: 2, what: "a list of --expect that is empty", args: "merge --expect LISTS/none RUNS|reduce --partition 0 --out OUT/p --expect LISTS/none RUNS|merge --parts --expect LISTS/none PARTS"},
	{code: 2, what: "standard input has no name", args: "map --out OUT/r -"},
}

var full = fullFS{durable.OS}

// fullFS is a file system on which nothing can be written any more.
type fullFS struct{ durable.FS }

func (fullFS) Create(path, _ string) (durable.File, error) {
	return nil, &fs.PathError{Op: "create", Path: path, Err: syscall.ENOSPC}
}

func makeNone(t *testing.T, w *world, _ string) { mustWrite(t, w.none, string(read(t, w.good))) }

// lists makes the files that failures call LISTS.
func lists(t *testing.T, w *world) string {
	dir := t.TempDir()
	for name, text := range map[string]string{"good": w.good, "cut": w.cut, "both": w.good + "\n" + w.cut, "none": ""} {
		mustWrite(t, filepath.Join(dir, name), text+"\n")
	}
	unit, err := json.Marshal(&job.Unit{Captures: []string{w.none}, Range: "0-"})
	if err != nil {
		t.Fatal(err)
	}
	mustWrite(t, filepath.Join(dir, "plan"), string(unit))
	run := read(t, filepath.Join(w.runs, runfile.RunName(w.good)))
	mustWrite(t, filepath.Join(dir, "good.run"), string(run))
	mustWrite(t, filepath.Join(dir, "short.run"), string(run[:len(run)-1]))
	later := bytes.Clone(run)
	later[8] = runfile.FormatVersion + 1
	mustWrite(t, filepath.Join(dir, "later.run"), string(later))
	part := bytes.Clone(read(t, filepath.Join(w.parts, "0000-of-0002.part")))
	part[8] = runfile.FormatVersion + 1
	mustWrite(t, filepath.Join(dir, "later.part"), string(part))
	if err := os.Mkdir(filepath.Join(dir, "newer"), 0o777); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, filepath.Join(dir, "newer", runfile.RunName(w.good)), string(later))
	if err := os.MkdirAll(filepath.Join(dir, "taken", runfile.RunName(w.good)), 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestFailures: of each failure of map, reduce and merge the exit status says
// whether another try may help (4), or not (5, and 1 where the run file or the
// rows are there), and the message is one line.
func TestFailures(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dir := lists(t, w)
	for _, f := range failures {
		commands := strings.Split(f.args, "|")
		for _, command := range commands {
			if rest, ok := strings.CutPrefix(command, "reduce "); ok {
				commands = append(commands, "reduce --format parquet "+rest) // a table in place of a part
			}
		}
		for _, command := range commands {
			out := t.TempDir()
			if err := os.Mkdir(filepath.Join(out, "empty"), 0o777); err != nil {
				t.Fatal(err)
			}
			var args []string
			for arg := range strings.FieldsSeq(command) {
				args = append(args, w.expand(strings.Replace(arg, "LISTS", dir, 1), out))
			}
			var stdout, stderr bytes.Buffer
			e := &env{name: defaultName, in: f.in, out: &stdout, err: &stderr, fs: durable.OS}
			if f.in == nil {
				e.in = strings.NewReader("")
			}
			if f.fs != nil {
				e.fs = f.fs
			}
			if code := runIn(e, args); code != f.code {
				t.Errorf("%s: %s: exit status %d, want %d: %s", f.what, command, code, f.code, &stderr)
			}
			said := strings.Contains(stderr.String(), defaultName+": ")
			if f.code >= 2 && !said || f.code != 1 && stdout.Len() > 0 {
				t.Errorf("%s: %s: %d bytes of rows, %q", f.what, command, stdout.Len(), &stderr)
			}
			if f.mend == nil {
				continue
			}
			f.mend(t, w, out)
			if r := runWith(nil, args...); r.code != exitOK {
				t.Errorf("%s, another try: %s: exit status %d: %s", f.what, command, r.code, r.stderr)
			}
			os.Remove(w.none)
		}
	}
}
