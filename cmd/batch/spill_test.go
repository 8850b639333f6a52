package main

import (
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"

	"pcapbatch/internal/durable"
	"pcapbatch/internal/job"
)

// manySessions are n packets of about n/2 sessions, all small, in time order,
// with some that come late and some long gaps.
func manySessions(seed uint64, n int) []record {
	rng := rand.New(rand.NewPCG(seed, 4))
	records := make([]record, n)
	time := begin
	for i := range records {
		time += 1 + rng.Int64N(2_000_000)
		if rng.IntN(n/4) == 0 {
			time += 30 * second
		}
		host := rng.IntN(n / 2)
		src := netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, 0x0a000000+uint32(host)))).String()
		at := time
		if rng.IntN(50) == 0 {
			at -= rng.Int64N(3_000_000)
		}
		records[i] = record{time: at, data: ip(src, "192.0.2.1", protoUDP, udp(uint16(host%7), 53, rng.IntN(40)))}
	}
	return records
}

// spilling counts the temporary files that are made. A broken one takes half of
// a write and has fault for it, which may be nil.
type spilling struct {
	durable.FS
	files  atomic.Int32
	broken bool
	fault  error
}

func (s *spilling) Temp(dir string) (durable.File, error) {
	s.files.Add(1)
	f, err := s.FS.Temp(dir)
	if err == nil && s.broken {
		f = &faultyTemp{f, s.fault}
	}
	return f, err
}

type faultyTemp struct {
	durable.File
	fault error
}

func (f *faultyTemp) Write(p []byte) (int, error) {
	n, _ := f.File.Write(p[:len(p)/2])
	return n, f.fault
}

// runSpilling runs extract on a file system of its own, with stretches cut at
// limit compressed bytes.
func runSpilling(t *testing.T, fs *spilling, limit int64, args ...string) result {
	t.Helper()
	return runOn(fs, func(c *job.Config) { c.StretchBytes = limit }, append([]string{"extract", "--features=all", "-q"}, args...)...)
}

// spillArgs are the least that one and two workers can do with; of short tests
// one.
func spillArgs() [][]string {
	if testing.Short() {
		return [][]string{{"-j2", "--memory=48M"}}
	}
	return [][]string{{"-j1", "--memory=32M"}, {"-j2", "--memory=48M"}}
}

// A run that has to spill writes the rows and the counts of one that has not.
func TestMemoryLimitSameBytes(t *testing.T) {
	records := manySessions(1, 300_000)
	plain := write(t, "plain.pcap", pcap(records...))
	dir := deal(t, records, 4, true, func(i int) int { return i * 4 / len(records) })
	cases := map[string]struct {
		limit int64
		args  []string
	}{
		"plain":        {1 << 20, []string{plain}},
		"idle timeout": {1 << 20, []string{"--idle-timeout=10s", plain}},
		"stretches":    {1, []string{dir}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			summary := filepath.Join(t.TempDir(), "s.json")
			args := append([]string{"--summary", summary}, c.args...)
			free := &spilling{FS: durable.OS}
			want := runSpilling(t, free, c.limit, args...)
			whole := readSummary(t, summary)
			if want.code != exitOK || free.files.Load() != 0 {
				t.Fatalf("without a limit: code %d, %d temporary files, %s", want.code, free.files.Load(), want.stderr)
			}
			for _, limited := range spillArgs() {
				fs := &spilling{FS: durable.OS}
				got := runSpilling(t, fs, c.limit, append(args, limited...)...)
				r := readSummary(t, summary)
				if got.code != exitOK || fs.files.Load() < 2 {
					t.Fatalf("%v: code %d, %d temporary files, %s", limited, got.code, fs.files.Load(), got.stderr)
				}
				if got.stdout != want.stdout {
					t.Errorf("%v: other rows from line %d", limited, differentLine(got.stdout, want.stdout))
				}
				if r.Sessions != whole.Sessions || r.Packets != whole.Packets || r.Reordered != whole.Reordered || len(r.Overlaps) != len(whole.Overlaps) {
					t.Errorf("%v: %d sessions, %d packets, %d reordered, %d overlapping; without a limit %d, %d, %d, %d", limited,
						r.Sessions, r.Packets, r.Reordered, len(r.Overlaps), whole.Sessions, whole.Packets, whole.Reordered, len(whole.Overlaps))
				}
			}
		})
	}
}

// A full disk ends the run with 3, says where, and leaves nothing behind.
func TestSpillFaults(t *testing.T) {
	capture := write(t, "c.pcap", pcap(manySessions(2, 120_000)...))
	for _, fault := range []error{syscall.ENOSPC, syscall.EIO, nil} {
		dir := t.TempDir()
		fs := &spilling{FS: durable.OS, broken: true, fault: fault}
		got := runSpilling(t, fs, 1, "-j1", "--memory=32M", "--temp-dir", dir, "-o", filepath.Join(dir, "o.csv"), capture)
		if fault == nil {
			fault = io.ErrShortWrite
		}
		if want := "batch: write temporary file in " + dir + ": " + fault.Error() + "\n"; got.code != exitOutput || got.stderr != want {
			t.Errorf("code %d, %q, want %q", got.code, got.stderr, want)
		}
		expectEntries(t, dir)
	}
}

func TestMemoryFlag(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "1000": 1000, "2K": 2048, "1.5MiB": 3 << 19, "16G": 16 << 30, "2TB": 2 << 40, "7 GB": 7 << 30} {
		if n, err := parseSize(text); err != nil || n != want {
			t.Errorf("%q: %d, %v", text, n, err)
		}
	}
	for _, text := range []string{"", "M", "-1", "1X", "x", "1e30", "NaN", "16IB", "64MIBI", "64MBB", "inf"} {
		if n, err := parseSize(text); err == nil {
			t.Errorf("%q: %d", text, n)
		}
	}
	if r := runWith(nil, "extract", "-j4", "--memory=40M", "x.pcap"); r.code != exitUsage || r.stderr != "batch: --memory 40M: 4 workers need at least 80.0 MiB\nbatch: see 'batch help'\n" {
		t.Errorf("code %d, %q", r.code, r.stderr)
	}
}

func TestGroupLimit(t *testing.T) {
	root := t.TempDir()
	if n := groupLimit(root, "/a/b", "memory.max"); n != 1<<63-1 {
		t.Errorf("without files: %d", n)
	}
	for _, f := range [][2]string{{"a/b/memory.max", "max\n"}, {"a/memory.max", "5000\n"}, {"memory.max", "9000\n"}} {
		mustWrite(t, filepath.Join(root, f[0]), f[1])
	}
	if n := groupLimit(root, "/a/b", "memory.max"); n != 5000 {
		t.Errorf("%d", n)
	}
	if systemMemory() < 1<<20 {
		t.Errorf("system memory %d", systemMemory())
	}
}
