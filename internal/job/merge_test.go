package job

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pcapbatch/internal/capturetest"
	"pcapbatch/internal/runfile"
	"pcapbatch/internal/writer"
)

func TestMergeSameBytes(t *testing.T) {
	t.Parallel()
	dir, paths := series(t, 4000, 5)
	c := testConfig(2)
	one, two := mapped(t, c, DefaultPartitions, paths[4], paths[0]), mapped(t, c, 16, paths[1], paths[2], paths[3])
	other := mapped(t, c, 3, paths[1], paths[2], paths[3])
	sample := c
	sample.Columns.SampleStd = true
	basic := testConfig(1)
	basic.Columns.Features = []writer.Group{writer.Basic}
	for i, c := range []Config{c, sample, basic, scarce(testConfig(2))} {
		want := extract(t, c, dir).clean(t)
		for _, second := range []string{two, other} {
			sameRows(t, fmt.Sprint("config ", i), merge(t, c, one, second).clean(t), want)
		}
	}
}

func TestReduceSameBytes(t *testing.T) {
	t.Parallel()
	dir, _ := series(t, 4000, 5)
	c := testConfig(2)
	c.Sessions.IdleTimeout = 10e9
	runs := mapped(t, c, 4, dir)
	whole := extract(t, c, dir)
	parts := ""
	for _, c := range []Config{c, scarce(c)} {
		parts = reduced(t, c, 4, runs)
		for p := range 4 { // twice does no harm
			reduce(t, c, p, parts, runs).clean(t)
		}
		got := joinParts(t, c, parts)
		sameRows(t, "parts", got.clean(t), whole.clean(t))
		sameCounts(t, got, whole)
	}
	os.Remove(filepath.Join(parts, "0002-of-0004.part"))
	joinParts(t, c, parts).refuses(t, Kept, "part 2 of 4 is missing")
}

func TestMergeRefusals(t *testing.T) {
	t.Parallel()
	_, paths := series(t, 400, 3)
	c := testConfig(1)
	a, b := mapped(t, c, 16, paths[0], paths[1]), mapped(t, c, 16, paths[1], paths[2])
	vlan := c
	vlan.Sessions.VLAN = true
	merge(t, c, a, b).refuses(t, Kept, "hold the same capture")
	merge(t, c, a, mapped(t, vlan, 16, paths[2])).refuses(t, Kept, "were made with other options: --key")
	merge(t, c, paths[0]).refuses(t, Kept, "not a run file")
	merge(t, c).refuses(t, Usage, "no run files named")
	merge(t, c, t.TempDir()).refuses(t, Input, "no files *.run")
	merge(t, c, filepath.Join(a, "none.run")).refuses(t, Input, "none.run")
	joinParts(t, c, filepath.Join(a, runfile.RunName(paths[0]))).refuses(t, Kept, "is a run file, not a part")
	parts := reduced(t, c, 16, a)
	merge(t, c, filepath.Join(parts, "0003-of-0016.part")).refuses(t, Kept, "is a part, not a run file")
	c.Duplicates = true
	if rows := merge(t, c, a, b).clean(t); strings.Count(rows, "\n") < 100 {
		t.Errorf("with duplicates: %d lines", strings.Count(rows, "\n"))
	}

	path := filepath.Join(a, runfile.RunName(paths[0]))
	data := load(t, path)
	flipped := bytes.Clone(data)
	flipped[100] ^= 1
	for _, damaged := range [][]byte{data[:len(data)-30], flipped, data[:0], bytes.Repeat([]byte{0}, 1000)} {
		write(t, path, damaged)
		merge(t, c, a).refuses(t, Kept, path+": ")
	}
}

