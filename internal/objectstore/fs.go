package objectstore

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"sync"
	"time"

	"pcapbatch/internal/durable"
)

// An FS is a durable.FS with objects in it.
type FS struct {
	durable.FS // of all other names
	ctx        context.Context
	budget     budget
	dial       func() (*client, error)

	mu      sync.Mutex
	infos   map[string]*info   // of objects that were met, by name
	buckets map[string]bool    // that are there
	uploads map[string]*upload // unfinished ones, by temporary name
	begun   map[string]bool    // directories in which an upload was begun
	tempDir string             // for parts that are too large for memory

	firstPause  time.Duration // after the first failure of a request
	hurriedTime time.Duration // for the end of an upload when the run was ended

	prefetches []*prefetch // that go on
	early      map[earlyKey]*early
	small      map[string]*early // that were read: see keepSmall
	smallBytes int64
	closed     bool
}

// New returns an FS on top of local. The end of ctx ends all requests; its cause
// is the error then. The caller calls Close.
func New(ctx context.Context, local durable.FS) *FS {
	f := &FS{FS: local, ctx: ctx, infos: map[string]*info{}, buckets: map[string]bool{}, uploads: map[string]*upload{}, begun: map[string]bool{}, early: map[earlyKey]*early{}, small: map[string]*early{}, firstPause: usualPause, hurriedTime: usualHurry}
	f.budget.set(usualBudget)
	f.dial = sync.OnceValues(func() (*client, error) { return newClient(ctx, f.firstPause) })
	return f
}

// Limit sets how many bytes the buffers of all files may take together, and where
// temporary files are made; "" is the system's directory.
func (f *FS) Limit(bytes int64, tempDir string) {
	f.budget.set(bytes)
	if tempDir == "" {
		tempDir = os.TempDir()
	}
	f.tempDir = tempDir
}

// Close gives up what was not completed, and forgets what was read.
func (f *FS) Close() {
	f.mu.Lock()
	var left []*upload
	for _, u := range f.uploads {
		left = append(left, u)
	}
	clear(f.uploads)
	clear(f.small)
	f.budget.give(f.smallBytes)
	f.smallBytes, f.closed = 0, true
	f.mu.Unlock()
	var all sync.WaitGroup
	for _, u := range left {
		all.Go(u.abort)
	}
	all.Wait()
}

// Stat implements durable.FS. A name that ends in a slash is a directory; of a
// key and a directory of one name, the key.
func (f *FS) Stat(path string) (fs.FileInfo, error) {
	if !durable.IsObject(path) {
		return f.FS.Stat(path)
	}
	return found(f.stat(path))
}

// found makes an interface of a pointer that may be nil.
func found(i *info, err error) (fs.FileInfo, error) {
	if err != nil {
		return nil, err
	}
	return i, nil
}

// ReadDir implements durable.FS.
func (f *FS) ReadDir(path string) ([]fs.DirEntry, error) {
	if !durable.IsObject(path) {
		return f.FS.ReadDir(path)
	}
	return f.readDir(path)
}

// Glob implements durable.FS, with the patterns of path.Match on every system. A
// bucket is no pattern. Directories have a slash behind.
func (f *FS) Glob(pattern string) ([]string, error) {
	if !durable.IsObject(pattern) {
		return f.FS.Glob(pattern)
	}
	return f.glob(pattern)
}

// OpenSource implements durable.FS.
func (f *FS) OpenSource(path string) (durable.Source, error) {
	if !durable.IsObject(path) {
		return f.FS.OpenSource(path)
	}
	s, err := f.openSource(path)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Open implements durable.FS.
func (f *FS) Open(path string) (durable.File, error) {
	if !durable.IsObject(path) {
		return f.FS.Open(path)
	}
	o, err := f.openFile(path)
	if err != nil {
		return nil, err
	}
	return o, nil
}

// Create implements durable.FS. An object appears when the file is renamed to
// path, and is given up when it is removed.
func (f *FS) Create(temp, path string) (durable.File, error) {
	if !durable.IsObject(path) {
		return f.FS.Create(temp, path)
	}
	u, err := f.create(temp, path)
	if err != nil {
		return nil, err
	}
	return u, nil
}

// Temp implements durable.FS.
func (f *FS) Temp(dir string) (durable.File, error) {
	if durable.IsObject(dir) {
		return nil, &fs.PathError{Op: "create", Path: dir, Err: errors.New("temporary files cannot be in object storage")}
	}
	return f.FS.Temp(dir)
}

// Mkdir implements durable.FS. There are no directories to be made.
func (f *FS) Mkdir(path string) error {
	if durable.IsObject(path) {
		return nil
	}
	return f.FS.Mkdir(path)
}

// Rename implements durable.FS for files that Create made.
func (f *FS) Rename(from, to string) error {
	if !durable.IsObject(to) {
		return f.FS.Rename(from, to)
	}
	u := f.taken(from)
	if u == nil {
		return &fs.PathError{Op: "rename", Path: from, Err: fs.ErrNotExist}
	}
	return u.complete()
}

// taken returns the upload with a temporary name and forgets it.
func (f *FS) taken(temp string) *upload {
	f.mu.Lock()
	defer f.mu.Unlock()
	u := f.uploads[temp]
	delete(f.uploads, temp)
	return u
}

// SyncDir implements durable.FS.
func (f *FS) SyncDir(path string) error {
	if durable.IsObject(path) {
		return nil
	}
	return f.FS.SyncDir(path)
}

// Remove implements durable.FS.
func (f *FS) Remove(path string) error {
	if !durable.IsObject(path) {
		return f.FS.Remove(path)
	}
	if u := f.taken(path); u != nil {
		u.abort()
		return nil
	}
	if durable.Unfinished(durable.Base(path)) {
		return nil // it was completed, or given up
	}
	return f.remove(path)
}
