//go:build unix

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"pcapbatch/internal/decode"
)

// smallCaptures writes n captures of 10 packets each, a thousand to a
// directory; a session goes on through ten of them. It returns all packets.
// pack compresses a capture; nil leaves it plain.
func smallCaptures(t testing.TB, dir string, n int, pack func([]byte) []byte) (all []record) {
	t.Helper()
	for i := range n {
		sub := filepath.Join(dir, fmt.Sprintf("%03d", i/1000))
		if i%1000 == 0 {
			if err := os.Mkdir(sub, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		var records []record
		for k := range 10 {
			records = append(records, record{
				time: begin + int64(10*i+k)*second/100,
				data: ip(client, server, protoUDP, udp(uint16(i/10), 53, k)),
			})
		}
		data := pcap(records...)
		if pack != nil {
			data = pack(data)
		}
		if err := os.WriteFile(filepath.Join(sub, fmt.Sprintf("%06d.pcap", i)), data, 0o600); err != nil {
			t.Fatal(err)
		}
		all = append(all, records...)
	}
	return all
}

// TestThousandsOfSmallCaptures runs in a process that may have few files open.
func TestThousandsOfSmallCaptures(t *testing.T) {
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

// TestProgressCountsCaptures: those that cannot be opened are done with too.
func TestProgressCountsCaptures(t *testing.T) {
	dir := t.TempDir()
	smallCaptures(t, dir, 3, nil)
	list, err := openInputs(t.Context(), []string{dir + "/000/000000.pcap", dir + "/000/000001.pcap", dir + "/000/000002.pcap"}, nil, 1, func(err error) { t.Error(err) })
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(list[1].path); err != nil {
		t.Fatal(err)
	}
	for _, flags := range []extractFlags{{workers: 1, stretchBytes: stretchBytes}, {workers: 1, interleave: true}} {
		p := &pipeline{report: newReport(io.Discard), decoding: decode.Options{Shards: 1}}
		stretches, _ := flags.stretches(p, list)
		for err = nil; err == nil; {
			err = stretches[0].Read(t.Context(), p.newBlock())
		}
		if err != io.EOF {
			t.Fatal(err)
		}
		if got := p.progress.describe(len(list), 2e6); got != "3/3 captures, 2.0 M packets/s" || p.progress.records.Load() != 20 {
			t.Errorf("interleave=%t: %q, %d records", flags.interleave, got, p.progress.records.Load())
		}
		if n := p.progress.bytes(); n != list[0].size+list[2].size {
			t.Errorf("interleave=%t: %d bytes", flags.interleave, n)
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
