package job

import (
	"bytes"
	"cmp"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pcapbatch/internal/capturetest"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/durable/powercut"
	"pcapbatch/internal/report"
	"pcapbatch/internal/runfile"
)

// smallPacks makes packs small, and none because of the time that it takes.
func smallPacks(c Config) Config {
	c.PackBytes, c.PackTime = 64<<10, time.Hour
	return c
}

// packsIn are the names of the packs in a directory.
func packsIn(t testing.TB, dir string) []string {
	return slices.DeleteFunc(entriesOf(t, dir), func(name string) bool { return !strings.HasSuffix(name, runfile.PackSuffix) })
}

// wholePack returns an error unless a pack and all that is in it is whole.
func wholePack(path string) error {
	p, err := (&runfile.Files{FS: durable.OS}).OpenPack(path)
	var x runfile.PackReader
	defer x.Close()
	for i := 0; err == nil && i < p.Len(); i++ {
		_, err = x.Open(p, i)
	}
	return err
}

// change gives captures another first packet.
func change(t testing.TB, seed uint64, paths ...string) {
	t.Helper()
	for i, path := range paths {
		write(t, path, capturetest.Pcap(capturetest.ManySessions(seed, 40)[:i+3]...))
	}
}

// supersededPacks returns a directory of captures, and a state directory that has
// packs of them of which most is superseded.
func supersededPacks(t testing.TB) (dir, state string) {
	dir, paths := series(t, 240, 40)
	state = t.TempDir()
	c := smallPacks(testConfig(1))
	resume(t, c, state, dir)
	change(t, 11, paths[:25]...)
	if r := resume(t, c, state, dir); r.err != nil || len(r.notes) != 25 {
		t.Fatal(r.err, r.notes)
	}
	return dir, state
}

