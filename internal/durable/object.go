package durable

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ObjectScheme begins the name of an object in object storage, and of a
// directory there: s3://BUCKET/KEY. What follows is taken as it is: nothing in
// it is decoded, cleaned, or made absolute.
const ObjectScheme = "s3://"

// IsObject reports whether a name is that of an object, or of a directory in
// object storage.
func IsObject(path string) bool { return strings.HasPrefix(path, ObjectScheme) }

// A Tagged fs.FileInfo, as that of an object, has a tag that tells its content
// from any other that the name had or will have: its ETag.
type Tagged interface{ Tag() string }

// Join returns the name of a file in a directory.
func Join(dir, name string) string {
	switch {
	case !IsObject(dir):
		return filepath.Join(dir, name)
	case strings.HasSuffix(dir, "/"):
		return dir + name
	}
	return dir + "/" + name
}

// Dir is filepath.Dir, and for an object what is in front of its last slash.
func Dir(path string) string {
	if !IsObject(path) {
		return filepath.Dir(path)
	}
	return path[:max(strings.LastIndexByte(path, '/'), len(ObjectScheme))]
}

// Base is filepath.Base, and for an object what follows its last slash.
func Base(path string) string {
	if !IsObject(path) {
		return filepath.Base(path)
	}
	return path[strings.LastIndexByte(path, '/')+1:]
}

// WalkDir is filepath.WalkDir on a file system. Directories in object storage
// are walked by their names, with a slash behind.
func WalkDir(fsys FS, root string, fn fs.WalkDirFunc) error {
	if !IsObject(root) {
		return filepath.WalkDir(root, fn)
	}
	info, err := fsys.Stat(root)
	if err != nil {
		err = fn(root, nil, err)
	} else {
		err = walkObjects(fsys, root, fs.FileInfoToDirEntry(info), fn)
	}
	if err == fs.SkipDir || err == fs.SkipAll {
		return nil
	}
	return err
}

func walkObjects(fsys FS, name string, d fs.DirEntry, fn fs.WalkDirFunc) error {
	if err := fn(name, d, nil); err != nil || !d.IsDir() {
		if err == fs.SkipDir && d.IsDir() {
			err = nil
		}
		return err
	}
	list, err := fsys.ReadDir(name)
	if err != nil {
		return fn(name, d, err)
	}
	for _, e := range list {
		below := Join(name, e.Name())
		if e.IsDir() {
			below += "/"
		}
		if err := walkObjects(fsys, below, e, fn); err == fs.SkipDir {
			return nil // a file: what is left of its directory is left out
		} else if err != nil {
			return err
		}
	}
	return nil
}

// Expect says that so many bytes of a file, from an offset on, are what is read
// next. A file for which each read takes long reads them ahead.
func Expect(f io.ReaderAt, off, bytes int64) {
	if e, ok := f.(interface{ Expect(off, bytes int64) }); ok {
		e.Expect(off, bytes)
	}
}

// A Want is what of files is wanted.
type Want uint8

const (
	Names Want = iota // what FS.Stat tells
	Heads             // FS.OpenSource, and the first bytes
	Ends              // FS.Open, and the bytes at both ends
)

// A Prefetcher is an FS for which each file takes long, and several together not
// longer.
type Prefetcher interface {
	// Prefetch says which files will be opened, about in that order, until the
	// caller calls stop. Errors are those of opening them.
	Prefetch(w Want, paths []string) (stop func())
}

// Prefetch is fsys.Prefetch, where there is such a method, and else nothing.
func Prefetch(fsys FS, w Want, paths []string) (stop func()) {
	if p, ok := fsys.(Prefetcher); ok && len(paths) > 1 {
		return p.Prefetch(w, paths)
	}
	return func() {}
}

// SameFile is os.SameFile, and for objects compares their tags.
func SameFile(a, b fs.FileInfo) bool {
	ta, ok := a.(Tagged)
	tb, both := b.(Tagged)
	if ok && both {
		return ta.Tag() == tb.Tag()
	}
	return os.SameFile(a, b)
}
