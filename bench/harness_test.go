package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

// smallCapture is a capture with packets of these lengths, the wire 3 bytes
// longer.
func smallCapture(lengths ...int) []byte {
	b := make([]byte, fileHeaderSize)
	binary.LittleEndian.PutUint32(b, pcapMagicNs)
	for _, n := range lengths {
		b = append(b, make([]byte, 8)...)
		b = binary.LittleEndian.AppendUint32(b, uint32(n))
		b = binary.LittleEndian.AppendUint32(b, uint32(n+3))
		b = append(b, bytes.Repeat([]byte{0xff}, n)...)
	}
	return b
}

func TestWalkAtEveryBlockSize(t *testing.T) {
	text := smallCapture(0, 1, 100, 15, 16, 17, 0, 0, 60)
	want := walkTotals{packets: 9, wireBytes: 209 + 27}
	for size := recordHeaderSize; size < len(text)+2; size++ {
		for name, r := range map[string]io.Reader{
			"whole":    bytes.NewReader(text),
			"one byte": iotest.OneByteReader(bytes.NewReader(text)),
			"data+EOF": iotest.DataErrReader(bytes.NewReader(text)),
		} {
			var got walkTotals
			if err := walk(r, make([]byte, size), &got); err != nil || got != want {
				t.Fatalf("block of %d bytes, %s: %+v, %v", size, name, got, err)
			}
		}
	}
}

func TestWalkOfDamagedCaptures(t *testing.T) {
	text := smallCapture(50, 40)
	whole := len(text) - 56 // the second record's size
	for n := range text {
		var got walkTotals
		err := walk(bytes.NewReader(text[:n]), make([]byte, 64), &got)
		switch {
		case n == fileHeaderSize || n == whole:
			if err != nil {
				t.Errorf("cut between records at %d: %v", n, err)
			}
		case n == 0:
			if err != io.EOF {
				t.Errorf("empty: %v", err)
			}
		case err != io.ErrUnexpectedEOF:
			t.Errorf("cut at %d: %v", n, err)
		}
	}
	text[0]++
	if err := walk(bytes.NewReader(text), make([]byte, 64), new(walkTotals)); err == nil {
		t.Error("wrong magic number accepted")
	}
	broken := errors.New("broken")
	r := io.MultiReader(bytes.NewReader(smallCapture(50)), iotest.ErrReader(broken))
	if err := walk(r, make([]byte, 64), new(walkTotals)); !errors.Is(err, broken) {
		t.Errorf("read error: %v", err)
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   float64
	}{{nil, 0}, {[]float64{4}, 4}, {[]float64{9, 1}, 5}, {[]float64{3, 1, 2}, 2}, {[]float64{10, 1, 3, 2}, 2.5}} {
		before := append([]float64(nil), c.values...)
		if got := median(c.values); got != c.want {
			t.Errorf("median of %v is %v, want %v", c.values, got, c.want)
		}
		for i := range before {
			if c.values[i] != before[i] {
				t.Errorf("%v was reordered", before)
			}
		}
	}
}

// TestDerive: the machine is twice as slow in the last round, for both
// programs, which leaves the ratio alone.
func TestDerive(t *testing.T) {
	r := result{Packets: 1000, Sessions: 100, Bytes: 3e9,
		Program:   []sample{{WallS: 3, CPUS: 4, PeakRSS: 500}, {WallS: 2, CPUS: 6, PeakRSS: 700}, {WallS: 6, CPUS: 8, PeakRSS: 600}},
		Reference: []sample{{WallS: 1, CPUS: 1}, {WallS: 1, CPUS: 1}, {WallS: 2, CPUS: 2}},
		Neighbour: []sample{{WallS: 2}, {WallS: 4}, {WallS: 5}},
	}
	r.derive()
	got := [...]float64{r.WallS, r.CPUS, r.PacketsPerS, r.RowsPerS, r.GBPerS, r.CPUNsPerPacket, r.BytesPerRow, r.Ratio, r.RatioMin, r.RatioMax, r.CPURatio}
	want := [...]float64{3, 6, 1000. / 3, 100. / 3, 1, 6e6, 7, 3, 2, 3, 4}
	for i := range want {
		if math.Abs(got[i]-want[i]) > 1e-12*want[i] {
			t.Errorf("figure %d: got %v, want %v", i, got, want)
		}
	}
	if r.BesideRatio != 1.2 {
		t.Errorf("%v of the row beside it", r.BesideRatio)
	}
	if r.PeakRSS != 700 {
		t.Errorf("peak RSS %d", r.PeakRSS)
	}
}

