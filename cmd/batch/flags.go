package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"pcapbatch/internal/capture"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/ingest"
	"pcapbatch/internal/job"
	"pcapbatch/internal/label"
	"pcapbatch/internal/report"
	"pcapbatch/internal/writer"
)

// The groups of flags that commands have in common. Each is declared by
// register and put into a job.Config by set.

// A choice is a flag whose value is one of a few words: a pflag.Value.
type choice struct {
	value string
	words []string
}

func (c *choice) String() string { return c.value }
func (c *choice) Type() string   { return "word" }

func (c *choice) Set(value string) error {
	if !slices.Contains(c.words, value) {
		return usageError("must be one of %s", strings.Join(c.named(), ", "))
	}
	c.value = value
	return nil
}

// named are the words that can be written out: "" is what no flag means.
func (c *choice) named() []string {
	return slices.DeleteFunc(slices.Clone(c.words), func(w string) bool { return w == "" })
}

// A duration is a flag whose value is a time: of Go's syntax, or a number of
// seconds. It is a pflag.Value.
type duration time.Duration

func (d *duration) String() string {
	if *d == 0 {
		return "0" // for which the help shows no default
	}
	return time.Duration(*d).String()
}
func (d *duration) Type() string { return "duration" }

func (d *duration) Set(value string) error {
	got, err := time.ParseDuration(value)
	if err != nil {
		if got, err = time.ParseDuration(value + "s"); err != nil {
			return usageError("must be a time such as 90, 60s, 1.5m or 2h")
		}
	}
	*d = duration(got)
	return nil
}

// durationVar declares a duration.
func durationVar(set *pflag.FlagSet, p *time.Duration, name string, value time.Duration, usage string) {
	*p = value
	set.Var((*duration)(p), name, usage)
}

// one declares a choice; its first word is the default.
func one(set *pflag.FlagSet, name, usage string, words ...string) *choice {
	c := &choice{words[0], words}
	set.Var(c, name, usage)
	return c
}

// words is a flag whose value is a list of some of a few words, separated by
// commas, in any order: a pflag.Value.
type words struct {
	given []string // in the order of known
	known []string
}

func (w *words) String() string { return strings.Join(w.given, ",") }
func (w *words) Type() string   { return "words" }

func (w *words) Set(value string) error {
	w.given = nil
	if value == "" {
		return nil
	}
	list := strings.Split(value, ",")
	for _, word := range list {
		if !slices.Contains(w.known, word) {
			return usageError("%q is not one of %s", word, strings.Join(w.known, ", "))
		}
	}
	w.given = slices.DeleteFunc(slices.Clone(w.known), func(word string) bool { return !slices.Contains(list, word) })
	return nil
}

func (w *words) has(word string) bool { return slices.Contains(w.given, word) }

// captureFlags say where captures are looked for.
type captureFlags struct {
	recursive bool
	filesFrom string
}

func (f *captureFlags) register(set *pflag.FlagSet) {
	set.BoolVarP(&f.recursive, "recursive", "r", false, "search the directories below a directory too")
	set.StringVar(&f.filesFrom, "files-from", "", "read the names of captures from `FILE`, one a line or separated by NUL bytes; - is standard input")
}

// find looks for the captures that the arguments and --files-from name; written
// are for capture.Find.
func (f *captureFlags) find(ctx context.Context, args []string, e *env, written ...string) (*capture.Found, error) {
	for _, arg := range args {
		if err := noCapture(arg); err != nil {
			return nil, err
		}
	}
	if f.filesFrom != "" {
		names, err := ingest.Await(ctx, func() ([]string, error) { return capture.ReadList(e.fs, f.filesFrom, e.in) })
		if err != nil {
			return nil, &job.Error{Category: job.Input, Err: err}
		}
		args = append(slices.Clone(args), names...)
	}
	if len(args) == 0 {
		return nil, usageError("no captures named; standard input is named -")
	}
	if slices.Contains(args, capture.StdinName) && isTerminal(e.in) {
		return nil, usageError("standard input is a terminal: a capture comes through a pipe or from a file")
	}
	if f.filesFrom == capture.StdinName && slices.Contains(args, capture.StdinName) {
		return nil, usageError("standard input cannot be both a capture and the list of captures")
	}
	return capture.Find(e.fs, args, f.recursive, written...), nil
}

// sessionFlags say what a session is and what is counted of it.
type sessionFlags struct {
	direction   *choice
	key         words
	decapsulate bool
	tunnelPorts string
	timeout     time.Duration
	active      time.Duration
	tcpEnd      bool
	threshold   time.Duration

	flags *pflag.FlagSet
}

