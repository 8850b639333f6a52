package writer

import (
	"fmt"
	"slices"
	"strings"

	"pcapbatch/internal/agg"
)

// Options choose columns and their variants. The zero value is the default.
type Options struct {
	// Schema is the name of another program whose table is written, one of
	// Schemas. Its columns are fixed: it excludes Features, Quantiles, and
	// mostly Sequence. VLAN adds no columns then. Deviations are
	// those of a sample. "" is no schema.
	Schema string
	// Features lists groups beyond the identity: FeatureGroups, or All.
	// Empty means Basic.
	Features []Group
	// Quantiles adds three columns for each.
	Quantiles []Quantile
	// Sequence adds columns of so many first packets: 0 to agg.MaxSequence.
	Sequence int
	// VLAN adds the VLAN ids to the identity.
	VLAN bool
	// Capture adds the capture to the identity, or behind the columns of a
	// schema. It appends the capture of a session to dst. Nil means no such
	// column.
	Capture SessionText
	// Label adds a last column. It is called once for each Formatter, so that
	// what it returns belongs to one goroutine. Nil means no such column.
	Label func() SessionText
	// Observe, if there is one, makes an observer for each Row; nil is none. It
	// adds no column.
	Observe func() Observer
	// SampleStd divides variances by n-1 instead of n.
	SampleStd bool
	// Columns picks columns of those that the other fields ask for, by name, in
	// the order of the table. Nil means all.
	Columns []string
	// UndefinedEmpty leaves the cell of an undefined value empty, instead of 0.
	UndefinedEmpty bool
}

// An Observer is shown each session of which a row is made.
type Observer interface {
	agg.GapTaker
	// Session has the session, valid until it returns.
	Session(s *agg.Summary)
}

// All selects every feature group.
const All Group = "all"

// needsOf says which groups need tables to keep something for them.
var needsOf = [...]struct {
	group Group
	needs agg.Needs
}{
	{Direction, agg.NeedDirection}, {Flags, agg.NeedFlags}, {TCP, agg.NeedTCP}, {Activity, agg.NeedActivity}, {Bulk, agg.NeedBulk},
	{IP, agg.NeedIP}, {CommunityID, agg.NeedCommunityID}, {End, agg.NeedEnd}, {Quantiles, agg.NeedQuantiles},
}

// Needs returns what tables have to keep for the columns of o: the Needs and
// the Sequence of their agg.Options. Requires: NewLayout takes o.
func Needs(o Options) (n agg.Needs, sequence int) {
	if s, err := schemaOf(o.Schema); err == nil {
		return s.needs, o.Sequence
	}
	for _, g := range needsOf {
		if slices.Contains(o.Features, g.group) || g.group == Quantiles && len(o.Quantiles) > 0 || g.group != Quantiles && slices.Contains(o.Features, All) {
			n |= g.needs
		}
	}
	return n, o.Sequence
}

// A SessionText appends a text of a session to dst. It does not keep s.
type SessionText func(dst []byte, s *agg.Summary) []byte

func (f SessionText) ofRow(dst []byte, r *Row) []byte { return f(dst, &r.Summary) }

// labelOf is the text of a column for Options.Label.
func labelOf(label func() SessionText) func(dst []byte, r *Row) []byte {
	return func(dst []byte, r *Row) []byte {
		if r.label == nil {
			r.label = label()
		}
		return r.label(dst, &r.Summary)
	}
}

// A Layout is the list of columns of one run.
type Layout struct {
	options Options
	columns []Column

	numbered bool
}

// NewLayout returns the layout for o, or an error that names the feature group
// that does not exist, the sequence that is too long, the schema that does not
// exist, or what cannot be had together with it.
func NewLayout(o Options) (*Layout, error) {
	if o.Schema != "" {
		return newSchemaLayout(o)
	}
	if len(o.Features) == 0 {
		o.Features = []Group{Basic}
	}
	for _, g := range o.Features {
		if g != All && !slices.Contains(FeatureGroups(), g) {
			return nil, fmt.Errorf("--features: unknown feature group %q: there are %s", g, groupNames())
		}
	}
	if o.Sequence != 0 {
		if err := CheckSequence(o.Sequence); err != nil {
			return nil, fmt.Errorf("--sequence: %w", err)
		}
	}
	var chosen []Column
	for _, c := range Columns() {
		if c.void == 0 {
			c.void = c.needs
		}
		if c.Group == Identity || c.Group == VLAN && o.VLAN ||
			c.Group != VLAN && (slices.Contains(o.Features, All) || slices.Contains(o.Features, c.Group)) {
			chosen = append(chosen, c)
		}
	}
	return newLayout(o, columnsOf(chosen, &o), false)
}

