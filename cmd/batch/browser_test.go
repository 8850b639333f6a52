package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"html"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"pcapbatch/internal/capturetest"
)

// measure is a script that a browser runs on a copy of a page: it writes what
// it sees into the document, as attributes of an element <measured>. The page
// itself has no script.
const measure = `<script>
const wide = [], thin = [], wrong = [];
for (const e of document.querySelectorAll("main *")) {
	if (e.closest("svg") && e.tagName !== "svg") continue;
	const box = e.getBoundingClientRect();
	if (box.right > innerWidth + 1) wide.push(e.tagName + "." + e.className + " " + Math.round(box.right));
	if (e.childNodes.length && parseFloat(getComputedStyle(e).fontSize) < 11.5) thin.push(e.tagName);
}
const light = c => { const [r, g, b] = c.match(/[\d.]+/g).map(x => { x /= 255; return x <= .03928 ? x / 12.92 : ((x + .055) / 1.055) ** 2.4; }); return .2126 * r + .7152 * g + .0722 * b; };
const back = light(getComputedStyle(document.body).backgroundColor);
for (const e of document.querySelectorAll("body, .note, .state, th, a, .percent, .value")) {
	const front = light(getComputedStyle(e).color);
	const contrast = (Math.max(front, back) + .05) / (Math.min(front, back) + .05);
	if (contrast < 4.5) wrong.push(e.className + " " + contrast.toFixed(1));
}
const m = document.createElement("measured");
m.setAttribute("window", innerWidth);
m.setAttribute("document", document.documentElement.scrollWidth);
m.setAttribute("wide", wide.slice(0, 9).join("; "));
m.setAttribute("thin", thin.slice(0, 9).join("; "));
m.setAttribute("contrast", [...new Set(wrong)].slice(0, 9).join("; "));
m.setAttribute("dark", back < .5);
m.setAttribute("requests", performance.getEntriesByType("resource").length);
document.body.append(m);
</script>`

// A browser is headless Chromium.
type browser struct {
	path  string
	shots string // directory for pictures; "": none are made
}

// chromium returns the browser that the environment names: scripts/report.sh
// does.
func chromium(t *testing.T) *browser {
	t.Helper()
	path := os.Getenv("PCAPBATCH_CHROMIUM")
	if path == "" {
		t.Skip("PCAPBATCH_CHROMIUM names no browser: see scripts/report.sh")
	}
	return &browser{path, os.Getenv("PCAPBATCH_SHOTS")}
}

func (b *browser) run(t *testing.T, args ...string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	args = append([]string{"--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--user-data-dir=" + t.TempDir()}, args...)
	out, err := exec.CommandContext(ctx, b.path, args...).Output()
	if err != nil {
		t.Fatalf("%s: %v", b.path, err)
	}
	return out
}

// A look is a way to look at a page.
type look struct {
	name  string
	width int
	dark  bool
}

// height is that of pictures.
const height = 6000

func (l look) flags() []string {
	flags := []string{fmt.Sprintf("--window-size=%d,%d", max(l.width, leastWindow), height)}
	if l.dark {
		flags = append(flags, "--blink-settings=preferredColorScheme=0")
	}
	return flags
}

// leastWindow is the width below which the browser makes no window.
const leastWindow = 500

// framed returns a document that shows a page as wide as the look is, and whose
// own document becomes that of the page.
func (l look) framed(page string) string {
	return fmt.Sprintf(`<!DOCTYPE html><html style="color-scheme:light dark"><body style="margin:0">
<iframe style="width:%dpx;height:%dpx;border:0" srcdoc="%s"></iframe>
<script>onload = () => { const m = document.querySelector("iframe").contentDocument;
if (m.querySelector("measured")) document.documentElement.replaceWith(document.importNode(m.documentElement, true)); }</script>`,
		l.width, height, html.EscapeString(page))
}

// sees loads a page, of which it also makes a picture where those are asked for,
// and returns its document as the browser has it.
func (b *browser) sees(t *testing.T, l look, path string) []byte {
	t.Helper()
	page := string(read(t, path))
	shown := func(page string) string {
		if l.width < leastWindow {
			page = l.framed(page)
		}
		return (&url.URL{Scheme: "file", Path: write(t, "page.html", []byte(page))}).String()
	}
	if b.shots != "" {
		picture := filepath.Join(b.shots, strings.TrimSuffix(filepath.Base(path), ".html")+"-"+l.name+".png")
		b.run(t, append(l.flags(), "--screenshot="+picture, shown(page))...)
	}
	return b.run(t, append(l.flags(), "--dump-dom", shown(strings.Replace(page, "</body>", measure+"</body>", 1)))...)
}

