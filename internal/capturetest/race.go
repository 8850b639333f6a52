package capturetest

import (
	"runtime"
	"testing"

	"pcapbatch/internal/race"
)

// OneGoroutine is called by a test that takes long and starts no goroutine.
// Under the race detector, which makes it ten times slower, such a test shows
// what package race asserts, and that pointers are right; it does so on one CPU
// as well as on more, so that there it is skipped.
func OneGoroutine(t testing.TB) {
	t.Helper()
	if race.Enabled && runtime.GOMAXPROCS(0) > 1 {
		t.Skip("one goroutine: with the race detector it runs on one CPU, with -cpu=1")
	}
}

// Arithmetic is called by a test that takes long, and computes with numbers of
// its own goroutine alone. The race detector has nothing to see there, and the
// test is skipped under it.
func Arithmetic(t testing.TB) {
	t.Helper()
	if race.Enabled {
		t.Skip("arithmetic: the race detector has nothing to see")
	}
}
