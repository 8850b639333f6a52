package main

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"pcapbatch/internal/agg"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/runfile"
	"pcapbatch/internal/writer"
)

// mergeFlags are the flags of batch merge.
type mergeFlags struct {
	extractFlags
	duplicates bool
	parts      bool
}

func newMerge(std *streams) *cobra.Command { return (&mergeFlags{}).command(std) }

func (f *mergeFlags) command(std *streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "merge [flags] RUN...",
		GroupID: "work",
		Short:   "Write the CSV of run files made by other runs or machines",
		Long: `Merges run files, which 'batch map' and 'batch extract --state' make, into the
CSV that one run over all their captures would have written.

RUN is a run file or a directory of them. All must have been made with the same
options. A capture that is in two of them is refused. With --parts the files
are the sorted parts that 'batch reduce' makes, one for each partition.

Exit status: as of extract, and 2 for a run file that is damaged.`,
		Example: `  batch merge -o all.csv runs/
  batch merge --parts -o all.csv parts/`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd.Context(), args, std, changedFlags(cmd.Flags()))
		},
	}
	groups := flagGroups{cmd: cmd}
	in := groups.add("Input")
	in.BoolVar(&f.duplicates, "allow-duplicates", false, "count a capture that is in two run files twice")
	in.BoolVar(&f.parts, "parts", false, "join sorted parts made by 'batch reduce'")
	f.columnFlags(groups.add("Columns"))
	out := groups.add("Output")
	f.outputFlag(out)
	f.summaryFlag(out)
	f.noticeFlags(out)
	f.resourceFlags(groups.add("Resources"))
	groups.done()
	completeFlags(cmd)
	return cmd
}

func (f *mergeFlags) run(ctx context.Context, args []string, std *streams, given map[string]string) error {
	f.progress = "never"
	suffix := runfile.RunSuffix
	if f.parts {
		suffix = runfile.PartSuffix
	}
	runs, err := openRuns(args, suffix, f.memory.fs)
	if err != nil {
		return err
	}
	if f.parts {
		return f.joinParts(ctx, runs, std, given)
	}
	r, err := f.prepareRuns(runs, f.duplicates, std, given)
	if err != nil {
		return err
	}
	layout, err := f.layout()
	if err != nil {
		return err
	}
	share, err := f.memory.begin(f.workers)
	if err != nil {
		return err
	}
	return f.toOutput(ctx, runs, r, std, func(out *output) error { return f.joinRuns(ctx, runs, share, layout, out, r) })
}

// toOutput makes the output with write, which reads runs, and concludes.
func (f *extractFlags) toOutput(ctx context.Context, runs []*runfile.Run, r *report, std *streams, write func(out *output) error) error {
	var paths []string
	for _, run := range runs {
		paths = append(paths, run.Path)
	}
	if err := protect(paths, map[string]string{"output": f.output, "summary": f.summary}, std); err != nil {
		return err
	}
	out, err := createOutput(ctx, f.memory.fs, f.output, std.out)
	if err != nil {
		return err
	}
	if err := write(out); err != nil {
		out.abort()
		return err
	}
	if err := out.commit(); err != nil {
		return err
	}
	return f.conclude(ctx, r, std)
}

