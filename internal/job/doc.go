// Package job is the engine: it runs one job from captures, or from what earlier
// runs kept of them, to rows. The command line, the benchmarks and every test of
// a whole run drive it.
//
//	Extract    captures to rows
//	Resume     the same, keeping what was read of each capture in a directory
//	Map        captures to run files, one each
//	Reduce     one partition of many run files to a part of the rows
//	Merge      run files to rows
//	JoinParts  parts to rows
//	Verify     anything of the above, and captures, read to the last bit
//
// Each takes a Config and returns a report of what it found. An error has a
// category (CategoryOf), so that a caller can tell wrong use from a full disk
// and from a damaged run file; damage in captures is no error but part of the
// report.
//
// A job uses as many goroutines as Config.Workers says, and some more that wait.
// It keeps to Config.Memory by putting sessions into temporary files, writes only
// where it was told to, and stops soon when its context ends, with the cause of
// that as its error.
package job
