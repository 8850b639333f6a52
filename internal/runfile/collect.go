package runfile

import (
	"cmp"
	"context"
	"errors"
	"io"

	"pcapbatch/internal/agg"
	"pcapbatch/internal/flow"
	"pcapbatch/internal/radix"
)

// A Collector takes merged sessions and brings them into the order of the CSV:
// in memory as long as they fit, else in sorted sections on disk, which
// EachSession merges. Sessions stay encoded until their rows are made: a small
// session takes half the memory that way, and what comes from disk and goes
// there again is never decoded.
type Collector struct {
	options agg.Options
	limit   int64 // bytes of memory; 0: no limit
	temp    *Temp
	memory  sessionList
	sorted  []Input // sections of temp

	sessions, reordered, inexact uint64
}

// NewCollector returns a collector that keeps some limit bytes of sessions in
// memory; 0 is no limit. Those beyond go to temp, which Close closes.
func NewCollector(o agg.Options, limit int64, temp *Temp) *Collector {
	return &Collector{options: o, limit: limit, temp: temp, memory: sessionList{size: bufferBytes(limit)}}
}

// Merge takes the sessions of the inputs, joined where they have the same key.
// Requires: the inputs are in capture order and sorted by so many partitions,
// and no key of one call is in another.
func (c *Collector) Merge(ctx context.Context, inputs []Input, partitions int) error {
	before := c.temp.live
	inputs, reordered, err := c.temp.Narrow(ctx, inputs, partitions, c.options)
	if err != nil {
		return err
	}
	narrowed := c.temp.live - before
	joined, err := combine(ctx, inputs, c.options, c.take)
	if err != nil {
		return err
	}
	c.reordered += reordered + joined
	return c.temp.Drop(narrowed)
}

// take adds a session.
func (c *Collector) take(_ int, session []byte) error {
	first, _, inexact, err := agg.RowOf(session)
	if err != nil {
		return err
	}
	if c.limit > 0 && c.memory.bytes() > c.limit {
		if err := c.flush(); err != nil {
			return err
		}
	}
	c.memory.add(first, session)
	c.sessions++
	if inexact {
		c.inexact++
	}
	return nil
}

