// Package durabletest has file systems that fail, for tests of what happens
// then. Only tests import it.
package durabletest

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"syscall"

	"pcapbatch/internal/durable"
)

// Faults is a durable.FS that counts what it is asked to write and fails at one
// of these calls, or from there on. Nothing is synced: no test looks at what a
// disk holds after a crash, and it takes most of the time.
type Faults struct {
	durable.FS
	At    int   // the call that fails, from 0
	Err   error // its error; nil: a short write without one
	Stays bool  // all that come later fail as well

	mu     sync.Mutex
	calls  int
	temps  int
	open   int
	failed []Fault
	closed bool
}

// None returns a Faults that only counts.
func None() *Faults { return &Faults{FS: durable.OS, At: 1 << 30} }

// ways are how a call can fail.
var ways = [...]struct {
	err   error
	stays bool
}{{syscall.ENOSPC, true}, {syscall.ENOSPC, false}, {syscall.EIO, true}, {syscall.EIO, false}, {nil, false}}

// Each tries the faults of a run that makes so many calls: each call fails in
// each way, or, where that is more than most, about that many of them, evenly
// spaced and in all ways by turns. It returns for how many try said that the
// run has met the fault.
func Each(calls, most int, try func(*Faults) bool) (met int) {
	all := calls * len(ways)
	step := (all-1)/most + 1
	if step > 1 && step%len(ways) == 0 {
		step++ // else it were always the same way
	}
	for i := 0; i < all; i += step {
		way := ways[i%len(ways)]
		if try(&Faults{FS: durable.OS, At: i / len(ways), Err: way.err, Stays: way.stays}) {
			met++
		}
	}
	return met
}

// Calls is the number of calls so far.
func (f *Faults) Calls() int { return f.locked(&f.calls) }

// Temps is the number of temporary files that were made.
func (f *Faults) Temps() int { return f.locked(&f.temps) }

// Left is the number of files that were made and not closed.
func (f *Faults) Left() int { return f.locked(&f.open) }

func (f *Faults) locked(n *int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return *n
}

// Failed are the calls that failed, in their order, but for those of closing
// temporary files: they may fail, as nothing in them is needed any more.
func (f *Faults) Failed() []Fault { return f.failed }

// Met reports whether any call failed.
func (f *Faults) Met() bool { return f.closed || len(f.failed) > 0 }

// A Fault is a call that failed, and what the message has to call its file.
type Fault struct{ What, Name string }

// Named reports whether a message ends with one of the files that failed, by
// its own name, and the cause.
func (f *Faults) Named(message string) bool {
	cause := f.Err
	if cause == nil {
		cause = io.ErrShortWrite
	}
	return !strings.Contains(message, ".tmp") && slices.ContainsFunc(f.failed, func(x Fault) bool {
		return strings.HasSuffix(message, x.Name+": "+cause.Error())
	})
}

// String says how to repeat the run: it is for the messages of failing tests.
func (f *Faults) String() string {
	return fmt.Sprintf("%v (all later calls: %t) at call %d, %v", f.Err, f.Stays, f.At, f.failed)
}

// Calls that are not as others: only one with a buffer can be short, and
// nothing that is still needed is in a temporary file when it is closed.
const (
	write     = "write"
	closeTemp = "temporary close"
)

// step counts a call and returns its error.
func (f *Faults) step(what, name string) (err error, failed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.calls
	f.calls++
	if n < f.At || n > f.At && !f.Stays || f.Err == nil && what != write {
		return nil, false
	}
	if what == closeTemp {
		f.closed = true
	} else {
		f.failed = append(f.failed, Fault{what, name})
	}
	return f.Err, true
}

// Create implements durable.FS.
func (f *Faults) Create(temp, path string) (durable.File, error) {
	return f.make(path, "close", func() (durable.File, error) { return f.FS.Create(temp, path) })
}

// Temp implements durable.FS.
func (f *Faults) Temp(dir string) (durable.File, error) {
	f.mu.Lock()
	f.temps++
	f.mu.Unlock()
	return f.make("temporary file in "+dir, closeTemp, func() (durable.File, error) { return f.FS.Temp(dir) })
}

func (f *Faults) make(name, closes string, create func() (durable.File, error)) (durable.File, error) {
	if err, failed := f.step("create", name); failed {
		return nil, err
	}
	made, err := create()
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	f.open++
	f.mu.Unlock()
	return &file{made, f, name, closes}, nil
}

// Rename implements durable.FS.
func (f *Faults) Rename(from, to string) error {
	if err, failed := f.step("rename", to); failed {
		return err
	}
	return f.FS.Rename(from, to)
}

// SyncDir implements durable.FS.
func (f *Faults) SyncDir(path string) error {
	err, _ := f.step("sync directory", path)
	return err
}

// A file is one that was made on a Faults.
type file struct {
	durable.File
	fs     *Faults
	name   string
	closes string // what closing it is
}

func (f *file) Write(p []byte) (int, error) {
	if err, failed := f.fs.step(write, f.name); failed {
		n, _ := f.File.Write(p[:len(p)/2])
		return n, err
	}
	return f.File.Write(p)
}

func (f *file) Sync() error {
	err, _ := f.fs.step("sync", f.name)
	return err
}

func (f *file) Truncate(size int64) error {
	if err, failed := f.fs.step("truncate", f.name); failed {
		return err
	}
	return f.File.Truncate(size)
}

func (f *file) Close() error {
	err := f.File.Close()
	if err == nil {
		f.fs.mu.Lock()
		f.fs.open--
		f.fs.mu.Unlock()
	}
	if fault, failed := f.fs.step(f.closes, f.name); failed {
		return fault
	}
	return err
}
