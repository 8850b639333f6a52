package job

import (
	"fmt"
	"testing"
	"time"

	"pcapbatch/internal/capturetest"
	"pcapbatch/internal/durabletest"
)

// Sessions that leave memory when they seem to have ended make the rows of
// those that stay, whatever comes late, in one capture and in several, with
// and without a directory for their run files.
func TestEvictionSameBytes(t *testing.T) {
	t.Parallel()
	const n = 14_000 // packets, 1 ms apart
	for seed, timeout := range []time.Duration{700 * time.Millisecond, 2 * time.Second} {
		records := capturetest.Churn(uint64(seed), n)
		for name, path := range map[string]string{
			"one capture":    pcap(t, records),
			"captures":       deal(t, records, 5, false, func(i int) int { return i * 5 / n }),
			"stretches":      deal(t, records, 5, true, func(i int) int { return i * 5 / n }),
			"unlike stretch": deal(t, records, 3, true, func(i int) int { return min(2, i*40/n) }),
		} {
			few := testing.Short() || seed > 0 && !capturetest.Full()
			if few && name != "one capture" && name != "stretches" { // the others differ only in where the cuts are
				continue
			}
			t.Run(fmt.Sprintf("%v/%s", timeout, name), func(t *testing.T) {
				c := testConfig(1)
				c.Sessions.IdleTimeout, c.StretchBytes, c.BlockBytes = timeout, 1, 16<<10
				whole := extract(t, c, path)
				whole.clean(t)
				for what, limited := range map[string]Config{"evicting": evicting(c, 1), "evicting, 2 workers": evicting(c, 2), "scarce": scarce(c)} {
					for _, state := range []bool{false, true} {
						fs := durabletest.None()
						limited.FS = fs
						var got result
						if state {
							got = resume(t, limited, t.TempDir(), path)
						} else {
							got = extract(t, limited, path)
						}
						what := fmt.Sprintf("%s, state directory: %t", what, state)
						sameRows(t, what, got.clean(t), whole.rows)
						sameCounts(t, got, whole)
						if got.report.InexactGaps != whole.report.InexactGaps && name == "one capture" {
							t.Errorf("%s: %d with inexact gaps, without a limit %d", what, got.report.InexactGaps, whole.report.InexactGaps)
						}
						// In one capture no table is so large that it is spilled
						// whole: what is on disk was evicted. Several captures are
						// kept one by one, each with little in it.
						if fs.Temps() == 0 && limited.Workers == 1 && (!state || name == "one capture") {
							t.Errorf("%s: no sessions were put on disk", what)
						}
					}
				}
			})
		}
	}
}

// evicting gives the job memory for one table, which holds all sessions that go
// on, but not so much that those that have ended could stay.
func evicting(c Config, workers int) Config {
	c.Workers, c.Share, c.LeastSpill = workers, 600<<10, 100<<10
	return c
}
