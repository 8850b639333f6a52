package main

import (
	"path/filepath"
	"testing"
)

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
	for workers, least := range map[string]string{"1 worker": "32.0 MiB", "4 workers": "80.0 MiB"} {
		want := "batch: --memory 20M: with " + workers + " at least " + least + " are needed\nbatch: see 'batch help extract'\n"
		if r := runWith(nil, "extract", "-j"+workers[:1], "--memory=20M", "x.pcap"); r.code != exitUsage || r.stderr != want {
			t.Errorf("code %d, %q", r.code, r.stderr)
		}
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
