package writer

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"time"

	"pcapbatch/internal/agg"
)

// A schema is the table of another program: its columns, their names, units and
// order, filled with our numbers. Models and notebooks that were made for the
// other program go on working. What such a column says is defined here, not
// there; docs/coming-from.md says column by column what differs.
type schema struct {
	name     string
	rules    Rules
	needs    agg.Needs // of the tables
	numbered bool      // the first column is the number of the row
	sequence bool      // there are columns for Options.Sequence
	// columns are those of the other program, without the number of the row.
	columns func(o *Options) []Column
	// labelled: one of them is that of Options.Label.
	labelled bool
}

// all returns the columns of a layout, without the number of the row. What the
// other program does not have stands behind its columns, so that these keep
// their places: the capture, and the label as the last one.
func (s *schema) all(o *Options) []Column {
	columns := s.columns(o)
	if o.Capture != nil {
		columns = append(columns, s.text("capture", "the capture that the session is in: its path as it was named; with --key capture", o.Capture.ofRow))
	}
	if o.Label != nil && !s.labelled {
		columns = append(columns, s.text("label", "label of the first rule that matches the session; with --labels", labelOf(o.Label)))
	}
	return columns
}

// schemas are all there are. What they ask of a layout is checked by
// newSchemaLayout.
func schemas() []*schema { return []*schema{&cicflowmeter, &nfstream} }

// Rules are the rules by which another program ends sessions.
type Rules struct {
	// IdleTimeout ends a session at a gap above it, ActiveTimeout at a packet
	// that comes more than this after the first. 0: no such rule.
	IdleTimeout, ActiveTimeout time.Duration
	// TCPEnd makes a SYN after a closed TCP connection begin a session.
	TCPEnd bool
}

// Schemas returns the names that Options.Schema may have, besides "".
func Schemas() (names []string) {
	for _, s := range schemas() {
		names = append(names, s.name)
	}
	return names
}

// SchemaRules returns what ends a session in the program of that name, for runs
// whose flags say nothing else.
func SchemaRules(name string) (Rules, error) {
	s, err := schemaOf(name)
	if err != nil {
		return Rules{}, err
	}
	return s.rules, nil
}

// SchemaColumns returns the data dictionary of a schema, in the order of a row,
// with the columns that only --sequence, --key capture and --labels add. Its
// columns have no values.
func SchemaColumns(name string) ([]Column, error) {
	s, err := schemaOf(name)
	if err != nil {
		return nil, err
	}
	o := &Options{Schema: name, Capture: NoText, Label: NoLabel}
	if s.sequence {
		o.Sequence = 1
	}
	columns := s.all(o)
	if s.numbered {
		columns = slices.Insert(columns, 0, numberColumn(name))
	}
	return columns, nil
}

// numberColumn is the column of a schema that has the number of the row. Whoever
// writes rows in order knows it.
func numberColumn(schema string) Column {
	return Column{Name: numberName, Group: Group(schema), Type: Integer, Kind: Unsigned, Definition: "number of the row in the table, from 0", Exactness: exact,
		value: func(*Row) Value { return Value{} }}
}

// numberName is the name of the column that has the number of the row.
const numberName = "id"

func schemaOf(name string) (*schema, error) {
	for _, s := range schemas() {
		if s.name == name {
			return s, nil
		}
	}
	return nil, fmt.Errorf("unknown schema %q: there are %s", name, strings.Join(Schemas(), " and "))
}

// newSchemaLayout is NewLayout for options with a schema.
func newSchemaLayout(o Options) (*Layout, error) {
	s, err := schemaOf(o.Schema)
	switch {
	case err != nil:
		return nil, err
	case len(o.Features) > 0:
		return nil, fmt.Errorf("--schema %s: its columns are fixed, so it cannot be used together with --features", o.Schema)
	case len(o.Quantiles) > 0:
		return nil, fmt.Errorf("--schema %s: its columns are fixed, so it cannot be used together with --quantiles", o.Schema)
	case o.Sequence != 0 && !s.sequence:
		return nil, fmt.Errorf("--schema %s: it has no columns for --sequence; schema nfstream has", o.Schema)
	case o.Sequence != 0:
		err = CheckSequence(o.Sequence)
	}
	if err != nil {
		return nil, err
	}
	columns := s.all(&o)
	for i := range columns {
		columns[i].void = columns[i].needs
	}
	return newLayout(o, columns, s.numbered)
}

// Numbered reports whether each row begins with its number in the table and a
// comma, which the header has and Columns has not. The number is not a
// Formatter's to write: rows are formatted side by side, and parts are joined.
func (l *Layout) Numbered() bool { return l.numbered }

// Dictionary returns the data dictionary of the layout: Columns and, before
// them, that of the number of the row where rows have it.
func (l *Layout) Dictionary() []Column {
	if !l.numbered {
		return l.columns
	}
	return slices.Insert(slices.Clone(l.columns), 0, numberColumn(l.options.Schema))
}

// The columns of schemas are made of these.

func (s *schema) column(name string, typ Type, kind Kind, unit, definition, exactness string, needs needs, value func(*agg.Summary) Value) Column {
	return Column{Name: name, Group: Group(s.name), Type: typ, Kind: kind, Unit: unit, Definition: definition, Exactness: exactness, needs: needs,
		value: func(r *Row) Value { return value(&r.Summary) }}
}

// integer is a column of a number that is not negative.
func (s *schema) integer(name, unit, definition string, needs needs, value func(*agg.Summary) uint64) Column {
	return s.column(name, Integer, Unsigned, unit, definition, exact, needs, func(m *agg.Summary) Value { return Value{Lo: value(m)} })
}

// decimal is a column of a number in millionths.
func (s *schema) decimal(name, unit, definition string, needs needs, value func(*agg.Summary) (hi, lo uint64)) Column {
	return s.column(name, Decimal, Micros128, unit, definition, rounded, needs, func(m *agg.Summary) Value {
		hi, lo := value(m)
		return Value{Hi: hi, Lo: lo}
	})
}

// text is a column of text, which may be of any length.
func (s *schema) text(name, definition string, text func([]byte, *Row) []byte) Column {
	return Column{Name: name, Group: Group(s.name), Type: Text, Kind: Bytes, Definition: definition, Exactness: exact, text: text, free: true}
}

// named is c under another name and in the group of the schema.
func (s *schema) named(name string, c Column) Column {
	c.Name, c.Group = name, Group(s.name)
	return c
}

// key returns the columns of the 5-tuple under the given names: addresses,
// ports and protocol as in identityColumns.
func (s *schema) key(names ...string) []Column {
	columns := identityColumns()[:len(names)]
	for i, name := range names {
		columns[i] = s.named(name, columns[i])
	}
	return columns
}

// microseconds returns ns in millionths of a microsecond.
func microseconds(ns uint64) (hi, lo uint64) { return bits.Mul64(ns, 1000) }
