package main

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
)

// A stage is a part of a run's work.
type stage struct {
	name string
	ns   float64 // CPU time of a packet
	// most is how many goroutines can do it at once on so many cores.
	most func(cores int) int
}

func everyCore(cores int) int { return cores }
func one(int) int             { return 1 }

// readersOf is how many goroutines read one plain capture (internal/ingest).
func readersOf(cores int) int { return max(1, (cores+1)/4) }

// runScale is the command scale: what a run on more cores would do, worked out
// from what each stage costs on one.
func runScale(args []string, stdout, stderr io.Writer) error {
	flags := newFlags("scale", stderr)
	read := flags.Float64("read", 74, "reading into the block, ns a packet")
	walk := flags.Float64("walk", 11, "walking over record headers, ns a packet")
	decode := flags.Float64("decode", 39, "decoding, ns a packet")
	table := flags.Float64("table", 101, "updating sessions, ns a packet")
	rows := flags.Float64("rows", 51, "sorting, summaries and text of rows, ns a packet")
	merge := flags.Float64("merge", 6, "merging rows in order, ns a packet")
	write := flags.Float64("write", 8, "writing rows, ns a packet")
	if err := flags.Parse(args); err != nil {
		return err
	}
	reading := []stage{{"read and walk", *read + *walk, readersOf}, {"decode", *decode, everyCore}, {"table", *table, everyCore}}
	making := []stage{{"rows", *rows, everyCore}, {"merge of rows", *merge, one}, {"write", *write, one}}
	for _, s := range append(append([]stage(nil), reading...), making...) {
		if !(s.ns > 0 && s.ns < 1e9) {
			return errors.New("the cost of a stage must be above 0 and below 1e9 ns")
		}
	}
	t := tabwriter.NewWriter(stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "cores\tmillion packets/s\treading bound by\trows bound by\t")
	for _, cores := range []int{1, 2, 8, 16, 32, 64} {
		a, first := bound(reading, cores)
		b, second := bound(making, cores)
		fmt.Fprintf(t, "%d\t%.1f\t%s\t%s\t\n", cores, 1e3/(a+b), first, second)
	}
	return t.Flush()
}

// bound is the least time of a packet, in ns, in a phase whose stages work side
// by side on so many cores, and what it is bound by: the stage that has the
// fewest goroutines for its work or, where all cores are busy, those.
func bound(stages []stage, cores int) (ns float64, by string) {
	for _, s := range stages {
		ns += s.ns
	}
	ns, by = ns/float64(cores), "cores"
	for _, s := range stages {
		if own := s.ns / float64(min(s.most(cores), cores)); own > ns {
			ns, by = own, s.name
		}
	}
	return ns, by
}
