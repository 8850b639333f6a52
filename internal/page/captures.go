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

// An entry is a capture, or what was named as one.
type entry struct {
	report.Capture
	damage string
	opened bool
}

func capturesOf(r *report.Run) (v captures) {
	v.all.sized = true
	list := entries(r)
	v.Named = len(list)
	for i := range list {
		v.all.add(&list[i].Capture)
		if list[i].damage != "" {
			v.Damaged++
		}
	}
	v.Claims, v.Counted = v.all.claiming > 0, v.all.counted
	slices.SortStableFunc(list, func(a, b entry) int {
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
		if e.damage == "" {
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
		rest.add(&e.Capture)
		if e.damage != "" {
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
func entries(r *report.Run) []entry {
	list := make([]entry, len(r.Captures), len(r.Captures)+len(r.Damage))
	at := map[string]int{}
	for i := range r.Captures {
		list[i] = entry{Capture: r.Captures[i], opened: true}
		if list[i].LeftOut {
			list[i].damage = "left out"
		}
		at[list[i].Path] = i
	}
	for _, d := range r.Damage {
		what := d.Kind
		if d.Record > 0 {
			what += " at record " + report.Thousands(d.Record)
		}
		if d.Kind == report.KindIO {
			what = "not readable"
		}
		if i, ok := at[d.Path]; ok {
			list[i].damage = what
			continue
		}
		at[d.Path] = len(list)
		list = append(list, entry{Capture: report.Capture{Path: d.Path}, damage: what})
	}
	return list
}

func rowOf(e *entry) captureRow {
	r := captureRow{Name: name(e.Path), Links: linksOf(&e.Capture), Damage: limited(report.Printable(e.damage), mostText), Claims: e.Claims()}
	if e.First != nil && e.Last != nil {
		r.From, r.To = clock(*e.First), clock(*e.Last)
	}
	if !e.opened {
		return r
	}
	r.Packets = report.Thousands(e.Packets)
	if e.Packets == 0 && e.Records > 0 && !e.LeftOut {
		r.Packets = "" // captures were merged by time: nobody knows
	}
	if e.Sessions != nil {
		r.Sessions = report.Thousands(*e.Sessions)
	}
	if e.WireBytes > 0 || e.Records == 0 {
		r.Bytes = bytesText(e.WireBytes)
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
