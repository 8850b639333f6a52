package job

import (
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pcapbatch/internal/capture"
	"pcapbatch/internal/capturetest"
	"pcapbatch/internal/report"
)

// cutsOf are offsets that cut a capture of size bytes into n ranges.
func cutsOf(size int64, n int) (cuts []int64) {
	for i := range n + 1 {
		cuts = append(cuts, size*int64(i)/int64(n))
	}
	return cuts
}

// mapRanges maps the ranges of a capture between cuts, the last one first.
func mapRanges(t testing.TB, c Config, partitions int, path string, cuts []int64) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "runs")
	for i := len(cuts) - 2; i >= 0; i-- {
		c.Range = capture.Range{From: cuts[i], To: cuts[i+1]}
		if r := mapTo(t, c, dir, partitions, path); r.err != nil {
			t.Fatal(r.err)
		}
	}
	return dir
}

// bgzf packs data in blocks.
func bgzf(t testing.TB, data []byte) (file []byte) {
	t.Helper()
	for part := range slices.Chunk(data, 20_000) {
		z := gzipped(t, part)
		z[3] |= 4 // there is an extra field
		size := len(z) + 8 - 1
		file = slices.Concat(file, z[:10], []byte{6, 0, 'B', 'C', 2, 0, byte(size), byte(size >> 8)}, z[10:])
	}
	return append(file, "\x1f\x8b\x08\x04\x00\x00\x00\x00\x00\xff\x06\x00BC\x02\x00\x1b\x00\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00"...)
}

// countsOf is what a report says of captures and records.
func countsOf(r *report.Run) report.Run {
	c := *r
	c.Seconds, c.Reordered, c.Joined, c.Figures, c.Labels = 0, 0, 0, nil, nil
	c.Captures = slices.Clone(r.Captures)
	for i := range c.Captures {
		c.Captures[i].Range = nil
		slices.SortFunc(c.Captures[i].LinkTypes, func(a, b report.LinkTypeCount) int { return int(a.Link) - int(b.Link) })
	}
	for _, m := range []map[string]uint64{c.NonIPKinds, c.Undecodable} {
		maps.DeleteFunc(m, func(_ string, n uint64) bool { return n == 0 })
	}
	return c
}

// The ranges of a capture give the rows and the counts of the whole.
func TestRanges(t *testing.T) {
	t.Parallel()
	traffic, _ := capturetest.Traffic(2000)
	for name, data := range map[string][]byte{
		"traffic.pcap":  capturetest.Pcap(traffic...),
		"sessions.pcap": capturetest.MicroPcap(capturetest.ManySessions(3, 3000)...),
		"links.pcapng":  capturetest.ManyLinks()[:1<<20],
		"sessions.bgz":  bgzf(t, capturetest.Pcap(capturetest.ManySessions(4, 9000)...)),
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, filepath.Join(t.TempDir(), name), data)
			c := testConfig(2)
			want := extract(t, c, path)
			for _, n := range []int{2, 7} {
				c := c
				c.RangeLead = int64(len(data)) / int64(n) / 2
				if strings.HasSuffix(name, ".bgz") {
					c.RangeLead = 300 << 10 // unpacked; for the first record to be found
				}
				runs := mapRanges(t, c, 4, path, cutsOf(int64(len(data)), n))
				have := merge(t, c, runs)
				sameRows(t, fmt.Sprint(n, " ranges"), have.rows, want.rows)
				if a, b := countsOf(have.report), countsOf(want.report); !reflect.DeepEqual(a, b) {
					t.Errorf("%d ranges: %+v\nnot %+v", n, a, b)
				}
				parts := filepath.Join(t.TempDir(), "parts")
				for p := range 4 {
					if r := reduce(t, c, p, parts, runs); r.err != nil {
						t.Fatal(r.err)
					}
				}
				sameRows(t, fmt.Sprint(n, " ranges, parts"), joinParts(t, c, parts).rows, want.rows)
			}
		})
	}
}

