package capture

import (
	"cmp"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"pcapbatch/internal/durable"
)

// StdinName stands for standard input among the names of captures.
const StdinName = "-"

// Found is the result of a search for captures.
type Found struct {
	// Paths has every capture once, in no particular order. StdinName stands
	// for standard input.
	Paths []string
	// Failures are the names under which nothing could be found.
	Failures []Failure
	// Twice is the number of names that led to a capture found before.
	Twice int
	// LeftOut are files of directories and patterns that the run is to write.
	LeftOut []string

	named []bool // which of Paths were named themselves
}

// A Failure is a name under which no capture could be found.
type Failure struct {
	Path string
	Err  error // the cause, which does not name the path
}

// Find looks for the captures that names name. A name is that of a file, of a
// directory, whose files are taken (with recursive also those of all
// directories below it), a pattern as filepath.Match has them, or StdinName. Any
// of them but the last may be in object storage (durable.IsObject). Find reads
// directories only and opens no file.
//
// written are the files that the run is to write, as absolute paths without
// links. Where a directory or a pattern has one, maybe made by an earlier run,
// it is left out; where it is named it is a capture like any other.
func Find(fsys durable.FS, names []string, recursive bool, written ...string) *Found {
	f := &finder{fs: fsys, recursive: recursive, written: written, seen: map[string]int{}, real: map[string]string{}}
	defer durable.Prefetch(fsys, durable.Names, names)()
	for _, name := range names {
		f.argument(name)
	}
	return &f.Found
}

// A finder collects captures.
type finder struct {
	Found
	fs        durable.FS
	recursive bool
	written   []string
	seen      map[string]int    // place in Paths, by absolute path without links
	real      map[string]string // directories, and the same without links
}

func (f *finder) fail(path string, err error) {
	f.Failures = append(f.Failures, Failure{path, err})
}

func (f *finder) argument(arg string) {
	if arg == StdinName {
		f.add(arg, true)
		return
	}
	info, err := f.fs.Stat(arg)
	switch {
	case err == nil && info.IsDir():
		f.directory(arg)
	case err == nil:
		f.add(arg, true)
	case strings.ContainsAny(arg, "*?["):
		f.pattern(arg)
	default:
		f.fail(arg, durable.Cause(err))
	}
}

// pattern adds the files and directories that a pattern matches. As in a
// directory, what is neither is left out.
func (f *finder) pattern(arg string) {
	matches, err := f.fs.Glob(arg)
	if err == nil && len(matches) == 0 {
		err = errors.New("no file matches the pattern")
	}
	if err != nil {
		f.fail(arg, durable.Cause(err))
	}
	for _, path := range matches {
		info, err := f.fs.Stat(path)
		switch {
		case err != nil:
			f.fail(path, durable.Cause(err))
		case info.IsDir():
			f.directory(path)
		case info.Mode().IsRegular():
			f.met(path)
		}
	}
}

// met adds a file that was not named but met, unless the run is to write it.
func (f *finder) met(path string) (added bool) {
	if len(f.written) > 0 && slices.Contains(f.written, f.identity(path)) {
		f.LeftOut = append(f.LeftOut, path)
		return false
	}
	f.add(path, false)
	return true
}

// directory adds the files of a directory, with -r those below it. Links to
// files are followed, links to directories are not, so that no loop is met.
// What is not a file, such as a socket or a FIFO, is left out: opening it
// could wait for ever.
func (f *finder) directory(dir string) {
	empty := true
	root := durable.Join(dir, "")
	if !durable.IsObject(dir) {
		root = dir + string(filepath.Separator) // so that a link to a directory is one
	}
	_ = durable.WalkDir(f.fs, root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			if path != root && !f.recursive {
				return fs.SkipDir
			}
			return nil
		}
		var mode fs.FileMode
		if err == nil {
			mode, err = followedType(path, d)
		}
		switch {
		case err != nil:
			empty = false
			f.fail(path, durable.Cause(err))
		case mode.IsRegular():
			if f.met(path) {
				empty = false
			}
		}
		return nil
	})
	if empty {
		err := errors.New("no files in this directory")
		if !f.recursive {
			err = errors.New("no files in this directory (-r also looks into the directories below it)")
		}
		f.fail(dir, err)
	}
}

// followedType is the type of the file at path, with links followed.
func followedType(path string, d fs.DirEntry) (fs.FileMode, error) {
	if d.Type().IsRegular() {
		return 0, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return info.Mode(), nil
}

// add adds a capture, unless it is in the list already, maybe under another
// name: a link beside the file it points to must not double the packets. Of
// several names the first in alphabetical order counts, whatever the order of
// the arguments.
func (f *finder) add(path string, named bool) {
	id := path
	if path != StdinName {
		id = f.identity(path)
	}
	if i, ok := f.seen[id]; ok {
		f.Twice++
		f.Paths[i] = min(f.Paths[i], path)
		f.named[i] = f.named[i] || named
		return
	}
	f.seen[id] = len(f.Paths)
	f.Paths, f.named = append(f.Paths, path), append(f.named, named)
}

// Met returns those of Paths that were found in a directory or by a pattern,
// and not named themselves: they may be something else than captures.
func (f *Found) Met() map[string]bool {
	met := map[string]bool{}
	for i, named := range f.named {
		if !named {
			met[f.Paths[i]] = true
		}
	}
	return met
}

// identity is the absolute path of a file without links. Links in the path of
// its directory are resolved once for each directory, because doing so for
// every file would cost as much as opening it.
func (f *finder) identity(path string) string {
	if durable.IsObject(path) {
		return path
	}
	dir, name := filepath.Split(path) // not Dir, which takes ".." for what it looks like
	if info, err := os.Lstat(path); err != nil || info.Mode()&fs.ModeSymlink != 0 {
		return RealPath(path)
	}
	real, ok := f.real[dir]
	if !ok {
		real = RealPath(cmp.Or(dir, "."))
		f.real[dir] = real
	}
	return filepath.Join(real, name)
}

// RealPath returns the absolute path of a file without links. Where that cannot
// be found out, as for a file that does not exist, links may be left. The name of
// an object is the only one it has.
func RealPath(path string) string {
	if durable.IsObject(path) {
		return path
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	return path
}

// Stat describes what stands under path, for StdinName standard input. Where that
// is not a file it returns errors.ErrUnsupported.
func Stat(fsys durable.FS, path string, stdin io.Reader) (fs.FileInfo, error) {
	if path != StdinName {
		return fsys.Stat(path)
	}
	if f, ok := stdin.(*os.File); ok {
		return f.Stat()
	}
	return nil, errors.ErrUnsupported
}
