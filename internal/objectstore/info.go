package objectstore

import (
	"errors"
	"io/fs"
	"strings"
	"time"

	"pcapbatch/internal/durable"
)

// A name is that of an object, or of a directory: then the key is empty or ends
// in a slash.
type name struct{ bucket, key string }

var errNoBucket = errors.New("names no bucket: it should be s3://BUCKET/KEY")

func parse(path string) (n name, err error) {
	n.bucket, n.key, _ = strings.Cut(strings.TrimPrefix(path, durable.ObjectScheme), "/")
	if n.bucket == "" {
		return n, &fs.PathError{Op: "open", Path: path, Err: errNoBucket}
	}
	return n, nil
}

func (n name) isDir() bool { return n.key == "" || strings.HasSuffix(n.key, "/") }

func (n name) String() string { return durable.ObjectScheme + n.bucket + "/" + n.key }

// An info describes an object or a directory: a fs.FileInfo.
type info struct {
	base     string
	size     int64
	modified time.Time
	etag     string // without quotation marks
	dir      bool
	listed   bool // it comes from a list
}

func (i *info) Name() string       { return i.base }
func (i *info) Size() int64        { return i.size }
func (i *info) ModTime() time.Time { return i.modified }
func (i *info) IsDir() bool        { return i.dir }
func (i *info) Sys() any           { return nil }

func (i *info) Mode() fs.FileMode {
	if i.dir {
		return fs.ModeDir | 0o777
	}
	return 0o666
}

// Tag implements durable.Tagged.
func (i *info) Tag() string { return i.etag }

// unquoted is an ETag as it is kept.
func unquoted(etag string) string { return strings.Trim(strings.TrimPrefix(etag, "W/"), `"`) }

// know remembers what is known of an object, and returns it. What was known
// before stays: the object is read as it was when it was first met.
func (f *FS) know(path string, i *info) *info {
	f.mu.Lock()
	defer f.mu.Unlock()
	if old := f.infos[path]; old != nil {
		return old
	}
	f.infos[path] = i
	return i
}

// known returns what is known of an object, nil for nothing.
func (f *FS) known(path string) *info {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.infos[path]
}

// forget makes the next use of an object look at it again.
func (f *FS) forget(path string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.infos, path)
	if e := f.small[path]; e != nil {
		delete(f.small, path)
		f.smallBytes -= int64(len(e.data))
		f.budget.give(int64(len(e.data)))
	}
}
