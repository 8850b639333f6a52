package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"pcapbatch/internal/durable"
)

// manPages writes the manual pages of a program of this name and returns their
// directory.
func manPages(t *testing.T, name string) string {
	t.Helper()
	t.Setenv("SOURCE_DATE_EPOCH", "1000000000")
	dir := filepath.Join(t.TempDir(), "pages")
	var said bytes.Buffer
	if status := runIn(&env{name: name, in: bytes.NewReader(nil), out: &said, err: &said, fs: durable.OS}, []string{"man", dir}); status != 0 || said.Len() > 0 {
		t.Fatalf("status %d: %s", status, said.String())
	}
	return dir
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Every command has a page with its flags, and every page the sections that
// readers look for.
func TestManPages(t *testing.T) {
	dir := manPages(t, "pcapbatch")
	root := newRoot(&env{name: "pcapbatch", fs: durable.OS})
	check := func(page string, cmd *cobra.Command) {
		text := readFile(t, filepath.Join(dir, page))
		for _, section := range []string{"NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "SEE ALSO"} {
			if !strings.Contains(text, ".SH \""+section+"\"\n") {
				t.Errorf("%s: no section %s", page, section)
			}
		}
		if !strings.Contains(text, `"2001-09-09" "pcapbatch `) {
			t.Errorf("%s: another date or program: %s", page, text[:80])
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			if !strings.Contains(text, literal("--"+f.Name)+`\fR`) && !f.Hidden {
				t.Errorf("%s: --%s is missing", page, f.Name)
			}
		})
	}
	check("pcapbatch.1", root)
	for _, cmd := range root.Commands() {
		if !cmd.Hidden && cmd.Name() != "help" {
			check("pcapbatch-"+cmd.Name()+".1", cmd)
		}
	}
	extract := readFile(t, filepath.Join(dir, "pcapbatch-extract.1"))
	for _, want := range []string{
		".SS \"Sessions\"\n", ".TP\n\\fB\\-j\\fR, \\fB\\-\\-workers\\fR \\fIN\\fR\n", "(default the number of CPUs)\n",
		".SH \"EXIT STATUS\"\n.TP\n\\fB0\\fR\nall well\n", "\ntcpdump", "\\fBpcapbatch extract\\fR [\\fIOPTION\\fR ...] \\fICAPTURE\\fR...\n",
	} {
		if !strings.Contains(strings.ReplaceAll(extract, "\n  ", "\n"), want) {
			t.Errorf("pcapbatch-extract.1 has no %q", want)
		}
	}
}

// The pages are the same on a machine with another number of CPUs.
func TestManPagesOfAnotherMachine(t *testing.T) {
	page := func() string { return readFile(t, filepath.Join(manPages(t, "pcapbatch"), "pcapbatch-extract.1")) }
	here := page()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 3))
	if there := page(); here != there {
		t.Error("the page depends on the number of CPUs")
	}
}

// mandoc, where it is installed, has nothing to say about the pages.
func TestManPagesLint(t *testing.T) {
	mandoc, err := exec.LookPath("mandoc")
	if err != nil {
		t.Skip("no mandoc")
	}
	pages, err := filepath.Glob(filepath.Join(manPages(t, "pcapbatch"), "*.1"))
	if err != nil || len(pages) == 0 {
		t.Fatal("no pages", err)
	}
	if out, err := exec.Command(mandoc, append([]string{"-Tlint", "-Wwarning"}, pages...)...).CombinedOutput(); err != nil {
		t.Errorf("%s", out)
	}
}

// What cannot be done is said.
func TestManFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		epoch, dir string
		status     int
	}{{"yesterday", t.TempDir(), 2}, {"1", filepath.Join(file, "pages"), 3}, {"", t.TempDir(), 0}} {
		t.Setenv("SOURCE_DATE_EPOCH", c.epoch)
		var said bytes.Buffer
		if status := runStreams(nil, &said, &said, "man", c.dir); status != c.status || (said.Len() == 0) != (status == 0) {
			t.Errorf("%q %s: status %d: %s", c.epoch, c.dir, status, said.String())
		}
	}
}

// Texts that roff would take for something else.
func TestRoff(t *testing.T) {
	var p roff
	p.heading("SH", `A "B"`)
	p.text(`One
.two 'x' \n --flag-name, (-r) well-known - a

    a-b  c
         d
  ~verbatim'
Last
`)
	want := `.SH "A \(dqB\(dq"
One .two \(aqx\(aq \en \fB\-\-flag\-name\fR, (\fB\-r\fR) well-known \fB\-\fR a
.TP
\fBa\-b\fR
c d ~verbatim\(aq
.PP
Last
`
	want = strings.Replace(want, "d ~", `d \(ti`, 1)
	if got := string(p.page); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	p = roff{}
	p.text(".so x")
	p.verbatim([]string{"  'a", "'b"})
	if got, want := string(p.page), ".PP\n\\&.so x\n.PP\n.nf\n  \\(aqa\n\\(aqb\n.fi\n"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
