package capturetest

import (
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Corpus lists captures of every sort. The real ones lie beside the repository,
// of which root is the path, and are no part of it: real says whether they are
// there, else the list is that of testdata. By default it has a third of the
// real ones, and all if Full does so; short tests get a third of either.
func Corpus(t testing.TB, root string) (list []string, real bool) {
	t.Helper()
	list = captures(t, filepath.Join(root, "../shared/captures"))
	if real = len(list) > 0; !real {
		list = captures(t, filepath.Join(root, "testdata"))
	}
	if testing.Short() || real && !Full() {
		list = slices.DeleteFunc(list, func(path string) bool {
			return crc32.ChecksumIEEE([]byte(filepath.Base(path)))%3 > 0
		})
	}
	if len(list) == 0 {
		t.Fatal("no captures")
	}
	return list, real
}

// captures are the files of a directory but those that say what the others are.
func captures(t testing.TB, dir string) (list []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && !strings.HasSuffix(path, ".tsv") && !strings.HasSuffix(path, ".md") {
			list = append(list, path)
		}
	}
	return list
}

// RealCaptures is Corpus for tests that show something of real captures alone:
// without them they are skipped.
func RealCaptures(t testing.TB, root string) []string {
	t.Helper()
	list, real := Corpus(t, root)
	if !real {
		t.Skip("no captures beside the repository")
	}
	return list
}
