package main

import (
	"path/filepath"
	"strings"
	"testing"

	"pcapbatch/internal/capturetest"
)

// A capture whose run file is current is not read, and the exit status is that
// of the run that read it; --again reads it.
func TestMapAgain(t *testing.T) {
	t.Parallel()
	whole := pcap(capturetest.ManySessions(1, 300)...)
	capture := write(t, "c.pcap", whole[:len(whole)-1])
	dir := t.TempDir()
	runs, outcomes := filepath.Join(dir, "runs"), filepath.Join(dir, "outcomes")
	for i, c := range []struct{ flag, status string }{{"-P2", "damaged"}, {"-P2", "kept"}, {"--again", "damaged"}} {
		r := runWith(nil, "map", "-P2", c.flag, "--out", runs, "--outcomes", outcomes, capture)
		if r.code != exitDamaged || !strings.Contains(r.stderr, "cut short") || strings.Contains(r.stderr, "not reading 1 capture ") != (c.status == "kept") {
			t.Errorf("%d: exit status %d, %s", i, r.code, r.stderr)
		}
		if text := string(read(t, outcomes)); !strings.Contains(text, `"status":"`+c.status+`"`) {
			t.Errorf("%d: %s", i, text)
		}
	}
}
