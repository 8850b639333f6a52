package writer

import "slices"

// A cell is what the programs of a Formatter take from a column.
type cell struct {
	column *Column
	void   needs
	// none is the text without one of void, undefined that without one of the
	// column's needs, with a comma.
	none, undefined []byte
	together        together // written by one call with the cells behind it; nil: alone
}

// makeCells makes the cells of f, whose row is that of no session.
func (f *Formatter) makeCells() {
	columns := f.layout.columns
	f.cells = make([]cell, len(columns))
	f.row.Summary.Packets = 1 // of a session that lacks everything else
	for k := range columns {
		c := &f.cells[k]
		c.column, c.void = &columns[k], columns[k].void
		var b [maxCell]byte
		n := putUndefined(b[:], 0, c.column.Type, f.layout.options.UndefinedEmpty)
		c.undefined = slices.Clone(b[:comma(b[:], n)])
		switch {
		case c.void == 0:
		case c.column.Defined(f.row):
			c.none = slices.Clone(f.run(nil, []step{f.stepOf(c.column)}))
		default:
			c.none = c.undefined
		}
	}
	f.row.Summary.Packets = 0
	f.joinCells()
}

// A program is how the rows of all sessions with the same facts are written:
// which cells are undefined or void is found once. 216 real captures
// have 93 different ones.
type program struct {
	facts needs
	steps []step
}

// mostPrograms is how many a Formatter keeps, in a hash table with room for
// programSlots: they take some 10 KiB each.
const (
	mostPrograms = 160
	programSlots = 256
)

// A step writes one cell; or of the kinds below, several.
type step struct {
	kind     Kind
	at       *uint64 // where the value stands, in the formatter's row; or
	value    func(*Row) Value
	position uint64
	column   *Column
	text     []byte   // of kind constant
	together together // of kind joint
}

const (
	constant Kind = Bytes + 1 + iota // the same text in all rows
	instant                          // ns since the epoch, as Signed
	joint
)

// stepOf returns the step of a column that is defined.
func (f *Formatter) stepOf(c *Column) step {
	s := step{kind: c.Kind, column: c, value: c.value, position: uint64(c.position)}
	if c.field != nil {
		s.at = c.field(&f.row.Summary)
	}
	if c.Kind == Signed && c.Unit == nsUnit {
		s.kind = instant
	}
	return s
}

// program returns the program for the row.
func (f *Formatter) program() *program {
	facts := f.row.facts
	home := uint8(facts * 0x9e3779b97f4a7c15 >> 56)
	at := home
	for ; f.programs[at] != nil; at++ {
		if p := f.programs[at]; p.facts == facts {
			return p
		}
	}
	if f.made == mostPrograms {
		clear(f.programs[:])
		at, f.made = home, 0
	}
	f.programs[at] = f.compile(facts)
	f.made++
	return f.programs[at]
}

// compile makes the program for sessions with facts.
func (f *Formatter) compile(facts needs) *program {
	p := &program{facts, make([]step, 0, len(f.cells))}
	for k := 0; k < len(f.cells); k++ {
		c := &f.cells[k]
		switch {
		case c.void&^facts != 0:
			p.constant(c.none)
		case c.column.needs&^facts != 0:
			p.constant(c.undefined)
		case c.together != nil:
			p.steps = append(p.steps, step{kind: joint, together: c.together})
			k += c.together.cells() - 1
		default:
			p.steps = append(p.steps, f.stepOf(c.column))
		}
	}
	return p
}

// constant adds text, to that of the step before if that is a constant.
func (p *program) constant(text []byte) {
	if last := len(p.steps) - 1; last >= 0 && p.steps[last].kind == constant {
		p.steps[last].text = append(p.steps[last].text, text...)
		return
	}
	p.steps = append(p.steps, step{kind: constant, text: slices.Clone(text)})
}
