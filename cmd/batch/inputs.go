package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"pcapbatch/internal/durable"
	"pcapbatch/internal/reader"
)

// stdinName stands for standard input among the captures.
const stdinName = "-"

// An input is one capture that was asked for.
type input struct {
	path       string
	number     int   // place in capture order
	size       int64 // bytes on disk; 0 where nobody knows
	live       bool  // not a file: a pipe or a terminal, which can be read once and may wait for ever
	compressed bool
	first      int64        // time of the first record, ns since the epoch
	timed      bool         // it has a first record
	latest     atomic.Int64 // latest time of a record that was decoded, ns; valid if timed
	capture    *reader.Capture
	// capture is open already where the input cannot be opened again:
	// standard input, a FIFO.
}

// newInput describes what stands under path, which need not exist.
func newInput(path string, stdin io.Reader) *input {
	in := &input{path: path, live: true}
	if info, err := statInput(path, stdin); err == nil && info.Mode().IsRegular() {
		in.size, in.live = info.Size(), false
	}
	return in
}

// reached takes down that records up to the given time were decoded. Several
// goroutines call it.
func (in *input) reached(time int64) {
	for {
		latest := in.latest.Load()
		if time <= latest || in.latest.CompareAndSwap(latest, time) {
			return
		}
	}
}

// statInput is os.Stat that knows standard input.
func statInput(path string, stdin io.Reader) (fs.FileInfo, error) {
	if path != stdinName {
		return os.Stat(path)
	}
	if f, ok := stdin.(*os.File); ok {
		return f.Stat()
	}
	return nil, errors.ErrUnsupported
}

// open opens the capture. A signal ends the wait for whoever writes to a pipe.
func (in *input) open(ctx context.Context, stdin io.Reader, o reader.Options) (*reader.Capture, error) {
	open := func() (*reader.Capture, error) { return reader.Open(in.path, o) }
	if in.path == stdinName {
		open = func() (*reader.Capture, error) { return reader.New("standard input", stdin, o) }
	}
	if in.live {
		return await(ctx, open)
	}
	return open()
}

// next is c.Next. A signal ends the wait for a pipe; c must not be used any
// more then, not even be closed.
func (in *input) next(ctx context.Context, c *reader.Capture, b *reader.Block) error {
	if !in.live {
		return c.Next(b)
	}
	_, err := await(ctx, func() (struct{}, error) { return struct{}{}, c.Next(b) })
	return err
}

// A finder collects the captures that the arguments name.
type finder struct {
	recursive bool
	paths     []string
	seen      map[string]int    // place in paths, by absolute path without links
	real      map[string]string // directories, and the same without links
	twice     int               // paths that were named before
	fail      func(path string, err error)
}

// find lists the captures that args name, in no particular order. Whatever
// cannot be found is told to fail.
func (f *finder) find(args []string) {
	f.seen, f.real = map[string]int{}, map[string]string{}
	for _, arg := range args {
		f.argument(arg)
	}
}

func (f *finder) argument(arg string) {
	if arg == stdinName {
		f.add(arg)
		return
	}
	info, err := os.Stat(arg)
	switch {
	case err == nil && info.IsDir():
		f.directory(arg)
	case err == nil:
		f.add(arg)
	case strings.ContainsAny(arg, "*?["):
		f.pattern(arg)
	default:
		f.fail(arg, durable.Cause(err))
	}
}

// pattern adds the files and directories that a pattern matches. As in a
// directory, what is neither is left out.
func (f *finder) pattern(arg string) {
	matches, err := filepath.Glob(arg)
	if err == nil && len(matches) == 0 {
		err = errors.New("no file matches the pattern")
	}
	if err != nil {
		f.fail(arg, err)
	}
	for _, path := range matches {
		info, err := os.Stat(path)
		switch {
		case err != nil:
			f.fail(path, durable.Cause(err))
		case info.IsDir():
			f.directory(path)
		case info.Mode().IsRegular():
			f.add(path)
		}
	}
}

