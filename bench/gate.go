package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
)

// baseline is the committed file that the gate compares with.
type baseline struct {
	Machine machine       `json:"machine"`
	Rows    []baselineRow `json:"rows"`
}

// baselineRow holds the ratios of one row, program to reference.
type baselineRow struct {
	Name     string  `json:"name"`
	Against  string  `json:"against"`
	Packets  int64   `json:"packets"` // the ratios hold for captures of this size
	Ratio    float64 `json:"ratio"`
	CPURatio float64 `json:"cpu_ratio"`
}

// attempts is how often a row is measured before it counts as worse: a
// regression shows every time, a disturbance of the machine does not.
const attempts = 3

// runGate is the command gate. A row fails when its CPU ratio is worse than
// the baseline's by more than the tolerance, or its wall ratio is, which is
// compared only on as many CPUs as the baseline was taken on.
func runGate(args []string, stdout, stderr io.Writer) error {
	var (
		path      string
		write     bool
		cpuOnly   bool
		tolerance float64
	)
	f, err := parseHarness("gate", 11, args, stderr, func(set *flag.FlagSet) {
		set.StringVar(&path, "baseline", "bench/baseline.json", "file with the ratios to compare with")
		set.BoolVar(&write, "write", false, "write the baseline instead of comparing")
		set.BoolVar(&cpuOnly, "cpu-only", false, "compare CPU ratios only: for machines that others use too")
		set.Float64Var(&tolerance, "tolerance", 15, "percent by which a ratio may be worse")
	})
	if err != nil {
		return err
	}
	here := thisMachine(append([]string{"gate"}, args...))
	if write {
		return writeBaseline(&f.h, here, path, stdout)
	}
	var base baseline
	if err := readJSON(path, &base); err != nil {
		return fmt.Errorf("baseline: %w", err)
	}
	g := gate{h: &f.h, base: base, compareWall: !cpuOnly && here.CPUs == base.Machine.CPUs, factor: 1 + tolerance/100, out: stdout}
	if !g.compareWall {
		fmt.Fprintf(stdout, "only CPU ratios are compared; the baseline is of %d CPUs, here are %d\n", base.Machine.CPUs, here.CPUs)
	}
	rep := report{Machine: here, Rounds: f.h.rounds}
	rep.Rows, err = g.run()
	if f.json != "" {
		err = errors.Join(err, writeJSON(f.json, rep))
	}
	return err
}

func writeBaseline(h *harness, here machine, path string, stdout io.Writer) error {
	base := baseline{Machine: here}
	for _, r := range gateRows() {
		res, err := h.measure(r)
		if err != nil {
			return fmt.Errorf("row %s: %w", r.name, err)
		}
		fmt.Fprintf(stdout, "%s: ratio %.2f, CPU ratio %.2f\n", r.name, res.Ratio, res.CPURatio)
		base.Rows = append(base.Rows, baselineRow{res.Name, res.Against, res.Packets, res.Ratio, res.CPURatio})
	}
	return writeJSON(path, base)
}

// gate compares rows with the baseline.
type gate struct {
	h           *harness
	base        baseline
	compareWall bool
	factor      float64 // above the baseline that is still allowed
	out         io.Writer
}

// run measures every row of the baseline. The error is errWorse if one of them
// is.
func (g *gate) run() ([]result, error) {
	var (
		results []result
		failed  error
	)
	if len(g.base.Rows) == 0 {
		return nil, errors.New("the baseline has no rows")
	}
	for _, b := range g.base.Rows {
		res, err := g.check(b)
		switch {
		case errors.Is(err, errWorse):
			failed = err
		case err != nil:
			return results, fmt.Errorf("row %s: %w", b.Name, err)
		}
		results = append(results, res)
	}
	return results, failed
}

// check measures a row until it is not worse, at most attempts times.
func (g *gate) check(b baselineRow) (result, error) {
	chosen, err := selectRows(b.Name)
	if err != nil {
		return result{}, err
	}
	var last result
	for range attempts {
		var res result
		if res, err = g.h.measure(chosen[0]); err != nil {
			return res, err
		}
		if res.Packets != b.Packets || res.Against != b.Against {
			return res, fmt.Errorf("the baseline is of %d packets against %q, this is %d against %q",
				b.Packets, b.Against, res.Packets, res.Against)
		}
		verdict := g.judge(b, res)
		fmt.Fprintf(g.out, "%-10s ratio %5.2f (baseline %5.2f)  CPU ratio %5.2f (baseline %5.2f)  %s\n",
			b.Name, res.Ratio, b.Ratio, res.CPURatio, b.CPURatio, verdict)
		if verdict != worse {
			return res, nil
		}
		last, err = res, fmt.Errorf("%w: %s", errWorse, b.Name)
	}
	return last, err
}

// Verdicts of the gate.
const (
	good   = "ok"
	worse  = "worse"
	better = "better: take a new baseline with `make bench-baseline`"
)

func (g *gate) judge(b baselineRow, res result) string {
	wall := g.compareWall && res.Ratio > b.Ratio*g.factor
	cpu := res.CPURatio > b.CPURatio*g.factor
	if wall || cpu {
		return worse
	}
	if res.Ratio*g.factor < b.Ratio && res.CPURatio*g.factor < b.CPURatio {
		return better
	}
	return good
}
