package runfile

import (
	"bytes"
	"context"
	"errors"
	"io"

	"pcapbatch/internal/agg"
)

// A Collector takes merged sessions and brings their rows into the order of
// the CSV: in a table as long as they fit in memory, else in sorted runs of
// rows on disk.
type Collector struct {
	table   *agg.Table
	options agg.Options
	limit   int64 // of table, bytes; 0: none
	temp    *Temp
	format  func(dst []byte, t *agg.Table, i uint32) []byte
	key     []byte
	runs    []Input

	// Of the sessions that are not in the table any more.
	sessions, reordered, overlapped uint64
}

// NewCollector returns a collector that begins with the sessions of table, nil
// for none, and keeps at most limit bytes in memory; 0 is no limit. It takes
// the table over. Runs of rows, whose text format makes, go to temp.
func NewCollector(table *agg.Table, o agg.Options, limit int64, temp *Temp, format func(dst []byte, t *agg.Table, i uint32) []byte) *Collector {
	if table == nil {
		table = agg.NewTable(o)
	}
	return &Collector{table: table, options: o, limit: limit, temp: temp, format: format}
}

// Merge takes the sessions of inputs, which are in capture order. The keys of
// one call are in no other call.
func (c *Collector) Merge(ctx context.Context, inputs []Input, partitions int) error {
	before := c.temp.live
	inputs, err := c.temp.Narrow(ctx, inputs, partitions, c.options)
	if err != nil {
		return err
	}
	narrowed := c.temp.live - before
	if err := merge(ctx, inputs, c.take); err != nil {
		return err
	}
	c.key = c.key[:0]
	return c.temp.Drop(narrowed)
}

func (c *Collector) take(e *Entry) error {
	if !bytes.Equal(c.key, e.key) {
		if c.limit > 0 && c.table.Bytes() > c.limit {
			if err := c.Flush(); err != nil {
				return err
			}
		}
		c.key = append(c.key[:0], e.key...)
	}
	return e.absorb(c.table)
}

// Flush writes the rows of the table as a run and empties it.
func (c *Collector) Flush() error {
	if c.table.Len() == 0 {
		return nil
	}
	var entry []byte
	s, err := c.temp.write(func(w *blockWriter) error {
		for _, row := range c.table.Rows() {
			k := c.table.RowKey(row.Index)
			entry = appendRowKey(entry[:0], row.First, &k)
			entry = c.format(entry, c.table, row.Index)
			if err := w.add(entry); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	c.runs = append(c.runs, c.temp.input(s, rowOrder))
	c.count(c.table)
	c.table.Release()
	c.table = agg.NewTable(c.options)
	return nil
}

func (c *Collector) count(t *agg.Table) {
	c.sessions += uint64(t.Len())
	c.reordered += t.Reordered()
	c.overlapped += t.Overlapped()
}

// Spilled reports whether rows are on disk.
func (c *Collector) Spilled() bool { return len(c.runs) > 0 }

// Table returns the sessions that are in memory. It stays the collector's.
func (c *Collector) Table() *agg.Table { return c.table }

// Counts returns the number of sessions, of packets that were taken as
// arriving with a later one, and of sessions over overlapping captures.
func (c *Collector) Counts() (sessions, reordered, overlapped uint64) {
	t := c.table
	return c.sessions + uint64(t.Len()), c.reordered + t.Reordered(), c.overlapped + t.Overlapped()
}

// Close releases memory and removes the runs.
func (c *Collector) Close() error {
	c.table.Release()
	return c.temp.Close()
}

// CopyRows writes the text of all rows of the collectors, in order. It flushes
// them first.
func CopyRows(ctx context.Context, collectors []*Collector, w io.Writer) error {
	return eachRow(ctx, collectors, func(row []byte) error { return writeRow(w, row) })
}

// writeRow writes the text of a row.
func writeRow(w io.Writer, row []byte) error {
	n, err := rowKeySize(row)
	if err != nil {
		return err
	}
	return writeFull(w, row[n:])
}

// eachRow hands the entries of all rows to take.
func eachRow(ctx context.Context, collectors []*Collector, take func(row []byte) error) error {
	var runs []Input
	for _, c := range collectors {
		if err := c.Flush(); err != nil {
			return err
		}
		runs = append(runs, c.runs...)
	}
	if len(collectors) == 0 {
		return errors.New("runfile: no collectors")
	}
	runs, err := collectors[0].temp.narrowRows(ctx, runs)
	if err != nil {
		return err
	}
	return merge(ctx, runs, func(e *Entry) error { return take(e.data) })
}
