package job

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pcapbatch/internal/capturetest"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/durabletest"
	"pcapbatch/internal/report"
)

// connections are n packets of TCP connections between few addresses, with all
// that closes and opens one, and of UDP. The first packet is always the same.
func connections(r *rand.Rand, n int) (records []capturetest.Record) {
	at := capturetest.Begin
	for i := range n {
		flow := uint16(r.IntN(40))
		flags := []byte{capturetest.ACK, capturetest.ACK, capturetest.SYN, capturetest.FIN | capturetest.ACK, capturetest.RST}[min(4, r.IntN(14)/2)]
		if r.IntN(3) > 0 {
			flags = capturetest.ACK
		}
		if i == 0 {
			flow, flags = 1, capturetest.SYN
		} else {
			at += r.Int64N(20_000_000)
		}
		src, dst, from, to := capturetest.Client, capturetest.Server, 1024+flow, uint16(443)
		if i > 0 && r.IntN(2) == 0 {
			src, dst, from, to = dst, src, to, from
		}
		data := capturetest.IP(src, dst, capturetest.ProtoTCP, capturetest.TCP(from, to, flags, r.IntN(900)))
		if flow%5 == 0 {
			data = capturetest.IP(src, dst, capturetest.ProtoUDP, capturetest.UDP(from, to, r.IntN(900)))
		}
		when := at
		if i > 0 && r.IntN(40) == 0 {
			when = max(capturetest.Begin+1, at-r.Int64N(50_000_000))
		}
		records = append(records, capturetest.Record{Time: when, Data: data})
	}
	return records
}

// oddNames are names of captures, with what stands in a cell for them.
func oddNames() [][2]string {
	return [][2]string{
		{"0.pcap", "0.pcap"}, {"a,b.pcap", "a,b.pcap"}, {`c"d".pcap`, `c""d"".pcap`}, {"e\nf", `e\x0af`},
		{"g\xff\xfe", `g\xff\xfe`}, {"h i", "h i"}, {"jäß.pcap", "jäß.pcap"},
	}
}

// unrelated writes captures that share addresses and times, under odd names,
// and returns their directory and, by path, their cells.
func unrelated(t *testing.T, seed uint64) (dir string, cells map[string]string) {
	t.Helper()
	r := seeded(t, seed)
	dir = t.TempDir()
	cells = map[string]string{}
	for i, name := range oddNames() {
		data := capturetest.Pcap(connections(r, 300+r.IntN(900))...)
		if i%3 == 1 {
			data = gzipped(t, data)
		}
		path := filepath.Join(dir, name[0])
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Skipf("a file cannot have this name: %v", err)
		}
		cell := filepath.Join(dir, name[1])
		if strings.ContainsAny(path, `,"`) {
			cell = `"` + cell + `"`
		}
		cells[path] = cell
	}
	return dir, cells
}

// identityColumns is how many columns come before that of the capture.
const identityColumns = 7

// each returns the sorted rows of runs over single captures, with the column of
// the capture.
func each(t *testing.T, c Config, cells map[string]string) (rows []string) {
	t.Helper()
	c.Sessions.Capture = false
	for path, cell := range cells {
		lines := strings.Split(strings.TrimSuffix(extract(t, c, path).clean(t), "\n"), "\n")
		for _, line := range lines[1:] {
			list := strings.SplitN(line, ",", identityColumns+1)
			rows = append(rows, strings.Join(slices.Insert(list, identityColumns, cell), ","))
		}
	}
	slices.Sort(rows)
	return rows
}

// inOrder fails unless rows are ordered by time, and those of one time and key by
// capture, which is here by path.
func inOrder(t *testing.T, text string) {
	t.Helper()
	var before row
	ties := 0
	for i, r := range parseRows(t, text) {
		same := before != nil
		for _, name := range []string{"first_seen_ns", "src_ip", "dst_ip", "src_port", "dst_port", "protocol"} {
			same = same && r[name] == before[name]
		}
		if before != nil && r["first_seen_ns"] < before["first_seen_ns"] || same && r["capture"] < before["capture"] {
			t.Fatalf("row %d is out of order", i)
		}
		if same && r["capture"] != before["capture"] {
			ties++
		}
		before = r
	}
	if ties < 3 {
		t.Errorf("%d rows of one key and time in different captures: nothing was shown", ties)
	}
}

