package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"pcapbatch/internal/capture"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/reader"
	"pcapbatch/internal/runfile"
)

// mapFlags are the flags of batch map.
type mapFlags struct {
	extractFlags
	dir        string
	partitions int
}

func newMap(std *streams) *cobra.Command { return (&mapFlags{}).command(std) }

func (f *mapFlags) command(std *streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "map [flags] --out DIR CAPTURE...",
		GroupID: "scale",
		Short:   "Make one run file of each capture",
		Long: `Reads captures and puts the sessions of each into a run file in DIR, for
'batch merge' or 'batch reduce'. The name of a run file follows from the path of
its capture, and it gets it only when it is complete: making one twice, even at
the same time, does no harm.

Exit status: 0 all well; 1 a capture is damaged, and its run file has what
came before; 2 wrong usage; 3 a capture has no run file: it is missing or
cannot be read, or the run file could not be written; 130 or 143 interrupted.
What is no capture at all gets a run file that says so.`,
		Example: `  batch map --out runs/ monday.pcap tuesday.pcap`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd.Context(), args, std, changedFlags(cmd.Flags()))
		},
	}
	groups := flagGroups{cmd: cmd}
	in := groups.add("Input")
	f.captures.register(in)
	f.strictFlag(in)
	s := groups.add("Sessions")
	f.sessionFlags(s)
	f.thresholdFlag(s)
	out := groups.add("Output")
	out.StringVar(&f.dir, "out", "", "put run files into `DIR`, which is made if there is none")
	out.IntVarP(&f.partitions, "partitions", "P", defaultPartitions, "cut each run file into `N` partitions, for as many 'batch reduce'")
	f.summaryFlag(out)
	f.progressFlag(out)
	f.noticeFlags(out)
	f.resourceFlags(groups.add("Resources"))
	groups.done()
	completeFlags(cmd)
	return cmd
}

// makeOut makes the directory of --out, and removes what killed writers left.
func makeOut(dir string) error {
	if dir == "" {
		return usageError("--out is needed: the directory for what is made")
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return &exitError{exitOutput, err}
	}
	durable.Sweep(dir, runfile.RunSuffix, runfile.PartSuffix)
	return nil
}

// run makes the run files. Whoever calls it must be able to tell that all are
// there: that is what 0 and 1 say.
func (f *mapFlags) run(ctx context.Context, args []string, std *streams, given map[string]string) error {
	err := f.make(ctx, args, std, given)
	if e, ok := errors.AsType[*exitError](err); ok && f.strict && e.code == exitPartial && e.err != nil {
		return &exitError{exitOutput, e.err}
	}
	return err
}

func (f *mapFlags) make(ctx context.Context, args []string, std *streams, given map[string]string) error {
	f.undefined = "zero"
	if err := f.check(); err != nil {
		return err
	}
	if f.partitions < 1 || f.partitions > runfile.MaxPartitions {
		return usageError("--partitions %d: must be 1 to %d", f.partitions, runfile.MaxPartitions)
	}
	share, err := f.memory.begin(f.workers)
	if err != nil {
		return err
	}
	if args, err = captureArgs(ctx, args, f.captures.filesFrom, std.in); err != nil {
		return err
	}
	r := newReport(std.err)
	r.Flags, r.Workers, r.Output, r.decap = given, f.workers, f.dir, f.decapsulate
	search := f.search(args, r)
	if err := protect(append(search.Paths, f.captures.filesFrom), f.written(), std); err != nil {
		return err
	}
	if err := makeOut(f.dir); err != nil {
		return err
	}
	inputs, err := f.inputs(ctx, search, std, r)
	if err != nil {
		return err
	}
	var ids []*capture.Identity
	for _, in := range inputs {
		id, err := identify(in, "map")
		if err != nil {
			closeInputs(inputs)
			return err
		}
		ids = append(ids, id)
	}
	runs, err := f.readKept(ctx, inputs, ids, f.dir, f.partitions, share, std, r)
	if err != nil {
		return err
	}
	defer closeRuns(runs)
	if err := r.balance(); err != nil {
		return err
	}
	lost := uint64(0)
	for _, d := range search.lost {
		id, err := capture.Identify(d.Path)
		if err != nil || d.Kind == reader.IO.String() {
			lost++
		} else if err := f.keepDamage(ctx, id, d); err != nil {
			return err
		}
	}
	for _, run := range runs {
		for _, s := range run.Index {
			r.Sessions += s.Entries
		}
		if run.Detached() {
			lost++
		}
	}
	if err := f.announce(ctx, r, std); err != nil {
		return err
	}
	if lost > 0 {
		return &exitError{exitOutput, fmt.Errorf("%s without a run file in %s", plural(lost, "capture"), f.dir)}
	}
	if r.partial() {
		return &exitError{code: exitPartial}
	}
	return nil
}

// keepDamage makes the run file of what is no capture: all there is to say of
// it is d, and whoever merges has to know that it was there.
func (f *mapFlags) keepDamage(ctx context.Context, id *capture.Identity, d damageReport) error {
	w, err := runfile.Create(f.memory.fs, filepath.Join(f.dir, runfile.RunName(d.Path)))
	if err != nil {
		return runError(err)
	}
	m := &runfile.Meta{Kind: runfile.Sessions, Options: f.runOptions(), Capture: id}
	if m.Report, err = json.Marshal(&report{Damage: []damageReport{d}}); err == nil {
		_, err = w.WriteSessions(ctx, nil, f.partitions, f.sessionOptions())
	}
	if err != nil {
		w.Abort()
		return runError(err)
	}
	return runError(w.Commit(m))
}