// A document is what of a page's document is looked at.
type document struct {
	elements map[string]int
	text     strings.Builder
	measured map[string]string
}

func parseDocument(t *testing.T, data []byte) *document {
	t.Helper()
	doc := &document{elements: map[string]int{}, measured: map[string]string{}}
	data = regexp.MustCompile(`(?s)<script>.*?</script>`).ReplaceAll(data, nil) // that of measure
	d := xml.NewDecoder(bytes.NewReader(data))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return doc
		}
		if err != nil {
			t.Fatalf("the document: %v", err)
		}
		switch e := token.(type) {
		case xml.StartElement:
			doc.elements[e.Name.Local]++
			for _, a := range e.Attr {
				if a.Name.Local == "id" {
					doc.elements["#"+a.Value]++
				}
				if e.Name.Local == "measured" {
					doc.measured[a.Name.Local] = a.Value
				}
			}
		case xml.CharData:
			doc.text.Write(e)
		}
	}
}

// check fails unless all is to be seen: no text beyond the window, none too small
// or too pale, nothing loaded, and what should be there.
func (d *document) check(t *testing.T, l look, charts int, texts ...string) {
	t.Helper()
	m := d.measured
	if m["window"] != fmt.Sprint(l.width) || m["document"] != m["window"] || m["wide"] != "" {
		t.Errorf("a window of %s shows a document of %s, which has beyond it: %s", m["window"], m["document"], m["wide"])
	}
	if m["thin"] != "" || m["contrast"] != "" || m["dark"] != fmt.Sprint(l.dark) || m["requests"] != "0" {
		t.Errorf("too small: %q, too pale: %q, dark: %s, requests: %s", m["thin"], m["contrast"], m["dark"], m["requests"])
	}
	for _, id := range []string{"tiles", "damage", "records", "time", "histograms", "traffic", "captures", "about"} {
		if d.elements["#"+id] != 1 {
			t.Errorf("%d sections %s", d.elements["#"+id], id)
		}
	}
	if d.elements["svg"] != charts || d.elements["img"]+d.elements["script"]+d.elements["b-hostile"] > 0 {
		t.Errorf("%d charts, want %d; elements %v", d.elements["svg"], charts, d.elements)
	}
	for _, s := range texts {
		if !strings.Contains(d.text.String(), s) {
			t.Errorf("%q is not to be seen", s)
		}
	}
}

// prints prints a page as a PDF, on US Letter, and returns its path.
func (b *browser) prints(t *testing.T, path string, dark bool) string {
	t.Helper()
	pdf := filepath.Join(t.TempDir(), strings.TrimSuffix(filepath.Base(path), ".html")+".pdf")
	if b.shots != "" {
		pdf = filepath.Join(b.shots, filepath.Base(pdf))
	}
	b.run(t, append(look{width: 1200, dark: dark}.flags(), "--no-pdf-header-footer", "--print-to-pdf="+pdf, (&url.URL{Scheme: "file", Path: path}).String())...)
	return pdf
}

// checkPrinted fails unless a PDF has so many pages, or a few less or more where
// letters have other widths, and none of them is dark, ends with a title or
// begins with the lower end of a chart.
func checkPrinted(t *testing.T, pdf string, pages int) {
	t.Helper()
	got := len(regexp.MustCompile(`/Type\s*/Page\b`).FindAll(read(t, pdf), -1))
	if few := (pages + 2) / 4; got < pages-few || got > pages+few {
		t.Errorf("%d pages, want %d or so", got, pages)
	}
	for _, tool := range []string{"pdftotext", "pdftoppm"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Logf("the pages themselves are not looked at: %v", err)
			return
		}
	}
	text, err := exec.CommandContext(t.Context(), "pdftotext", "-layout", pdf, "-").Output()
	if err != nil {
		t.Fatal(err)
	}
	for i, page := range strings.Split(strings.TrimRight(string(text), "\f"), "\f") {
		lines := strings.Split(strings.TrimSpace(page), "\n")
		if last := strings.TrimSpace(lines[len(lines)-1]); title.MatchString(last) || chartCaption.MatchString(last) {
			t.Errorf("page %d ends with %q", i+1, last)
		}
		if !word.MatchString(lines[0]) {
			t.Errorf("page %d begins with %q", i+1, lines[0])
		}
	}
	dir := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "pdftoppm", "-r", "10", "-gray", pdf, filepath.Join(dir, "page")).CombinedOutput(); err != nil {
		t.Fatalf("pdftoppm: %v: %s", err, out)
	}
	pictures, _ := filepath.Glob(filepath.Join(dir, "*.pgm"))
	if len(pictures) != got {
		t.Errorf("%d pages, and %d pictures", got, len(pictures))
	}
	for _, p := range pictures {
		if picture := read(t, p); picture[len(picture)-1] < 250 { // a corner
			t.Errorf("%s is dark", filepath.Base(p))
		}
	}
}

