package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"pcapbatch/internal/capturetest"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/job"
	"pcapbatch/internal/objecttest"
)

// objects is the bucket of the tests.
const objects = durable.ObjectScheme + objecttest.Bucket + "/"

// inStore puts captures of testdata into a store, as they are and in a directory
// of the machine. Their names are such as need care in URLs.
func inStore(t *testing.T) (s *objecttest.Store, dir string) {
	t.Helper()
	s, dir = objecttest.New(t), t.TempDir()
	for i, name := range files(t) {
		if i%4 > 0 && name != "example.pcap" {
			continue
		}
		data := read(t, filepath.Join(testdata, name))
		name = "ä b%20+#" + name
		s.Put(t, "in/"+name, data)
		mustWrite(t, filepath.Join(dir, name), string(data))
	}
	return s, dir
}

// without is what a run said, with other names for what is in the store.
func without(text, dir string) string {
	return strings.NewReplacer(objects+"in/", "X/", dir+"/", "X/").Replace(text)
}

// Rows are the same bytes wherever captures and rows are, and so is what is said of
// the captures, also while one in ten requests fails.
func TestObjectsExtract(t *testing.T) {
	s, dir := inStore(t)
	want := runWith(nil, "extract", "-o", filepath.Join(dir, "..", "want.csv"), dir)
	rows := read(t, filepath.Join(dir, "..", "want.csv"))
	for _, percent := range []int{0, 10} {
		s.Fail(objecttest.Some(percent, 6))
		for _, in := range []string{objects + "in", objects + "in/", objects + "i?/ä*", objects + "in/*"} {
			got := runWith(nil, "extract", "--summary", objects+"s.json", "--report", objects+"r.html", "-o", objects+"out/all.csv", in)
			made, _ := s.Get(t, "out/all.csv")
			if got.code != want.code || without(got.stderr, dir) != without(want.stderr, dir) || !bytes.Equal(made, rows) {
				t.Fatalf("%s, %d %%: status %d and not %d, %d bytes of %d\n%s", in, percent, got.code, want.code, len(made), len(rows), got.stderr)
			}
			summary, _ := s.Get(t, "s.json")
			if !json.Valid(summary) || !bytes.Contains(summary, []byte(objects+"in/ä b%20+#example.pcap")) {
				t.Errorf("summary: %.200s", summary)
			}
			if page, _ := s.Get(t, "r.html"); !bytes.Contains(page, []byte("</html>")) {
				t.Errorf("report: %.200s", page)
			}
		}
	}
	for _, name := range []string{"all.csv.gz", "all.parquet"} {
		local := filepath.Join(t.TempDir(), name)
		runWith(nil, "extract", "-o", local, dir)
		r := runWith(nil, "extract", "-o", objects+name, objects+"in")
		if got, _ := s.Get(t, name); !bytes.Equal(got, read(t, local)) {
			t.Errorf("%s: %d bytes, status %d, %s", name, len(got), r.code, r.stderr)
		}
	}
	if left := s.Unfinished(); len(left) > 0 {
		t.Errorf("left are %q", left)
	}
}

