package main

import (
	"bufio"
	"context"
	"errors"
	"io"

	"pcapbatch/internal/agg"
	"pcapbatch/internal/runfile"
	"pcapbatch/internal/shard"
	"pcapbatch/internal/writer"
)

// A joiner makes rows of sorted sessions: it merges what lies on disk, sorts
// by time, in memory as far as that reaches, and writes.
type joiner struct {
	workers    int
	options    agg.Options
	partitions int
	layout     *writer.Layout
	collectors []*runfile.Collector // one per worker
}

// newJoiner returns a joiner that begins with the sessions of tables, which it
// takes over; nil for none. Each worker keeps at most share bytes in memory.
func newJoiner(workers int, o agg.Options, share int64, partitions int, m *memory, layout *writer.Layout, tables []*agg.Table) *joiner {
	j := &joiner{workers: workers, options: o, partitions: partitions, layout: layout}
	for i := range workers {
		var t *agg.Table
		if tables != nil {
			t = tables[i]
		}
		f := layout.NewFormatter()
		j.collectors = append(j.collectors, runfile.NewCollector(t, o, share, runfile.NewTemp(m.fs, m.tempDir), f.AppendRow))
	}
	return j
}

// merge merges units side by side. Inputs of a unit are in capture order; no
// two units share a key.
func (j *joiner) merge(ctx context.Context, units [][]runfile.Input) error {
	return shard.Each(ctx, j.workers, len(units), func(ctx context.Context, worker, i int) error {
		return j.collectors[worker].Merge(ctx, units[i], j.partitions)
	})
}

// count adds what the sessions say to the report, and returns the number of
// packets that the tables and their merging found reordered.
func (j *joiner) count(r *report) (reordered uint64) {
	for _, c := range j.collectors {
		sessions, n, overlapped := c.Counts()
		r.Sessions += sessions
		r.Overlapping += overlapped
		reordered += n
	}
	r.Reordered += reordered
	return reordered
}

// spilled reports whether rows are on disk.
func (j *joiner) spilled() bool {
	for _, c := range j.collectors {
		if c.Spilled() {
			return true
		}
	}
	return false
}

// flush puts all rows on disk, if some are there already.
func (j *joiner) flush(ctx context.Context) error {
	return shard.Each(ctx, j.workers, len(j.collectors), func(_ context.Context, _, i int) error { return j.collectors[i].Flush() })
}

// write writes the CSV.
func (j *joiner) write(ctx context.Context, out io.Writer) error {
	if !j.spilled() {
		var tables []*agg.Table
		for _, c := range j.collectors {
			tables = append(tables, c.Table())
		}
		return writeCSV(ctx, tables, j.workers, j.layout, out)
	}
	if err := j.flush(ctx); err != nil {
		return runError(err)
	}
	return writeLines(out, j.layout.Header(), func(w io.Writer) error { return runfile.CopyRows(ctx, j.collectors, w) })
}

func (j *joiner) close() (err error) {
	for _, c := range j.collectors {
		err = errors.Join(err, c.Close())
	}
	return err
}

// writeLines writes a header line and the rows that copy writes.
func writeLines(out io.Writer, header string, copy func(w io.Writer) error) error {
	w := bufio.NewWriterSize(lineOutput{out}, 1<<20)
	_, err := w.WriteString(header)
	if err == nil {
		err = copy(w)
	}
	if err == nil {
		err = w.Flush()
	}
	return runError(err)
}

// lineOutput tells the errors of the output from those of the merge.
type lineOutput struct{ io.Writer }

func (o lineOutput) Write(p []byte) (int, error) {
	n, err := o.Writer.Write(p)
	if err != nil {
		err = outputError(err)
	}
	return n, err
}
