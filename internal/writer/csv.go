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
	layout     *Layout
	summarizer agg.Summarizer
	summary    agg.Summary
}

// NewFormatter returns a formatter for l.
func (l *Layout) NewFormatter() *Formatter { return &Formatter{layout: l} }

// AppendRow appends the line of session i of t, with its line end, to dst.
func (f *Formatter) AppendRow(dst []byte, t *agg.Table, i uint32) []byte {
	s := &f.summary
	f.summarizer.Summarize(t, i, s)
	columns := f.layout.columns
	dst = slices.Grow(dst, len(columns)*(maxCell+1))
	n := len(dst)
	b := dst[:cap(dst)]
	facts := factsOf(s, f.layout.options.SampleStd)
	for k := range columns {
		c := &columns[k]
		switch {
		case c.needs&^facts == 0:
			n = c.put(b, n, f, s)
		case !f.layout.options.UndefinedEmpty:
			b[n] = '0' // all that can be undefined are decimals
			n = putZero(b, n+1)
		}
		b[n] = ','
		n++
	}
	b[n-1] = '\n'
	return b[:n]
}
