package main

import (
	"path/filepath"
	"strings"
	"testing"

	"pcapbatch/internal/capturetest"
)

// A capture whose run file is current is not read, and the exit status is that
// of the run that read it; --again reads it.
func TestMapAgain(t *testing.T) {
	t.Parallel()
	whole := pcap(capturetest.ManySessions(1, 300)...)
	capture := write(t, "c.pcap", whole[:len(whole)-1])
	dir := t.TempDir()
	runs, outcomes := filepath.Join(dir, "runs"), filepath.Join(dir, "outcomes")
	for i, c := range []struct{ flag, status string }{{"-P2", "damaged"}, {"-P2", "kept"}, {"--again", "damaged"}} {
		r := runWith(nil, "map", "-P2", c.flag, "--out", runs, "--outcomes", outcomes, capture)
		if r.code != exitDamaged || !strings.Contains(r.stderr, "cut short") || strings.Contains(r.stderr, "not reading 1 capture ") != (c.status == "kept") {
			t.Errorf("%d: exit status %d, %s", i, r.code, r.stderr)
		}
		if text := string(read(t, outcomes)); !strings.Contains(text, `"status":"`+c.status+`"`) {
			t.Errorf("%d: %s", i, text)
		}
	}
}

// A capture on standard input is called by its name wherever one is named.
func TestMapName(t *testing.T) {
	t.Parallel()
	data := pcap(capturetest.ManySessions(1, 300)...)
	const name = "https://host/a.pcap"
	dir := t.TempDir()
	runs, outcomes, summary := filepath.Join(dir, "runs"), filepath.Join(dir, "outcomes"), filepath.Join(dir, "summary")
	args := []string{"map", "-v", "--key=capture", "--out", runs, "--outcomes", outcomes, "--summary", summary, "--name", name, "--identity", "7", "-"}
	for i, stdin := range [][]byte{data, []byte("not read")} {
		r := runWith(stdin, args...)
		if r.code != exitOK || strings.Contains(r.stderr, "not reading 1 capture ") != (i == 1) {
			t.Errorf("exit status %d, %s", r.code, r.stderr)
		}
		if s := readSummary(t, summary); len(s.Captures) != 1 || s.Captures[0].Path != name || s.Captures[0].Records != 300 {
			t.Errorf("%+v", s.Captures)
		}
		if text := string(read(t, outcomes)); !strings.Contains(text, `"name":"`+name+`"`) {
			t.Error(text)
		}
	}
	expected := write(t, "list", []byte(name+"\n"))
	if rows := mustRun(t, "merge", "--expect", expected, runs); !strings.Contains(rows, name) {
		t.Errorf("%.300s", rows)
	}
	for _, args := range [][]string{{"--name", name, write(t, "c", data)}, {"--identity", "7", "-"}, {"--name", name}} {
		if r := runWith(data, append([]string{"map", "--out", runs}, args...)...); r.code != exitUsage {
			t.Errorf("%q: exit status %d, %s", args, r.code, r.stderr)
		}
	}
}
