package page

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pcapbatch/internal/figures"
	"pcapbatch/internal/flow"
	"pcapbatch/internal/report"
)

// written returns the page of a run, after a check that it is well-formed, asks
// for nothing from elsewhere, and runs no script.
func written(t testing.TB, r *report.Run) string {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, r); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	if !utf8.ValidString(text) {
		t.Error("the page is not UTF-8")
	}
	d := xml.NewDecoder(strings.NewReader(text))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	depth := 0
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch e := token.(type) {
		case xml.StartElement:
			depth++
			checkElement(t, e)
		case xml.EndElement:
			depth--
		}
	}
	if depth != 0 {
		t.Errorf("%d elements are not closed", depth)
	}
	if m := regexp.MustCompile(`url\(|@import|ZgotmplZ|NaN|Inf\b|<nil>|%!`).FindString(text); m != "" {
		t.Errorf("the page has %q", m)
	}
	return text
}

// elements are all that the page may have.
const elements = " html head meta title style body header h1 p nav a main dl div dt dd section h2 table thead tbody tfoot tr th td details summary ul li h3 figure figcaption b span svg path rect "

func checkElement(t testing.TB, e xml.StartElement) {
	t.Helper()
	if !strings.Contains(elements, " "+e.Name.Local+" ") {
		t.Errorf("the page has an element %s", e.Name.Local)
	}
	for _, a := range e.Attr {
		name := strings.ToLower(a.Name.Local)
		if strings.HasPrefix(name, "on") || name == "src" || name == "href" && !strings.HasPrefix(a.Value, "#") {
			t.Errorf("%s has %s=%q", e.Name.Local, name, a.Value)
		}
	}
}

// hostile are texts that captures, and those who name them, may bring.
var hostile = []string{
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `</title><script>`, `</style><b>`, `{{.Title}}`, `<!--`, "]]>", "&lt;&amp;",
	"\x00\x1b[31m\r\n\t", "\xff\xfe", "\u202egnp.exe", "\u2028", "' onload='alert(1)", "javascript:alert(1)", strings.Repeat("<", 5000),
	strings.Repeat("\U0001F600", 3000), strings.Repeat("\x00", 3000),
}

// captured is a capture of a run.
func captured(path string, first int64, wire uint64) report.Capture {
	last := first + 5e9
	n := uint64(3)
	return report.Capture{
		Path: path, Format: "pcap", Records: 10, Packets: 9, Bytes: 1000, WireBytes: wire, CapturedBytes: wire, Sessions: &n, First: &first, Last: &last, Complete: true,
		LinkTypes: report.LinkTypes{{Link: 1, Records: 10}, {Link: 220, Records: 1}},
	}
}

// everywhere is a run with a text in every place that takes one.
func everywhere(s string) *report.Run {
	r := report.New()
	c := captured(s, math.MaxInt64-6e9, 1000)
	c.Warnings = []string{s}
	left := captured(s+"2", math.MinInt64, 1000)
	left.LeftOut = true
	r.Captures = []report.Capture{left, c}
	r.Damage = []report.Damage{{Path: s, Kind: s, Record: 3, Offset: 1, Reason: s}, {Path: s + "3", Kind: report.KindIO, Reason: s}}
	r.Overlaps = []report.Overlap{{Path: s, Earlier: s}}
	r.Reordered, r.Records, r.Packets, r.Sessions = 1, 20, 18, 6
	r.NonIPKinds = map[string]uint64{s: 1}
	r.Undecodable = map[string]uint64{s: 1}
	r.Invocation = report.Invocation{Version: s, Started: s, Arguments: []string{"extract", s}, Flags: map[string]string{s: s}, Output: s}
	return r
}

// Whatever text captures bring, it is text on the page.
func TestHostileText(t *testing.T) {
	for _, s := range hostile {
		text := written(t, everywhere(s))
		if strings.ContainsAny(text, "\x00\x1b\u202e\u2028") {
			t.Errorf("%.20q: the page has characters that cannot be seen", s)
		}
		if n := strings.Count(text, "<title>"); n != 1 {
			t.Errorf("%.20q: %d titles", s, n)
		}
	}
}

// A run without anything, and one of captures without packets, have a page.
func TestEmpty(t *testing.T) {
	r := report.New()
	text := written(t, r)
	for _, want := range []string{"There was no capture.", "There was no record.", "no sessions"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q", want)
		}
	}
	r.Figures = &figures.Figures{Packets: &figures.Packets{}, Sessions: figures.Begin(&figures.Plan{})}
	r.Captures = []report.Capture{{Path: "a", Complete: true}}
	if text := written(t, r); !strings.Contains(text, "every capture was read to its end") {
		t.Error("an empty capture is no damage")
	}
}

