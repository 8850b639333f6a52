package writer

import (
	"fmt"
	"slices"
	"strings"

	"pcapbatch/internal/agg"
)

// Options choose columns and their variants. The zero value is the default.
type Options struct {
	// Features lists groups beyond the identity: basic, totals, mean, or all.
	// Empty means basic.
	Features []Group
	// VLAN adds the VLAN ids to the identity.
	VLAN bool
	// SampleStd divides variances by n-1 instead of n.
	SampleStd bool
	// UndefinedEmpty leaves the cell of an undefined value empty, instead of 0.
	UndefinedEmpty bool
}

// All selects every feature group.
const All Group = "all"

// A Layout is the list of columns of one run.
type Layout struct {
	options Options
	columns []Column
}

// NewLayout returns the layout for o, or an error that names the feature group
// that does not exist.
func NewLayout(o Options) (*Layout, error) {
	chosen := o.Features
	if len(chosen) == 0 {
		chosen = []Group{Basic}
	}
	for _, g := range chosen {
		if !slices.Contains([]Group{Basic, Totals, Mean, All}, g) {
			return nil, fmt.Errorf("unknown feature group %q: there are basic, totals, mean and all", g)
		}
	}
	l := &Layout{options: o}
	for _, c := range Columns() {
		if c.Group == Identity || c.Group == VLAN && o.VLAN ||
			c.Group != VLAN && (slices.Contains(chosen, All) || slices.Contains(chosen, c.Group)) {
			l.columns = append(l.columns, c)
		}
	}
	return l, nil
}

// Columns returns the columns of the layout in order.
func (l *Layout) Columns() []Column { return l.columns }

// Header returns the header line with its line end.
func (l *Layout) Header() string {
	names := make([]string, len(l.columns))
	for i, c := range l.columns {
		names[i] = c.Name
	}
	return strings.Join(names, ",") + "\n"
}

// A Formatter makes rows of one layout. It belongs to one goroutine.
type Formatter struct {
	layout *Layout
	row    *Row
	text   []byte // the cell of a text column, before quoting
}

// NewFormatter returns a formatter for l.
func (l *Layout) NewFormatter() *Formatter { return &Formatter{layout: l, row: l.NewRow()} }

// maxCell is the size of the longest cell that is not a text: a rate of 39
// digits and 6 decimals. An IPv6 address has up to 39 bytes.
const maxCell = 48

// AppendRow appends the line of session i of t, with its line end, to dst.
func (f *Formatter) AppendRow(dst []byte, t *agg.Table, i uint32) []byte {
	f.row.Load(t, i)
	columns := f.layout.columns
	dst = slices.Grow(dst, len(columns)*(maxCell+1))
	n := len(dst)
	b := dst[:cap(dst)]
	for k := range columns {
		c := &columns[k]
		switch {
		case c.needs&^f.row.facts != 0:
			n = putUndefined(b, n, c.Type, f.layout.options.UndefinedEmpty)
		case c.Kind == Bytes:
			b, n = f.putText(b, n, c, len(columns)-k)
		default:
			v := c.value(f.row)
			switch c.Kind {
			case Unsigned:
				n = putUint(b, n, v.Lo)
			case Signed:
				n = putInt(b, n, int64(v.Lo))
			case Nanos:
				n = putNano(b, n, v.Lo)
			case Micros:
				n = putMicro(b, n, v.Lo)
			case Micros128:
				n = putMicro128(b, n, v.Hi, v.Lo)
			case Halves:
				n = putHalves(b, n, v.Hi, v.Lo)
			case Address:
				n = putAddress(b, n, v)
			}
		}
		b[n] = ','
		n++
	}
	b[n-1] = '\n'
	return b[:n]
}

// putUndefined writes the cell of an undefined value.
func putUndefined(b []byte, n int, t Type, empty bool) int {
	if empty || t == Text {
		return n
	}
	b[n] = '0'
	if t == Decimal {
		return putZero(b, n+1)
	}
	return n + 1
}

// putText writes the cell of a text column. It returns b with room for this
// and the rest of the row, left cells.
func (f *Formatter) putText(b []byte, n int, c *Column, left int) ([]byte, int) {
	f.text = c.text(f.text[:0], f.row)
	if most := mostQuoted*len(f.text) + 2; most > maxCell {
		b = slices.Grow(b[:n], most+left*(maxCell+1))
		b = b[:cap(b)]
	}
	return b, len(appendQuoted(b[:n], f.text))
}
