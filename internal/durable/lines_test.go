package durable

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// Of processes that append lines at the same time none removes those of another;
// one that comes when all have ended begins anew.
func TestOpenLines(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there are no locks")
	}
	path := filepath.Join(t.TempDir(), "lines")
	open := func() *os.File {
		f, err := OpenLines(path)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	write := func(f *os.File, line string) {
		if _, err := f.WriteString(line); err != nil {
			t.Fatal(err)
		}
	}
	holds := func(want string) {
		t.Helper()
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Errorf("%q, %v; not %q", got, err, want)
		}
	}
	first := open()
	write(first, "a1\n")
	second := open()
	write(second, "b1\n")
	first.Close()
	third := open() // the second goes on
	write(third, "c1\n")
	write(second, "b2\n")
	holds("a1\nb1\nc1\nb2\n")
	second.Close()
	third.Close()
	last := open()
	defer last.Close()
	write(last, "d\n")
	holds("d\n")
}
