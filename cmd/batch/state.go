package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"pcapbatch/internal/capture"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/runfile"
	"pcapbatch/internal/writer"
)

// optionsName is the file in a state directory that says what its runs were
// made with.
const optionsName = "options.json"

// A state is a directory with the run files of captures that were read before.
type state struct {
	dir  string
	lock *durable.Lock
	fs   durable.FS
	note func(line string)
}

// openState takes a state directory, made if there is none, for this process.
func openState(dir string, o runfile.Options, fs durable.FS) (*state, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, &exitError{exitOutput, fmt.Errorf("state directory: %w", err)}
	}
	lock, err := durable.LockDir(dir)
	if errors.Is(err, durable.ErrLocked) {
		return nil, usageError("--state %s: another run uses this directory", dir)
	}
	if err != nil {
		return nil, &exitError{exitOutput, err}
	}
	s := &state{dir: dir, lock: lock, fs: fs}
	durable.Sweep(dir, runfile.RunSuffix, runfile.PartSuffix)
	if err := s.checkOptions(o); err != nil {
		lock.Close()
		return nil, err
	}
	return s, nil
}

func (s *state) close() { s.lock.Close() }

// checkOptions refuses options that differ from those of the runs in the
// directory.
func (s *state) checkOptions(o runfile.Options) error {
	path := filepath.Join(s.dir, optionsName)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if text, err = json.MarshalIndent(o, "", "  "); err == nil {
			err = durable.Replace(s.fs, path, append(text, '\n'))
		}
		if err != nil {
			return &exitError{exitOutput, fmt.Errorf("state directory: write %s: %w", path, err)}
		}
		return nil
	}
	var kept runfile.Options
	if err == nil {
		err = json.Unmarshal(text, &kept)
	}
	if err != nil {
		return usageError("--state: %s: %w", path, err)
	}
	if d := kept.Differences(o); len(d) > 0 {
		return usageError("--state %s was made with other options: %s (there and here)", s.dir, strings.Join(d, ", "))
	}
	return nil
}

// reuse returns the run of a capture, nil where there is none that can be used.
// It tells why, if there is one.
func (s *state) reuse(id *capture.Identity, o runfile.Options) *runfile.Run {
	path := filepath.Join(s.dir, runfile.RunName(id.Path))
	run, err := runfile.Open(s.fs, path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && (run.Kind != runfile.Sessions || len(run.Options.Differences(o)) > 0) {
		err = errors.New("made with other options")
	}
	if err == nil && !run.Capture.Unchanged(id) {
		s.note(id.Path + ": changed since it was read, reading it again")
		return nil
	}
	if err == nil {
		err = run.Verify()
	}
	if err != nil {
		s.note(fmt.Sprintf("%s: what was kept of it cannot be used, reading it again: %v", id.Path, err))
		return nil
	}
	return run
}

// identify returns the identity of an input that can be kept.
func identify(in *input, flag string) (*capture.Identity, error) {
	if in.live || in.path == capture.StdinName {
		return nil, usageError("%s needs captures that can be read again, and %s is none", flag, in.path)
	}
	id, err := capture.Identify(in.path)
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}
	id.First, id.Timed = in.first, in.timed
	return id, nil
}

// extractState is extract with --state.
func (f *extractFlags) extractState(ctx context.Context, inputs []*input, share int64, layout *writer.Layout, out *output, std *streams, r *report) error {
	s, err := openState(f.state, f.runOptions(), f.memory.fs)
	if err != nil {
		closeInputs(inputs)
		return err
	}
	defer s.close()
	s.note = func(line string) {
		if !f.quiet {
			r.tell(line) // nothing else runs yet
		}
	}
	runs := make([]*runfile.Run, 0, len(inputs))
	var missing []*input
	var ids []*capture.Identity
	for _, in := range inputs {
		id, err := identify(in, "--state")
		if err != nil {
			closeInputs(inputs)
			return err
		}
		run := s.reuse(id, f.runOptions())
		if run == nil {
			missing, ids = append(missing, in), append(ids, id)
			continue
		}
		closeInputs([]*input{in})
		run.Capture = id
		if err := r.addRun(run, in.number); err != nil {
			return err
		}
		if f.strict && r.partial() {
			closeInputs(inputs)
			return &exitError{code: exitPartial}
		}
		runs = append(runs, run)
	}
	if len(missing) > 0 {
		more, err := f.readKept(ctx, missing, ids, s.dir, defaultPartitions, share, std, r)
		if err != nil {
			return err
		}
		defer closeRuns(more)
		runs = append(runs, more...)
	}
	return f.joinRuns(ctx, runs, share, layout, out, r)
}

// addRun takes down what was said of a capture when it was read.
func (r *report) addRun(run *runfile.Run, number int) error {
	var said report
	if err := json.Unmarshal(run.Report, &said); err != nil {
		return &exitError{exitUsage, fmt.Errorf("%s: %w: report: %w", run.Path, runfile.ErrDamaged, err)}
	}
	for i := range said.Captures {
		said.Captures[i].number = number
		said.Captures[i].Path = run.Capture.Path
	}
	for i := range said.Damage {
		said.Damage[i].Path = run.Capture.Path
	}
	r.add(&said)
	return nil
}
