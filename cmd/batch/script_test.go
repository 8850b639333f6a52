package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pcapbatch/internal/capturetest"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts runs the command line as a user would: each script in a
// directory of its own, with the captures of testdata at $TESTDATA and a name
// of 251 bytes in $LONG. Beyond the commands of testscript there are those
// below.
func TestScripts(t *testing.T) {
	captures, err := filepath.Abs(testdata)
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("TESTDATA", captures)
			e.Setenv(raceVariable, os.Getenv(raceVariable))
			e.Setenv("LONG", strings.Repeat("n", 255-len(".csv")))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "holds": holds, "mkfifo": mkfifo, "mksocket": mksocket, "unpack": unpack, "lines": lines, "sparse": sparse, "like": like,
		},
		Condition: func(name string) (bool, error) {
			switch name {
			case "root":
				return os.Geteuid() == 0, nil
			case "full":
				_, err := os.Stat("/dev/full")
				return err == nil, nil
			}
			return false, fmt.Errorf("unknown condition %s", name)
		},
		RequireUniqueNames: true,
	})
}

// exits CODE COMMAND...: the command must end with the exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		got = e.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// holds DIR NAME...: the directory must hold these entries and no others.
func holds(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: holds DIR NAME...")
	}
	entries, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	want := slices.Sorted(slices.Values(args[1:]))
	if !slices.Equal(got, want) {
		ts.Fatalf("%s holds %q, want %q", args[0], got, want)
	}
}

// lines N: standard output must have so many.
func lines(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: lines N")
	}
	if got := strings.Count(ts.ReadFile("stdout"), "\n"); fmt.Sprint(got) != args[0] {
		ts.Fatalf("%d lines, want %s", got, args[0])
	}
}

func mkfifo(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args {
		ts.Check(capturetest.MakeFIFO(ts.MkAbs(name)))
	}
}

// mksocket makes a socket that stays until the script ends. Its path is
// bounded to some 100 bytes, so it is made in a short place and moved.
func mksocket(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args {
		dir, err := os.MkdirTemp("", "s")
		ts.Check(err)
		l, err := net.Listen("unix", filepath.Join(dir, "s"))
		ts.Check(err)
		ts.Defer(func() {
			l.Close()
			os.RemoveAll(dir)
		})
		ts.Check(os.Rename(filepath.Join(dir, "s"), ts.MkAbs(name)))
	}
}

// unpack FILE OUT: decompress by the ending of the name.
func unpack(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: unpack FILE OUT")
	}
	f, err := os.Open(ts.MkAbs(args[0]))
	ts.Check(err)
	defer f.Close()
	var r io.Reader
	if strings.HasSuffix(args[0], ".zst") {
		z, err := zstd.NewReader(f)
		ts.Check(err)
		defer z.Close()
		r = z
	} else {
		r, err = gzip.NewReader(f)
		ts.Check(err)
	}
	data, err := io.ReadAll(r)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), data, 0o600))
}

// sparse SIZE NAME: make a file of so many bytes that has none on disk.
func sparse(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: sparse SIZE NAME")
	}
	size, err := strconv.ParseInt(args[0], 10, 64)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), nil, 0o600))
	ts.Check(os.Truncate(ts.MkAbs(args[1]), size))
}

// like PATTERN DIR mkfifo | sparse SIZE | symlink TARGET: make something in DIR
// under the name of the only file that the pattern matches.
func like(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: like PATTERN DIR mkfifo | sparse SIZE | symlink TARGET")
	}
	matches, err := filepath.Glob(ts.MkAbs(args[0]))
	if err != nil || len(matches) != 1 {
		ts.Fatalf("%q, %v", matches, err)
	}
	name := filepath.Join(args[1], filepath.Base(matches[0]))
	switch args[2] {
	case "mkfifo":
		mkfifo(ts, false, []string{name})
	case "sparse":
		sparse(ts, false, []string{args[3], name})
	case "symlink":
		ts.Check(os.Symlink(args[3], ts.MkAbs(name)))
	}
}
