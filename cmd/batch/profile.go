package main

import (
	"cmp"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"runtime/trace"

	"github.com/spf13/pflag"

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
func (p *profileFlags) files() map[string]string {
	return map[string]string{"cpuprofile": p.cpu, "memprofile": p.mem, "trace": p.trace}
}

// start begins the profiles that were asked for and returns a function that
// ends and writes them.
func (p *profileFlags) start() (stop func() error, err error) {
	var files []*os.File
	var written []*firstError // the profilers drop errors
	create := func(path string, begin func(f *firstError) error) error {
		if path == "" {
			return nil
		}
		file, err := os.Create(path)
		if err != nil {
			return &job.Error{Category: job.Output, Err: fmt.Errorf("write profile: %w", err)}
		}
		f := &firstError{Writer: file}
		files, written = append(files, file), append(written, f)
		if err := begin(f); err != nil {
			return &job.Error{Category: job.Output, Err: fmt.Errorf("write profile: %s: %w", path, err)}
		}
		return nil
	}
	end := func() (err error) {
		for i, f := range files {
			err = cmp.Or(err, written[i].err, f.Close())
		}
		if err != nil {
			return &job.Error{Category: job.Output, Err: fmt.Errorf("write profile: %w", err)}
		}
		return nil
	}
	if err := create(p.cpu, func(f *firstError) error { return pprof.StartCPUProfile(f) }); err != nil {
		end()
		return nil, err
	}
	if err := create(p.trace, func(f *firstError) error { return trace.Start(f) }); err != nil {
		pprof.StopCPUProfile()
		end()
		return nil, err
	}
	return func() error {
		if p.cpu != "" {
			pprof.StopCPUProfile()
		}
		if p.trace != "" {
			trace.Stop()
		}
		err := create(p.mem, func(f *firstError) error {
			runtime.GC() // so that the profile shows what is in use now
			return pprof.WriteHeapProfile(f)
		})
		return cmp.Or(err, end())
	}, nil
}
