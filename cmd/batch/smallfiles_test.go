//go:build unix

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"pcapbatch/internal/capture"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/job"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// TestThousandsOfSmallCaptures runs in a process that may have few files open.
func TestThousandsOfSmallCaptures(t *testing.T) {
	t.Parallel()
	sh, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no shell to set the limit with")
	}
	const n = 2000
	dir := t.TempDir()
	want := mustRun(t, "extract", write(t, "whole.pcap", pcap(smallCaptures(t, dir, n, nil)...)))
	for _, flag := range []string{"", "--interleave"} {
		summary := filepath.Join(t.TempDir(), "summary.json")
		cmd := exec.Command(sh, "-c", fmt.Sprintf("ulimit -n 24 && exec batch extract -r %s --summary %s %s", flag, summary, dir))
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		got, err := cmd.Output()
		if err != nil {
			t.Fatalf("%s: %v: %s", flag, err, &stderr)
		}
		if string(got) != want {
			t.Errorf("%s: the rows differ from those of one capture", flag)
		}
		if r := readSummary(t, summary); len(r.Captures) != n || r.Packets != 10*n || r.Sessions != n/10 {
			t.Errorf("%s: %d captures, %d packets, %d sessions", flag, len(r.Captures), r.Packets, r.Sessions)
		}
	}
}

// vanishing is a terminal for which a capture is gone once all were looked at.
type vanishing struct {
	*terminal
	t    *testing.T
	path string
}

func (v *vanishing) Start(captures int, bytes int64) {
	if err := os.Remove(v.path); err != nil {
		v.t.Error(err)
	}
	v.terminal.captures = captures
}

// TestProgressCountsCaptures: those that cannot be opened are done with too.
func TestProgressCountsCaptures(t *testing.T) {
	for _, interleave := range []bool{false, true} {
		dir := t.TempDir()
		smallCaptures(t, dir, 3, nil)
		found := capture.Find(durable.OS, []string{dir}, true)
		slices.Sort(found.Paths)
		size := int64(len(read(t, found.Paths[0])) + len(read(t, found.Paths[2])))
		term := &terminal{w: io.Discard, name: defaultName}
		c := job.New()
		c.Interleave, c.Observer = interleave, &vanishing{term, t, found.Paths[1]}
		r, err := job.Extract(t.Context(), c, found, io.Discard)
		if err != nil || !r.Failed() {
			t.Fatalf("interleave=%t: %v, %+v", interleave, err, r)
		}
		if got := (&bar{terminal: term}).describe(2e6); got != "3/3 captures, 2.0 M packets/s" || term.records.Load() != 20 || term.bytes() != size {
			t.Errorf("interleave=%t: %q, %d records, %d bytes", interleave, got, term.records.Load(), term.bytes())
		}
	}
}

// cpuTime is what the process has used, in all its threads.
func cpuTime(t testing.TB) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkSmallCaptures is the price of a capture as such:
//
//	go test -run '^$' -bench SmallCaptures -benchtime 1x ./cmd/batch
func BenchmarkSmallCaptures(b *testing.B) {
	const n = 20_000
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		b.Fatal(err)
	}
	var packed bytes.Buffer
	zip := gzip.NewWriter(nil)
	packs := map[string]func([]byte) []byte{
		"none": nil,
		"gzip": func(data []byte) []byte {
			packed.Reset()
			zip.Reset(&packed)
			zip.Write(data)
			zip.Close()
			return packed.Bytes()
		},
		"zstd": func(data []byte) []byte { return encoder.EncodeAll(data, nil) },
	}
	for _, comp := range []string{"none", "gzip", "zstd"} {
		dir := b.TempDir()
		smallCaptures(b, dir, n, packs[comp])
		for _, flag := range []string{"-q", "--interleave", "--state"} {
			b.Run(fmt.Sprintf("captures=%d/comp=%s/%s", n, comp, flag), func(b *testing.B) {
				args := []string{"extract", "-r", flag, dir}
				b.ReportAllocs()
				before := cpuTime(b)
				for b.Loop() {
					if flag == "--state" {
						args = []string{"extract", "-r", "--state", b.TempDir(), dir}
					}
					csv := mustRun(b, args...)
					if rows := strings.Count(csv, "\n") - 1; rows != n/10 {
						b.Fatalf("%d sessions", rows)
					}
				}
				b.ReportMetric(float64((cpuTime(b)-before).Microseconds())/float64(b.N)/n, "cpu-us/capture")
			})
		}
	}
}
