package rows

import (
	"bufio"
	"context"
	"errors"
	"io"

	"pcapbatch/internal/agg"
	"pcapbatch/internal/runfile"
)

// An Encoding says how rows become bytes.
type Encoding struct {
	Header       string           // what comes before the first row
	NewFormatter func() Formatter // called once for each goroutine
}

// Options say how sessions are joined.
type Options struct {
	Workers  int
	Sessions agg.Options
	// Share is how many bytes of sessions each worker keeps in memory; what is
	// more goes to temporary files. 0: no limit.
	Share int64
	// Partitions is what the inputs that are to be merged are sorted by.
	Partitions int
	NewTemp    func() *runfile.Temp
}

// A Joiner makes rows of sessions: of tables, and of sessions on disk, which it
// merges by key and then sorts by time, in memory as far as that reaches. It
// belongs to one goroutine; its methods start others and wait for them.
type Joiner struct {
	Options
	tables     []*agg.Table         // one for each worker, or none
	collectors []*runfile.Collector // one for each worker
	merged     bool
}

// NewJoiner returns a joiner that begins with the sessions of tables, which it
// takes over; nil for none.
func NewJoiner(o Options, tables []*agg.Table) *Joiner {
	j := &Joiner{Options: o, tables: tables}
	for i := range o.Workers {
		limit := o.Share
		if tables != nil && o.Share > 0 {
			limit = max(1, o.Share-tables[i].Bytes())
		}
		j.collectors = append(j.collectors, runfile.NewCollector(o.Sessions, limit, o.NewTemp()))
	}
	return j
}

// Merge joins the sessions of the inputs of each group, groups side by side. The
// inputs of a group are in capture order; no two groups, and no group and a
// table, share a key.
func (j *Joiner) Merge(ctx context.Context, groups [][]runfile.Input) error {
	j.merged = len(groups) > 0
	return Each(ctx, j.Workers, len(groups), func(ctx context.Context, worker, i int) error {
		return j.collectors[worker].Merge(ctx, groups[i], j.Partitions)
	})
}

// Counts are what the sessions of a joiner say of themselves.
type Counts struct {
	Sessions    uint64
	Reordered   uint64 // packets that the tables and merging found reordered
	InexactGaps uint64 // sessions: see agg.Table.InexactGaps
}

// Counts adds up what the sessions say. Requires: all is merged.
func (j *Joiner) Counts() (n Counts) {
	for _, t := range j.tables {
		n.Sessions += uint64(t.Len())
		n.InexactGaps += t.InexactGaps()
		n.Reordered += t.Reordered()
	}
	for _, c := range j.collectors {
		sessions, reordered, inexact := c.Counts()
		n.Sessions += sessions
		n.InexactGaps += inexact
		n.Reordered += reordered
	}
	return n
}

// Write writes the header and all rows to w.
func (j *Joiner) Write(ctx context.Context, e Encoding, w io.Writer) error {
	return WithHeader(w, e.Header, func(w io.Writer) error {
		if !j.merged {
			return WriteTables(ctx, j.tables, j.Workers, e.NewFormatter, w)
		}
		err := Each(ctx, j.Workers, j.Workers, func(_ context.Context, _, i int) error {
			j.collectors[i].Sort()
			return nil
		})
		if err != nil {
			return err
		}
		return WriteSessions(ctx, func(ctx context.Context, take func(session []byte) error) error {
			return runfile.EachSession(ctx, j.collectors, j.tables, take)
		}, j.Sessions, j.Workers, e.NewFormatter, w)
	})
}

// WritePart writes all rows, with their sort keys, to w. Requires: the joiner
// has no tables.
func (j *Joiner) WritePart(ctx context.Context, e Encoding, w *runfile.Writer) error {
	return w.WriteRows(ctx, j.collectors, e.NewFormatter().AppendRow)
}

// Close gives back the memory of the sessions and removes temporary files.
func (j *Joiner) Close() (err error) {
	for _, t := range j.tables {
		t.Release()
	}
	for _, c := range j.collectors {
		err = errors.Join(err, c.Close())
	}
	return err
}

// WithHeader writes a header and then the rows that write writes.
func WithHeader(w io.Writer, header string, write func(w io.Writer) error) error {
	b := bufio.NewWriterSize(w, 1<<16) // chunks of rows are larger and pass through
	_, err := b.WriteString(header)
	if err == nil {
		err = write(b)
	}
	if err == nil {
		err = b.Flush()
	}
	return err
}
