package writer

import "slices"

// A cell is what the programs of a Formatter take from a column.
type cell struct {
	column *Column
	void   needs
	// none is the text of a session that lacks one of the facts in void, and
	// undefined that of one that lacks one of column.needs, both with a comma.
	none, undefined []byte
	// together writes this cell and those after it by one call; nil if the cell is
	// written alone, or by the call of one before it.
	together together
}

// makeCells makes the cells of f. Requires: the row of f is empty.
func (f *Formatter) makeCells() {
	columns := f.layout.columns
	f.cells = make([]cell, len(columns))
	f.row.Summary.Packets = 1 // a session that lacks everything else
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

// A program is how the rows of all sessions with the same facts are written, so
// that it is found out once which of their cells are constant. 216 real
// captures have sessions of 67 different combinations of facts.
type program struct {
	facts needs
	steps []step
}

// mostPrograms is how many programs a Formatter keeps; when one more is needed,
// it drops them all. They are in a hash table of programSlots places. A program
// of all feature groups takes some 10 KiB.
const (
	mostPrograms = 160
	programSlots = 256
)

// A step writes one cell, or several if its kind is constant or joint.
type step struct {
	kind     Kind             // that of the column, or one of those below
	at       *uint64          // where the value stands, in the formatter's row; nil:
	value    func(*Row) Value // how to get it
	position uint64           // of the column
	column   *Column
	text     []byte   // of kind constant
	together together // of kind joint
}

const (
	constant Kind = Bytes + 1 + iota // cells with the same text in all rows
	instant                          // a Signed number of ns since the Unix epoch
	joint                            // cells that one call writes
)

// stepOf returns the step that writes a column where it is defined.
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

// program returns the program for the row that is loaded.
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

// constant adds constant text: to the last step, if that is constant as well.
func (p *program) constant(text []byte) {
	if last := len(p.steps) - 1; last >= 0 && p.steps[last].kind == constant {
		p.steps[last].text = append(p.steps[last].text, text...)
		return
	}
	p.steps = append(p.steps, step{kind: constant, text: slices.Clone(text)})
}
