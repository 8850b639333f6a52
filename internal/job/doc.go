// Package job is the engine: it runs one job, from captures, or from what
// earlier jobs kept of them, to rows. The command line, the benchmarks and
// every test of a whole run call it.
//
//	Extract    captures to rows
//	Resume     the same, with the sessions of each capture kept in a directory
//	Plan       captures to units of work for Map
//	Map        captures, or ranges of them, to run files, one for each
//	Reduce     one partition of many run files to a part
//	Merge      run files to rows
//	JoinParts  parts to rows
//	Verify     anything of the above, and captures, read to the last bit
//
// Each takes a Config and returns a report of what it found. An error has a
// category (CategoryOf), by which a caller can tell wrong usage from a full
// disk and from a damaged run file. Damage in captures is not an error; it is
// part of the report.
//
// A job runs as many decoders, and as many workers with tables of sessions, as
// Config.Workers says, and a few goroutines that mostly wait. All of them have
// ended when the function returns, except a read or write that still waits for
// a pipe after the context has ended. It keeps to Config.Memory by writing
// sessions, and captures that it merges, to temporary files. It writes only to
// the places that its arguments name, and ends soon after its context does, with
// the cause of that as its error. Several jobs may run at once, but not on one
// state directory.
//
// The package reads no flags, prints nothing, and ends no process.
package job
