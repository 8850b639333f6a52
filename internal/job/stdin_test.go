package job

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"pcapbatch/internal/capture"
	"pcapbatch/internal/capturetest"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/runfile"
)

const url = "s3://bucket/a key%20ü.pcap"

// noReader is a standard input that must not be read.
type noReader struct{ t *testing.T }

func (r noReader) Read([]byte) (int, error) {
	r.t.Error("standard input is read")
	return 0, io.EOF
}

// piped is a Config with a capture on standard input.
func piped(workers int, from io.Reader, tag string) Config {
	c := testConfig(workers)
	c.Stdin, c.StdinPath, c.StdinTag = from, url, tag
	return c
}

func identityIn(t *testing.T, dir, name string) *capture.Identity {
	t.Helper()
	run, err := (&runfile.Files{FS: New().FS}).Open(filepath.Join(dir, runfile.RunName(name)))
	if err != nil {
		t.Fatal(err)
	}
	return run.Capture
}

// A capture on standard input makes the run file that it makes as a file, under
// another name.
func TestMapStdin(t *testing.T) {
	t.Parallel()
	_, paths := series(t, 3000, 1)
	plain := load(t, paths[0])
	for what, data := range map[string][]byte{"plain": plain, "compressed": gzipped(t, plain), "cut": plain[:len(plain)-3], "cut gzip": gzipped(t, plain)[:8000], "text": []byte("no capture"), "empty": nil} {
		path := write(t, filepath.Join(t.TempDir(), "c"), data)
		for _, workers := range []int{1, 3} {
			runs, want := t.TempDir(), t.TempDir()
			r := mapTo(t, piped(workers, iotest.OneByteReader(strings.NewReader(string(data))), ""), runs, 4, capture.StdinName)
			f := mapTo(t, testConfig(workers), want, 4, path)
			if r.err != nil || f.err != nil {
				t.Fatal(what, r.err, f.err)
			}
			replaced := strings.ReplaceAll(jsonOf(t, f.report), path, url)
			if got := jsonOf(t, r.report); got != replaced {
				t.Errorf("%s: report\n%s\nof the file\n%s", what, got, replaced)
			}
			for i, n := range r.notices {
				if n != strings.ReplaceAll(f.notices[i], path, url) {
					t.Errorf("%s: %q, of the file %q", what, n, f.notices[i])
				}
			}
			got, id := identityIn(t, runs, url), identityIn(t, want, path)
			if id.Path, id.ModTime = url, 0; *got != *id {
				t.Errorf("%s: %+v, want %+v", what, *got, *id)
			}
			if len(f.report.Captures) > 0 {
				sameRows(t, what, merge(t, testConfig(1), runs).rows, merge(t, testConfig(1), want).rows)
				merge(t, testConfig(1), runs, want).refuses(t, Kept, "hold the same capture")
			}
		}
	}
}

