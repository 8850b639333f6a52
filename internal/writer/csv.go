package writer

import (
	"fmt"
	"slices"
	"strings"

	"pcapbatch/internal/agg"
)

// Options choose columns and their variants. The zero value is the default.
type Options struct {
	// Features lists groups beyond the identity: FeatureGroups, or All.
	// Empty means Basic.
	Features []Group
	// Quantiles adds three columns for each.
	Quantiles []Quantile
	// Sequence adds columns of so many first packets: 0 to agg.MaxSequence.
	Sequence int
	// VLAN adds the VLAN ids to the identity.
	VLAN bool
	// Capture adds the capture to the identity, Label a last column. Either
	// appends the text of a session to dst. Nil means no such column.
	Capture, Label func(dst []byte, s *agg.Summary) []byte
	// SampleStd divides variances by n-1 instead of n.
	SampleStd bool
	// UndefinedEmpty leaves the cell of an undefined value empty, instead of 0.
	UndefinedEmpty bool
}

// All selects every feature group.
const All Group = "all"

// Needs returns what tables have to keep for the columns of o: the Needs and
// the Sequence of their agg.Options. Requires: NewLayout takes o.
func Needs(o Options) (n agg.Needs, sequence int) {
	of := map[Group]agg.Needs{Direction: agg.NeedDirection, Flags: agg.NeedFlags, TCP: agg.NeedTCP, Activity: agg.NeedActivity,
		Bulk: agg.NeedBulk, IP: agg.NeedIP, CommunityID: agg.NeedCommunityID, End: agg.NeedEnd}
	for g, need := range of {
		if slices.Contains(o.Features, g) || slices.Contains(o.Features, All) {
			n |= need
		}
	}
	if len(o.Quantiles) > 0 {
		n |= agg.NeedQuantiles
	}
	return n, o.Sequence
}

// A Layout is the list of columns of one run.
type Layout struct {
	options Options
	columns []Column
}

// NewLayout returns the layout for o, or an error that names the feature group
// that does not exist, or the sequence that is too long.
func NewLayout(o Options) (*Layout, error) {
	if len(o.Features) == 0 {
		o.Features = []Group{Basic}
	}
	for _, g := range o.Features {
		if g != All && !slices.Contains(FeatureGroups(), g) {
			return nil, fmt.Errorf("unknown feature group %q: there are %s", g, groupNames())
		}
	}
	if o.Sequence != 0 {
		if err := CheckSequence(o.Sequence); err != nil {
			return nil, err
		}
	}
	var chosen []Column
	for _, c := range Columns() {
		if c.Group == Identity || c.Group == VLAN && o.VLAN ||
			c.Group != VLAN && (slices.Contains(o.Features, All) || slices.Contains(o.Features, c.Group)) {
			chosen = append(chosen, c)
		}
	}
	return &Layout{options: o, columns: columnsOf(chosen, &o)}, nil
}

// groupNames is "basic, totals, ... and all".
func groupNames() string {
	var b strings.Builder
	for i, g := range FeatureGroups() {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(string(g))
	}
	return b.String() + " and all"
}

// columnsOf adds to columns, which begin with the identity, those that have
// their values from o.
func columnsOf(columns []Column, o *Options) []Column {
	text := func(name string, group Group, definition string, of func([]byte, *agg.Summary) []byte) Column {
		return Column{Name: name, Group: group, Type: Text, Kind: Bytes, Definition: definition, Exactness: exact,
			text: func(dst []byte, r *Row) []byte { return of(dst, &r.Summary) }}
	}
	if o.Capture != nil {
		at := slices.IndexFunc(columns, func(c Column) bool { return c.Group != Identity && c.Group != VLAN })
		columns = slices.Insert(columns, at, text("capture", Capture, "the capture that the session is in: its path as it was named", o.Capture))
	}
	for k, q := range o.Quantiles {
		columns = append(columns, quantileColumns(q.Text, k)...)
	}
	columns = append(columns, sequenceOf(o.Sequence)...)
	if o.Label != nil {
		columns = append(columns, text("label", Label, "label of the first rule that matches the session", o.Label))
	}
	return columns
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
		case !c.Defined(f.row):
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
