package rows

import (
	"context"
	"io"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"pcapbatch/internal/agg"
	"pcapbatch/internal/heap"
	"pcapbatch/internal/race"
)

// A Formatter makes the text of rows. Each goroutine has one of its own.
type Formatter interface {
	// AppendRow appends the line of session i of t to dst.
	AppendRow(dst []byte, t *agg.Table, i uint32) []byte
}

// rowsPerChunk is how many rows are formatted and written at a time: some
// 200 KB of text, so that handing a chunk over costs nothing and a few chunks
// stay in the cache.
const rowsPerChunk = 1024

// packedPerChunk is when a chunk of encoded sessions is full, in bytes, though
// its rows are fewer: large sessions have some KB each.
const packedPerChunk = 256 << 10

// A chunk is a stretch of rows on its way to the output.
type chunk struct {
	rows   []place
	packed []byte // encoded sessions, behind rows
	count  int    // of them
	text   []byte
	err    error
	done   sync.WaitGroup
}

type place struct {
	table *agg.Table
	index uint32
}

// format makes the text. Encoded sessions are loaded into t.
func (c *chunk) format(f Formatter, t *agg.Table) error {
	c.text = c.text[:0]
	for _, p := range c.rows {
		c.text = f.AppendRow(c.text, p.table, p.index)
	}
	for rest := c.packed; len(rest) > 0; {
		var err error
		if rest, err = t.Load(rest); err != nil {
			return err
		}
		c.text = f.AppendRow(c.text, t, 0)
	}
	return nil
}

// chunks is the way of the chunks: filled one after the other, formatted side
// by side, written in order.
type chunks struct {
	ctx                 context.Context
	free, work, ordered chan *chunk
}

// get returns an empty chunk.
func (q *chunks) get() (*chunk, error) {
	select {
	case c := <-q.free:
		c.rows, c.packed, c.count = c.rows[:0], c.packed[:0], 0
		return c, nil
	case <-q.ctx.Done():
		return nil, context.Cause(q.ctx)
	}
}

// put sends a filled chunk on.
func (q *chunks) put(c *chunk) {
	c.done.Add(1)
	q.work <- c
	q.ordered <- c
}

// WriteTables writes the rows of all sessions of the tables, in order, to w.
// Tables are sorted and rows formatted by workers goroutines side by side,
// and written in order by another.
func WriteTables(ctx context.Context, tables []*agg.Table, workers int, newFormatter func() Formatter, w io.Writer) error {
	return writeChunks(ctx, agg.Options{}, workers, newFormatter, w, func(q *chunks) error { return mergeRows(q, tables) })
}

// WriteSessions writes the rows of the encoded sessions that each gives, in
// that order, to w. Rows are formatted by workers goroutines side by side, and
// written in order by another. o are the options that the sessions were made
// with.
func WriteSessions(ctx context.Context, each func(ctx context.Context, take func(session []byte) error) error, o agg.Options, workers int, newFormatter func() Formatter, w io.Writer) error {
	return writeChunks(ctx, o, workers, newFormatter, w, func(q *chunks) error {
		var c *chunk
		err := each(q.ctx, func(session []byte) (err error) {
			if c == nil {
				if c, err = q.get(); err != nil {
					return err
				}
			}
			c.packed = append(c.packed, session...)
			if c.count++; c.count == rowsPerChunk || len(c.packed) >= packedPerChunk {
				q.put(c)
				c = nil
			}
			return nil
		})
		if err == nil && c != nil {
			q.put(c)
		}
		return err
	})
}

// writeChunks writes the text of the chunks that fill puts.
func writeChunks(ctx context.Context, o agg.Options, workers int, newFormatter func() Formatter, w io.Writer, fill func(q *chunks) error) error {
	g, ctx := errgroup.WithContext(ctx)
	most := 4 * workers // one in formatting, one waiting, two spare each
	q := &chunks{ctx, make(chan *chunk, most), make(chan *chunk, most), make(chan *chunk, most)}
	for range most {
		q.free <- &chunk{}
	}
	g.Go(func() error {
		defer close(q.work)
		defer close(q.ordered)
		return fill(q)
	})
	for range workers {
		g.Go(func() error {
			f, t := newFormatter(), agg.NewTable(o)
			defer t.Release()
			for c := range q.work {
				c.err = c.format(f, t)
				c.done.Done()
			}
			return nil
		})
	}
	g.Go(func() error {
		for c := range q.ordered {
			c.done.Wait()
			if c.err != nil {
				return c.err
			}
			if _, err := w.Write(c.text); err != nil {
				return err
			}
			q.free <- c
		}
		return nil
	})
	return g.Wait()
}

// mergeRows lists the rows of all tables in order, cut into chunks.
func mergeRows(q *chunks, tables []*agg.Table) error {
	lists, err := sortTables(q.ctx, tables)
	if err != nil {
		return err
	}
	heads := heap.New(before)
	for i, rows := range lists {
		if race.Enabled {
			t := tables[i]
			sorted := slices.IsSortedFunc(rows, func(a, b agg.Row) int { return agg.CompareRows(t, a, t, b) })
			race.Assert(sorted, "the rows of table %d are not in order", i)
		}
		if len(rows) > 0 {
			heads.Push(cursor{tables[i], rows})
		}
	}
	for heads.Len() > 0 {
		c, err := q.get()
		if err != nil {
			return err
		}
		for len(c.rows) < rowsPerChunk && heads.Len() > 0 {
			h := heads.Front()
			c.rows = append(c.rows, place{h.table, h.rows[0].Index})
			if h.rows = h.rows[1:]; len(h.rows) == 0 {
				heads.PopFront()
			} else {
				heads.FixFront()
			}
		}
		q.put(c)
	}
	return nil
}

func sortTables(ctx context.Context, tables []*agg.Table) ([][]agg.Row, error) {
	lists := make([][]agg.Row, len(tables))
	var g errgroup.Group
	for i, t := range tables {
		g.Go(func() error {
			if ctx.Err() == nil {
				lists[i] = t.Rows()
			}
			return nil
		})
	}
	g.Wait()
	return lists, context.Cause(ctx)
}

// A cursor is what is left of one table's rows.
type cursor struct {
	table *agg.Table
	rows  []agg.Row
}

// before orders cursors by their next rows.
func before(a, b *cursor) bool {
	return agg.CompareRows(a.table, a.rows[0], b.table, b.rows[0]) < 0
}
