package parquet

import (
	"bytes"
	"encoding/binary"
	"math"
	"unicode/utf8"

	"pcapbatch/internal/agg"
	"pcapbatch/internal/writer"
)

// Rows on their way from a Formatter to a Writer are in records, of up to one
// batch of rows. A record begins with its size in bytes and the number of its
// rows, 4 bytes each. Then come the words of each column, 8 bytes a row, with
// room for a batch, and for columns that need not have a value a byte a row, 1
// where there is one. Texts come last. A word is an integer, the bits of a
// float64, or place and length of a text in the record. All is little endian.

const (
	recordHead = 8
	// gapBytes lies between the words of two columns: at a distance of a power
	// of 2, the words of a row would all compete for the same few cache lines.
	gapBytes = 64
)

// place lays out the columns in a record of up to so many rows. It returns the
// size of a record without texts.
func place(columns []column, rows int) int {
	at := recordHead
	for k := range columns {
		c := &columns[k]
		c.words = at
		at += 8*rows + gapBytes
		if c.optional {
			c.levels = at
			at += rows
		}
	}
	return at
}

// sizeOf returns the size of the record that b begins with, rowsOf how many rows
// it has.
func sizeOf(b []byte) int { return int(binary.LittleEndian.Uint32(b)) }
func rowsOf(b []byte) int { return int(binary.LittleEndian.Uint32(b[4:])) }

// word returns where the word of row i is.
func (c *column) word(i int) int { return c.words + 8*i }

// A Formatter makes the records of rows, for a Writer. It belongs to one
// goroutine.
type Formatter struct {
	columns []column
	fields  []*uint64 // where the values of columns stand in row; nil: ask the column
	row     *writer.Row
	batch   int // rows of a record
	size    int // of a record without texts
	begin   int // of the record to which rows are added
}

// NewFormatter returns a formatter for the rows of l.
func NewFormatter(l *writer.Layout) *Formatter {
	f := &Formatter{columns: columnsOf(l), row: l.NewRow()}
	f.batch = shapeOf(len(f.columns)).batch
	f.size = place(f.columns, f.batch)
	for k := range f.columns {
		f.fields = append(f.fields, f.columns[k].Field(f.row))
	}
	return f
}

// AppendRow appends the row of session i of t to dst. Requires: dst is empty,
// or what the call before returned.
func (f *Formatter) AppendRow(dst []byte, t *agg.Table, i uint32) []byte {
	f.row.Load(t, i)
	if len(dst) == 0 || rowsOf(dst[f.begin:]) == f.batch {
		dst = f.extend(dst)
	}
	n := rowsOf(dst[f.begin:])
	record := dst[f.begin:]
	for k := range f.columns {
		c := &f.columns[k]
		if c.optional {
			if !c.Defined(f.row) {
				record[c.levels+n] = 0
				continue
			}
			record[c.levels+n] = 1
		}
		var word uint64
		switch {
		case c.storage == writer.String:
			dst, word = f.appendText(dst, c)
			record = dst[f.begin:]
		case f.fields[k] != nil:
			if word = *f.fields[k]; c.storage == writer.Double {
				word = math.Float64bits(c.Float(writer.Value{Lo: word}))
			}
		case c.storage == writer.Double:
			word = math.Float64bits(c.Float(c.Value(f.row)))
		case c.storage == writer.Timestamp:
			word = uint64(c.Micros(f.row))
		default:
			word = c.Value(f.row).Lo
		}
		binary.LittleEndian.PutUint64(record[c.word(n):], word)
	}
	binary.LittleEndian.PutUint32(record, uint32(len(record)))
	binary.LittleEndian.PutUint32(record[4:], uint32(n+1))
	return dst
}

// extend begins another record.
func (f *Formatter) extend(dst []byte) []byte {
	f.begin = len(dst)
	if need := f.begin + f.size; need > cap(dst) {
		more := make([]byte, need, need+need/4)
		copy(more, dst)
		dst = more
	}
	dst = dst[:f.begin+f.size]
	binary.LittleEndian.PutUint32(dst[f.begin+4:], 0)
	return dst
}

// appendText appends a text and returns its place in the record. What is not
// UTF-8, as names of captures may be, becomes U+FFFD: readers refuse it.
func (f *Formatter) appendText(dst []byte, c *column) ([]byte, uint64) {
	from := len(dst)
	if c.Kind == writer.Address {
		dst = writer.AppendAddress(dst, c.Value(f.row))
	} else if dst = c.AppendText(dst, f.row); !utf8.Valid(dst[from:]) {
		dst = append(dst[:from], bytes.ToValidUTF8(dst[from:], []byte("\uFFFD"))...)
	}
	return dst, uint64(from-f.begin)<<32 | uint64(len(dst)-from)
}
