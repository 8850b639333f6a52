package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"pcapbatch/internal/agg"
	"pcapbatch/internal/capture"
	"pcapbatch/internal/decode"
	"pcapbatch/internal/reader"
	"pcapbatch/internal/shard"
	"pcapbatch/internal/writer"
)

// extractFlags are the flags of batch extract.
type extractFlags struct {
	captures    captureFlags
	output      string
	strict      bool
	interleave  bool
	workers     int
	direction   string
	key         string
	decapsulate bool
	threshold   time.Duration
	timeout     time.Duration
	features    []string
	sampleStd   bool
	undefined   string
	summary     string
	progress    string
	quiet       bool
	verbose     bool
	profiles    profiles
	memory      memory
	state       string

	stretchBytes int64 // for tests: see stretches
}

func newExtract(std *streams) *cobra.Command {
	f := &extractFlags{stretchBytes: stretchBytes}
	return f.command(std)
}

func (f *extractFlags) command(std *streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "extract [flags] CAPTURE...",
		GroupID: "work",
		Short:   "Write one CSV row of statistics per session",
		Long: `Reads captures and writes one CSV row for each network session.

CAPTURE is a file, a directory (-r: and all below it), a quoted glob pattern,
or - for standard input. Formats and compression are recognised by content.
Captures are taken in the order of their first packet, whatever order they are
named in, and a session goes on from one to the next.

A capture that cannot be read, or not to its end, is reported with the place
of the damage; everything before it counts, and the others go on.

Exit status: 0 all well; 1 finished, but a capture was damaged or left out;
2 wrong usage; 3 the output could not be written; 130 or 143 interrupted.`,
		Example: `  batch extract -o sessions.csv capture.pcap
  batch extract -r -o sessions.csv.gz archive/
  batch extract --idle-timeout 60s --features all *.pcapng > sessions.csv
  find /captures -name '*.pcap.zst' -print0 | batch extract --files-from - -o all.csv
  tcpdump -w - | batch extract - | head`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runExtract(cmd.Context(), f, args, std, changedFlags(cmd.Flags()))
		},
	}
	f.register(cmd)
	return cmd
}

// register declares the flags, in the groups that the help shows.
func (f *extractFlags) register(cmd *cobra.Command) {
	groups := flagGroups{cmd: cmd}
	in := groups.add("Input")
	f.captures.register(in)
	f.strictFlag(in)
	in.BoolVar(&f.interleave, "interleave", false, "merge captures that overlap in time by their timestamps, as if they were one")
	s := groups.add("Sessions")
	f.sessionFlags(s)
	st := groups.add("Statistics")
	f.thresholdFlag(st)
	f.columnFlags(st)
	out := groups.add("Output")
	f.outputFlag(out)
	f.summaryFlag(out)
	f.progressFlag(out)
	f.noticeFlags(out)
	run := groups.add("Resources")
	f.resourceFlags(run)
	run.StringVar(&f.state, "state", "", "keep what was read of each capture in `DIR`, and read only what is not there yet")
	run.StringVar(&f.profiles.cpu, "cpuprofile", "", "write a CPU profile to `FILE`")
	run.StringVar(&f.profiles.mem, "memprofile", "", "write a memory profile to `FILE`")
	run.StringVar(&f.profiles.trace, "trace", "", "write an execution trace to `FILE`")
	groups.done()
	completeFlags(cmd)
}

// completeFlags tells shells the values of flags that have a few.
func completeFlags(cmd *cobra.Command) {
	for flag, values := range map[string][]cobra.Completion{
		"direction": {"bidirectional", "unidirectional"},
		"key":       {"vlan"},
		"features":  {"basic", "totals", "mean", "all"},
		"undefined": {"zero", "empty"},
		"progress":  {"auto", "always", "never"},
	} {
		_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	}
}

// changedFlags are the flags that were given, for the report.
func changedFlags(set *pflag.FlagSet) map[string]string {
	m := map[string]string{}
	set.Visit(func(f *pflag.Flag) { m[f.Name] = f.Value.String() })
	return m
}

