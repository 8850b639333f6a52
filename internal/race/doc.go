// Package race says whether the program was built with the race detector, and
// has the checks that only such builds make because they take time: buffers
// that are used again are first filled with junk, so that a reference that was
// kept too long breaks a test and not a result, and invariants are asserted. In
// all other builds Enabled is the constant false, and the compiler removes the
// checks. Packages agg, ingest, rows and shard use it.
package race

import "fmt"

// Assert panics with the message unless ok: then the program has a defect.
// Requires: it is called only where Enabled, because making the arguments takes
// time.
func Assert(ok bool, format string, args ...any) {
	if !ok {
		panic("internal error: " + fmt.Sprintf(format, args...))
	}
}

// Junk fills all of s with the element junk.
func Junk[T any](s []T, junk T) {
	if len(s) == 0 {
		return
	}
	s[0] = junk
	for n := 1; n < len(s); n *= 2 {
		copy(s[n:], s[:n]) // a doubling is one step for the race detector
	}
}
