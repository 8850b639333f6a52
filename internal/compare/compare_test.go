package compare

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"

	"pcapbatch/internal/durable"
)

const header = "src_ip,dst_ip,src_port,dst_port,protocol,first_seen_ns,total_packets,iat_min_s,iat_max_s,iat_median_s,iat_p99.9_s,label\n"

var rows = []string{
	"10.0.0.2,10.0.0.1,1,2,6,1700000000000000001,3,0.5,2.5,1.0,2.0,a\n",
	"10.0.0.9,10.0.0.1,1,2,6,1700000000000000002,1,0.0,0.0,0.0,0.0,\n",
	"10.0.0.10,10.0.0.1,1,2,6,1700000000000000003,200,0.5,2.5,1.0,2.0,b\n",
	"::1,::2,1,2,17,1700000000000000003,2,1.0,1.0,1.0,1.0,\"x,y\"\n",
}

func file(t *testing.T, dir, name string, lines ...string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	content := header + strings.Join(lines, "")
	if strings.HasSuffix(name, ".gz") {
		z := gzip.NewWriter(f)
		z.Write([]byte(content))
		z.Close()
		return path
	}
	f.WriteString(content)
	return path
}

func compared(t *testing.T, a, b string) *Result {
	t.Helper()
	x, err := Open(durable.OS, a)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	y, err := Open(durable.OS, b)
	if err != nil {
		t.Fatal(err)
	}
	defer y.Close()
	r, err := Tables(x, y)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestSame(t *testing.T) {
	dir := t.TempDir()
	one := file(t, dir, "one.csv", rows...)
	set := filepath.Join(dir, "set")
	if err := os.Mkdir(set, 0o777); err != nil {
		t.Fatal(err)
	}
	file(t, set, "b.csv.gz", rows[1], rows[3])
	file(t, set, "a.csv", rows[0], rows[2])
	file(t, set, "empty.csv")
	if err := os.WriteFile(filepath.Join(set, "_SUCCESS"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	undefined := strings.Replace(rows[1], "0.0,0.0,0.0,0.0", ",0,,0.0", 1)
	for _, other := range []string{one, set, file(t, dir, "undefined.csv", rows[0], undefined, rows[2], rows[3])} {
		for _, pair := range [][2]string{{one, other}, {other, one}} {
			if r := compared(t, pair[0], pair[1]); !r.Same() || r.Rows != [2]uint64{4, 4} || r.Medians != 0 {
				t.Errorf("%v: %+v", pair, r)
			}
		}
	}
	wider := strings.Replace(rows[2], "1.0,2.0", "1.1,2.5", 1)
	if r := compared(t, one, file(t, dir, "wider.csv", rows[0], rows[1], wider, rows[3])); !r.Same() || r.Medians != 2 || r.Largest < 0.19 || r.Largest > 0.21 {
		t.Errorf("medians of a large session: %+v", r)
	}
}

func TestDifferent(t *testing.T) {
	dir := t.TempDir()
	one := file(t, dir, "one.csv", rows...)
	for name, c := range map[string]struct {
		lines []string
		want  string
	}{
		"short":     {rows[:3], "has a row that"},
		"integer":   {[]string{strings.Replace(rows[0], "0001,3", "0002,3", 1), rows[1], rows[2], rows[3]}, "row 1, column first_seen_ns"},
		"small":     {[]string{strings.Replace(rows[0], ",1.0,2.0", ",1.1,2.0", 1), rows[1], rows[2], rows[3]}, "column iat_median_s: 1.0 in"},
		"beyond":    {[]string{rows[0], rows[1], strings.Replace(rows[2], ",1.0,2.0", ",1.0,2.6", 1), rows[3]}, "row 3, column iat_p99.9_s"},
		"word":      {[]string{rows[0], rows[1], strings.Replace(rows[2], ",1.0,2.0", ",NaN,2.0", 1), rows[3]}, "column iat_median_s: 1.0 in"},
		"label":     {[]string{rows[0], strings.Replace(rows[1], ",\n", ",0\n", 1), rows[2], rows[3]}, "column label: nothing in"},
		"order":     {[]string{rows[1], rows[0], rows[2], rows[3]}, "row 1, column src_ip"},
		"undefined": {[]string{strings.Replace(rows[0], ",1.0,2.0", ",,2.0", 1), rows[1], rows[2], rows[3]}, "column iat_median_s: 1.0 in"},
	} {
		if r := compared(t, one, file(t, dir, name+".csv", c.lines...)); !strings.Contains(r.Difference, c.want) {
			t.Errorf("%s: %+v", name, r)
		}
	}
	least := strings.Replace(rows[2], "0.5,2.5,1.0", "0.0,2.5,1.0", 1)
	none := strings.Replace(least, "2.5,1.0", "2.5,", 1)
	if r := compared(t, file(t, dir, "least.csv", least), file(t, dir, "none.csv", none)); !strings.Contains(r.Difference, "1.0 in") {
		t.Errorf("a median that one table has not: %+v", r)
	}
	for _, name := range []string{"label", "Label", "capture"} {
		var paths [2]string
		for i, text := range []string{"1", "1.0"} {
			paths[i] = filepath.Join(dir, text+name+".csv")
			if err := os.WriteFile(paths[i], []byte(name+",x\n"+text+","+text+"\n"), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		if r := compared(t, paths[0], paths[1]); !strings.Contains(r.Difference, "column "+name+": 1 in") {
			t.Errorf("texts that are one number: %+v", r)
		}
	}
	path := filepath.Join(dir, "columns.csv")
	if err := os.WriteFile(path, []byte("src_ip\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if r := compared(t, one, path); !strings.Contains(r.Difference, "has no column dst_ip") {
		t.Errorf("columns: %+v", r)
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty.csv")
	if err := os.WriteFile(empty, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	gz := filepath.Join(dir, "no.csv.gz")
	if err := os.WriteFile(gz, []byte("text"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{empty, gz, filepath.Join(dir, "none.csv"), t.TempDir()} {
		if _, err := Open(durable.OS, path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
	set := t.TempDir()
	file(t, set, "a.csv", rows...)
	parquet := filepath.Join(set, "b.parquet")
	if err := os.WriteFile(parquet, []byte("PAR1\x15\x04,\nPAR1"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{parquet, set} {
		if _, err := Open(durable.OS, path); err == nil || !strings.Contains(err.Error(), parquet+": ") {
			t.Errorf("%s: %v", path, err)
		}
	}
	torn := file(t, dir, "torn.csv", rows[0], "1,2\n")
	x, err := Open(durable.OS, torn)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	y, err := Open(durable.OS, file(t, dir, "whole.csv", rows...))
	if err != nil {
		t.Fatal(err)
	}
	defer y.Close()
	if _, err := Tables(x, y); err == nil || !strings.Contains(err.Error(), "torn.csv") {
		t.Errorf("a row that is cut short: %v", err)
	}
}

// What is no table of sessions takes no more memory or time than one: rows and
// columns have a limit.
func TestLimits(t *testing.T) {
	dir := t.TempDir()
	long := strings.Repeat("a", mostRow+1<<13)
	lines := strings.Repeat("a\n", mostRow/2+1<<13)
	whole := file(t, dir, "whole.csv", rows...)
	for name, content := range map[string]string{
		"header":  long,
		"row":     header + rows[0] + strings.Replace(rows[1], "10.0.0.9", long, 1),
		"lines":   header + rows[0] + strings.Replace(rows[1], "10.0.0.9", `"`+lines+`"`, 1),
		"columns": strings.Repeat("a,", mostColumns) + "a\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
		table, err := Open(durable.OS, path)
		if err == nil {
			defer table.Close()
			other, _ := Open(durable.OS, whole)
			defer other.Close()
			_, err = Tables(other, table)
		}
		if want := map[bool]error{true: errTable, false: errRow}[name == "columns"]; !errors.Is(err, want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
	most := strings.Repeat("b", mostRow-1<<13)
	a, b := file(t, dir, "a.csv", strings.Repeat(strings.Replace(rows[0], ",a\n", ","+most+"\n", 1), 3)), file(t, dir, "b.csv", rows[0])
	if r := compared(t, a, b); r.Same() {
		t.Error("a label of nearly as much is the same as another")
	}
}
