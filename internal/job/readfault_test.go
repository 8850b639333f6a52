package job

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"pcapbatch/internal/capturetest"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/durabletest"
)

// unsteady is a file system of which one call that reads fails, as those of a
// network do while a server starts again.
type unsteady struct {
	durable.FS
	at    int64
	calls atomic.Int64
	what  atomic.Value // the call that failed
}

func newUnsteady(at int64) *unsteady { return &unsteady{FS: durabletest.None(), at: at} }

func (u *unsteady) met() bool { return u.calls.Load() > u.at }

func (u *unsteady) step(op, path string) error {
	if u.calls.Add(1)-1 != u.at {
		return nil
	}
	u.what.Store(op + " " + path)
	return &fs.PathError{Op: op, Path: path, Err: syscall.ESTALE}
}

func (u *unsteady) Stat(path string) (fs.FileInfo, error) {
	if err := u.step("stat", path); err != nil {
		return nil, err
	}
	return u.FS.Stat(path)
}

func (u *unsteady) ReadDir(path string) ([]fs.DirEntry, error) {
	if err := u.step("readdirent", path); err != nil {
		return nil, err
	}
	return u.FS.ReadDir(path)
}

func (u *unsteady) Glob(pattern string) ([]string, error) {
	if err := u.step("glob", pattern); err != nil {
		return nil, err
	}
	return u.FS.Glob(pattern)
}

func (u *unsteady) Open(path string) (durable.File, error) {
	if err := u.step("open", path); err != nil {
		return nil, err
	}
	f, err := u.FS.Open(path)
	if err != nil {
		return nil, err
	}
	return unsteadyFile{f, u, path}, nil
}

func (u *unsteady) OpenSource(path string) (durable.Source, error) {
	if err := u.step("open", path); err != nil {
		return nil, err
	}
	f, err := u.FS.OpenSource(path)
	if err != nil {
		return nil, err
	}
	return unsteadySource{f, u, path}, nil
}

type unsteadyFile struct {
	durable.File
	u    *unsteady
	path string
}

func (f unsteadyFile) ReadAt(p []byte, offset int64) (int, error) {
	if err := f.u.step("read", f.path); err != nil {
		return 0, err
	}
	return f.File.ReadAt(p, offset)
}

func (f unsteadyFile) Seek(offset int64, whence int) (int64, error) {
	if err := f.u.step("seek", f.path); err != nil {
		return 0, err
	}
	return f.File.Seek(offset, whence)
}

type unsteadySource struct {
	durable.Source
	u    *unsteady
	path string
}

func (f unsteadySource) Read(p []byte) (int, error) {
	if err := f.u.step("read", f.path); err != nil {
		return 0, err
	}
	return f.Source.Read(p)
}

func (f unsteadySource) ReadAt(p []byte, offset int64) (int, error) {
	if err := f.u.step("read", f.path); err != nil {
		return 0, err
	}
	return f.Source.ReadAt(p, offset)
}

func (f unsteadySource) Seek(offset int64, whence int) (int64, error) {
	if err := f.u.step("seek", f.path); err != nil {
		return 0, err
	}
	return f.Source.Seek(offset, whence)
}

func (f unsteadySource) Stat() (fs.FileInfo, error) {
	if err := f.u.step("stat open", f.path); err != nil {
		return nil, err
	}
	return f.Source.Stat()
}

// seekableZstd packs data in frames of size bytes, with a table of them behind.
func seekableZstd(t testing.TB, data []byte, size int) (file []byte) {
	t.Helper()
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	var table []byte
	frames := 0
	for part := range slices.Chunk(data, size) {
		frame := z.EncodeAll(part, nil)
		file = append(file, frame...)
		table = binary.LittleEndian.AppendUint32(table, uint32(len(frame)))
		table = binary.LittleEndian.AppendUint32(table, uint32(len(part)))
		frames++
	}
	file = binary.LittleEndian.AppendUint32(file, 0x184d2a5e)
	file = binary.LittleEndian.AppendUint32(file, uint32(len(table)+9))
	file = binary.LittleEndian.AppendUint32(append(file, table...), uint32(frames))
	return binary.LittleEndian.AppendUint32(append(file, 0), 0x8f92eab1)
}

