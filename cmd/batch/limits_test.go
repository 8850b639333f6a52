//go:build unix

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"pcapbatch/internal/capturetest"
)

// limited runs batch in a shell that has set a limit with ulimit.
func limited(t *testing.T, limit string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no shell to set the limit with")
	}
	cmd := exec.Command(sh, append([]string{"-c", "ulimit " + limit + ` && exec batch "$@"`, "sh"}, args...)...)
	out, err := cmd.Output()
	if e, ok := err.(*exec.ExitError); ok {
		stderr = string(e.Stderr)
	} else if err != nil {
		t.Fatal(err)
	}
	return string(out), stderr, cmd.ProcessState.ExitCode()
}

// Many captures and run files do not need many open files, whatever is done with
// them.
func TestFewOpenFiles(t *testing.T) {
	const limit = "-n 32"
	dir, example := t.TempDir(), read(t, testdata+"/example.pcap")
	for i := range 200 {
		data := append([]byte(nil), example...)
		data[24] += byte(i) // the time of the first record, so that no two are the same
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%03d.pcap", i)), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want := mustRun(t, "extract", dir)
	state, runs, parts := filepath.Join(t.TempDir(), "state"), t.TempDir(), t.TempDir()
	for _, args := range [][]string{
		{"extract", dir},
		{"extract", "--no-sync", "--state", state, dir},
		{"extract", "--no-sync", "--state", state, dir},
		{"map", "--no-sync", "-P1", "--out", runs, dir},
		{"merge", runs},
		{"reduce", "--no-sync", "--partition=0", "--out", parts, runs},
		{"merge", "--parts", parts},
	} {
		out, stderr, code := limited(t, limit, args...)
		if code != exitOK || stderr != "" || len(out) > 0 && out != want {
			t.Errorf("%q: code %d, %d bytes of %d, %s", args, code, len(out), len(want), stderr)
		}
	}
}

// A signal ends the wait for what looks like a file and is none.
func TestSignalEndsTheWaitForTheKernel(t *testing.T) {
	t.Parallel()
	const log = "/proc/kmsg"
	if f, err := os.Open(log); err != nil {
		t.Skip(err)
	} else {
		f.Close()
	}
	for _, args := range [][]string{{"extract", "-o", "s.csv", log}, {"inspect", log}, {"map", "--out", "runs", log}} {
		cmd := exec.Command("batch", args...)
		cmd.Dir = t.TempDir()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for begun := time.Now(); !hasOpen(cmd.Process.Pid, log) && time.Since(begun) < 10*time.Second; {
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(50 * time.Millisecond) // it reads what there is, and waits for more
		cmd.Process.Signal(syscall.SIGTERM)
		if code := end(t, cmd); code != 143 && code != exitDamaged && code != exitInput {
			t.Errorf("%q: exit code %d", args, code)
		}
	}
}

// hasOpen reports whether a process has a file open.
func hasOpen(pid int, path string) bool {
	links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	return slices.ContainsFunc(links, func(link string) bool {
		name, _ := os.Readlink(link)
		return name == path
	})
}

// What came out of a FIFO and was no capture is not waited for a second time.
func TestMapOfNoCaptureInAFIFO(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	capturetest.FIFO(t, fifo)
	cmd := exec.Command("batch", "map", "--out", "runs", "fifo")
	cmd.Dir = dir
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(fifo, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(f, "this is no capture, whatever it was made for")
	f.Close()
	if code := end(t, cmd); code != exitInput {
		t.Errorf("exit code %d, want %d", code, exitInput)
	}
}