// prepareRuns puts runs in capture order, refuses those that do not go together,
// takes their options over, and reports what was said of their captures.
func (f *extractFlags) prepareRuns(runs []*runfile.Run, duplicates bool, std *streams, given map[string]string) (*report, error) {
	for _, run := range runs {
		if run.Kind != runfile.Sessions {
			return nil, usageError("%s is a part, not a run file", run.Path)
		}
		if d := runs[0].Options.Differences(run.Options); len(d) > 0 {
			return nil, usageError("%s and %s were made with other options: %s", runs[0].Path, run.Path, strings.Join(d, ", "))
		}
	}
	if err := f.setRunOptions(runs[0].Options); err != nil {
		return nil, err
	}
	slices.SortStableFunc(runs, func(a, b *runfile.Run) int { return a.Capture.Compare(b.Capture) })
	if err := sameCapture(runs); err != nil && !duplicates {
		return nil, err
	}
	r := newReport(std.err)
	r.Flags, r.Workers, r.Output, r.decap = given, f.workers, f.output, f.decapsulate
	for i, run := range runs {
		if err := r.addRun(run, i); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// sameCapture returns an error if two runs hold one capture, under whatever
// name. Captures without records are alike and do no harm.
func sameCapture(runs []*runfile.Run) error {
	type content struct {
		digest string
		size   int64
	}
	seen := map[content]*runfile.Run{}
	for _, run := range runs {
		c := content{run.Capture.Digest, run.Capture.Size}
		if first := seen[c]; first != nil && run.Capture.Timed {
			return usageError("%s and %s hold the same capture (%s and %s); --allow-duplicates counts it twice",
				first.Path, run.Path, first.Capture.Path, run.Capture.Path)
		}
		seen[c] = run
	}
	return nil
}

// openRuns opens the files that args name: files, and directories of files
// whose names end in suffix.
func openRuns(args []string, suffix string, fsys durable.FS) (runs []*runfile.Run, err error) {
	if len(args) == 0 {
		return nil, usageError("no run files named")
	}
	seen := map[string]bool{}
	for _, arg := range args {
		paths := []string{arg}
		if info, err := os.Stat(arg); err == nil && info.IsDir() {
			if paths, err = filesIn(arg, suffix); err != nil {
				return nil, err
			}
		} else if err == nil && !info.Mode().IsRegular() {
			return nil, usageError("%s: a run file is read at many places at once, and this is no regular file", arg)
		}
		for _, path := range paths {
			abs, err := filepath.Abs(path)
			if err != nil || seen[abs] {
				continue
			}
			seen[abs] = true
			run, err := runfile.Open(fsys, path)
			if err != nil {
				return nil, &exitError{exitUsage, err}
			}
			runs = append(runs, run)
		}
	}
	return runs, nil
}

func filesIn(dir, suffix string) (paths []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, &exitError{exitUsage, err}
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), suffix) && !strings.HasPrefix(e.Name(), ".") && e.Type()&(fs.ModeDir|fs.ModeNamedPipe|fs.ModeSocket|fs.ModeDevice) == 0 {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	if len(paths) == 0 {
		return nil, usageError("%s: no files *%s in this directory", dir, suffix)
	}
	return paths, nil
}

// sessionOptions are the options of tables.
func (f *extractFlags) sessionOptions() agg.Options {
	return agg.Options{IdleThreshold: uint64(f.threshold), IdleTimeout: uint64(f.timeout), Seed: rand.Uint64()}
}

// joinRuns merges runs and writes the CSV.
func (f *extractFlags) joinRuns(ctx context.Context, runs []*runfile.Run, share int64, layout *writer.Layout, out *output, r *report) error {
	if err := r.balance(); err != nil {
		return err
	}
	slices.SortStableFunc(runs, func(a, b *runfile.Run) int { return a.Capture.Compare(b.Capture) })
	units, partitions := runfile.Units(runs)
	j := newJoiner(f.workers, f.sessionOptions(), share, partitions, &f.memory, layout, nil)
	defer j.close()
	if err := j.merge(ctx, units); err != nil {
		return runError(err)
	}
	j.count(r)
	return j.write(ctx, out)
}

// joinParts is merge --parts.
func (f *mergeFlags) joinParts(ctx context.Context, parts []*runfile.Run, std *streams, given map[string]string) error {
	if err := checkParts(parts); err != nil {
		return err
	}
	if err := f.setRunOptions(parts[0].Options); err != nil {
		return err
	}
	for _, flag := range []string{"features", "sample-std", "undefined", "allow-duplicates"} {
		if _, ok := given[flag]; ok {
			return usageError("--%s is for 'batch reduce': parts have their rows as they are", flag)
		}
	}
	r := newReport(std.err)
	for i, p := range parts {
		if err := r.addPart(p, i == 0); err != nil {
			return err
		}
	}
	r.Flags, r.Workers, r.Output, r.decap = given, 1, f.output, f.decapsulate
	temp := runfile.NewTemp(f.memory.fs, f.memory.tempDir)
	defer temp.Close()
	return f.toOutput(ctx, parts, r, std, func(out *output) error {
		return writeLines(out, parts[0].Part.Header, func(w io.Writer) error { return runfile.CopyParts(ctx, parts, temp, w) })
	})
}

// checkParts refuses parts that are not all of one whole.
func checkParts(parts []*runfile.Run) error {
	byNumber := map[int]*runfile.Run{}
	var first *runfile.Part
	for _, p := range parts {
		switch {
		case p.Kind != runfile.Rows:
			return usageError("%s is a run file, not a part", p.Path)
		case first == nil:
			first = p.Part
		case p.Part.Captures != first.Captures || p.Part.Partitions != first.Partitions || len(p.Options.Differences(parts[0].Options)) > 0:
			return usageError("%s and %s are parts of different captures", parts[0].Path, p.Path)
		case p.Part.Header != first.Header || p.Part.Columns != first.Columns:
			return usageError("%s and %s have different columns", parts[0].Path, p.Path)
		}
		if other := byNumber[p.Part.Partition]; other != nil {
			return usageError("%s and %s are both part %d", other.Path, p.Path, p.Part.Partition)
		}
		byNumber[p.Part.Partition] = p
	}
	for i := range first.Partitions {
		if byNumber[i] == nil {
			return usageError("part %d of %d is missing", i, first.Partitions)
		}
	}
	if len(byNumber) != first.Partitions {
		return &exitError{exitUsage, fmt.Errorf("%s: %w: partition beyond the last", parts[0].Path, runfile.ErrDamaged)}
	}
	return nil
}
