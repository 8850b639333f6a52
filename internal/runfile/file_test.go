package runfile

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pcapbatch/internal/capture"
	"pcapbatch/internal/capturetest"
	"pcapbatch/internal/durable"
)

// readAll reads every entry of a run, as a merge does.
func readAll(path string) error {
	r, err := (&Files{FS: durable.OS}).Open(path)
	if err != nil {
		return err
	}
	var inputs []Input
	for p := range r.Index {
		inputs = append(inputs, r.Input(p))
	}
	return merge(context.Background(), inputs, func(*item) error { return nil })
}

func small(t *testing.T) (path string, data []byte) {
	t.Helper()
	path = writeRun(t, t.TempDir(), "a", events(1, 600, 20), 3)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, data
}

// A run that was cut off anywhere is refused, and so is one with any byte
// changed.
func TestDamageIsRefused(t *testing.T) {
	path, data := small(t)
	if err := readAll(path); err != nil {
		t.Fatal(err)
	}
	step := max(1, len(data)/250)
	for n := 0; n < len(data); n += step {
		capturetest.Write(t, path, data[:n])
		if err := readAll(path); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), path) {
			t.Fatalf("cut at %d of %d: %v", n, len(data), err)
		}
	}
	for n := 0; n < len(data); n += step {
		if n >= 8 && n < fileHeader {
			continue // the version has an error of its own, what is behind it no meaning yet
		}
		bad := bytes.Clone(data)
		bad[n] ^= 1 << (n % 8)
		capturetest.Write(t, path, bad)
		if err := readAll(path); !errors.Is(err, ErrDamaged) {
			t.Fatalf("bit flipped at %d of %d: %v", n, len(data), err)
		}
	}
}

func TestVersionsBeyondAreRefused(t *testing.T) {
	path, data := small(t)
	binary.LittleEndian.PutUint32(data[8:], FormatVersion+1)
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := (&Files{FS: durable.OS}).Open(path); err == nil || errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "version 3") {
		t.Error(err)
	}
}

// Blocks that are whole, but not the ones that belong there, are found.
func TestSwappedBlocks(t *testing.T) {
	capturetest.OneGoroutine(t)
	dir := t.TempDir()
	a := writeRun(t, dir, "a", events(1, 60000, 20000), 1)
	b := writeRun(t, dir, "b", events(2, 60000, 20000), 1)
	da, _ := os.ReadFile(a)
	db, _ := os.ReadFile(b)
	second := fileHeader + blockHeader + int(binary.LittleEndian.Uint32(da[fileHeader:]))
	t.Run("in one file", func(t *testing.T) {
		end := second + blockHeader + int(binary.LittleEndian.Uint32(da[second:]))
		mixed := append(bytes.Clone(da[:fileHeader]), da[second:end]...)
		mixed = append(mixed, da[fileHeader:second]...)
		mixed = append(mixed, da[end:]...)
		refused(t, a, mixed)
	})
	t.Run("the sections of another file", func(t *testing.T) {
		run := open(t, b)
		mixed := append(bytes.Clone(db[:fileHeader+run.Index[0].Size]), footerFor(t, da, run.Index[0].Size)...)
		refused(t, a, mixed)
	})
}

// footerFor is the footer of data with the size of its only section changed.
func footerFor(t *testing.T, data []byte, size int64) []byte {
	t.Helper()
	n := binary.LittleEndian.Uint64(data[len(data)-fileTrailer:])
	var m Meta
	if err := json.Unmarshal(data[len(data)-fileTrailer-int(n):len(data)-fileTrailer], &m); err != nil {
		t.Fatal(err)
	}
	index, err := parseIndex(m.Packed)
	if err != nil {
		t.Fatal(err)
	}
	index[0].Size = size
	m.Packed = appendIndex(nil, index)
	changed, err := json.Marshal(&m)
	if err != nil {
		t.Fatal(err)
	}
	sum := crc32.Checksum(changed, castagnoli)
	changed = binary.LittleEndian.AppendUint64(changed, uint64(len(changed)))
	changed = binary.LittleEndian.AppendUint32(changed, sum)
	return append(changed, endMagic...)
}

func refused(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := readAll(path); !errors.Is(err, ErrDamaged) {
		t.Error(err)
	} else {
		t.Log(err)
	}
}

// Writers leave nothing behind under the name asked for, or any other, unless
// they commit.
func TestCommitOrNothing(t *testing.T) {
	dir := t.TempDir()
	w, err := Create(durable.OS, filepath.Join(dir, "x.run"))
	if err != nil {
		t.Fatal(err)
	}
	durable.Sweep(dir, RunSuffix, PartSuffix) // the writer is alive: its file stays
	if names, _ := os.ReadDir(dir); len(names) != 1 || !strings.HasSuffix(names[0].Name(), ".tmp") {
		t.Errorf("while it is written there is %v", names)
	}
	w.Abort()
	if names, _ := os.ReadDir(dir); len(names) != 0 {
		t.Errorf("after Abort there is %v", names)
	}
	if err := os.WriteFile(filepath.Join(dir, ".x.run.ABCDEFGH.tmp"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	durable.Sweep(dir, RunSuffix, PartSuffix)
	if names, _ := os.ReadDir(dir); len(names) != 0 {
		t.Errorf("after Sweep there is %v", names)
	}
}

func TestDetachedRun(t *testing.T) {
	dir := t.TempDir()
	w, err := Create(durable.OS, filepath.Join(dir, "x.run"))
	if err != nil {
		t.Fatal(err)
	}
	table := tableOf(events(1, 600, 20))
	if _, err := w.WriteSessions(context.Background(), []Input{TableInput(table, 2)}, 2, options); err != nil {
		t.Fatal(err)
	}
	r, err := w.Detach(&Meta{Kind: Sessions, Capture: &capture.Identity{}, Report: []byte("{}")})
	if err != nil {
		t.Fatal(err)
	}
	if got := collect(t, [][]Input{{r.Input(0)}, {r.Input(1)}}, 2, 0); got != rowsOf(table) {
		t.Error("a detached run reads differently")
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if names, _ := os.ReadDir(dir); len(names) != 0 {
		t.Errorf("after Close there is %v", names)
	}
}

// faulty is a file system whose writes fail from the n-th on.
type faulty struct {
	durable.FS
	left  int
	err   error // nil: short writes without an error
	calls int
}

type faultyFile struct {
	durable.File
	fs *faulty
}

func (f *faulty) Create(temp, path string) (durable.File, error) {
	return f.make(func() (durable.File, error) { return f.FS.Create(temp, path) })
}

func (f *faulty) Temp(dir string) (durable.File, error) {
	return f.make(func() (durable.File, error) { return f.FS.Temp(dir) })
}

func (f *faulty) make(create func() (durable.File, error)) (durable.File, error) {
	if err := f.step(); err != nil {
		return nil, err
	}
	file, err := create()
	return &faultyFile{file, f}, err
}

func (f *faulty) step() error {
	f.calls++
	if f.left--; f.left >= 0 {
		return nil
	}
	if f.err == nil {
		return io.ErrShortWrite
	}
	return f.err
}

func (f *faultyFile) Write(p []byte) (int, error) {
	if err := f.fs.step(); err != nil {
		n, _ := f.File.Write(p[:len(p)/2])
		return n, f.fs.err
	}
	return f.File.Write(p)
}

func (f *faultyFile) Sync() error {
	if err := f.fs.step(); err != nil {
		return err
	}
	return f.File.Sync()
}

func (f *faulty) Rename(from, to string) error {
	if err := f.step(); err != nil {
		return err
	}
	return f.FS.Rename(from, to)
}
