package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"pcapbatch/internal/capture"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/ingest"
	"pcapbatch/internal/report"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// stdoutName stands for standard output.
const stdoutName = "-"

// An output is where the rows go. A file appears under its name only when it is
// complete.
type output struct {
	io.Writer
	compressor io.WriteCloser   // nil without
	packed     *bufio.Writer    // gets what the compressor writes, which is a few bytes at a time
	pending    *durable.Pending // a regular file; nil for other outputs
	file       *os.File         // a device, FIFO and the like; nil for other outputs
	path       string           // empty for standard output
}

// createOutput opens the output: standard output for "" and "-", else a file.
// If its name ends in .gz or .zst it is compressed.
func createOutput(ctx context.Context, fsys durable.FS, path string, stdout io.Writer) (*output, error) {
	o := &output{Writer: pipeWriter{ctx, stdout}}
	if path != "" && path != stdoutName {
		o.path = path
		if err := o.create(ctx, fsys); err != nil {
			return nil, outputError(o.named(err))
		}
	}
	o.packed = bufio.NewWriterSize(o.Writer, 1<<16)
	switch strings.ToLower(filepath.Ext(path)) {
	case ".gz":
		o.compressor = gzip.NewWriter(o.packed)
	case ".zst":
		z, err := zstd.NewWriter(o.packed)
		if err != nil {
			o.abort()
			return nil, outputError(o.named(err))
		}
		o.compressor = z
	}
	if o.compressor != nil {
		o.Writer = o.compressor
	}
	return o, nil
}

// create opens the file. A device, a FIFO or the like is written to directly,
// not replaced.
func (o *output) create(ctx context.Context, fsys durable.FS) (err error) {
	info, err := os.Stat(o.path)
	switch {
	case err == nil && info.IsDir():
		return syscall.EISDIR
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	case err == nil && !info.Mode().IsRegular():
		o.file, err = ingest.Await(ctx, func() (*os.File, error) { return os.OpenFile(o.path, os.O_WRONLY, 0) })
		o.Writer = pipeWriter{ctx, namedWriter{o, o.file}}
		return err
	}
	path := target(o.path)
	durable.SweepBeside(path) // removes what a run that was killed has left
	o.pending, err = durable.CreatePending(fsys, path)
	o.Writer = namedWriter{o, o.pending}
	return err
}

// target returns the absolute path, without links, of the file that writing to
// path creates or replaces. path may be a link to a file that does not exist
// yet.
func target(path string) string {
	for range 40 { // as many links as Linux follows
		link, err := os.Readlink(path)
		if err != nil {
			break
		}
		if !filepath.IsAbs(link) {
			dir, _ := filepath.Split(path) // not Dir, which takes ".." for what it looks like
			link = dir + link
		}
		path = link
	}
	dir, name := filepath.Split(path)
	return filepath.Join(capture.RealPath(cmp.Or(dir, ".")), name)
}

// named returns err with the name that the user gave to the output, in place of
// other names.
func (o *output) named(err error) error {
	if o.path == "" || err == nil {
		return err
	}
	return fmt.Errorf("%s: %w", o.path, durable.Cause(err))
}

// A namedWriter names the output in its errors.
type namedWriter struct {
	o *output
	w io.Writer
}

func (n namedWriter) Write(b []byte) (int, error) {
	done, err := n.w.Write(b)
	return done, n.o.named(err)
}

// A pipeWriter writes to a pipe or terminal that may never be read. A signal
// ends the wait.
type pipeWriter struct {
	ctx context.Context
	w   io.Writer
}

func (p pipeWriter) Write(b []byte) (int, error) {
	return ingest.Await(p.ctx, func() (int, error) { return p.w.Write(b) })
}

// commit completes the output and gives it its name. Like cp and zstd it does
// not wait until the file is on disk: the rows can be made again.
func (o *output) commit() error {
	if o.compressor != nil {
		err := o.compressor.Close()
		if err == nil {
			err = o.packed.Flush()
		}
		if err != nil {
			o.abort()
			return outputError(err)
		}
	}
	var err error
	switch {
	case o.pending != nil:
		err = o.pending.Publish()
	case o.file != nil:
		err = o.file.Close()
	}
	if err != nil {
		return outputError(o.named(err))
	}
	return nil
}

// abort removes the unfinished output.
func (o *output) abort() {
	switch {
	case o.pending != nil:
		o.pending.Abort()
	case o.file != nil:
		o.file.Close()
	}
}

// protect returns an error if a file that the run writes is one that it reads,
// or if two files that it writes are the same. files has their names by flag.
func protect(read []string, files map[string]string, e *env) error {
	written := map[string]fs.FileInfo{}
	names := map[string]string{}
	for _, flag := range slices.Sorted(maps.Keys(files)) {
		path := files[flag]
		if path == "" && flag != "output" {
			continue
		}
		name := stdoutName
		if path != "" && path != stdoutName {
			name = target(path)
		}
		if other, ok := names[name]; ok {
			return usageError("--%s and --%s name the same file", other, flag)
		}
		names[name] = flag
		// Only what exists can be a capture, and what is not a regular file is
		// not replaced.
		if info, err := statOutput(name, e.out); err == nil && info.Mode().IsRegular() {
			written[flag] = info
		}
	}
	for _, path := range read {
		info, err := capture.Stat(path, e.in)
		if err != nil {
			continue
		}
		for flag, w := range written {
			if os.SameFile(w, info) {
				return usageError("--%s would replace %s, which is read", flag, report.Printable(path))
			}
		}
	}
	return nil
}

// statOutput is os.Stat, and for stdoutName describes standard output.
func statOutput(path string, stdout io.Writer) (fs.FileInfo, error) {
	if path != stdoutName {
		return os.Stat(path)
	}
	if f, ok := stdout.(*os.File); ok {
		return f.Stat()
	}
	return nil, errors.ErrUnsupported
}
