package runfile

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"pcapbatch/internal/capturetest"
	"pcapbatch/internal/durable"
)

// packOf makes a pack of run files, and returns its path.
func packOf(t *testing.T, files ...[]byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "00000000"+PackSuffix)
	w, err := (&Files{FS: durable.OS}).CreatePack(durable.OS, path)
	for i, data := range files {
		if err == nil {
			err = w.Add(ID{byte(i)}, data)
		}
	}
	if err == nil {
		err = w.Commit()
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// readPack opens all that is in a pack.
func readPack(path string) (list [][]byte, err error) {
	p, err := (&Files{FS: durable.OS}).OpenPack(path)
	if err != nil {
		return nil, err
	}
	var x PackReader
	defer x.Close()
	for i := range p.Len() {
		r, err := x.Open(p, i)
		if err == nil {
			err = r.Verify()
		}
		if err != nil {
			return nil, err
		}
		data, _ := x.read(p, i)
		list = append(list, bytes.Clone(data))
	}
	return list, nil
}

// An entry of a pack is the bytes of a run file, and whatever bit of a pack is
// another, and wherever it is cut, is found.
func TestPackEveryBit(t *testing.T) {
	capturetest.OneGoroutine(t)
	dir := t.TempDir()
	var files [][]byte
	for i, name := range []string{"a", "b"} {
		data, err := os.ReadFile(writeRun(t, dir, name, events(uint64(i+1), 60, 20), 3))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, data)
	}
	path := packOf(t, files...)
	got, err := readPack(path)
	if err != nil || len(got) != 2 || !bytes.Equal(got[0], files[0]) || !bytes.Equal(got[1], files[1]) {
		t.Fatal(len(got), err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, n int, data []byte) {
		capturetest.Write(t, path, data)
		// The name of an entry is not part of it, but of the index.
		if _, err := readPack(path); err == nil {
			t.Errorf("%s %d is not found", what, n)
		}
	}
	for bit := 0; bit < 8*len(data); bit += 7 {
		spoilt := bytes.Clone(data)
		spoilt[bit/8] ^= 1 << (bit % 8)
		check("bit", bit, spoilt)
	}
	for n := 0; n < len(data); n += 5 {
		check("cut at", n, data[:n])
	}
	check("longer", 1, append(bytes.Clone(data), 0))
}
