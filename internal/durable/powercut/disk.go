// Package powercut is for tests: a durable.FS that knows what a power cut would
// have left of a directory, at any moment of a run.
//
// It does for real what it is asked for and keeps a journal. Two disks are
// played from that afterwards, because a file system may write what it was not
// told to sync now or later: a Lazy one, which has nothing but what was synced,
// and an Eager one, which has all names at once, but of the files only what was
// synced. ext4 is one of the second kind: a file that is renamed and not synced
// can be there and be empty.
package powercut

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"pcapbatch/internal/durable"
)

// A Disk is a file system below a directory. Its files may be used by several
// goroutines.
type Disk struct {
	durable.FS
	root string // without links

	mu      sync.Mutex
	before  map[string]int // names at the beginning; a directory is directory
	content map[int]string // of the files there were
	files   int            // numbers given to files
	journal []event
}

const directory = -1

// An event is one call.
type event struct {
	what    string // create, sync, rename, remove, mkdir, syncdir
	path    string // relative to the root
	to      string // of rename
	file    int    // of create, sync
	content string // of sync
}

// New returns a file system on top of fsys that looks after what is below root.
// What is there now is on disk.
func New(fsys durable.FS, root string) (*Disk, error) {
	d := &Disk{FS: fsys, before: map[string]int{}, content: map[int]string{}}
	var err error
	if d.root, err = filepath.EvalSymlinks(root); err != nil {
		return nil, err
	}
	return d, filepath.WalkDir(d.root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == d.root {
			return err
		}
		if e.IsDir() {
			d.before[d.relative(path)] = directory
			return nil
		}
		data, err := os.ReadFile(path)
		d.before[d.relative(path)], d.content[d.files] = d.files, string(data)
		d.files++
		return err
	})
}

// relative is the name of a path below the root, as the root's own if there is
// a link on the way.
func (d *Disk) relative(path string) string {
	dir, name := filepath.Split(path)
	if real, err := filepath.EvalSymlinks(filepath.Clean(dir)); err == nil {
		dir = real
	}
	if rel, err := filepath.Rel(d.root, filepath.Join(dir, name)); err == nil {
		return rel
	}
	return path
}

func (d *Disk) record(e event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.journal = append(d.journal, e)
}

// Create implements durable.FS.
func (d *Disk) Create(path, final string) (durable.File, error) {
	f, err := d.FS.Create(path, final)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.files
	d.files++
	d.journal = append(d.journal, event{what: "create", path: d.relative(path), file: n})
	return &file{f, d, n}, nil
}

// Mkdir implements durable.FS.
func (d *Disk) Mkdir(path string) error {
	err := d.FS.Mkdir(path)
	if err == nil {
		d.record(event{what: "mkdir", path: d.relative(path)})
	}
	return err
}

// Rename implements durable.FS.
func (d *Disk) Rename(from, to string) error {
	a, b := d.relative(from), d.relative(to)
	err := d.FS.Rename(from, to)
	if err == nil {
		d.record(event{what: "rename", path: a, to: b})
	}
	return err
}

// Remove implements durable.FS.
func (d *Disk) Remove(path string) error {
	err := d.FS.Remove(path)
	if err == nil {
		d.record(event{what: "remove", path: d.relative(path)})
	}
	return err
}

// SyncDir implements durable.FS.
func (d *Disk) SyncDir(path string) error {
	err := d.FS.SyncDir(path)
	if err == nil {
		d.record(event{what: "syncdir", path: filepath.Dir(d.relative(path))})
	}
	return err
}

// A file is one that Create made.
type file struct {
	durable.File
	disk   *Disk
	number int
}

// Sync implements durable.File. What was written is read back for it.
func (f *file) Sync() error {
	if err := f.File.Sync(); err != nil {
		return err
	}
	size, err := f.Seek(0, 2)
	if err != nil {
		return err
	}
	data := make([]byte, size)
	if _, err := f.ReadAt(data, 0); err != nil && size > 0 {
		return err
	}
	f.disk.record(event{what: "sync", file: f.number, content: string(data)})
	return nil
}

// Kind says what a disk does with what was not synced.
type Kind bool

const (
	Lazy  Kind = false // nothing
	Eager Kind = true  // names are written at once, contents are not
)

// Moments is the number of calls so far.
func (d *Disk) Moments() int { return len(d.journal) }

// After returns what there is on a disk if the power is cut after so many calls:
// files by their names below the root, with their contents.
func (d *Disk) After(calls int, kind Kind) map[string]string {
	now, disk := maps.Clone(d.before), maps.Clone(d.before)
	content := maps.Clone(d.content)
	for _, e := range d.journal[:calls] {
		switch e.what {
		case "create":
			now[e.path] = e.file
		case "mkdir":
			now[e.path] = directory
		case "rename":
			now[e.to] = now[e.path]
			delete(now, e.path)
		case "remove":
			delete(now, e.path)
		case "sync":
			content[e.file] = e.content
		case "syncdir":
			maps.DeleteFunc(disk, func(path string, _ int) bool { return filepath.Dir(path) == e.path })
			for path, n := range now {
				if filepath.Dir(path) == e.path {
					disk[path] = n
				}
			}
		}
	}
	if kind == Eager {
		disk = now
	}
	left := map[string]string{}
	for path, n := range disk {
		if n != directory && reachable(disk, path) {
			left[path] = content[n]
		}
	}
	return left
}

// reachable reports whether all directories above path are there.
func reachable(disk map[string]int, path string) bool {
	for dir := filepath.Dir(path); dir != "." && !strings.HasPrefix(dir, ".."); dir = filepath.Dir(dir) {
		if n, ok := disk[dir]; !ok || n != directory {
			return false
		}
	}
	return true
}
