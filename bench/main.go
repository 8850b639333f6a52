// Command bench measures the program as its users run it: it generates captures
// that look like traffic, runs the built binary on them as a process, and
// compares it with a walk over the record headers (the floor), with a committed
// baseline, and with other programs that turn captures into flows.
//
// The Makefile calls it; README.md says what every row means. It runs one
// measured process at a time and keeps only buffers of a fixed size in memory.
// Of the program it imports package inflate, which is measured by itself too,
// and for the command engine, which measures without processes, package job with
// what its Config takes from packages capture and durable. The program never
// judges an absolute time: the gate compares ratios to a floor that was measured
// in the same run.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

// errWorse is the error where the gate found a regression.
var errWorse = errors.New("worse than the baseline")

// command is one subcommand. run gets the arguments after its name.
type command struct {
	name, about string
	run         func(args []string, stdout, stderr io.Writer) error
}

func commands() []command {
	return []command{
		{"gen", "write a generated capture", runGen},
		{"labels", "write a file of rules for labels", runLabels},
		{"floor", "read captures and step over their record headers, nothing else", runFloor},
		{"run", "measure the program, print a table, write JSON", runTable},
		{"gate", "compare a measurement with the baseline", runGate},
		{"engine", "measure the engine in this process", runEngine},
		{"cores", "measure the program on 1, 2, 4 and more CPUs, beside another build of it", runCores},
		{"scale", "work out what more cores would do", runScale},
		{"inflate", "measure gzip decoders alone", runInflate},
		{"gunzip", "decompress gzip files to nothing", runGunzip},
		{"peers", "measure other programs on the same capture", runPeers},
	}
}

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run returns the exit status: 0 done, 1 the gate found a regression, 2 wrong
// usage or failure.
func run(args []string, stdout, stderr io.Writer) int {
	err := dispatch(args, stdout, stderr)
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errWorse):
		fmt.Fprintln(stderr, "bench:", err)
		return 1
	}
	fmt.Fprintln(stderr, "bench:", err)
	return 2
}

func dispatch(args []string, stdout, stderr io.Writer) error {
	if len(args) > 0 {
		for _, c := range commands() {
			if c.name == args[0] {
				return c.run(args[1:], stdout, stderr)
			}
		}
	}
	fmt.Fprintln(stderr, "usage: bench COMMAND [FLAGS]")
	for _, c := range commands() {
		fmt.Fprintf(stderr, "  %-8s %s\n", c.name, c.about)
	}
	if len(args) == 0 {
		return errors.New("no command given")
	}
	return fmt.Errorf("unknown command %q", args[0])
}

// newFlags returns a flag set that reports errors instead of exiting.
func newFlags(name string, stderr io.Writer) *flag.FlagSet {
	f := flag.NewFlagSet("bench "+name, flag.ContinueOnError)
	f.SetOutput(stderr)
	return f
}
