package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// fakeVariable makes the test binary play a program instead of running tests.
const fakeVariable = "BENCH_TEST_FAKE"

// TestMain lets the test binary stand for the program under test, for a peer
// (nfpcapd) and for bench itself, which harness starts as the floor.
func TestMain(m *testing.M) {
	mode := os.Getenv(fakeVariable)
	if mode == "" {
		os.Exit(m.Run())
	}
	if mode == "hangs" {
		time.Sleep(time.Hour)
	}
	if mode == "fails" {
		fmt.Fprintln(os.Stderr, "first line\ndisk on fire")
		os.Exit(3)
	}
	var err error
	switch os.Args[1] {
	case "extract":
		err = fakeExtract(mode, os.Args[2:])
	case "compare":
		err = fakeCompare(os.Args[2], os.Args[3])
	case "-r":
		err = fakePeer(mode, os.Args[2], os.Args[4])
	default:
		os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// fakeExtract counts the packets of the captures and writes a CSV of sessions
// of ten packets. It takes the arguments of `batch extract`.
func fakeExtract(mode string, args []string) error {
	flags := flag.NewFlagSet("extract", flag.ContinueOnError)
	flags.Bool("q", false, "")
	csv := flags.String("o", "", "")
	summaryPath := flags.String("summary", "", "")
	reportPath := flags.String("report", "", "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var total walkTotals
	for _, path := range flags.Args() {
		if err := walkFile(path, &total); err != nil {
			return err
		}
	}
	if mode == "loses" {
		total.packets--
	}
	var rows bytes.Buffer
	rows.WriteString("src_ip,total_packets,bytes_per_s\n")
	sessions := int64(0)
	for left := total.packets; left > 0; left -= 10 {
		fmt.Fprintf(&rows, "10.0.0.1,%d,0.5\n", min(left, 10))
		sessions++
	}
	if mode == "miscounts" {
		sessions++
	}
	if *summaryPath != "" && mode != "silent" {
		if err := writeJSON(*summaryPath, summary{Packets: total.packets, Sessions: sessions}); err != nil {
			return err
		}
	}
	if *reportPath != "" {
		if err := os.WriteFile(*reportPath, nil, 0o644); err != nil {
			return err
		}
	}
	if mode == "mispacks" && !strings.HasSuffix(*csv, ".csv") {
		rows.WriteByte(' ')
	}
	return os.WriteFile(*csv, rows.Bytes(), 0o644)
}

// fakeCompare fails unless two files are the same.
func fakeCompare(a, b string) error {
	x, errA := os.ReadFile(a)
	y, errB := os.ReadFile(b)
	if err := errors.Join(errA, errB); err != nil || bytes.Equal(x, y) {
		return err
	}
	return errors.New("different")
}

// fakePeer writes the packet count as nfpcapd's result file, or an empty one.
func fakePeer(mode, capture, dir string) error {
	var total walkTotals
	if err := walkFile(capture, &total); err != nil {
		return err
	}
	result := fmt.Sprintln(total.packets)
	if mode == "silent" {
		result = ""
	}
	return os.WriteFile(filepath.Join(dir, "nfcapd.1"), []byte(result), 0o644)
}

// fake makes the processes that the test starts behave as mode says, and
// returns the path of the fake program.
func fake(t *testing.T, mode string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(fakeVariable, mode)
	t.Setenv("GORACE", "atexit_sleep_ms=0") // or every process takes a second with -race
	return self
}

// dataDir makes a directory with small captures of every kind.
func dataDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, k := range kinds {
		if _, err := writeCapture(k, 0.0002, 1, 1, dir); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// bench runs a command line as main does.
func bench(args ...string) (code int, stdout, stderr string) {
	var out, complaint bytes.Buffer
	code = run(args, &out, &complaint)
	return code, out.String(), complaint.String()
}

func TestWrongUse(t *testing.T) {
	for _, args := range [][]string{
		{}, {"fly"}, {"gen", "-kind", "cats"}, {"gen", "-scale", "0"}, {"gen", "-scale", "NaN"}, {"gen", "-split", "0"},
		{"gen", "-nosuchflag"}, {"labels", "-n", "0"}, {"gunzip"}, {"floor"}, {"floor", "no-such-file"}, {"run", "-rows", "cats"}, {"run", "-rounds", "0"},
		{"gate", "-baseline", "no-such-file"}, {"peers", "-peers", "cats"},
	} {
		if code, _, stderr := bench(args...); code != 2 || !strings.Contains(stderr, "bench: ") {
			t.Errorf("%q: exit code %d, stderr %q", args, code, stderr)
		}
	}
	if code, _, stderr := bench("run", "-h"); code != 0 || !strings.Contains(stderr, "-rounds") {
		t.Errorf("-h: exit code %d, stderr %q", code, stderr)
	}
}

func TestGenThenFloor(t *testing.T) {
	dir := t.TempDir()
	code, stdout, stderr := bench("gen", "-kind", "scan", "-scale", "0.001", "-split", "3", "-o", dir)
	if code != 0 || !strings.HasPrefix(stdout, "scan: 4600 packets, ") {
		t.Fatalf("gen: exit code %d, %q, %q", code, stdout, stderr)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 3 {
		t.Fatalf("files %q, %v", files, err)
	}
	code, stdout, _ = bench(append([]string{"floor"}, files...)...)
	if code != 0 || !strings.HasPrefix(stdout, "4600 packets, ") {
		t.Errorf("floor: exit code %d, %q", code, stdout)
	}
}

// The microseconds' capture has the same packets, and the floor reads it.
func TestGenMicros(t *testing.T) {
	var got [2]string
	for i, flags := range [][]string{nil, {"-micros"}} {
		dir := t.TempDir()
		if code, _, stderr := bench(append([]string{"gen", "-kind", "mix", "-scale", "0.0002", "-o", dir}, flags...)...); code != 0 {
			t.Fatal(stderr)
		}
		path := filepath.Join(dir, "mix.pcap")
		if code, _, stderr := bench("floor", path); code != 0 {
			t.Fatal(stderr)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for at := fileHeaderSize; at < len(data); at += recordHeaderSize + int(binary.LittleEndian.Uint32(data[at+8:])) {
			fraction := binary.LittleEndian.Uint32(data[at+4:])
			if i == 0 {
				fraction /= 1000
			}
			binary.LittleEndian.PutUint32(data[at+4:], fraction)
		}
		got[i] = string(data[4:])
	}
	if got[0] != got[1] {
		t.Error("other packets")
	}
}

// The same rules every time, with every prefix length on both sides and a tenth
// of the cells empty.
func TestLabels(t *testing.T) {
	var files [2]string
	for i := range files {
		path := filepath.Join(t.TempDir(), "new", "labels.csv")
		if code, stdout, stderr := bench("labels", "-n", "3000", "-o", path); code != 0 || stdout != "3000 rules\n" {
			t.Fatalf("exit code %d, %s%s", code, stdout, stderr)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files[i] = string(data)
	}
	if files[0] != files[1] {
		t.Error("other rules")
	}
	lines := strings.Split(strings.TrimSpace(files[0]), "\n")[1:]
	cells, empty := 0, 0
	var lengths [2]map[string]bool
	for side := range lengths {
		lengths[side] = map[string]bool{}
	}
	for _, line := range lines {
		list := strings.Split(line, ",")
		if len(list) != 8 {
			t.Fatalf("%q", line)
		}
		for i, cell := range list[:7] {
			cells++
			if cell == "" {
				empty++
			} else if i < 2 {
				_, length, _ := strings.Cut(cell, "/")
				lengths[i][length] = true
			}
		}
	}
	if len(lines) != 3000 || len(lengths[0]) != 30 || len(lengths[1]) != 30 || empty*9 > cells || empty*11 < cells {
		t.Errorf("%d rules, %d and %d prefix lengths, %d of %d cells are empty", len(lines), len(lengths[0]), len(lengths[1]), empty, cells)
	}
}

func TestGenLeavesNothingBehindOnFailure(t *testing.T) {
	dir := t.TempDir()
	// A directory under the second file's name makes the rename fail.
	if err := os.MkdirAll(filepath.Join(dir, "scan-01.pcap", "full"), 0o755); err != nil {
		t.Fatal(err)
	}
	if code, _, _ := bench("gen", "-kind", "scan", "-scale", "0.001", "-split", "2", "-o", dir); code != 2 {
		t.Fatalf("exit code %d", code)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".scan*")); len(left) != 0 {
		t.Errorf("left behind: %q", left)
	}
}

func TestProcess(t *testing.T) {
	self := fake(t, "good")
	dir := dataDir(t)
	got, err := process{argv: []string{self, "floor", filepath.Join(dir, "mix.pcap")}}.run(time.Minute)
	if err != nil || got.WallS <= 0 || got.CPUS <= 0 {
		t.Errorf("%+v, %v", got, err)
	}
	fake(t, "fails")
	_, err = process{argv: []string{self, "floor"}}.run(time.Minute)
	if err == nil || !strings.HasSuffix(err.Error(), "exit status 3: disk on fire") {
		t.Errorf("fails: %v", err)
	}
	fake(t, "hangs")
	_, err = process{argv: []string{self, "floor"}}.run(50 * time.Millisecond)
	if err == nil || !strings.Contains(err.Error(), "not done after 50ms") {
		t.Errorf("hangs: %v", err)
	}
}

func TestOnCPUs(t *testing.T) {
	if got := strings.Join(onCPUs([]string{"a", "b"}, 0), " "); got != "a b" {
		t.Errorf("all: %q", got)
	}
	if got := strings.Join(onCPUs([]string{"a", "b"}, 2), " "); got != "taskset -c 0-1 a b" {
		t.Errorf("two: %q", got)
	}
}

func TestTailKeepsTheEnd(t *testing.T) {
	var end tail
	w := bufio.NewWriterSize(&end, 100)
	for i := range 5000 {
		fmt.Fprintf(w, "line %d\n", i)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if end.lastLine() != "line 4999" || len(end.buf) > 4096 {
		t.Errorf("%q, %d bytes kept", end.lastLine(), len(end.buf))
	}
	if (&tail{}).lastLine() != "" {
		t.Error("nothing written, something kept")
	}
}