// damagedOf are the files that Verify calls damaged.
func damagedOf(t testing.TB, dir string) (list []string) {
	t.Helper()
	err := Verify(t.Context(), New(), []string{dir}, false, func(v *report.Verification) error {
		if v.Damage != nil {
			list = append(list, v.Path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// Small run files are in packs, a large one is a file of its own, and all that
// can be done with them gives the rows of one run.
func TestPackSameBytes(t *testing.T) {
	t.Parallel()
	dir, _ := series(t, 600, 100)
	big := write(t, filepath.Join(dir, "big.pcap"), capturetest.Pcap(capturetest.ManySessions(5, 9000)...))
	want := extract(t, testConfig(1), dir)
	for _, workers := range []int{1, 3} {
		c, state := smallPacks(testConfig(workers)), t.TempDir()
		first := resume(t, c, state, dir)
		sameRows(t, fmt.Sprint("workers: ", workers), first.clean(t), want.clean(t))
		if g, w := jsonOf(t, first.report), jsonOf(t, want.report); g != w {
			t.Errorf("report\n%s\nwithout a state directory\n%s", g, w)
		}
		again := resume(t, c, state, dir)
		if again.read > 0 {
			t.Errorf("%d captures were read again", again.read)
		}
		sameRows(t, "the next run", again.clean(t), want.rows)
		if g, w := jsonOf(t, again.report), jsonOf(t, want.report); g != w {
			t.Errorf("report of the next run\n%s\nwithout a state directory\n%s", g, w)
		}
		own := runTimes(t, state)
		if n := len(packsIn(t, state)); n < 2 || n > 10 || len(own) > leastPack || own[runfile.RunName(big)] == 0 {
			t.Errorf("%d packs, own %v", n, own)
		}
		sameRows(t, "merge", merge(t, c, state).clean(t), want.rows)
		sameRows(t, "parts", joinParts(t, c, reduced(t, c, DefaultPartitions, state)).clean(t), want.rows)
		if d := damagedOf(t, state); len(d) > 0 {
			t.Errorf("damaged: %q", d)
		}
	}
}

// What waits longer than PackTime for others is not lost with the process.
func TestPackTime(t *testing.T) {
	t.Parallel()
	dir, _ := series(t, 200, 40)
	c, state := testConfig(1), t.TempDir()
	c.PackTime = time.Nanosecond
	want := extract(t, testConfig(1), dir).clean(t)
	for range 2 {
		sameRows(t, "cut by time", resume(t, c, state, dir).clean(t), want)
	}
	sameRows(t, "merge", merge(t, c, state).clean(t), want)
}

// Run files that were there before there were packs stay what they are.
func TestPackBesideFiles(t *testing.T) {
	t.Parallel()
	dir, paths := series(t, 240, 40)
	c, state := smallPacks(testConfig(1)), t.TempDir()
	resume(t, c, state, paths[:5]...).clean(t)
	before := runTimes(t, state)
	want := extract(t, c, dir).clean(t)
	sameRows(t, "with packs", resume(t, c, state, dir).clean(t), want)
	after := runTimes(t, state)
	if len(before) != 5 || len(packsIn(t, state)) == 0 {
		t.Fatalf("%d run files, packs %q", len(before), packsIn(t, state))
	}
	for name, made := range before {
		if after[name] != made {
			t.Errorf("%s was made again", name)
		}
	}
	change(t, 3, paths[0], paths[20])
	if r := resume(t, c, state, dir); r.err != nil || len(r.notes) != 2 {
		t.Errorf("%v, %q", r.err, r.notes)
	}
	want = extract(t, c, dir).clean(t)
	sameRows(t, "after a change", resume(t, c, state, dir).clean(t), want)
	sameRows(t, "merge after a change", merge(t, c, state).clean(t), want)
}

// Damage in an entry of a pack is of one capture: it alone is read again.
func TestPackDamagedEntry(t *testing.T) {
	t.Parallel()
	dir, _ := series(t, 240, 40)
	c, state := smallPacks(testConfig(1)), t.TempDir()
	want := resume(t, c, state, dir).clean(t)
	path := filepath.Join(state, packsIn(t, state)[0])
	data := load(t, path)
	for _, at := range []int{16, 100, 1000, 5000} {
		spoilt := bytes.Clone(data)
		spoilt[at] ^= 32
		write(t, path, spoilt)
		bad := damagedOf(t, state)
		if len(bad) != 1 || filepath.Dir(bad[0]) != path {
			t.Errorf("byte %d: damaged %q", at, bad)
		}
		merge(t, c, state).refuses(t, Kept, bad[0]+": damaged run file: at offset ")
		copied := t.TempDir()
		if err := os.CopyFS(copied, os.DirFS(state)); err != nil {
			t.Fatal(err)
		}
		r := resume(t, c, copied, dir)
		if r.err != nil || len(r.notes) != 1 || !strings.Contains(r.notes[0], "what was kept of it cannot be used, reading it again: ") {
			t.Errorf("byte %d: %v, %q", at, r.err, r.notes)
		}
		sameRows(t, "read again", r.rows, want)
		sameRows(t, "the next run", resume(t, c, copied, dir).clean(t), want)
		sameRows(t, "merge", merge(t, c, copied).clean(t), want)
		if d := damagedOf(t, copied); len(d) > 0 {
			t.Errorf("byte %d: still damaged: %q", at, d)
		}
	}
}

// A pack that is damaged as a whole is named, and its captures are read again.
func TestPackDamagedIndex(t *testing.T) {
	t.Parallel()
	dir, _ := series(t, 240, 40)
	c, state := smallPacks(testConfig(1)), t.TempDir()
	want := resume(t, c, state, dir).clean(t)
	path := filepath.Join(state, packsIn(t, state)[0])
	data := load(t, path)
	for name, spoilt := range map[string][]byte{
		"index": append(bytes.Clone(data[:len(data)-20]), append([]byte{data[len(data)-20] ^ 1}, data[len(data)-19:]...)...),
		"magic": append([]byte("x"), data[1:]...), "cut": data[:len(data)-30], "half": data[:len(data)/2], "empty": nil,
	} {
		write(t, path, spoilt)
		if bad := damagedOf(t, state); !slices.Equal(bad, []string{path}) {
			t.Errorf("%s: damaged %q", name, bad)
		}
		merge(t, c, state).refuses(t, Kept, path+": damaged run file: at offset ")
		r := resume(t, c, state, dir)
		if r.err != nil || len(r.notes) != 1 || !strings.HasPrefix(r.notes[0], path+": ") {
			t.Errorf("%s: %v, %q", name, r.err, r.notes)
		}
		sameRows(t, name, r.rows, want)
		sameRows(t, "after "+name, resume(t, c, state, dir).clean(t), want)
		if _, err := os.Stat(path); err == nil {
			t.Errorf("%s: it is still there", name)
		}
	}
}

// However often captures change, what is superseded is removed.
func TestPackSuperseded(t *testing.T) {
	t.Parallel()
	dir, paths := series(t, 240, 40)
	c, state := smallPacks(testConfig(1)), t.TempDir()
	size := func() (n int) {
		for _, name := range entriesOf(t, state) {
			n += len(load(t, filepath.Join(state, name)))
		}
		return n
	}
	resume(t, c, state, dir).clean(t)
	once := size()
	for i := range uint64(8) {
		change(t, 20+i, paths[i:25+i]...)
		if r := resume(t, c, state, dir); r.err != nil || len(r.notes) != 25 {
			t.Fatal(r.err, r.notes)
		}
		want := extract(t, c, dir).clean(t)
		sameRows(t, "merge", merge(t, c, state).clean(t), want)
		sameRows(t, "the next run", resume(t, c, state, dir).clean(t), want)
		sameRows(t, "merge after it", merge(t, c, state).clean(t), want)
		if n := size(); n > 3*once {
			t.Errorf("after %d changes %d bytes, at first %d", i+1, n, once)
		}
		if d := damagedOf(t, state); len(d) > 0 {
			t.Errorf("damaged: %q", d)
		}
	}
}

// What is under the name of a pack and none of ours is refused, at once.
func TestPackHostile(t *testing.T) {
	t.Parallel()
	dir, _ := series(t, 240, 40)
	c := smallPacks(testConfig(1))
	want := extract(t, c, dir).clean(t)
	cases := map[string]struct {
		make func(path string) error
		says string
		kept bool // it is one that the program may remove
	}{
		"FIFO":      {func(path string) error { return capturetest.MakeFIFO(path) }, "not a regular file", false},
		"directory": {func(path string) error { return os.Mkdir(path, 0o700) }, "not a regular file", false},
		"later": {func(path string) error {
			return os.WriteFile(path, append([]byte("pcapbpak\x63\x00\x00\x00"), make([]byte, 100)...), 0o600)
		}, "made by a later version", false},
		"sparse": {func(path string) error {
			return cmp.Or(os.WriteFile(path, []byte("pcapbpak\x01"), 0o600), os.Truncate(path, 20<<30))
		}, "a pack of 21474836480 bytes", true},
		"forged": {func(path string) error {
			return os.WriteFile(path, slices.Concat([]byte("pcapbpak\x01\x00\x00\x00\x00\x00\x00\x00"), []byte("\xff\xff\xff\xff\x00\x00\x00\x00\x00pcbend\n")), 0o600)
		}, "cut short", true},
	}
	for name, x := range cases {
		state := t.TempDir()
		path := filepath.Join(state, packName(7, ""))
		if err := x.make(path); err != nil {
			t.Log(name, err) // the system has none, or its file system no holes
			continue
		}
		merge(t, c, state).refuses(t, Kept, x.says)
		r := resume(t, c, state, dir)
		if !x.kept {
			r.refuses(t, Kept, x.says)
			continue
		}
		if r.err != nil || len(r.notes) != 1 || r.rows != want {
			t.Errorf("%s: %v, %q", name, r.err, r.notes)
		}
		sameRows(t, name, resume(t, c, state, dir).clean(t), want)
	}
}

// Whenever the power is cut while packs are written, or written anew, what is on
// disk gives the right rows.
func TestPackPowerCut(t *testing.T) {
	t.Parallel()
	dir, old := supersededPacks(t)
	want := extract(t, testConfig(1), dir).clean(t)
	for name, before := range map[string]string{"new": t.TempDir(), "superseded": old} {
		state := t.TempDir()
		if err := os.CopyFS(state, os.DirFS(before)); err != nil {
			t.Fatal(err)
		}
		disk, err := powercut.New(durable.OS, state)
		if err != nil {
			t.Fatal(err)
		}
		c := smallPacks(testConfig(1))
		c.FS = disk
		sameRows(t, name, resume(t, c, state, dir).clean(t), want)
		step := capturetest.Usually(3, 1)
		if testing.Short() {
			step = 10
		}
		for n := disk.Moments(); n >= 0; n -= step { // the last one must be tried: nothing may be read again
			for _, kind := range []powercut.Kind{powercut.Lazy, powercut.Eager} {
				left := t.TempDir()
				if err := fill(left, disk.After(n, kind)); err != nil {
					t.Fatal(err)
				}
				for _, pack := range packsIn(t, left) {
					if err := wholePack(filepath.Join(left, pack)); err != nil {
						t.Errorf("%s, cut after %d calls, eager %v: %v", name, n, kind, err)
					}
				}
				r := resume(t, smallPacks(testConfig(1)), left, dir)
				sameRows(t, fmt.Sprintf("%s, cut after %d of %d calls, eager %v", name, n, disk.Moments(), kind), r.clean(t), want)
				if r.read > 0 && (n == disk.Moments() || name == "superseded") {
					t.Errorf("%s, cut after %d of %d calls, eager %v: %d captures were read again", name, n, disk.Moments(), kind, r.read)
				}
				sameRows(t, "merge", merge(t, testConfig(1), left).clean(t), want)
			}
		}
	}
}

// fill makes files in a directory.
func fill(dir string, files map[string]string) error {
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), fs.FileMode(0o600)); err != nil {
			return err
		}
	}
	return nil
}