// reduceFlags are the flags of batch reduce.
type reduceFlags struct {
	mergeFlags
	dir       string
	partition int
}

func newReduce(std *streams) *cobra.Command { return (&reduceFlags{}).command(std) }

func (f *reduceFlags) command(std *streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "reduce [flags] --partition N --out DIR RUN...",
		GroupID: "scale",
		Short:   "Make the sorted rows of one partition of all run files",
		Long: `Merges partition N of all run files into a part file in DIR, for
'batch merge --parts'. All must have been made with the same options and number
of partitions. The part gets its name only when it is complete: making one
twice, even at the same time, does no harm.

Exit status: 0 all well; 2 wrong usage or a damaged run file; 3 the part could
not be written.`,
		Example: `  batch reduce --partition 0 --out parts/ runs/`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd.Context(), args, std, changedFlags(cmd.Flags()))
		},
	}
	groups := flagGroups{cmd: cmd}
	in := groups.add("Input")
	in.IntVar(&f.partition, "partition", -1, "merge partition `N`, counted from 0")
	in.BoolVar(&f.duplicates, "allow-duplicates", false, "count a capture that is in two run files twice")
	f.columnFlags(groups.add("Columns"))
	groups.add("Output").StringVar(&f.dir, "out", "", "put the part into `DIR`, which is made if there is none")
	f.memory.register(groups.add("Resources"))
	groups.done()
	completeFlags(cmd)
	return cmd
}

func (f *reduceFlags) run(ctx context.Context, args []string, std *streams, given map[string]string) error {
	f.workers, f.progress = 1, "never"
	runs, err := openRuns(args, runfile.RunSuffix, f.memory.fs)
	if err != nil {
		return err
	}
	quiet := *std
	quiet.err = io.Discard // each part would tell the same damage: merge does
	r, err := f.prepareRuns(runs, f.duplicates, &quiet, given)
	if err != nil {
		return err
	}
	if err := r.balance(); err != nil {
		return err
	}
	if err := samePartitions(runs, f.partition); err != nil {
		return err
	}
	if err := makeOut(f.dir); err != nil {
		return err
	}
	return runError(f.reduce(ctx, runs, r))
}

func samePartitions(runs []*runfile.Run, partition int) error {
	n := len(runs[0].Index)
	for _, run := range runs {
		if len(run.Index) != n {
			return usageError("%s has %d partitions, %s has %d", runs[0].Path, n, run.Path, len(run.Index))
		}
	}
	if partition < 0 || partition >= n {
		return usageError("--partition %d: the run files have partitions 0 to %d", partition, n-1)
	}
	return nil
}

// reduce makes the part.
func (f *reduceFlags) reduce(ctx context.Context, runs []*runfile.Run, r *report) error {
	layout, err := f.layout()
	if err != nil {
		return err
	}
	share, err := f.memory.begin(1)
	if err != nil {
		return err
	}
	n := len(runs[0].Index)
	var unit []runfile.Input
	var captures []*capture.Identity
	for _, run := range runs {
		unit = append(unit, run.Input(f.partition))
		captures = append(captures, run.Capture)
	}
	j := newJoiner(1, f.sessionOptions(), share, n, &f.memory, layout, nil)
	defer j.close()
	if err := j.merge(ctx, [][]runfile.Input{unit}); err != nil {
		return err
	}
	r.Joined = j.count(r)
	w, err := runfile.Create(f.memory.fs, filepath.Join(f.dir, fmt.Sprintf("%04d-of-%04d%s", f.partition, n, runfile.PartSuffix)))
	if err != nil {
		return err
	}
	m := &runfile.Meta{Kind: runfile.Rows, Options: f.runOptions(), Part: &runfile.Part{
		Header: layout.Header(), Columns: f.columns(), Captures: capture.SetDigest(captures), Partition: f.partition, Partitions: n,
	}}
	if m.Report, err = json.Marshal(r); err == nil {
		err = w.WriteRows(ctx, j.collectors, layout.NewFormatter().AppendRow)
	}
	if err != nil {
		w.Abort()
		return err
	}
	return w.Commit(m)
}

// columns are the options that shape the text of rows.
func (f *extractFlags) columns() string {
	return fmt.Sprintf("--features %s --sample-std=%t --undefined %s", strings.Join(f.features, ","), f.sampleStd, f.undefined)
}

// addPart takes down what a part says: of the captures, which are the same in
// all parts, and of its own sessions. Reordered packets are of the captures as
// far as they are in the first part, and of joining in every one.
func (r *report) addPart(p *runfile.Run, first bool) error {
	var said report
	if err := json.Unmarshal(p.Report, &said); err != nil {
		return &exitError{exitUsage, fmt.Errorf("%s: %w: report: %w", p.Path, runfile.ErrDamaged, err)}
	}
	r.Sessions += said.Sessions
	r.InexactGaps += said.InexactGaps
	r.Reordered += said.Joined
	if first {
		said.Reordered -= said.Joined
		r.add(&said)
	}
	return nil
}
