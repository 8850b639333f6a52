//go:build unix

package durable

import (
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// renamesOpenFiles says that an open file can be renamed.
const renamesOpenFiles = true

// Flags for opening what others may have put into the place of a file: do not
// wait for the other end of a FIFO, and do not follow a link.
const (
	noWait   = syscall.O_NONBLOCK
	noFollow = syscall.O_NOFOLLOW
)

// FileLimit returns how many files the process may have open at once: 512 where
// the system does not tell.
func FileLimit() int {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return usualFileLimit
	}
	return int(min(uint64(l.Cur), 1<<30))
}

// TooManyFiles reports whether a file could not be opened because too many are.
func TooManyFiles(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

// ownerOf returns the owner and the group of a file.
func ownerOf(info fs.FileInfo) (uid, gid int, ok bool) {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, false
	}
	return int(s.Uid), int(s.Gid), true
}

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

// truncates is the flag with which OpenLines removes what is in a file: none, as
// beginShared does it.
const truncates = 0

// beginShared removes what is in an open file, unless another process has opened it
// so and goes on: it has a lock that is shared then, and this process gets one too.
// On a file system without locks nobody is known to go on.
func beginShared(f *os.File) error {
	var err error
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != syscall.EWOULDBLOCK {
		err = f.Truncate(0)
	}
	// Without that lock, or where one of a file that is only written cannot be
	// shared, as on NFS, the one above stays, which tells others as much.
	_ = syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	return err
}

// syncDir makes the directory entry of path durable. A directory that may be
// written to but not read cannot be opened, and so not be synced.
func syncDir(path string) error {
	dir, _ := filepath.Split(path) // not Dir, which takes ".." for what it looks like
	d, err := os.Open(cmp.Or(dir, "."))
	if errors.Is(err, fs.ErrPermission) {
		return nil
	}
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