// contentOf is what there is below a directory.
func contentOf(t testing.TB, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files[name] = string(load(t, filepath.Join(dir, name)))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// readers are the jobs of a scheduler, and what they make below out. A result
// has rows only of those that write rows.
func readers(t *testing.T) map[string]func(c Config, out string) result {
	dir, paths := series(t, 1500, 3)
	c := testConfig(1)
	current := mapped(t, c, 3, dir)
	parts := reduced(t, c, 3, current)
	list := write(t, filepath.Join(t.TempDir(), "list"), []byte(strings.Join(paths, "\n")+"\n"))
	large := capturetest.Pcap(capturetest.ManySessions(4, 9000)...)
	small, _ := series(t, 400, 20)
	patient := c
	patient.PackTime = time.Hour
	packs := mapped(t, patient, 3, small)
	if n := len(entriesOf(t, packs)); n != 1 {
		t.Fatalf("%d packs", n)
	}
	compressed := t.TempDir()
	for _, name := range []string{"bgzf.pcap.gz", "bzip2.pcap.bz2", "joined-compressed.pcap.gz", "lz4.pcap.lz4", "xz.pcap.xz", "zstd.pcap.zst", "snoop.snoop", "pcapng-two-sections.pcapng"} {
		write(t, filepath.Join(compressed, name), load(t, filepath.Join("../../testdata", name)))
	}
	ranged := func(name string, data []byte) func(c Config, out string) result {
		path := write(t, filepath.Join(t.TempDir(), name), data)
		return func(c Config, out string) result {
			c.Range.From, c.RangeLead = int64(len(data))/2, 300<<10
			return mapTo(t, c, filepath.Join(out, "runs"), 3, path)
		}
	}
	expecting := func(job func(c Config, out string) result) func(c Config, out string) result {
		return func(c Config, out string) (r result) {
			if c.Expect, r.err = ReadExpected(c.FS, list, nil); r.err != nil {
				return r
			}
			return job(c, out)
		}
	}
	return map[string]func(c Config, out string) result{
		"map": func(c Config, out string) result { return mapTo(t, c, filepath.Join(out, "runs"), 3, dir) },
		"map of current run files": func(c Config, out string) result {
			if err := os.CopyFS(filepath.Join(out, "runs"), os.DirFS(current)); err != nil && !errors.Is(err, fs.ErrExist) {
				t.Fatal(err)
			}
			return mapTo(t, c, filepath.Join(out, "runs"), 3, dir)
		},
		"map of compressed": func(c Config, out string) result {
			c.Workers = 2
			return mapTo(t, c, filepath.Join(out, "runs"), 3, compressed)
		},
		"range":           ranged("c.pcap", large),
		"range of BGZF":   ranged("c.gz", bgzf(t, large)),
		"range of zstd":   ranged("c.zst", seekableZstd(t, capturetest.Pcap(capturetest.ManySessions(4, 30_000)...), 64<<10)),
		"merge":           expecting(func(c Config, _ string) result { return merge(t, c, current) }),
		"reduce":          expecting(func(c Config, out string) result { return reduce(t, c, 1, filepath.Join(out, "parts"), current) }),
		"merge of packs":  func(c Config, _ string) result { return merge(t, c, packs) },
		"reduce of packs": func(c Config, out string) result { return reduce(t, c, 1, filepath.Join(out, "parts"), packs) },
		"reduce to a table": func(c Config, out string) result {
			return reducedTable(t, asParquet(c), current, filepath.Join(out, "tables"))
		},
		"merge of all parts": expecting(func(c Config, _ string) result { return joinParts(t, c, parts) }),
	}
}

// Whichever call that reads fails: either nothing is different, or the job ends
// with an error of category Input, for which a scheduler tries again. Never does it
// say that another try would not help. It leaves nothing but whole results, and
// another try is as if nothing had happened.
func TestEveryReadFails(t *testing.T) {
	t.Parallel()
	for name, do := range readers(t) {
		t.Run(name, func(t *testing.T) {
			c := testConfig(1)
			good := t.TempDir()
			first := do(c, good)
			if first.err != nil {
				t.Fatal(first.err)
			}
			want := first.rows
			files := contentOf(t, good)
			met := 0
			for at := int64(0); ; at++ {
				out, u := t.TempDir(), newUnsteady(at)
				c.FS = u
				r := do(c, out)
				if !u.met() {
					break
				}
				met++
				what := fmt.Sprintf("call %d, %v", at, u.what.Load())
				if r.err != nil && (CategoryOf(r.err) != Input || !strings.Contains(fmt.Sprint(r.err, r.notices), syscall.ESTALE.Error())) {
					t.Errorf("%s: category %d, %v, %q", what, CategoryOf(r.err), r.err, r.notices)
				}
				if err := onlyWhole(out); err != nil {
					t.Errorf("%s: %v", what, err)
				}
				if r.err != nil {
					c.FS = durabletest.None()
					r = do(c, out)
				}
				if got := contentOf(t, out); r.err != nil || r.rows != want || !maps.Equal(got, files) {
					t.Errorf("%s, another try: %v, %d bytes of rows, not %d; %d files, not %d", what, r.err, len(r.rows), len(want), len(got), len(files))
				}
			}
			if met < 3 {
				t.Errorf("%d calls failed", met)
			}
		})
	}
}
