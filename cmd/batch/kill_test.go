package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// kills is how often a process is killed in each of these tests; set
// PCAPBATCH_KILLS for more than the few that every run of the tests can afford.
func kills(t *testing.T) int {
	n, err := strconv.Atoi(os.Getenv("PCAPBATCH_KILLS"))
	if err != nil || n < 1 {
		return 3
	}
	return n
}

// A killer runs batch and kills it at random moments.
type killer struct {
	t    *testing.T
	rng  *rand.Rand
	took time.Duration // by a run that was left alone
	hits int           // runs that were killed before their end
}

func newKiller(t *testing.T) *killer {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return &killer{t: t, rng: rand.New(rand.NewPCG(seed, 1)), took: 100 * time.Millisecond}
}

// whole runs batch to its end.
func (k *killer) whole(args ...string) {
	k.t.Helper()
	start := time.Now()
	if out, err := exec.Command("batch", args...).CombinedOutput(); err != nil || len(out) > 0 {
		k.t.Fatalf("batch %q: %v: %s", args, err, out)
	}
	k.took = time.Since(start)
}

// kill runs batch and kills it somewhere within the time that it may take.
func (k *killer) kill(args ...string) {
	k.t.Helper()
	cmd := exec.Command("batch", args...)
	if err := cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	time.Sleep(time.Duration(k.rng.Int64N(int64(k.took))))
	cmd.Process.Kill()
	cmd.Wait()
	if !cmd.ProcessState.Exited() {
		k.hits++
	}
}

// noTemporaries fails if a run left something behind under another name.
func noTemporaries(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".tmp") {
			t.Errorf("%s was left in %s", e.Name(), dir)
		}
	}
}

// Killed at whatever moment, a run with --state goes on where it was, and ends
// with the rows of one that was left alone.
func TestKilledWithState(t *testing.T) {
	dir, _ := series(t, 120_000, 12)
	want := extracted(t, dir)
	k := newKiller(t)
	out := filepath.Join(t.TempDir(), "o.csv")
	k.whole("extract", "--state", filepath.Join(t.TempDir(), "first"), "-j2", "-o", out, dir)
	took := k.took
	for left := kills(t); left > 0; {
		state, temp := t.TempDir(), t.TempDir()
		os.Remove(out)
		for range min(left, 3) {
			k.took = took
			k.kill("extract", "--state", state, "-j2", "--temp-dir", temp, "-o", out, dir)
			left--
		}
		k.whole("extract", "--state", state, "-j2", "--temp-dir", temp, "-o", out, dir)
		if got := string(read(t, out)); got != want {
			t.Fatalf("other rows from line %d", differentLine(got, want))
		}
		noTemporaries(t, state)
		expectEntries(t, temp)
	}
	t.Logf("%d runs were killed in the middle", k.hits)
}

// A run that spills leaves nothing in its directory for temporary files, even
// when it is killed.
func TestKilledWhileSpilling(t *testing.T) {
	capture := write(t, "c.pcap", pcap(manySessions(3, 150_000)...))
	temp := t.TempDir()
	args := []string{"extract", "-j1", "--memory=32M", "--temp-dir", temp, "-o", filepath.Join(t.TempDir(), "o.csv"), capture}
	k := newKiller(t)
	k.whole(args...)
	took := k.took
	for range kills(t) {
		k.took = took
		k.kill(args...)
		expectEntries(t, temp)
	}
}

// Units of work that were killed and run again, or run twice at the same time,
// make the CSV of a single run.
func TestMapReduceMergeProcesses(t *testing.T) {
	const partitions = 3
	dir, paths := series(t, 60_000, 4)
	want := extracted(t, "--features=all", dir)
	k := newKiller(t)
	for round := 0; round < kills(t); round += 3 {
		runs, parts, out := filepath.Join(t.TempDir(), "runs"), filepath.Join(t.TempDir(), "parts"), filepath.Join(t.TempDir(), "o.csv")
		unit := func(args ...string) {
			twin := exec.Command("batch", args...)
			if err := twin.Start(); err != nil {
				t.Fatal(err)
			}
			k.kill(args...)
			k.whole(args...)
			if err := twin.Wait(); err != nil {
				t.Errorf("batch %q, which was left alone: %v", args, err)
			}
		}
		for _, path := range paths {
			unit("map", "-P", fmt.Sprint(partitions), "--out", runs, path)
		}
		for p := range partitions {
			unit("reduce", "--features=all", "--partition", fmt.Sprint(p), "--out", parts, runs)
		}
		unit("merge", "--parts", "-o", out, parts)
		if got := string(read(t, out)); got != want {
			t.Fatalf("other rows from line %d", differentLine(got, want))
		}
		k.whole("map", "-P", fmt.Sprint(partitions), "--out", runs, paths[0]) // sweeps
		k.whole("reduce", "--features=all", "--partition", "0", "--out", parts, runs)
		noTemporaries(t, runs)
		noTemporaries(t, parts)
	}
	t.Logf("%d units were killed in the middle", k.hits)
}
