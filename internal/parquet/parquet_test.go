package parquet

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"

	pq "github.com/parquet-go/parquet-go"

	"pcapbatch/internal/agg"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/durabletest"
	"pcapbatch/internal/flow"
	"pcapbatch/internal/writer"
)

// sessions returns a table of n sessions of one to three packets, which has what
// the columns need.
func sessions(n int, o writer.Options) *agg.Table {
	needs, _ := writer.Needs(o)
	t := agg.NewTable(agg.Options{Needs: needs})
	r := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		key := flow.Key{Src: [16]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}, Dst: [16]byte{192, 0, 2, byte(i % 7)}, SrcPort: uint16(i), DstPort: 443, Protocol: 6, Version: 4}
		events := make([]flow.Event, 1+r.IntN(3))
		order := make([]uint16, len(events))
		for k := range events {
			events[k] = flow.Event{Time: int64(i)*1000 + int64(k), WireBytes: 60 + r.Uint32N(1000), Key: key, Hash: uint32(key.Hash(0))}
			order[k] = uint16(k)
		}
		t.UpdateDetailed(events, make([]flow.Detail, len(events)), order)
	}
	return t
}

func layoutOf(t *testing.T, o writer.Options) *writer.Layout {
	t.Helper()
	l, err := writer.NewLayout(o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// write writes the sessions of a table, so many at a time, and returns the file.
func write(t *testing.T, l *writer.Layout, table *agg.Table, o Options, group int, count func() int) []byte {
	t.Helper()
	var out bytes.Buffer
	p, err := NewWriter(&out, l, o)
	if err != nil {
		t.Fatal(err)
	}
	p.shape.group = group
	f := NewFormatter(l)
	var records []byte
	left := count()
	for i := range uint32(table.Len()) {
		records = f.AppendRow(records, table, i)
		if left--; left == 0 {
			if n, err := p.Write(records); n != len(records) || err != nil {
				t.Fatal(n, err)
			}
			records, left = records[:0], count()
		}
	}
	_, err = p.Write(records)
	defer p.Release()
	if err = errors.Join(err, p.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// The file is the same however the rows come, whoever fills the columns, and
// wherever a row group is put together.
func TestSameFile(t *testing.T) {
	for _, o := range []writer.Options{{}, {Features: []writer.Group{writer.Basic, writer.Time}, SampleStd: true}, {Schema: "cicflowmeter"}} {
		table := sessions(10_000, o)
		defer table.Release()
		l := layoutOf(t, o)
		group := 3 * shapeOf(len(l.Dictionary())).batch
		want := write(t, l, table, Options{Workers: 1}, group, func() int { return 1024 })
		r := rand.New(rand.NewPCG(3, 4))
		for i, o := range []Options{{Workers: 1}, {Workers: 2}, {Workers: 5}, {Workers: 100}, {Workers: 3, Spool: true, FS: durable.OS, Dir: t.TempDir()}} {
			got := write(t, l, table, o, group, func() int { return 1 + r.IntN([]int{300, 1500, 4000}[i%3]) })
			if !bytes.Equal(got, want) {
				t.Errorf("%+v: another file", o)
			}
		}
		f, err := pq.OpenFile(bytes.NewReader(want), int64(len(want)))
		if err != nil {
			t.Fatal(err)
		}
		if f.NumRows() != 10_000 || len(f.RowGroups()) != (10_000+group-1)/group || f.RowGroups()[0].NumRows() != int64(group) {
			t.Errorf("%d rows in %d groups", f.NumRows(), len(f.RowGroups()))
		}
		if text, ok := f.Lookup("pcapbatch.columns"); !ok || !strings.Contains(text, `"definition":"number of the row in the table, from 0"`) == l.Numbered() {
			t.Errorf("dictionary: %s", text)
		}
	}
}

func TestEmptyFile(t *testing.T) {
	table := sessions(0, writer.Options{})
	defer table.Release()
	data := write(t, layoutOf(t, writer.Options{}), table, Options{Workers: 2}, 1024, func() int { return 1 })
	f, err := pq.OpenFile(bytes.NewReader(data), int64(len(data)))
	if err != nil || f.NumRows() != 0 || len(f.Schema().Columns()) != 26 {
		t.Errorf("%v", err)
	}
}

// Every width of table has whole batches in its row groups, and needs no more
// memory than a narrow one.
func TestShape(t *testing.T) {
	if s := shapeOf(26); s != (shape{1024, 128 << 10, 256 << 10}) {
		t.Errorf("of the basic columns: %+v", s)
	}
	for columns := 1; columns < 2000; columns++ {
		s := shapeOf(columns)
		if s.batch < leastBatch || s.group < s.batch || s.group%s.batch != 0 || s.group > groupRows || s.group*columns > groupValues || s.page < leastPage {
			t.Fatalf("%d columns: %+v", columns, s)
		}
	}
}

// Texts that are not UTF-8 become texts that are: all readers refuse others.
func TestTexts(t *testing.T) {
	table := sessions(300, writer.Options{})
	defer table.Release()
	labels := []string{"", "a", "\xff\xfe", "caf\xc3\xa9", "cut\xc3", strings.Repeat("long", 3000)}
	n := 0
	l := layoutOf(t, writer.Options{Label: func() writer.SessionText {
		return func(dst []byte, _ *agg.Summary) []byte {
			n++
			return append(dst, labels[(n-1)%len(labels)]...)
		}
	}})
	data := write(t, l, table, Options{Workers: 1}, 1024, func() int { return 1024 })
	f, err := pq.OpenFile(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	rows := make([]pq.Row, 300)
	r := f.RowGroups()[0].Rows()
	defer r.Close()
	if got, err := r.ReadRows(rows); got != 300 || err != nil && err != io.EOF {
		t.Fatal(got, err)
	}
	for i, row := range rows {
		if got, want := row[len(row)-1].String(), strings.ToValidUTF8(labels[i%len(labels)], "\uFFFD"); got != want {
			t.Fatalf("row %d: %q, want %q", i, got, want)
		}
	}
}

// A failing writer and a failing spool are named as they are, without what the
// library says about them.
func TestWriteErrors(t *testing.T) {
	table := sessions(3000, writer.Options{})
	defer table.Release()
	l := layoutOf(t, writer.Options{})
	full := durabletest.None()
	run := func(w io.Writer, o Options) (err error) {
		o.Workers = 2
		p, err := NewWriter(w, l, o)
		if err != nil {
			t.Fatal(err)
		}
		p.shape.group = 1024
		f := NewFormatter(l)
		var records []byte
		for i := range uint32(3000) {
			records = f.AppendRow(records, table, i)
		}
		if _, err = p.Write(records); err == nil {
			err = p.Close()
		}
		p.Release()
		return err
	}
	dir := t.TempDir()
	if err := run(io.Discard, Options{Spool: true, FS: full, Dir: dir}); err != nil {
		t.Fatal(err)
	}
	for n := 0; n < full.Calls(); n += max(1, full.Calls()/50) {
		fs := &durabletest.Faults{FS: durable.OS, At: n, Err: syscall.ENOSPC, Stays: true}
		err := run(io.Discard, Options{Spool: true, FS: fs, Dir: dir})
		if len(fs.Failed()) > 0 && (err == nil || err.Error() != fmt.Sprintf("write temporary file in %s: no space left on device", dir)) && fs.Failed()[0].What != "close" {
			t.Errorf("%v: %v", fs, err)
		}
	}
	for limit := range 5 {
		err := run(&limited{left: limit}, Options{})
		if !errors.Is(err, errFull) || err.Error() != errFull.Error() {
			t.Errorf("after %d writes: %v", limit, err)
		}
	}
}

var errFull = errors.New("no room")

// A limited takes so many writes.
type limited struct{ left int }

func (l *limited) Write(b []byte) (int, error) {
	if l.left--; l.left < 0 {
		return 0, errFull
	}
	return len(b), nil
}
