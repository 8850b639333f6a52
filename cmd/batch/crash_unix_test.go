//go:build unix

package main

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// A crash is not taken for wrong usage, for which nobody tries again.
func TestCrash(t *testing.T) {
	t.Parallel()
	for _, traceback := range []string{"", "single"} {
		cmd := exec.Command("batch-crash")
		cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "GOTRACEBACK=") })
		cmd.Dir = t.TempDir()
		if traceback != "" {
			cmd.Env = append(cmd.Env, "GOTRACEBACK="+traceback)
		}
		text, err := cmd.CombinedOutput()
		status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
		if err == nil || !ok || !strings.Contains(string(text), "panic: crash") {
			t.Fatalf("%v, %.300s", err, text)
		}
		if traceback == "" && status.Signal() != syscall.SIGABRT || traceback != "" && status.ExitStatus() != 2 {
			t.Errorf("GOTRACEBACK=%s: %v", traceback, err)
		}
		expectEntries(t, cmd.Dir)
	}
}