func TestDeriveOfNothingIsFinite(t *testing.T) {
	r := result{Program: []sample{{}}, Reference: []sample{{}}}
	r.derive()
	if err := writeJSON(filepath.Join(t.TempDir(), "r.json"), r); err != nil {
		t.Error(err) // JSON has neither NaN nor Inf
	}
}

func TestCountCSV(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.csv")
	for _, c := range []struct {
		text string
		want outcome
		err  string
	}{
		{"a,total_packets,b\n1,2,3\n4,50,6\n", outcome{2, 52}, ""},
		{"total_packets\n7\n", outcome{1, 7}, ""},
		{"total_packets\n", outcome{}, ""},
		{"", outcome{}, "header"},
		{"a,b\n1,2\n", outcome{}, "no column"},
		{"a,total_packets\n1\n", outcome{}, "row 1"},
		{"a,total_packets\n1,2\n3,x\n", outcome{1, 2}, "row 2"},
		{"a,total_packets\n1,2\n3,4", outcome{1, 2}, "row 2"},
	} {
		if err := os.WriteFile(path, []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		got, err := countCSV(path)
		if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%q: %+v, %v", c.text, got, err)
		}
	}
}

func TestRunPrintsAndWrites(t *testing.T) {
	self, dir := fake(t, "good"), dataDir(t)
	jsonPath := filepath.Join(t.TempDir(), "r.json")
	code, stdout, stderr := bench("run", "-batch", self, "-data", dir, "-rounds", "3", "-rows", "mix,scan,mix-zst", "-json", jsonPath)
	if code != 0 {
		t.Fatalf("exit code %d, %s", code, stderr)
	}
	for _, text := range []string{"mix  2000  200  ", "peak RSS MB", "mix: wall / floor", "scan: million rows/s"} {
		if !strings.Contains(squeezed(stdout), squeezed(text)) {
			t.Errorf("no %q in\n%s", text, stdout)
		}
	}
	if strings.Contains(stdout, "elephant: wall") {
		t.Error("a goal without its row is printed")
	}
	if !strings.Contains(stderr, "mix-zst: skipped: no mix.pcap.zst") {
		t.Errorf("stderr %q", stderr)
	}
	var rep report
	if err := readJSON(jsonPath, &rep); err != nil || len(rep.Rows) != 2 {
		t.Fatalf("%+v, %v", rep, err)
	}
	mix := rep.Rows[0]
	if mix.Packets != 2000 || mix.Sessions != 200 || len(mix.Program) != 3 || len(mix.Reference) != 3 || mix.Ratio <= 0 || mix.Against != "bench floor" {
		t.Errorf("%+v", mix)
	}
	if size, err := sizeOf([]string{filepath.Join(dir, "mix.pcap")}); err != nil || mix.Bytes != size {
		t.Errorf("%d bytes, the file has %d, %v", mix.Bytes, size, err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".out-*")); len(left) != 0 {
		t.Errorf("left behind: %q", left)
	}
}

// TestWrongWorkIsNotMeasured: speed counts only with the right packets.
func TestWrongWorkIsNotMeasured(t *testing.T) {
	dir := dataDir(t)
	for mode, want := range map[string]string{
		"loses":     "the CSV has 1999 packets, the capture 2000",
		"miscounts": "the summary says 2000 packets in 201 sessions, the CSV 2000 in 200",
		"fails":     "exit status 3: disk on fire",
	} {
		code, stdout, stderr := bench("run", "-batch", fake(t, mode), "-data", dir, "-rows", "mix")
		if code != 2 || !strings.Contains(stderr, want) || stdout != "" {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q", mode, code, stdout, stderr)
		}
	}
	if code, _, stderr := bench("run", "-batch", fake(t, "silent"), "-data", dir, "-rows", "mix", "-rounds", "1"); code != 0 {
		t.Errorf("without a summary: exit code %d, %s", code, stderr)
	}
}

// Rows in another format are compared with the CSV before they are measured, in
// turn with the row beside them.
func TestOtherOutputs(t *testing.T) {
	dir := dataDir(t)
	args := []string{"run", "-data", dir, "-rows", "mix-parquet,mix-csvgz,mix-report,tiny-labels", "-rounds", "1", "-batch"}
	code, stdout, stderr := bench(append(args, fake(t, "good"))...)
	if code != 0 || !strings.Contains(stderr, "tiny-labels: skipped: no ") {
		t.Fatalf("exit code %d, %s", code, stderr)
	}
	for _, name := range []string{"mix-parquet", "mix-csvgz", "mix-report"} {
		if !strings.Contains(stdout, name+"  ") || !strings.Contains(stdout, ": mix\n") {
			t.Errorf("no %s in\n%s", name, stdout)
		}
	}
	code, _, stderr = bench(append(args, fake(t, "mispacks"))...)
	if code != 2 || !strings.Contains(stderr, "row mix-parquet: ") || !strings.Contains(stderr, "different") || strings.Contains(stderr, "row mix-report") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
}