// figured is a run with figures of random packets and sessions.
func figured(r *rand.Rand, sessions int) *report.Run {
	run := report.New()
	p := &figures.Packets{}
	plan := &figures.Plan{Sessions: uint64(sessions), Bytes: uint64(sessions) * 500}
	s := figures.Begin(plan)
	for range sessions {
		k := flow.Key{Version: 4, Protocol: []byte{6, 17, 1}[r.IntN(3)], DstPort: uint16(r.IntN(99))}
		k.Src[3], k.Dst[2], k.Dst[3] = byte(r.IntN(4)), byte(r.IntN(256)), byte(r.IntN(256))
		n := 1 + r.Uint64N(50)
		bytes := n * (40 + r.Uint64N(1400))
		at := int64(1.7e18) + r.Int64N(1e12)
		s.Add(&figures.Session{Key: &k, First: at, Packets: n, Bytes: bytes, Duration: r.Uint64() >> (20 + r.IntN(44))})
		s.GapsNear(r.Uint64()>>(20+r.IntN(44)), n-1)
		var events []flow.Event
		for range n {
			events = append(events, flow.Event{Time: at + r.Int64N(1e9), WireBytes: uint32(bytes / n), PayloadBytes: uint32(bytes/n) / 2})
		}
		p.Add(events)
		run.Records, run.Packets, run.Sessions = run.Records+n, run.Packets+n, run.Sessions+1
	}
	s.Trim(20)
	run.Figures = &figures.Figures{Packets: p, Sessions: s}
	run.Captures = []report.Capture{captured("a", 1.7e18, 1000)}
	run.Seconds = 1.5
	return run
}

// The sections stand in their order, with all charts and tables.
func TestSections(t *testing.T) {
	text := written(t, figured(rand.New(rand.NewPCG(1, 1)), 500))
	at := 0
	for _, id := range []string{"tiles", "damage", "records", "time", "histograms", "traffic", "captures", "about"} {
		i := strings.Index(text, `id="`+id+`"`)
		if i < at {
			t.Errorf("section %s is not behind the one before it", id)
		}
		at = i
	}
	if n := strings.Count(text, "<svg "); n != 8 {
		t.Errorf("%d charts, want 2 of time and 6 histograms", n)
	}
	if n := strings.Count(text, `<table class="top">`); n != 4 {
		t.Errorf("%d tables of protocols, ports, talkers and pairs", n)
	}
	if strings.Contains(text, "sample") || strings.Contains(text, "left out:") {
		t.Error("500 sessions are sampled, or something is left out")
	}
	if text := written(t, figured(rand.New(rand.NewPCG(1, 1)), 40000)); !strings.Contains(text, "estimates from a sample") || !strings.Contains(text, "± ") {
		t.Error("40000 sessions are said to be exact")
	}
}

// Figures that were not kept are left out, and the page says why.
func TestLeftOut(t *testing.T) {
	r := figured(rand.New(rand.NewPCG(2, 1)), 50)
	r.Figures.Packets, r.Figures.WithoutPackets = nil, 3
	text := written(t, r)
	if strings.Count(text, "<svg ") != 4 || strings.Count(text, "3 captures were kept without --report-data") != 2 {
		t.Errorf("%d charts", strings.Count(text, "<svg "))
	}
	r.Figures.Sessions = nil
	if text := written(t, r); strings.Contains(text, "<svg ") || !strings.Contains(text, "Parts were made without --report-data") {
		t.Error("figures of sessions")
	}
}

// The worst comes first.
func TestDamageOrder(t *testing.T) {
	r := report.New()
	good, warned, left := captured("good", 1, 10), captured("warned", 1, 10), captured("left", 1, 10)
	warned.Warnings, left.LeftOut = []string{"odd"}, true
	few, many := captured("few", 1, 10), captured("many", 1, 10)
	few.Records, many.Records = 1, 99
	r.Captures = []report.Capture{good, warned, many, few, left}
	r.Damage = []report.Damage{
		{Path: "few", Kind: "truncated", Record: 2, Offset: 9, Reason: "cut"}, {Path: "many", Kind: "truncated", Record: 100, Reason: "cut"},
		{Path: "missing", Kind: report.KindIO, Reason: "no such file"}, {Path: "nothing", Kind: "not a capture", Reason: "what is that"},
	}
	d := damageOf(r)
	var order []string
	for _, x := range d.List {
		order = append(order, x.Name)
	}
	if got := strings.Join(order, " "); got != "missing nothing left few many warned" {
		t.Error(got)
	}
	if c := capturesOf(r); c.Damaged != 5 || c.Named != 7 || len(c.Rows) != 7 {
		t.Errorf("%+v", c)
	}
}

// Eight kinds of records are shown, and the rest is folded into one line.
func TestRecords(t *testing.T) {
	r := report.New()
	r.Packets, r.NonIPKinds = 1000, map[string]uint64{}
	r.Records = r.Packets
	for i := range 11 {
		r.NonIPKinds[fmt.Sprint("kind", i)] = uint64(i + 1)
		r.Records += uint64(i + 1)
	}
	v := recordsOf(r)
	sum := v.Rest.Count
	for _, s := range v.Shown {
		sum += s.Count
	}
	if len(v.Shown) != 8 || len(v.Folded) != 4 || v.Rest.Count != 1+2+3+4 || sum != v.Total || v.Shown[0].Count != 1000 {
		t.Errorf("%+v", v)
	}
}

