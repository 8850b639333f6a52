package rows

import (
	"cmp"
	"context"
	"io"
	"slices"
	"strconv"
	"sync"

	"golang.org/x/sync/errgroup"

	"pcapbatch/internal/agg"
	"pcapbatch/internal/heap"
	"pcapbatch/internal/race"
)

// A Formatter makes the text of rows. It belongs to one goroutine.
type Formatter interface {
	// AppendRow appends the row of session i of t, with its line end, to dst.
	AppendRow(dst []byte, t *agg.Table, i uint32) []byte
}

// rowsPerChunk is how many rows are formatted and written at a time: some 200
// KB of text, so that the cost of handing a chunk over does not count, and a
// few chunks stay in the cache.
const rowsPerChunk = 1024

// encodedPerChunk is how many bytes of encoded sessions fill a chunk though
// there are fewer than rowsPerChunk: large sessions take some KB each.
const encodedPerChunk = 256 << 10

// A chunk is a number of neighbouring rows on their way to the output: sessions
// of tables, or encoded sessions.
type chunk struct {
	sessions []session
	encoded  []byte         // sessions, one after the other
	count    int            // sessions in encoded
	first    uint64         // number of the first row, from 0
	text     []byte         // the rows; valid once done, as err is
	err      error          // why the text could not be made
	done     sync.WaitGroup // done when the text is made
}

// A session is one of a table.
type session struct {
	table *agg.Table
	index uint32
}

// format makes the text of the rows. Encoded sessions are loaded into t, one at
// a time.
func (c *chunk) format(f Formatter, t *agg.Table, numbered bool) error {
	c.text = c.text[:0]
	number := c.first
	begin := func() {
		if numbered {
			c.text = append(strconv.AppendUint(c.text, number, 10), ',')
			number++
		}
	}
	for _, p := range c.sessions {
		begin()
		c.text = f.AppendRow(c.text, p.table, p.index)
	}
	for rest := c.encoded; len(rest) > 0; {
		var err error
		if rest, err = t.Load(rest); err != nil {
			return err
		}
		begin()
		c.text = f.AppendRow(c.text, t, 0)
	}
	return nil
}

// A queue passes chunks from the goroutine that fills them, one after the
// other, to those that format them side by side (work), and to the one that
// writes them in order (ordered). Each of the three channels can hold all
// chunks there are, so that only taking a free one waits.
type queue struct {
	ctx                 context.Context
	free, work, ordered chan *chunk
	most                int    // rows of a chunk
	rows                uint64 // in the chunks that were put
}

// get returns an empty chunk, once there is one.
func (q *queue) get() (*chunk, error) {
	select {
	case c := <-q.free:
		c.sessions, c.encoded, c.count = c.sessions[:0], c.encoded[:0], 0
		return c, nil
	case <-q.ctx.Done():
		return nil, context.Cause(q.ctx)
	}
}

// put hands on a chunk that is filled.
func (q *queue) put(c *chunk) {
	c.first = q.rows
	q.rows += uint64(len(c.sessions) + c.count)
	c.done.Add(1)
	q.work <- c
	q.ordered <- c
}

// WriteTables writes the rows of all sessions of the tables, in order, to w. As
// many goroutines as workers says format them. The header is the caller's to
// write.
func WriteTables(ctx context.Context, tables []*agg.Table, workers int, e Encoding, w io.Writer) error {
	return writeChunks(ctx, agg.Options{}, workers, e, w, func(q *queue) error { return mergeRows(q, tables) })
}

// WriteSessions writes the rows of encoded sessions, in the order in which each
// passes them to take, to w. As many goroutines as workers says format them. o
// has the options that the sessions were made with.
func WriteSessions(ctx context.Context, each func(ctx context.Context, take func(session []byte) error) error, o agg.Options, workers int, e Encoding, w io.Writer) error {
	return writeChunks(ctx, o, workers, e, w, func(q *queue) error {
		var c *chunk
		err := each(q.ctx, func(session []byte) (err error) {
			if c == nil {
				if c, err = q.get(); err != nil {
					return err
				}
			}
			c.encoded = append(c.encoded, session...)
			if c.count++; c.count == q.most || len(c.encoded) >= encodedPerChunk {
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

// writeChunks calls fill, which puts chunks into a queue, has them formatted,
// and writes their text to w.
func writeChunks(ctx context.Context, o agg.Options, workers int, e Encoding, w io.Writer, fill func(q *queue) error) error {
	g, ctx := errgroup.WithContext(ctx)
	most := 4 * workers // for each: one being formatted, one waiting to be written, two spare
	q := &queue{ctx: ctx, most: cmp.Or(e.ChunkRows, rowsPerChunk), free: make(chan *chunk, most), work: make(chan *chunk, most), ordered: make(chan *chunk, most)}
	for range most {
		q.free <- &chunk{}
	}
	g.Go(func() error {
		defer close(q.work)
		defer close(q.ordered)
		return caught(func() error { return fill(q) })
	})
	for range workers {
		g.Go(func() error {
			f, t := e.NewFormatter(), agg.NewTable(o)
			defer t.Release()
			for c := range q.work {
				c.err = caught(func() error { return c.format(f, t, e.Numbered) })
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

// mergeRows puts the sessions of all tables, in the order of their rows, into
// chunks.
func mergeRows(q *queue, tables []*agg.Table) error {
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
		for len(c.sessions) < q.most && heads.Len() > 0 {
			h := heads.Front()
			c.sessions = append(c.sessions, session{h.table, h.rows[0].Index})
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

// sortTables returns the sorted rows of each table. Tables are sorted side by
// side.
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

// A cursor has the rows of one table that are not in a chunk yet.
type cursor struct {
	table *agg.Table
	rows  []agg.Row
}

// before orders cursors by their next rows.
func before(a, b *cursor) bool {
	return agg.CompareRows(a.table, a.rows[0], b.table, b.rows[0]) < 0
}
