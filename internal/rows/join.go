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
	Header       string           // written before the first row
	NewFormatter func() Formatter // called once for each goroutine
	// Numbered puts the number of each row, from 0, and a comma in front of it.
	// In parts there is none: whoever joins them numbers the rows.
	Numbered bool
	// ChunkRows is how many rows a Formatter is given at most before what it has
	// made is written; 0: 1024.
	ChunkRows int
}

// Options say how sessions are joined.
type Options struct {
	Workers  int
	Sessions agg.Options
	// Share is how many bytes of sessions each worker keeps in memory; those
	// beyond go to temporary files. 0 is no limit.
	Share int64
	// Partitions is the number of partitions by which the inputs of Merge are
	// sorted.
	Partitions int
	// NewTemp makes a temporary file, which takes no space until it is written.
	NewTemp func() *runfile.Temp
}

// A Joiner makes rows of sessions: of tables, and of sessions on disk, which it
// merges by key and then sorts by time, in memory as far as Options.Share
// allows. It belongs to one goroutine; its methods start others and wait for
// them.
type Joiner struct {
	Options
	tables     []*agg.Table         // one for each worker, or none
	collectors []*runfile.Collector // one for each worker
	merged     bool                 // Merge was given inputs
}

// NewJoiner returns a joiner with the sessions of tables, one for each worker,
// which belong to the joiner from then on; nil is no sessions. The caller
// closes the joiner.
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

// Merge merges the inputs of so many groups and joins sessions of one key; groups
// are merged side by side. group, which several goroutines call, returns one by
// its number. Requires: the inputs of a group are in capture order, and no key
// is in two groups, or in a group and a table.
func (j *Joiner) Merge(ctx context.Context, groups int, group func(i int) []runfile.Input) error {
	j.merged = groups > 0
	return Each(ctx, j.Workers, groups, func(ctx context.Context, worker, i int) error {
		return j.collectors[worker].Merge(ctx, group(i), j.Partitions)
	})
}

// Counts are what a joiner has counted.
type Counts struct {
	Sessions    uint64
	Reordered   uint64 // packets that the tables, or merging, found to be earlier than the one before
	InexactGaps uint64 // sessions: see agg.Table.InexactGaps
}

// Counts returns the counts of all sessions. Requires: all inputs are merged.
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

// Write writes the header and all rows, in order, to w. It does not close w.
func (j *Joiner) Write(ctx context.Context, e Encoding, w io.Writer) error {
	return WithHeader(w, e.Header, func(w io.Writer) error { return j.WriteRows(ctx, e, w) })
}

// WriteRows writes all rows, in order and without a header, to w. Each call of
// w.Write gets whole rows.
func (j *Joiner) WriteRows(ctx context.Context, e Encoding, w io.Writer) error {
	if !j.merged {
		return WriteTables(ctx, j.tables, j.Workers, e, w)
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
	}, j.Sessions, j.Workers, e, w)
}

// WritePart writes all rows, in order and with their sort keys, to a part.
// Requires: the joiner has no tables.
func (j *Joiner) WritePart(ctx context.Context, e Encoding, w *runfile.Writer) error {
	return w.WriteRows(ctx, j.collectors, e.NewFormatter().AppendRow)
}

// Close releases the memory of the sessions and removes temporary files.
func (j *Joiner) Close() (err error) {
	for _, t := range j.tables {
		t.Release()
	}
	for _, c := range j.collectors {
		err = errors.Join(err, c.Close())
	}
	return err
}

// WithHeader writes a header to w, and then calls write for the rows. The
// writer that write gets is buffered, so small writes are cheap.
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
