package runfile

import (
	"flag"
	"fmt"
	"os"
	"testing"
)

var makeVersion2 = flag.Bool("make-version-2", false, "rewrite testdata/version-2.run; only before version 2 is released")

// A file of an earlier version stays readable, whatever comes later.
func TestVersions(t *testing.T) {
	for version := 1; version <= FormatVersion; version++ {
		t.Run(fmt.Sprint(version), func(t *testing.T) { testVersion(t, version) })
	}
}

func testVersion(t *testing.T, version int) {
	name := fmt.Sprintf("version-%d", version)
	path, text := "testdata/"+name+".run", "testdata/"+name+".txt"
	if *makeVersion2 && version == 2 {
		list := events(11, 900, 9)
		made := writeRun(t, t.TempDir(), name, list, 2)
		data, err := os.ReadFile(made)
		if err == nil {
			err = os.WriteFile(path, data, 0o666)
		}
		if err == nil {
			err = os.WriteFile(text, []byte(rowsOf(tableOf(list))), 0o666)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(text)
	if err != nil {
		t.Fatal(err)
	}
	run := open(t, path)
	got := collect(t, [][]Input{{run.Input(0)}, {run.Input(1)}}, 2, 0)
	if got != string(want) {
		t.Error(firstDifference(got, string(want)))
	}
	if run.Version != version || run.Capture.Path != name || string(run.Options) != `{"direction":"bidirectional"}` || len(run.Index) != 2 {
		t.Errorf("%+v", run.Meta)
	}
}
