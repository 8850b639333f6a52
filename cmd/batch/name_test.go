package main

import (
	"bytes"
	"strings"
	"testing"

	"pcapbatch/internal/durable"
)

// What a program that is called by another name says of itself.
func TestName(t *testing.T) {
	for args, want := range map[string]string{"pcapbatch": "pcapbatch", "/usr/bin/pcapbatch": "pcapbatch", `batch.exe`: "batch"} {
		if got := programName([]string{args}); got != want {
			t.Errorf("%s: %s", args, got)
		}
	}
	said := func(args ...string) string {
		var out bytes.Buffer
		runIn(&env{name: "pcapbatch", in: bytes.NewReader(nil), out: &out, err: &out, fs: durable.OS}, args)
		return out.String()
	}
	for _, args := range [][]string{{"help"}, {"help", "extract"}, {"help", "merge"}, {"merge", "-h"}, {"version"}, {"extract"}, {"extract", "--columns", "none", "x"}, {"nonsense"},
		{"extract", testdata + "/empty.pcap"}, {"inspect", "."}} {
		text := said(args...)
		if !strings.Contains(text, "pcapbatch") {
			t.Errorf("%v: the name is missing: %s", args, text)
		}
		for line := range strings.Lines(text) {
			if rest := strings.ReplaceAll(line, "pcapbatch", ""); strings.Contains(rest, "'batch ") || strings.Contains(rest, "  batch ") || strings.HasPrefix(rest, "batch") {
				t.Errorf("%v: another name: %s", args, line)
			}
		}
	}
}

// The number of changes between two words.
func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"kitten", "sitting", 3}, {"same", "same", 0}, {"flaw", "lawn", 2}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("%q, %q: %d", c.a, c.b, got)
		}
	}
}
