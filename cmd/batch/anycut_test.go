package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"pcapbatch/internal/runfile"
)

// Packets cut at random places into captures, which are read in groups, on
// machines that do not know of each other, are put together to the rows of one
// run, in one step or in two: with more captures, or more partitions, than one
// merge takes, too.
func TestAnyCutSameBytes(t *testing.T) {
	cases := []struct{ captures, partitions int }{{3, 5}, {7, 1}, {runfile.MaxInputs + 30, 2}, {5, runfile.MaxInputs + 3}}
	if testing.Short() {
		cases = cases[:2]
	}
	for i, c := range cases {
		t.Run(fmt.Sprintf("captures=%d/partitions=%d", c.captures, c.partitions), func(t *testing.T) {
			r := rand.New(rand.NewPCG(uint64(i), 17))
			dir := randomCut(t, r, manySessions(uint64(20+i), 3000), c.captures)
			session := []string{"--idle-timeout=" + []string{"0", "10s"}[r.IntN(2)], "--features=all"}
			want := extracted(t, append(session, dir)...)

			groups := map[int][]string{}
			for _, path := range captureFiles(t, dir) {
				g := r.IntN(3)
				groups[g] = append(groups[g], path)
			}
			maps, mixed := t.TempDir(), t.TempDir() // mixed: of different numbers of partitions, or kept by extract
			for g, paths := range groups {
				args := append([]string{"map", "-P", fmt.Sprint(c.partitions), "--out", maps}, session...)
				mustRun(t, append(args, paths...)...)
				args = append([]string{"extract", "--state", filepath.Join(mixed, fmt.Sprint(g))}, session...)
				if r.IntN(2) == 0 {
					args = append([]string{"map", "-P", fmt.Sprint(1 + r.IntN(20)), "--out", filepath.Join(mixed, fmt.Sprint(g))}, session...)
				}
				mustRun(t, append(args, paths...)...)
			}
			same := func(what string, args ...string) {
				t.Helper()
				if got := mustRun(t, append([]string{"merge"}, args...)...); got != want {
					t.Errorf("%s: other rows from line %d", what, differentLine(got, want))
				}
			}
			same("merge", "--features=all", fmt.Sprint("-j", 1+r.IntN(3)), maps)
			args := []string{"--features=all", fmt.Sprint("-j", 1+r.IntN(3))}
			for g := range groups {
				args = append(args, filepath.Join(mixed, fmt.Sprint(g)))
			}
			same("merge of what was made in different ways", args...)
			parts := t.TempDir()
			for p := range c.partitions {
				mustRun(t, "reduce", "--features=all", "--partition", fmt.Sprint(p), "--out", parts, maps)
			}
			same("merge --parts", "--parts", parts)
		})
	}
}

// randomCut puts records into n captures, some of them without any, and returns
// their directory.
func randomCut(t *testing.T, r *rand.Rand, records []record, n int) string {
	t.Helper()
	dir := t.TempDir()
	for i := range n {
		k := r.IntN(2*len(records)/(n-i) + 1)
		if k = min(k, len(records)); i == n-1 {
			k = len(records)
		}
		mustWrite(t, filepath.Join(dir, fmt.Sprintf("%03d.pcap", i)), string(pcap(records[:k]...)))
		records = records[k:]
	}
	return dir
}

func captureFiles(t *testing.T, dir string) (paths []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		paths = append(paths, filepath.Join(dir, e.Name()))
	}
	return paths
}
