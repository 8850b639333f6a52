package job_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"pcapbatch/internal/capture"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/job"
	"pcapbatch/internal/writer"
)

const example = "../../testdata/example.pcap"

// One capture in, rows out.
func ExampleExtract() {
	found := capture.Find(durable.OS, []string{example}, false)
	c := job.New()
	c.Workers = 2
	c.Columns.Features = []writer.Group{writer.Totals}
	var rows strings.Builder
	r, err := job.Extract(context.Background(), c, found, &rows)
	if err != nil {
		fmt.Println(err)
		return
	}
	first, _, _ := strings.Cut(rows.String(), "\n")
	fmt.Println(first)
	fmt.Println(r.Packets, "packets in", r.Sessions, "sessions; complete:", !r.Damaged())
	// Output:
	// src_ip,dst_ip,src_port,dst_port,protocol,first_seen_ns,last_seen_ns,total_bytes,payload_bytes
	// 54 packets in 6 sessions; complete: true
}

// A second run reads only what is new.
func ExampleResume() {
	dir, err := os.MkdirTemp("", "state")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	c := job.New()
	for _, name := range []string{example, "../../testdata/*example.pcap"} {
		found := capture.Find(durable.OS, []string{name}, false)
		r, err := job.Resume(context.Background(), c, dir, found, io.Discard)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(r.Sessions, "sessions")
	}
	// Output:
	// 6 sessions
	// 6 sessions
}

// A capture becomes a run file; a partition of all run files becomes a part; all
// parts become the rows. Merge does both last steps at once.
func ExampleMap() {
	ctx, c := context.Background(), job.New()
	dir, err := os.MkdirTemp("", "runs")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	if _, err := job.Map(ctx, c, dir, 2, capture.Find(durable.OS, []string{example}, false)); err != nil {
		fmt.Println(err)
		return
	}
	runs, err := job.RunFiles(durable.OS, []string{dir})
	if err != nil {
		fmt.Println(err)
		return
	}
	parts := filepath.Join(dir, "parts")
	for partition := range 2 {
		if _, err := job.Reduce(ctx, c, runs, partition, parts); err != nil {
			fmt.Println(err)
			return
		}
	}
	paths, err := job.Parts(durable.OS, []string{parts})
	if err != nil {
		fmt.Println(err)
		return
	}
	var joined, merged strings.Builder
	if _, err := job.JoinParts(ctx, c, paths, &joined); err != nil {
		fmt.Println(err)
		return
	}
	if _, err := job.Merge(ctx, c, runs, &merged); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(strings.Count(joined.String(), "\n"), "lines, the same:", joined.String() == merged.String())
	// Output:
	// 7 lines, the same: true
}