// Run files, parts, outcomes and lists may be in the store, and the table is the
// same as that of one run.
func TestObjectsMapReduceMerge(t *testing.T) {
	s, dir := inStore(t)
	rows := filepath.Join(t.TempDir(), "want.csv")
	runWith(nil, "extract", "-o", rows, dir)
	want := string(read(t, rows))
	s.Fail(objecttest.Some(10, 7))
	runs, parts := objects+"work/runs", objects+"work/parts/"
	first := runWith(nil, "map", "-P", "3", "--out", runs, "--outcomes", objects+"work/made.json", objects+"in/")
	if first.code != exitDamaged {
		t.Fatalf("map: status %d, %s", first.code, first.stderr)
	}
	again := runWith(nil, "map", "-v", "-P", "3", "--out", runs, "--outcomes", objects+"work/kept.json", objects+"in/")
	if again.code != exitDamaged || !strings.Contains(again.stderr, "run files in "+runs+" are current") {
		t.Errorf("map again: status %d, %s", again.code, again.stderr)
	}
	made, _ := s.Get(t, "work/made.json")
	kept, _ := s.Get(t, "work/kept.json")
	if lines := bytes.Count(made, []byte("\n")); lines == 0 || lines != bytes.Count(kept, []byte("\n")) || bytes.Contains(kept, []byte(`"made"`)) {
		t.Errorf("outcomes:\n%s\n%s", made, kept)
	}
	for i := range 3 {
		r := runWith(nil, "reduce", "--partition", string('0'+rune(i)), "--out", parts, "--expect", objects+"work/made.json", runs)
		if r.code != exitOK {
			t.Fatalf("reduce: status %d, %s", r.code, r.stderr)
		}
	}
	for name, args := range map[string][]string{
		"run files": {"--expect", objects + "work/kept.json", runs}, "a pattern": {objects + "work/ru*/*.run"},
		"parts": {"--parts", parts}, "a directory of parts": {"--parts", objects + "work/par[t]s"},
	} {
		r := runWith(nil, append([]string{"merge", "-o", objects + "merged.csv"}, args...)...)
		if got, _ := s.Get(t, "merged.csv"); string(got) != want {
			t.Errorf("merge of %s: status %d, line %d is another\n%s", name, r.code, differentLine(string(got), want), r.stderr)
		}
	}
	v := runWith(nil, "verify", "-r", objects+"work")
	if v.code != exitDamaged || !strings.Contains(v.stdout, "run file") || !strings.Contains(v.stdout, "part") {
		t.Errorf("verify: status %d\n%s%s", v.code, v.stdout, v.stderr)
	}
	local, there := runWith(nil, "inspect", dir), runWith(nil, "inspect", objects+"in")
	if without(there.stdout, dir) != without(local.stdout, dir) || there.code != local.code {
		t.Errorf("inspect: line %d is another", differentLine(without(local.stdout, dir), without(there.stdout, dir)))
	}
	for _, key := range s.Keys(t) {
		if data, _ := s.Get(t, key); bytes.Contains(data, []byte(objecttest.KeyID)) || bytes.Contains(data, []byte(objecttest.Secret)) {
			t.Errorf("a secret is in %s", key)
		}
	}
}

// A capture whose object is another one than before is read again, and no other.
func TestObjectsCurrent(t *testing.T) {
	s := objecttest.New(t)
	a, b := read(t, filepath.Join(testdata, "example.pcap")), read(t, filepath.Join(testdata, "tcp-states.pcap"))
	s.Put(t, "a", a)
	s.Put(t, "b", a)
	args := []string{"map", "--out", objects + "runs", "--outcomes", "-", objects + "a", objects + "b"}
	statuses := func() (list []string) {
		for line := range strings.Lines(runWith(nil, args...).stdout) {
			var o job.Outcome
			if err := json.Unmarshal([]byte(line), &o); err != nil {
				t.Fatal(err)
			}
			list = append(list, string(o.Status)+" "+strings.TrimPrefix(o.Name, objects))
		}
		slices.Sort(list)
		return list
	}
	if got := statuses(); !slices.Equal(got, []string{"made a", "made b"}) {
		t.Errorf("first: %q", got)
	}
	s.Put(t, "b", b)
	if got := statuses(); !slices.Equal(got, []string{"kept a", "made b"}) {
		t.Errorf("after b has changed: %q", got)
	}
	if r := runWith(nil, "merge", objects+"runs"); r.code != exitOK {
		t.Errorf("merge: %s", r.stderr)
	}
	s.Put(t, "b", a)
	statuses()
	if r := runWith(nil, "merge", objects+"runs"); r.code != exitKept || !strings.Contains(r.stderr, "hold the same capture") {
		t.Errorf("the same capture twice: status %d, %s", r.code, r.stderr)
	}
}

