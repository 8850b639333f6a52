package job

import (
	"fmt"
	"path/filepath"
	"runtime"
	"testing"

	"pcapbatch/internal/capturetest"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/runfile"
)

// heapBytes is what the heap holds.
func heapBytes() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what pools keep goes with the second one
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// heldRuns is what a job holds of each of the run files that it merges, before it
// merges them, and what it takes from --memory for that, in bytes.
func heldRuns(t *testing.T, runs string, slim func(k, first *keptRun)) (held, counted int64) {
	t.Helper()
	c := testConfig(1)
	c.Memory, c.Share = 1<<30, 0
	r, err := c.begin()
	if err != nil {
		t.Fatal(err)
	}
	paths, err := RunFiles(durable.OS, []string{runs})
	if err != nil {
		t.Fatal(err)
	}
	before, share := heapBytes(), r.share
	list, err := r.openKept(paths, runfile.Sessions, slim)
	if err == nil {
		list, err = r.prepare(list, true)
	}
	if err != nil {
		t.Fatal(err)
	}
	held = heapBytes() - before
	n := int64(len(list))
	runtime.KeepAlive(list)
	runtime.KeepAlive(r)
	return held / n, (share - r.share) / 7 * 8 / n
}

// A reduce holds of each run file what its own partition needs, however many
// partitions there are, and counts it in --memory. A merge, which takes them all,
// holds more of those that have sessions.
func TestHeldRunFiles(t *testing.T) {
	dir := t.TempDir()
	for i := range 200 {
		write(t, filepath.Join(dir, fmt.Sprintf("%04d.pcap", i)), capturetest.Pcap(capturetest.ManySessions(uint64(i), 500)...))
	}
	c := testConfig(2)
	few, many := t.TempDir(), t.TempDir()
	for partitions, runs := range map[int]string{4: few, 1024: many} {
		if r := mapTo(t, c, runs, partitions, dir); r.err != nil {
			t.Fatal(r.err)
		}
	}
	reduce := func(k, _ *keptRun) { k.SlimTo(3) }
	merge := func(k, _ *keptRun) { k.Slim() }
	less, _ := heldRuns(t, few, reduce)
	for name, slim := range map[string]func(k, first *keptRun){"reduce": reduce, "merge": merge} {
		held, counted := heldRuns(t, many, slim)
		t.Logf("%s: %d bytes for each run file of 1024 partitions, %d counted; %d of 4 partitions", name, held, counted, less)
		if held > counted || counted > 4*held {
			t.Errorf("%s: %d bytes held, %d counted in --memory", name, held, counted)
		}
		if name == "reduce" && (held > less+100 || held > 2<<10) {
			t.Errorf("%d bytes for each run file of 1024 partitions, %d of 4", held, less)
		}
	}
}

// What every part says of all captures is held once.
func TestHeldParts(t *testing.T) {
	dir, parts := t.TempDir(), t.TempDir()
	capturetest.SmallCaptures(t, filepath.Join(dir, "captures"), 400, nil)
	c := testConfig(2)
	runs := mapped(t, c, 16, filepath.Join(dir, "captures", "000"))
	for p := range 16 {
		reduce(t, c, p, parts, runs).clean(t)
	}
	paths, err := Parts(durable.OS, []string{parts})
	if err != nil {
		t.Fatal(err)
	}
	held := func(paths []string) int64 {
		r, err := c.begin()
		if err != nil {
			t.Fatal(err)
		}
		before := heapBytes()
		list, err := r.openKept(paths, runfile.Rows, slimPart)
		if err != nil {
			t.Fatal(err)
		}
		n := heapBytes() - before
		runtime.KeepAlive(list)
		return n
	}
	one, all := held(paths[:1]), held(paths)
	if t.Logf("%d bytes for one part, %d for %d", one, all, len(paths)); one < 400*100 || all > one+16*4<<10 {
		t.Errorf("%d bytes for one part of 400 captures, %d for %d", one, all, len(paths))
	}
}