// With the key capture the ranges of one have its number.
func TestRangesKeyCapture(t *testing.T) {
	t.Parallel()
	_, paths := series(t, 600, 3)
	c := testConfig(2)
	c.Sessions.Capture = true
	c.CaptureSessions = true
	want := extract(t, c, paths...)
	runs := filepath.Join(t.TempDir(), "runs")
	for i, path := range paths {
		cuts := cutsOf(fileSize(t, path), 3)
		if i == 1 {
			cuts = []int64{0, 0} // as a whole
		}
		for i := range cuts[1:] {
			c := c
			c.Range = capture.Range{From: cuts[i], To: cuts[i+1]}
			mapTo(t, c, runs, 4, path).clean(t)
		}
	}
	have := merge(t, c, runs)
	sameRows(t, "merged", have.rows, want.rows)
	if a, b := countsOf(have.report), countsOf(want.report); !reflect.DeepEqual(a, b) {
		t.Errorf("%+v\nnot %+v", a, b)
	}
}

func fileSize(t testing.TB, path string) int64 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// A later fragment finds its first one in the range before it, and the first
// record of a range is found in the middle of a capture.
func TestRangeLead(t *testing.T) {
	t.Parallel()
	const begin = capturetest.Begin
	var records []capturetest.Record
	records = append(records, filler(begin, 40<<20)...)
	records = append(records, fragmentAt(begin, 0))
	records = append(records, filler(begin, 31<<20)...)
	records = append(records, fragmentAt(begin, 2))
	records = append(records, filler(begin, 1<<20)...)
	path := pcap(t, records)
	c := testConfig(2)
	want := extract(t, c, path)
	if want.report.Unmatched > 0 {
		t.Fatal("the fragments do not match in the whole")
	}
	have := merge(t, c, mapRanges(t, c, 4, path, []int64{0, 50 << 20, 71 << 20, 0}))
	if have.err != nil || !reflect.DeepEqual(countsOf(have.report), countsOf(want.report)) {
		t.Errorf("%v: %+v\nnot %+v", have.err, have.report, want.report)
	}
	const columns = 9 // the sizes of the one large session are estimated
	for i, line := range strings.Split(have.rows, "\n") {
		a, b := strings.SplitN(line, ",", columns), strings.SplitN(strings.Split(want.rows, "\n")[i], ",", columns)
		if !slices.Equal(a[:len(a)-1], b[:len(b)-1]) {
			t.Errorf("%q\nnot %q", a, b)
		}
	}
}

// What comes after damage is left out, as it is where the whole is read.
func TestRangesOfDamaged(t *testing.T) {
	t.Parallel()
	records := capturetest.ManySessions(5, 20_000)
	data := capturetest.Pcap(records...)
	at := len(capturetest.Pcap(records[:12_000]...))
	binary.LittleEndian.PutUint32(data[at+8:], 1<<30) // the capture length
	path := write(t, filepath.Join(t.TempDir(), "c.pcap"), data)
	c := testConfig(2)
	c.RangeLead = 300 << 10
	want := extract(t, c, path)
	have := merge(t, c, mapRanges(t, c, 4, path, cutsOf(int64(len(data)), 6)))
	if have.err != nil {
		t.Fatal(have.err)
	}
	sameRows(t, "damaged", have.rows, want.rows)
	a, b := countsOf(have.report), countsOf(want.report)
	b.Bytes, a.Bytes, a.Captures[0].Bytes, b.Captures[0].Bytes = 0, 0, 0, 0 // not all ranges were read
	if !reflect.DeepEqual(a, b) || !slices.Equal(have.notices, want.notices) {
		t.Errorf("%+v %q\nnot %+v %q", a, have.notices, b, want.notices)
	}
}