// With the capture in the key the rows are those of single runs over each
// capture, in any way that there is to make them.
func TestKeyCapture(t *testing.T) {
	t.Parallel()
	for name, rule := range map[string]func(s *Sessions){
		"no rule":        func(*Sessions) {},
		"idle":           func(s *Sessions) { s.IdleTimeout = 100 * time.Millisecond },
		"active":         func(s *Sessions) { s.ActiveTimeout = 300 * time.Millisecond },
		"tcp":            func(s *Sessions) { s.TCPEnd = true },
		"all":            func(s *Sessions) { s.IdleTimeout, s.ActiveTimeout, s.TCPEnd = time.Second, 2*time.Second, true },
		"unidirectional": func(s *Sessions) { s.Unidirectional, s.TCPEnd = true, true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, cells := unrelated(t, uint64(len(name)))
			c := testConfig(2)
			c.Sessions.Capture = true
			rule(&c.Sessions)
			want := each(t, c, cells)
			first := extract(t, c, dir)
			text := first.clean(t)
			lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
			if list := strings.Split(lines[0], ","); list[identityColumns] != "capture" {
				t.Fatalf("header %s", lines[0])
			}
			got := slices.Sorted(slices.Values(lines[1:]))
			if !slices.Equal(got, want) {
				t.Fatalf("%d rows, the captures one by one have %d; or others", len(got), len(want))
			}
			if strings.Contains(text, "\xff") || strings.Count(text, "\n") != len(lines) {
				t.Error("a path is not quoted")
			}
			inOrder(t, text)
			if len(first.report.Overlaps) > 0 {
				t.Error("captures are said to overlap")
			}
			keyCaptureWays(t, c, dir, text)
		})
	}
}

// keyCaptureWays makes the rows in all ways.
func keyCaptureWays(t *testing.T, c Config, dir, want string) {
	whole := c.Sessions.whole()
	for _, c.Workers = range []int{1, 3} {
		sameRows(t, fmt.Sprint("workers: ", c.Workers), extract(t, c, dir).clean(t), want)
		state := filepath.Join(t.TempDir(), "state")
		for range 2 {
			sameRows(t, fmt.Sprint("state, workers: ", c.Workers), resume(t, c, state, dir).clean(t), want)
		}
		const partitions = 5
		runs := mapped(t, c, partitions, dir)
		sameRows(t, "merge", merge(t, c, runs).clean(t), want)
		parts := reduced(t, c, partitions, runs)
		sameRows(t, "parts", joinParts(t, c, parts).clean(t), want)
		wholeFiles(t, c, runs, parts)
		// Each capture fits, all together do not.
		tight, fs := c, durabletest.None()
		tight.Share, tight.LeastSpill, tight.FS = 300<<10, 150<<10, fs
		if c.Workers == 1 {
			sameRows(t, "tight", extract(t, tight, dir).clean(t), want)
			if fs.Temps() == 0 && whole {
				t.Error("nothing was put on disk")
			}
		}
		scarce := scarce(c)
		if whole { // no table of one capture may be spilled
			scarce.BlockBytes, scarce.Share, scarce.LeastSpill = 0, 4<<20, 4<<20
		}
		sameRows(t, "scarce", extract(t, scarce, dir).clean(t), want)
		sameRows(t, "scarce state", resume(t, scarce, t.TempDir(), dir).clean(t), want)
		sameRows(t, "scarce merge", merge(t, scarceMerge(c), runs).clean(t), want)
		sameRows(t, "scarce parts", joinParts(t, c, reduced(t, scarceMerge(c), partitions, runs)).clean(t), want)
	}
}

// wholeFiles fails unless all run files and parts verify.
func wholeFiles(t *testing.T, c Config, dirs ...string) {
	t.Helper()
	n := 0
	err := Verify(t.Context(), c, dirs, false, func(v *report.Verification) error {
		n++
		if v.Damage != nil {
			t.Errorf("%s: %v", v.Path, v.Damage)
		}
		return nil
	})
	if err != nil || n < 2 {
		t.Errorf("%d files verified, %v", n, err)
	}
}

