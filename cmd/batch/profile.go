package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"runtime/trace"
)

// profiles are the files of --cpuprofile, --memprofile and --trace; empty
// where not asked for.
type profiles struct{ cpu, mem, trace string }

// start begins what was asked for and returns the function that ends it.
func (p *profiles) start() (stop func() error, err error) {
	var files []*os.File
	create := func(path string, begin func(f *os.File) error) error {
		if path == "" {
			return nil
		}
		f, err := os.Create(path)
		if err != nil {
			return &exitError{exitOutput, err}
		}
		files = append(files, f)
		return begin(f)
	}
	if err := create(p.cpu, func(f *os.File) error { return pprof.StartCPUProfile(f) }); err != nil {
		return nil, err
	}
	if err := create(p.trace, func(f *os.File) error { return trace.Start(f) }); err != nil {
		pprof.StopCPUProfile()
		return nil, err
	}
	return func() error {
		if p.cpu != "" {
			pprof.StopCPUProfile()
		}
		if p.trace != "" {
			trace.Stop()
		}
		err := create(p.mem, func(f *os.File) error {
			runtime.GC() // so that the profile shows what is in use now
			return pprof.WriteHeapProfile(f)
		})
		for _, f := range files {
			if cerr := f.Close(); err == nil && cerr != nil {
				err = &exitError{exitOutput, fmt.Errorf("write profile: %w", cerr)}
			}
		}
		return err
	}, nil
}