// newLayout returns the layout of columns, or of those that o picks.
func newLayout(o Options, columns []Column, numbered bool) (*Layout, error) {
	l := &Layout{options: o, columns: columns, numbered: numbered}
	if len(o.Columns) > 0 {
		if err := l.pick(o.Columns); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// An UnknownColumnError says that Options.Columns names a column that is not
// among those that the other options ask for.
type UnknownColumnError struct{ Name string }

func (e *UnknownColumnError) Error() string {
	return fmt.Sprintf("--columns: there is no column %q in what is asked for; 'batch fields' has all", e.Name)
}

// pick leaves the named columns, in that order.
func (l *Layout) pick(names []string) error {
	all := l.columns
	l.columns = nil
	if l.numbered = l.numbered && names[0] == numberName; l.numbered {
		names = names[1:]
	}
	for i, name := range names {
		k := slices.IndexFunc(all, func(c Column) bool { return c.Name == name })
		switch {
		case k < 0:
			return &UnknownColumnError{name}
		case slices.Contains(names[:i], name):
			return fmt.Errorf("--columns: column %q is named twice", name)
		}
		l.columns = append(l.columns, all[k])
	}
	if len(l.columns) == 0 {
		return fmt.Errorf("--columns: %s alone makes no table", numberName)
	}
	return nil
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
	text := func(name string, group Group, definition string, text func([]byte, *Row) []byte) Column {
		return Column{Name: name, Group: group, Type: Text, Kind: Bytes, Definition: definition, Exactness: exact, free: true, text: text}
	}
	if o.Capture != nil {
		at := slices.IndexFunc(columns, func(c Column) bool { return c.Group != Identity && c.Group != VLAN })
		columns = slices.Insert(columns, at, text("capture", Capture, "the capture that the session is in: its path as it was named", o.Capture.ofRow))
	}
	for k, q := range o.Quantiles {
		columns = append(columns, quantileColumns(q.Text, k)...)
	}
	columns = append(columns, sequenceOf(o.Sequence)...)
	if o.Label != nil {
		columns = append(columns, text("label", Label, "label of the first rule that matches the session", labelOf(o.Label)))
	}
	return columns
}

// Columns returns the columns of the layout in order.
func (l *Layout) Columns() []Column { return l.columns }

// Header returns the header line with its line end.
func (l *Layout) Header() string {
	var names []string
	if l.numbered {
		names = append(names, numberName)
	}
	for _, c := range l.columns {
		names = append(names, c.Name)
	}
	return strings.Join(names, ",") + "\n"
}

// A Formatter makes rows of one layout. It belongs to one goroutine.
type Formatter struct {
	layout   *Layout
	row      *Row
	cells    []cell                 // of the layout's columns
	programs [programSlots]*program // by facts: open addressing
	made     int                    // how many there are
	text     []byte                 // the cell of a text column, before quoting
	stamp    stamp                  // for steps of kind instant
}

// NewFormatter returns a formatter for l.
func (l *Layout) NewFormatter() *Formatter {
	f := &Formatter{layout: l, row: l.NewRow()}
	f.makeCells()
	return f
}

// maxCell is the size of the longest cell that is not a text: a rate of 39
// digits and 6 decimals. An IPv6 address has up to 39 bytes.
const maxCell = 48

// AppendRow appends the line of session i of t, with its line end, to dst.
func (f *Formatter) AppendRow(dst []byte, t *agg.Table, i uint32) []byte {
	f.row.Load(t, i)
	before := len(dst)
	if dst = f.run(dst, f.program().steps); len(dst) == before+1 {
		dst = append(dst[:before], `"",`...) // programs skip empty lines
	}
	dst[len(dst)-1] = '\n'
	return dst
}

// run appends the cells of the row that steps write, with a comma after each.
// One call per cell would be an eighth of the time.
func (f *Formatter) run(dst []byte, steps []step) []byte {
	dst = slices.Grow(dst, len(f.cells)*(maxCell+1))
	n := len(dst)
	b := dst[:cap(dst)]
	for k := range steps {
		s := &steps[k]
		var v Value
		if s.at != nil {
			v.Lo = *s.at
		} else if s.value != nil {
			if s.position > 0 && s.position >= f.row.Summary.Packets {
				n = comma(b, putUndefined(b, n, s.column.Type, f.layout.options.UndefinedEmpty))
				continue
			}
			v = s.value(f.row)
		}
		switch s.kind {
		case Unsigned:
			if v.Lo < smallNumbers {
				n = putSmall(b, n, v.Lo) // spares a call, for most cells
			} else {
				n = putUint(b, n, v.Lo)
			}
		case Signed:
			n = putInt(b, n, int64(v.Lo))
		case Nanos:
			n = f.row.seconds(v.Lo).put(b, n)
		case Micros:
			n = putMicro(b, n, v.Lo)
		case Micros128:
			n = putMicro128(b, n, v.Hi, v.Lo)
		case Halves:
			n = putHalves(b, n, v.Hi, v.Lo)
		case Address:
			n = putAddress(b, n, v)
		case Bytes:
			b, n = f.putText(b, n, s.column)
		case constant:
			n += copy(b[n:], s.text)
			continue
		case instant:
			n = f.stamp.put(b, n, int64(v.Lo))
		case joint:
			n = s.together.put(b, n, f.row)
			continue
		}
		b[n] = ','
		n++
	}
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
// and the rest of the row.
func (f *Formatter) putText(b []byte, n int, c *Column) ([]byte, int) {
	if !c.free {
		return b, len(c.text(b[:n], f.row))
	}
	f.text = c.text(f.text[:0], f.row)
	if most := mostQuoted*len(f.text) + 2; most > maxCell {
		b = slices.Grow(b[:n], most+len(f.cells)*(maxCell+1))
		b = b[:cap(b)]
	}
	return b, len(appendQuoted(b[:n], f.text))
}
