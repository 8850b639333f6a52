package runfile

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"os"

	"pcapbatch/internal/agg"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/flow"
)

// A Temp is a temporary file of sections. It is created when the first section
// is written. On Linux it never has a name, so nothing of it is left when the
// process ends.
type Temp struct {
	fs     durable.FS
	dir    string
	file   durable.File
	writer *blockWriter
	end    int64 // where the next section begins
	live   int   // sections written and not dropped
}

// NewTemp returns a Temp in dir; "" is the directory of the system for
// temporary files. The caller closes it.
func NewTemp(fs durable.FS, dir string) *Temp {
	if dir == "" {
		dir = os.TempDir()
	}
	return &Temp{fs: fs, dir: dir}
}

// name is how error messages name the file.
func (t *Temp) name() string { return "temporary file in " + t.dir }

// write adds a section with the entries that fill adds.
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

// input makes an input of a section of the file.
func (t *Temp) input(s Section, o order) Input {
	return Input{path: t.name(), file: t.file, section: s, order: o, fast: true, only: -1}
}

// Drop says that n more of the sections that were written are not needed any
// more. The space of the file is freed once none is.
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

// keyOrder returns the numbers of the sessions of t by partition and key.
func keyOrder(t *agg.Table, partitions int) []uint32 {
	if partitions <= 1 {
		return t.KeyOrder(nil)
	}
	return t.KeyOrder(func(k *flow.Key) uint16 { return Partition(k, partitions) })
}

// WriteTable writes the sessions of a table as a section, sorted by so many
// partitions and by key, and returns it as an input. It takes 28 bytes for each
// session while it sorts.
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

// Narrow reduces the inputs to at most MaxInputs: where there are more,
// neighbours are merged into sections of t. It returns the number of packets
// that merging found to be earlier than the one before in their session.
// Requires: the inputs have sessions sorted by so many partitions, in capture
// order.
func (t *Temp) Narrow(ctx context.Context, inputs []Input, partitions int, o agg.Options) (list []Input, reordered uint64, err error) {
	for len(inputs) > MaxInputs {
		var next []Input
		for len(inputs) > 0 {
			n := min(len(inputs), MaxInputs)
			s, err := t.write(func(w *blockWriter) error {
				joined, err := combine(ctx, inputs[:n], o, func(_ int, session []byte) error { return w.add(session) })
				reordered += joined
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

// narrowRows is Narrow for inputs that are sorted by time, in which no sessions
// are joined.
func (t *Temp) narrowRows(ctx context.Context, inputs []Input) ([]Input, error) {
	for len(inputs) > MaxInputs {
		var next []Input
		for len(inputs) > 0 {
			n := min(len(inputs), MaxInputs)
			s, err := t.write(func(w *blockWriter) error {
				return merge(ctx, inputs[:n], func(e *item) error { return w.add(e.data) })
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

// A combiner joins neighbouring sessions of the same key. Its tables are made
// when they are needed: most of the many captures that there may be share no key.
type combiner struct {
	options agg.Options
	table   *agg.Table                  // joins them; nil: there was nothing to join yet
	key     []byte                      // of the current session
	session []byte                      // the first session of the key, as long as it is the only one
	started bool                        // there is a current session
	joined  bool                        // the sessions of the key are in table
	probes  map[*agg.Options]*agg.Table // decode sessions of files, to check them, by Input.made
	emit    func(partition int, session []byte) error

	reordered uint64
}

// combine passes the sessions of all inputs to emit, in order, those of one key
// joined. It returns the number of packets that joining found to be earlier
// than the one before in their session. Requires: there are at most MaxInputs
// inputs.
func combine(ctx context.Context, inputs []Input, o agg.Options, emit func(partition int, session []byte) error) (reordered uint64, err error) {
	c := &combiner{options: o, probes: map[*agg.Options]*agg.Table{}, emit: emit}
	defer c.release()
	if err := merge(ctx, inputs, c.take); err != nil {
		return 0, err
	}
	err = c.flush()
	return c.reordered, err
}

func (c *combiner) release() {
	if c.table != nil {
		c.table.Release()
	}
	for _, t := range c.probes {
		t.Release()
	}
}

// take adds a session.
func (c *combiner) take(e *item) error {
	if e.in.memory == nil && !e.in.fast { // not made by this run
		if err := e.check(c.probe(e.in.made)); err != nil {
			return err
		}
	}
	first := !c.started || !bytes.Equal(c.key, e.key)
	if first {
		if err := c.flush(); err != nil {
			return err
		}
		c.started, c.joined = true, false
		c.key = append(c.key[:0], e.key...)
		if e.in.made == nil {
			c.session = append(c.session[:0], e.data...)
			return nil
		}
	}
	if c.table == nil {
		c.table = agg.NewTable(c.options)
	}
	if !first && !c.joined {
		if _, err := c.table.Absorb(c.session); err != nil {
			return e.damaged(err)
		}
	}
	c.joined = true
	if e.in.made != nil {
		c.table.AbsorbLoaded(c.probe(e.in.made))
	} else if err := e.absorb(c.table); err != nil {
		return err
	}
	if c.table.Len() < maxJoined {
		return nil
	}
	return c.thin(e)
}

// maxJoined is how many sessions of one key are in memory: rules may make
// millions of them.
const maxJoined = 1 << 10

// thin passes the sessions of the current key to emit, but for the newest: nothing
// is joined with the others any more.
func (c *combiner) thin(e *item) error {
	newest := uint32(c.table.Len() - 1)
	if err := c.emitTable(newest); err != nil {
		return err
	}
	c.session = c.table.AppendSession(c.session[:0], newest)
	c.reordered += c.table.Reordered()
	c.table.Reset()
	if _, err := c.table.Absorb(c.session); err != nil {
		return e.damaged(err)
	}
	return nil
}

// emitTable passes the first n sessions of the current key to emit.
func (c *combiner) emitTable(n uint32) error {
	partition := partitionOf(c.key)
	for i := range n {
		c.session = c.table.AppendSession(c.session[:0], i)
		if err := c.emit(partition, c.session); err != nil {
			return err
		}
	}
	return nil
}

// probe returns the table that decodes the sessions that were made with the given
// options; nil: those of the merge.
func (c *combiner) probe(made *agg.Options) *agg.Table {
	t := c.probes[made]
	if t == nil {
		t = agg.NewTable(*cmp.Or(made, &c.options))
		c.probes[made] = t
	}
	return t
}

// flush passes the sessions of the current key to emit.
func (c *combiner) flush() error {
	if !c.started {
		return nil
	}
	if !c.joined {
		return c.emit(partitionOf(c.key), c.session)
	}
	if err := c.emitTable(uint32(c.table.Len())); err != nil {
		return err
	}
	c.reordered += c.table.Reordered()
	c.table.Reset()
	return nil
}
