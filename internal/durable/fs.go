package durable

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// A File is an open file of an FS.
type File interface {
	io.Writer
	io.ReaderAt
	io.Closer
	Sync() error
	Truncate(size int64) error
	Seek(offset int64, whence int) (int64, error)
	Chmod(mode fs.FileMode) error
	Chown(uid, gid int) error
	Name() string
}

// A Source is an open file that is only read. Read goes on where the last one
// ended; any number of goroutines may call ReadAt.
type Source interface {
	io.ReadSeekCloser
	io.ReaderAt
	Stat() (fs.FileInfo, error)
}

// An FS is what the program needs of the file system. Tests replace it by one
// that fails, and the command by one that has objects too (IsObject). Any number
// of goroutines may use it. Its errors are those of package os, except where a
// method names others.
type FS interface {
	// Stat describes what stands under a name, with links followed.
	Stat(path string) (fs.FileInfo, error)
	// ReadDir lists a directory, sorted by name.
	ReadDir(path string) ([]fs.DirEntry, error)
	// Glob returns the names that a pattern matches, as filepath.Glob does.
	Glob(pattern string) ([]string, error)
	// OpenSource opens whatever can be read, a FIFO or a device too.
	OpenSource(path string) (Source, error)
	// Create makes a file that does not exist yet under the name temp and, where
	// the system can, locks it so that Sweep leaves it alone. After ErrLocked the
	// caller tries another name. Once it is complete the file is to be renamed to
	// path, which is what a file system that shows no unfinished files goes by.
	Create(temp, path string) (File, error)
	// Temp makes a file in dir that is removed when it is closed and, where
	// the system can, also when the process is killed.
	Temp(dir string) (File, error)
	// Open opens a regular file to be read. It opens nothing else, and returns
	// ErrNotRegular.
	Open(path string) (File, error)
	// Mkdir makes a directory; the one above it must exist.
	Mkdir(path string) error
	// Rename gives a file another name, in place of a file that has it.
	Rename(from, to string) error
	// SyncDir makes the directory entry of path durable.
	SyncDir(path string) error
	// Remove removes a file.
	Remove(path string) error
}

// OS is the file system of the machine.
var OS FS = osFS{}

type osFS struct{}

func (osFS) Stat(path string) (fs.FileInfo, error)      { return os.Stat(path) }
func (osFS) ReadDir(path string) ([]fs.DirEntry, error) { return os.ReadDir(path) }
func (osFS) Glob(pattern string) ([]string, error)      { return filepath.Glob(pattern) }

func (osFS) OpenSource(path string) (Source, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (osFS) Create(path, _ string) (File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, err
	}
	if err := lockFile(f); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		f.Close()
		os.Remove(path)
		return nil, err
	}
	if _, err := os.Lstat(path); err != nil {
		f.Close()
		return nil, ErrLocked // Sweep removed it before it was locked
	}
	return f, nil
}

func (osFS) Temp(dir string) (File, error) {
	if f, err := namelessFile(dir); err == nil {
		return f, nil
	}
	f, err := os.CreateTemp(dir, "batch-*.tmp")
	if err != nil {
		return nil, err
	}
	if os.Remove(f.Name()) == nil {
		return f, nil
	}
	return &removed{f}, nil // a system that keeps the names of open files
}

func (osFS) Open(path string) (File, error) {
	f, err := OpenRegular(path)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (osFS) Mkdir(path string) error      { return os.Mkdir(path, 0o777) }
func (osFS) Rename(from, to string) error { return os.Rename(from, to) }
func (osFS) SyncDir(path string) error    { return syncDir(path) }
func (osFS) Remove(path string) error     { return os.Remove(path) }

// A removed file is removed when it is closed.
type removed struct{ *os.File }

func (r *removed) Close() error { return errors.Join(r.File.Close(), os.Remove(r.Name())) }

// ErrLocked is the error where another process holds the lock.
var ErrLocked = errors.New("in use by another process")

// A WriteError names a file that could not be written, and the cause.
type WriteError struct {
	Path string
	Err  error
}

func (e *WriteError) Error() string { return fmt.Sprintf("write %s: %v", e.Path, e.Err) }
func (e *WriteError) Unwrap() error { return e.Err }

// WriteFailed returns a WriteError for the file that its user knows as path.
func WriteFailed(path string, err error) error { return &WriteError{path, Cause(err)} }

// Cause returns the error of the system call behind err, without the operation
// and the paths that package os adds: the paths may be temporary names, and
// messages name the file themselves.
func Cause(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	if l, ok := errors.AsType[*os.LinkError](err); ok {
		return l.Err
	}
	return err
}