// What follows damage is read too, so the identity is that of all of it.
func TestMapStdinReadsOn(t *testing.T) {
	t.Parallel()
	records := capturetest.ManySessions(1, 400)
	data := slices.Concat(capturetest.Pcap(records...), make([]byte, 30), []byte("rubbish"), make([]byte, 3<<20))
	path := write(t, filepath.Join(t.TempDir(), "c"), data)
	runs := t.TempDir()
	r := mapTo(t, piped(2, strings.NewReader(string(data)), ""), runs, 4, capture.StdinName)
	if r.err != nil || len(r.report.Damage) != 1 {
		t.Fatal(r.err, r.report.Damage)
	}
	want, err := capture.Identify(durable.OS, path)
	if err != nil {
		t.Fatal(err)
	}
	if got := identityIn(t, runs, url); got.Size != want.Size || got.Digest != want.Digest {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// With a tag that is kept standard input is not read; without one it always is.
func TestMapStdinTag(t *testing.T) {
	t.Parallel()
	_, paths := series(t, 800, 1)
	data := string(load(t, paths[0]))
	runs := t.TempDir()
	var told []Outcome
	run := func(from io.Reader, tag string, change func(*Config)) result {
		told = nil
		c := piped(2, from, tag)
		c.Outcome = func(o *Outcome) error {
			told = append(told, *o)
			return nil
		}
		if change != nil {
			change(&c)
		}
		return mapTo(t, c, runs, 4, capture.StdinName)
	}
	first := run(strings.NewReader(data), "etag 1", nil)
	first.clean(t)
	if id := identityIn(t, runs, url); id.Tag != "etag 1" || !id.Timed {
		t.Errorf("%+v", id)
	}
	was := told[0]
	kept := run(noReader{t}, "etag 1", nil)
	if want := []string{"not reading 1 capture whose run files in " + runs + " are current"}; kept.err != nil || kept.read != 0 || !slices.Equal(kept.notes, want) {
		t.Errorf("%v, %d captures read, notes %q", kept.err, kept.read, kept.notes)
	}
	if jsonOf(t, kept.report) != jsonOf(t, first.report) {
		t.Errorf("report\n%s\nat first\n%s", jsonOf(t, kept.report), jsonOf(t, first.report))
	}
	if len(told) != 1 || told[0].Status != Unchanged || told[0].Sessions != was.Sessions || told[0].Bytes != was.Bytes || told[0].Name != url || told[0].RunFile != was.RunFile {
		t.Errorf("%+v, at first %+v", told, was)
	}
	for _, c := range []struct {
		tag    string
		change func(*Config)
		note   string
	}{
		{"", nil, ""}, // and now there is none with a tag
		{"etag 1", nil, "changed since it was read"},
		{"etag 2", nil, "changed since it was read"},
		{"etag 2", func(c *Config) { c.Again = true }, ""},
		{"etag 2", func(c *Config) { c.Sessions.VLAN = true }, "made with other options"},
	} {
		r := run(strings.NewReader(data), c.tag, c.change)
		if r.err != nil || r.read != 1 || (len(r.notes) > 0) != (c.note != "") || c.note != "" && !strings.Contains(r.notes[0], c.note) {
			t.Errorf("%q: %v, %d captures read, notes %q", c.tag, r.err, r.read, r.notes)
		}
	}

	// A download that broke off is read again.
	cut := data[:len(data)-5]
	for range 2 {
		if r := run(strings.NewReader(cut), "etag 3", nil); r.err != nil || r.read != 1 || len(r.report.Damage) != 1 || told[0].Status != Broken {
			t.Errorf("%v, %d captures read, %+v", r.err, r.read, told)
		}
	}
	if r := run(strings.NewReader(data), "etag 3", nil); r.err != nil || len(r.report.Damage) != 0 || len(r.notes) != 1 || !strings.Contains(r.notes[0], "perhaps on its way here") {
		t.Errorf("%v, notes %q, %+v", r.err, r.notes, r.report.Damage)
	}
}

// What cannot be read makes no run file, and another try may help.
func TestMapStdinFails(t *testing.T) {
	t.Parallel()
	data := capturetest.Pcap(capturetest.ManySessions(1, 400)...)
	broken := errors.New("broken pipe")
	for what, front := range map[string][]byte{"at once": nil, "in a record": data[:len(data)-5], "behind damage": slices.Concat(data, make([]byte, 16), []byte{1, 2, 3}, make([]byte, 2<<20))} {
		runs := t.TempDir()
		c := piped(1, io.MultiReader(strings.NewReader(string(front)), iotest.ErrReader(broken)), "x")
		var told []Outcome
		c.Outcome = func(o *Outcome) error {
			told = append(told, *o)
			return nil
		}
		r := mapTo(t, c, runs, 4, capture.StdinName)
		if len(told) != 1 || told[0].Status != Failed || told[0].Name != url || told[0].Damage == nil {
			t.Errorf("%s: %+v", what, told)
		}
		if CategoryOf(r.err) != Input || len(entriesOf(t, runs)) != 0 {
			t.Errorf("%s: category %d, %v, %q", what, CategoryOf(r.err), r.err, entriesOf(t, runs))
		}
	}
}

// The end of the context ends the wait for a pipe, behind damage too.
func TestMapStdinCancelled(t *testing.T) {
	t.Parallel()
	data := slices.Concat(capturetest.Pcap(capturetest.ManySessions(1, 400)...), make([]byte, 16), []byte{1, 2, 3}, make([]byte, 2<<20))
	for what, front := range map[string][]byte{"at once": nil, "behind damage": data, "no capture": []byte("this is no capture")} {
		read, end := io.Pipe()
		ctx, cancel := context.WithCancelCause(t.Context())
		stop := errors.New("stop")
		go func() {
			end.Write(front)
			time.Sleep(20 * time.Millisecond)
			cancel(stop)
		}()
		runs := t.TempDir()
		if _, err := Map(ctx, piped(1, read, ""), runs, 4, capture.Find(durable.OS, []string{capture.StdinName}, false)); err != stop {
			t.Errorf("%s: %v", what, err)
		}
		if names := entriesOf(t, runs); len(names) != 0 {
			t.Errorf("%s: %q", what, names)
		}
		end.Close()
	}
}

func TestMapStdinRefusals(t *testing.T) {
	t.Parallel()
	_, paths := series(t, 100, 1)
	for _, c := range []struct {
		path, tag string
		names     []string
		want      string
	}{
		{url, "", paths, "name - and no other"},
		{url, "", []string{"-", paths[0]}, "name - and no other"},
		{url, "", []string{"-", paths[0] + ".gone"}, "name - and no other"},
		{"-", "", []string{"-"}, "--name: must"},
		{strings.Repeat("x", maxPath+1), "", []string{"-"}, "--name: must"},
		{url, strings.Repeat("x", maxTag+1), []string{"-"}, "--identity: must"},
		{url, "\xff", []string{"-"}, "--identity: must"},
		{"", "x", []string{"-"}, "needs --name"},
		{"", "", []string{"-"}, "no file that can be read again"},
	} {
		conf := testConfig(1)
		conf.Stdin, conf.StdinPath, conf.StdinTag = strings.NewReader(string(load(t, paths[0]))), c.path, c.tag
		mapTo(t, conf, t.TempDir(), 4, c.names...).refuses(t, Usage, c.want)
	}
}

// The name of a run file depends on a URL alone, and on the absolute path of
// what is none.
func TestRunFileOfURL(t *testing.T) {
	_, paths := series(t, 100, 1)
	data := string(load(t, paths[0]))
	var before []string
	for _, dir := range []string{t.TempDir(), t.TempDir()} {
		t.Chdir(dir)
		mapTo(t, piped(1, strings.NewReader(data), ""), "runs", 4, capture.StdinName).clean(t)
		names := entriesOf(t, "runs")
		if before != nil && !slices.Equal(names, before) {
			t.Errorf("%q, in another directory %q", names, before)
		}
		before = names
		if err := os.WriteFile("c.pcap", []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
		abs, err := filepath.Abs("c.pcap")
		if err != nil || runfile.RunName("c.pcap") != runfile.RunName(abs) {
			t.Error(err, "the run file of a path depends on the working directory")
		}
	}
}
