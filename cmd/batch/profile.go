package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"runtime"
	"runtime/pprof"
	"runtime/trace"

	"github.com/spf13/pflag"

	"pcapbatch/internal/durable"
	"pcapbatch/internal/job"
)

// profileFlags are the files of --cpuprofile, --memprofile and --trace; empty
// where not asked for.
type profileFlags struct{ cpu, mem, trace string }

func (p *profileFlags) register(set *pflag.FlagSet) {
	set.StringVar(&p.cpu, "cpuprofile", "", "write a CPU profile to `FILE`")
	set.StringVar(&p.mem, "memprofile", "", "write a memory profile to `FILE`")
	set.StringVar(&p.trace, "trace", "", "write an execution trace to `FILE`")
}

// files are the files that are written, by flag.
func (p *profileFlags) files() written {
	return written{"cpuprofile": p.cpu, "memprofile": p.mem, "trace": p.trace}
}

// profiles are the profiles that are being written.
type profiles struct {
	create func(path string) (*destination, error)
	files  []*destination
	wrote  []*firstError // the profilers drop errors
}

// start begins what was asked for and returns the function that ends it.
func (p *profileFlags) start(ctx context.Context, e *env, fs durable.FS) (stop func() error, err error) {
	w := &profiles{create: func(path string) (*destination, error) { return createFile(ctx, fs, path, e.out) }}
	if err := w.begin(p.cpu, pprof.StartCPUProfile); err != nil {
		w.abort()
		return nil, err
	}
	if err := w.begin(p.trace, trace.Start); err != nil {
		pprof.StopCPUProfile()
		w.abort()
		return nil, err
	}
	return func() error {
		if p.cpu != "" {
			pprof.StopCPUProfile()
		}
		if p.trace != "" {
			trace.Stop()
		}
		err := w.begin(p.mem, func(f io.Writer) error {
			runtime.GC() // so that the profile shows what is in use now
			return pprof.WriteHeapProfile(f)
		})
		return cmp.Or(err, w.commit())
	}, nil
}

// begin starts a profiler that writes to path, unless that is empty.
func (w *profiles) begin(path string, start func(io.Writer) error) error {
	if path == "" {
		return nil
	}
	file, err := w.create(path)
	if err != nil {
		return profileError(err)
	}
	f := &firstError{Writer: file}
	w.files, w.wrote = append(w.files, file), append(w.wrote, f)
	if err := start(f); err != nil {
		return profileError(file.named(err))
	}
	return nil
}

// commit completes the profiles. It returns the first error of all.
func (w *profiles) commit() (err error) {
	for i, f := range w.files {
		if failed := w.wrote[i].err; failed != nil {
			f.abort()
			err = cmp.Or(err, failed)
			continue
		}
		err = cmp.Or(err, f.commit())
	}
	if err != nil {
		return profileError(err)
	}
	return nil
}

func (w *profiles) abort() {
	for _, f := range w.files {
		f.abort()
	}
}

func profileError(err error) error {
	return &job.Error{Category: job.Output, Err: fmt.Errorf("write profile: %w", err)}
}
