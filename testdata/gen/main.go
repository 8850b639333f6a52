// Command gen writes the captures of testdata and the table in its README.
//
// Run it from the root of the repository:
//
//	go run ./testdata/gen
//
// Every capture tells one story (see stories.go) and is made here, byte by
// byte, from documentation addresses (RFC 5737, RFC 3849, RFC 7042) and fixed
// times, so that the same source always writes the same files. bzip2 has no
// encoder in Go's standard library: that file comes from the system's bzip2,
// and stays as committed where the tool is missing.
//
// The generator shares no code with internal/: a mistake in the reader or the
// decoder must not be able to hide behind the same mistake here.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

//go:generate go run . -out ..

func main() {
	out := flag.String("out", "testdata", "directory to write the captures to")
	flag.Parse()
	if err := generate(*out); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

// generate writes all captures and the README into dir. A capture whose
// external tool is missing is left as it is.
func generate(dir string) error {
	for _, s := range stories() {
		c, err := s.build()
		if errors.Is(err, exec.ErrNotFound) {
			fmt.Fprintf(os.Stderr, "gen: %s left as it is: %v\n", s.file, err)
			continue
		}
		if err != nil {
			return fmt.Errorf("make %s: %w", s.file, err)
		}
		if err := os.WriteFile(filepath.Join(dir, s.file), c.data, 0o644); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, "README.md"), readme(), 0o644)
}

const readmeHead = `# Captures for the tests, by story

Every file here is made by the generator in [gen](gen); none was recorded on a network or taken from elsewhere.
All addresses are documentation addresses. Do not edit the files or this page by hand: change ` + "`gen/stories.go`" + `, run
` + "`go run ./testdata/gen`" + ` at the root of the repository, and read the difference. ` + "`go test ./testdata/gen`" + ` makes
everything again in memory and compares byte for byte; where tshark is installed it also compares records, times and
lengths with what tshark reads. (` + "`go test ./...`" + ` does not descend into directories called testdata: name the package.)

*records*: the records that a reader must deliver, before the damage where there is some. "The example's packets"
are those of example.pcap: such a file must give the same CSV as example.pcap.

| file | records | story | origin | command |
|---|---|---|---|---|
`

// readme returns the text of testdata/README.md.
func readme() []byte {
	var b bytes.Buffer
	b.WriteString(readmeHead)
	for _, s := range stories() {
		command := "`go run ./testdata/gen`"
		if s.tool != "" {
			command += ", calls " + s.tool
		}
		fmt.Fprintf(&b, "| %s | %d | %s | generated, Apache-2.0 | %s |\n", s.file, len(s.capture.records), s.text, command)
	}
	return b.Bytes()
}
