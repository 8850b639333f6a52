package page

import (
	"cmp"
	"html/template"
	"slices"
	"strings"

	"pcapbatch/internal/linktype"
	"pcapbatch/internal/report"
)

// mostDamage is how many lines of damage are shown, in so many bytes.
const (
	mostDamage  = 100
	damageBytes = 60 << 10
)

// damage lists what could not be read, the worst first.
type damage struct {
	List []damaged
	More int // lines that are not shown
	Any  bool
	Read int // captures that were read
}

// A damaged capture, with what of it counts.
type damaged struct{ Name, What, Place, Reason string }

// A harm is a damaged before it has its texts: of a million only a few are shown.
type harm struct {
	capture *report.Capture // what was left out, or warned of; nil: damage says it
	damage  *report.Damage
	warning int // of the capture, -1: it was left out
	order   int // the lower, the worse
	records uint64
}

// damageOf puts what is missing first, then captures of which nothing counts,
// then the others, those with the fewest records first, and warnings last.
func damageOf(r *report.Run) (d damage) {
	list := harms(r)
	slices.SortStableFunc(list, func(a, b harm) int {
		return cmp.Or(cmp.Compare(a.order, b.order), cmp.Compare(a.records, b.records), strings.Compare(a.path(), b.path()))
	})
	d.Any, d.Read = len(list) > 0, len(r.Captures)
	room := damageBytes
	for i := 0; i < min(len(list), mostDamage) && room > 0; i++ {
		x := list[i].text()
		room -= rowBytes + len(template.HTMLEscapeString(x.Name+x.Reason))
		d.List = append(d.List, x)
	}
	d.More = len(list) - len(d.List)
	return d
}

// harms are all that was left out, warned of or damaged.
func harms(r *report.Run) (list []harm) {
	read := make(map[string]uint64, len(r.Damage)) // records of captures that are damaged
	for i := range r.Damage {
		read[r.Damage[i].Path] = 0
	}
	list = make([]harm, 0, len(r.Damage))
	for i := range r.Captures {
		c := &r.Captures[i]
		if _, ok := read[c.Path]; ok {
			read[c.Path] = c.Records
		}
		if c.LeftOut {
			list = append(list, harm{capture: c, warning: -1, order: 2, records: c.Records})
		}
		for k := range c.Warnings {
			list = append(list, harm{capture: c, warning: k, order: 4, records: c.Records})
		}
	}
	for i := range r.Damage {
		x := harm{damage: &r.Damage[i], order: 3, records: read[r.Damage[i].Path]}
		if x.damage.Record == 0 {
			x.order = 1
			if x.damage.Kind == report.KindIO {
				x.order = 0
			}
		}
		list = append(list, x)
	}
	return list
}

func (h *harm) path() string {
	if h.capture != nil {
		return h.capture.Path
	}
	return h.damage.Path
}

func (h *harm) text() damaged {
	x := damaged{Name: name(h.path())}
	switch d := h.damage; {
	case d == nil && h.warning < 0:
		x.What, x.Reason = "left out", "not one of its "+report.Plural(h.records, "record")+" can be decoded; link type "+linksOf(h.capture)
		return x
	case d == nil:
		x.What, x.Reason = "warning", limited(report.Printable(h.capture.Warnings[h.warning]), mostText)
		return x
	case h.order == 0:
		x.What = "not readable"
	case h.order == 1:
		x.What = "nothing read"
	default:
		x.What = "damaged"
		x.Place = "record " + report.Thousands(d.Record) + " at offset " + report.Thousands(uint64(max(0, d.Offset))) + "; " +
			report.Plural(h.records, "record") + " before it"
		if h.records == 1 {
			x.Place = strings.Replace(x.Place, "before it", "counts", 1)
		}
	}
	x.Reason = limited(report.Printable(h.damage.Reason), mostText)
	return x
}

// mostLinks is how many link types of a capture are named.
const mostLinks = 4

// linksOf names the link types of a capture, those of most records first.
func linksOf(c *report.Capture) string {
	list := slices.Clone(c.LinkTypes)
	slices.SortFunc(list, func(a, b report.LinkTypeCount) int {
		return cmp.Or(cmp.Compare(b.Records, a.Records), cmp.Compare(a.Link, b.Link))
	})
	var names []string
	for i, l := range list {
		if i == mostLinks {
			names = append(names, choose(len(list)-i, "other", "others"))
			break
		}
		names = append(names, linktype.Describe(l.Link))
	}
	return strings.Join(names, ", ")
}

// records says where every record went.
type records struct {
	Total  uint64
	Shown  []share
	Folded []share // beyond the largest kinds
	Rest   share   // the sum of Folded
	Note   string
}

// A share is one part of a whole, with a bar.
type share struct {
	Name    string
	Count   uint64
	Percent string
	Width   float64 // of the bar, percent
	Left    bool    // is in no session
}

// mostKinds is how many kinds of records are shown.
const mostKinds = 8

func recordsOf(r *report.Run) (v records) {
	var list []share
	add := func(name string, n uint64, left bool) {
		if n > 0 {
			list = append(list, share{Name: limited(report.Printable(name), mostText), Count: n, Left: left})
		}
	}
	add("packets in sessions", r.Packets, false)
	for kind, n := range r.NonIPKinds {
		add("not IP: "+kind, n, true)
	}
	for reason, n := range r.Undecodable {
		add("not decodable: "+reason, n, true)
	}
	for link, n := range r.Unsupported {
		add("link type "+linktype.Describe(link)+" is not supported", n, true)
	}
	slices.SortFunc(list, func(a, b share) int { return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Name, b.Name)) })
	v.Total = r.Records + r.Further
	sized(list, v.Total)
	v.Shown = list
	if len(list) > mostKinds {
		v.Shown, v.Folded = list[:mostKinds], list[mostKinds:]
		v.Rest = share{Name: choose(len(v.Folded), "other kind", "other kinds"), Left: true}
		for _, s := range v.Folded {
			v.Rest.Count += s.Count
		}
		rest := []share{v.Rest}
		sized(rest, v.Total)
		v.Rest = rest[0]
	}
	if r.Further > 0 {
		v.Note = report.Thousands(r.Records) + " records hold " + report.Thousands(v.Total) + " packets: some are aggregates."
	}
	return v
}

// sized sets the percentages of a whole.
func sized(list []share, total uint64) {
	for i := range list {
		list[i].Percent = percent(list[i].Count, total)
		list[i].Width = width(list[i].Count, total)
	}
}

// width is a share in percent, to be drawn: never so small that it cannot be seen.
func width(n, total uint64) float64 {
	if total == 0 || n == 0 {
		return 0
	}
	w := float64(n) / float64(total) * 100
	return max(0.3, min(100, float64(int(w*10))/10))
}