// directory adds the files of a directory, with -r those below it. Links to
// files are followed, links to directories are not, so that no loop is met.
// What is not a file, such as a socket or a FIFO, is left out: opening it
// could wait for ever.
func (f *finder) directory(dir string) {
	empty := true
	root := dir + string(filepath.Separator) // so that a link to a directory is one
	_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
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
			empty = false
			f.add(path)
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

// followedType is the type of what stands under path, through links.
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

// add adds a capture, unless it is there already, maybe under another name: a
// link beside the file it points to must not double the packets. Of its names
// the first in the alphabet counts, whatever the order of the arguments.
func (f *finder) add(path string) {
	id := path
	if path != stdinName {
		id = f.identity(path)
	}
	if i, ok := f.seen[id]; ok {
		f.twice++
		f.paths[i] = min(f.paths[i], path)
		return
	}
	f.seen[id] = len(f.paths)
	f.paths = append(f.paths, path)
}

// identity is the absolute path of a file without links. Those in front of its
// name are looked for once a directory: it would cost as much as opening it.
func (f *finder) identity(path string) string {
	dir, name := filepath.Split(path) // not Dir, which takes ".." for what it looks like
	if info, err := os.Lstat(path); err != nil || info.Mode()&fs.ModeSymlink != 0 {
		return realPath(path)
	}
	real, ok := f.real[dir]
	if !ok {
		real = realPath(cmp.Or(dir, "."))
		f.real[dir] = real
	}
	return filepath.Join(real, name)
}

func realPath(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	return path
}

// captureArgs are the captures named by the arguments and by --files-from.
func captureArgs(ctx context.Context, args []string, filesFrom string, stdin io.Reader) ([]string, error) {
	if filesFrom != "" {
		names, err := await(ctx, func() ([]string, error) { return readList(filesFrom, stdin) })
		if err != nil {
			return nil, &exitError{exitUsage, err}
		}
		args = append(slices.Clone(args), names...)
	}
	if len(args) == 0 {
		return nil, usageError("no captures named")
	}
	if filesFrom == stdinName && slices.Contains(args, stdinName) {
		return nil, usageError("standard input cannot be both a capture and the list of captures")
	}
	return args, nil
}

// readList reads the names in a --files-from file: separated by NUL if there
// is one in it, else by line ends. Empty names are left out.
func readList(path string, stdin io.Reader) ([]string, error) {
	var data []byte
	var err error
	if path == stdinName {
		data, err = io.ReadAll(stdin)
	} else {
		data, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, fmt.Errorf("read list of captures: %w", err)
	}
	sep := "\n"
	if bytes.IndexByte(data, 0) >= 0 {
		sep = "\x00"
	}
	var names []string
	for name := range strings.SplitSeq(string(data), sep) {
		if sep == "\n" {
			name = strings.TrimSuffix(name, "\r")
		}
		if name != "" {
			names = append(names, name)
		}
	}
	return names, nil
}

// openInputs looks at the head of each capture and returns them in capture
// order: by the time of their first record, ties by path; those without
// records last. A capture that cannot be opened is told to fail. The error is
// that of ctx.
func openInputs(ctx context.Context, paths []string, stdin io.Reader, workers int, fail func(error)) ([]*input, error) {
	var list []*input
	spare := reader.NewSpare(1)
	for _, path := range paths {
		in := newInput(path, stdin)
		err := in.peek(ctx, stdin, len(paths) == 1, workers, spare)
		if cause := context.Cause(ctx); cause != nil {
			closeInputs(list)
			return nil, cause
		}
		if err != nil {
			fail(err)
			continue
		}
		list = append(list, in)
	}
	slices.SortFunc(list, func(a, b *input) int {
		if a.timed != b.timed {
			if a.timed {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.first, b.first), strings.Compare(a.path, b.path))
	})
	for i, in := range list {
		in.number = i
	}
	return list, nil
}

// peek looks at the head of the capture. It stays open if it is the only one
// or cannot be opened twice; only then its decompressor may use the workers.
func (in *input) peek(ctx context.Context, stdin io.Reader, only bool, workers int, spare *reader.Spare) error {
	o := reader.Options{Size: in.size, Spare: spare}
	if only {
		o.Workers = workers
	}
	c, err := in.open(ctx, stdin, o)
	if err != nil {
		return err
	}
	in.first, in.timed = c.FirstTime()
	in.latest.Store(in.first)
	in.compressed = c.Info().Compression != ""
	if !only && !in.live && in.path != stdinName {
		return c.Close()
	}
	in.capture = c
	return nil
}

func closeInputs(list []*input) {
	for _, in := range list {
		if in.capture != nil {
			in.capture.Close()
		}
	}
}

// stretchBytes is how many compressed bytes make a stretch. Decompressing is
// ten times the work of everything else, so stretches are read side by side;
// this many bytes are some seconds of work, against which merging the
// stretch's sessions is nothing. Plain captures do not end a stretch: one of
// them keeps all cores busy.
const stretchBytes = 32 << 20

// stretches cuts the captures into stretches. The cuts depend on the captures
// alone, so that the result does not depend on the number of workers.
func stretches(list []*input, limit int64) [][]*input {
	var all [][]*input
	size := int64(0)
	start := 0
	for i, in := range list {
		if in.compressed {
			size += in.size
		}
		if size >= limit {
			all = append(all, list[start:i+1])
			start, size = i+1, 0
		}
	}
	if start < len(list) {
		all = append(all, list[start:])
	}
	return all
}
