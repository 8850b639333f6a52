package capture

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// A capture is the same under every name it has.
func TestSameFile(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	if err := errors.Join(os.MkdirAll("a/b", 0o777), os.WriteFile("a/b/c", nil, 0o666), os.WriteFile("c", []byte("other"), 0o666)); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{"deep": "a/b", "file": "a/b/c", "a/up": "..", "loop": "loop"} {
		if err := os.Symlink(to, link); err != nil {
			t.Skip(err)
		}
	}
	f := finder{real: map[string]string{}}
	want := filepath.Join(dir, "a/b/c")
	for _, path := range []string{"a/b/c", "./a//b/c", "deep/c", "deep/../b/c", "file", "a/up/a/b/c", want, dir + "/deep/c", "a/b/../b/c"} {
		for range 2 {
			if got := f.identity(path); got != want {
				t.Errorf("%s is %s", path, got)
			}
		}
	}
	for path, want := range map[string]string{"c": "c", "a/up/c": "c", "deep/none": "deep/none", "loop": "loop"} {
		if got := f.identity(path); got != filepath.Join(dir, want) {
			t.Errorf("%s is %s", path, got)
		}
	}
}
