package main

import (
	"context"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"pcapbatch/internal/capture"
	"pcapbatch/internal/ingest"
	"pcapbatch/internal/job"
	"pcapbatch/internal/writer"
)

// The groups of flags that commands have in common. Each is declared by register
// and put into a job.Config by set.

// A choice is a flag whose value is one of a few words: a pflag.Value.
type choice struct {
	value string
	words []string
}

func (c *choice) String() string { return c.value }
func (c *choice) Type() string   { return "word" }

func (c *choice) Set(value string) error {
	if !slices.Contains(c.words, value) {
		return usageError("must be one of %s", strings.Join(c.words, ", "))
	}
	c.value = value
	return nil
}

// one declares a choice; its first word is the default.
func one(set *pflag.FlagSet, name, usage string, words ...string) *choice {
	c := &choice{words[0], words}
	set.Var(c, name, usage)
	return c
}

// captureFlags say where captures are looked for.
type captureFlags struct {
	recursive bool
	filesFrom string
}

func (f *captureFlags) register(set *pflag.FlagSet) {
	set.BoolVarP(&f.recursive, "recursive", "r", false, "look into the directories below a directory too")
	set.StringVar(&f.filesFrom, "files-from", "", "read names of captures from `FILE`, one a line or separated by NUL; - is standard input")
}

// find looks for the captures that the arguments and --files-from name.
func (f *captureFlags) find(ctx context.Context, args []string, e *env) (*capture.Found, error) {
	if f.filesFrom != "" {
		names, err := ingest.Await(ctx, func() ([]string, error) { return capture.ReadList(f.filesFrom, e.in) })
		if err != nil {
			return nil, &job.Error{Category: job.Input, Err: err}
		}
		args = append(slices.Clone(args), names...)
	}
	if len(args) == 0 {
		return nil, usageError("no captures named")
	}
	if f.filesFrom == capture.StdinName && slices.Contains(args, capture.StdinName) {
		return nil, usageError("standard input cannot be both a capture and the list of captures")
	}
	return capture.Find(args, f.recursive), nil
}

// sessionFlags say what a session is and what is counted of it.
type sessionFlags struct {
	direction, key *choice
	decapsulate    bool
	timeout        time.Duration
	threshold      time.Duration
}

func (f *sessionFlags) register(set *pflag.FlagSet) {
	f.direction = one(set, "direction", "`MODE`: bidirectional joins both directions of a 5-tuple, unidirectional keeps them apart", "bidirectional", "unidirectional")
	f.key = one(set, "key", "add `WHAT` to the session key: vlan (outermost and innermost VLAN id)", "", "vlan")
	set.BoolVar(&f.decapsulate, "decapsulate", false, "take the innermost IP header of tunnels (GRE, VXLAN, GTP-U ...)")
	set.DurationVar(&f.timeout, "idle-timeout", 0, "end a session at a gap greater than this `DURATION`; 0: never")
}

func (f *sessionFlags) registerThreshold(set *pflag.FlagSet) {
	set.DurationVar(&f.threshold, "idle-threshold", job.DefaultSessions().IdleThreshold, "gaps greater than this `DURATION` are idle time")
}

func (f *sessionFlags) set(c *job.Config) {
	c.Sessions = job.Sessions{
		Unidirectional: f.direction.value == "unidirectional",
		VLAN:           f.key.value == "vlan",
		Decapsulate:    f.decapsulate,
		IdleThreshold:  f.threshold,
		IdleTimeout:    f.timeout,
	}
}

// columnFlags say what is written of a session.
type columnFlags struct {
	features  []string
	sampleStd bool
	undefined *choice
}

// columnFlagNames are the flags of columnFlags.
var columnFlagNames = [...]string{"features", "sample-std", "undefined"}

func (f *columnFlags) register(set *pflag.FlagSet) {
	set.StringSliceVar(&f.features, "features", []string{"basic"}, "`GROUPS` of columns: basic, totals, mean, all")
	set.BoolVar(&f.sampleStd, "sample-std", false, "divide variances by n-1 instead of n")
	f.undefined = one(set, "undefined", "write an undefined value as `WHAT`: zero or empty", "zero", "empty")
}

func (f *columnFlags) set(c *job.Config) error {
	c.Columns = writer.Options{SampleStd: f.sampleStd, UndefinedEmpty: f.undefined.value == "empty"}
	for _, name := range f.features {
		c.Columns.Features = append(c.Columns.Features, writer.Group(name))
	}
	if _, err := writer.NewLayout(c.Columns); err != nil {
		return usageError("--features: %w", err)
	}
	return nil
}

// resourceFlags say what a job may use of the machine.
type resourceFlags struct {
	workers int
	memory  string
	tempDir string
}

func (f *resourceFlags) register(set *pflag.FlagSet) {
	set.IntVarP(&f.workers, "workers", "j", min(runtime.GOMAXPROCS(0), job.MaxWorkers), "use `N` workers; the rows do not depend on it")
	f.registerMemory(set)
}

func (f *resourceFlags) registerMemory(set *pflag.FlagSet) {
	set.StringVar(&f.memory, "memory", "", "keep to `SIZE` of memory (as 800M or 16G), and put sessions on disk beyond (default three quarters of the machine's)")
	set.StringVar(&f.tempDir, "temp-dir", "", "put what does not fit into memory in `DIR` (default the system's directory for temporary files)")
}

// set tells the runtime of the limit too: garbage may double what is live
// otherwise.
func (f *resourceFlags) set(c *job.Config) (err error) {
	c.Workers = max(f.workers, 0)
	if f.workers < 1 || f.workers > job.MaxWorkers {
		return usageError("--workers %d: must be 1 to %d", f.workers, job.MaxWorkers)
	}
	c.TempDir = f.tempDir
	c.Memory, err = memoryLimit(f.memory, f.workers)
	if err == nil && c.Memory > 0 {
		debug.SetMemoryLimit(c.Memory)
	}
	return err
}

// config is a Config for a command of this environment.
func (e *env) config(o job.Observer) job.Config {
	c := job.New()
	c.FS, c.Stdin, c.Observer = e.fs, e.in, o
	return c
}

// changedFlags are the flags that were given, for the report.
func changedFlags(set *pflag.FlagSet) map[string]string {
	m := map[string]string{}
	set.Visit(func(f *pflag.Flag) { m[f.Name] = f.Value.String() })
	return m
}