// check refuses values that no run can have.
func (f *extractFlags) check() error {
	oneOf := func(flag, value string, allowed ...string) error {
		for _, a := range allowed {
			if value == a {
				return nil
			}
		}
		return usageError("--%s %q: must be one of %q", flag, value, allowed)
	}
	if f.workers < 1 || f.workers > shard.MaxWorkers {
		return usageError("--workers %d: must be 1 to %d", f.workers, shard.MaxWorkers)
	}
	if _, _, err := f.memory.share(f.workers); err != nil {
		return err
	}
	if f.state != "" && f.interleave {
		return usageError("--state keeps captures one by one, --interleave mixes them: use one or the other")
	}
	if f.threshold < 0 || f.timeout < 0 {
		return usageError("--idle-threshold and --idle-timeout cannot be negative")
	}
	return cmp.Or(
		oneOf("direction", f.direction, "bidirectional", "unidirectional"),
		oneOf("key", f.key, "", "vlan"),
		oneOf("undefined", f.undefined, "zero", "empty"),
		oneOf("progress", f.progress, "auto", "always", "never"))
}

// layout returns the columns that the flags ask for.
func (f *extractFlags) layout() (*writer.Layout, error) {
	o := writer.Options{VLAN: f.key == "vlan", SampleStd: f.sampleStd, UndefinedEmpty: f.undefined == "empty"}
	for _, name := range f.features {
		o.Features = append(o.Features, writer.Group(name))
	}
	l, err := writer.NewLayout(o)
	if err != nil {
		return nil, usageError("--features: %w", err)
	}
	return l, nil
}

// runExtract is the main job: captures in, one CSV out.
func runExtract(ctx context.Context, f *extractFlags, args []string, std *streams, given map[string]string) (err error) {
	if err := f.check(); err != nil {
		return err
	}
	layout, err := f.layout()
	if err != nil {
		return err
	}
	args, err = captureArgs(ctx, args, f.captures.filesFrom, std.in)
	if err != nil {
		return err
	}
	r := newReport(std.err)
	r.Flags, r.Workers, r.Output, r.decap = given, f.workers, f.output, f.decapsulate
	search := f.search(args, r)
	if err := protect(append(search.Paths, f.captures.filesFrom), f.written(), std); err != nil {
		return err
	}
	stop, err := f.profiles.start()
	if err != nil {
		return err
	}
	defer func() {
		failed := stop()
		if e, ok := errors.AsType[*exitError](err); err == nil || ok && e.err == nil { // else there is worse to tell
			err = cmp.Or(failed, err)
		}
	}()
	inputs, err := f.inputs(ctx, search, std, r)
	if err != nil {
		return err
	}
	out, err := createOutput(ctx, f.memory.fs, f.output, std.out)
	if err != nil {
		closeInputs(inputs)
		return err
	}
	if err := f.extract(ctx, inputs, layout, out, std, r); err != nil {
		out.abort()
		return err
	}
	if err := out.commit(); err != nil {
		return err
	}
	return f.conclude(ctx, r, std)
}

// written are the files that the run writes, by flag.
func (f *extractFlags) written() map[string]string {
	return map[string]string{
		"output": f.output, "summary": f.summary,
		"cpuprofile": f.profiles.cpu, "memprofile": f.profiles.mem, "trace": f.profiles.trace,
	}
}

// A search is what came of looking for the captures.
type search struct {
	*capture.Found
	failed error          // the first failure
	lost   []damageReport // every one
}

// search finds the captures.
func (f *extractFlags) search(args []string, r *report) *search {
	s := &search{Found: capture.Find(args, f.captures.recursive)}
	for _, failure := range s.Failures {
		f.missing(s, missingError(failure.Path, failure.Err), r)
	}
	r.NamedTwice = s.Twice
	return s
}

// missing takes down a capture that cannot be opened.
func (f *extractFlags) missing(s *search, err error, r *report) {
	s.failed = cmp.Or(s.failed, err)
	s.lost = append(s.lost, damageOf(err))
	if !f.strict {
		r.damage(err)
	}
}

// inputs puts the captures in order.
func (f *extractFlags) inputs(ctx context.Context, s *search, std *streams, r *report) ([]*input, error) {
	if f.strict && s.failed != nil {
		return nil, &exitError{exitPartial, s.failed}
	}
	inputs, err := openInputs(ctx, s.Paths, std.in, f.workers, func(err error) { f.missing(s, err, r) })
	if err == nil && f.strict && s.failed != nil {
		closeInputs(inputs)
		return nil, &exitError{exitPartial, s.failed}
	}
	return inputs, err
}

