package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestJudge(t *testing.T) {
	base := baselineRow{Ratio: 2, CPURatio: 4}
	for _, c := range []struct {
		ratio, cpu float64
		wall       bool
		want       string
	}{
		{2, 4, true, good},
		{2.29, 4.59, true, good},
		{2.31, 4, true, worse},
		{2, 4.61, true, worse},
		{2.31, 4, false, good}, // other number of CPUs
		{2, 4.61, false, worse},
		{1.7, 3.4, true, better},
		{1.7, 4, true, good},
	} {
		g := gate{compareWall: c.wall, factor: 1.15}
		if got := g.judge(base, result{Ratio: c.ratio, CPURatio: c.cpu}); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
}

// baselineFile takes a baseline with the fake program, lets change edit it,
// and returns the command line that compares with it.
func baselineFile(t *testing.T, change func(*baseline)) []string {
	t.Helper()
	if _, _, err := firstInstalled([][]string{{"taskset"}}); err != nil {
		t.Skip(err)
	}
	self, dir := fake(t, "good"), dataDir(t)
	path := filepath.Join(t.TempDir(), "baseline.json")
	args := []string{"gate", "-batch", self, "-data", dir, "-rounds", "1", "-baseline", path}
	if code, _, stderr := bench(append(args, "-write")...); code != 0 {
		t.Fatalf("exit code %d, %s", code, stderr)
	}
	var base baseline
	if err := readJSON(path, &base); err != nil {
		t.Fatal(err)
	}
	if len(base.Rows) != len(gateRows()) || base.Machine.CPUs == 0 {
		t.Fatalf("baseline %+v", base)
	}
	change(&base)
	if err := writeJSON(path, base); err != nil {
		t.Fatal(err)
	}
	return args
}

// setRatios makes every measurement of the fake program better or worse than
// the baseline.
func setRatios(ratio float64) func(*baseline) {
	return func(b *baseline) {
		for i := range b.Rows {
			b.Rows[i].Ratio, b.Rows[i].CPURatio = ratio, ratio
		}
	}
}

func TestGatePasses(t *testing.T) {
	args := baselineFile(t, setRatios(1e9))
	jsonPath := filepath.Join(t.TempDir(), "g.json")
	code, stdout, stderr := bench(append(args, "-json", jsonPath)...)
	if code != 0 || strings.Count(stdout, "take a new baseline") != len(gateRows()) {
		t.Errorf("exit code %d, %s%s", code, stdout, stderr)
	}
	var rep report
	if err := readJSON(jsonPath, &rep); err != nil || len(rep.Rows) != len(gateRows()) {
		t.Errorf("%+v, %v", rep, err)
	}
}

func TestGateFailsOnlyAfterAllAttempts(t *testing.T) {
	args := baselineFile(t, func(b *baseline) {
		setRatios(1e9)(b)
		b.Rows[1].CPURatio = 1e-9
	})
	code, stdout, stderr := bench(args...)
	if code != 1 || !strings.Contains(stderr, "worse than the baseline: mix-1cpu") {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	if n := strings.Count(stdout, "mix-1cpu "); n != attempts {
		t.Errorf("measured %d times:\n%s", n, stdout)
	}
	if !strings.Contains(stdout, "victim ") {
		t.Errorf("the rows behind the worse one were not measured:\n%s", stdout)
	}
}

func TestGateThatComparesCPUOnly(t *testing.T) {
	args := baselineFile(t, func(b *baseline) {
		for i := range b.Rows {
			b.Rows[i].Ratio, b.Rows[i].CPURatio = 1e-9, 1e9
		}
	})
	if code, stdout, stderr := bench(args...); code != 1 {
		t.Errorf("wall ratios do not count: exit code %d, %s%s", code, stdout, stderr)
	}
	if code, stdout, stderr := bench(append(args, "-cpu-only")...); code != 0 || !strings.Contains(stdout, "only CPU ratios are compared") {
		t.Errorf("-cpu-only: exit code %d, %s%s", code, stdout, stderr)
	}
	var base baseline
	path := args[len(args)-1]
	if err := readJSON(path, &base); err != nil {
		t.Fatal(err)
	}
	base.Machine.CPUs++
	if err := writeJSON(path, base); err != nil {
		t.Fatal(err)
	}
	if code, stdout, stderr := bench(args...); code != 0 || !strings.Contains(stdout, "only CPU ratios are compared") {
		t.Errorf("other number of CPUs: exit code %d, %s%s", code, stdout, stderr)
	}
}

// TestGateRefuses what cannot be compared instead of passing it.
func TestGateRefuses(t *testing.T) {
	for name, change := range map[string]func(*baseline){
		"other captures":  func(b *baseline) { b.Rows[0].Packets++ },
		"other reference": func(b *baseline) { b.Rows[0].Against = "cat" },
		"unknown row":     func(b *baseline) { b.Rows[0].Name = "cats" },
		"no rows":         func(b *baseline) { b.Rows = nil },
		"row without captures": func(b *baseline) {
			b.Rows[0].Name = "mix-zst"
		},
	} {
		if code, stdout, stderr := bench(baselineFile(t, change)...); code != 2 {
			t.Errorf("%s: exit code %d, %s%s", name, code, stdout, stderr)
		}
	}
}

func TestPeers(t *testing.T) {
	self, dir := fake(t, "good"), dataDir(t)
	t.Setenv("BENCH_NFPCAPD", self)
	t.Setenv("BENCH_SOFTFLOWD", filepath.Join(dir, "not-there"))
	jsonPath := filepath.Join(t.TempDir(), "p.json")
	args := []string{"peers", "-batch", self, "-data", dir, "-capture", "mix.pcap", "-rounds", "2", "-peers", "nfpcapd,softflowd", "-json", jsonPath}
	code, stdout, stderr := bench(args...)
	if code != 0 || !strings.Contains(stdout, "packets, bytes, first and last time, TCP flags") {
		t.Fatalf("exit code %d, %s%s", code, stdout, stderr)
	}
	if !strings.Contains(stderr, "softflowd: not installed") {
		t.Errorf("stderr %q", stderr)
	}
	var rep peerReport
	if err := readJSON(jsonPath, &rep); err != nil || len(rep.Peers) != 1 || rep.Packets != 2000 || rep.Sessions != 200 {
		t.Fatalf("%+v, %v", rep, err)
	}
	if times := rep.Peers[0].Times; len(times.Program) != 2 || len(times.Reference) != 2 || times.Ratio <= 0 {
		t.Errorf("%+v", times)
	}
}

// TestPeerWithoutResultHasFailed: a peer that ends well and writes nothing is
// not measured.
func TestPeerWithoutResultHasFailed(t *testing.T) {
	self, dir := fake(t, "silent"), dataDir(t)
	t.Setenv("BENCH_NFPCAPD", self)
	code, stdout, stderr := bench("peers", "-batch", self, "-data", dir, "-capture", "mix.pcap", "-rounds", "1", "-peers", "nfpcapd")
	if code != 0 || !strings.Contains(stdout, "failed: nfpcapd ended well but wrote nothing to nfcapd.*") {
		t.Errorf("exit code %d, %s%s", code, stdout, stderr)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".out-*")); len(left) != 0 {
		t.Errorf("left behind: %q", left)
	}
}

// A peer that cannot say its version has it in its path, or nobody knows.
func TestVersionInPath(t *testing.T) {
	p := peer{name: "flowscope"}
	for path, want := range map[string]string{"/src/flowscope-0.26.0/target/release/x": "0.26.0", "/bin/x": "unknown"} {
		if got := p.describe(path); got != want {
			t.Errorf("%s: %q", path, got)
		}
	}
}

func TestPeerFiles(t *testing.T) {
	chosen, err := selectPeers("NFStream,go-flows")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range chosen {
		dir := t.TempDir()
		argv, err := p.prepare("/bin/x", "c.pcap", dir)
		if err != nil || argv[0] != "/bin/x" || strings.Contains(strings.Join(argv, " "), "{") {
			t.Errorf("%s: %q, %v", p.name, argv, err)
		}
		for name := range p.files {
			if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() == 0 {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
