package main

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"pcapbatch/internal/job"
	"pcapbatch/internal/report"
)

// memoryLimit returns the limit of memory, in bytes, that --memory asks for.
// For "" it is three quarters of the machine's memory, but at least what the
// workers need, and 0, no limit, where the machine's memory is not known.
func memoryLimit(size string, workers int) (int64, error) {
	least := job.LeastMemory(workers)
	if size == "" {
		if limit := systemMemory() / 4 * 3; limit > 0 {
			return max(limit, least), nil
		}
		return 0, nil
	}
	limit, err := parseSize(size)
	if err != nil {
		return 0, usageError("--memory %s: %w", size, err)
	}
	if limit < least {
		return 0, usageError("--memory %s: with %s at least %s are needed", size, report.Plural(uint64(workers), "worker"), report.BinaryBytes(least))
	}
	return limit, nil
}

var errSize = errors.New("must be a size such as 800M or 16G")

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
		return 0, errSize
	}
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if bytesOf := v * float64(uint64(1)<<shift); err == nil && bytesOf >= 0 && bytesOf < 1<<62 {
		return int64(bytesOf), nil
	}
	return 0, errSize
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
