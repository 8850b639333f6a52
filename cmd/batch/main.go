// Command batch turns packet captures into one CSV with a row of statistics
// per network session.
//
// It is the command line of package job and nothing more: flags become a
// job.Config (flags.go), each command is one call of a job (extract.go,
// merge.go, map.go, reduce.go, inspect.go), and its error or report becomes an
// exit status (status.go). What a terminal shows, signals and profiles are here
// too. Nothing here handles packets, sessions or run files.
package main

import (
	"os"
)

func main() {
	os.Exit(run(programName(os.Args), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
