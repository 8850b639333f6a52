package compare

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"

	"pcapbatch/internal/durable"
)

// rowsAtOnce is how many rows of a Parquet file are read at a time.
const rowsAtOnce = 256

// A columnar is a Parquet file: a Table.
type columnar struct {
	name    string
	file    durable.Source
	columns []string
	times   []bool // the column is a timestamp in microseconds
	rows    parquet.Rows
	read    []parquet.Row // the last that were read
	next    int           // index in read
	cells   []string
	err     error // after read
}

// openParquet opens a file of rows. It takes the file, to close it.
func openParquet(name string, f durable.Source) (t *columnar, err error) {
	// The library panics on some files that are damaged.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("damaged: %v", p)
		}
	}()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	in, err := parquet.OpenFile(f, info.Size(), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, err
	}
	t = &columnar{name: name, file: f, rows: parquet.MultiRowGroup(in.RowGroups()...).Rows(), read: make([]parquet.Row, 0, rowsAtOnce)}
	for _, c := range in.Root().Columns() {
		if !c.Leaf() || c.Repeated() {
			return nil, errTable
		}
		t.columns = append(t.columns, c.Name())
		t.times = append(t.times, strings.HasPrefix(c.Type().String(), "TIMESTAMP("))
	}
	t.cells = make([]string, len(t.columns))
	return t, nil
}

func (t *columnar) Name() string      { return t.name }
func (t *columnar) Columns() []string { return t.columns }

func (t *columnar) Next() (cells []string, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s: damaged: %v", t.name, p)
		}
	}()
	for t.next == len(t.read) {
		if t.err != nil {
			return nil, t.err
		}
		n, err := t.rows.ReadRows(t.read[:cap(t.read)])
		if err != nil && err != io.EOF {
			err = fmt.Errorf("%s: %w", t.name, err)
		}
		t.read, t.next, t.err = t.read[:n], 0, err
	}
	for _, v := range t.read[t.next] {
		t.cells[v.Column()] = t.cell(v)
	}
	t.next++
	return t.cells, nil
}

// cell is a value as CSV has it: nothing for null.
func (t *columnar) cell(v parquet.Value) string {
	switch {
	case v.IsNull():
		return ""
	case t.times[v.Column()]:
		return time.UnixMicro(v.Int64()).UTC().Format(time.RFC3339Nano)
	}
	switch v.Kind() {
	case parquet.Int32:
		return strconv.FormatInt(int64(v.Int32()), 10)
	case parquet.Int64:
		return strconv.FormatInt(v.Int64(), 10)
	case parquet.Float, parquet.Double:
		return strconv.FormatFloat(v.Double(), 'f', -1, 64)
	}
	return string(v.ByteArray())
}

func (t *columnar) Close() error { return errors.Join(t.rows.Close(), t.file.Close()) }
