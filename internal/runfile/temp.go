package runfile

import (
	"bytes"
	"context"
	"io"
	"os"

	"pcapbatch/internal/agg"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/flow"
)

// A Temp is a temporary file of sections, one behind the other, made when the
// first is written. It has no name, so it is gone when the process is.
type Temp struct {
	fs     durable.FS
	dir    string
	file   durable.File
	writer *blockWriter
	end    int64
	live   int // sections written and not dropped
}

// NewTemp returns a Temp in dir, "" for the system's directory.
func NewTemp(fs durable.FS, dir string) *Temp {
	if dir == "" {
		dir = os.TempDir()
	}
	return &Temp{fs: fs, dir: dir}
}

// name is what messages call the file.
func (t *Temp) name() string { return "temporary file in " + t.dir }

// write adds a section that fill makes.
func (t *Temp) write(fill func(w *blockWriter) error) (Section, error) {
	if t.file == nil {
		f, err := t.fs.Temp(t.dir)
		if err != nil {
			return Section{}, durable.WriteFailed(t.name(), err)
		}
		t.file = f
		t.writer = newFastWriter(f, t.name())
	}
	t.writer.begin(t.end)
	if err := fill(t.writer); err != nil {
		return Section{}, err
	}
	s, err := t.writer.end()
	t.end += s.Size
	t.live++
	return s, err
}

// input makes an input of a section.
func (t *Temp) input(s Section, o order) Input {
	return Input{path: t.name(), file: t.file, section: s, order: o, fast: true, only: -1}
}

// Drop says that n sections are not needed any more. Without sections the file
// gives its space back.
func (t *Temp) Drop(n int) error {
	if t.live -= n; t.live > 0 || t.file == nil {
		return nil
	}
	t.end = 0
	if err := t.file.Truncate(0); err != nil {
		return durable.WriteFailed(t.name(), err)
	}
	if _, err := t.file.Seek(0, io.SeekStart); err != nil {
		return durable.WriteFailed(t.name(), err)
	}
	return nil
}

// Close removes the file.
func (t *Temp) Close() error {
	if t.file == nil {
		return nil
	}
	f := t.file
	t.file = nil
	return f.Close()
}

func keyOrder(t *agg.Table, partitions int) []uint32 {
	if partitions <= 1 {
		return t.KeyOrder(nil)
	}
	return t.KeyOrder(func(k *flow.Key) uint16 { return Partition(k, partitions) })
}

// WriteTable writes the sessions of a table, sorted, which takes 28 bytes a
// session for a while.
func (t *Temp) WriteTable(table *agg.Table, partitions int) (Input, error) {
	var entry []byte
	s, err := t.write(func(w *blockWriter) error {
		for _, i := range keyOrder(table, partitions) {
			entry = table.AppendSession(entry[:0], i)
			if err := w.add(entry); err != nil {
				return err
			}
		}
		return nil
	})
	return t.input(s, sessionOrder(partitions)), err
}

// Narrow returns inputs of sessions that are at most MaxInputs, by merging
// neighbours in t where there are more, and the number of packets that merging
// found reordered.
func (t *Temp) Narrow(ctx context.Context, inputs []Input, partitions int, o agg.Options) (list []Input, reordered uint64, err error) {
	for len(inputs) > MaxInputs {
		var next []Input
		for len(inputs) > 0 {
			n := min(len(inputs), MaxInputs)
			s, err := t.write(func(w *blockWriter) error {
				more, err := combine(ctx, inputs[:n], o, func(_ int, session []byte) error { return w.add(session) })
				reordered += more
				return err
			})
			if err != nil {
				return nil, 0, err
			}
			next = append(next, t.input(s, sessionOrder(partitions)))
			inputs = inputs[n:]
		}
		inputs = next
	}
	return inputs, reordered, nil
}

// narrowRows is Narrow for what is sorted by time, where nothing is joined.
func (t *Temp) narrowRows(ctx context.Context, inputs []Input) ([]Input, error) {
	for len(inputs) > MaxInputs {
		var next []Input
		for len(inputs) > 0 {
			n := min(len(inputs), MaxInputs)
			s, err := t.write(func(w *blockWriter) error {
				return merge(ctx, inputs[:n], func(e *Entry) error { return w.add(e.data) })
			})
			if err != nil {
				return nil, err
			}
			next = append(next, t.input(s, inputs[0].order))
			inputs = inputs[n:]
		}
		inputs = next
	}
	return inputs, nil
}

// A combiner joins the sessions of one key that stand behind each other.
type combiner struct {
	table   *agg.Table
	key     []byte
	session []byte // the first of the key, as long as it is the only one
	started bool
	joined  bool       // the table has the sessions of the key
	probe   *agg.Table // what a file says is decoded here, to see that it can be
	emit    func(partition int, session []byte) error

	reordered uint64
}

// combine hands the sessions of all inputs to emit in order, those of one key
// joined, and returns the number of packets that joining found reordered.
// Requires: at most MaxInputs inputs.
func combine(ctx context.Context, inputs []Input, o agg.Options, emit func(partition int, session []byte) error) (reordered uint64, err error) {
	c := &combiner{table: agg.NewTable(o), probe: agg.NewTable(o), emit: emit}
	defer c.table.Release()
	defer c.probe.Release()
	if err := merge(ctx, inputs, c.take); err != nil {
		return 0, err
	}
	err = c.flush()
	return c.reordered, err
}

func (c *combiner) take(e *Entry) error {
	if e.in.memory == nil && !e.in.fast { // not made by this run
		if err := e.check(c.probe); err != nil {
			return err
		}
	}
	if !c.started || !bytes.Equal(c.key, e.key) {
		if err := c.flush(); err != nil {
			return err
		}
		c.started, c.joined = true, false
		c.key = append(c.key[:0], e.key...)
		c.session = append(c.session[:0], e.data...)
		return nil
	}
	if !c.joined {
		c.joined = true
		if _, err := c.table.Absorb(c.session); err != nil {
			return e.damaged(err)
		}
	}
	return e.absorb(c.table)
}

// flush hands on what there is of the key.
func (c *combiner) flush() error {
	if !c.started {
		return nil
	}
	partition := partitionOf(c.key)
	if !c.joined {
		return c.emit(partition, c.session)
	}
	for i := range uint32(c.table.Len()) {
		c.session = c.table.AppendSession(c.session[:0], i)
		if err := c.emit(partition, c.session); err != nil {
			return err
		}
	}
	c.reordered += c.table.Reordered()
	c.table.Reset()
	return nil
}
