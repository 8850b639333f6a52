package job

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pcapbatch/internal/capture"
	"pcapbatch/internal/capturetest"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/writer"
)

// Run files whose sessions keep different things are merged into rows of what
// all of them keep, in any order; what one of them lacks is refused by the name
// of the group and of the file.
func TestMergeOfWhatDiffersInFeatures(t *testing.T) {
	t.Parallel()
	records := capturetest.ManySessions(7, 3000)
	var runs []string
	dirs := []string{}
	for i, features := range [][]writer.Group{{writer.All}, {writer.Basic}, {writer.Flags, writer.End}} {
		c := testConfig(1)
		c.Columns.Features = features
		if i == 2 {
			c.Columns.Sequence = 20
		}
		dir := t.TempDir()
		path := pcap(t, records[i*1000:(i+1)*1000])
		if _, err := Map(t.Context(), c, dir, 3, capture.Find(durable.OS, []string{path}, false)); err != nil {
			t.Fatal(err)
		}
		paths, err := RunFiles(durable.OS, []string{dir})
		if err != nil {
			t.Fatal(err)
		}
		runs = append(runs, paths...)
		dirs = append(dirs, path)
	}
	c := testConfig(1)
	c.Columns.Features = []writer.Group{writer.Basic, writer.Totals, writer.Mean}
	var want, got bytes.Buffer
	if _, err := Extract(t.Context(), c, capture.Find(durable.OS, dirs, false), &want); err != nil {
		t.Fatal(err)
	}
	if _, err := Merge(t.Context(), c, runs, &got); err != nil || got.String() != want.String() {
		t.Errorf("%v; %d bytes of rows, want %d", err, got.Len(), want.Len())
	}
	// Two that keep flags.
	c.Columns.Features = []writer.Group{writer.Flags}
	want.Reset()
	got.Reset()
	if _, err := Extract(t.Context(), c, capture.Find(durable.OS, []string{dirs[0], dirs[2]}, false), &want); err != nil {
		t.Fatal(err)
	}
	if _, err := Merge(t.Context(), c, []string{runs[2], runs[0]}, &got); err != nil || got.String() != want.String() {
		t.Errorf("flags: %v; %d bytes of rows, want %d", err, got.Len(), want.Len())
	}
	_, err := Merge(t.Context(), c, runs, &got)
	if CategoryOf(err) != Kept || !strings.Contains(err.Error(), runs[1]) || !strings.Contains(err.Error(), "feature group flags") {
		t.Errorf("flags of all: %v", err)
	}
}

// A state directory whose run files lack what is asked for reads those captures
// again and says so; what they have more does no harm.
func TestStateWithOtherFeatures(t *testing.T) {
	t.Parallel()
	path := pcap(t, capturetest.ManySessions(8, 1000))
	state := t.TempDir()
	c := testConfig(1)
	for i, features := range [][]writer.Group{{writer.Basic}, {writer.Direction}, {writer.Basic}, {writer.Direction, writer.Mean}} {
		seen := &listener{}
		c.Columns.Features, c.Observer = features, seen
		var want, got bytes.Buffer
		if _, err := Extract(t.Context(), c, capture.Find(durable.OS, []string{path}, false), &want); err != nil {
			t.Fatal(err)
		}
		seen.captures = 0
		if _, err := Resume(t.Context(), c, state, capture.Find(durable.OS, []string{path}, false), &got); err != nil || got.String() != want.String() {
			t.Errorf("%v: %v, %d bytes of rows, want %d", features, err, got.Len(), want.Len())
		}
		again := i == 1
		if (seen.captures == 1) != (again || i == 0) || (len(seen.notes) == 1) != again {
			t.Errorf("%v: %d captures read, notes %q", features, seen.captures, seen.notes)
		}
	}
	if names, err := filepath.Glob(filepath.Join(state, "*.run")); err != nil || len(names) != 1 {
		t.Errorf("%v, %v", names, err)
	} else if _, err := os.Stat(names[0]); err != nil {
		t.Error(err)
	}
}
