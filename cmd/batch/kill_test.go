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

	"pcapbatch/internal/capturetest"
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

	tried, hits map[string]int // by command: runs, and those that were killed before their end
}

func newKiller(t *testing.T) *killer {
	seed, err := strconv.ParseUint(os.Getenv("PCAPBATCH_SEED"), 10, 64)
	if err != nil {
		seed = rand.Uint64()
	}
	t.Logf("repeat with PCAPBATCH_SEED=%d", seed)
	k := &killer{t: t, rng: rand.New(rand.NewPCG(seed, 1)), took: 100 * time.Millisecond, tried: map[string]int{}, hits: map[string]int{}}
	t.Cleanup(func() {
		t.Logf("killed in the middle: %v of %v", k.hits, k.tried)
		for command, n := range k.tried {
			if n > 0 && k.hits[command] == 0 {
				t.Errorf("no %s was killed before its end", command)
			}
		}
	})
	return k
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

// kill runs batch and kills it somewhere within the time that it may take. If
// it was faster, that is tried again, sooner.
func (k *killer) kill(args ...string) {
	k.t.Helper()
	for range 20 {
		cmd := exec.Command("batch", args...)
		if err := cmd.Start(); err != nil {
			k.t.Fatal(err)
		}
		time.Sleep(time.Duration(k.rng.Int64N(int64(k.took))))
		cmd.Process.Kill()
		cmd.Wait()
		k.tried[args[0]]++
		if !cmd.ProcessState.Exited() {
			k.hits[args[0]]++
			return
		}
		k.took = max(k.took/2, 1)
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
	t.Parallel()
	dir, _ := series(t, 60_000, 12)
	want := extracted(t, dir)
	k := newKiller(t)
	outDir := t.TempDir()
	out := filepath.Join(outDir, "o.csv")
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
		expectEntries(t, outDir, "o.csv")
	}
}

// A run that spills leaves nothing in its directory for temporary files, even
// when it is killed, and what it leaves of its output the next one removes.
func TestKilledWhileSpilling(t *testing.T) {
	t.Parallel()
	capture := write(t, "c.pcap", pcap(capturetest.ManySessions(3, 150_000)...))
	temp, outDir := t.TempDir(), t.TempDir()
	out := filepath.Join(outDir, "o.csv")
	args := []string{"extract", "-j1", "--memory=32M", "--temp-dir", temp, "-o", out, capture}
	k := newKiller(t)
	k.whole(args...)
	want := string(read(t, out))
	for range kills(t) {
		k.kill(args...)
		expectEntries(t, temp)
	}
	if got := string(read(t, out)); got != want { // the old one, or a new one that came to its end
		t.Errorf("other rows from line %d", differentLine(got, want))
	}
	k.whole(args...)
	expectEntries(t, outDir, "o.csv")
}

// Units of a plan, ranges among them, and partitions that were killed and done
// again, or done twice at the same time, make the CSV of a single run, and
// outcomes that name all captures.
func TestMapReduceMergeProcesses(t *testing.T) {
	t.Parallel()
	const partitions = 3
	dir, paths := series(t, 30_000, 4)
	want := extracted(t, "--features=all", dir)
	k := newKiller(t)
	for round := 0; round < kills(t); round += 3 {
		runs, parts, outcomes := filepath.Join(t.TempDir(), "runs"), filepath.Join(t.TempDir(), "parts"), t.TempDir()
		outDir := t.TempDir()
		out := filepath.Join(outDir, "o.csv")
		unit := func(dir string, args ...string) {
			twin := exec.Command("batch", args...)
			if err := twin.Start(); err != nil {
				t.Fatal(err)
			}
			k.kill(args...)
			k.whole(args...)
			if err := twin.Wait(); err != nil {
				t.Errorf("batch %q, which was left alone: %v", args, err)
			}
			noTemporaries(t, dir)
		}
		merged := func(args ...string) {
			os.Remove(out)
			unit(outDir, append([]string{"merge", "-o", out}, args...)...)
			if got := string(read(t, out)); got != want {
				t.Fatalf("merge %q: other rows from line %d", args, differentLine(got, want))
			}
		}
		plan := write(t, "plan", []byte(mustRun(t, "plan", "--unit-bytes", fmt.Sprint(len(read(t, paths[0]))*2/3), dir)))
		units := strings.Count(string(read(t, plan)), "\n")
		if units <= len(paths) {
			t.Fatalf("%d units", units)
		}
		for i := range units {
			unit(runs, "map", "-q", "--features=all", "-P", fmt.Sprint(partitions), "--out", runs,
				"--outcomes", filepath.Join(outcomes, fmt.Sprint(i)), "--unit", fmt.Sprintf("%s:%d", plan, i))
		}
		var told []byte
		for i := range units {
			told = append(told, read(t, filepath.Join(outcomes, fmt.Sprint(i)))...)
		}
		merged("--features=all", "--expect", write(t, "told", told), runs)
		for p := range partitions {
			unit(parts, "reduce", "--features=all", "--partition", fmt.Sprint(p), "--expect", plan, "--out", parts, runs)
		}
		merged("--parts", parts)
	}
}
