package durable

import (
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	createTries = 128    // names to try: a sweep may take one for left behind before it is locked
	tempSuffix  = ".tmp" // ends the name of a file that is being written
	tempDigits  = 8      // of rand.Text in front of it
)

// A Pending is a file being written under a temporary name beside its own.
// Commit renames it, so a partial file never appears under the final
// name. It is locked while it is written, which tells Sweep and SweepBeside
// that its writer is alive. Its errors do not name a path.
type Pending struct {
	fs   FS
	file File
	temp string
	path string
	old  fs.FileInfo // of the regular file that it replaces; nil: none
}

// tempBase is what a temporary name has of the name of a file: all of it, or as
// much as fits into the 255 bytes that file systems allow for a name.
func tempBase(path string) string {
	base := filepath.Base(path)
	return base[:min(len(base), 255-len("..")-tempDigits-len(tempSuffix))]
}

// CreatePending begins the file at path, whose directory must exist. The caller
// ends it with Commit, Detach or Abort.
func CreatePending(fsys FS, path string) (*Pending, error) {
	p := &Pending{fs: fsys, path: path}
	var err error
	for range createTries {
		p.temp = Join(Dir(path), "."+tempBase(path)+"."+rand.Text()[:tempDigits]+tempSuffix)
		if p.file, err = fsys.Create(p.temp, path); !errors.Is(err, ErrLocked) {
			break
		}
	}
	if err != nil {
		return nil, Cause(err)
	}
	if info, err := lstat(path); err == nil && info.Mode().IsRegular() {
		p.old = info
		_ = p.file.Chmod(0o600) // until it is complete: the old one may be a secret
	}
	return p, nil
}

// Write writes all of b or returns an error.
func (p *Pending) Write(b []byte) (int, error) {
	if err := WriteFull(p.file, b); err != nil {
		return 0, Cause(err)
	}
	return len(b), nil
}

// Commit writes the file to disk and gives it its name. What has that name is
// replaced; its mode stays, and its owner and group where the system allows it.
// On an error there is under the name what was there before or, if only closing
// it failed or the directory entry could not be made durable, the whole file. Of
// a file that could not be written to disk, as without sync, nothing is left there
// if closing it fails: that may be the first to tell that the disk is full.
func (p *Pending) Commit() error {
	p.inherit()
	unsynced := p.file.Sync()
	if unsynced != nil && !cannotSync(unsynced) && !errors.Is(unsynced, errors.ErrUnsupported) {
		p.Abort()
		return Cause(unsynced)
	}
	if renamed, err := p.rename(); err != nil {
		switch {
		case !renamed:
			_ = p.fs.Remove(p.temp)
		case unsynced != nil:
			_ = p.fs.Remove(p.path)
		}
		return Cause(err)
	}
	return Cause(p.fs.SyncDir(p.path))
}

// Later returns a file system that is fsys, but whose SyncDir does nothing: the
// caller makes the names of all files that it committed to a directory durable
// with one call of fsys.SyncDir. A power cut before that leaves of each file
// the whole new one, or what was there before.
func Later(fsys FS) FS { return later{fsys} }

type later struct{ FS }

func (later) SyncDir(string) error { return nil }

// inherit takes over owner, group and mode of the file that is replaced, as far
// as the system allows it. A group that cannot be kept must not lend its rights
// to another.
func (p *Pending) inherit() {
	if p.old == nil {
		return
	}
	mode := p.old.Mode().Perm()
	uid, gid, ok := ownerOf(p.old)
	if ok && p.file.Chown(uid, gid) != nil && p.file.Chown(-1, gid) != nil && !inGroup(p.temp, gid) {
		mode = mode&^0o070 | mode&0o007<<3
	}
	_ = p.file.Chmod(mode)
}