// Ranges that are not those of one capture, or not all of them, are refused.
func TestRangesThatDoNotFit(t *testing.T) {
	t.Parallel()
	records := capturetest.ManySessions(5, 2000)
	path := pcap(t, records)
	size := fileSize(t, path)
	cuts := cutsOf(size, 4)
	c := testConfig(1)
	one := func(dir string, from, to int64) {
		t.Helper()
		c := c
		c.Range = capture.Range{From: from, To: to}
		if r := mapTo(t, c, dir, 4, path); r.err != nil {
			t.Fatal(r.err)
		}
	}
	refused := func(what, text string, ranges ...int64) {
		t.Helper()
		dir := filepath.Join(t.TempDir(), "runs")
		for i := 0; i < len(ranges); i += 2 {
			one(dir, ranges[i], ranges[i+1])
		}
		t.Run(what, func(t *testing.T) {
			merge(t, c, dir).refuses(t, Kept, text)
			reduce(t, c, 0, t.TempDir(), dir).refuses(t, Kept, text)
		})
	}
	refused("first missing", fmt.Sprintf("no run file of its range 0-%d", cuts[1]), cuts[1], cuts[2], cuts[2], size)
	refused("one missing", fmt.Sprintf("no run file of its range %d-%d", cuts[1], cuts[2]), 0, cuts[1], cuts[2], size)
	refused("last missing", fmt.Sprintf("no run file of its range %d-%d", cuts[3], size), 0, cuts[1], cuts[1], cuts[3])
	refused("overlap", "overlap", 0, cuts[2], cuts[1], 0)
	refused("twice", "remove the run files of one plan", 0, cuts[2], 0, cuts[1], cuts[2], 0)
	refused("whole too", "remove the run files of one plan", 0, 0, 0, cuts[1], cuts[1], 0)

	// A record that is another one for the range after it.
	dir := filepath.Join(t.TempDir(), "runs")
	one(dir, 0, cuts[2])
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	data := load(t, path)
	last := len(capturetest.Pcap(records[:lastBefore(records, cuts[2])]...))
	binary.LittleEndian.PutUint32(data[last:], 5) // another time
	write(t, path, data)
	if err := os.Chtimes(path, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	one(dir, cuts[2], 0)
	merge(t, c, dir).refuses(t, Kept, "do not fit")
}

// lastBefore is the number of the last record that begins before an offset of a
// pcap of records.
func lastBefore(records []capturetest.Record, offset int64) int {
	at := int64(24)
	for i, r := range records {
		if at += 16 + int64(len(r.Data)); at >= offset {
			return i
		}
	}
	return len(records)
}

// What has no ranges is refused, and rules that need whole sessions.
// Run files of an old plan, made before the capture changed, do not count beside
// those of a new one: a job that goes on in the same directory would count the
// capture twice.
func TestRangesOfTwoPlans(t *testing.T) {
	t.Parallel()
	records := capturetest.ManySessions(5, 2000)
	old, now := capturetest.Pcap(records[:1000]...), capturetest.Pcap(records...)
	later := capturetest.Pcap(records[100:]...) // begins at another time
	size := int64(len(now))
	for _, plans := range []struct {
		what        string
		data        [2][]byte
		first, next []int64 // cuts of the plans
	}{
		{"a capture outgrows a unit", [2][]byte{old, now}, []int64{0, 0}, []int64{0, size / 2, 0}},
		{"a capture shrinks", [2][]byte{now, old}, []int64{0, size / 2, 0}, []int64{0, 0}},
		{"other ranges", [2][]byte{now, later}, []int64{0, size / 3, 0}, []int64{0, size / 2, 0}},
		{"larger units", [2][]byte{now, now}, []int64{0, size / 4, size / 2, 0}, []int64{0, size / 2, 0}},
	} {
		c, dir := testConfig(1), filepath.Join(t.TempDir(), "runs")
		path := filepath.Join(t.TempDir(), "c.pcap")
		for i, cuts := range [][]int64{plans.first, plans.next} {
			write(t, path, plans.data[i])
			for j := range cuts[1:] {
				c := c
				c.Range = capture.Range{From: cuts[j], To: cuts[j+1]}
				if r := mapTo(t, c, dir, 2, path); r.err != nil {
					t.Fatal(r.err)
				}
			}
		}
		c.Expect = []string{path}
		t.Run(plans.what, func(t *testing.T) {
			merge(t, c, dir).refuses(t, Kept, "remove the run files of one plan")
			reduce(t, c, 0, t.TempDir(), dir).refuses(t, Kept, "remove the run files of one plan")
		})
	}
}

// The units of an old plan, done again after the capture has changed, read what it
// is now; those that were not done again do not fit to the others.
func TestOldPlan(t *testing.T) {
	t.Parallel()
	records := capturetest.ManySessions(5, 2000)
	whole := capturetest.Pcap(records...)
	units, cuts := 3, cutsOf(int64(len(whole)), 3)
	cuts[units] = 0
	for what, now := range map[string][]byte{
		"it grew":              capturetest.Pcap(append(slices.Clone(records), capturetest.ManySessions(6, 500)...)...),
		"it lost its end":      capturetest.Pcap(records[:500]...),
		"it lost a few":        capturetest.Pcap(records[:1900]...),
		"it has other records": capturetest.Pcap(capturetest.ManySessions(7, 2000)...),
	} {
		path, dir := write(t, filepath.Join(t.TempDir(), "c.pcap"), whole), filepath.Join(t.TempDir(), "runs")
		unit := func(i int) {
			c := testConfig(1)
			c.Range = capture.Range{From: cuts[i], To: cuts[i+1]}
			if r := mapTo(t, c, dir, 2, path); r.err != nil {
				t.Fatal(r.err)
			}
		}
		for i := range units {
			unit(i)
		}
		write(t, path, now)
		for i := range units {
			if i > 0 {
				merge(t, testConfig(1), dir).refuses(t, Kept, "")
			}
			unit(i)
		}
		r := merge(t, testConfig(1), dir)
		if r.err != nil || r.report.Damaged() {
			t.Errorf("%s: %v, %+v", what, r.err, r.report.Damage)
		}
		sameRows(t, what, r.rows, extract(t, testConfig(1), path).clean(t))
	}
}

func TestRangeRefused(t *testing.T) {
	t.Parallel()
	path := pcap(t, capturetest.ManySessions(5, 100))
	packed := write(t, filepath.Join(t.TempDir(), "c.pcap.gz"), gzipped(t, load(t, path)))
	c := testConfig(1)
	c.Range = capture.Range{From: 0, To: 1000}
	dir := filepath.Join(t.TempDir(), "runs")
	mapTo(t, c, dir, 4, packed).refuses(t, Usage, "only pcap and pcapng have ranges")
	mapTo(t, c, dir, 4, path, packed).refuses(t, Usage, "for one capture")
	c.Sessions.TCPEnd, c.Sessions.Capture = true, true
	mapTo(t, c, dir, 4, path).refuses(t, Usage, "map the capture as a whole")
	if _, err := os.Stat(dir); err == nil && len(entriesOf(t, dir)) > 0 {
		t.Errorf("there is %q", entriesOf(t, dir))
	}
}

// The run file of a range is used again, and that of another range is not.
func TestRangeCurrent(t *testing.T) {
	t.Parallel()
	path := pcap(t, capturetest.ManySessions(5, 500))
	cuts := cutsOf(fileSize(t, path), 2)
	c := testConfig(1)
	runs := mapRanges(t, c, 4, path, cuts)
	c.Range = capture.Range{From: cuts[1], To: cuts[2]}
	for _, o := range outcomesOf(t, c, runs, path) {
		if o.Status != Unchanged || o.Range != c.Range.String() {
			t.Errorf("%+v", o)
		}
	}
	c.Range.To = 0
	for _, o := range outcomesOf(t, c, runs, path) {
		if o.Status != Made {
			t.Errorf("%+v", o)
		}
	}
}

// Real captures in ranges give the rows of the whole, but for medians of large
// sessions and sessions whose clock runs back.
func TestRangesReal(t *testing.T) {
	t.Parallel()
	files, _ := filepath.Glob("../../../shared/captures/*")
	if len(files) == 0 {
		t.Skip("no captures")
	}
	c := testConfig(1)
	c.Columns.Features = nil
	c.Columns.Columns = strings.Split("src_ip,dst_ip,src_port,dst_port,protocol,first_seen_ns,last_seen_ns,packet_length_min,packet_length_max,"+
		"packet_length_std,payload_size_min,payload_size_max,payload_size_std,duration_s,truncated_packets,total_packets,bytes_per_s", ",")
	c.RangeLead = 16 << 10
	joined := 0
	for i, path := range files {
		if size := fileSize(t, path); i%capturetest.Usually(4, 1) > 0 || size < 20_000 || size > 4<<20 {
			continue
		}
		dir := filepath.Join(t.TempDir(), "runs")
		err := error(nil)
		for cuts := cutsOf(fileSize(t, path), 3); len(cuts) > 1 && err == nil; cuts = cuts[1:] {
			c := c
			c.Range = capture.Range{From: cuts[0], To: cuts[1]}
			err = mapTo(t, c, dir, 4, path).err
		}
		if err != nil {
			if CategoryOf(err) != Usage {
				t.Errorf("%s: %v", path, err)
			}
			continue
		}
		have := merge(t, c, dir)
		if have.err != nil {
			t.Log(have.err) // the lead is so small that a record is not found for sure
			continue
		}
		joined++
		sameRows(t, filepath.Base(path), have.rows, extract(t, c, path).rows)
	}
	if t.Logf("%d captures", joined); joined < 5 {
		t.Errorf("only %d captures", joined)
	}
}
