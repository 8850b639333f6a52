package job

import (
	"errors"
	"fmt"
	"io"
	"syscall"
	"testing"

	"pcapbatch/internal/capturetest"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/durabletest"
	"pcapbatch/internal/runfile"
)

// A run that has to spill writes the rows and the counts of one that has not.
func TestSpillingSameBytes(t *testing.T) {
	t.Parallel()
	records := capturetest.ManySessions(1, 12_000)
	plain := pcap(t, records)
	dir := deal(t, records, 4, true, func(i int) int { return i * 4 / len(records) })
	timeout := DefaultSessions()
	timeout.IdleTimeout = 10e9
	for _, c := range []struct {
		what     string
		stretch  int64
		sessions Sessions
		path     string
	}{
		{"plain", 1 << 20, DefaultSessions(), plain},
		{"idle time-out", 1 << 20, timeout, plain},
		{"stretches", 1, DefaultSessions(), dir},
	} {
		t.Run(c.what, func(t *testing.T) {
			free := durabletest.None()
			o := testConfig(1)
			o.StretchBytes, o.Sessions, o.FS = c.stretch, c.sessions, free
			whole := extract(t, o, c.path)
			want := whole.clean(t)
			if free.Calls() != 0 {
				t.Fatalf("%d calls of the file system without a limit of memory", free.Calls())
			}
			for _, workers := range []int{1, 2, 5} {
				fs := durabletest.None()
				o.Workers, o.FS = workers, fs
				got := extract(t, scarce(o), c.path)
				sameRows(t, fmt.Sprint(workers, " workers"), got.clean(t), want)
				sameCounts(t, got, whole)
				// Sections that sessions are put into by key, and those by time,
				// are each more than one merge takes, with a write or more each.
				if fs.Temps() < 2 || fs.Calls() < 2*runfile.MaxInputs {
					t.Errorf("%d workers: %d temporary files, %d calls: sessions were put on disk by key or by time, not both", workers, fs.Temps(), fs.Calls())
				}
			}
		})
	}
}

// sameCounts compares what two runs over the same captures counted.
func sameCounts(t *testing.T, got, want result) {
	t.Helper()
	g, w := got.report, want.report
	if g.Sessions != w.Sessions || g.Records != w.Records || g.Packets != w.Packets || g.Reordered != w.Reordered ||
		g.Fragments != w.Fragments || g.Unmatched != w.Unmatched || len(g.Overlaps) != len(w.Overlaps) {
		t.Errorf("report %+v, want %+v", g, w)
	}
}

// Without Config.Share each worker's share of Config.Memory is what buffers
// leave, but for an eighth.
func TestShare(t *testing.T) {
	for _, c := range []struct {
		workers int
		memory  int64
		want    int64
	}{{1, 32 << 20, 7 << 20}, {2, 48 << 20, 7 << 20}, {4, 0, mostShare}, {2, 1 << 50, mostShare}, {3, LeastMemory(3), 7 << 20}} {
		o := Config{Resources: Resources{Workers: c.workers, Memory: c.memory}}
		if got := o.share(); got != c.want {
			t.Errorf("%d workers with %d bytes: a share of %d, want %d", c.workers, c.memory, got, c.want)
		}
	}
}

// A full disk ends the run, whose error says where, and leaves nothing behind.
func TestSpillFaults(t *testing.T) {
	t.Parallel()
	path := pcap(t, capturetest.ManySessions(2, 4000))
	for _, fault := range []error{syscall.ENOSPC, syscall.EIO, nil} {
		fs := &durabletest.Faults{FS: durable.OS, At: 1, Err: fault, Stays: fault != nil} // the first write of the first temporary file
		c := scarce(testConfig(1))
		c.FS, c.TempDir = fs, t.TempDir()
		got := extract(t, c, path)
		if fault == nil {
			fault = io.ErrShortWrite
		}
		got.refuses(t, Output, "write temporary file in "+c.TempDir+": "+fault.Error())
		if !errors.Is(got.err, fault) || !fs.Named(got.err.Error()) {
			t.Errorf("%v, want %v", got.err, fault)
		}
		if left := entriesOf(t, c.TempDir); len(left) > 0 {
			t.Errorf("left %q", left)
		}
	}
}
