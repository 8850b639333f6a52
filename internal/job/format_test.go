package job

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"pcapbatch/internal/durable"
	"pcapbatch/internal/label"
	"pcapbatch/internal/report"
	"pcapbatch/internal/writer"
)

// A typedTable is a file of Parquet: the names of its columns, and the rows.
type typedTable struct {
	file  *parquet.File
	names []string
	rows  []parquet.Row
}

func readParquet(t testing.TB, data string) (table typedTable) {
	t.Helper()
	f, err := parquet.OpenFile(strings.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	table.file = f
	for _, path := range f.Schema().Columns() {
		table.names = append(table.names, strings.Join(path, "."))
	}
	for _, g := range f.RowGroups() {
		rows := make([]parquet.Row, g.NumRows())
		r := g.Rows()
		if n, err := r.ReadRows(rows); n != len(rows) || err != nil && err != io.EOF {
			t.Fatal(n, err)
		}
		for _, row := range rows {
			table.rows = append(table.rows, row.Clone())
		}
		r.Close()
	}
	return table
}

// sameValue reports whether a value is what the cell of a CSV says.
func sameValue(v parquet.Value, cell string) bool {
	if v.IsNull() || cell == "" {
		return v.IsNull() && cell == "" || v.Kind() == parquet.ByteArray && v.String() == cell
	}
	switch v.Kind() {
	case parquet.Double:
		f, err := strconv.ParseFloat(cell, 64)
		return err == nil && strings.Contains(cell, ".") && math.Float64bits(f) == math.Float64bits(v.Double())
	case parquet.ByteArray:
		return v.String() == cell
	case parquet.Int32:
		return strconv.Itoa(int(v.Int32())) == cell
	}
	if at, err := time.Parse(time.RFC3339Nano, cell); err == nil {
		return at.UnixMicro() == v.Int64()
	}
	return strconv.FormatInt(v.Int64(), 10) == cell
}

// sameTable fails unless a file of Parquet has the rows of a CSV in which
// undefined values are empty.
func sameTable(t testing.TB, data, csv string) {
	t.Helper()
	table := readParquet(t, data)
	if header, _, _ := strings.Cut(csv, "\n"); header != strings.Join(table.names, ",") {
		t.Fatalf("columns %q, want %s", table.names, header)
	}
	rows := parseRows(t, csv)
	if len(rows) != len(table.rows) {
		t.Fatalf("%d rows, want %d", len(table.rows), len(rows))
	}
	for i, r := range table.rows {
		for k, name := range table.names {
			if !sameValue(r[k], rows[i][name]) {
				t.Fatalf("row %d: %s is %v, want %q", i, name, r[k], rows[i][name])
			}
		}
	}
}

func asParquet(c Config) Config {
	c.Format = Parquet
	return c
}

// A file of Parquet has what the CSV has: of all columns there are, for all
// captures there are.
func TestParquetRows(t *testing.T) {
	t.Parallel()
	quantiles, err := writer.ParseQuantiles("5,99.9")
	if err != nil {
		t.Fatal(err)
	}
	rules, err := label.Read(strings.NewReader("label,protocol\nweb,6\nnames,17\n"), label.Options{})
	if err != nil {
		t.Fatal(err)
	}
	every := testConfig(2)
	every.Columns.Quantiles, every.Columns.Sequence, every.Columns.SampleStd = quantiles, 3, true
	every.Sessions.VLAN, every.Sessions.Capture, every.Sessions.Decapsulate = true, true, true
	every.Labels = &Labels{Rules: rules, Default: "other, \"quoted\""}
	some := testConfig(1)
	some.Columns.Columns = []string{"total_packets", "first_seen", "src_ip", "iat_std_s"}
	list := corpus(t)
	for i, c := range []Config{every, some, testConfig(1), schemaConfig(t, 2, "nfstream"), schemaConfig(t, 2, "cicflowmeter")} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			c.Columns.UndefinedEmpty = c.Columns.Schema == ""
			want := extract(t, c, list...)
			got := extract(t, asParquet(c), list...)
			if want.err != nil || got.err != nil || jsonOf(t, got.report) != jsonOf(t, want.report) {
				t.Fatalf("%v, %v: other reports", want.err, got.err)
			}
			if c.Columns.Schema != "" { // their undefined cells are 0
				c.Columns.UndefinedEmpty = true
				want = extract(t, c, list...)
			}
			sameTable(t, got.rows, want.rows)
		})
	}
}

// The bytes of a file of Parquet do not depend on how a run is made.
func TestParquetSameBytes(t *testing.T) {
	t.Parallel()
	dir, _ := series(t, 9000, 5)
	c := asParquet(testConfig(1))
	want := extract(t, c, dir).clean(t)
	if n := len(readParquet(t, want).rows); n < 2000 {
		t.Fatalf("%d rows only", n)
	}
	for _, workers := range []int{2, 5} {
		c.Workers = workers
		sameRows(t, fmt.Sprint(workers, " workers"), extract(t, c, dir).clean(t), want)
	}
	sameRows(t, "little memory", extract(t, scarce(c), dir).clean(t), want)
	small := c
	small.Memory = LeastMemory(c.Workers)
	if !small.spoolsRows() || c.spoolsRows() {
		t.Error("another way than was meant")
	}
	sameRows(t, "row groups on disk", extract(t, small, dir).clean(t), want)
	runs := mapped(t, c, 3, dir)
	sameRows(t, "merge", merge(t, c, runs).clean(t), want)
	sameRows(t, "state", resume(t, c, filepath.Join(t.TempDir(), "state"), dir).clean(t), want)
}

