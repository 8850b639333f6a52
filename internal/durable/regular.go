package durable

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// ErrNotRegular says that there is something else under a name, such as a
// directory, a FIFO or a device, where only a regular file can be.
var ErrNotRegular = errors.New("not a regular file")

func notRegular(path string) error { return &fs.PathError{Op: "open", Path: path, Err: ErrNotRegular} }

// OpenRegular opens the regular file at path to be read. It opens nothing else,
// which could wait for ever or do whatever a device does when it is opened, and
// returns ErrNotRegular.
func OpenRegular(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, notRegular(path)
	}
	f, err := os.OpenFile(path, os.O_RDONLY|noWait, 0)
	if err != nil {
		return nil, err
	}
	info, err = f.Stat() // somebody may have been faster
	if err == nil && !info.Mode().IsRegular() {
		err = notRegular(path)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// ReadFile returns the content of a regular file of at most limit bytes, which
// the caller owns. Where the file is longer, the error wraps ErrTooLarge; where
// it is no regular file, ErrNotRegular.
func ReadFile(fsys FS, path string, limit int64) ([]byte, error) {
	f, err := fsys.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.NewSectionReader(f, 0, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("%w: more than %d bytes", ErrTooLarge, limit)}
	}
	return data, err
}

// ErrTooLarge says that a file is longer than the limit that its reader set.
var ErrTooLarge = errors.New("too large")

// usualFileLimit is FileLimit where the system does not tell.
const usualFileLimit = 512
