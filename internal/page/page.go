// Package page makes the report of a run as one HTML page: what there was in
// thousands of captures, at a glance. The command calls it with --report.
//
// The page needs no script and no network, and all that it shows as text has
// been escaped: names of captures are other people's. It takes some milliseconds
// and at most a few hundred KB, however many captures there were. Nothing here
// is kept between calls, which may run side by side.
package page

import (
	_ "embed"
	"html/template"
	"io"
	"math"
	"strings"
	"sync"
	"unicode/utf8"

	"pcapbatch/internal/report"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

// page is parsed when it is first asked for: most runs do not.
var page = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("page").Funcs(template.FuncMap{
		"count": thousands,
		"style": func() template.CSS { return template.CSS(pageCSS) },
	}).Parse(pageHTML))
})

// Write writes the page of a run that has ended to w. Requires: the captures are
// in capture order and Run.Finish was called.
func Write(w io.Writer, r *report.Run) error {
	return page().Execute(w, viewOf(r))
}

// A view is what the template shows, as text and numbers that are ready.
type view struct {
	Title    string
	Subtitle string
	Tiles    []tile
	Damage   damage
	Records  records
	Figures  figureView
	Captures captures
	About    about
}

// A tile is one number at the top.
type tile struct {
	Name, Value, Note string
	Bad               bool
}

// about says how the run was called.
type about struct {
	Facts [][2]string
	Notes []string
}

func viewOf(r *report.Run) *view {
	v := &view{Title: "pcapbatch report", Damage: damageOf(r), Records: recordsOf(r), Captures: capturesOf(r)}
	if r.Started != "" {
		v.Subtitle = "Run of " + timeText(r.Started)
	}
	v.Tiles = tilesOf(r, v)
	v.Figures = figuresOf(r)
	v.About = aboutOf(r)
	return v
}

func tilesOf(r *report.Run, v *view) []tile {
	damaged := tile{Name: "Damaged or left out", Value: report.Thousands(uint64(v.Captures.Damaged)), Note: "captures", Bad: v.Captures.Damaged > 0}
	if !damaged.Bad {
		damaged.Value, damaged.Note = "none", "every capture was read to its end"
		if len(r.Captures) == 0 {
			damaged.Note = "there was no capture"
		}
	}
	sum := v.Captures.all
	return []tile{
		{Name: "Captures", Value: report.Thousands(uint64(v.Captures.Named)), Note: report.BinaryBytes(r.Bytes) + " on disk"},
		damaged,
		{Name: "Records", Value: report.Thousands(r.Records), Note: "read"},
		{Name: "Packets", Value: report.Thousands(r.Packets), Note: "in sessions"},
		{Name: "Sessions", Value: report.Thousands(r.Sessions), Note: "rows"},
		bytesTile(&sum),
		spanTile(&sum),
		{Name: "Took", Value: seconds(r.Seconds), Note: workersNote(r.Workers)},
		rateTile(r),
	}
}

func bytesTile(sum *captureSum) tile {
	t := tile{Name: "Bytes on the wire", Value: bytesText(sum.believed), Note: "wire lengths of all records"}
	switch {
	case !sum.sized && sum.records > 0:
		t.Value, t.Note = "not known", "run files of an earlier version"
	case sum.claiming > 0:
		t.Note = choose(sum.claiming, "capture states", "captures state") + " " + bytesText(sum.claimed) + ": not believed"
		t.Bad = true
	}
	return t
}

func spanTile(sum *captureSum) tile {
	if !sum.timed {
		return tile{Name: "Time span", Value: "none", Note: "no record has a time"}
	}
	return tile{Name: "Time span", Value: nanos(uint64(sum.last) - uint64(sum.first)), Note: clock(sum.first) + " to " + clock(sum.last) + " UTC"}
}

func workersNote(n int) string {
	if n == 0 {
		return ""
	}
	return report.Plural(uint64(n), "worker")
}

func rateTile(r *report.Run) tile {
	if r.Seconds <= 0 {
		return tile{Name: "Rate", Value: "not known"}
	}
	rate := strings.TrimSpace(short(math.Round(float64(r.Records)/r.Seconds))) + "/s"
	return tile{Name: "Rate", Value: rate, Note: "records; " + report.BinaryBytes(int64(float64(r.Bytes)/r.Seconds)) + "/s of captures"}
}

// mostCommand is how much of a command line is shown, in bytes.
const mostCommand = 4000

func aboutOf(r *report.Run) about {
	a := about{Notes: r.Notes()}
	add := func(name, value string) {
		if value != "" {
			a.Facts = append(a.Facts, [2]string{name, limited(report.Printable(value), mostCommand)})
		}
	}
	add("Command", commandLine(r.Arguments))
	add("Version", r.Version)
	add("Begun", timeText(r.Started))
	add("Output", r.Output)
	return a
}

// commandLine quotes arguments as a shell would take them.
func commandLine(args []string) string {
	var b strings.Builder
	for _, a := range args {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		if a == "" || strings.ContainsAny(a, " \t\n'\"\\$`*?[](){}<>|&;#~!") {
			a = "'" + strings.ReplaceAll(a, "'", `'\''`) + "'"
		}
		b.WriteString(a)
		if b.Len() > mostCommand {
			break
		}
	}
	return b.String()
}

// mostText is how much of a name or a reason is shown, in bytes.
const mostText = 200

// limited shortens a text to so many bytes by its middle.
func limited(s string, most int) string {
	if len(s) <= most {
		return s
	}
	from, to := most*2/3, len(s)-most/3
	for from > 0 && !utf8.RuneStart(s[from]) {
		from--
	}
	for to < len(s) && !utf8.RuneStart(s[to]) {
		to++
	}
	return s[:from] + " … " + s[to:]
}

// name shows the name of a capture.
func name(path string) string { return limited(report.Printable(path), mostText) }