// extract runs the pipeline and writes the rows.
func (f *extractFlags) extract(ctx context.Context, inputs []*input, layout *writer.Layout, out *output, std *streams, r *report) error {
	share, err := f.memory.begin(f.workers)
	if err != nil {
		return err
	}
	if f.state != "" {
		return f.extractState(ctx, inputs, share, layout, out, std, r)
	}
	p, c := f.pipeline(std, r)
	var fragments []*decode.Fragments
	c.Stretches, fragments = f.stretches(p, inputs)
	defer f.showProgress(inputs, p, std)()
	store := newSpillStore(&f.memory, f.workers, 1)
	defer store.close()
	c.Share, c.Keeper = share, store
	tables, err := shard.Run(ctx, c)
	if err != nil {
		return runError(err)
	}
	r.decoded(p.counts())
	for _, f := range fragments {
		r.Unmatched += f.Unmatched
	}
	if err := r.balance(); err != nil {
		return err
	}
	j := newJoiner(f.workers, c.Sessions, share, 1, &f.memory, layout, tables)
	defer j.close()
	if err := j.merge(ctx, store.units()); err != nil {
		return runError(err)
	}
	r.Reordered += store.reordered()
	j.count(r)
	return j.write(ctx, out)
}

// pipeline is what all stretches of a run have in common, and what to run, the
// stretches apart.
func (f *extractFlags) pipeline(std *streams, r *report) (*pipeline, shard.Config) {
	seed := rand.Uint64()
	p := &pipeline{stdin: std.in, strict: f.strict, report: r, spare: reader.NewSpare(f.workers), decoding: decode.Options{
		Unidirectional: f.direction == "unidirectional",
		VLANKey:        f.key == "vlan",
		Decapsulate:    f.decapsulate,
		Seed:           seed,
		Shards:         f.workers,
	}}
	return p, shard.Config{Workers: f.workers, NewBlock: p.newBlock, Sessions: agg.Options{
		IdleThreshold: uint64(f.threshold),
		IdleTimeout:   uint64(f.timeout),
		Seed:          seed,
	}}
}

// showProgress draws a progress bar, if one is wanted, until stop is called.
func (f *extractFlags) showProgress(inputs []*input, p *pipeline, std *streams) (stop func()) {
	if f.progress != "always" && (f.progress != "auto" || f.quiet || !isTerminal(std.err)) {
		return func() {}
	}
	p.report.bar = true
	return showProgress(std.err, len(inputs), totalBytes(inputs), &p.progress)
}

// stretches are what shard.Run reads, and where each keeps its fragments.
func (f *extractFlags) stretches(p *pipeline, inputs []*input) (list []shard.Stretch, fragments []*decode.Fragments) {
	if f.interleave {
		m := &interleave{pipeline: p, inputs: inputs}
		return []shard.Stretch{m}, []*decode.Fragments{&m.fragments}
	}
	cut := stretches(inputs, f.stretchBytes)
	for _, part := range cut {
		s := &stretch{pipeline: p, inputs: part, workers: max(1, f.workers/len(cut))}
		list = append(list, s)
		fragments = append(fragments, &s.fragments)
	}
	return list, fragments
}

// announce writes the summaries.
func (f *extractFlags) announce(ctx context.Context, r *report, std *streams) error {
	r.Seconds = time.Since(r.start).Seconds()
	r.sort()
	if !f.interleave {
		r.Overlaps = r.overlaps()
	}
	if f.summary != "" {
		if err := r.writeJSON(ctx, f.memory.fs, f.summary, std.out); err != nil {
			return err
		}
	}
	if !f.quiet && (f.verbose || isTerminal(std.err)) {
		r.printSummary(std.err)
		for _, n := range r.notes() {
			fmt.Fprintf(std.err, "note: %s\n", n)
		}
	}
	return nil
}

// conclude writes the summaries and chooses the exit code.
func (f *extractFlags) conclude(ctx context.Context, r *report, std *streams) error {
	if err := f.announce(ctx, r, std); err != nil {
		return err
	}
	if r.Sessions == 0 {
		fmt.Fprintf(std.err, "batch: %s\n", r.nothing())
		return &exitError{code: exitPartial}
	}
	if r.partial() {
		return &exitError{code: exitPartial}
	}
	return nil
}

// totalBytes is the size of all captures on disk, -1 where one has none.
func totalBytes(inputs []*input) (n int64) {
	for _, in := range inputs {
		if in.size == 0 {
			return -1
		}
		n += in.size
	}
	return n
}
