package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pcapbatch/internal/capturetest"
	"pcapbatch/internal/objecttest"
)

// bgzfOf packs data in blocks of BGZF.
func bgzfOf(t *testing.T, data []byte) (file []byte) {
	t.Helper()
	for part := range slices.Chunk(data, 20_000) {
		z := capturetest.Gzipped(t, part)
		z[3] |= 4 // there is an extra field
		size := len(z) + 8 - 1
		file = slices.Concat(file, z[:10], []byte{6, 0, 'B', 'C', 2, 0, byte(size), byte(size >> 8)}, z[10:])
	}
	return append(file, "\x1f\x8b\x08\x04\x00\x00\x00\x00\x00\xff\x06\x00BC\x02\x00\x1b\x00\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00"...)
}

// A plan may be in the store, as may the captures it divides, and its units and
// ranges give the same table as one run. compare reads tables there.
func TestObjectsPlan(t *testing.T) {
	s, dir := objecttest.New(t), t.TempDir()
	large := capturetest.Pcap(capturetest.ManySessions(1, 40_000)...)
	for name, data := range map[string][]byte{
		"ä :0 large.pcap": large, "small.pcap": read(t, filepath.Join(testdata, "example.pcap")),
		"large.pcap.gz": bgzfOf(t, large), "text": []byte("none"),
	} {
		s.Put(t, "in/"+name, data)
		mustWrite(t, filepath.Join(dir, name), string(data))
	}
	local := runWith(nil, "plan", "--unit-bytes", "1M", dir)
	s.Fail(objecttest.Some(10, 8))
	plan := runWith(nil, "plan", "--unit-bytes", "1M", objects+"in/")
	if plan.code != local.code || without(plan.stdout, dir) != without(local.stdout, dir) {
		t.Fatalf("plan: status %d and not %d\n%s%s", plan.code, local.code, plan.stdout, plan.stderr)
	}
	units := strings.Count(plan.stdout, "\n")
	if strings.Count(plan.stdout, `"range"`) < 3 {
		t.Fatalf("too few ranges: %s", plan.stdout)
	}
	s.Put(t, "a plan:1", []byte(plan.stdout))
	for i := range units {
		if r := runWith(nil, "map", "--out", objects+"runs", "--unit", fmt.Sprint(objects, "a plan:1:", i)); r.code != exitOK {
			t.Fatalf("unit %d: status %d, %s", i, r.code, r.stderr)
		}
	}
	rows := filepath.Join(t.TempDir(), "rows.csv")
	want := runWith(nil, "extract", "-o", rows, dir)
	r := runWith(nil, "merge", "--allow-duplicates", "--expect", objects+"a plan:1", "-o", objects+"out/merged.csv", objects+"runs")
	if got, _ := s.Get(t, "out/merged.csv"); string(got) != string(read(t, rows)) {
		t.Errorf("merge: status %d and %d, line %d is another, %s", r.code, want.code, differentLine(string(got), string(read(t, rows))), r.stderr)
	}
	s.Put(t, "out/.hidden.csv", []byte("x"))
	parquet := runWith(nil, "extract", "-o", objects+"rows.parquet", objects+"in/")
	if parquet.code != want.code {
		t.Errorf("parquet: %s", parquet.stderr)
	}
	for _, args := range [][]string{{objects + "out/merged.csv", rows}, {objects + "out", objects + "rows.parquet"}, {rows, objects + "out/"}} {
		if r := runWith(nil, "compare", args[0], args[1]); r.code != exitOK || !strings.HasPrefix(r.stdout, "the same") {
			t.Errorf("compare %q: status %d, %s%s", args, r.code, r.stdout, r.stderr)
		}
	}
	if r := runWith(nil, "compare", objects+"none", rows); r.code != exitInput || !strings.Contains(r.stderr, objects+"none: there is no such object") {
		t.Errorf("compare with none: status %d, %s", r.code, r.stderr)
	}
	if r := runWith(nil, "map", "--out", objects+"runs", "--unit", objects+"none:0"); r.code != exitInput || !strings.Contains(r.stderr, objects+"none: there is no such object") {
		t.Errorf("no plan: status %d, %s", r.code, r.stderr)
	}
}
