package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
)

// summarySchema is docs/summary.schema.json, which is checked to be a schema.
func summarySchema(t *testing.T) *jsonschema.Resolved {
	t.Helper()
	var s jsonschema.Schema
	if err := json.Unmarshal(read(t, "../../docs/summary.schema.json"), &s); err != nil {
		t.Fatal(err)
	}
	checkKeywords(t, &s)
	resolved, err := s.Resolve(nil)
	if err != nil {
		t.Fatal(err)
	}
	return resolved
}

// checkKeywords fails if a schema has a keyword or the name of a type that does
// not exist, which a validator would ignore.
func checkKeywords(t *testing.T, s *jsonschema.Schema) {
	t.Helper()
	for keyword := range s.Extra {
		t.Errorf("%q is no keyword of a schema", keyword)
	}
	for _, name := range append(s.Types, cmp.Or(s.Type, "null")) {
		if !slices.Contains([]string{"array", "boolean", "integer", "null", "number", "object", "string"}, name) {
			t.Errorf("%q is no type", name)
		}
	}
	for _, child := range []*jsonschema.Schema{s.Items, s.AdditionalProperties, s.PropertyNames} {
		if child != nil {
			checkKeywords(t, child)
		}
	}
	for _, children := range []map[string]*jsonschema.Schema{s.Properties, s.Defs} {
		for _, child := range children {
			checkKeywords(t, child)
		}
	}
}

// fits returns why a summary is not what the schema says.
func fits(s *jsonschema.Resolved, summary []byte) error {
	var v any
	if err := json.Unmarshal(summary, &v); err != nil {
		return err
	}
	return s.Validate(v)
}

// The summaries of all kinds of runs are as docs/summary.schema.json says, and
// have no key that it does not have.
func TestSummarySchema(t *testing.T) {
	t.Parallel()
	schema := summarySchema(t)
	dir, _ := series(t, 1500, 3)
	at := t.TempDir()
	rules := write(t, "rules.csv", []byte("src_ip,label\n192.0.2.0/24,inside\n9.9.9.9,never\n"))
	odd := filepath.Join(at, "odd\xff.pcap") // one whose name JSON cannot hold as it is, where the system takes it
	if err := os.WriteFile(odd, read(t, testdata+"/rotated-a-later.pcap")[:100], 0o666); err != nil {
		odd = "missing.pcap"
	}
	for i, args := range []string{
		"extract " + odd, "extract " + testdata, "extract --report AT/r.html " + testdata, "extract " + testdata + "/empty.pcap", "extract missing.pcap",
		"extract --report AT/r.html --labels " + rules + " --key capture " + dir, "extract --interleave " + dir,
		"extract --state AT/state " + dir, "extract --state AT/state --report-data --report AT/r.html " + dir,
		"map --report-data --out AT/runs " + dir, "merge --report AT/r.html AT/runs", "merge AT/runs",
		"extract " + testdata + "/rotated-a-later.pcap " + testdata + "/rotated-b-earlier.pcap " + testdata + "/reordered-times.pcap",
	} {
		summary := filepath.Join(at, fmt.Sprint(i, ".json"))
		fields := strings.Fields(strings.ReplaceAll(args, "AT", at))
		fields = append(fields, "--summary", summary)
		if fields[0] != "map" {
			fields = append(fields, "-o", filepath.Join(at, "o.csv"))
		}
		if r := runWith(nil, fields...); r.code == exitUsage {
			t.Fatalf("%s: %s", args, r.stderr)
		}
		if err := fits(schema, read(t, summary)); err != nil {
			t.Errorf("%s: %v", args, err)
		}
	}
	mustRun(t, "reduce", "--report-data", "--partition", "0", "--out", filepath.Join(at, "parts"), mapped(t, "-P1", dir))
	summary := filepath.Join(at, "parts.json")
	mustRun(t, "merge", "--parts", "-o", filepath.Join(at, "o.csv"), "--summary", summary, "--report", filepath.Join(at, "r.html"), filepath.Join(at, "parts"))
	text := read(t, summary)
	if err := fits(schema, text); err != nil {
		t.Errorf("parts: %v", err)
	}
	// The schema is one that can refuse.
	for old, other := range map[string]string{`"records":`: `"recrods":`, `"workers": `: `"workers": -`, `"sessions": {`: `"sessions": {"later": 1, `} {
		if !bytes.Contains(text, []byte(old)) {
			t.Errorf("no %s", old)
		}
		if err := fits(schema, bytes.Replace(text, []byte(old), []byte(other), 1)); err == nil {
			t.Errorf("%s in place of %s is taken", other, old)
		}
	}
}
