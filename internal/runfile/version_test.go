package runfile

import (
	"flag"
	"os"
	"testing"
)

var makeVersion1 = flag.Bool("make-version-1", false, "rewrite testdata/version-1.run; only before version 1 is released")

// A file of version 1 stays readable, whatever comes later.
func TestVersion1(t *testing.T) {
	const path, text = "testdata/version-1.run", "testdata/version-1.txt"
	if *makeVersion1 {
		list := events(11, 900, 9)
		made := writeRun(t, t.TempDir(), "version-1", list, 2)
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
	if run.Version != 1 || run.Capture.Path != "version-1" || string(run.Options) != `{"direction":"bidirectional"}` || len(run.Index) != 2 {
		t.Errorf("%+v", run.Meta)
	}
}
