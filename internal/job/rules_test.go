package job

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"pcapbatch/internal/capturetest"
	"pcapbatch/internal/durabletest"
	"pcapbatch/internal/writer"
)

// With rules that need whole sessions, sessions that have ended go to disk, those
// that do not fit are set aside, and the rows are those of a run that holds
// everything, to the last digit of a median: whatever the number of workers, with
// feature groups, with captures that are told apart or interleaved, and with run
// files.
func TestWholeSessionsWithLittleMemory(t *testing.T) {
	t.Parallel()
	r := seeded(t, 5)
	dir := t.TempDir()
	for i := range 3 {
		write(t, filepath.Join(dir, fmt.Sprint(i, ".pcap")), largeSessions(r, 12_000, 1_700_000_000e9+int64(i)*1e9))
	}
	records := connections(r, 20_000)
	write(t, filepath.Join(dir, "4.pcap"), load(t, pcap(t, records)))
	plain := testConfig(1)
	plain.BlockBytes = 16 << 10
	interleaved, captures, features := plain, plain, plain
	interleaved.Interleave, captures.Sessions.Capture = true, true
	features.Columns.Features = []writer.Group{"all"}
	features.Columns.Sequence = 10
	features.Columns.Quantiles, _ = writer.ParseQuantiles("1,25,99")
	for what, c := range map[string]Config{"plain": plain, "interleave": interleaved, "captures": captures, "features": features} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			c.Sessions.ActiveTimeout, c.Sessions.TCPEnd = 600*time.Millisecond, true
			whole := extract(t, c, dir)
			whole.clean(t)
			for _, share := range []int64{300, 100 << 10, 400 << 10} {
				for _, workers := range []int{1, 3} {
					if !capturetest.Full() && (workers == 3) != (share == 100<<10) {
						continue
					}
					what := fmt.Sprintf("share %d, %d workers", share, workers)
					fs := durabletest.None()
					c.FS, c.Workers, c.Share, c.LeastSpill = fs, workers, share, 100
					limited := extract(t, c, dir)
					if limited.clean(t) != whole.rows {
						sameRows(t, what, limited.rows, whole.rows)
						t.Errorf("%s: other rows", what)
					}
					sameCounts(t, limited, whole)
					if fs.Temps() == 0 {
						t.Errorf("%s: no sessions were put on disk", what)
					}
					if !c.Sessions.Capture {
						continue
					}
					kept := resume(t, c, t.TempDir(), dir)
					if kept.clean(t) != whole.rows {
						sameRows(t, what+" and run files", kept.rows, whole.rows)
						t.Errorf("%s and run files: other rows", what)
					}
					sameCounts(t, kept, whole)
				}
			}
		})
	}
}
