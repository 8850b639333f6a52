//go:build unix

package main

import (
	"os"
	"runtime/debug"
	"syscall"
)

// crashBySignal lets a panic, and memory that the Go runtime asks for in vain,
// end the process by SIGABRT, which is exit status 134. Go's own status for both
// is 2, and that is wrong usage, for which no scheduler tries again. It leaves no
// core file, which could be as large as the memory and holds what was captured. A
// value of GOTRACEBACK, which says how a Go program crashes, is left as it is.
func crashBySignal() {
	if os.Getenv("GOTRACEBACK") != "" {
		return
	}
	var core syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_CORE, &core) == nil {
		core.Cur = 0
		_ = syscall.Setrlimit(syscall.RLIMIT_CORE, &core)
	}
	debug.SetTraceback("crash")
}
