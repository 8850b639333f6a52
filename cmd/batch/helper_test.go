package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pcapbatch/internal/capturetest"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/report"

	"github.com/rogpeppe/go-internal/testscript"
)

// testdata holds the captures that the generator made, by story.
const testdata = "../../testdata"

// TestMain lets the test binary be the command: in scripts, and for the tests
// that need a process of its own (exec.Command("batch")).
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"batch": main, "batch-peak": mainPeak})
}

// result is what a run left.
type result struct {
	stdout, stderr string
	code           int
}

func runWith(stdin []byte, args ...string) result {
	var out, err bytes.Buffer
	code := run(args, bytes.NewReader(stdin), &out, &err)
	return result{out.String(), err.String(), code}
}

// runOn is a run on a file system.
func runOn(fs durable.FS, args ...string) result {
	var out, err bytes.Buffer
	code := runIn(&env{in: bytes.NewReader(nil), out: &out, err: &err, fs: fs}, args)
	return result{out.String(), err.String(), code}
}

// mustRun is a run that ends well and says nothing on standard error.
func mustRun(t testing.TB, args ...string) string {
	t.Helper()
	r := runWith(nil, args...)
	if r.code != exitOK || r.stderr != "" {
		t.Fatalf("batch %q: exit code %d, stderr %q", args, r.code, r.stderr)
	}
	return r.stdout
}

// A row is one session by column name.
type row map[string]string

func parseRows(t testing.TB, text string) []row {
	t.Helper()
	records, err := csv.NewReader(strings.NewReader(text)).ReadAll() // refuses rows of different lengths
	if err != nil || len(records) == 0 {
		t.Fatalf("not a CSV: %v", err)
	}
	var rows []row
	for _, cells := range records[1:] {
		r := row{}
		for i, name := range records[0] {
			r[name] = cells[i]
		}
		rows = append(rows, r)
	}
	return rows
}

// expect compares the columns named in want.
func (r row) expect(t testing.TB, want row) {
	t.Helper()
	for name, w := range want {
		if got, ok := r[name]; !ok || got != w {
			t.Errorf("%s = %q, want %q", name, got, w)
		}
	}
}

// write puts a file into a directory of the test's own.
func write(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// readSummary reads what --summary wrote.
func readSummary(t testing.TB, path string) *report.Run {
	t.Helper()
	var r report.Run
	if err := json.Unmarshal(read(t, path), &r); err != nil {
		t.Fatal(err)
	}
	return &r
}

// files lists the captures of testdata: every file but the README.
func files(t testing.TB) []string {
	t.Helper()
	entries, err := os.ReadDir(testdata)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if e.Type().IsRegular() && e.Name() != "README.md" {
			names = append(names, e.Name())
		}
	}
	if len(names) < 50 {
		t.Fatalf("only %d captures in %s", len(names), testdata)
	}
	return names
}

// mustWrite writes a file, and makes its directory where there is none.
func mustWrite(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// series cuts n packets of small sessions into k captures that follow each
// other, and returns their directory.
func series(t *testing.T, n, k int) (dir string, paths []string) {
	t.Helper()
	dir = t.TempDir()
	records := capturetest.ManySessions(7, n)
	for i := range k {
		path := filepath.Join(dir, fmt.Sprintf("%02d.pcap", i))
		mustWrite(t, path, string(pcap(records[i*n/k:(i+1)*n/k]...)))
		paths = append(paths, path)
	}
	return dir, paths
}

// extracted is the plain run that all others are held against.
func extracted(t *testing.T, args ...string) string {
	t.Helper()
	return mustRun(t, append([]string{"extract"}, args...)...)
}

// mapped makes run files of captures and returns their directory.
func mapped(t *testing.T, args ...string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "runs")
	if text := mustRun(t, append([]string{"map", "--out", out}, args...)...); text != "" {
		t.Errorf("map wrote %q", text)
	}
	return out
}

// differentLine is the number of the first line that differs.
func differentLine(a, b string) int {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range x {
		if i >= len(y) || x[i] != y[i] {
			return i + 1
		}
	}
	return len(x)
}

// smallCaptures writes n captures of 10 packets each, a thousand to a
// directory; a session goes on through ten of them. It returns all packets.
// pack compresses a capture; nil leaves it plain.
func smallCaptures(t testing.TB, dir string, n int, pack func([]byte) []byte) (all []record) {
	t.Helper()
	for i := range n {
		sub := filepath.Join(dir, fmt.Sprintf("%03d", i/1000))
		if i%1000 == 0 {
			if err := os.Mkdir(sub, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		var records []record
		for k := range 10 {
			records = append(records, record{
				Time: begin + int64(10*i+k)*second/100,
				Data: ip(client, server, protoUDP, udp(uint16(i/10), 53, k)),
			})
		}
		data := pcap(records...)
		if pack != nil {
			data = pack(data)
		}
		if err := os.WriteFile(filepath.Join(sub, fmt.Sprintf("%06d.pcap", i)), data, 0o600); err != nil {
			t.Fatal(err)
		}
		all = append(all, records...)
	}
	return all
}
