// Command batch turns packet captures into one table, CSV or Parquet, with a row
// of statistics for each network session.
//
// It is the command line of package job: flags become a job.Config (flags.go),
// each command that makes rows, run files or parts is one call of a job
// (extract.go, map.go, reduce.go, merge.go), and its error or report becomes an
// exit status (status.go). verify.go, inspect.go and compare.go are commands
// that only look at files, fields.go shows the columns, man.go makes the manual
// pages, and completion.go tells shells how to complete. What a terminal shows,
// signals and profiles are here too. Nothing here handles packets, sessions or
// the content of run files.
package main

import (
	"os"
)

func main() {
	crashBySignal()
	os.Exit(run(programName(os.Args)))
}
