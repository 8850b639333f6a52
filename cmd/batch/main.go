// Command batch turns packet captures into one CSV with a row of statistics
// per network session.
//
// This is where the walk from file to CSV begins and ends: extract.go says
// what a run is, inputs.go finds the captures (step 1), pipeline.go joins
// reader (step 2), decode (step 3), shard (step 4) and agg (step 5), and
// output.go keeps the rows that writer made (step 6). Flags, signals, exit
// codes and everything that a terminal shows are here; packets are not.
package main

import (
	"os"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
