package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// pending lists the files in dir that runs with the output s.csv write.
func pending(t *testing.T, dir string) (names []string) {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, ".s.csv.*.tmp"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range list {
		names = append(names, filepath.Base(path))
	}
	return names
}

// startWaiting starts a run with the output s.csv in dir. It has read data and
// waits for more; closing w lets it end.
func startWaiting(t *testing.T, dir string, data []byte) (cmd *exec.Cmd, w *os.File) {
	t.Helper()
	r, w := pipe(t)
	written := make(chan error)
	go func() {
		_, err := w.Write(data)
		written <- err
	}()
	cmd = start(t, dir, ".s.csv.*.tmp", r, "extract", "-q", "-o", "s.csv", "-")
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	return cmd, w
}

// A run that was killed leaves its output under a temporary name. The next run
// with the same output removes it, but not that of a run that goes on.
func TestLeftoversOfKilledRuns(t *testing.T) {
	dir := t.TempDir()
	var records []record
	for i := range 20_000 {
		records = append(records, record{Time: begin + int64(i), Data: ip(client, server, protoUDP, udp(uint16(i%100), 53, 0))})
	}
	data := pcap(records...)
	capture := write(t, "c.pcap", data)
	again := func() {
		t.Helper()
		if out, err := exec.Command("batch", "extract", "-o", filepath.Join(dir, "s.csv"), capture).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	killed, _ := startWaiting(t, dir, data)
	killed.Process.Kill()
	killed.Wait()
	mustWrite(t, filepath.Join(dir, ".other.csv.ABCDEFGH.tmp"), "")
	if left := pending(t, dir); len(left) != 1 {
		t.Fatalf("a killed run left %q", left)
	}
	again()
	expectEntries(t, dir, ".other.csv.ABCDEFGH.tmp", "s.csv")

	living, w := startWaiting(t, dir, data)
	mine := pending(t, dir)
	if len(mine) != 1 {
		t.Fatalf("a run that goes on has %q", mine)
	}
	again()
	expectEntries(t, dir, ".other.csv.ABCDEFGH.tmp", mine[0], "s.csv")
	os.Remove(filepath.Join(dir, "s.csv"))
	w.Close()
	if code := end(t, living); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	expectEntries(t, dir, ".other.csv.ABCDEFGH.tmp", "s.csv")
	if got, want := string(read(t, filepath.Join(dir, "s.csv"))), mustRun(t, "extract", capture); got != want {
		t.Errorf("other rows from line %d", differentLine(got, want))
	}
}
