package runfile

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/zstd"

	"pcapbatch/internal/agg"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/heap"
)

// MaxInputs is how many inputs are merged at once; their blocks take 32 MiB.
const MaxInputs = 128

// An Input is a sorted input of a merge: a section of a file, or sessions in
// memory.
type Input struct {
	path    string
	file    io.ReaderAt // nil: run is opened for the merge
	run     *Run
	section Section
	order   order
	fast    bool         // written by newFastWriter
	only    int          // partition that all entries must be in; -1: any
	made    *agg.Options // see Run.Made
	// number is that of the capture, and one more, which the sessions get when
	// they are read; 0: none.
	number uint32

	memory func() entries // nil: in a file
}

// entries returns the next entry, in dst or without a copy, and io.EOF after
// the last. The entry is valid until the next call.
type entries func(dst []byte) ([]byte, error)

// TableInput makes an input of the sessions of a table, sorted by so many
// partitions and by key. It takes 28 bytes for each session while it sorts, and
// 4 as long as the input is used.
func TableInput(t *agg.Table, partitions int) Input {
	return tableInput(t, keyOrder(t, partitions), sessionOrder(partitions))
}

// tableInput makes an input of sessions of t, named by their numbers in the
// order of o.
func tableInput(t *agg.Table, numbers []uint32, o order) Input {
	return memoryInput(o, func() entries {
		left := numbers
		return func(dst []byte) ([]byte, error) {
			if len(left) == 0 {
				return nil, io.EOF
			}
			dst = t.AppendSession(dst, left[0])
			left = left[1:]
			return dst, nil
		}
	})
}

// OfCapture returns in for a merge with agg.Options.Captures, in which its
// capture has the given number. Requires: in is of a run file, whose sessions
// are of one capture and have no number.
func (in Input) OfCapture(number int) Input {
	in.number = uint32(number) + 1
	return in
}

// Empty reports whether in is a section of a file without entries.
func (in *Input) Empty() bool { return in.memory == nil && in.section.Entries == 0 }

// An item is an entry that a merge has reached. Its bytes are valid until the
// next one.
type item struct {
	in   *Input
	key  []byte // sort key
	data []byte
}

// absorb joins the session with those of t.
func (e *item) absorb(t *agg.Table) error {
	if _, err := t.Absorb(e.data); err != nil {
		return e.damaged(err)
	}
	return nil
}

// check decodes the session into t, to see that it can be decoded.
func (e *item) check(t *agg.Table) error {
	rest, err := t.Load(e.data)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%d bytes after a session", len(rest))
	}
	if err != nil {
		return e.damaged(err)
	}
	return nil
}

func (e *item) damaged(err error) error {
	return fmt.Errorf("%s: %w: %w", e.in.path, ErrDamaged, err)
}

// maxKeptOpen is how many files all merges of a job together keep open, whatever
// the number of workers: far below any usual limit, and a quarter of an unusual
// one. What is more is opened for each read, two a block.
var maxKeptOpen = sync.OnceValue(func() int32 { return int32(min(128, durable.FileLimit()/4)) })

// Files opens the run files and parts of one job, whose merges share a limit of
// open files. The caller sets FS. Any number of goroutines may use it.
type Files struct {
	FS   durable.FS
	kept atomic.Int32 // files that merges keep open
}

// A parked file is opened whenever it is read.
type parked struct {
	fs   durable.FS
	path string
}

func (p parked) ReadAt(b []byte, offset int64) (n int, err error) {
	f, err := p.fs.Open(p.path)
	if err != nil {
		return 0, err
	}
	n, err = f.ReadAt(b, offset)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return n, err
}

// A cursor reads the entries of an input one by one; the embedded item is the
// current one.
type cursor struct {
	item
	number  int // of the input; of equal entries that of the lower number comes first
	memory  entries
	reader  blockReader
	block   []byte        // entries of the block after the current one
	seen    uint64        // entries of the section so far
	spare   []byte        // buffer for the next key
	tagged  []byte        // buffer for a session with the number of its capture
	close   func() error  // nil: there is nothing to close
	decoder *zstd.Decoder // shared by the cursors of the merge; nil: none needs it
}

// open returns a cursor before the first entry.
func (in *Input) open(number int, d *zstd.Decoder) (*cursor, error) {
	c := &cursor{number: number, decoder: d, item: item{in: in}}
	if in.memory != nil {
		c.memory = in.memory()
		return c, nil
	}
	at := in.file
	if at == nil {
		var err error
		if at, c.close, err = in.run.open(); err != nil {
			return nil, err
		}
	}
	durable.Expect(at, in.section.Offset, in.section.Size)
	c.reader = blockReader{at: at, path: in.path, section: in.section, fast: in.fast}
	return c, nil
}