// flush writes the sessions in memory to disk, as a sorted section.
func (c *Collector) flush() error {
	if len(c.memory.list) == 0 {
		return nil
	}
	c.memory.sort()
	s, err := c.temp.write(func(w *blockWriter) error {
		for _, e := range c.memory.list {
			if err := w.add(c.memory.at(e)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	c.sorted = append(c.sorted, c.temp.input(s, timeOrder))
	c.memory.reset()
	return nil
}

// Sort sorts the sessions in memory. EachSession sorts those of collectors that
// are not sorted; calling Sort before lets several collectors be sorted side by
// side.
func (c *Collector) Sort() { c.memory.sort() }

// Counts returns the number of sessions, of packets that merging found to be
// earlier than the one before in their session, and of sessions that
// agg.Table.InexactGaps counts.
func (c *Collector) Counts() (sessions, reordered, inexact uint64) {
	return c.sessions, c.reordered, c.inexact
}

// Close releases the memory and removes the temporary file.
func (c *Collector) Close() error {
	c.memory = sessionList{}
	return c.temp.Close()
}

// EachSession passes the encoded sessions of all collectors and tables, which
// have no key in common, to take, in the order of the CSV. A session is valid
// until take returns.
func EachSession(ctx context.Context, collectors []*Collector, tables []*agg.Table, take func(session []byte) error) error {
	return eachRow(ctx, collectors, tables, func(e *item) error { return take(e.data) })
}

// eachRow is EachSession with the sort keys of the rows.
func eachRow(ctx context.Context, collectors []*Collector, tables []*agg.Table, take func(e *item) error) error {
	if len(collectors) == 0 {
		return errors.New("runfile: no collectors")
	}
	var inputs []Input
	for _, c := range collectors {
		inputs = append(inputs, c.sorted...)
	}
	inputs, err := collectors[0].temp.narrowRows(ctx, inputs)
	if err != nil {
		return err
	}
	for _, c := range collectors {
		c.memory.sort()
		inputs = append(inputs, memoryInput(timeOrder, c.memory.entries))
	}
	for _, t := range tables {
		if t != nil {
			inputs = append(inputs, timeInput(t))
		}
	}
	return merge(ctx, inputs, take)
}

// timeInput makes an input of the sessions of a table, sorted by time.
func timeInput(t *agg.Table) Input {
	var numbers []uint32
	for _, row := range t.Rows() {
		numbers = append(numbers, row.Index)
	}
	return tableInput(t, numbers, timeOrder)
}

// memoryInput makes an input of entries in memory, which o orders.
func memoryInput(o order, open func() entries) Input {
	return Input{memory: open, order: o, only: -1}
}

// mostBuffer is the size of a buffer of a sessionList where memory is not scarce.
const mostBuffer = 1 << 20

// bufferBytes is the size of a buffer for a collector that keeps at most limit
// bytes: a fraction, or the limit would be reached by the first session.
func bufferBytes(limit int64) int {
	if limit == 0 {
		return mostBuffer
	}
	return int(min(mostBuffer, max(limit/8, 512)))
}

// A sessionList holds encoded sessions in memory.
type sessionList struct {
	size    int      // of a buffer, bytes; a larger session makes one grow
	buffers [][]byte // filled up to their lengths
	used    int      // buffers that have sessions
	list    []listed
	sorted  bool
}

// A listed session is size bytes of a buffer.
type listed struct {
	first              int64 // time of the first packet, ns since the Unix epoch
	buffer, from, size uint32
}

// bytes is the memory in use. It counts that a list which grows has a quarter
// more than it needs.
func (l *sessionList) bytes() int64 { return int64(l.used)*int64(l.size) + int64(len(l.list))*(24+6) }

// add takes a copy of a session. Requires: at most maxEntry bytes.
func (l *sessionList) add(first int64, session []byte) {
	if l.used == 0 || len(l.buffers[l.used-1])+len(session) > l.size {
		if l.used == len(l.buffers) {
			l.buffers = append(l.buffers, make([]byte, 0, l.size))
		}
		l.used++
	}
	b := &l.buffers[l.used-1]
	l.list = append(l.list, listed{first, uint32(l.used - 1), uint32(len(*b)), uint32(len(session))})
	*b = append(*b, session...)
	l.sorted = false
}

// at returns the bytes of a session.
func (l *sessionList) at(s listed) []byte { return l.buffers[s.buffer][s.from:][:s.size] }

// sort sorts the list in the order of the CSV.
func (l *sessionList) sort() {
	if l.sorted {
		return
	}
	l.sorted = true
	radix.Sort(l.list, func(s listed) uint64 { return uint64(s.first) ^ 1<<63 }, l.compare)
}

// compare orders sessions of one first time: by key, by capture, and last by the
// order in which they began, which is that in which they came.
func (l *sessionList) compare(a, b listed) int {
	ka, kb := l.rowKey(a), l.rowKey(b)
	if c := ka.Compare(&kb); c != 0 {
		return c
	}
	ca, _ := agg.CaptureOf(l.at(a))
	cb, _ := agg.CaptureOf(l.at(b))
	return cmp.Or(cmp.Compare(ca, cb), cmp.Compare(a.buffer, b.buffer), cmp.Compare(a.from, b.from))
}

// rowKey is the key of a session as its row shows it.
func (l *sessionList) rowKey(s listed) flow.Key {
	_, key, _, _ := agg.RowOf(l.at(s)) // take has checked it
	return key
}

// reset removes the sessions and keeps the memory.
func (l *sessionList) reset() {
	for i := range l.buffers {
		l.buffers[i] = l.buffers[i][:0]
	}
	l.used, l.list = 0, l.list[:0]
}

// entries returns the sessions one by one. They are not copied.
func (l *sessionList) entries() entries {
	left := l.list
	return func([]byte) ([]byte, error) {
		if len(left) == 0 {
			return nil, io.EOF
		}
		s := l.at(left[0])
		left = left[1:]
		return s, nil
	}
}