// What a column says of itself is in the file, and so are the options.
func TestParquetMetadata(t *testing.T) {
	t.Parallel()
	c := asParquet(testConfig(1))
	c.Sessions.IdleTimeout = 5e9
	f := readParquet(t, extract(t, c, "../../testdata/example.pcap").clean(t)).file
	columns, _ := f.Lookup("pcapbatch.columns")
	for _, want := range []string{`"name":"duration_s"`, `"unit":"bytes/s"`, `"definition":"time from the first packet to the last"`} {
		if !strings.Contains(columns, want) {
			t.Errorf("no %s in %s", want, columns)
		}
	}
	if sessions, _ := f.Lookup("pcapbatch.sessions"); sessions != `{"idle-timeout":"5s"}` {
		t.Errorf("options %s", sessions)
	}
	types := map[string]string{
		"src_ip": "STRING", "src_port": "INT(16,false)", "protocol": "INT(8,false)", "first_seen_ns": "INT(64,true)", "total_packets": "INT(64,true)",
		"duration_s": "DOUBLE", "iat_std_s": "DOUBLE", "community_id": "STRING", "fwd_ttl_min": "INT(8,false)", "fwd_initial_window": "INT(16,false)",
		"first_seen": "TIMESTAMP(isAdjustedToUTC=true,unit=MICROS)", "last_seen": "TIMESTAMP(isAdjustedToUTC=true,unit=MICROS)",
	}
	for _, field := range f.Schema().Fields() {
		if want, ok := types[field.Name()]; ok && field.Type().String() != want {
			t.Errorf("%s is %s, want %s", field.Name(), field.Type(), want)
		}
		delete(types, field.Name())
	}
	if len(types) > 0 {
		t.Errorf("no %v", types)
	}
	if data := extract(t, c, "../../testdata/example.pcap").rows; bytes.Contains([]byte(data), []byte("(devel)")) {
		t.Error("the version of the program is in the file")
	}
}

// reducedTable makes the table of partition 1 of 3 in dir; its bytes are the
// rows.
// Tables of another number of partitions must not be beside those that are made;
// other files may.
func TestOtherTables(t *testing.T) {
	t.Parallel()
	dir, _ := series(t, 400, 2)
	c, out := asParquet(testConfig(1)), t.TempDir()
	runs := mapped(t, c, 3, dir)
	for _, name := range []string{"_SUCCESS", "part-x-of-00003.csv", "part-00000-of-00002.csv.gz", ".part-00001-of-00002.csv.ABCDEFGH.tmp"} {
		write(t, filepath.Join(out, name), nil)
	}
	for range 2 {
		reducedTable(t, c, runs, out).clean(t)
	}
	if left := entriesOf(t, out); len(left) != 4 { // without what a killed process has left of another table
		t.Errorf("left are %q", left)
	}
	write(t, filepath.Join(out, "part-00001-of-00002.parquet"), nil)
	reducedTable(t, c, runs, out).refuses(t, Kept, "part-00001-of-00002.parquet is a table of 2 partitions, and this one is of 3")
}

func reducedTable(t testing.TB, c Config, runs, dir string) result {
	paths, err := RunFiles(durable.OS, []string{runs})
	if err != nil {
		t.Fatal(err)
	}
	return observe(c, func(c Config, w *bytes.Buffer) (*report.Run, error) {
		r, err := ReduceTable(t.Context(), c, paths, 1, dir)
		if err == nil {
			w.Write(load(t, filepath.Join(dir, "part-00001-of-00003.parquet")))
		}
		return r, err
	})
}

// The tables of all partitions have the rows of the whole, each row once.
func TestReduceTable(t *testing.T) {
	t.Parallel()
	dir, _ := series(t, 4000, 5)
	c := testConfig(2)
	c.Columns.UndefinedEmpty = true
	runs := mapped(t, c, 3, dir)
	whole := extract(t, c, dir).clean(t)
	header, rest, _ := strings.Cut(whole, "\n")
	want := slices.Sorted(strings.Lines(rest))
	paths, err := RunFiles(durable.OS, []string{runs})
	if err != nil {
		t.Fatal(err)
	}
	tables := func(c Config, suffix string) (texts []string) {
		out := t.TempDir()
		for p := range 3 {
			if _, err := ReduceTable(t.Context(), c, paths, p, out); err != nil {
				t.Fatal(err)
			}
			texts = append(texts, string(load(t, filepath.Join(out, fmt.Sprintf("part-%05d-of-00003.%s", p, suffix)))))
		}
		if names := entriesOf(t, out); len(names) != 3 {
			t.Errorf("left %q", names)
		}
		return texts
	}
	texts := tables(c, "csv")
	var got []string
	for _, text := range texts {
		first, rest, _ := strings.Cut(text, "\n")
		if first != header {
			t.Errorf("header %q", first)
		}
		got = append(got, slices.Collect(strings.Lines(rest))...)
	}
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("%d rows, want %d: other rows", len(got), len(want))
	}
	for p, data := range tables(asParquet(c), "parquet") {
		sameTable(t, data, texts[p])
		part, _ := readParquet(t, data).file.Lookup("pcapbatch.part")
		if !strings.Contains(part, fmt.Sprintf(`"partition":%d,"partitions":3`, p)) {
			t.Errorf("part %s", part)
		}
	}
	numbered := c
	numbered.Columns = writer.Options{Schema: "nfstream"}
	runs = mapped(t, numbered, 1, dir)
	if paths, err = RunFiles(durable.OS, []string{runs}); err != nil {
		t.Fatal(err)
	}
	if _, err := ReduceTable(t.Context(), numbered, paths, 0, t.TempDir()); CategoryOf(err) != Usage {
		t.Errorf("numbered: %v", err)
	}
}
