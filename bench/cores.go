package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"text/tabwriter"
)

// coreRows are the rows of the command cores unless others are named: plain
// captures, one and several, a session that cannot be divided, and compressed
// ones.
const coreRows = "mix,mix-16files,scan,elephant,gz-2cpu,gz-8files-2cpu,mix-zst"

// coreReport is what the command cores measured.
type coreReport struct {
	Machine machine      `json:"machine"`
	Rounds  int          `json:"rounds"`
	Rows    []coreResult `json:"rows"`
}

// coreResult is a row on some of the CPUs.
type coreResult struct {
	Name    string   `json:"name"`
	CPUs    int      `json:"cpus"`
	Packets int64    `json:"packets"`
	Program []sample `json:"program"`
	Old     []sample `json:"old,omitempty"` // of the other build, in turn

	WallS       float64 `json:"wall_s"` // median, as all below
	CPUS        float64 `json:"cpu_s"`
	PeakRSS     int64   `json:"peak_rss"` // the largest, bytes
	PacketsPerS float64 `json:"packets_per_s"`
	Faster      float64 `json:"faster"` // wall on the fewest CPUs to wall on these
	OldRatio    float64 `json:"old_ratio,omitempty"`
	OldCPURatio float64 `json:"old_cpu_ratio,omitempty"`
}

// runCores is the command cores.
func runCores(args []string, stdout, stderr io.Writer) error {
	var names, list, old string
	f, err := parseHarness("cores", 3, args, stderr, func(set *flag.FlagSet) {
		set.StringVar(&names, "rows", coreRows, "comma-separated names of rows")
		set.StringVar(&list, "cpus", "", "comma-separated numbers of CPUs; empty: 1, 2, 4 and so on, and all")
		set.StringVar(&old, "old", "", "another build of the program, run in turn with it")
	})
	if err != nil {
		return err
	}
	chosen, err := selectRows(names)
	if err != nil {
		return err
	}
	numbers, err := cpuNumbers(list, runtime.NumCPU())
	if err != nil {
		return err
	}
	rep := coreReport{Machine: thisMachine(append([]string{"cores"}, args...)), Rounds: f.h.rounds}
	var failed error
	for _, r := range chosen {
		results, err := f.h.measureCores(r, numbers, old)
		if err != nil {
			err = fmt.Errorf("row %s: %w", r.name, err)
			fmt.Fprintln(stderr, err)
			failed = errors.Join(failed, err)
		}
		rep.Rows = append(rep.Rows, results...)
	}
	if len(rep.Rows) == 0 {
		return errors.Join(failed, errors.New("no row could be measured"))
	}
	printCores(stdout, rep)
	if f.json != "" {
		failed = errors.Join(failed, writeJSON(f.json, rep))
	}
	return failed
}

// cpuNumbers reads a list of numbers of CPUs, in rising order and at most n. The
// empty list is the powers of two up to n, and n.
func cpuNumbers(list string, n int) ([]int, error) {
	var numbers []int
	if list == "" {
		for i := 1; i < n; i *= 2 {
			numbers = append(numbers, i)
		}
		return append(numbers, n), nil
	}
	least := 1
	for text := range strings.SplitSeq(list, ",") {
		i, err := strconv.Atoi(text)
		if err != nil || i < least || i > n {
			return nil, fmt.Errorf("%q is no number of CPUs from %d to %d", text, least, n)
		}
		numbers, least = append(numbers, i), i+1
	}
	return numbers, nil
}

// measureCores runs a row on each number of CPUs in turn, with the other build
// beside it if there is one.
func (h *harness) measureCores(r row, numbers []int, old string) ([]coreResult, error) {
	var about result
	r.cpus = numbers[0]
	job, err := h.prepare(r, &about)
	if err != nil {
		return nil, err
	}
	dir, err := h.scratch()
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := h.rehearse(r, job, dir, &about); err != nil {
		return nil, err
	}
	other := *h
	other.batch = old
	results := make([]coreResult, len(numbers))
	var turns []turn
	for i, n := range numbers {
		r.cpus = n
		results[i] = coreResult{Name: r.name, CPUs: n, Packets: about.Packets}
		turns = append(turns, turn{h.program(r, job.captures, dir), &results[i].Program})
		if old != "" {
			turns = append(turns, turn{other.program(r, job.captures, dir), &results[i].Old})
		}
	}
	for range h.rounds {
		if err := h.round(turns, dir); err != nil {
			return nil, err
		}
	}
	for i := range results {
		results[i].derive(results[0].Program)
	}
	return results, nil
}

// derive computes the other fields from the samples and those of the fewest
// CPUs.
func (r *coreResult) derive(fewest []sample) {
	var walls, cpus, faster, ratios, cpuRatios []float64
	for i, p := range r.Program {
		walls, cpus = append(walls, p.WallS), append(cpus, p.CPUS)
		faster = append(faster, quotient(fewest[i].WallS, p.WallS))
		r.PeakRSS = max(r.PeakRSS, p.PeakRSS)
	}
	for i, o := range r.Old {
		ratios = append(ratios, quotient(r.Program[i].WallS, o.WallS))
		cpuRatios = append(cpuRatios, quotient(r.Program[i].CPUS, o.CPUS))
	}
	r.WallS, r.CPUS, r.Faster = median(walls), median(cpus), median(faster)
	r.PacketsPerS = quotient(float64(r.Packets), r.WallS)
	r.OldRatio, r.OldCPURatio = median(ratios), median(cpuRatios)
}

func printCores(w io.Writer, rep coreReport) {
	printMachine(w, rep.Machine)
	fmt.Fprintf(w, "median of %d, run in turn\n\n", rep.Rounds)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "row\tCPUs\twall s\tMpackets/s\ttimes as fast\tCPU s\tpeak RSS MB\twall / old\tCPU / old\t")
	for _, r := range rep.Rows {
		beside := "\t"
		if len(r.Old) > 0 {
			beside = fmt.Sprintf("%.2f\t%.2f", r.OldRatio, r.OldCPURatio)
		}
		fmt.Fprintf(t, "%s\t%d\t%.3f\t%.2f\t%.2f\t%.2f\t%.1f\t%s\t\n",
			r.Name, r.CPUs, r.WallS, r.PacketsPerS/1e6, r.Faster, r.CPUS, float64(r.PeakRSS)/1e6, beside)
	}
	t.Flush()
}
