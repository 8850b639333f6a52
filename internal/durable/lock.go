package durable

import (
	"errors"
	"os"
	"path/filepath"
)

// A Lock reserves a directory for one process.
type Lock struct{ file *os.File }

// LockDir takes the lock of a directory that exists: an flock on its file
// "lock", which ends with the process. It returns ErrLocked if another process
// has it. On a system without locks it locks nothing.
func LockDir(dir string) (*Lock, error) {
	path := filepath.Join(dir, "lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, WriteFailed(path, err)
	}
	if err := lockFile(f); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		f.Close()
		return nil, err
	}
	return &Lock{f}, nil
}

// Close releases the lock. The file stays: if it were removed, a third process
// could lock another file of the same name.
func (l *Lock) Close() error { return l.file.Close() }
