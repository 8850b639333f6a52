package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"pcapbatch/internal/durable"
	"pcapbatch/internal/ingest"
	"pcapbatch/internal/job"
)

// outcomeLines writes what becomes of captures to a file, a JSON line for each.
// A line is written with one call as soon as its capture is done, under the name
// of the file, so that a run that is killed leaves whole lines; a copy of it that
// runs at the same time adds its own (durable.OpenLines). An object appears when
// all lines are there.
type outcomeLines struct {
	path string
	file *os.File // nil: it is none of this machine
	to   io.Writer
	end  *destination // of an object; else nil
}

// createLines opens the file, or standard output for "-"; nil for "". It waits
// for the reader of a FIFO, as lines would be lost without one.
func createLines(ctx context.Context, path string, e *env) (*outcomeLines, error) {
	switch path {
	case "":
		return nil, nil
	case stdoutName:
		return &outcomeLines{path: "standard output", to: pipeWriter{ctx, e.out}}, nil
	}
	if durable.IsObject(path) {
		to, err := createFile(ctx, e.fs, path, e.out)
		if err != nil {
			return nil, outputError(err)
		}
		return &outcomeLines{path: path, to: to, end: to}, nil
	}
	f, err := ingest.Await(ctx, func() (*os.File, error) { return durable.OpenLines(path) })
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, outputError(fmt.Errorf("%s: %w", path, durable.Cause(err)))
	}
	return &outcomeLines{path: path, file: f, to: pipeWriter{ctx, f}}, nil
}

// errNoReader is the error of a pipe that was closed. That is no reason to end with
// exit status 0, as for a pipe of rows: captures are not done yet.
var errNoReader = errors.New("its reader has closed it")

// write writes the line of a capture.
func (l *outcomeLines) write(o *job.Outcome) error {
	line, err := json.Marshal(o)
	if err == nil {
		_, err = l.to.Write(append(line, '\n'))
	}
	if errors.Is(err, syscall.EPIPE) {
		err = errNoReader
	}
	if err != nil {
		return outputError(fmt.Errorf("%s: %w", l.path, durable.Cause(err)))
	}
	return nil
}

// close closes the file.
func (l *outcomeLines) close() error {
	if l != nil && l.end != nil {
		if err := l.end.commit(); err != nil {
			return outputError(err)
		}
	}
	if l == nil || l.file == nil {
		return nil
	}
	if err := l.file.Close(); err != nil {
		return outputError(fmt.Errorf("%s: %w", l.path, durable.Cause(err)))
	}
	return nil
}
