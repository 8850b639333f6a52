package job

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pcapbatch/internal/capture"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/runfile"
)

// outcomesOf makes run files in dir and returns what Map said of each capture.
func outcomesOf(t *testing.T, c Config, dir string, names ...string) (list []Outcome) {
	c.Outcome = func(o *Outcome) error {
		list = append(list, *o)
		return nil
	}
	mapTo(t, c, dir, 4, names...)
	return list
}

func TestExpect(t *testing.T) {
	t.Parallel()
	_, paths := series(t, 400, 3)
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("no capture"), 0o666); err != nil {
		t.Fatal(err)
	}
	paths = append(paths, text)
	c := testConfig(2)
	runs := t.TempDir()
	mapTo(t, c, runs, 4, paths...)
	want := merge(t, c, runs).rows
	partsOf := func(c Config) string {
		dir := t.TempDir()
		for p := range 4 {
			if r := reduce(t, c, p, dir, runs); r.err != nil {
				t.Fatal(r.err)
			}
		}
		return dir
	}
	parts := partsOf(c)

	c.Expect = paths
	sameRows(t, "merge", merge(t, c, runs).rows, want)
	sameRows(t, "parts", joinParts(t, c, parts).rows, want)
	sameRows(t, "reduced", joinParts(t, c, partsOf(c)).rows, want)

	c.Expect = append(slices.Clone(paths), "lost.pcap", "lost.pcap")
	merge(t, c, runs).refuses(t, Kept, "no run file of lost.pcap")
	reduce(t, c, 0, t.TempDir(), runs).refuses(t, Kept, "no run file of lost.pcap")
	joinParts(t, c, parts).refuses(t, Kept, "no run file of lost.pcap")

	c.Expect = paths[1:]
	merge(t, c, runs).refuses(t, Kept, "not on the list: "+paths[0])
	joinParts(t, c, parts).refuses(t, Kept, "not on the list: "+paths[0])

	c.Expect = paths
	if err := os.Remove(filepath.Join(runs, runfile.RunName(paths[2]))); err != nil {
		t.Fatal(err)
	}
	merge(t, c, runs).refuses(t, Kept, "no run file of "+paths[2])
}

// A list is the same however its lines end, with a byte order mark, and with a
// capture named twice; so is a plan, whose units can be read then.
func TestExpectLists(t *testing.T) {
	t.Parallel()
	_, paths := series(t, 400, 3)
	c := testConfig(1)
	runs := mapped(t, c, 2, paths...)
	want := merge(t, c, runs).clean(t)
	unit, err := json.Marshal(&Unit{Captures: paths})
	if err != nil {
		t.Fatal(err)
	}
	twice := append(slices.Clone(paths), paths[1])
	for _, list := range []string{
		strings.Join(twice, "\n"),
		strings.Join(twice, "\r\n") + "\r\n",
		capture.ByteOrderMark + strings.Join(twice, "\r\n\r\n"),
		strings.Join(twice, "\x00") + "\x00",
		string(unit) + "\r\n" + string(unit),
		capture.ByteOrderMark + string(unit),
	} {
		path := write(t, filepath.Join(t.TempDir(), "list"), []byte(list))
		if c.Expect, err = ReadExpected(durable.OS, path, nil); err != nil {
			t.Fatal(err)
		}
		sameRows(t, fmt.Sprintf("%.60q", list), merge(t, c, runs).clean(t), want)
		if u, err := ReadUnit(durable.OS, path, 0); strings.Contains(list, "{") && (err != nil || !slices.Equal(u.Captures, paths)) {
			t.Errorf("unit of %.60q: %v", list, err)
		}
	}
	for _, list := range []string{"", "\n\r\n", capture.ByteOrderMark, "\x00\x00"} {
		if _, err := ReadExpected(durable.OS, capture.StdinName, strings.NewReader(list)); CategoryOf(err) != Usage {
			t.Errorf("%q: %v", list, err)
		}
	}
	if c.Expect, err = ReadExpected(durable.OS, capture.StdinName, strings.NewReader(string(unit)[:len(unit)-3])); err != nil {
		t.Fatal(err)
	}
	merge(t, c, runs).refuses(t, Kept, "no run file of {") // half a plan, of a task that was killed
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	dir, paths := series(t, 400, 2)
	text, cut, lost := filepath.Join(dir, "text\xff"), filepath.Join(dir, "cut\xfe.pcap"), filepath.Join(dir, "lost.pcap")
	whole := load(t, paths[0])
	for path, data := range map[string][]byte{text: []byte("no capture"), cut: whole[:len(whole)-1]} {
		if err := os.WriteFile(path, data, 0o666); err != nil {
			t.Skip(err) // a system whose names are UTF-8
		}
	}
	runs := t.TempDir()
	list := outcomesOf(t, testConfig(2), runs, paths[0], paths[1], text, cut, lost)
	var lines strings.Builder
	got := map[string]Outcome{}
	for _, o := range list {
		line, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		lines.Write(append(line, '\n'))
		got[o.Name] = o
	}
	for path, want := range map[string]Status{paths[0]: Made, paths[1]: Made, text: NotACapture, cut: Broken, lost: Missing} {
		o := got[path]
		if o.Status != want {
			t.Errorf("%s: %q, not %q", path, o.Status, want)
		}
		if made := o.RunFile != ""; made != (want != Missing) || made && o.RunFile != filepath.Join(runs, runfile.RunName(path)) {
			t.Errorf("%s: run file %q", path, o.RunFile)
		}
		if read := want == Made || want == Broken; read != (o.Packets > 0 && o.Sessions > 0 && o.Bytes > 0 && o.Seconds > 0) {
			t.Errorf("%s: %+v", path, o)
		}
		if (o.Damage != nil) != (want != Made) {
			t.Errorf("%s: damage %v", path, o.Damage)
		}
	}
	for _, text := range []string{lines.String(), strings.ReplaceAll(lines.String(), "\n", "\x00")} {
		names, err := ReadExpected(durable.OS, capture.StdinName, strings.NewReader(text))
		if err != nil || len(names) != len(list) {
			t.Fatalf("%q, %v", names, err)
		}
		c := testConfig(1)
		c.Expect = names
		merge(t, c, runs).refuses(t, Kept, "no run file of "+lost)
		c.Expect = slices.DeleteFunc(names, func(name string) bool { return name == lost })
		if r := merge(t, c, runs); r.err != nil {
			t.Error(r.err)
		}
		parts := t.TempDir()
		for p := range 4 {
			if r := reduce(t, c, p, parts, runs); r.err != nil {
				t.Error(r.err)
			}
		}
		if r := joinParts(t, c, parts); r.err != nil {
			t.Error(r.err)
		}
	}
	if names, err := ReadExpected(durable.OS, capture.StdinName, strings.NewReader("{a}.pcap\n{\"name\":1}\n")); err != nil || names[0] != "{a}.pcap" || names[1] != `{"name":1}` {
		t.Errorf("%q, %v", names, err)
	}
	if _, err := ReadExpected(durable.OS, capture.StdinName, strings.NewReader("\n")); CategoryOf(err) != Usage {
		t.Errorf("an empty list: %v", err)
	}
}
