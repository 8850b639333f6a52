package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pcapbatch/internal/capturetest"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/durable/powercut"
)

// A powerCase is a command that writes below DIR. Its old files are there
// before.
type powerCase struct {
	name string
	args []string
	old  []string
}

func powerCases(t *testing.T) []powerCase {
	dir, runs, parts := t.TempDir(), t.TempDir(), t.TempDir()
	for _, name := range []string{"example.pcap", "idle-gaps.pcap"} {
		if err := os.WriteFile(filepath.Join(dir, name), read(t, filepath.Join(testdata, name)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	mustRun(t, "map", "-P2", "--out", runs, dir)
	for p := range 2 {
		mustRun(t, "reduce", "--partition", fmt.Sprint(p), "--out", parts, runs)
	}
	many := t.TempDir()
	smallCaptures(t, many, 40, nil)
	return []powerCase{
		{"extract", []string{"extract", "-o", "DIR/o.csv", "--summary", "DIR/s.json", dir}, nil},
		{"over old ones", []string{"extract", "-o", "DIR/o.csv", "--summary", "DIR/s.json", dir}, []string{"o.csv", "s.json"}},
		{"gzip", []string{"extract", "-o", "DIR/o.csv.gz", "--summary", "DIR/s.json.zst", dir}, []string{"o.csv.gz"}},
		{"zstd", []string{"extract", "-o", "DIR/o.csv.zst", dir}, nil},
		{"profiles", []string{"extract", "-o", "DIR/o.csv", "--cpuprofile", "DIR/cpu", "--memprofile", "DIR/mem", "--trace", "DIR/trace", dir}, []string{"mem"}},
		{"state", []string{"extract", "-o", "DIR/o.csv", "--state", "DIR/a/b/state", dir}, nil},
		{"packs", []string{"extract", "-r", "-o", "DIR/o.csv", "--state", "DIR/state", many}, nil},
		{"map", []string{"map", "--out", "DIR/runs/", "--summary", "DIR/s.json", dir}, nil},
		{"map of many", []string{"map", "-r", "--out", "DIR/runs/", "--summary", "DIR/s.json", many}, nil},
		{"reduce", []string{"reduce", "--partition=1", "--out", "DIR/parts", runs}, nil},
		{"reduce to a table", []string{"reduce", "--partition=1", "--format=parquet", "--report-out", "DIR/report", "--out", "DIR/tables", runs}, nil},
		{"merge", []string{"merge", "-o", "DIR/o.csv", "--summary", "DIR/s.json", runs}, []string{"o.csv"}},
		{"merge of parts", []string{"merge", "--parts", "-o", "DIR/o.csv.gz", parts}, nil},
	}
}

// run runs the command below a directory of its own and returns the disk that it
// ran on, and the directory before and afterwards.
func (c *powerCase) run(t *testing.T, more ...string) (disk *powercut.Disk, before, after map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range c.old {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("old "+name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	before = content(t, dir)
	disk, err := powercut.New(durable.OS, dir)
	if err != nil {
		t.Fatal(err)
	}
	if r := runOn(disk, c.argsIn(dir, more...)...); r.code != exitOK || r.stderr != "" {
		t.Fatalf("code %d, %s", r.code, r.stderr)
	}
	return disk, before, content(t, dir)
}

// argsIn is the command below dir.
func (c *powerCase) argsIn(dir string, more ...string) []string {
	args := append([]string{c.args[0]}, more...)
	for _, a := range c.args[1:] {
		args = append(args, strings.Replace(a, "DIR/", dir+"/", 1))
	}
	return args
}

// content is what there is below a directory, but for the file that is only
// locked.
func content(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || e.Name() == durable.LockName {
			return err
		}
		data, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		files[rel] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// torn returns an error unless every file that a power cut left is the old one
// or the new one, and all that was there before is there.
func torn(left, before, after map[string]string) error {
	for name, text := range left {
		if strings.HasSuffix(name, ".tmp") {
			continue // swept by the next run
		}
		old, was := before[name]
		if text != after[name] && (!was || text != old) {
			return fmt.Errorf("%s has %d bytes of %d", name, len(text), len(after[name]))
		}
	}
	for name := range before {
		if _, ok := left[name]; !ok {
			return fmt.Errorf("%s is gone", name)
		}
	}
	return nil
}

// lost returns an error unless a power cut left all that there is.
func lost(left, after map[string]string) error {
	for name, text := range after {
		if got, ok := left[name]; !ok || got != text {
			return fmt.Errorf("%s has %d bytes of %d", name, len(got), len(text))
		}
	}
	return nil
}

// Whenever the power is cut, each output is whole or as it was; once the command
// has ended, all of them are there. So it is with everything that is written.
func TestPowerCut(t *testing.T) {
	for _, c := range powerCases(t) {
		t.Run(c.name, func(t *testing.T) {
			disk, before, after := c.run(t)
			moments := disk.Moments()
			for n := range moments + 1 {
				for _, kind := range []powercut.Kind{powercut.Lazy, powercut.Eager} {
					if err := torn(disk.After(n, kind), before, after); err != nil {
						t.Errorf("power cut after %d of %d calls, eager %v: %v", n, moments, kind, err)
					}
				}
			}
			for _, kind := range []powercut.Kind{powercut.Lazy, powercut.Eager} {
				if err := lost(disk.After(moments, kind), after); err != nil {
					t.Errorf("power cut at the end, eager %v: %v", kind, err)
				}
			}
			if len(after) == 0 || moments == 0 {
				t.Error("nothing was written")
			}
		})
	}
}

// Whenever the power is cut or the process is killed, the same command, run again
// on what is left, makes what an undisturbed one makes, byte for byte, and nothing
// else stays.
func TestAgainAfterPowerCut(t *testing.T) {
	t.Parallel()
	for _, c := range powerCases(t) {
		if slices.Contains(c.args, "--cpuprofile") {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			disk, _, after := c.run(t)
			after = packsAsRows(t, after)
			moments := disk.Moments()
			step := capturetest.Usually(1+moments/12, 1)
			for n := 0; n <= moments; n += step {
				kind := powercut.Kind(n%2 == 0)
				dir := t.TempDir()
				for name, text := range disk.After(n, kind) {
					path := filepath.Join(dir, name)
					if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
						t.Fatal(err)
					}
					mustWrite(t, path, text)
				}
				if r := runWith(nil, c.argsIn(dir)...); r.code != exitOK || r.stderr != "" && !strings.Contains(r.stderr, "batch: not reading ") {
					t.Errorf("after %d of %d calls, eager %v: exit status %d, %s", n, moments, kind, r.code, r.stderr)
				}
				if err := sameFiles(packsAsRows(t, content(t, dir)), after); err != nil {
					t.Errorf("after %d of %d calls, eager %v: %v", n, moments, kind, err)
				}
			}
		})
	}
}

// packsAsRows returns files with the rows of all packs in their place: in a pack run
// files are as they came.
func packsAsRows(t *testing.T, files map[string]string) map[string]string {
	t.Helper()
	rest, packs, packed := map[string]string{}, t.TempDir(), false
	for name, text := range files {
		if !strings.HasSuffix(name, ".pack") {
			rest[name] = text
			continue
		}
		packed = true
		mustWrite(t, filepath.Join(packs, filepath.Base(name)), text)
	}
	if packed {
		out := filepath.Join(packs, "o.csv")
		mustRun(t, "merge", "-o", out, packs)
		rest["rows of packs"] = string(read(t, out))
	}
	return rest
}

// sameFiles returns an error unless there are the same files with the same
// content. Summaries tell the time.
func sameFiles(got, want map[string]string) error {
	for name, text := range want {
		if text != got[name] && !strings.HasPrefix(name, "s.json") {
			return fmt.Errorf("%s has %d bytes, or others, not %d", name, len(got[name]), len(text))
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			return fmt.Errorf("%s was left", name)
		}
	}
	return nil
}

// With --no-sync nothing is waited for, so the disk of the test above loses what
// was written: that it can tell is shown by this.
func TestPowerCutWithoutSync(t *testing.T) {
	for _, c := range powerCases(t) {
		t.Run(c.name, func(t *testing.T) {
			disk, _, after := c.run(t, "--no-sync")
			for _, kind := range []powercut.Kind{powercut.Lazy, powercut.Eager} {
				left := disk.After(disk.Moments(), kind)
				for name := range after {
					if left[name] == after[name] {
						t.Errorf("eager %v: %s is on disk", kind, name)
					}
				}
			}
		})
	}
}