// TestFailedRowLeavesTheOthers: the fake program cannot read what is not a
// capture.
func TestFailedRowLeavesTheOthers(t *testing.T) {
	self, dir := fake(t, "good"), dataDir(t)
	if err := os.WriteFile(filepath.Join(dir, "mix.pcap"), bytes.Repeat([]byte("no capture "), 9), 0o644); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := bench("run", "-batch", self, "-data", dir, "-rows", "mix,scan", "-rounds", "1")
	if code != 2 || !strings.Contains(stderr, "row mix: ") || !strings.Contains(stdout, "scan  ") {
		t.Errorf("exit code %d, %s%s", code, stdout, stderr)
	}
}

func TestRunWithoutCaptures(t *testing.T) {
	code, _, stderr := bench("run", "-data", t.TempDir())
	if code != 2 || !strings.Contains(stderr, "no row could be measured") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
}

func TestGoals(t *testing.T) {
	names := make(map[string]bool)
	for _, r := range rows {
		if names[r.name] {
			t.Errorf("two rows %q", r.name)
		}
		names[r.name] = true
	}
	for _, r := range rows {
		if r.beside != "" && !names[r.beside] {
			t.Errorf("row %q is beside the unknown row %q", r.name, r.beside)
		}
	}
	for _, g := range goals {
		for _, name := range g.rows {
			if !names[name] {
				t.Errorf("goal %q needs the unknown row %q", g.about, name)
			}
		}
	}
	rep := report{Rows: []result{
		{Name: "mix", WallS: 2, Packets: 10, Ratio: 2.5, CPUNsPerPacket: 171, PeakRSS: 500e6},
		{Name: "scan", RowsPerS: 2.9e6, Sessions: 1e6, PeakRSS: 356e6},
		{Name: "victim", Beside: "mix", BesideRatio: 1.1},
		{Name: "gz-8files-2cpu", BesideRatio: 0.5},
		{Name: "mix-parquet", BesideCPURatio: 1.4},
		{Name: "tiny-labels", Program: []sample{{CPUS: 3}}, Neighbour: []sample{{CPUS: 1}}},
		{Name: "scan-labels", Sessions: 1e6, PeakRSS: 500e6, Program: []sample{{CPUS: 7}, {CPUS: 6.5}}, Neighbour: []sample{{CPUS: 4.5, PeakRSS: 3e8}, {CPUS: 4.5}}},
	}}
	var out bytes.Buffer
	printGoals(&out, rep)
	for _, line := range []string{
		"mix: wall / floor<= 32.50met", "mix: CPU ns per packet<= 170171.00missed", "mix: peak RSS, MB<= 500500.00met",
		"scan: million rows/s>= 32.90missed", "scan: bytes a session beyond 100 MB of peak RSS<= 256256.00met",
		"mix-parquet: CPU / mix's<= 1.31.40missed", "scan-labels: CPU ns a row more than scan's<= 300250.00met",
		"scan-labels: peak RSS more than scan's, MB<= 200200.00met",
		"victim: wall / mix's, of as many packets<= 1.151.10met", "gz-8files: wall on one CPU / on two>= 1.92.00met",
	} {
		found := false
		for got := range strings.Lines(out.String()) {
			found = found || squeezed(got) == squeezed(line)
		}
		if !found {
			t.Errorf("no %q in\n%s", line, out.String())
		}
	}
}

// squeezed is a line without its spaces.
func squeezed(line string) string { return strings.Join(strings.Fields(line), "") }

func TestFirstInstalled(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, program := range []string{self, benchProgram} {
		name, argv, err := firstInstalled([][]string{{"no-such-program"}, {program, "x"}, {"also-not"}})
		if err != nil || name != program+" x" || strings.Join(argv, " ") != self+" x" {
			t.Errorf("%s: %q, %q, %v", program, name, argv, err)
		}
	}
	var skip errSkip
	if _, _, err = firstInstalled([][]string{{"no-such-program"}}); !errors.As(err, &skip) {
		t.Errorf("%v", err)
	}
}
