//go:build unix

package durable

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// renamesOpenFiles says that an open file can be renamed.
const renamesOpenFiles = true

// lockFile takes the lock of an open file for this process, or returns
// ErrLocked, or errors.ErrUnsupported on a file system without locks. The
// system releases it however the process ends.
func lockFile(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	switch {
	case errors.Is(err, syscall.EWOULDBLOCK):
		return ErrLocked
	case errors.Is(err, syscall.ENOTSUP), errors.Is(err, syscall.ENOSYS), errors.Is(err, syscall.ENOLCK):
		return errors.ErrUnsupported
	}
	return err
}

// syncDir makes the directory entry of path durable.
func syncDir(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	if err = d.Sync(); cannotSync(err) {
		err = nil
	}
	return errors.Join(err, d.Close())
}

// cannotSync reports whether Sync failed because the file system does not
// support it.
func cannotSync(err error) bool {
	return errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP)
}
