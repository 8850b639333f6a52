package page

import (
	"cmp"
	"html/template"
	"slices"

	"pcapbatch/internal/report"
)

// How many captures the table has: the largest of the undamaged, and all that
// are damaged, as far as the bytes of the page reach.
const (
	mostLargest  = 200
	largestBytes = 100 << 10
	damagedBytes = 250 << 10
)

// captures is the table of captures.
type captures struct {
	Rows    []captureRow
	Rest    captureRow // the sum of those not shown
	More    int        // how many those are
	Broken  int        // of those, damaged
	Named   int        // captures that were read or could not be
	Damaged int        // captures that are damaged, missing or left out
	Claims  bool       // a capture states more bytes than it can have
	Counted bool       // sessions were counted by capture
	all     captureSum
}

// A captureRow is a line of it.
type captureRow struct {
	Name, From, To, Links, Packets, Sessions, Bytes, Damage string
	Claims                                                  bool
}

// A captureSum is what captures have together.
type captureSum struct {
	records           uint64
	believed, claimed uint64 // wire bytes; claimed are those not believed
	claiming          int    // captures
	sized             bool   // all have wire bytes
	timed             bool
	first, last       int64
	packets, sessions uint64
	counted           bool // sessions are
}

func (s *captureSum) add(c *report.Capture) {
	s.records += c.Records
	s.packets += c.Packets
	s.believed += c.Believed()
	if c.Claims() {
		s.claiming++
		s.claimed += c.WireBytes
	}
	s.sized = s.sized && (c.WireBytes > 0 || c.Records == 0)
	if c.Sessions != nil {
		s.sessions += *c.Sessions
		s.counted = true
	}
	if c.First == nil || c.Last == nil {
		return
	}
	if !s.timed {
		s.timed, s.first, s.last = true, *c.First, *c.Last
	}
	s.first, s.last = min(s.first, *c.First), max(s.last, *c.Last)
}

// An entry is a capture, or what was named as one. There may be a million, so it
// has nothing that can be looked up.
type entry struct {
	capture *report.Capture // none, empty, where it could not be opened
	damage  *report.Damage  // nil: none
}

// none stands for captures that could not be opened.
var none = &report.Capture{}

func (e *entry) opened() bool { return e.capture != none }

func (e *entry) damaged() bool { return e.damage != nil || e.capture.LeftOut }

func (e *entry) path() string {
	if e.opened() {
		return e.capture.Path
	}
	return e.damage.Path
}

// what says in a few words what is wrong with the capture.
func (e *entry) what() string {
	switch d := e.damage; {
	case d == nil && e.capture.LeftOut:
		return "left out"
	case d == nil:
		return ""
	case d.Kind == report.KindIO:
		return "not readable"
	case d.Record > 0:
		return d.Kind + " at record " + report.Thousands(d.Record)
	default:
		return d.Kind
	}
}

func capturesOf(r *report.Run) (v captures) {
	v.all.sized = true
	list := entries(r)
	v.Named = len(list)
	for i := range list {
		v.all.add(list[i].capture)
		if list[i].damaged() {
			v.Damaged++
		}
	}
	v.Claims, v.Counted = v.all.claiming > 0, v.all.counted
	slices.SortStableFunc(list, func(x, y entry) int {
		a, b := x.capture, y.capture
		return cmp.Or(cmp.Compare(b.Believed(), a.Believed()), cmp.Compare(b.Packets, a.Packets), cmp.Compare(b.Bytes, a.Bytes))
	})
	v.show(list)
	return v
}

// show chooses the rows. Requires: list is in their order.
func (v *captures) show(list []entry) {
	rest := captureSum{sized: true}
	damaged, largest := damagedBytes, largestBytes
	whole := 0
	for i := range list {
		e := &list[i]
		room := &damaged
		if !e.damaged() {
			room = &largest
			if whole++; whole > mostLargest {
				*room = 0
			}
		}
		if *room > 0 {
			row := rowOf(e)
			*room -= row.bytes()
			v.Rows = append(v.Rows, row)
			continue
		}
		v.More++
		rest.add(e.capture)
		if e.damaged() {
			v.Broken++
		}
	}
	v.Rest = rest.row()
}

// rowBytes is what a row takes besides its texts.
const rowBytes = 200

// bytes is what a row takes on the page.
func (r *captureRow) bytes() int {
	n := rowBytes
	for _, s := range []string{r.Name, r.Links, r.Damage} {
		n += len(template.HTMLEscapeString(s))
	}
	return n
}

// entries are the captures that were read, and those that could not be opened.
// Of several damages of a capture it has the last.
func entries(r *report.Run) []entry {
	damage := make(map[string]*report.Damage, len(r.Damage)) // of captures that are not in the list yet
	for i := range r.Damage {
		damage[r.Damage[i].Path] = &r.Damage[i]
	}
	list := make([]entry, len(r.Captures), len(r.Captures)+len(damage))
	for i := range r.Captures {
		c := &r.Captures[i]
		list[i] = entry{c, damage[c.Path]}
		delete(damage, c.Path)
	}
	for i := range r.Damage {
		if d := damage[r.Damage[i].Path]; d != nil {
			list = append(list, entry{none, d})
			delete(damage, d.Path)
		}
	}
	return list
}

func rowOf(e *entry) captureRow {
	c := e.capture
	r := captureRow{Name: name(e.path()), Links: linksOf(c), Damage: limited(report.Printable(e.what()), mostText), Claims: c.Claims()}
	if c.First != nil && c.Last != nil {
		r.From, r.To = clock(*c.First), clock(*c.Last)
	}
	if !e.opened() {
		return r
	}
	r.Packets = report.Thousands(c.Packets)
	if c.Packets == 0 && c.Records > 0 && !c.LeftOut {
		r.Packets = "" // captures were merged by time: nobody knows
	}
	if c.Sessions != nil {
		r.Sessions = report.Thousands(*c.Sessions)
	}
	if c.WireBytes > 0 || c.Records == 0 {
		r.Bytes = bytesText(c.WireBytes)
	}
	return r
}

// row is the line of the captures that are not shown.
func (s *captureSum) row() (r captureRow) {
	if s.timed {
		r.From, r.To = clock(s.first), clock(s.last)
	}
	r.Packets = report.Thousands(s.packets)
	if s.counted {
		r.Sessions = report.Thousands(s.sessions)
	}
	if s.sized {
		r.Bytes = bytesText(s.believed)
	}
	return r
}
