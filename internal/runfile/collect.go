package runfile

import (
	"context"
	"errors"
	"io"

	"pcapbatch/internal/agg"
	"pcapbatch/internal/flow"
	"pcapbatch/internal/radix"
)

// A Collector takes merged sessions and brings them into the order of the CSV:
// in memory as long as they fit, else in sorted runs on disk. They stay encoded
// until their rows are made: a small session takes half the memory so, and
// what comes from disk and goes there again is never decoded.
type Collector struct {
	options agg.Options
	limit   int64 // of packed, bytes; 0: none
	temp    *Temp
	packed  packed
	runs    []Input

	sessions, reordered, inexact uint64
}

// NewCollector returns a collector that keeps at most limit bytes in memory; 0
// is no limit. What is more goes to temp.
func NewCollector(o agg.Options, limit int64, temp *Temp) *Collector {
	return &Collector{options: o, limit: limit, temp: temp, packed: packed{size: chunkBytes(limit)}}
}

// Merge takes the sessions of inputs, which are in capture order. The keys of
// one call are in no other call.
func (c *Collector) Merge(ctx context.Context, inputs []Input, partitions int) error {
	before := c.temp.live
	inputs, reordered, err := c.temp.Narrow(ctx, inputs, partitions, c.options)
	if err != nil {
		return err
	}
	narrowed := c.temp.live - before
	more, err := combine(ctx, inputs, c.options, c.take)
	if err != nil {
		return err
	}
	c.reordered += reordered + more
	return c.temp.Drop(narrowed)
}

func (c *Collector) take(_ int, session []byte) error {
	first, _, inexact, err := agg.RowOf(session)
	if err != nil {
		return err
	}
	if c.limit > 0 && c.packed.bytes() > c.limit {
		if err := c.flush(); err != nil {
			return err
		}
	}
	c.packed.add(first, session)
	c.sessions++
	if inexact {
		c.inexact++
	}
	return nil
}

// flush writes the sessions in memory as a run.
func (c *Collector) flush() error {
	if len(c.packed.list) == 0 {
		return nil
	}
	c.packed.sort()
	s, err := c.temp.write(func(w *blockWriter) error {
		for _, p := range c.packed.list {
			if err := w.add(c.packed.at(p)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	c.runs = append(c.runs, c.temp.input(s, timeOrder))
	c.packed.reset()
	return nil
}

// Sort puts the sessions in memory in order. EachSession does it where it was
// not done; collectors can do it side by side.
func (c *Collector) Sort() { c.packed.sort() }

// Counts returns the number of sessions, of packets that merging took as
// arriving with a later one, and of sessions that agg.Table.InexactGaps counts.
func (c *Collector) Counts() (sessions, reordered, inexact uint64) {
	return c.sessions, c.reordered, c.inexact
}

// Close releases memory and removes the runs.
func (c *Collector) Close() error {
	c.packed = packed{}
	return c.temp.Close()
}

// EachSession hands the encoded sessions of all collectors, and of tables with
// other keys, to take in the order of the CSV. They are valid until the next.
func EachSession(ctx context.Context, collectors []*Collector, tables []*agg.Table, take func(session []byte) error) error {
	return eachRow(ctx, collectors, tables, func(e *Entry) error { return take(e.data) })
}

func eachRow(ctx context.Context, collectors []*Collector, tables []*agg.Table, take func(e *Entry) error) error {
	if len(collectors) == 0 {
		return errors.New("runfile: no collectors")
	}
	var runs []Input
	for _, c := range collectors {
		runs = append(runs, c.runs...)
	}
	runs, err := collectors[0].temp.narrowRows(ctx, runs)
	if err != nil {
		return err
	}
	for _, c := range collectors {
		c.packed.sort()
		runs = append(runs, memoryInput(timeOrder, c.packed.entries))
	}
	for _, t := range tables {
		if t != nil {
			runs = append(runs, timeInput(t))
		}
	}
	return merge(ctx, runs, take)
}

// timeInput makes an input of the rows of a table. It sorts them.
func timeInput(t *agg.Table) Input {
	var numbers []uint32
	for _, row := range t.Rows() {
		numbers = append(numbers, row.Index)
	}
	return tableInput(t, numbers, timeOrder)
}

func memoryInput(o order, open func() entries) Input {
	return Input{memory: open, order: o, only: -1}
}

// packedBytes is the size of a chunk of packed sessions where memory is not
// scarce.
const packedBytes = 1 << 20

// chunkBytes is the size of a chunk for a collector that keeps at most limit
// bytes: a fraction, or the limit would be reached by the first session.
func chunkBytes(limit int64) int {
	if limit == 0 {
		return packedBytes
	}
	return int(min(packedBytes, max(limit/8, 512)))
}

// packed holds encoded sessions in memory.
type packed struct {
	size   int      // of a chunk, bytes; a larger session makes one grow
	chunks [][]byte // filled up to their lengths
	used   int
	list   []packedSession
	sorted bool
}

type packedSession struct {
	first             int64 // ns
	chunk, from, size uint32
}

// bytes is the memory in use. A list that grows is a quarter too large.
func (p *packed) bytes() int64 { return int64(p.used)*int64(p.size) + int64(len(p.list))*(24+6) }

// add takes a copy of a session. Requires: at most maxEntry bytes.
func (p *packed) add(first int64, session []byte) {
	if p.used == 0 || len(p.chunks[p.used-1])+len(session) > p.size {
		if p.used == len(p.chunks) {
			p.chunks = append(p.chunks, make([]byte, 0, p.size))
		}
		p.used++
	}
	c := &p.chunks[p.used-1]
	p.list = append(p.list, packedSession{first, uint32(p.used - 1), uint32(len(*c)), uint32(len(session))})
	*c = append(*c, session...)
	p.sorted = false
}

func (p *packed) at(s packedSession) []byte { return p.chunks[s.chunk][s.from:][:s.size] }

func (p *packed) sort() {
	if p.sorted {
		return
	}
	p.sorted = true
	radix.Sort(p.list, func(s packedSession) uint64 { return uint64(s.first) ^ 1<<63 }, func(a, b packedSession) int {
		ka, kb := p.rowKey(a), p.rowKey(b)
		return ka.Compare(&kb)
	})
}

func (p *packed) rowKey(s packedSession) flow.Key {
	_, key, _, _ := agg.RowOf(p.at(s)) // take has looked at it
	return key
}

// reset forgets the sessions and keeps the memory.
func (p *packed) reset() {
	for i := range p.chunks {
		p.chunks[i] = p.chunks[i][:0]
	}
	p.used, p.list = 0, p.list[:0]
}

func (p *packed) entries() entries {
	left := p.list
	return func([]byte) ([]byte, error) {
		if len(left) == 0 {
			return nil, io.EOF
		}
		s := p.at(left[0])
		left = left[1:]
		return s, nil
	}
}
