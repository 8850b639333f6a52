package internal_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// mayImport is the import rule: which packages of this module each package may
// import. ARCHITECTURE.md has the reasons in its package map.
var mayImport = map[string][]string{
	"internal/flow":     {},
	"internal/radix":    {},
	"internal/netsort":  {},
	"internal/heap":     {},
	"internal/inflate":  {},
	"internal/compress": {},
	"internal/linktype": {},
	"internal/race":     {},
	"internal/durable":  {},
	"internal/capture":  {"internal/durable"},
	// Only the command imports this one: others get a durable.FS.
	"internal/objectstore": {"internal/durable"},
	// Only tests import these four.
	"internal/capturetest":      {"internal/race"},
	"internal/objecttest":       {},
	"internal/durabletest":      {"internal/durable"},
	"internal/durable/powercut": {"internal/durable"},
	"internal/reader":           {"internal/inflate", "internal/linktype"},
	"internal/decode":           {"internal/flow", "internal/linktype"},
	"internal/agg":              {"internal/flow", "internal/netsort", "internal/race", "internal/radix"},
	"internal/writer":           {"internal/agg", "internal/flow"},
	"internal/figures":          {"internal/flow", "internal/heap"},
	"internal/report":           {"internal/figures", "internal/linktype"},
	"internal/label":            {"internal/flow"},
	"internal/compare":          {"internal/durable", "internal/heap"},
	"internal/parquet":          {"internal/agg", "internal/durable", "internal/writer"},
	"internal/runfile": {"internal/agg", "internal/capture", "internal/durable", "internal/flow", "internal/heap",
		"internal/radix"},
	"internal/shard": {"internal/agg", "internal/flow", "internal/race"},
	"internal/ingest": {"internal/capture", "internal/decode", "internal/durable", "internal/figures", "internal/flow", "internal/heap",
		"internal/linktype", "internal/race", "internal/reader", "internal/report", "internal/shard"},
	"internal/rows": {"internal/agg", "internal/heap", "internal/race", "internal/runfile"},
	"internal/job": {"internal/agg", "internal/capture", "internal/decode", "internal/durable", "internal/figures", "internal/ingest",
		"internal/label", "internal/parquet", "internal/report", "internal/rows", "internal/runfile", "internal/shard", "internal/writer"},
	"internal/page": {"internal/figures", "internal/linktype", "internal/report"},
	"cmd/batch": {"internal/capture", "internal/compare", "internal/compress", "internal/durable", "internal/ingest", "internal/job", "internal/label", "internal/objectstore", "internal/page", "internal/report",
		"internal/writer"},
	"bench": {"internal/capture", "internal/durable", "internal/inflate", "internal/job"},
}

// onlyIn says which packages alone may import a library, so that what it
// knows stays in one place.
var onlyIn = map[string][]string{
	"github.com/google/gopacket": {"internal/decode"},
	"golang.org/x/sync/":         {"internal/shard", "internal/job", "internal/rows", "internal/ingest", "internal/reader"},
	"github.com/parquet-go/":     {"internal/compare", "internal/parquet"},
	"github.com/spf13/":          {"cmd/batch"},
	"github.com/schollz/":        {"cmd/batch"},
	"github.com/aws/":            {"internal/objectstore"},
	"github.com/johannesboyne/":  {"internal/objecttest"},
	"encoding/csv":               {"internal/capturetest", "internal/compare"},
}

type listed struct {
	ImportPath string
	Imports    []string
}

func TestImportRule(t *testing.T) {
	const module = "pcapbatch/"
	for _, p := range list(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		allowed, ruled := mayImport[name]
		if strings.HasPrefix(name, "internal/") && !ruled {
			t.Errorf("%s is not in the import rule: say there what it may import", name)
		}
		for _, to := range allowed {
			if !slices.Contains(p.Imports, module+to) {
				t.Errorf("%s may import %s, and does not: take it out of the rule", name, to)
			}
		}
		for _, imp := range p.Imports {
			if to, ours := strings.CutPrefix(imp, module); ours && ruled && !slices.Contains(allowed, to) {
				t.Errorf("%s imports %s, which the import rule does not allow", name, to)
			}
			for library, places := range onlyIn {
				if strings.HasPrefix(imp, library) && !slices.Contains(places, name) {
					t.Errorf("%s imports %s; only %v may", name, imp, places)
				}
			}
		}
	}
}

func list(t *testing.T) (packages []listed) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "pcapbatch/...").Output()
	if err != nil {
		t.Skipf("go list: %v", err)
	}
	d := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
	if len(packages) < 8 {
		t.Fatalf("go list found %d packages only", len(packages))
	}
	return packages
}