func (f *sessionFlags) register(set *pflag.FlagSet) {
	f.flags = set
	f.direction = one(set, "direction", "with `MODE` bidirectional both directions of a 5-tuple are one session, with unidirectional two", "bidirectional", "unidirectional")
	f.key.known = []string{"vlan", "capture"}
	set.Var(&f.key, "key", "make `FIELDS` part of the session key, separated by commas: vlan, the outermost and the innermost VLAN id, and capture")
	set.BoolVar(&f.decapsulate, "decapsulate", false, "take the session from the innermost IP header of tunnels (GRE, VXLAN, GTP-U ...)")
	set.StringVar(&f.tunnelPorts, "tunnel-port", "", "with --decapsulate, take these UDP ports for tunnels too: a `LIST` such as vxlan=8472,geneve=7000")
	durationVar(set, &f.timeout, "idle-timeout", 0, "end a session at a gap longer than `DURATION`, such as 60 (seconds) or 5m; 0, the default, is never")
	durationVar(set, &f.active, "active-timeout", 0, "end a session at a packet that comes more than `DURATION` after its first; 0, the default, is never")
	set.BoolVar(&f.tcpEnd, "tcp-end", false, "end a closed TCP session at the SYN of a new connection")
}

func (f *sessionFlags) registerThreshold(set *pflag.FlagSet) {
	durationVar(set, &f.threshold, "idle-threshold", job.DefaultSessions().IdleThreshold, "count gaps longer than `DURATION` as idle time")
}

// set puts the flags into a Config; rules are for those that were not given.
func (f *sessionFlags) set(c *job.Config, rules writer.Rules) {
	if !f.flags.Lookup("idle-timeout").Changed {
		f.timeout = rules.IdleTimeout
	}
	if !f.flags.Lookup("active-timeout").Changed {
		f.active = rules.ActiveTimeout
	}
	if !f.flags.Lookup("tcp-end").Changed {
		f.tcpEnd = rules.TCPEnd
	}
	c.Sessions = job.Sessions{
		Unidirectional: f.direction.value == "unidirectional",
		VLAN:           f.key.has("vlan"),
		Capture:        f.key.has("capture"),
		Decapsulate:    f.decapsulate,
		TunnelPorts:    f.tunnelPorts,
		IdleThreshold:  f.threshold,
		IdleTimeout:    f.timeout,
		ActiveTimeout:  f.active,
		TCPEnd:         f.tcpEnd,
	}
}

// columnFlags say what is written of a session.
type columnFlags struct {
	features  []string
	schema    *choice
	columns   []string
	quantiles string
	sequence  int
	sampleStd bool
	undefined *choice
	labels    string
	unmatched string

	flags *pflag.FlagSet
}

// columnFlagNames are the flags of columnFlags.
var columnFlagNames = [...]string{"features", "schema", "columns", "quantiles", "sequence", "sample-std", "undefined", "labels", "default-label"}

func (f *columnFlags) register(set *pflag.FlagSet) {
	f.registerKept(set)
	set.StringSliceVar(&f.columns, "columns", nil, "write only the columns of this `LIST`, separated by commas, in its order")
	set.BoolVar(&f.sampleStd, "sample-std", false, "divide variances by n-1 instead of by n")
	f.undefined = one(set, "undefined", "write `VALUE` where a statistic is undefined: zero or empty", "zero", "empty")
	set.StringVar(&f.labels, "labels", "", "add the column label: that of the first rule of the CSV `FILE` that matches the session")
	set.StringVar(&f.unmatched, "default-label", "", "with --labels, label sessions that no rule matches with `TEXT`")
}

// registerKept declares the flags that say what sessions have to keep.
func (f *columnFlags) registerKept(set *pflag.FlagSet) {
	f.flags = set
	f.schema = registerSchema(set, "write the columns of another `PROGRAM`, by its session rules unless flags say otherwise: ")
	var names []string
	for _, g := range writer.FeatureGroups() {
		names = append(names, string(g))
	}
	set.StringSliceVar(&f.features, "features", []string{"basic"}, "choose `GROUPS` of columns, separated by commas: "+strings.Join(names, ", ")+", or all")
	set.Lookup("features").DefValue = "basic" // without brackets
	set.StringVar(&f.quantiles, "quantiles", "", "add columns for the quantiles of a `LIST` of percentages, such as 5,25,75,95")
	set.IntVar(&f.sequence, "sequence", 0, "add columns for the first `N` packets of each session, at most "+fmt.Sprint(writer.MaxSequence))
}

// registerSchema declares --schema.
func registerSchema(set *pflag.FlagSet, usage string) *choice {
	return one(set, "schema", usage+strings.Join(writer.Schemas(), " or "), append([]string{""}, writer.Schemas()...)...)
}

// given reports whether a flag was given.
func (f *columnFlags) given(name string) bool { return f.flags.Lookup(name).Changed }

