package main

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"

	"pcapbatch/internal/capture"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/ingest"
	"pcapbatch/internal/job"
	"pcapbatch/internal/report"
)

// written are the files that a run writes, by flag; "" and "-" are standard
// output for --output, and "" is nothing for the others.
type written map[string]string

// targets are the files as absolute paths without links.
func (w written) targets() (paths []string) {
	for _, path := range w {
		if path != "" && path != stdoutName {
			paths = append(paths, target(path))
		}
	}
	return paths
}

// protect returns an error if two of the files are the same, or if one of them
// is among those that are read.
func (w written) protect(read []string, e *env) error {
	there := map[string]fs.FileInfo{}
	names := map[string]string{}
	for _, flag := range slices.Sorted(maps.Keys(w)) {
		path := w[flag]
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
		if info, err := statOutput(name, e.out); !durable.IsObject(name) && err == nil && info.Mode().IsRegular() {
			there[flag] = info
		}
	}
	for _, path := range read {
		if flag, ok := names[path]; ok && durable.IsObject(path) {
			return usageError("--%s would replace %s, which is read", flag, report.Printable(path))
		}
		info, err := capture.Stat(e.fs, path, e.in)
		if err != nil {
			continue
		}
		for flag, old := range there {
			if os.SameFile(old, info) {
				return usageError("--%s would replace %s, which is read", flag, report.Printable(path))
			}
		}
	}
	return nil
}

// protectFound is protect for captures: those that were found, and those that a
// directory has where the run writes. What an earlier run wrote there is no
// capture and is replaced.
func (w written) protectFound(found *capture.Found, list string, e *env) error {
	read := append(slices.Clone(found.Paths), list)
	for _, path := range found.LeftOut {
		if ingest.Recognised(e.fs, path) {
			read = append(read, path)
		}
	}
	return w.protect(read, e)
}

// protectDir returns an error if one of the files would take the place of what a
// directory of run files or parts consists of.
func (w written) protectDir(dir string) error {
	if dir == "" {
		return nil
	}
	real := target(durable.Join(dir, "x"))
	for _, flag := range slices.Sorted(maps.Keys(w)) {
		path := w[flag]
		if path == "" || path == stdoutName {
			continue
		}
		t := target(path)
		if durable.Dir(t) == durable.Dir(real) && job.Keeps(durable.Base(t)) {
			return usageError("--%s %s: files of that name in %s belong to the program", flag, report.Printable(path), report.Printable(dir))
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