// Parts go together if they are all of the same run files, with the same
// columns.
func TestJoinPartsRefusals(t *testing.T) {
	t.Parallel()
	_, paths := series(t, 400, 3)
	c := testConfig(1)
	runs, others := mapped(t, c, 2, paths[0], paths[1]), mapped(t, c, 2, paths[1], paths[2])
	basic := c
	basic.Columns.Features = nil
	sample := c
	sample.Columns.SampleStd = true
	part := func(dir string, n int) string { return filepath.Join(dir, fmt.Sprintf("%04d-of-0002.part", n)) }
	first := reduced(t, c, 2, runs)
	joinParts(t, c, part(first, 0)).refuses(t, Kept, "part 1 of 2 is missing")
	joinParts(t, c, part(first, 0), part(reduced(t, c, 2, others), 1)).refuses(t, Kept, "were not made of the same run files")
	idle := c
	idle.Sessions.IdleTimeout = 60e9
	joinParts(t, c, part(first, 0), part(reduced(t, idle, 2, mapped(t, idle, 2, paths[0], paths[1])), 1)).refuses(t, Kept, `were made with other options: --idle-timeout is "0s" and "1m0s"`)
	joinParts(t, c, part(first, 0), filepath.Join(reduced(t, c, 3, mapped(t, c, 3, paths[0], paths[1])), "0001-of-0003.part")).refuses(t, Kept, "is a part of 2")
	joinParts(t, c, part(first, 0), part(reduced(t, basic, 2, runs), 1)).refuses(t, Kept, "have different columns")
	joinParts(t, c, part(first, 0), part(reduced(t, sample, 2, runs), 1)).refuses(t, Kept, "have different columns")
	joinParts(t, c, part(first, 0), part(reduced(t, c, 2, runs), 0)).refuses(t, Kept, "are both part 0")
	reduce(t, c, 2, t.TempDir(), runs).refuses(t, Usage, "partitions 0 to 1")
	reduce(t, c, 0, t.TempDir(), runs, mapped(t, c, 3, paths[2])).refuses(t, Kept, "has 3")
}

// A capture that has changed between two calls of reduce, in its middle alone, is
// found out by its time of modification.
func TestPartsOfAChangedCapture(t *testing.T) {
	t.Parallel()
	records := capturetest.ManySessions(5, 4000)
	path := pcap(t, records)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	c := testConfig(1)
	runs, parts := mapped(t, c, 2, path), t.TempDir()
	reduce(t, c, 0, parts, runs).clean(t)
	middle := records[len(records)/2]
	middle.Data[len(middle.Data)-1] ^= 1 // of the payload
	write(t, path, capturetest.Pcap(records...))
	if err := os.Chtimes(path, time.Time{}, info.ModTime().Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if r := mapTo(t, c, runs, 2, path); r.err != nil || r.read != 1 {
		t.Fatal(r.err, r.read)
	}
	reduce(t, c, 1, parts, runs).clean(t)
	joinParts(t, c, parts).refuses(t, Kept, "were not made of the same run files")
	reduce(t, c, 0, parts, runs).clean(t)
	sameRows(t, "of both parts made anew", joinParts(t, c, parts).clean(t), extract(t, c, path).clean(t))
}

func TestMapReports(t *testing.T) {
	t.Parallel()
	dir, paths := series(t, 400, 2)
	data := load(t, paths[1])
	write(t, paths[1], data[:len(data)-3])
	out, c := filepath.Join(t.TempDir(), "runs"), testConfig(1)
	same := func(captures int) {
		t.Helper()
		r := mapTo(t, c, out, DefaultPartitions, dir)
		if r.err != nil || len(r.notices) != captures || len(r.report.Damage) != captures {
			t.Errorf("map: %v, %q", r.err, r.notices)
		}
		merged, plain := merge(t, c, out), extract(t, c, dir)
		slices.Sort(merged.notices)
		slices.Sort(plain.notices)
		plain.report.NotCaptures = 0 // a merge reads no directories of captures
		if merged.err != nil || !slices.Equal(merged.notices, plain.notices) || jsonOf(t, merged.report) != jsonOf(t, plain.report) {
			t.Errorf("merge: %v, %q, %+v; extract: %q, %+v", merged.err, merged.notices, merged.report, plain.notices, plain.report)
		}
		sameRows(t, "merge", merged.rows, plain.rows)
	}
	same(1)
	// What cannot be read has a run file that says so. What a directory has
	// that is no capture is left out.
	for name, text := range map[string][]byte{"notes": []byte("not a capture"), "empty": nil, "head.pcap": data[:20]} {
		write(t, filepath.Join(dir, name), text)
	}
	same(3)

	// A capture without a run file cannot be taken for one that is damaged.
	r := mapTo(t, c, out, DefaultPartitions, paths[0], filepath.Join(dir, "none"))
	if CategoryOf(r.err) != Input || !errors.Is(r.err, ErrNoRunFile) || !strings.Contains(r.err.Error(), "1 capture without a run file") || len(r.notices) != 1 {
		t.Errorf("%v, %q", r.err, r.notices)
	}
	c.Strict = true
	r = mapTo(t, c, out, DefaultPartitions, paths[0], filepath.Join(dir, "none"))
	r.refuses(t, Input, "none")
}