// A capture that states far more bytes than it kept is marked, and does not lead
// the table.
func TestClaims(t *testing.T) {
	r := report.New()
	liar := captured("liar", 1, 100)
	liar.WireBytes = 1 << 40
	r.Captures = []report.Capture{liar, captured("honest", 1, 5000)}
	v := viewOf(r)
	if rows := v.Captures.Rows; rows[0].Name != "honest" || !rows[1].Claims || rows[1].Bytes != "1.10 TB" {
		t.Errorf("%+v", rows)
	}
	text := written(t, r)
	if !strings.Contains(text, "1 capture states 1.10 TB: not believed") || !strings.Contains(text, "<b>not believed</b>") {
		t.Error("it is not marked")
	}
}

// Ten thousand captures fit into half a megabyte, even if all are damaged and
// their names hostile, and take no second.
func TestManyCaptures(t *testing.T) {
	for _, name := range []string{"site-%05d.pcap", strings.Repeat("\"<", 400) + "%05d", "every one damaged %05d"} {
		r := figured(rand.New(rand.NewPCG(3, 1)), 3000)
		for i := range 10000 {
			c := captured(fmt.Sprintf(name, i), int64(i)*1e9, uint64(i))
			if i%7 == 0 || name != "site-%05d.pcap" {
				r.Damage = append(r.Damage, report.Damage{Path: c.Path, Kind: "truncated", Record: 11, Offset: 90, Reason: "cut short in " + c.Path})
			}
			r.Captures = append(r.Captures, c)
		}
		begin := time.Now()
		text := written(t, r)
		took := time.Since(begin)
		t.Logf("%.20s: %d bytes, %v with checks", name, len(text), took)
		if len(text) >= 500_000 {
			t.Errorf("%.20s: %d bytes", name, len(text))
		}
		if c := capturesOf(r); len(c.Rows)+c.More != c.Named || c.More == 0 || len(c.Rows) < 200 {
			t.Errorf("%.20s: %d rows and %d others of %d", name, len(c.Rows), c.More, c.Named)
		}
	}
}

// A page of a million captures takes little memory besides what is known of them,
// all damaged or all whole.
func TestMemory(t *testing.T) {
	const n = 50_000
	for _, damaged := range []bool{false, true} {
		r := report.New()
		for i := range n {
			c := captured(fmt.Sprintf("site-%05d.pcap", i), int64(i)*1e9, uint64(i))
			if damaged {
				r.Damage = append(r.Damage, report.Damage{Path: c.Path, Kind: "truncated", Record: 11, Offset: 90, Reason: "cut short"})
			}
			r.Captures = append(r.Captures, c)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if err := Write(io.Discard, r); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		each := (after.TotalAlloc - before.TotalAlloc) / n
		t.Logf("damaged %v: %d bytes allocated for a capture", damaged, each)
		if most := map[bool]uint64{false: 64, true: 250}[damaged]; each > most {
			t.Errorf("damaged %v: more than %d bytes", damaged, most)
		}
	}
}

// Numbers and times are short and right.
func TestText(t *testing.T) {
	for want, got := range map[string]string{
		"0 B": bytesText(0), "999 B": bytesText(999), "1.00 kB": bytesText(1000), "12.3 MB": bytesText(12_345_678), "18.4 EB": bytesText(math.MaxUint64),
		"0 ns": nanos(0), "1 µs": nanos(1000), "1.5 ms": nanos(1_500_000), "2 s": nanos(2e9), "3 min 05 s": nanos(185e9), "2 h 00 min": nanos(7200e9),
		"3 d 01 h": nanos(73 * 3600e9), "213,503 days": nanos(math.MaxUint64), "< 0.1 %": percent(1, 10000), "> 99.9 %": percent(9999, 10000),
		"100 %": percent(5, 5), "0 %": percent(0, 0), "33.3 %": percent(1, 3), "1k": tick(1000), "100M": tick(1e8), "1": tick(1),
		"extract 'a b' 'it'\\''s'": commandLine([]string{"extract", "a b", "it's"}), "''": commandLine([]string{""}),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if s := limited(strings.Repeat("é", 500), 100); len(s) > 110 || !utf8.ValidString(s) {
		t.Errorf("%d bytes: %q", len(s), s)
	}
}

func BenchmarkWrite(b *testing.B) {
	r := figured(rand.New(rand.NewPCG(3, 1)), 3000)
	for i := range 10000 {
		r.Captures = append(r.Captures, captured(fmt.Sprintf("site-%05d.pcap", i), int64(i)*1e9, uint64(i)))
	}
	for b.Loop() {
		if err := Write(io.Discard, r); err != nil {
			b.Fatal(err)
		}
	}
}
