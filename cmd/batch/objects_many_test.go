package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pcapbatch/internal/objecttest"
)

// Of many small objects in a store that takes its time for each request, several
// are asked for side by side, each is read once, and the rows and what is said are
// the same. Requests that were alone are counted, as times depend on the machine.
func TestObjectsManySmall(t *testing.T) {
	const many, most = 150, 64 + 16 // of captures, and of requests side by side
	s := objecttest.New(t)
	dir := t.TempDir()
	example := read(t, filepath.Join(testdata, "example.pcap"))
	var names []string
	for i := range many {
		name, data := fmt.Sprintf("%03d.pcap", i), example
		if i%50 == 7 {
			data = example[:len(example)-100]
		}
		s.Put(t, "in/"+name, data)
		mustWrite(t, filepath.Join(dir, name), string(data))
		names = append(names, objects+"in/"+name)
	}
	names = append(names, objects+"in/none", objects+"in/") // missing, and named twice
	s.Put(t, "list", []byte(strings.Join(names, "\n")))
	table := filepath.Join(t.TempDir(), "rows.csv")
	local := runWith(nil, "extract", "-o", table, dir, filepath.Join(dir, "none"))
	rows := string(read(t, table))
	for _, c := range []struct {
		name string
		args []string
		code int
		out  string // key of the table
		all  int    // how many requests there may be
	}{
		{"extract", []string{"extract", "-o", objects + "out", objects + "in/"}, exitDamaged, "out", 160},
		{"a list", []string{"extract", "-o", objects + "out", "--files-from", objects + "list"}, exitInput, "out", 320},
		{"little memory", []string{"extract", "-j", "2", "--memory", "64M", "-o", objects + "out", "--files-from", objects + "list"}, exitInput, "out", 320},
		{"inspect", []string{"inspect", objects + "in/"}, exitDamaged, "", 160},
		{"map", []string{"map", "--out", objects + "runs", objects + "in/"}, exitDamaged, "", 470},
		{"map again", []string{"map", "--out", objects + "runs", objects + "in/"}, exitDamaged, "", 310},
		{"reduce", []string{"reduce", "--allow-duplicates", "--partition", "3", "--out", objects + "parts", objects + "runs"}, exitOK, "", 165},
		{"merge", []string{"merge", "--allow-duplicates", "-o", objects + "out", objects + "runs"}, exitDamaged, "out", 165},
	} {
		s.Delay(20 * time.Millisecond)
		r := runWith(nil, c.args...)
		l := s.Load()
		if r.code != c.code {
			t.Fatalf("%s: status %d, %s", c.name, r.code, r.stderr)
		}
		if c.code == exitInput && without(r.stderr, dir) != strings.Replace(without(local.stderr, dir), "no such file or directory", "there is no such object, nor any whose key begins with that and a slash", 1) {
			t.Errorf("%s: said\n%sand not\n%s", c.name, r.stderr, local.stderr)
		}
		if got, _ := s.Get(t, "out"); c.out != "" && string(got) != rows {
			t.Errorf("%s: %d bytes of %d", c.name, len(got), len(rows))
		}
		if l.Lone > many/2 || l.Most > most || l.All > c.all {
			t.Errorf("%s: requests came as %+v", c.name, l)
		}
	}
}