var (
	title        = regexp.MustCompile(`^(Damage and|Where every|Packets|Bytes|Histograms|Protocols|Ports|Talkers|Pairs|Captures?|About|Notes|Kind)\b`)
	chartCaption = regexp.MustCompile(`^most: |half are|of talkers|all sessions|a session counts for both`)
	word         = regexp.MustCompile(`[A-Za-z]{4}`)
)

// pages makes the pages of four runs in dir: of an empty capture, a small one,
// damaged ones and 10 000. Names of captures in the pages do not depend on where
// the tests run, nor does the number of sheets that they take.
func pages(t *testing.T, dir string) {
	t.Helper()
	captures, err := filepath.Abs(testdata)
	if err == nil {
		err = os.Symlink(captures, filepath.Join(dir, "testdata"))
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	makePage := func(name string, names ...string) {
		args := append([]string{"extract", "-q", "-o", filepath.Join(dir, "o.csv"), "--report", filepath.Join(dir, name+".html"), "-r"}, names...)
		if r := runWith(nil, args...); r.code == exitUsage || r.code == exitOutput {
			t.Fatalf("%s: %s", name, r.stderr)
		}
	}
	makePage("empty", "testdata/empty.pcap")
	makePage("small", "testdata/example.pcap")
	hostile, long := `<b-hostile onload="x">&amp;.pcap`, strings.Repeat("n", 200)+".pcap"
	mustWrite(t, hostile, "no capture")
	mustWrite(t, long, string(capturetest.Pcap()[:20]))
	makePage("damaged", "testdata", hostile, long, "missing.pcap")
	many := "captures"
	if err := os.Mkdir(many, 0o700); err != nil {
		t.Fatal(err)
	}
	for i := range 10000 {
		records := []capturetest.Record{}
		for k := range 1 + i%5 {
			data := capturetest.IP(fmt.Sprintf("10.0.%d.%d", i%3, i%200), fmt.Sprintf("192.168.0.%d", k/2), capturetest.ProtoUDP, capturetest.UDP(uint16(1024+i), 53, i%400))
			records = append(records, capturetest.Record{Time: capturetest.Begin + int64(i)*60e9 + int64(k), Data: data})
		}
		data := capturetest.Pcap(records...)
		if i%500 == 7 {
			data = data[:len(data)-3]
		}
		if i == 99 { // states a wire length of 4 GB
			binary.LittleEndian.PutUint32(data[24+12:], 4_000_000_000)
		}
		if err := os.WriteFile(filepath.Join(many, fmt.Sprintf("site-%02d-sensor-%05d.pcap", i%17, i)), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	makePage("many", many)
	if info, err := os.Stat(filepath.Join(dir, "many.html")); err != nil || info.Size() >= 500_000 {
		t.Errorf("10 000 captures: %v", err)
	}
}

// A browser shows the pages as they are meant: light, dark, on a phone, and on
// paper.
func TestReportInBrowser(t *testing.T) {
	b := chromium(t)
	dir := t.TempDir()
	pages(t, dir)
	for _, p := range []struct {
		name   string
		charts int
		paper  int // pages
		texts  []string
	}{
		{"empty", 0, 1, []string{"every capture was read to its end", "no sessions"}},
		{"small", 8, 3, []string{"192.0.2.10", "ETHERNET (1)", "example.pcap"}},
		{"damaged", 8, 11, []string{`<b-hostile onload="x">&amp;.pcap`, "not readable", "missing.pcap", "gzip-bad-checksum.pcap.gz"}},
		{"many", 8, 12, []string{"10,000", "site-07-sensor-00007.pcap", "1 capture states 4.00 GB: not believed", "others together"}},
	} {
		for _, l := range []look{{"light", 1200, false}, {"dark", 1200, true}, {"phone", 360, false}, {"phone-dark", 390, true}} {
			t.Run(p.name+"/"+l.name, func(t *testing.T) {
				doc := parseDocument(t, b.sees(t, l, filepath.Join(dir, p.name+".html")))
				doc.check(t, l, p.charts, p.texts...)
			})
		}
		t.Run(p.name+"/print", func(t *testing.T) {
			checkPrinted(t, b.prints(t, filepath.Join(dir, p.name+".html"), true), p.paper)
		})
	}
}