// lstat is os.Lstat, for which objects do not exist: they have no mode that could
// be kept.
func lstat(path string) (fs.FileInfo, error) {
	if IsObject(path) {
		return nil, fs.ErrNotExist
	}
	return os.Lstat(path)
}

func inGroup(path string, gid int) bool {
	info, err := os.Lstat(path)
	if err != nil {
		return false
	}
	_, g, ok := ownerOf(info)
	return ok && g == gid
}

// rename closes the file and gives it its final name. Where an open file can be
// renamed it stays locked until it has that name, or a sweep might take it for
// one that was left behind.
func (p *Pending) rename() (renamed bool, err error) {
	if !renamesOpenFiles {
		if err := p.file.Close(); err != nil {
			return false, err
		}
		err := p.fs.Rename(p.temp, p.path)
		return err == nil, err
	}
	if err := p.fs.Rename(p.temp, p.path); err != nil {
		_ = p.file.Close()
		return false, err
	}
	return true, p.file.Close()
}

// Detach gives up the final name: the file stays open, for this process alone.
// The caller closes it and then calls remove, which removes the temporary name.
func (p *Pending) Detach() (f File, remove func() error) {
	return p.file, func() error { return p.fs.Remove(p.temp) }
}

// Abort closes and removes the file.
func (p *Pending) Abort() {
	_ = p.file.Close()
	_ = p.fs.Remove(p.temp)
}

// Sweep removes the temporary files that killed processes left in dir, if their
// final name was to end in one of the suffixes. The files of running processes
// are locked and stay. On a system without locks it removes nothing.
func Sweep(dir string, suffixes ...string) {
	sweep(dir, func(base string) bool {
		return slices.ContainsFunc(suffixes, func(s string) bool { return strings.HasSuffix(base, s) })
	})
}

// SweepBeside removes the temporary files that killed processes left of the
// file at path, as Sweep does.
func SweepBeside(path string) {
	sweep(Dir(path), func(base string) bool { return base == tempBase(path) })
}

func sweep(dir string, ours func(base string) bool) {
	if IsObject(dir) {
		return // an object has no name until it is complete
	}
	d, err := os.Open(dir)
	if err != nil {
		return
	}
	names, _ := d.Readdirnames(-1)
	d.Close()
	for _, name := range names {
		base, ok := pendingName(name)
		if !ok || !ours(base) {
			continue
		}
		path := filepath.Join(dir, name)
		f, err := os.OpenFile(path, os.O_RDWR|noWait|noFollow, 0) // some file systems lock only what may be written
		if err != nil {
			continue
		}
		if lockFile(f) == nil {
			os.Remove(path)
		}
		f.Close()
	}
}

// Unfinished reports whether a file of that name is one that is being written,
// or was when its writer was killed.
func Unfinished(name string) bool {
	_, ok := pendingName(name)
	return ok
}

// pendingName returns the name that the file with a temporary name was meant to
// get.
func pendingName(temp string) (base string, ok bool) {
	rest, hidden := strings.CutPrefix(temp, ".")
	rest, tmp := strings.CutSuffix(rest, tempSuffix)
	dot := len(rest) - tempDigits - 1
	if !hidden || !tmp || dot < 1 || rest[dot] != '.' {
		return "", false
	}
	random := strings.Trim(rest[dot+1:], "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == "" // the alphabet of rand.Text
	return rest[:dot], random
}

// Replace gives the file at path a new content, all of it or none.
func Replace(fsys FS, path string, data []byte) error {
	SweepBeside(path)
	p, err := CreatePending(fsys, path)
	if err != nil {
		return err
	}
	if _, err := p.Write(data); err != nil {
		p.Abort()
		return err
	}
	return p.Commit()
}

// WriteFull writes all of p. Where the writer writes less without an error, it
// returns io.ErrShortWrite.
func WriteFull(w io.Writer, p []byte) error {
	n, err := w.Write(p)
	if err == nil && n < len(p) {
		return io.ErrShortWrite
	}
	return err
}
