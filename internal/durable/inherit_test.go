//go:build unix

package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func replaced(t *testing.T, fsys FS, path string) *syscall.Stat_t {
	t.Helper()
	if err := Replace(fsys, path, []byte("new")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t)
}

// A file that is replaced keeps its mode, but for the bits that lend rights to
// whoever runs it. A new one has what the system gives to new files.
func TestReplacedKeepsItsMode(t *testing.T) {
	for _, mode := range []fs.FileMode{0o600, 0o640, 0o444, 0o666, 0o755, 0o604} {
		path := filepath.Join(t.TempDir(), "o.csv")
		fresh := replaced(t, OS, path)
		if err := os.Chmod(path, mode|fs.ModeSetuid); err != nil {
			t.Fatal(err)
		}
		if got := replaced(t, OS, path); fs.FileMode(got.Mode)&0o7777 != mode {
			t.Errorf("mode %o, want %o", got.Mode&0o7777, mode)
		} else if got.Ino == fresh.Ino {
			t.Error("it is the same file")
		}
	}
}

// While it is written nobody else may read it: the old one may be a secret.
func TestPendingIsPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "o.csv")
	if err := os.WriteFile(path, nil, 0o640); err != nil {
		t.Fatal(err)
	}
	p, err := CreatePending(OS, path)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Abort()
	if info, err := os.Stat(p.temp); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestReplacedKeepsItsOwner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "o.csv")
	replaced(t, OS, path)
	if err := os.Chown(path, 12345, 23456); err != nil {
		t.Skip("only root may give files away:", err)
	}
	if got := replaced(t, OS, path); got.Uid != 12345 || got.Gid != 23456 {
		t.Errorf("owner %d, group %d", got.Uid, got.Gid)
	}
}

// groupless is a file system on which owner and group cannot be set.
type groupless struct{ FS }

func (g groupless) Create(temp, path string) (File, error) {
	f, err := g.FS.Create(temp, path)
	return grouplessFile{f}, err
}

type grouplessFile struct{ File }

func (grouplessFile) Chown(int, int) error { return errors.New("not permitted") }

// Rights of a group that could not be kept are not lent to another.
func TestReplacedOfAnotherGroup(t *testing.T) {
	path := filepath.Join(t.TempDir(), "o.csv")
	for mode, want := range map[fs.FileMode]fs.FileMode{0o660: 0o600, 0o664: 0o644, 0o644: 0o644} {
		replaced(t, OS, path)
		if err := os.Chown(path, -1, 23456); err != nil {
			t.Skip("only root may give files to any group:", err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if got := replaced(t, groupless{OS}, path); fs.FileMode(got.Mode)&0o777 != want {
			t.Errorf("mode %o of %o, want %o", got.Mode&0o777, mode, want)
		}
	}
}
