package compare

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Table is read row by row. It belongs to one goroutine.
type Table interface {
	// Name is how messages call the table.
	Name() string
	// Columns are the names of the columns, in order.
	Columns() []string
	// Next returns the cells of the next row, valid until it is called again,
	// and io.EOF after the last.
	Next() ([]string, error)
	Close() error
}

// exactPackets is the number of packets up to which medians are exact.
const exactPackets = 128

// mostColumns is how many columns a table may have: several times as many as there
// are with all features. Each is looked for among the others.
const mostColumns = 1 << 14

// A Result says what a comparison found.
type Result struct {
	Rows [2]uint64 // of each table, as far as they were read
	// Difference describes the first difference that counts, with its row and
	// column; "" where the tables are the same.
	Difference string
	// Medians counts the medians and quantiles of sessions of more than 128
	// packets that differ and may. Largest is the largest such difference, as a
	// part of the larger value: 0 to 1.
	Medians uint64
	Largest float64
}

// Same reports whether the tables are the same.
func (r *Result) Same() bool { return r.Difference == "" }

// Tables compares two tables up to their first difference. An error says that
// one of them could not be read.
func Tables(a, b Table) (*Result, error) {
	for _, t := range [...]Table{a, b} {
		if n := len(t.Columns()); n > mostColumns {
			return nil, fmt.Errorf("%s: %w: %d columns", t.Name(), errTable, n)
		}
	}
	r := &Result{}
	if d := columnsDiffer(a, b); d != "" {
		r.Difference = d
		return r, nil
	}
	c := newComparison(a, b, r)
	for {
		x, errA := a.Next()
		y, errB := b.Next()
		for i, err := range [...]error{errA, errB} {
			if err == nil {
				r.Rows[i]++
			} else if err != io.EOF {
				return nil, err
			}
		}
		switch {
		case errA == io.EOF && errB == io.EOF:
			return r, nil
		case errA == io.EOF:
			r.Difference = fmt.Sprintf("%s has a row that %s has not: %s", b.Name(), a.Name(), c.session(1, y))
		case errB == io.EOF:
			r.Difference = fmt.Sprintf("%s has a row that %s has not: %s", a.Name(), b.Name(), c.session(0, x))
		default:
			c.rows(x, y)
		}
		if r.Difference != "" {
			return r, nil
		}
	}
}

// columnsDiffer says how the columns of two tables differ. Their order does not
// matter.
func columnsDiffer(a, b Table) string {
	for _, pair := range [...][2]Table{{a, b}, {b, a}} {
		for _, name := range pair[0].Columns() {
			if !slices.Contains(pair[1].Columns(), name) {
				return fmt.Sprintf("%s has no column %s", pair[1].Name(), name)
			}
		}
	}
	return ""
}

// A comparison compares rows of two tables.
type comparison struct {
	*Result
	names   [2]string
	columns []column
	packets int // place of total_packets in the first table; -1: it has none
}

// A column is one that both tables have.
type column struct {
	name   string
	at     [2]int // its place in each
	text   bool   // it is text of the user's, where 0 is not nothing
	rough  bool   // it is a median or a quantile
	lo, hi int    // places of minimum and maximum in the first table; -1: none
}

func newComparison(a, b Table, r *Result) *comparison {
	c := &comparison{Result: r, names: [2]string{a.Name(), b.Name()}, packets: slices.Index(a.Columns(), "total_packets")}
	for i, name := range a.Columns() {
		x := column{name: name, at: [2]int{i, slices.Index(b.Columns(), name)}, lo: -1, hi: -1}
		x.text = name == "label" || name == "Label" || name == "capture" // Label is CICFlowMeter's
		if front, back, ok := quantileOf(name); ok {
			x.rough = true
			x.lo = slices.Index(a.Columns(), front+"_min"+back)
			x.hi = slices.Index(a.Columns(), front+"_max"+back)
		}
		c.columns = append(c.columns, x)
	}
	return c
}

// quantileOf splits the name of a median or quantile: iat_median_s,
// payload_size_p99.9.
func quantileOf(name string) (front, back string, ok bool) {
	for rest := name; ; {
		i := strings.LastIndexByte(rest, '_')
		if i < 0 {
			return "", "", false
		}
		word, _, _ := strings.Cut(name[i+1:], "_")
		q, isNumber := strings.CutPrefix(word, "p")
		if _, err := strconv.ParseFloat(q, 64); word == "median" || isNumber && err == nil {
			return name[:i], name[i+1+len(word):], true
		}
		rest = rest[:i]
	}
}

// rows compares two rows and notes the first difference.
func (c *comparison) rows(x, y []string) {
	large := c.packets >= 0 && numberOf(x[c.packets]) > exactPackets
	for i := range c.columns {
		col := &c.columns[i]
		v, w := x[col.at[0]], y[col.at[1]]
		if v == w || !col.text && sameValue(v, w) {
			continue
		}
		if col.rough && large && c.between(col, x, v, w) {
			c.Medians++
			a, b := numberOf(v), numberOf(w)
			c.Largest = max(c.Largest, math.Abs(a-b)/max(math.Abs(a), math.Abs(b)))
			continue
		}
		c.Difference = fmt.Sprintf("row %d, column %s: %s in %s, %s in %s; session %s",
			c.Rows[0], col.name, shown(v), c.names[0], shown(w), c.names[1], c.session(0, x))
		return
	}
}

// between reports whether two cells are numbers that lie between the minimum and
// the maximum of their session, where the table has those.
func (c *comparison) between(col *column, x []string, v, w string) bool {
	for _, value := range [...]string{v, w} {
		n, err := strconv.ParseFloat(value, 64)
		if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
			return false
		}
		if col.lo >= 0 && n < numberOf(x[col.lo]) || col.hi >= 0 && n > numberOf(x[col.hi]) {
			return false
		}
	}
	return true
}

// session names the session of a row of a table by the columns that identify it.
func (c *comparison) session(table int, row []string) string {
	var words []string
	for _, col := range c.columns {
		switch col.name {
		case "src_ip", "dst_ip", "src_port", "dst_port", "protocol", "first_seen_ns", "capture":
			words = append(words, shown(row[col.at[table]]))
		}
	}
	if len(words) == 0 {
		return strings.Join(row, ",")
	}
	return strings.Join(words, ",")
}

// shown is a cell for a message.
func shown(cell string) string { return cmp.Or(cell, "nothing") }

// sameValue reports whether two cells with different texts have one value.
func sameValue(a, b string) bool {
	if a == "" || b == "" { // an undefined value
		other := a + b
		return other == "0" || other == "0.0"
	}
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	if errX != nil && errY != nil {
		return sameTime(a, b)
	}
	if errX != nil || errY != nil || x != y {
		return false
	}
	// Integers are compared as such: those above 2^53 are not all float64.
	isInteger := func(s string) bool { return strings.Trim(s, "-0123456789") == "" }
	return !isInteger(a) || !isInteger(b)
}

// sameTime reports whether two cells are the same time to the microsecond, which
// is all that Parquet has.
func sameTime(a, b string) bool {
	x, errX := time.Parse(time.RFC3339Nano, a)
	y, errY := time.Parse(time.RFC3339Nano, b)
	return errX == nil && errY == nil && x.Truncate(time.Microsecond).Equal(y.Truncate(time.Microsecond))
}

// numberOf is the value of a cell, 0 for what is no number.
func numberOf(cell string) float64 {
	v, _ := strconv.ParseFloat(cell, 64)
	return v
}

// errTable is the error for a table that is none.
var errTable = errors.New("not a table of sessions")
