//go:build linux && !safe && !race

package job

import (
	"fmt"
	"path/filepath"
	"runtime"
	"testing"

	"pcapbatch/internal/capturetest"
)

// A state directory for many tiny captures, empty at first, takes less than three
// times what the same run takes without. What is allocated shows it better than
// time does; sessions do not count, as they are outside the garbage collector's
// sight on Linux.
func TestStateOfTinyCaptures(t *testing.T) {
	dir := t.TempDir()
	packets := capturetest.ManySessions(7, 40)
	for i := range 1000 {
		write(t, filepath.Join(dir, fmt.Sprintf("%04d.pcap", i)), capturetest.Pcap(packets[i%30:i%30+4]...))
	}
	c := testConfig(2)
	c.Columns, c.BlockBytes = New().Columns, 4<<10
	allocated := func(run func() result) float64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if r := run(); r.err != nil {
			t.Fatal(r.err)
		}
		runtime.ReadMemStats(&after)
		return float64(after.TotalAlloc-before.TotalAlloc) / 1000
	}
	without := allocated(func() result { return extract(t, c, dir) })
	state := t.TempDir()
	with := allocated(func() result { return resume(t, c, state, dir) })
	t.Logf("%.0f bytes a capture without, %.0f with", without, with)
	if with > 3*without {
		t.Errorf("more than three times")
	}
}
