package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// MakeDir makes a directory, and those above it, where there is none, and makes
// the entries of the new ones durable. Object storage has no directories.
func MakeDir(fsys FS, dir string) error {
	if IsObject(dir) {
		return nil
	}
	for len(dir) > 1 && os.IsPathSeparator(dir[len(dir)-1]) {
		dir = dir[:len(dir)-1]
	}
	if isDir(dir) {
		return nil
	}
	above, _ := filepath.Split(dir) // not Dir, which takes ".." for what it looks like
	if above != "" && strings.Trim(above, string(filepath.Separator)) != "" {
		if err := MakeDir(fsys, above); err != nil {
			return err
		}
	}
	if err := fsys.Mkdir(dir); err != nil {
		if errors.Is(err, fs.ErrExist) && isDir(dir) {
			return nil // another process was faster
		}
		return err
	}
	if err := fsys.SyncDir(dir); err != nil {
		return WriteFailed(dir, err)
	}
	return nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
