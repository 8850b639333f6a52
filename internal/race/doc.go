// Package race says whether the program was built with the race detector. Such
// builds also check what would cost time in others: they fill memory that is to
// be used again with junk, so that whoever kept it too long breaks a test and
// not a result, and they assert what the rest of the code relies on. Elsewhere
// Enabled is a constant false, and the compiler removes the checks.
package race

import "fmt"

// Assert panics with the message unless ok, a defect of the program. Requires:
// it is called only where Enabled.
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
