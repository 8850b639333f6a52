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

// A joiner makes rows of sessions: of tables, and of what lies on disk, which
// it merges and sorts by time, in memory as far as that reaches.
type joiner struct {
	workers    int
	options    agg.Options
	partitions int
	layout     *writer.Layout
	tables     []*agg.Table         // one per worker, or none
	collectors []*runfile.Collector // one per worker
	merged     bool
}

// newJoiner returns a joiner that begins with the sessions of tables, which it
// takes over; nil for none. Each worker keeps at most share bytes in memory; 0
// is no limit.
func newJoiner(workers int, o agg.Options, share int64, partitions int, m *memory, layout *writer.Layout, tables []*agg.Table) *joiner {
	j := &joiner{workers: workers, options: o, partitions: partitions, layout: layout, tables: tables}
	for i := range workers {
		limit := share
		if tables != nil && share > 0 {
			limit = max(1, share-tables[i].Bytes())
		}
		j.collectors = append(j.collectors, runfile.NewCollector(o, limit, runfile.NewTemp(m.fs, m.tempDir)))
	}
	return j
}

// merge merges units side by side. Inputs of a unit are in capture order; no
// two units share a key.
func (j *joiner) merge(ctx context.Context, units [][]runfile.Input) error {
	j.merged = len(units) > 0
	return shard.Each(ctx, j.workers, len(units), func(ctx context.Context, worker, i int) error {
		return j.collectors[worker].Merge(ctx, units[i], j.partitions)
	})
}

// count adds what the sessions say to the report, and returns the number of
// packets that the tables and merging found reordered.
func (j *joiner) count(r *report) (reordered uint64) {
	for _, t := range j.tables {
		r.Sessions += uint64(t.Len())
		r.InexactGaps += t.InexactGaps()
		reordered += t.Reordered()
	}
	for _, c := range j.collectors {
		sessions, n, inexact := c.Counts()
		r.Sessions += sessions
		r.InexactGaps += inexact
		reordered += n
	}
	r.Reordered += reordered
	return reordered
}

// write writes the CSV.
func (j *joiner) write(ctx context.Context, out io.Writer) error {
	newFormatter := func() shard.Formatter { return j.layout.NewFormatter() }
	return writeLines(out, j.layout.Header(), func(w io.Writer) error {
		if !j.merged {
			return shard.WriteRows(ctx, j.tables, j.workers, newFormatter, w)
		}
		err := shard.Each(ctx, j.workers, j.workers, func(_ context.Context, _, i int) error {
			j.collectors[i].Sort()
			return nil
		})
		if err != nil {
			return err
		}
		return shard.WriteSessions(ctx, func(ctx context.Context, take func(session []byte) error) error {
			return runfile.EachSession(ctx, j.collectors, j.tables, take)
		}, j.options, j.workers, newFormatter, w)
	})
}

func (j *joiner) close() (err error) {
	for _, t := range j.tables {
		t.Release()
	}
	for _, c := range j.collectors {
		err = errors.Join(err, c.Close())
	}
	return err
}

// writeLines writes a header line and the rows that copy writes.
func writeLines(out io.Writer, header string, copy func(w io.Writer) error) error {
	w := bufio.NewWriterSize(lineOutput{out}, 1<<16) // chunks of rows are larger and pass through
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
