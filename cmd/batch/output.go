package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// stdoutName stands for standard output.
const stdoutName = "-"

// An output is where the rows go. A file gets a temporary name beside the one
// asked for, and is renamed by commit: under the name that was asked for there
// is never half a CSV.
type output struct {
	io.Writer
	compressor io.WriteCloser // nil without
	file       *os.File       // nil for standard output
	path       string         // to rename to; empty where file has its name already
}

// createOutput opens the output: standard output for "" and "-", else a file,
// compressed as its name ends.
func createOutput(ctx context.Context, path string, stdout io.Writer) (*output, error) {
	o := &output{Writer: pipeWriter{ctx, stdout}}
	if path != "" && path != stdoutName {
		if err := o.create(ctx, path); err != nil {
			return nil, outputError(err)
		}
	}
	switch strings.ToLower(filepath.Ext(path)) {
	case ".gz":
		o.compressor = gzip.NewWriter(o.Writer)
	case ".zst":
		z, err := zstd.NewWriter(o.Writer)
		if err != nil {
			o.abort()
			return nil, outputError(err)
		}
		o.compressor = z
	}
	if o.compressor != nil {
		o.Writer = o.compressor
	}
	return o, nil
}

func outputError(err error) error {
	return &exitError{exitOutput, fmt.Errorf("write output: %w", err)}
}

// create opens the file for path. What exists and is not a regular file, such
// as a device or a FIFO, is written to as it is.
func (o *output) create(ctx context.Context, path string) (err error) {
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return fmt.Errorf("%s is a directory", path)
	case err == nil && !info.Mode().IsRegular():
		o.file, err = await(ctx, func() (*os.File, error) { return os.OpenFile(path, os.O_WRONLY, 0) })
	default:
		if real, err := filepath.EvalSymlinks(path); err == nil {
			path = real // replace what a link points to, not the link
		}
		o.path = path
		name := fmt.Sprintf(".%s.%s.tmp", filepath.Base(path), rand.Text()[:8])
		o.file, err = os.OpenFile(filepath.Join(filepath.Dir(path), name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, pathCause(err))
	}
	o.Writer = o.file
	if o.path == "" {
		o.Writer = pipeWriter{ctx, o.file}
	}
	return nil
}

// A pipeWriter writes to what may not be read for ever. A signal ends the wait.
type pipeWriter struct {
	ctx context.Context
	w   io.Writer
}

func (p pipeWriter) Write(b []byte) (int, error) {
	return await(p.ctx, func() (int, error) { return p.w.Write(b) })
}

// commit completes the output and gives it its name.
func (o *output) commit() error {
	if o.compressor != nil {
		if err := o.compressor.Close(); err != nil {
			o.abort()
			return outputError(err)
		}
	}
	if o.file == nil {
		return nil
	}
	if err := o.file.Close(); err != nil {
		o.remove()
		return outputError(err)
	}
	if o.path == "" {
		return nil
	}
	if err := os.Rename(o.file.Name(), o.path); err != nil {
		o.remove()
		return outputError(err)
	}
	return nil
}

// abort gives the output up and leaves nothing behind.
func (o *output) abort() {
	if o.file != nil {
		o.file.Close()
		o.remove()
	}
}

func (o *output) remove() {
	if o.path != "" {
		os.Remove(o.file.Name())
	}
}

// protect returns an error if a file that the run writes is one of its
// captures, or if two of them are the same. files are by flag.
func protect(captures []string, files map[string]string, std *streams) error {
	written := map[string]fs.FileInfo{}
	names := map[string]string{}
	for _, flag := range slices.Sorted(maps.Keys(files)) {
		path := files[flag]
		if path == "" && flag != "output" {
			continue
		}
		name := filepath.Clean(path)
		if path == "" {
			name = stdoutName
		}
		if other, ok := names[name]; ok {
			return usageError("--%s and --%s name the same file", other, flag)
		}
		names[name] = flag
		// Only what exists can be a capture, and what is not a regular file is not replaced.
		if info, err := statOutput(name, std.out); err == nil && info.Mode().IsRegular() {
			written[flag] = info
		}
	}
	for _, path := range captures {
		info, err := statInput(path, std.in)
		if err != nil {
			continue
		}
		for flag, w := range written {
			if os.SameFile(w, info) {
				return usageError("--%s would replace the capture %s", flag, printable(path))
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
