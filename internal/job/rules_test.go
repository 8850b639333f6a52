package job

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pcapbatch/internal/durable"
	"pcapbatch/internal/durabletest"
)

// With rules that need whole sessions, sessions that have ended go to disk, and
// the rows are those of a run that holds everything; what is alive and does not
// fit ends the job instead of being cut.
func TestWholeSessionsWithLittleMemory(t *testing.T) {
	t.Parallel()
	path := write(t, filepath.Join(t.TempDir(), "c.pcap"), largeSessions(seeded(t, 5), 20_000, 1_700_000_000e9))
	c := testConfig(1)
	c.Sessions.ActiveTimeout = 5 * time.Millisecond
	whole := extract(t, c, path)
	whole.clean(t)
	fs := durabletest.None()
	c.FS, c.Share, c.LeastSpill, c.BlockBytes = fs, 500<<10, 100<<10, 16<<10
	limited := extract(t, c, path)
	sameRows(t, "with little memory", limited.clean(t), whole.rows)
	if fs.Temps() == 0 {
		t.Error("no sessions were put on disk")
	}
	c.FS, c.Share, c.LeastSpill = durable.OS, 300, 100
	if r := extract(t, c, path); CategoryOf(r.err) != Output || !strings.Contains(r.err.Error(), "use more memory") || r.rows != "" {
		t.Errorf("%v, %d bytes of rows", r.err, len(r.rows))
	}
}
