package job

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"pcapbatch/internal/capturetest"
	"pcapbatch/internal/runfile"
)

// Packets cut at random places into captures, which are read in groups, on
// machines that do not know of each other, are put together to the rows of one
// run, in one step or in two: with more captures, or more partitions, than one
// merge takes, too.
func TestAnyCutSameBytes(t *testing.T) {
	t.Parallel()
	cases := []struct{ captures, partitions int }{{3, 5}, {7, 1}, {runfile.MaxInputs + 30, 2}, {5, runfile.MaxInputs + 3}}
	if testing.Short() {
		cases = cases[:2]
	}
	for i, c := range cases {
		t.Run(fmt.Sprintf("captures=%d/partitions=%d", c.captures, c.partitions), func(t *testing.T) {
			anyCut(t, seeded(t, uint64(i)), c.captures, c.partitions)
		})
	}
}

func anyCut(t *testing.T, r *rand.Rand, captures, partitions int) {
	dir := randomCut(t, r, capturetest.ManySessions(r.Uint64(), 3000), captures)
	c := testConfig(1)
	c.Sessions.IdleTimeout = time.Duration(r.IntN(2)) * 10 * time.Second
	want := extract(t, c, dir).clean(t)

	groups := map[int][]string{}
	for _, name := range entriesOf(t, dir) {
		g := r.IntN(3)
		groups[g] = append(groups[g], filepath.Join(dir, name))
	}
	maps, mixed := t.TempDir(), []string{} // mixed: of different numbers of partitions, or kept by Resume
	for _, paths := range groups {
		mapTo(t, c, maps, partitions, paths...).clean(t)
		kept := t.TempDir()
		mixed = append(mixed, kept)
		if r.IntN(2) == 0 {
			mapTo(t, c, kept, 1+r.IntN(20), paths...).clean(t)
		} else {
			resume(t, c, kept, paths...).clean(t)
		}
	}
	c.Workers = 1 + r.IntN(3)
	sameRows(t, "merge", merge(t, c, maps).clean(t), want)
	sameRows(t, "merge of what was made in different ways", merge(t, c, mixed...).clean(t), want)
	sameRows(t, "parts", joinParts(t, c, reduced(t, c, partitions, maps)).clean(t), want)
}

// randomCut puts records into n captures, some of them without any, and returns
// their directory.
func randomCut(t *testing.T, r *rand.Rand, records []capturetest.Record, n int) string {
	t.Helper()
	dir := t.TempDir()
	for i := range n {
		k := r.IntN(2*len(records)/(n-i) + 1)
		if k = min(k, len(records)); i == n-1 {
			k = len(records)
		}
		write(t, filepath.Join(dir, fmt.Sprintf("%03d.pcap", i)), capturetest.Pcap(records[:k]...))
		records = records[k:]
	}
	return dir
}
