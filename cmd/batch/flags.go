package main

import (
	"runtime"

	"github.com/spf13/pflag"

	"pcapbatch/internal/agg"
	"pcapbatch/internal/shard"
)

// The flags that several commands have.

// captureFlags say where captures are looked for.
type captureFlags struct {
	recursive bool
	filesFrom string
}

func (f *captureFlags) register(set *pflag.FlagSet) {
	set.BoolVarP(&f.recursive, "recursive", "r", false, "look into the directories below a directory too")
	set.StringVar(&f.filesFrom, "files-from", "", "read names of captures from `FILE`, one a line or separated by NUL; - is standard input")
}

// sessionFlags say what a session is.
func (f *extractFlags) sessionFlags(set *pflag.FlagSet) {
	set.StringVar(&f.direction, "direction", "bidirectional", "`MODE`: bidirectional joins both directions of a 5-tuple, unidirectional keeps them apart")
	set.StringVar(&f.key, "key", "", "add `WHAT` to the session key: vlan (outermost and innermost VLAN id)")
	set.BoolVar(&f.decapsulate, "decapsulate", false, "take the innermost IP header of tunnels (GRE, VXLAN, GTP-U ...)")
	set.DurationVar(&f.timeout, "idle-timeout", 0, "end a session at a gap greater than this `DURATION`; 0: never")
}

func (f *extractFlags) thresholdFlag(set *pflag.FlagSet) {
	set.DurationVar(&f.threshold, "idle-threshold", agg.DefaultIdleThreshold, "gaps greater than this `DURATION` are idle time")
}

// columnFlags say what is written of a session.
func (f *extractFlags) columnFlags(set *pflag.FlagSet) {
	set.StringSliceVar(&f.features, "features", []string{"basic"}, "`GROUPS` of columns: basic, totals, mean, all")
	set.BoolVar(&f.sampleStd, "sample-std", false, "divide variances by n-1 instead of n")
	set.StringVar(&f.undefined, "undefined", "zero", "write an undefined value as `WHAT`: zero or empty")
}

func (f *extractFlags) strictFlag(set *pflag.FlagSet) {
	set.BoolVar(&f.strict, "strict", false, "stop at the first capture that is damaged or cannot be read")
}

func (f *extractFlags) outputFlag(set *pflag.FlagSet) {
	set.StringVarP(&f.output, "output", "o", "", "write rows to `FILE`; .gz and .zst compress (default standard output)")
}

func (f *extractFlags) summaryFlag(set *pflag.FlagSet) {
	set.StringVar(&f.summary, "summary", "", "write a summary of the run to `FILE` as JSON")
}

func (f *extractFlags) progressFlag(set *pflag.FlagSet) {
	set.StringVar(&f.progress, "progress", "auto", "show a progress bar `WHEN`: auto (on a terminal), always, never")
}

func (f *extractFlags) noticeFlags(set *pflag.FlagSet) {
	set.BoolVarP(&f.quiet, "quiet", "q", false, "no progress, summary or notes; damage is still told")
	set.BoolVarP(&f.verbose, "verbose", "v", false, "summary and notes even without a terminal")
}

func (f *extractFlags) resourceFlags(set *pflag.FlagSet) {
	set.IntVarP(&f.workers, "workers", "j", min(runtime.GOMAXPROCS(0), shard.MaxWorkers), "use `N` workers; the rows do not depend on it")
	f.memory.register(set)
}