// keep opens a file that stays open for some time, nil where too many are.
func (files *Files) keep(path string) (*keptFile, error) {
	if files.kept.Add(1) > maxKeptOpen() && !durable.IsObject(path) { // which is no file of the system
		files.kept.Add(-1)
		return nil, nil
	}
	f, err := files.FS.Open(path)
	if err != nil {
		files.kept.Add(-1)
		if durable.TooManyFiles(err) {
			return nil, nil
		}
		return nil, err
	}
	return &keptFile{f, files}, nil
}

// A keptFile is counted until it is closed.
type keptFile struct {
	durable.File
	files *Files
}

// Expect passes on what durable.Expect says.
func (f *keptFile) Expect(off, bytes int64) { durable.Expect(f.File, off, bytes) }

func (f *keptFile) Close() error {
	f.files.kept.Add(-1)
	return f.File.Close()
}

// next moves to the next entry and returns io.EOF behind the last.
func (c *cursor) next() (err error) {
	if c.memory != nil {
		c.data, err = c.memory(c.data[:0])
	} else if err = c.load(); err != nil && err != io.EOF && c.in.fast {
		err = durable.WriteFailed(c.in.path, fmt.Errorf("read back: %w", err)) // written by this run, so the disk failed
	}
	if err != nil {
		return err
	}
	if c.in.number > 0 {
		if c.tagged, err = agg.AppendCaptured(c.tagged[:0], c.data, c.in.number-1); err != nil {
			return c.bad("%w", err)
		}
		c.data = c.tagged
	}
	before := c.key
	if c.key, err = c.in.order(c.spare[:0], c.data); err != nil {
		return c.bad("%w", err)
	}
	c.spare = before
	if bytes.Compare(before, c.key) > 0 {
		return c.bad("entries out of order")
	}
	if c.in.only >= 0 && partitionOf(c.key) != c.in.only {
		return c.bad("entry of another partition")
	}
	return nil
}

// load sets data to the next entry of a file.
func (c *cursor) load() (err error) {
	if len(c.block) == 0 {
		if err := c.reader.load(); err != nil {
			if err == io.EOF && c.seen != c.in.section.Entries {
				return c.bad("%d entries, but the index says %d", c.seen, c.in.section.Entries)
			}
			return err
		}
		if c.block, err = c.reader.decompress(c.decoder); err != nil {
			return err
		}
	}
	size, n := binary.Uvarint(c.block)
	if n <= 0 || size > maxEntry || size > uint64(len(c.block)-n) {
		return c.bad("bad length of an entry")
	}
	c.data = c.block[n : n+int(size)]
	c.block = c.block[n+int(size):]
	c.seen++
	return nil
}

// bad makes an error for damage at the place of the cursor.
func (c *cursor) bad(format string, args ...any) error {
	return damaged(c.in.path, c.in.section.Offset+c.reader.offset, format, args...)
}

// merge passes the entries of all inputs to take, in order; entries that
// compare equal come in the order of their inputs.
func merge(ctx context.Context, inputs []Input, take func(e *item) error) (err error) {
	var decoder *zstd.Decoder
	if slices.ContainsFunc(inputs, func(in Input) bool { return in.memory == nil && !in.fast }) {
		decoder = newDecoder()
		defer decoder.Close()
	}
	heads := heap.New(before)
	var all []*cursor
	defer func() {
		for _, c := range all {
			err = c.shut(err)
		}
	}()
	for i := range inputs { // all of them before the first is read: see durable.Expect
		c, err := inputs[i].open(i, decoder)
		if err != nil {
			return err
		}
		all = append(all, c)
	}
	for _, c := range all {
		switch err := c.next(); err {
		case nil:
			heads.Push(c)
		case io.EOF:
			if err := c.shut(nil); err != nil {
				return err
			}
		default:
			return err
		}
	}
	for n := 0; heads.Len() > 0; n++ {
		if n%4096 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		c := *heads.Front()
		if err := take(&c.item); err != nil {
			return err
		}
		switch err := c.next(); err {
		case nil:
			heads.FixFront()
		case io.EOF:
			heads.PopFront()
			if err := c.shut(nil); err != nil {
				return err
			}
		default:
			return err
		}
	}
	return nil
}

// shut closes the file of the cursor, and returns err or, without one, the
// error of closing.
func (c *cursor) shut(err error) error {
	if c.close == nil {
		return err
	}
	if cerr := c.close(); err == nil {
		err = cerr
	}
	c.close = nil
	return err
}

// before orders cursors by their entries, equal ones by their inputs.
func before(a, b **cursor) bool {
	if c := bytes.Compare((*a).key, (*b).key); c != 0 {
		return c < 0
	}
	return (*a).number < (*b).number
}
