package capturetest

import (
	"runtime"
	"testing"
	"time"
)

// GoroutinesEnd waits until there are no more goroutines than before, and ends
// the test if some do not end. The test runs beside no others.
func GoroutinesEnd(t testing.TB, before int, what string) {
	t.Helper()
	for range 3000 { // half a minute: the machine may be busy
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s: %d goroutines are left, %d before", what, runtime.NumGoroutine(), before)
}
