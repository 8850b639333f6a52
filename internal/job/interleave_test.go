package job

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pcapbatch/internal/capturetest"
	"pcapbatch/internal/durabletest"
)

// sameAsWhole compares an interleaved run over dir with the run over all
// records as one capture.
func sameAsWhole(t *testing.T, c Config, records []capturetest.Record, dir string) {
	t.Helper()
	whole := extract(t, c, pcap(t, records))
	c.Interleave = true
	for _, c.Workers = range []int{1, 2, 3} {
		got := extract(t, c, dir)
		sameRows(t, fmt.Sprint(c.Workers, " workers"), got.clean(t), whole.clean(t))
		sameCounts(t, got, whole)
	}
}

func TestInterleaveIsAsOneCapture(t *testing.T) {
	t.Parallel()
	records, flows := capturetest.Traffic(2500)
	other := testConfig(1)
	other.Sessions.IdleTimeout, other.Sessions.Unidirectional = 1e9, true
	for _, k := range []int{2, 7, 300} {
		for _, compress := range []bool{false, true} {
			if !capturetest.Full() && k > 2 && compress == (k == 7) {
				continue // one of both
			}
			t.Run(fmt.Sprintf("captures=%d/gzip=%t", k, compress), func(t *testing.T) {
				turns := deal(t, records, k, compress, func(i int) int { return i % k })
				sameAsWhole(t, testConfig(1), records, turns)
				sameAsWhole(t, other, records, turns)
				small := testConfig(1)
				small.BlockBytes = 4 << 10
				sameAsWhole(t, small, records, deal(t, records, k, compress, func(i int) int { return flows[i] % k }))
			})
		}
	}
}

// Merged captures spill as single ones do.
func TestInterleaveSpilling(t *testing.T) {
	t.Parallel()
	records := capturetest.ManySessions(4, 8000)
	slices.SortStableFunc(records, func(a, b capturetest.Record) int { return int(a.Time - b.Time) })
	for i := range records { // no two at the same time
		records[i].Time = max(records[i].Time, records[max(i, 1)-1].Time+1)
	}
	dir := deal(t, records, 5, false, func(i int) int { return i % 5 })
	want := extract(t, testConfig(1), pcap(t, records))
	fs := durabletest.None()
	c := scarce(testConfig(2))
	c.Interleave, c.FS = true, fs
	got := extract(t, c, dir)
	sameRows(t, "spilling", got.clean(t), want.clean(t))
	sameCounts(t, got, want)
	if fs.Temps() < 2 {
		t.Errorf("%d temporary files", fs.Temps())
	}
}

// Packets that come late inside one capture stay where they are, and are
// counted.
func TestInterleaveKeepsDisorder(t *testing.T) {
	t.Parallel()
	records, flows := capturetest.Traffic(5000)
	for i := range records {
		if i%11 == 0 {
			records[i].Time -= 3 * capturetest.Second
		}
	}
	const k = 7
	dir := deal(t, records, k, false, func(i int) int { return flows[i] % k })
	sameAsWhole(t, testConfig(1), records, dir)
	c := testConfig(1)
	c.Interleave = true
	if n := extract(t, c, dir).report.Reordered; n < 100 {
		t.Errorf("%d packets out of order: the test shows nothing", n)
	}
}

// Without Interleave the captures that overlap an earlier one are named,
// whether they are read side by side or not; with it there are none.
func TestOverlaps(t *testing.T) {
	t.Parallel()
	records, _ := capturetest.Traffic(2000)
	const k = 5
	for _, compress := range []bool{false, true} {
		dir := deal(t, records, k, compress, func(i int) int { return i % k })
		c := testConfig(1)
		c.StretchBytes = 1
		for what, r := range map[string]result{"extract": extract(t, c, dir), "resume": resume(t, c, t.TempDir(), dir), "merge": merge(t, c, mapped(t, c, 2, dir))} {
			r.clean(t)
			first := r.report.Captures[0].Path
			if n := len(r.report.Overlaps); n != k-1 || r.report.Overlaps[0].Earlier != first {
				t.Errorf("%s, gzip=%t: %d captures overlap an earlier one, want %d: %v", what, compress, n, k-1, r.report.Overlaps)
			}
		}
		c.Interleave = true
		if r := extract(t, c, dir); r.clean(t) == "" || len(r.report.Overlaps) != 0 {
			t.Errorf("gzip=%t, interleaved: %v", compress, r.report.Overlaps)
		}
	}
}

// Of damaged captures every record before the damage counts, those without
// records do no harm, and the others go on.
func TestInterleaveDamage(t *testing.T) {
	t.Parallel()
	records, _ := capturetest.Traffic(900)
	const k = 3
	dir := deal(t, records, k, false, func(i int) int { return i % k })
	cut := filepath.Join(dir, "001")
	data := load(t, cut)
	for name, content := range map[string][]byte{"001": data[:len(data)-1], "none.pcap": capturetest.Pcap(), "text": []byte("no capture at all")} {
		write(t, filepath.Join(dir, name), content)
	}
	c := testConfig(1)
	c.Interleave = true
	r := extract(t, c, dir)
	if r.err != nil || len(r.notices) != 1 || !strings.Contains(strings.Join(r.notices, "\n"), cut+": record 300 at offset") {
		t.Errorf("%v, %q", r.err, r.notices)
	}
	if got := r.report; got.Records != uint64(len(records)-1) || len(got.Captures) != k+1 || len(got.Damage) != 1 || got.NotCaptures != 1 {
		t.Errorf("%d records, %d captures, %d damaged, %d no captures", got.Records, len(got.Captures), len(got.Damage), got.NotCaptures)
	}
	c.Strict = true
	extract(t, c, dir).refuses(t, Damaged, "")
}

// What can be read only once is merged with a file.
func TestInterleaveStandardInput(t *testing.T) {
	t.Parallel()
	records, _ := capturetest.Traffic(3000)
	var hands [2][]capturetest.Record
	for i, r := range records {
		hands[i%2] = append(hands[i%2], r)
	}
	c := testConfig(1)
	want := extract(t, c, pcap(t, records)).clean(t)
	c.Interleave, c.Stdin = true, bytes.NewReader(gzipped(t, capturetest.Pcap(hands[0]...)))
	sameRows(t, "standard input and a file", extract(t, c, "-", pcap(t, hands[1])).clean(t), want)
}

// Records of any size fit into merged blocks.
func TestInterleaveHugeRecords(t *testing.T) {
	t.Parallel()
	huge := make([]byte, 3<<20)
	sent, begin := capturetest.Sent, capturetest.Begin
	hands := [][]capturetest.Record{
		{
			{Time: begin, Data: sent(capturetest.SYN, 0)},
			{Time: begin + 2, Data: capturetest.IP(capturetest.Client, capturetest.Server, 99, huge[:60000])},
			{Time: begin + 4, Data: sent(capturetest.ACK, 9)},
		},
		{
			{Time: begin + 1, Data: capturetest.Ethernet(0x1234, huge[:250_000])},
			{Time: begin + 3, Data: capturetest.Answered(capturetest.ACK, 7)},
		},
	}
	dir := t.TempDir()
	var all []capturetest.Record
	for i, h := range hands {
		write(t, filepath.Join(dir, fmt.Sprint(i)), capturetest.Pcap(h...))
		all = append(all, h...)
	}
	slices.SortFunc(all, func(a, b capturetest.Record) int { return int(a.Time - b.Time) })
	sameAsWhole(t, testConfig(1), all, dir)
}