// set puts the flags into a Config. keyKnown says that c has the session key, and
// not the run files that will be read.
func (f *columnFlags) set(ctx context.Context, c *job.Config, keyKnown bool) error {
	c.Columns = writer.Options{SampleStd: f.sampleStd, UndefinedEmpty: f.undefined != nil && f.undefined.value == "empty", Columns: f.columns}
	c.Columns.Schema = f.schema.value
	if c.Columns.Schema == "" || f.given("features") {
		for _, name := range f.features {
			c.Columns.Features = append(c.Columns.Features, writer.Group(name))
		}
	}
	if f.given("quantiles") {
		var err error
		if c.Columns.Quantiles, err = writer.ParseQuantiles(f.quantiles); err != nil {
			return usageError("--quantiles: %w", err)
		}
	}
	if f.given("sequence") {
		if err := writer.CheckSequence(f.sequence); err != nil {
			return usageError("--sequence: %w", err)
		}
		c.Columns.Sequence = f.sequence
	}
	if err := f.readLabels(ctx, c, keyKnown); err != nil {
		return err
	}
	o := c.Columns
	o.VLAN = c.Sessions.VLAN || !keyKnown // else it is checked when it is known
	if c.Sessions.Capture || !keyKnown {
		o.Capture = writer.NoText
	}
	if c.Labels != nil {
		o.Label = writer.NoLabel
	}
	if _, err := writer.NewLayout(o); err != nil {
		return explainColumn(err, o)
	}
	return nil
}

// labelGarbage is how much garbage there may be while rules are read, in
// percent of the memory in use. Go's default would double what 10^6 of them
// take.
const labelGarbage = 4

// readLabels reads the file of rules for labels.
func (f *columnFlags) readLabels(ctx context.Context, c *job.Config, keyKnown bool) error {
	if f.labels == "" {
		if f.unmatched != "" {
			return usageError("--default-label is of no use without --labels")
		}
		return nil
	}
	if c.HeapLimit != nil { // the heap is the command's own
		defer debug.FreeOSMemory()
		defer debug.SetGCPercent(debug.SetGCPercent(labelGarbage))
	}
	var err error
	o := label.Options{Captures: c.Sessions.Capture || !keyKnown, Memory: c.Memory}
	c.Labels, err = ingest.Await(ctx, func() (*job.Labels, error) { return labelsIn(c.FS, f.labels, o) })
	if err != nil {
		return err
	}
	c.Labels.Default = f.unmatched
	return nil
}

// labelsIn reads the rules of labels from the file at path.
func labelsIn(fsys durable.FS, path string, o label.Options) (*job.Labels, error) {
	file, err := fsys.OpenSource(path)
	if err != nil {
		return nil, usageError("--labels: %w", err)
	}
	defer file.Close()
	digest := sha256.New()
	rules, err := label.Read(io.TeeReader(file, digest), o)
	if err != nil {
		return nil, usageError("--labels: %s: %w", report.Printable(path), err)
	}
	return &job.Labels{Rules: rules, Digest: hex.EncodeToString(digest.Sum(nil))}, nil
}

// rules are the session rules of the schema, for flags that were not given.
func (f *columnFlags) rules() (r writer.Rules) {
	if f.schema.value != "" {
		r, _ = writer.SchemaRules(f.schema.value) // a choice: there is one
	}
	return r
}

// resourceFlags say what a job may use of the machine.
type resourceFlags struct {
	workers int
	memory  string
	tempDir string
	noSync  bool
}

func (f *resourceFlags) register(set *pflag.FlagSet) {
	set.IntVarP(&f.workers, "workers", "j", min(runtime.GOMAXPROCS(0), job.MaxWorkers), "run `N` workers side by side; the rows do not depend on the number")
	_ = set.SetAnnotation("workers", manDefault, []string{"the number of CPUs"})
	f.registerMemory(set)
}

func (f *resourceFlags) registerMemory(set *pflag.FlagSet) {
	set.StringVar(&f.memory, "memory", "", "use at most `SIZE` of memory, such as 800M or 16G; sessions that do not fit go to disk (default three quarters of the machine's memory)")
	set.StringVar(&f.tempDir, "temp-dir", "", "make temporary files in `DIR` (default the system's directory for them)")
	set.BoolVar(&f.noSync, "no-sync", false, "do not wait until what is written is on disk; a power cut may then leave empty files")
}

// set puts the flags into a Config. It also limits the heap, without which
// garbage may take as much memory as what is in use.
func (f *resourceFlags) set(c *job.Config) (err error) {
	c.Workers = max(f.workers, 0)
	if f.workers < 1 || f.workers > job.MaxWorkers {
		return usageError("--workers %d: must be 1 to %d", f.workers, job.MaxWorkers)
	}
	c.TempDir = f.tempDir
	if err := onThisMachine("temp-dir", f.tempDir); err != nil {
		return err
	}
	if f.noSync {
		c.FS = durable.NoSync(c.FS)
	}
	c.Memory, err = memoryLimit(f.memory, f.workers)
	if err == nil && c.Memory > 0 && c.HeapLimit != nil {
		c.HeapLimit(c.Memory)
	}
	return err
}

// config returns a Config with the files, standard input and observer of this
// environment.
func (e *env) config(o job.Observer) job.Config {
	c := job.New()
	c.FS, c.Stdin, c.Observer, c.HeapLimit = e.fs, e.in, o, e.limitHeap
	return c
}

// changedFlags returns the values of the flags that were given, for the report.
func changedFlags(set *pflag.FlagSet) map[string]string {
	m := map[string]string{}
	set.Visit(func(f *pflag.Flag) { m[f.Name] = f.Value.String() })
	return m
}
