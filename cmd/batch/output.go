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

// An output is where the rows go. A file gets the name asked for when it is
// complete: under that there is never half a CSV.
type output struct {
	io.Writer
	compressor io.WriteCloser   // nil without
	packed     *bufio.Writer    // behind the compressor, which writes a few bytes at a time
	pending    *durable.Pending // nil for what is there and not a regular file
	file       *os.File         // that; nil for standard output
	path       string           // empty for standard output
}

// createOutput opens the output: standard output for "" and "-", else a file,
// compressed as its name ends.
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

// create opens the file. What exists and is not a regular file, such as a
// device or a FIFO, is written to as it is.
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
	durable.SweepBeside(path) // what a run that was killed has left
	o.pending, err = durable.CreatePending(fsys, path)
	o.Writer = namedWriter{o, o.pending}
	return err
}

// target is the absolute path, without links, of the file that writing to path
// makes or replaces: also of a link to what is not there yet.
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

// named puts the name that was asked for into an error in place of others.
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

// A pipeWriter writes to what may not be read for ever. A signal ends the wait.
type pipeWriter struct {
	ctx context.Context
	w   io.Writer
}

func (p pipeWriter) Write(b []byte) (int, error) {
	return ingest.Await(p.ctx, func() (int, error) { return p.w.Write(b) })
}

// commit completes the output and gives it its name. It does not wait for the
// disk, as little as cp or zstd do: a row can be made again.
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

// abort gives the output up and leaves nothing behind.
func (o *output) abort() {
	switch {
	case o.pending != nil:
		o.pending.Abort()
	case o.file != nil:
		o.file.Close()
	}
}

// protect returns an error if a file that the run writes is one that it reads,
// or if two of them are the same. files are by flag.
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
		// Only what exists can be a capture, and what is not a regular file is not replaced.
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

// statOutput is os.Stat that knows standard output.
func statOutput(path string, stdout io.Writer) (fs.FileInfo, error) {
	if path != stdoutName {
		return os.Stat(path)
	}
	if f, ok := stdout.(*os.File); ok {
		return f.Stat()
	}
	return nil, errors.ErrUnsupported
}
