package job

import (
	"encoding/csv"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pcapbatch/internal/label"
	"pcapbatch/internal/report"
)

func labelsOf(t testing.TB, rules, digest string) *Labels {
	t.Helper()
	set, err := label.Read(strings.NewReader(rules), label.Options{Captures: true})
	if err != nil {
		t.Fatal(err)
	}
	return &Labels{Rules: set, Default: "other, or none", Digest: digest}
}

// Rows have the same labels whatever the way they were made, and the report
// counts them.
func TestLabels(t *testing.T) {
	t.Parallel()
	dir, _ := series(t, 3000, 4)
	c := testConfig(3)
	_, first, _ := strings.Cut(extract(t, c, dir).clean(t), "\n")
	source := strings.Split(first, ",")[0]
	c.Labels = labelsOf(t, "src_ip,protocol,label\n"+source+",17,\"a \"\"source\"\"\"\n"+source+",,never\n,6,tcp\n", "1")
	r := extract(t, c, dir)
	want := r.clean(t)
	records, err := csv.NewReader(strings.NewReader(want)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	counts, unmatched, labels := map[string]uint64{"never": 0, "tcp": 0}, uint64(0), map[string]string{}
	for _, row := range records[1:] {
		name := row[len(row)-1]
		labels[row[0]] = name
		if name == c.Labels.Default {
			unmatched++
		} else {
			counts[name]++
		}
	}
	if records[0][len(records[0])-1] != "label" || labels[source] != `a "source"` || unmatched == 0 {
		t.Fatalf("%v, %d without a rule, labels by source %v", records[0], unmatched, labels)
	}
	check := func(what string, got *report.Labels, unused bool) {
		t.Helper()
		if got == nil || !maps.Equal(got.Sessions, counts) || got.Unmatched != unmatched || (got.Unused != nil) != unused {
			t.Fatalf("%s: the report has %+v, the rows %v and %d", what, got, counts, unmatched)
		}
		if unused && (got.Unused.Rules != 2 || !slices.Equal(got.Unused.Lines, []int{3, 4})) {
			t.Errorf("%s: unused: %+v", what, got.Unused)
		}
	}
	runs := mapped(t, c, 5, dir)
	for what, r := range map[string]result{
		"extract": r, "little memory": extract(t, scarce(c), dir), "merge": merge(t, c, runs), "state": resume(t, c, t.TempDir(), dir),
	} {
		sameRows(t, what, r.clean(t), want)
		check(what, r.report.Labels, true)
	}
	parts := reduced(t, c, 5, runs)
	joined := joinParts(t, testConfig(1), parts)
	sameRows(t, "parts", joined.clean(t), want)
	check("parts", joined.report.Labels, false)

	// Parts with other rules do not go together.
	c.Labels = labelsOf(t, "label\nx\n", "2")
	other := reduced(t, c, 5, runs)
	joinParts(t, testConfig(1), parts+"/0000-of-0005.part", other+"/0001-of-0005.part").refuses(t, Kept, "have different columns")
}

// A rule can name a capture where the key has it.
func TestLabelsOfCaptures(t *testing.T) {
	t.Parallel()
	dir, paths := series(t, 600, 3)
	c := testConfig(2)
	c.Labels = labelsOf(t, "capture,label\n"+paths[1]+",second\n"+dir+"/*,any\n", "")
	extract(t, c, dir).refuses(t, Usage, "--key capture")
	c.Sessions.Capture = true
	want := extract(t, c, dir).clean(t)
	records, err := csv.NewReader(strings.NewReader(want)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	at := slices.Index(records[0], "capture")
	for _, row := range records[1:] {
		if got := row[len(row)-1]; (got == "second") != (row[at] == paths[1]) || got == c.Labels.Default {
			t.Fatalf("a session of %s has the label %q", row[at], got)
		}
	}
	sameRows(t, "merge", merge(t, c, mapped(t, c, 2, dir)).clean(t), want)
}

// What the rules take is not there for sessions, captures and large records. A
// run whose rules leave too little is refused, with what would be enough.
func TestMemoryOfLabels(t *testing.T) {
	t.Parallel()
	var rules strings.Builder
	rules.WriteString("src_ip,dst_port,label\n")
	for i := range 40_000 {
		fmt.Fprintf(&rules, "10.%d.%d.0/24,%d,label %d\n", i%250, i/250%250, i%60_000, i%9)
	}
	c := testConfig(2)
	c.Share, c.Memory = 0, LeastMemory(2)
	c.Labels = labelsOf(t, rules.String(), "")
	size := c.Labels.bytes(2)
	if size < 40_000*64 || size > 40_000*400 {
		t.Fatalf("40 000 rules are said to take %d bytes", size)
	}
	c.Memory += size - 1
	extract(t, c, "../../testdata/example.pcap").refuses(t, Usage, fmt.Sprint("at least ", LeastMemory(2)+size, " bytes are needed: ", report.BinaryBytes(size), " for 40,000 rules of --labels, 48.0 MiB for 2 workers"))
	for _, more := range []int64{0, 1 << 20, 1 << 30} {
		c.Memory = LeastMemory(2) + size + more
		got, err := c.begin()
		if err != nil {
			t.Fatal(err)
		}
		bare := c
		bare.Memory, bare.Labels = c.Memory-size, nil
		want, err := bare.begin()
		if err != nil {
			t.Fatal(err)
		}
		if got.share != want.share || got.forCaptures != want.forCaptures || got.Memory != want.Memory {
			t.Errorf("with %d bytes more: share %d, captures %d, want %d and %d", more, got.share, got.forCaptures, want.share, want.forCaptures)
		}
	}
	extract(t, c, "../../testdata/example.pcap").clean(t)
}
