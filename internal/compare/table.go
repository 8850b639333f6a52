package compare

import (
	"bufio"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"pcapbatch/internal/durable"
	"pcapbatch/internal/heap"
)

// endings are those of files that hold rows.
var endings = []string{".csv", ".csv.gz", ".csv.zst", ".parquet"}

// Open opens a table: a file, or a directory of files that hold parts of the
// rows, each in the order of the output. Parquet is recognised by its content; of
// other files .gz and .zst are compressed CSV, and all others are CSV.
func Open(fsys durable.FS, path string) (Table, error) {
	info, err := fsys.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return openFile(fsys, path)
	}
	entries, err := fsys.ReadDir(path)
	if err != nil {
		return nil, err
	}
	set := &dataset{name: path, parts: heap.New(earlier)}
	for _, e := range entries {
		if !slices.ContainsFunc(endings, func(end string) bool { return strings.HasSuffix(e.Name(), end) }) || strings.HasPrefix(e.Name(), ".") || strings.HasPrefix(e.Name(), "_") {
			continue
		}
		t, err := openFile(fsys, durable.Join(path, e.Name()))
		if err == nil {
			err = set.add(t)
		}
		if err != nil {
			set.Close()
			return nil, err
		}
	}
	if set.columns == nil {
		return nil, fmt.Errorf("%s: no files %s in this directory", path, strings.Join(endings, ", "))
	}
	return set, nil
}

// parquetMagic is what files of Parquet begin with.
const parquetMagic = "PAR1"

func openFile(fsys durable.FS, path string) (Table, error) {
	f, err := fsys.OpenSource(path)
	if err != nil {
		return nil, err
	}
	t := &text{name: path, file: f}
	buffered := bufio.NewReaderSize(f, 1<<16)
	var in io.Reader = buffered
	head, _ := buffered.Peek(len(parquetMagic)) // an error comes again
	switch ext := filepath.Ext(path); {
	case string(head) == parquetMagic:
		c, err := openParquet(path, f)
		if err != nil {
			f.Close()
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return c, nil
	case ext == ".gz":
		in, err = gzip.NewReader(in)
	case ext == ".zst":
		var z *zstd.Decoder
		if z, err = zstd.NewReader(in, zstd.WithDecoderConcurrency(1)); err == nil {
			in, t.unpack = z, z
		}
	}
	if err == nil {
		t.row.Reader = in
		t.rows = csv.NewReader(&t.row)
		t.rows.ReuseRecord = true
		t.columns, err = t.read()
		t.columns = slices.Clone(t.columns)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, csv.ErrQuote) || errors.Is(err, csv.ErrBareQuote) || slices.ContainsFunc(t.columns, binary) {
		err = errTable // not even a header
	}
	if err != nil {
		t.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t, nil
}

// binary reports whether the name of a column is none, but bytes of another kind
// of file.
func binary(name string) bool {
	return !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl)
}

// A text is a CSV file: a Table.
type text struct {
	name    string
	file    durable.Source
	unpack  *zstd.Decoder
	rows    *csv.Reader
	row     row // what rows reads
	columns []string
}

// mostRow is how many bytes a row may have. A file without line ends would be one
// row, and take several times its size in memory.
const mostRow = 1 << 20

var errRow = fmt.Errorf("a row of more than %d bytes", mostRow)

// A row passes on what there is left for a row.
type row struct {
	io.Reader
	left int
}

func (r *row) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, errRow
	}
	n, err := r.Reader.Read(p[:min(len(p), r.left)])
	r.left -= n
	return n, err
}

// read returns the next row.
func (t *text) read() ([]string, error) {
	t.row.left = mostRow
	return t.rows.Read()
}

func (t *text) Name() string      { return t.name }
func (t *text) Columns() []string { return t.columns }

func (t *text) Next() ([]string, error) {
	row, err := t.read()
	if err != nil && err != io.EOF {
		err = fmt.Errorf("%s: %w", t.name, err)
	}
	return row, err
}

func (t *text) Close() error {
	if t.unpack != nil {
		t.unpack.Close()
	}
	return t.file.Close()
}

// A dataset merges tables that hold parts of the rows: a Table.
type dataset struct {
	name    string
	columns []string
	key     []int // places of the columns that rows are ordered by
	parts   heap.Heap[*part]
	all     []Table
	current *part // whose row was returned last
}

// A part is a table of a dataset, with its next row.
type part struct {
	Table
	row []string
	set *dataset
}

func (d *dataset) Name() string      { return d.name }
func (d *dataset) Columns() []string { return d.columns }

// order are the columns by which rows are ordered.
var order = []string{"first_seen_ns", "src_ip", "dst_ip", "src_port", "dst_port", "protocol", "vlan_outer", "vlan_inner"}

func (d *dataset) add(t Table) error {
	d.all = append(d.all, t)
	if d.columns == nil {
		d.columns = slices.Clone(t.Columns())
		for _, name := range order {
			if i := slices.Index(d.columns, name); i >= 0 {
				d.key = append(d.key, i)
			}
		}
		if !slices.Contains(d.columns, order[0]) {
			return fmt.Errorf("%s: without the column %s the rows of several files have no order", d.name, order[0])
		}
	}
	if !slices.Equal(d.columns, t.Columns()) {
		return fmt.Errorf("%s: its columns are not those of %s", t.Name(), d.all[0].Name())
	}
	p := &part{Table: t, set: d}
	return d.advance(p)
}

// advance puts a part into the heap if it has another row.
func (d *dataset) advance(p *part) (err error) {
	if p.row, err = p.Next(); err == io.EOF {
		return nil
	}
	if err == nil {
		d.parts.Push(p)
	}
	return err
}

func (d *dataset) Next() ([]string, error) {
	if p := d.current; p != nil {
		d.current = nil
		if err := d.advance(p); err != nil {
			return nil, err
		}
	}
	if d.parts.Len() == 0 {
		return nil, io.EOF
	}
	d.current = *d.parts.Front()
	d.parts.PopFront()
	return d.current.row, nil
}

func (d *dataset) Close() (err error) {
	for _, t := range d.all {
		err = errors.Join(err, t.Close())
	}
	return err
}

// earlier orders parts by their next rows.
func earlier(a, b **part) bool {
	for _, i := range (*a).set.key {
		if c := compareCells((*a).row[i], (*b).row[i]); c != 0 {
			return c < 0
		}
	}
	return false
}

// compareCells orders two cells of a column as the output is ordered: numbers,
// and addresses with IPv4 before IPv6.
func compareCells(a, b string) int {
	if a == b {
		return 0
	}
	if x, err := strconv.ParseInt(a, 10, 64); err == nil {
		if y, err := strconv.ParseInt(b, 10, 64); err == nil {
			return cmp.Compare(x, y)
		}
	}
	if x, err := netip.ParseAddr(a); err == nil {
		if y, err := netip.ParseAddr(b); err == nil {
			return x.Compare(y)
		}
	}
	return strings.Compare(a, b)
}
