package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

const epoch = "1000000000"

// tree makes a directory of files, in which what archives must not depend on
// is of another kind for each of its variants.
func tree(t *testing.T, variant int) string {
	dir := filepath.Join(t.TempDir(), "name")
	umask := []os.FileMode{0o022, 0o077}[variant]
	files := []string{"b", "a/program", "a-b"}
	if variant == 1 {
		slices.Reverse(files)
	}
	for _, name := range files {
		path := filepath.Join(dir, name)
		perm := os.FileMode(0o666)
		if name == "a/program" {
			perm = 0o777
		}
		at := time.Unix(int64(1000*variant), 0)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777&^umask), os.WriteFile(path, []byte("in "+name), perm),
			os.Chmod(path, perm&^umask), os.Chtimes(path, at, at)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func packed(t *testing.T, ending, from string) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out"+ending)
	if err := run([]string{out, from}, epoch); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The same files give the same bytes, whatever their times and the umask.
func TestSameBytes(t *testing.T) {
	one, other := tree(t, 0), tree(t, 1)
	for _, ending := range []string{".tar.gz", ".zip"} {
		if !bytes.Equal(packed(t, ending, one), packed(t, ending, other)) {
			t.Errorf("%s: other bytes", ending)
		}
	}
	if !bytes.Equal(packed(t, ".gz", filepath.Join(one, "b")), packed(t, ".gz", filepath.Join(other, "b"))) {
		t.Error(".gz: other bytes")
	}
}

// What comes out is what went in.
func TestContents(t *testing.T) {
	z, err := gzip.NewReader(bytes.NewReader(packed(t, ".tar.gz", tree(t, 0))))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil || h.Uid != 0 || h.Gid != 0 || h.ModTime.Unix() != 1e9 {
			t.Errorf("%s: %+v %v", h.Name, h, err)
		}
		got = append(got, h.FileInfo().Mode().String()+" "+h.Name+" "+string(b))
	}
	want := []string{"drwxr-xr-x name/ ", "drwxr-xr-x name/a/ ", "-rwxr-xr-x name/a/program in a/program", "-rw-r--r-- name/a-b in a-b", "-rw-r--r-- name/b in b"}
	if !slices.Equal(got, want) {
		t.Errorf("tar: %q", got)
	}

	b := packed(t, ".zip", tree(t, 0))
	r, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	got = nil
	for _, f := range r.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(in)
		if err != nil || f.Modified.Unix() != 1e9 {
			t.Errorf("%s: %v %v", f.Name, f.Modified, err)
		}
		got = append(got, f.Mode().String()+" "+f.Name+" "+string(b))
	}
	if !slices.Equal(got, want) {
		t.Errorf("zip: %q", got)
	}
}

// Links do not go into archives, and a time has to be given.
func TestRefused(t *testing.T) {
	dir := tree(t, 0)
	out := filepath.Join(t.TempDir(), "out.zip")
	if err := run([]string{out, dir}, ""); err == nil {
		t.Error("no time, no error")
	}
	if err := run([]string{out, filepath.Join(dir, "none")}, epoch); err == nil {
		t.Error("no directory, no error")
	}
	if err := os.Symlink("b", filepath.Join(dir, "link")); err != nil {
		t.Skip(err)
	}
	if err := run([]string{out, dir}, epoch); err == nil {
		t.Error("a link, no error")
	}
}
