package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"pcapbatch/internal/durable"
	"pcapbatch/internal/job"
	"pcapbatch/internal/page"
	"pcapbatch/internal/report"
)

// outcomeFlags say where the rows go, and how a run is reported.
type outcomeFlags struct {
	output   string
	format   *choice
	summary  string
	report   string
	progress *choice // nil: there is no progress to show
	quiet    bool
	verbose  bool

	begun time.Time
	given map[string]string
	args  []string
}

func (f *outcomeFlags) registerOutput(set *pflag.FlagSet) {
	set.StringVarP(&f.output, "output", "o", "", "write the rows to `FILE`: as Parquet if its name ends in .parquet, compressed if it ends in .gz or .zst (default standard output)")
	f.format = registerFormat(set, "write the rows as `FORMAT` csv or parquet, where the name of the output does not say it")
}

// registerFormat declares --format; "" is none.
func registerFormat(set *pflag.FlagSet, usage string) *choice {
	return one(set, "format", usage, "", formatCSV, formatParquet)
}

// setFormat puts the format of the rows, and what compressing them takes, into a
// Config. Requires: its workers are set.
func (f *outcomeFlags) setFormat(c *job.Config, e *env) (err error) {
	c.OutputMemory = outputMemory(f.output, c.Workers)
	if c.Format, err = rowsFormat(f.output, f.format.value); err != nil {
		return err
	}
	if c.Format == job.Parquet && (f.output == "" || f.output == stdoutName) && isTerminal(e.out) {
		return usageError("--format parquet: Parquet is not for a terminal; name a file with --output")
	}
	return nil
}

func (f *outcomeFlags) registerSummary(set *pflag.FlagSet) {
	set.StringVar(&f.summary, "summary", "", "write a summary of the run to `FILE`, as JSON")
}

func (f *outcomeFlags) registerReport(set *pflag.FlagSet) {
	set.StringVar(&f.report, "report", "", "write a report of the run to `FILE`, as one HTML page")
}

// registerReportData declares the flag of commands that make run files or parts.
func registerReportData(set *pflag.FlagSet, keep *bool, where string) {
	set.BoolVar(keep, "report-data", false, "keep in "+where+" what 'batch merge --report' shows but rows do not have")
}

func (f *outcomeFlags) registerProgress(set *pflag.FlagSet) {
	f.progress = one(set, "progress", "choose `WHEN` a progress bar is shown: auto (on a terminal), always, never; with json lines of JSON are written instead, for programs", "auto", "always", "never", "json")
}

func (f *outcomeFlags) registerNotices(set *pflag.FlagSet) {
	set.BoolVarP(&f.quiet, "quiet", "q", false, "show no progress, summary or notes; damage is still reported")
	set.BoolVarP(&f.verbose, "verbose", "v", false, "show the summary and notes even without a terminal")
}

// begin notes when the run began and how it was called.
func (f *outcomeFlags) begin(cmd *cobra.Command, e *env) {
	f.begun, f.given, f.args = time.Now(), changedFlags(cmd.Flags()), e.args
}

// set says in a Config what the summaries need.
func (f *outcomeFlags) set(c *job.Config) {
	c.Figures = f.report != ""
	c.CaptureSessions = f.report != "" || f.summary != ""
}

// terminal returns the observer that shows progress and notices.
func (f *outcomeFlags) terminal(e *env) *terminal {
	t := &terminal{w: e.err, name: e.name, quiet: f.quiet}
	if f.progress != nil {
		t.json = f.progress.value == "json"
		t.bar = f.progress.value == "always" || f.progress.value == "auto" && !f.quiet && drawsBars(e.err)
	}
	return t
}

// files are the files that the run writes, by flag.
func (f *outcomeFlags) files() written {
	return written{"output": f.output, "summary": f.summary, "report": f.report}
}

// write runs a job whose rows go to the output. The output gets its name if the
// job succeeds.
func (f *outcomeFlags) write(ctx context.Context, e *env, c *job.Config, work func(w io.Writer) (*report.Run, error)) (*report.Run, error) {
	out, err := createOutput(ctx, c.FS, f.output, e.out, c.Workers)
	if err != nil {
		return report.New(), err
	}
	r, err := work(out)
	if err != nil {
		out.abort()
		return r, err
	}
	return r, out.commit()
}

// conclude writes the summaries of a run, unless err, with which its job ended,
// says that there is nothing to sum up. It returns the error that exitCode
// turns into the exit status.
func (f *outcomeFlags) conclude(ctx context.Context, e *env, c *job.Config, r *report.Run, err error) error {
	if err != nil && !errors.Is(err, job.ErrNothingRead) {
		return err
	}
	if err := f.summarise(ctx, e, c, r); err != nil {
		return err
	}
	if r.Sessions == 0 {
		fmt.Fprintf(e.err, "%s: %s\n", e.name, r.Nothing())
	}
	return cmp.Or(reportStatus(r), nothingRead(err))
}

// nothingRead is the exit status of a run that had nothing to read, or nil.
func nothingRead(err error) error {
	if err == nil {
		return nil
	}
	return exitStatus(exitDamaged)
}

// unlessClosed is err, or nil where the reader of a pipe has closed it: who does
// not read a summary to its end does not change what the run says by its exit
// status.
func unlessClosed(err error) error {
	if errors.Is(err, syscall.EPIPE) {
		return nil
	}
	return err
}

// summarise writes the summaries of a run.
func (f *outcomeFlags) summarise(ctx context.Context, e *env, c *job.Config, r *report.Run) error {
	r.Invocation = report.Invocation{
		Version: version(), Started: f.begun.UTC().Format(time.RFC3339), Arguments: f.args,
		Flags: f.given, Workers: c.Workers, Output: f.output,
	}
	r.Seconds = time.Since(f.begun).Seconds()
	if f.report != "" {
		if err := writeWhole(ctx, e, c.FS, f.report, func(w io.Writer) error { return page.Write(w, r) }); unlessClosed(err) != nil {
			return err
		}
	}
	if f.summary != "" {
		if err := writeWhole(ctx, e, c.FS, f.summary, func(w io.Writer) error { return writeSummary(w, r) }); unlessClosed(err) != nil {
			return err
		}
	}
	if !f.quiet && (f.verbose || isTerminal(e.err)) {
		r.WriteSummary(e.err)
		for _, n := range r.Notes() {
			fmt.Fprintf(e.err, "note: %s\n", n)
		}
	}
	return nil
}

// writeSummary writes a run as JSON.
func writeSummary(w io.Writer, r *report.Run) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}

// writeWhole writes a file, or to standard output for "-". The file gets its name
// when it is complete.
func writeWhole(ctx context.Context, e *env, fs durable.FS, path string, write func(w io.Writer) error) error {
	out, err := createOutput(ctx, fs, path, e.out, 1)
	if err != nil {
		return err
	}
	buffered := bufio.NewWriterSize(out, 1<<16)
	err = write(buffered)
	if err == nil {
		err = buffered.Flush()
	}
	if err != nil {
		out.abort()
		return outputError(err)
	}
	return out.commit()
}
