package runfile

import (
	"os"
	"path/filepath"
	"strings"
)

// A Lock keeps a directory for one process.
type Lock struct{ file *os.File }

// LockDir takes the lock of a directory that exists: an flock on its file
// "lock", which ends with the process. It returns ErrLocked if another process
// has it.
func LockDir(dir string) (*Lock, error) {
	path := filepath.Join(dir, "lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, writeError(path, err)
	}
	if err := lockFile(f); err != nil {
		f.Close()
		return nil, err
	}
	return &Lock{f}, nil
}

// Close lets the lock go. The file stays, or a third process could lock
// another one of the same name.
func (l *Lock) Close() error { return l.file.Close() }

// tempSuffix ends the name of a file that is being written.
const tempSuffix = ".tmp"

// Sweep removes the files in dir that writers which are gone left under a
// temporary name. Those of running writers are locked and stay.
func Sweep(dir string) {
	var names []string
	for _, suffix := range []string{RunSuffix, PartSuffix} {
		found, _ := filepath.Glob(filepath.Join(globEscape(dir), ".*"+suffix+".*"+tempSuffix))
		names = append(names, found...)
	}
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			continue
		}
		if lockFile(f) == nil {
			os.Remove(name)
		}
		f.Close()
	}
}

// globEscape makes a pattern that only path matches.
func globEscape(path string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}