// What is wrong with one object is one line that names it, and the others are
// read.
func TestObjectsFailures(t *testing.T) {
	s := objecttest.New(t)
	example := read(t, filepath.Join(testdata, "example.pcap"))
	s.Put(t, "in/a", example)
	s.Put(t, "in/b", example[:len(example)-100])
	good := mustRun(t, "extract", objects+"in/a")
	deny := func(key string, fault objecttest.Fault) func(*http.Request) objecttest.Fault {
		return func(r *http.Request) objecttest.Fault {
			if strings.HasSuffix(r.URL.Path, key) || strings.Contains(r.URL.RawQuery, "prefix="+key) {
				return fault
			}
			return objecttest.None
		}
	}
	for _, c := range []struct {
		name  string
		fault func(*http.Request) objecttest.Fault
		args  []string
		code  int
		said  string // the only line of standard error
		rows  bool   // those of in/a are written
	}{
		{"denied", deny("/in/b", objecttest.Denied), []string{"extract", objects + "in"}, exitInput, objects + "in/b: access denied", true},
		{"missing", nil, []string{"extract", objects + "in/a", objects + "none"}, exitInput, objects + "none: there is no such object", true},
		{"no bucket", nil, []string{"extract", objects + "in/a", "s3://nowhere/x"}, exitInput, "s3://nowhere/x: there is no such bucket", true},
		{"no match", nil, []string{"extract", objects + "in/a", objects + "x*"}, exitInput, objects + "x*: no file matches", true},
		{"nothing there", nil, []string{"extract", objects + "none/"}, exitInput, objects + "none/: there are no objects", false},
		{"refused", func(*http.Request) objecttest.Fault { return objecttest.Refused }, []string{"extract", objects + "in/a"}, exitInput, objects + "in/a: the object store refuses the credentials: InvalidAccessKeyId", false},
		{"output denied", deny("/out", objecttest.Denied), []string{"extract", "-o", objects + "out", objects + "in/a"}, exitOutput, objects + "out: access denied", false},
		{"output in no bucket", nil, []string{"extract", "-o", "s3://nowhere/out", objects + "in/a"}, exitOutput, "s3://nowhere/out: there is no such bucket", false},
		{"output without a name", nil, []string{"extract", "-o", objects, objects + "in/a"}, exitOutput, "names a directory", false},
		{"output that is read", nil, []string{"extract", "-o", objects + "in/a", objects + "in/a"}, exitUsage, "--output would replace " + objects + "in/a", false},
		{"state", nil, []string{"extract", "--state", objects + "state", objects + "in/a"}, exitUsage, "--state " + objects + "state: must be", false},
		{"temporary files", nil, []string{"extract", "--temp-dir", objects + "tmp", objects + "in/a"}, exitUsage, "--temp-dir " + objects + "tmp: must be", false},
		{"list", nil, []string{"extract", "--files-from", objects + "none"}, exitInput, objects + "none: there is no such object", false},
		{"run files", nil, []string{"merge", objects + "none/"}, exitInput, objects + "none/", false},
		{"not a run file", nil, []string{"merge", objects + "in/a"}, exitKept, objects + "in/a: damaged run file: at offset 0: not a run file", false},
		{"run file denied", deny("/in/a", objecttest.Denied), []string{"merge", objects + "in/a"}, exitInput, objects + "in/a: access denied", false},
		{"map denied", deny("/in/b", objecttest.Denied), []string{"map", "--out", t.TempDir(), objects + "in"}, exitInput, objects + "in/b: access denied", false},
	} {
		s.Fail(c.fault)
		r := runWith(nil, c.args...)
		lines := strings.Split(strings.TrimSpace(r.stderr), "\n")
		if r.code != c.code || !strings.Contains(lines[0], c.said) || len(lines) > 2 || c.rows != (r.stdout == good) {
			t.Errorf("%s: status %d, %d bytes of rows, said %q", c.name, r.code, len(r.stdout), lines)
		}
		if strings.Contains(r.stderr, objecttest.Secret) || strings.Contains(r.stderr, objecttest.KeyID) {
			t.Errorf("%s: a secret is in %q", c.name, r.stderr)
		}
	}
	s.Fail(nil)
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
		t.Setenv(name, "")
	}
	local := filepath.Join(testdata, "example.pcap")
	if r := runWith(nil, "extract", objects+"in/a", local); r.code != exitInput || r.stdout != good || !strings.Contains(r.stderr, objects+"in/a: no credentials were found") {
		t.Errorf("without credentials: status %d, %s", r.code, r.stderr)
	}
}

