package job

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"pcapbatch/internal/capture"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/runfile"
)

// testdata/version-1 is what the first version of the program kept of two
// captures of the project's testdata: a state directory, the parts that reduce
// made of the same captures, and the rows. It is never to be rewritten: what was
// kept once can be read for good, whatever options come later.
const version1 = "testdata/version-1"

// version1Captures are the captures, as old as they were then.
func version1Captures(t *testing.T) *capture.Found {
	t.Helper()
	dir := t.TempDir()
	then := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, name := range []string{"example.pcap", "idle-gaps.pcap"} {
		data, err := os.ReadFile(filepath.Join("../../testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, then, then); err != nil {
			t.Fatal(err)
		}
	}
	return capture.Find(durable.OS, []string{dir}, false)
}

func version1Config() Config {
	c := New()
	c.Sessions.IdleTimeout, c.Sessions.Decapsulate = time.Minute, true
	return c
}

func version1Rows(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(version1, "sessions.csv"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestVersion1State(t *testing.T) {
	found, want := version1Captures(t), version1Rows(t)
	state := t.TempDir()
	if err := os.CopyFS(state, os.DirFS(version1)); err != nil {
		t.Fatal(err)
	}
	runs, err := RunFiles(durable.OS, []string{state})
	if err != nil || len(runs) != 2 {
		t.Fatal(runs, err)
	}
	for _, path := range runs { // the name of a run file follows from the path of its capture
		run, err := (&runfile.Files{FS: New().FS}).Open(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, now := range found.Paths {
			if filepath.Base(now) == filepath.Base(run.Capture.Path) {
				if err := os.Rename(path, filepath.Join(state, runfile.RunName(now))); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	c := version1Config()
	seen := &listener{}
	c.Observer = seen
	var out bytes.Buffer
	r, err := Resume(t.Context(), c, state, found, &out)
	if err != nil || out.String() != want || seen.captures != 0 || len(seen.notes) != 0 {
		t.Errorf("%v, %d captures read, notes %q, rows\n%s", err, seen.captures, seen.notes, &out)
	}
	if len(r.Captures) != 2 || r.Packets == 0 || r.Packets != r.Records-r.NonIP {
		t.Errorf("report %+v", r)
	}
	c.Sessions.VLAN = true
	if _, err := Resume(t.Context(), c, state, found, io.Discard); CategoryOf(err) != Kept {
		t.Errorf("with other options: %v", err)
	}
}

func TestVersion1RunFilesAndParts(t *testing.T) {
	want := version1Rows(t)
	runs, err := RunFiles(durable.OS, []string{version1})
	if err != nil {
		t.Fatal(err)
	}
	parts, err := Parts(durable.OS, []string{filepath.Join(version1, "parts")})
	if err != nil {
		t.Fatal(err)
	}
	var merged, joined bytes.Buffer
	if _, err := Merge(t.Context(), New(), runs, &merged); err != nil || merged.String() != want {
		t.Errorf("run files: %v\n%s", err, &merged)
	}
	if _, err := JoinParts(t.Context(), New(), parts, &joined); err != nil || joined.String() != want {
		t.Errorf("parts: %v\n%s", err, &joined)
	}
}
