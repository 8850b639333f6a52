package shard

import (
	"context"
	"io"
	"sync"

	"golang.org/x/sync/errgroup"

	"pcapbatch/internal/agg"
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

// A chunk is a stretch of rows on its way to the output.
type chunk struct {
	rows []place
	text []byte
	done sync.WaitGroup
}

type place struct {
	table *agg.Table
	index uint32
}

// WriteRows writes the rows of all sessions of the tables, in order, to w.
// Tables are sorted and rows formatted by workers goroutines side by side,
// and written in order by the caller's.
func WriteRows(ctx context.Context, tables []*agg.Table, workers int, newFormatter func() Formatter, w io.Writer) error {
	g, ctx := errgroup.WithContext(ctx)
	free := make(chan *chunk, 4*workers) // one in formatting, one waiting, two spare each
	for range cap(free) {
		free <- &chunk{}
	}
	work := make(chan *chunk, cap(free))
	ordered := make(chan *chunk, cap(free))
	g.Go(func() error {
		defer close(work)
		defer close(ordered)
		return mergeRows(ctx, tables, func() (*chunk, error) {
			select {
			case c := <-free:
				return c, nil
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			}
		}, func(c *chunk) {
			c.done.Add(1)
			work <- c
			ordered <- c
		})
	})
	for range workers {
		g.Go(func() error {
			f := newFormatter()
			for c := range work {
				c.text = c.text[:0]
				for _, p := range c.rows {
					c.text = f.AppendRow(c.text, p.table, p.index)
				}
				c.done.Done()
			}
			return nil
		})
	}
	g.Go(func() error {
		for c := range ordered {
			c.done.Wait()
			if _, err := w.Write(c.text); err != nil {
				return err
			}
			free <- c
		}
		return nil
	})
	return g.Wait()
}

// mergeRows lists the rows of all tables in order, cut into chunks.
func mergeRows(ctx context.Context, tables []*agg.Table, get func() (*chunk, error), put func(*chunk)) error {
	lists, err := sortTables(ctx, tables)
	if err != nil {
		return err
	}
	var heads heap
	for i, rows := range lists {
		if len(rows) > 0 {
			heads = append(heads, cursor{tables[i], rows})
		}
	}
	heads.init()
	for len(heads) > 0 {
		c, err := get()
		if err != nil {
			return err
		}
		c.rows = c.rows[:0]
		for len(c.rows) < rowsPerChunk && len(heads) > 0 {
			h := &heads[0]
			c.rows = append(c.rows, place{h.table, h.rows[0].Index})
			if h.rows = h.rows[1:]; len(h.rows) == 0 {
				heads[0] = heads[len(heads)-1]
				heads = heads[:len(heads)-1]
			}
			heads.down(0)
		}
		put(c)
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

// A heap has the cursor with the first row at its root. It is written out
// because container/heap would make two interface calls per row and level.
type heap []cursor

func (h heap) less(i, j int) bool {
	return agg.CompareRows(h[i].table, h[i].rows[0], h[j].table, h[j].rows[0]) < 0
}

func (h heap) init() {
	for i := len(h)/2 - 1; i >= 0; i-- {
		h.down(i)
	}
}

// down moves cursor i to its place. Requires: the heap holds below it.
func (h heap) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(h) {
			return
		}
		if child+1 < len(h) && h.less(child+1, child) {
			child++
		}
		if !h.less(child, i) {
			return
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
}
