package main

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pcapbatch/internal/capturetest"
)

// dealt deals records out to k captures by turns and returns their directory.
func dealt(t *testing.T, records []record, k int) (dir string) {
	t.Helper()
	hands := make([][]record, k)
	for i, r := range records {
		hands[i%k] = append(hands[i%k], r)
	}
	dir = t.TempDir()
	for i, hand := range hands {
		mustWrite(t, filepath.Join(dir, fmt.Sprintf("%03d", (i+k/2)%k)), string(pcap(hand...)))
	}
	return dir
}

// TestOverlapNamesInterleave: the note about captures that overlap names the
// flag, and with the flag there is none.
func TestOverlapNamesInterleave(t *testing.T) {
	records, _ := capturetest.Traffic(500)
	const k = 5
	dir, summary := dealt(t, records, k), filepath.Join(t.TempDir(), "summary.json")
	r := runWith(nil, "extract", "--verbose", "--summary", summary, dir)
	if r.code != exitOK || !strings.Contains(r.stderr, "--interleave") {
		t.Errorf("exit code %d, %q", r.code, r.stderr)
	}
	if n := len(readSummary(t, summary).Overlaps); n != k-1 {
		t.Errorf("%d captures overlap an earlier one, want %d", n, k-1)
	}
	r = runWith(nil, "extract", "--verbose", "--interleave", dir)
	if r.code != exitOK || strings.Contains(r.stderr, "--interleave") {
		t.Errorf("interleaved: exit code %d, %q", r.code, r.stderr)
	}
	if want := mustRun(t, "extract", write(t, "whole.pcap", pcap(records...))); r.stdout != want {
		t.Errorf("interleaved: other rows from line %d", differentLine(r.stdout, want))
	}
}

// TestInterleaveFewFiles merges more captures than the system lets be open.
func TestInterleaveFewFiles(t *testing.T) {
	t.Parallel()
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no shell to set the limit with")
	}
	records, _ := capturetest.Traffic(12_000)
	whole := mustRun(t, "extract", write(t, "whole.pcap", pcap(records...)))
	for _, c := range []struct {
		captures int
		limit    string
		more     string
	}{{300, "24", ""}, {300, "1000", ""}, {1200, "20", "-j1 --memory=32M "}} { // the last ones go to temporary files
		dir := dealt(t, records, c.captures)
		cmd := exec.Command(sh, "-c", "ulimit -n "+c.limit+" && exec batch extract --interleave "+c.more+dir)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		got, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s files: %v: %s", c.limit, err, &stderr)
		}
		if string(got) != whole {
			t.Errorf("%s files: the rows differ from those of one capture", c.limit)
		}
	}
}