// scarceMerge leaves a merge little memory.
func scarceMerge(c Config) Config {
	c.Share = 4 << 10
	return c
}

// Run files with different numbers of partitions are merged too.
func TestKeyCaptureUnlikePartitions(t *testing.T) {
	t.Parallel()
	dir, _ := unrelated(t, 9)
	c := testConfig(2)
	c.Sessions.Capture, c.Sessions.TCPEnd = true, true
	names := oddNames()
	one, other := mapped(t, c, 3, filepath.Join(dir, names[0][0]), filepath.Join(dir, names[2][0])), ""
	var rest []string
	for i, n := range names {
		if i != 0 && i != 2 {
			rest = append(rest, filepath.Join(dir, n[0]))
		}
	}
	other = mapped(t, c, 8, rest...)
	sameRows(t, "3 and 8 partitions", merge(t, c, one, other).clean(t), extract(t, c, dir).clean(t))
}

// What was made with another key is refused, and so is interleaving.
func TestKeyCaptureRefuses(t *testing.T) {
	t.Parallel()
	dir, _ := series(t, 200, 2)
	c := testConfig(1)
	state := t.TempDir()
	resume(t, c, state, dir).clean(t)
	c.Sessions.Capture = true
	resume(t, c, state, dir).refuses(t, Kept, `--key is "" and "capture"`)
	c.Interleave = true
	extract(t, c, dir).refuses(t, Usage, "--key capture")
	c.Interleave, c.Sessions.Capture, c.Sessions.TCPEnd = false, false, true
	resume(t, c, t.TempDir(), dir).refuses(t, Usage, "--key capture")
}

// Many captures of one packet each take no table of their own for long.
func TestKeyCaptureManyCaptures(t *testing.T) {
	t.Parallel()
	n := 1500
	if testing.Short() {
		n = 300
	}
	dir := t.TempDir()
	for i := range n {
		data := capturetest.IP(capturetest.Client, capturetest.Server, capturetest.ProtoUDP, capturetest.UDP(1000, 53, i%500))
		write(t, filepath.Join(dir, fmt.Sprintf("%05d", i)), capturetest.Pcap(capturetest.Record{Time: capturetest.Begin + int64(i/3), Data: data}))
	}
	c := testConfig(2)
	c.Sessions.Capture, c.Sessions.VLAN = true, true
	rows := parseRows(t, extract(t, c, dir).clean(t))
	if len(rows) != n {
		t.Fatalf("%d rows of %d captures", len(rows), n)
	}
	for i, r := range rows {
		if want := filepath.Join(dir, fmt.Sprintf("%05d", i)); r["capture"] != want || r["vlan_outer"] != "0" {
			t.Fatalf("row %d is of %s, VLAN %q", i, r["capture"], r["vlan_outer"])
		}
	}
}

// The captures of the corpus have nothing to do with each other: no session is
// longer than its capture.
func TestKeyCaptureCorpus(t *testing.T) {
	t.Parallel()
	c := testConfig(2)
	c.FS = durable.NoSync(c.FS)
	c.Sessions.Capture, c.Sessions.TCPEnd, c.Sessions.ActiveTimeout = true, true, time.Hour
	got := extract(t, c, corpus(t)...)
	if got.err != nil {
		t.Fatal(got.err)
	}
	packets := map[string]uint64{}
	for _, r := range parseRows(t, got.rows) {
		var n uint64
		fmt.Sscan(r["total_packets"], &n)
		packets[r["capture"]] += n
	}
	for _, found := range got.report.Captures {
		if packets[found.Path] != found.Packets {
			t.Errorf("%s: %d packets in its sessions, %d in the report", found.Path, packets[found.Path], found.Packets)
		}
	}
	runs := filepath.Join(t.TempDir(), "runs")
	if mapped := mapTo(t, c, runs, 4, corpus(t)...); mapped.err != nil {
		t.Fatal(mapped.err)
	}
	c.Duplicates = true
	if merged := merge(t, c, runs); merged.err != nil {
		t.Error(merged.err)
	} else {
		sameRows(t, "merged", merged.rows, got.rows)
	}
}
