package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"pcapbatch/internal/durable"
)

// TestParkedFiles reads many files by turns with few of them open.
func TestParkedFiles(t *testing.T) {
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(5, 6))
	files := openFiles{limit: 3}
	var list []*parkedFile
	content, got := make([][]byte, 10), make([][]byte, 10)
	for i := range content {
		for range rng.IntN(3000) {
			content[i] = append(content[i], byte(rng.Uint32()))
		}
		path := filepath.Join(dir, fmt.Sprint(i))
		if err := os.WriteFile(path, content[i], 0o600); err != nil {
			t.Fatal(err)
		}
		list = append(list, &parkedFile{fs: durable.OS, path: path, files: &files})
	}
	for ended := 0; ended < len(list); {
		i := rng.IntN(len(list))
		buf := make([]byte, 1+rng.IntN(100))
		before := list[i].ended
		n, err := list[i].Read(buf)
		got[i] = append(got[i], buf[:n]...)
		if err != nil && err != io.EOF {
			t.Fatal(err)
		}
		if err == io.EOF && !before {
			ended++
		}
		if files.open.Len() > 3 {
			t.Fatalf("%d files open", files.open.Len())
		}
	}
	for i := range content {
		if !bytes.Equal(got[i], content[i]) {
			t.Errorf("file %d: %d bytes read, not those %d that are in it", i, len(got[i]), len(content[i]))
		}
	}
	if files.open.Len() > 0 {
		t.Errorf("%d files are still open", files.open.Len())
	}
}

// TestParkedFileReplaced: a file that gives way to another while it is parked
// must not be read on in the middle of the other.
func TestParkedFileReplaced(t *testing.T) {
	path, other := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
	for _, name := range []string{path, other} {
		if err := os.WriteFile(name, make([]byte, 100), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files := openFiles{limit: 1}
	a, b := &parkedFile{fs: durable.OS, path: path, files: &files}, &parkedFile{fs: durable.OS, path: other, files: &files}
	buf := make([]byte, 10)
	for _, f := range []*parkedFile{a, b} { // b makes a give way
		if _, err := f.Read(buf); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Rename(other, path); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Read(buf); !errors.Is(err, errReplaced) {
		t.Errorf("replaced: %v", err)
	}
	b.Close()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Read(buf); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("removed: %v", err)
	}
	if files.open.Len() > 0 {
		t.Errorf("%d files are still open", files.open.Len())
	}
}

// A huge record leaves no huge buffer behind in a block of merged records.
func TestMergedBlock(t *testing.T) {
	var b Block
	b.empty()
	b.Data = append(b.Data, make([]byte, 3<<20)...)
	if b.empty(); cap(b.Data) > 1<<20 || len(b.Records) > 0 {
		t.Errorf("a buffer of %d bytes is kept", cap(b.Data))
	}
}
