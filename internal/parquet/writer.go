package parquet

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"io"
	"math"
	"os"
	"slices"
	"sync"
	"sync/atomic"

	pq "github.com/parquet-go/parquet-go"

	"pcapbatch/internal/durable"
	"pcapbatch/internal/writer"
)

// Options say how a Writer works. The bytes of the file depend on Metadata alone.
type Options struct {
	Workers int // goroutines that fill columns
	// Metadata are further entries of the file's metadata; it has the data
	// dictionary under "pcapbatch.columns".
	Metadata map[string]string
	// Spool puts the pages of a row group into a temporary file in Dir, made by
	// FS, until they are written. It takes less memory and more time.
	Spool bool
	FS    durable.FS
	Dir   string // "" is the directory of the system for temporary files
}

// A Writer writes a file of Parquet. It belongs to one goroutine; Write and
// Close start others, which end before they return.
type Writer struct {
	to      *output
	spool   *spool // nil: none
	shape   shape
	columns []column
	workers int
	file    *pq.GenericWriter[any]
	group   *pq.ConcurrentRowGroupWriter
	scratch [][]pq.Value // one for each worker

	rows   int     // in the row group
	total  uint64  // rows before the batch
	pieces []piece // of a batch that is not complete
	held   int     // rows in them
}

// NewWriter returns a writer of the columns of l to w, and writes nothing yet.
// The caller calls Release in the end.
func NewWriter(w io.Writer, l *writer.Layout, o Options) (*Writer, error) {
	columns := columnsOf(l)
	dictionary, err := json.Marshal(l.Dictionary())
	if err != nil {
		return nil, err
	}
	p := &Writer{to: &output{w: w}, shape: shapeOf(len(columns)), columns: columns, workers: min(o.Workers, len(columns))}
	place(columns, p.shape.batch)
	options := []pq.WriterOption{
		schemaOf(columns),
		pq.CreatedBy("pcapbatch", "1", "0"), // no version: the bytes would depend on it
		pq.Compression(fastSnappy{}),
		pq.DataPageVersion(1), // which all readers know
		pq.PageBufferSize(p.shape.page),
		pq.DictionaryMaxBytes(dictionaryBytes),
		pq.ColumnPageBuffers(pq.NewChunkBufferPool(8 << 10)),
		pq.KeyValueMetadata("pcapbatch.columns", string(dictionary)),
	}
	for key, value := range o.Metadata {
		options = append(options, pq.KeyValueMetadata(key, value))
	}
	if o.Spool {
		p.spool = &spool{fs: o.FS, dir: cmp.Or(o.Dir, os.TempDir())}
		options = append(options, pq.ColumnPageBuffers(p.spool))
	}
	p.file = pq.NewGenericWriter[any](p.to, options...)
	p.group = p.file.BeginRowGroup()
	for range p.workers {
		p.scratch = append(p.scratch, make([]pq.Value, p.shape.batch))
	}
	return p, nil
}

// Release frees what the Writer uses, be the file complete or not.
func (p *Writer) Release() { p.spool.close() }

// cause returns the error of the output or of the spool that err comes from;
// the library wraps it into sentences of its own.
func (p *Writer) cause(err error) error {
	if err == nil {
		return nil
	}
	return p.to.cause(p.spool.cause(err))
}

// Write takes whole records of a Formatter.
func (p *Writer) Write(records []byte) (int, error) {
	n := len(records)
	for len(records) > 0 {
		size := sizeOf(records)
		rest := piece{records[:size:size], 0, rowsOf(records)}
		for records = records[size:]; rest.from < rest.to; {
			now := rest
			now.to = min(rest.to, rest.from+p.shape.batch-p.held)
			rest.from = now.to
			p.held += now.to - now.from
			if p.held < p.shape.batch {
				now.record = slices.Clone(now.record) // which the caller uses again
			}
			if p.pieces = append(p.pieces, now); p.held == p.shape.batch {
				if err := p.batch(); err != nil {
					return 0, err
				}
			}
		}
	}
	return n, nil
}

