package main

import (
	"cmp"
	"context"
	"io"
	"slices"
	"strings"
	"sync/atomic"

	"pcapbatch/internal/capture"
	"pcapbatch/internal/reader"
)

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
	if info, err := capture.Stat(path, stdin); err == nil && info.Mode().IsRegular() {
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

// open opens the capture. A signal ends the wait for whoever writes to a pipe.
func (in *input) open(ctx context.Context, stdin io.Reader, o reader.Options) (*reader.Capture, error) {
	open := func() (*reader.Capture, error) { return reader.Open(in.path, o) }
	if in.path == capture.StdinName {
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

// captureArgs are the captures named by the arguments and by --files-from.
func captureArgs(ctx context.Context, args []string, filesFrom string, stdin io.Reader) ([]string, error) {
	if filesFrom != "" {
		names, err := await(ctx, func() ([]string, error) { return capture.ReadList(filesFrom, stdin) })
		if err != nil {
			return nil, &exitError{exitUsage, err}
		}
		args = append(slices.Clone(args), names...)
	}
	if len(args) == 0 {
		return nil, usageError("no captures named")
	}
	if filesFrom == capture.StdinName && slices.Contains(args, capture.StdinName) {
		return nil, usageError("standard input cannot be both a capture and the list of captures")
	}
	return args, nil
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
	if !only && !in.live && in.path != capture.StdinName {
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
