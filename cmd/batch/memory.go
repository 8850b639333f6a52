package main

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"

	"pcapbatch/internal/durable"

	"github.com/spf13/pflag"
)

// memory is what a run may use of the machine, and where it puts what does not
// fit.
type memory struct {
	size    string // of --memory; "" is automatic
	tempDir string
	fs      durable.FS // that everything the run makes is written to, profiles apart
}

func (m *memory) register(set *pflag.FlagSet) {
	m.fs = durable.OS
	set.StringVar(&m.size, "memory", "", "keep to `SIZE` of memory (as 800M or 16G), and put sessions on disk beyond (default three quarters of the machine's)")
	set.StringVar(&m.tempDir, "temp-dir", "", "put what does not fit into memory in `DIR` (default the system's directory for temporary files)")
}

// bufferBytes is what a run uses besides sessions: blocks on their way, text
// of rows, the runtime.
func bufferBytes(workers int) int64 { return 16<<20 + int64(workers)*(8<<20) }

// leastShare is the memory for sessions below which a worker would only spill.
const leastShare = 8 << 20

// mostShare is the memory for sessions that an agg.Table can number with room
// to spare.
const mostShare = 128 << 30

// begin is share for a run that begins. It tells the runtime of the limit:
// garbage may double what is live otherwise.
func (m *memory) begin(workers int) (share int64, err error) {
	share, limit, err := m.share(workers)
	if err == nil && limit > 0 {
		debug.SetMemoryLimit(limit)
	}
	return share, err
}

// share returns how many bytes of sessions each worker may hold, and how many
// bytes the process may use, 0 where that is not known. An eighth is left for
// sorting.
func (m *memory) share(workers int) (share, limit int64, err error) {
	limit = systemMemory() / 4 * 3
	if m.size != "" {
		if limit, err = parseSize(m.size); err != nil {
			return 0, 0, usageError("--memory %q: %w", m.size, err)
		}
	} else if limit == 0 {
		return mostShare, 0, nil
	}
	n := int64(workers)
	share = (limit - bufferBytes(workers)) / n
	if share < leastShare {
		if m.size == "" {
			return leastShare, limit, nil
		}
		return 0, 0, usageError("--memory %s: %s workers need at least %s", m.size, thousands(uint64(workers)), binaryBytes(bufferBytes(workers)+n*leastShare))
	}
	return min(share/8*7, mostShare), limit, nil
}

// parseSize reads a number of bytes with a unit: K, M, G or T for powers of
// 1024, also written KiB or KB.
func parseSize(s string) (int64, error) {
	number, binary := strings.CutSuffix(strings.ToUpper(s), "IB")
	if !binary {
		number = strings.TrimSuffix(number, "B")
	}
	shift := 0
	if n := len(number); n > 0 {
		if i := strings.IndexByte("KMGT", number[n-1]); i >= 0 {
			shift, number = 10*(i+1), number[:n-1]
		}
	}
	if binary && shift == 0 {
		return 0, strconv.ErrSyntax
	}
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if bytesOf := v * float64(uint64(1)<<shift); err == nil && bytesOf >= 0 && bytesOf < 1<<62 {
		return int64(bytesOf), nil
	}
	return 0, strconv.ErrSyntax
}

// systemMemory is the memory of the machine, or that which its control group
// allows, in bytes; 0 where neither is known.
func systemMemory() int64 {
	limit := int64(math.MaxInt64)
	if n, ok := memTotal(); ok {
		limit = n
	}
	groups, _ := os.ReadFile("/proc/self/cgroup")
	for line := range strings.SplitSeq(string(groups), "\n") {
		part := strings.SplitN(line, ":", 3)
		if len(part) < 3 {
			continue
		}
		switch {
		case part[1] == "": // version 2
			limit = min(limit, groupLimit("/sys/fs/cgroup", part[2], "memory.max"))
		case strings.Contains(part[1], "memory"):
			limit = min(limit, groupLimit("/sys/fs/cgroup/memory", part[2], "memory.limit_in_bytes"))
		}
	}
	if limit == math.MaxInt64 {
		return 0
	}
	return limit
}

func memTotal() (int64, bool) {
	info, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, false
	}
	for line := range strings.SplitSeq(string(info), "\n") {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "MemTotal:" {
			kib, err := strconv.ParseInt(f[1], 10, 53)
			return kib << 10, err == nil
		}
	}
	return 0, false
}

// groupLimit is the lowest limit of a control group and those above it.
func groupLimit(root, group, file string) int64 {
	limit := int64(math.MaxInt64)
	for dir := filepath.Join("/", group); ; dir = filepath.Dir(dir) {
		if text, err := os.ReadFile(filepath.Join(root, dir, file)); err == nil {
			if n, err := strconv.ParseInt(string(bytes.TrimSpace(text)), 10, 64); err == nil && n > 0 {
				limit = min(limit, n)
			}
		}
		if dir == "/" {
			return limit
		}
	}
}
