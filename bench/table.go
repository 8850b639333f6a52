package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// harnessFlags are the flags that run, gate and peers share.
type harnessFlags struct {
	h    harness
	json string
}

// parseHarness parses args; bind adds the flags of the command's own.
func parseHarness(name string, rounds int, args []string, stderr io.Writer, bind func(*flag.FlagSet)) (*harnessFlags, error) {
	var f harnessFlags
	set := newFlags(name, stderr)
	set.StringVar(&f.h.batch, "batch", "bin/batch", "the binary to measure")
	set.StringVar(&f.h.data, "data", "bench/data", "directory of the captures")
	set.IntVar(&f.h.rounds, "rounds", rounds, "samples of each program")
	set.DurationVar(&f.h.limit, "limit", 15*time.Minute, "longest time of one process")
	set.StringVar(&f.json, "json", "", "write the measurement to this file")
	bind(set)
	if err := set.Parse(args); err != nil {
		return nil, err
	}
	if f.h.rounds < 1 {
		return nil, errors.New("rounds must be 1 or more")
	}
	return &f, nil
}

// runTable is the command run.
func runTable(args []string, stdout, stderr io.Writer) error {
	var names string
	f, err := parseHarness("run", 5, args, stderr, func(set *flag.FlagSet) {
		set.StringVar(&names, "rows", "", "comma-separated names of rows; empty: all")
	})
	if err != nil {
		return err
	}
	chosen, err := selectRows(names)
	if err != nil {
		return err
	}
	rep := report{Machine: thisMachine(append([]string{"run"}, args...)), Rounds: f.h.rounds}
	failed := measureAll(&f.h, chosen, &rep, stderr)
	if len(rep.Rows) == 0 {
		return errors.Join(failed, errors.New("no row could be measured"))
	}
	printReport(stdout, rep)
	if f.json != "" {
		failed = errors.Join(failed, writeJSON(f.json, rep))
	}
	return failed
}

// measureAll measures the rows into rep. If one fails the others are measured
// nevertheless.
func measureAll(h *harness, chosen []row, rep *report, stderr io.Writer) error {
	var failed error
	for _, r := range chosen {
		res, err := h.measure(r)
		var skip errSkip
		switch {
		case errors.As(err, &skip):
			fmt.Fprintf(stderr, "%s: %v\n", r.name, skip)
		case err != nil:
			err = fmt.Errorf("row %s: %w", r.name, err)
			fmt.Fprintln(stderr, err)
			failed = errors.Join(failed, err)
		default:
			fmt.Fprintf(stderr, "%s: %.2f of %s\n", res.Name, res.Ratio, res.Against)
			rep.Rows = append(rep.Rows, res)
		}
	}
	return failed
}

func printReport(w io.Writer, rep report) {
	printMachine(w, rep.Machine)
	fmt.Fprintf(w, "median of %d, run in turn with the reference\n\n", rep.Rounds)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "row\tpackets\tsessions\twall s\tMpackets/s\tMrows/s\tGB/s\tratio\tmin-max\tCPU ratio\tCPU ns/packet\tpeak RSS MB\tbytes/session\tagainst\tto a row\t")
	for _, r := range rep.Rows {
		fmt.Fprintf(t, "%s\t%d\t%d\t%.3f\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f-%.2f\t%.2f\t%.1f\t%.1f\t%.0f\t%s\t%s\t\n",
			r.Name, r.Packets, r.Sessions, r.WallS, r.PacketsPerS/1e6, r.RowsPerS/1e6, r.GBPerS,
			r.Ratio, r.RatioMin, r.RatioMax, r.CPURatio, r.CPUNsPerPacket, float64(r.PeakRSS)/1e6, r.BytesPerRow, r.Against, r.besideText())
	}
	t.Flush()
	printGoals(w, rep)
}

// besideText has the ratios, wall and CPU time, to the row beside r.
func (r result) besideText() string {
	if r.Beside == "" {
		return ""
	}
	return fmt.Sprintf("%.2f, CPU %.2f: %s", r.BesideRatio, r.BesideCPURatio, r.Beside)
}

func printMachine(w io.Writer, m machine) {
	fmt.Fprintf(w, "%s, %d CPUs, %s/%s, %s, commit %s\n%s\n", m.CPU, m.CPUs, m.OS, m.Arch, m.Go, m.Commit, m.Command)
}
