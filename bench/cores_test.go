package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestCores(t *testing.T) {
	self, dir := fake(t, "good"), dataDir(t)
	jsonPath := filepath.Join(t.TempDir(), "cores.json")
	code, stdout, stderr := bench("cores", "-batch", self, "-old", self, "-data", dir, "-rounds", "2", "-cpus", "1", "-rows", "mix,mix-zst", "-json", jsonPath)
	if strings.Contains(stderr, "taskset is not installed") {
		t.Skip("taskset is not installed")
	}
	// The row that has no capture is an error and leaves the other.
	if code != 2 || !strings.Contains(stderr, "row mix-zst: skipped: no mix.pcap.zst") {
		t.Fatalf("exit code %d, %s", code, stderr)
	}
	if !strings.Contains(stdout, "wall / old") || !strings.Contains(squeezed(stdout), squeezed("mix 1 0.")) {
		t.Errorf("stdout %q", stdout)
	}
	var rep coreReport
	if err := readJSON(jsonPath, &rep); err != nil || len(rep.Rows) != 1 {
		t.Fatalf("%+v, %v", rep, err)
	}
	if r := rep.Rows[0]; r.Packets != 2000 || len(r.Program) != 2 || len(r.Old) != 2 || r.OldRatio <= 0 || r.Faster != 1 {
		t.Errorf("%+v", r)
	}
}

func TestCoreResult(t *testing.T) {
	r := coreResult{
		Packets: 100,
		Program: []sample{{WallS: 1, CPUS: 3, PeakRSS: 5}, {WallS: 2, CPUS: 4, PeakRSS: 7}, {WallS: 4, CPUS: 8, PeakRSS: 6}},
		Old:     []sample{{WallS: 2, CPUS: 3}, {WallS: 2, CPUS: 8}, {WallS: 2, CPUS: 16}},
	}
	r.derive([]sample{{WallS: 4}, {WallS: 4}, {WallS: 4}})
	if r.WallS != 2 || r.CPUS != 4 || r.PeakRSS != 7 || r.PacketsPerS != 50 || r.Faster != 2 || r.OldRatio != 1 || r.OldCPURatio != 0.5 {
		t.Errorf("%+v", r)
	}
}

func TestCPUNumbers(t *testing.T) {
	for _, c := range []struct {
		list string
		n    int
		want []int
		err  string
	}{
		{"", 1, []int{1}, ""},
		{"", 2, []int{1, 2}, ""},
		{"", 12, []int{1, 2, 4, 8, 12}, ""},
		{"2,3,16", 16, []int{2, 3, 16}, ""},
		{"2,17", 16, nil, `"17" is no number of CPUs from 3 to 16`},
		{"2,2", 16, nil, `"2" is no number of CPUs from 3 to 16`},
		{"0", 16, nil, `"0" is no number of CPUs from 1 to 16`},
		{"all", 16, nil, `"all" is no number of CPUs from 1 to 16`},
	} {
		got, err := cpuNumbers(c.list, c.n)
		if c.err == "" && err != nil || c.err != "" && (err == nil || err.Error() != c.err) || !slices.Equal(got, c.want) {
			t.Errorf("%q of %d: %v, %v", c.list, c.n, got, err)
		}
	}
}
