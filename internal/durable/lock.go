package durable

import (
	"errors"
	"os"
	"path/filepath"
)

// A Lock reserves a directory for one process.
type Lock struct{ file *os.File }

// LockName is the name of the file that LockDir locks.
const LockName = "lock"

// LockDir takes the lock of a directory that exists: an flock on its file
// LockName, which ends with the process. It returns ErrLocked if another process
// has it, and ErrNotRegular if there is a link, a FIFO or the like under that
// name, which it leaves alone. Where there are no locks it locks nothing.
func LockDir(dir string) (*Lock, error) {
	path := filepath.Join(dir, LockName)
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return nil, notRegular(path)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|noWait|noFollow, 0o666)
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
