package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// goal is a figure that the project wants to reach on a machine with two CPUs.
// It is printed for information; missing it is no failure.
type goal struct {
	about string
	rows  []string // needed for the figure
	// figure gets the rows in that order.
	figure func(r []result) float64
	limit  float64
	atMost bool // the figure is to stay at or below limit; otherwise at or above
}

func ratioOf(r []result) float64     { return r[0].Ratio }
func besideRatio(r []result) float64 { return r[0].BesideRatio }
func besideCPU(r []result) float64   { return r[0].BesideCPURatio }

// labelNs is the CPU time of a row's label in ns: what a run with rules takes
// more than one without, less what the second row says reading them takes.
func labelNs(r []result) float64 {
	return quotient(1e9*(r[0].besideCPUS()-r[1].besideCPUS()), float64(r[0].Sessions))
}

var goals = []goal{
	{"mix: wall / floor", []string{"mix"}, ratioOf, 3.0, true},
	{"mix: CPU ns per packet", []string{"mix"}, func(r []result) float64 { return r[0].CPUNsPerPacket }, 170, true},
	{"mix: peak RSS, MB", []string{"mix"}, func(r []result) float64 { return float64(r[0].PeakRSS) / 1e6 }, 500, true},
	{"mix-1cpu: million packets/s", []string{"mix-1cpu"}, func(r []result) float64 { return r[0].PacketsPerS / 1e6 }, 8, false},
	{"scan: million rows/s", []string{"scan"}, func(r []result) float64 { return r[0].RowsPerS / 1e6 }, 3, false},
	{"scan: bytes a session beyond 100 MB of peak RSS", []string{"scan"}, func(r []result) float64 {
		return max(0, quotient(float64(r[0].PeakRSS)-100e6, float64(r[0].Sessions)))
	}, 256, true},
	{"scan-fifth: wall / scan's", []string{"scan-fifth"}, besideRatio, 2.5, true},
	{"scan-fifth: peak RSS beyond the limit, MiB", []string{"scan-fifth"}, func(r []result) float64 {
		return max(0, float64(r[0].PeakRSS)/(1<<20)-82)
	}, 96, true},
	{"elephant: wall / floor", []string{"elephant"}, ratioOf, 3.0, true},
	{"victim: wall / mix's, of as many packets", []string{"victim"}, besideRatio, 1.15, true},
	{"mix-all: CPU / mix's", []string{"mix-all"}, besideCPU, 1.6, true},
	{"scan-all: CPU / scan's", []string{"scan-all"}, besideCPU, 1.5, true},
	{"scan-all: bytes a session more than scan's", []string{"scan-all"}, func(r []result) float64 {
		return quotient(r[0].besideRSS(), float64(r[0].Sessions))
	}, 96, true},
	{"mix-quantiles: CPU / mix's", []string{"mix-quantiles"}, besideCPU, 1.3, true},
	{"mix-parquet: CPU / mix's", []string{"mix-parquet"}, besideCPU, 1.3, true},
	{"scan-parquet: CPU / scan's", []string{"scan-parquet"}, besideCPU, 1.5, true},
	{"mix-report: CPU / mix's", []string{"mix-report"}, besideCPU, 1.03, true},
	{"scan-report: CPU / scan's", []string{"scan-report"}, besideCPU, 1.03, true},
	{"mix-labels: CPU ns a row more than mix's", []string{"mix-labels", "tiny-labels"}, labelNs, 300, true},
	{"scan-labels: CPU ns a row more than scan's", []string{"scan-labels", "tiny-labels"}, labelNs, 300, true},
	{"scan-labels: peak RSS more than scan's, MB", []string{"scan-labels"}, func(r []result) float64 { return r[0].besideRSS() / 1e6 }, 200, true},
	{"mix-rules: CPU / mix's", []string{"mix-rules"}, besideCPU, 1.1, true},
	{"gz-8files-rules: wall / gz-8files-2cpu's", []string{"gz-8files-rules"}, besideRatio, 1.3, true},
	{"mix-16files: wall / mix's", []string{"mix-16files"}, besideRatio, 1.0, true},
	{"mix-zst: wall / zstd -dc", []string{"mix-zst"}, ratioOf, 1.25, true},
	{"gz-2cpu: wall / igzip -dc", []string{"gz-2cpu"}, ratioOf, 0.75, true},
	{"gz-8files: wall on one CPU / on two", []string{"gz-8files-2cpu"}, func(r []result) float64 { return quotient(1, r[0].BesideRatio) }, 1.9, false},
	{"tiny: wall, ms", []string{"tiny"}, func(r []result) float64 { return r[0].WallS * 1e3 }, 25, true},
}

// met reports whether a figure reaches the goal.
func (g goal) met(figure float64) bool {
	if g.atMost {
		return figure <= g.limit
	}
	return figure >= g.limit
}

func printGoals(w io.Writer, rep report) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\ngoal\tlimit\tfigure\t")
	for _, g := range goals {
		needed, ok := rep.find(g.rows)
		if !ok {
			continue
		}
		sign, verdict := ">=", "missed"
		if g.atMost {
			sign = "<="
		}
		figure := g.figure(needed)
		if g.met(figure) {
			verdict = "met"
		}
		fmt.Fprintf(t, "%s\t%s %g\t%.2f\t%s\n", g.about, sign, g.limit, figure, verdict)
	}
	t.Flush()
}

// find returns the rows of these names, and false if one was not measured.
func (rep report) find(names []string) ([]result, bool) {
	var found []result
	for _, name := range names {
		for _, r := range rep.Rows {
			if r.Name == name {
				found = append(found, r)
			}
		}
	}
	return found, len(found) == len(names)
}