// An object that changes while it is read is a failure that says so, and another
// try is worth while.
func TestObjectsChange(t *testing.T) {
	s := objecttest.New(t)
	data := read(t, filepath.Join(testdata, "example.pcap"))
	s.Put(t, "a", data)
	var gets atomic.Int32
	s.Fail(func(r *http.Request) objecttest.Fault {
		if r.Method == http.MethodGet && r.Header.Get("Range") != "" && gets.Add(1) == 1 {
			s.Put(t, "a", append(slices.Clone(data), data[24:]...))
		}
		return objecttest.None
	})
	r := runWith(nil, "extract", objects+"a")
	if r.code != exitInput || !strings.Contains(r.stderr, objects+"a: the object has changed") {
		t.Errorf("status %d, %s", r.code, r.stderr)
	}
}

// A signal gives up what is being written.
func TestObjectsInterrupted(t *testing.T) {
	s := objecttest.New(t)
	s.Put(t, "a", read(t, filepath.Join(testdata, "example.pcap")))
	var self, _ = os.FindProcess(os.Getpid())
	s.Fail(func(r *http.Request) objecttest.Fault {
		if r.Method == http.MethodGet && r.Header.Get("Range") != "" {
			_ = self.Signal(os.Interrupt)
			<-r.Context().Done()
		}
		return objecttest.None
	})
	r := runWith(nil, "extract", "-o", objects+"out.csv", objects+"a")
	if r.code != 130 || strings.Contains(r.stderr, objects+"a") {
		t.Errorf("status %d, %s", r.code, r.stderr)
	}
	if left, keys := s.Unfinished(), s.Keys(t); len(left) > 0 || len(keys) != 1 {
		t.Errorf("left are %q and %q", left, keys)
	}
}

// Of a run file no more is read than its header, its footer and one section.
func TestObjectsReduceReadsOneSection(t *testing.T) {
	s := objecttest.New(t)
	dir := t.TempDir()
	s.Put(t, "a", capturetest.Pcap(capturetest.ManySessions(1, 60_000)...))
	if r := runWith(nil, "map", "-P", "16", "--out", objects+"runs", objects+"a"); r.code != exitOK {
		t.Fatal(r.stderr)
	}
	var key string
	for _, k := range s.Keys(t) {
		if strings.HasSuffix(k, ".run") {
			key = k
		}
	}
	run, _ := s.Get(t, key)
	s.Requests()
	if r := runWith(nil, "reduce", "--partition", "7", "--out", dir, objects+"runs"); r.code != exitOK {
		t.Fatal(r.stderr)
	}
	sum := 0
	for _, line := range s.Requests() {
		if _, bounds, ok := strings.Cut(line, "bytes="); ok {
			var from, to int
			if n, err := fmt.Sscanf(bounds, "%d-%d", &from, &to); n != 2 {
				t.Fatal(line, err)
			}
			sum += to - from + 1
		}
	}
	if most := 2*64<<10 + len(run)/16*3/2; sum > most || len(run) < 500<<10 {
		t.Errorf("read %d bytes of %d, and at most %d are needed", sum, len(run), most)
	}
}
