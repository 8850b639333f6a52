package writer

import (
	"encoding/csv"
	"math"
	"strings"
	"testing"

	"pcapbatch/internal/agg"
)

func TestAppendQuoted(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", ""},
		{"plain/path-1.pcap", "plain/path-1.pcap"},
		{" blank ends ", " blank ends "},
		{"a,b", `"a,b"`},
		{`say "x"`, `"say ""x"""`},
		{`"`, `""""`},
		{"line\nend\r\n", `line\x0aend\x0d\x0a`},
		{"tab\tnul\x00del\x7f", `tab\x09nul\x00del\x7f`},
		{"caf\xe9,", `"caf\xe9,"`},
		{"\xff\xfe", `\xff\xfe`},
		{"c1\u0085", `c1\xc2\x85`},
		{"café 日本 �", "café 日本 �"},
	} {
		got := string(appendQuoted([]byte("x"), []byte(c.text)))[1:]
		if got != c.want {
			t.Errorf("%q: %s, want %s", c.text, got, c.want)
		}
		if len(got) > mostQuoted*len(c.text)+2 {
			t.Errorf("%q: %d bytes", c.text, len(got))
		}
	}
}

// Text columns grow a row as far as it takes, and empty ones stay empty.
func TestTextColumns(t *testing.T) {
	tab := tableOf(agg.Options{}, packets(5)...)
	defer tab.Release()
	for _, text := range []string{"", "short", strings.Repeat("long, ", 1000), strings.Repeat("\x01", 500)} {
		l, err := NewLayout(Options{})
		if err != nil {
			t.Fatal(err)
		}
		column := Column{Name: "text", Type: Text, Kind: Bytes, free: true, text: func(dst []byte, _ *Row) []byte { return append(dst, text...) }}
		undefined := column
		undefined.needs = someGap
		l.columns = append([]Column{column, undefined}, append(l.columns, column)...)
		row := string(l.NewFormatter().AppendRow([]byte("before"), tab, 0))
		records, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(row, "before"))).ReadAll()
		if err != nil || len(records) != 1 || len(records[0]) != len(l.columns) {
			t.Fatalf("%.100q: %v", row, err)
		}
		want := strings.ReplaceAll(text, "\x01", `\x01`)
		if r := records[0]; r[0] != want || r[1] != "" || r[len(r)-1] != want || r[2] != "192.0.2.1" {
			t.Errorf("%.100q", row)
		}
	}
}

// What is undefined is 0 in the form of the column's type, or empty.
func TestUndefinedCells(t *testing.T) {
	for _, c := range []struct {
		typ         Type
		zero, empty string
	}{{Integer, "0", ""}, {Decimal, "0.0", ""}, {Text, "", ""}} {
		for _, empty := range []bool{false, true} {
			want := c.zero
			if empty {
				want = c.empty
			}
			if got := written(t, func(b []byte, n int) int { return putUndefined(b, n, c.typ, empty) }); got != want {
				t.Errorf("%s, empty %v: %q", c.typ, empty, got)
			}
		}
	}
}

func TestPutHalves(t *testing.T) {
	for _, c := range []struct {
		hi, lo uint64
		want   string
	}{{0, 0, "0.0"}, {0, 1, "0.5"}, {0, 7, "3.5"}, {1, 1, "9223372036854775808.5"}, {1, math.MaxUint64, "18446744073709551615.5"}} {
		if got := written(t, func(b []byte, n int) int { return putHalves(b, n, c.hi, c.lo) }); got != c.want {
			t.Errorf("%d, %d: %s, want %s", c.hi, c.lo, got, c.want)
		}
	}
}
