package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"time"

	"pcapbatch/internal/capture"
	"pcapbatch/internal/durable"
	engine "pcapbatch/internal/job"
)

// An engineRun is what the jobs of one measurement have in common.
type engineRun struct {
	config engine.Config
	found  *capture.Found
	dir    string // for what the jobs write
	total  genTotals
}

// An engineWay is a way from captures to rows.
type engineWay struct {
	name string
	do   func(e *engineRun, c engine.Config, dir string, w io.Writer) error
}

// parts is the number of partitions that captures are mapped to.
const parts = 3

func engineWays() []engineWay {
	ctx := context.Background()
	extract := func(e *engineRun, c engine.Config, _ string, w io.Writer) error {
		_, err := engine.Extract(ctx, c, e.found, w)
		return err
	}
	mapped := func(e *engineRun, c engine.Config, dir string) ([]string, error) {
		if _, err := engine.Map(ctx, c, dir, parts, e.found); err != nil {
			return nil, err
		}
		return engine.RunFiles(durable.OS, []string{dir})
	}
	return []engineWay{
		{"extract", func(e *engineRun, c engine.Config, dir string, w io.Writer) error {
			c.Share, c.LeastSpill = 0, 0
			return extract(e, c, dir, w)
		}},
		{"extract, spilling", extract},
		{"resume", func(e *engineRun, c engine.Config, dir string, w io.Writer) error {
			_, err := engine.Resume(ctx, c, dir, e.found, w)
			return err
		}},
		{"map, merge", func(e *engineRun, c engine.Config, dir string, w io.Writer) error {
			runs, err := mapped(e, c, dir)
			if err == nil {
				_, err = engine.Merge(ctx, c, runs, w)
			}
			return err
		}},
		{"map, reduce, join", func(e *engineRun, c engine.Config, dir string, w io.Writer) error {
			runs, err := mapped(e, c, dir)
			for p := range parts {
				if err == nil {
					_, err = engine.Reduce(ctx, c, runs, p, filepath.Join(dir, "parts"))
				}
			}
			if err != nil {
				return err
			}
			list, err := engine.Parts(durable.OS, []string{filepath.Join(dir, "parts")})
			if err == nil {
				_, err = engine.JoinParts(ctx, c, list, w)
			}
			return err
		}},
	}
}

// runEngine is the command engine.
func runEngine(args []string, stdout, stderr io.Writer) error {
	flags := newFlags("engine", stderr)
	name := flags.String("kind", "mix", "mix, scan, elephant or victim")
	scale := flags.Float64("scale", 0.01, "number of packets, as a fraction of the full capture's")
	split := flags.Int64("split", 4, "number of captures, one after the other in time")
	workers := flags.Int("j", 1, "workers")
	share := flags.Int64("share", 1<<20, "memory of a worker for sessions, in bytes, for all ways but the first")
	rounds := flags.Int("rounds", 5, "how often each way is gone, in turns; the fastest counts")
	if err := flags.Parse(args); err != nil {
		return err
	}
	k, ok := kindByName(*name)
	if !ok || !(*scale > 0 && *scale <= 1) || *split < 1 || *split > 100 || *rounds < 1 || *share < 1<<12 {
		return fmt.Errorf("kind %q, scale %v, split %d, rounds %d or share %d is out of range", *name, *scale, *split, *rounds, *share)
	}
	dir, err := os.MkdirTemp("", "bench-engine-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	e := &engineRun{config: engine.New(), dir: dir}
	if e.total, err = writeCapture(k, *scale, 1, *split, dir); err != nil {
		return err
	}
	e.found = capture.Find(durable.OS, []string{dir}, false)
	e.config.Workers, e.config.Share, e.config.LeastSpill, e.config.HashSeed = *workers, *share, *share/4, 1
	return e.table(engineWays(), *rounds, stdout)
}

// table measures all ways and prints a line for each.
func (e *engineRun) table(ways []engineWay, rounds int, stdout io.Writer) error {
	best := make([]engineFigures, len(ways))
	for round := range rounds {
		for i, way := range ways {
			got, err := e.measure(way)
			if err != nil {
				return fmt.Errorf("%s: %w", way.name, err)
			}
			if round == 0 || got.wall < best[i].wall {
				best[i] = got
			}
		}
	}
	packets, sessions := float64(e.total.Packets), float64(e.total.Sessions)
	fmt.Fprintf(stdout, "%d packets, %d sessions, %d captures, %d workers, %d bytes each\n",
		e.total.Packets, e.total.Sessions, len(e.found.Paths), e.config.Workers, e.config.Share)
	fmt.Fprintf(stdout, "%-18s %10s %22s %20s\n", "", "ns/packet", "allocated B/session", "written B/session")
	for i, way := range ways {
		fmt.Fprintf(stdout, "%-18s %10.1f %22.1f %20.1f\n", way.name, float64(best[i].wall.Nanoseconds())/packets,
			float64(best[i].allocated)/sessions, float64(best[i].written)/sessions)
	}
	return nil
}

// engineFigures are what one job took: time, and bytes of its heap and in
// files, without the rows.
type engineFigures struct {
	wall               time.Duration
	allocated, written uint64
}

// measure goes one way once. There must be a row for each session that was
// generated; medians of long ones differ with the ways.
func (e *engineRun) measure(way engineWay) (f engineFigures, err error) {
	dir, err := os.MkdirTemp(e.dir, ".way-")
	if err != nil {
		return f, err
	}
	defer os.RemoveAll(dir)
	disk := &countingFS{FS: durable.NoSync(durable.OS)}
	c, rows := e.config, &lineCounter{}
	c.FS, c.TempDir = disk, dir
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	begin := time.Now()
	if err := way.do(e, c, filepath.Join(dir, "kept"), rows); err != nil {
		return f, err
	}
	f.wall = time.Since(begin)
	runtime.ReadMemStats(&after)
	f.allocated, f.written = after.TotalAlloc-before.TotalAlloc, disk.written.Load()
	if n := int64(rows.lines) - 1; n != e.total.Sessions {
		return f, fmt.Errorf("%d rows of %d sessions", n, e.total.Sessions)
	}
	return f, nil
}

type lineCounter struct{ lines int }

func (l *lineCounter) Write(p []byte) (int, error) {
	l.lines += bytes.Count(p, []byte("\n"))
	return len(p), nil
}

// A countingFS counts the bytes that are written to it.
type countingFS struct {
	durable.FS
	written atomic.Uint64
}

func (c *countingFS) Create(temp, path string) (durable.File, error) {
	f, err := c.FS.Create(temp, path)
	return countingFile{f, &c.written}, err
}

func (c *countingFS) Temp(dir string) (durable.File, error) {
	f, err := c.FS.Temp(dir)
	return countingFile{f, &c.written}, err
}

type countingFile struct {
	durable.File
	written *atomic.Uint64
}

func (f countingFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	f.written.Add(uint64(n))
	return n, err
}