// Close writes the rest, and what a file ends with. It does not close the output.
func (p *Writer) Close() error {
	if err := p.batch(); err != nil {
		return err
	}
	if err := p.commit(); err != nil {
		return err
	}
	return p.spool.cause(p.cause(p.file.Close()))
}

// batch adds the rows of the pieces to the row group.
func (p *Writer) batch() error {
	err := p.each(func(worker, k int) error {
		values, number := p.scratch[worker][:0], p.total
		for _, s := range p.pieces {
			values = p.columns[k].appendValues(values, s, number)
			number += uint64(s.to - s.from)
		}
		_, err := p.group.ColumnWriters()[k].WriteRowValues(values)
		return err
	})
	clear(p.pieces)
	p.rows += p.held
	p.total += uint64(p.held)
	p.pieces, p.held = p.pieces[:0], 0
	if err == nil && p.rows >= p.shape.group {
		err = p.commit()
	}
	return p.cause(err)
}

// A piece is some rows of a record.
type piece struct {
	record   []byte
	from, to int
}

// appendValues appends the values of the column in a piece, whose first row has
// the given number in the file. Requires: values has room for them.
func (c *column) appendValues(values []pq.Value, s piece, number uint64) []pq.Value {
	begin := len(values)
	values = values[:begin+s.to-s.from]
	out, words := values[begin:], s.record[c.word(s.from):c.word(s.to)]
	switch {
	case c.number:
		for i := range out {
			out[i] = pq.Int64Value(int64(number) + int64(i))
		}
	case c.storage == writer.String:
		for i := range out {
			w := binary.LittleEndian.Uint64(words[8*i:])
			if c.optional && s.record[c.levels+s.from+i] == 0 {
				w = 0
			}
			out[i] = pq.ByteArrayValue(s.record[w>>32:][:uint32(w)])
		}
	case c.storage == writer.Double:
		for i := range out {
			out[i] = pq.DoubleValue(math.Float64frombits(binary.LittleEndian.Uint64(words[8*i:])))
		}
	case c.storage == writer.Uint8, c.storage == writer.Uint16:
		for i := range out {
			out[i] = pq.Int32Value(int32(binary.LittleEndian.Uint64(words[8*i:])))
		}
	default:
		for i := range out {
			out[i] = pq.Int64Value(int64(binary.LittleEndian.Uint64(words[8*i:])))
		}
	}
	if c.optional {
		for i, there := range s.record[c.levels+s.from : c.levels+s.to] {
			out[i].SetDefinitionLevel(int(there))
		}
	}
	return values
}

// commit completes the row group, if it has rows, and writes it.
func (p *Writer) commit() error {
	if p.rows == 0 {
		return nil
	}
	p.rows = 0
	err := p.each(func(_, k int) error { return p.group.ColumnWriters()[k].Flush() })
	if err == nil {
		_, err = p.group.Commit()
	}
	return p.cause(err)
}

// each calls f for the number of each column, several side by side, and returns
// an error if one did.
func (p *Writer) each(f func(worker, k int) error) error {
	var next atomic.Int64
	var failed atomic.Pointer[error]
	work := func(worker int) {
		for k := int(next.Add(1) - 1); k < len(p.columns); k = int(next.Add(1) - 1) {
			if err := f(worker, k); err != nil {
				failed.Store(&err)
				return
			}
		}
	}
	var g sync.WaitGroup
	for i := 1; i < p.workers; i++ {
		g.Go(func() { work(i) })
	}
	work(0)
	g.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

// An output remembers the first error of w.
type output struct {
	w   io.Writer
	err error
}

func (o *output) Write(b []byte) (int, error) {
	n, err := o.w.Write(b)
	if o.err == nil {
		o.err = err
	}
	return n, err
}

// cause returns the error of the output if err comes from there.
func (o *output) cause(err error) error {
	if err != nil && o.err != nil {
		return o.err
	}
	return err
}
