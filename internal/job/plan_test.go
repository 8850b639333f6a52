package job

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pcapbatch/internal/capture"
	"pcapbatch/internal/capturetest"
)

// planOf returns the units of a plan.
func planOf(t testing.TB, unitBytes int64, whole bool, names ...string) (units []Unit, r result) {
	t.Helper()
	l := &listener{}
	c := testConfig(2)
	c.Observer = l
	r.report, r.err = Plan(t.Context(), c, capture.Find(c.FS, names, false), unitBytes, whole, func(u *Unit) error {
		units = append(units, *u)
		return nil
	})
	r.notices = l.notices
	return units, r
}

// A plan has each capture once, in capture order, and its units give the rows of
// the captures.
func TestPlan(t *testing.T) {
	t.Parallel()
	dir, paths := series(t, 2000, 6)
	big := write(t, filepath.Join(dir, "big.pcap"), capturetest.Pcap(capturetest.ManySessions(7, 4000)...))
	packed := write(t, filepath.Join(dir, "packed.gz"), gzipped(t, capturetest.Pcap(capturetest.ManySessions(8, 4000)...)))
	text := write(t, filepath.Join(t.TempDir(), "text"), []byte("this is no capture"))
	unitBytes := 2 * fileSize(t, paths[0])
	units, r := planOf(t, unitBytes, false, dir, text)
	if r.err != nil {
		t.Fatal(r.err)
	}
	var planned []string
	ranges := 0
	for i, u := range units {
		if u.Number != i {
			t.Errorf("unit %d has number %d", i, u.Number)
		}
		if u.Range == "" {
			planned = append(planned, u.Captures...)
		} else if ranges++; strings.HasPrefix(u.Range, "0-") {
			planned = append(planned, big)
		}
		if u.Bytes > unitBytes && (len(u.Captures) > 1 || u.Captures[0] != packed) {
			t.Errorf("unit %d of %v has %d bytes", i, u.Captures, u.Bytes)
		}
	}
	slices.Sort(planned)
	want := append(slices.Clone(paths), big, packed, text)
	slices.Sort(want)
	if !slices.Equal(planned, want) || ranges < 3 || len(units)-ranges > 5 {
		t.Errorf("%d units, %d of them ranges, of %q, not %q", len(units), ranges, planned, want)
	}

	plan := filepath.Join(t.TempDir(), "plan")
	var lines []byte
	for _, u := range units {
		line, err := json.Marshal(&u)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(append(lines, line...), '\n')
	}
	write(t, plan, lines)
	runs := filepath.Join(t.TempDir(), "runs")
	for i := range units {
		c := testConfig(1)
		u, err := ReadUnit(c.FS, plan, i)
		if err != nil {
			t.Fatal(err)
		}
		names, err := u.Apply(&c)
		if err != nil {
			t.Fatal(err)
		}
		if r := mapTo(t, c, runs, 4, names...); r.err != nil {
			t.Fatal(r.err)
		}
	}
	c := testConfig(2)
	if c.Expect, r.err = ReadExpected(c.FS, plan, nil); r.err != nil {
		t.Fatal(r.err)
	}
	sameRows(t, "planned", merge(t, c, runs).rows, extract(t, c, dir, text).rows)
	if err := os.Remove(filepath.Join(runs, entriesOf(t, runs)[0])); err != nil {
		t.Fatal(err)
	}
	if r := merge(t, c, runs); CategoryOf(r.err) != Kept {
		t.Errorf("a run file is missing: %v", r.err)
	}

	if units, _ := planOf(t, unitBytes, true, dir); slices.ContainsFunc(units, func(u Unit) bool { return u.Range != "" }) {
		t.Errorf("with whole captures: %+v", units)
	}
	if units, r := planOf(t, 1<<30, false, dir, filepath.Join(dir, "none")); len(units) != 1 || !r.report.Failed() || len(r.notices) != 1 {
		t.Errorf("a missing capture: %+v, %v %q", units, r.err, r.notices)
	}
	if _, r := planOf(t, 1, false, "-"); CategoryOf(r.err) != Usage {
		t.Errorf("standard input: %v", r.err)
	}
}

// A unit is the same after it was written as a line.
func TestUnitJSON(t *testing.T) {
	for _, u := range []Unit{
		{Number: 3, Bytes: 5, Captures: []string{"a", "b c"}},
		{Captures: []string{"a\xff", "b"}, Range: "5-9"},
	} {
		line, err := json.Marshal(&u)
		have, ok := parseUnit(string(line))
		if err != nil || !ok || have.Number != u.Number || have.Range != u.Range || !slices.Equal(have.Captures, u.Captures) {
			t.Errorf("%+v became %+v, %v", u, have, err)
		}
	}
}

// What is no plan, or has no such unit, is refused.
func TestReadUnit(t *testing.T) {
	fsys := New().FS
	path := write(t, filepath.Join(t.TempDir(), "plan"), []byte(`{"unit":0,"captures":["a"]}`+"\n\n"+`{"unit":1,"captures":["b"],"range":"9-5"}`))
	for text, read := range map[string]func() error{
		"no unit 2": func() error { _, err := ReadUnit(fsys, path, 2); return err },
		"is not a plan": func() error {
			_, err := ReadUnit(fsys, write(t, filepath.Join(t.TempDir(), "list"), []byte("a.pcap\nb.pcap\n")), 0)
			return err
		},
		"no such file": func() error { _, err := ReadUnit(fsys, filepath.Join(t.TempDir(), "none"), 0); return err },
		"is no range": func() error {
			u, err := ReadUnit(fsys, path, 1)
			if err == nil {
				_, err = u.Apply(&Config{})
			}
			return err
		},
	} {
		if err := read(); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%v, not %q", err, text)
		}
	}
}
