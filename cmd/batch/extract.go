package main

import (
	"cmp"
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"pcapbatch/internal/job"
	"pcapbatch/internal/report"
)

// extractCommand is batch extract.
type extractCommand struct {
	captures   captureFlags
	sessions   sessionFlags
	columns    columnFlags
	outcome    outcomeFlags
	resources  resourceFlags
	profiles   profileFlags
	strict     bool
	interleave bool
	state      string
	reportData bool
}

func newExtract(e *env) *cobra.Command {
	x := &extractCommand{}
	cmd := &cobra.Command{
		Use:     "extract [flags] CAPTURE...",
		GroupID: "work",
		Short:   "Write one row of statistics per session, as CSV or Parquet",
		Long: `Reads captures and writes one row for each network session, as CSV or Parquet.

CAPTURE is a file, a directory (with -r also the directories below it), a quoted
glob pattern, or - for standard input. Formats and compression are recognised by
content. Captures are taken in the order of their first packet, whatever order
they are named in, and a session goes on from one to the next.

A capture that is damaged is reported with the place of the damage. Every record
before that place counts, and the other captures are read.

` + objectsHelp + "\n\n" + exitHelp,
		Example: `  batch extract -o sessions.csv capture.pcap
  batch extract -r -o sessions.csv.gz archive/
  batch extract -r -o sessions.parquet archive/
  batch extract --idle-timeout 60s --features all *.pcapng > sessions.csv
  find /captures -name '*.pcap.zst' -print0 | batch extract --files-from - -o all.csv
  tcpdump -w - | batch extract - | head`,
		RunE: func(cmd *cobra.Command, args []string) error {
			x.outcome.begin(cmd, e)
			return x.run(cmd.Context(), e, args)
		},
	}
	groups := flagGroups{cmd: cmd}
	in := groups.add("Input")
	x.captures.register(in)
	registerStrict(in, &x.strict)
	in.BoolVar(&x.interleave, "interleave", false, "merge captures by timestamp, as if they were one; for captures that overlap in time")
	x.sessions.register(groups.add("Sessions"))
	statistics := groups.add("Statistics")
	x.sessions.registerThreshold(statistics)
	x.columns.register(statistics)
	out := groups.add("Output")
	x.outcome.registerOutput(out)
	x.outcome.registerSummary(out)
	x.outcome.registerReport(out)
	x.outcome.registerProgress(out)
	x.outcome.registerNotices(out)
	run := groups.add("Resources")
	x.resources.register(run)
	run.StringVar(&x.state, "state", "", "keep the sessions of each capture in `DIR`, and read only captures that are new there or have changed")
	registerReportData(run, &x.reportData, "the directory of --state")
	x.profiles.register(run)
	groups.done()
	return cmd
}

// config is the job that the flags ask for.
func (x *extractCommand) config(ctx context.Context, e *env, t *terminal) (job.Config, error) {
	c := e.config(t)
	c.Strict, c.Interleave, c.ReportData = x.strict, x.interleave, x.reportData
	x.outcome.set(&c)
	x.sessions.set(&c, x.columns.rules())
	return c, cmp.Or(x.resources.set(&c), x.columns.set(ctx, &c, true))
}

func (x *extractCommand) run(ctx context.Context, e *env, args []string) (err error) {
	t := x.outcome.terminal(e)
	c, err := x.config(ctx, e, t)
	if err != nil {
		return err
	}
	if x.reportData && x.state == "" {
		return usageError("--report-data keeps data for a report in the directory of --state: use both, or --report alone")
	}
	if err := onThisMachine("state", x.state); err != nil {
		return err
	}
	if err := x.notOutput(args); err != nil {
		return err
	}
	files := x.outcome.files()
	maps.Copy(files, x.profiles.files())
	found, err := x.captures.find(ctx, args, e, files.targets()...)
	if err != nil {
		return err
	}
	if err := cmp.Or(files.protectFound(found, x.captures.filesFrom, e), files.protectDir(x.state), x.outcome.setFormat(&c, e)); err != nil {
		return err
	}
	e.lendMemory(&c, append(slices.Collect(maps.Values(files)), found.Paths...)...)
	stop, err := x.profiles.start(ctx, e, c.FS)
	if err != nil {
		return err
	}
	defer func() {
		failed := stop()
		if _, said := errors.AsType[exitStatus](err); err == nil || said { // else there is worse to report
			err = cmp.Or(failed, err)
		}
	}()
	r, err := x.outcome.write(ctx, e, &c, func(w io.Writer) (*report.Run, error) {
		defer t.close()
		if x.state != "" {
			return job.Resume(ctx, c, x.state, found, w)
		}
		return job.Extract(ctx, c, found, w)
	})
	return x.outcome.conclude(ctx, e, &c, r, x.interrupted(err))
}

// notOutput refuses arguments of which the last is the name of a table that is
// not there, which other programs would write.
func (x *extractCommand) notOutput(args []string) error {
	if len(args) < 2 || x.outcome.output != "" {
		return nil
	}
	last := args[len(args)-1]
	if _, err := os.Stat(last); err == nil || !tableName.MatchString(last) {
		return nil
	}
	return usageError("%s is not there, and is not the name of a capture: did you mean -o %[1]s?", report.Printable(last))
}

// interrupted says what became of a run that a signal ended.
func (x *extractCommand) interrupted(err error) error {
	s, ok := errors.AsType[signalError](err)
	if !ok {
		return err
	}
	if x.outcome.output != "" && x.outcome.output != stdoutName {
		s.note = ": nothing was written"
	}
	if x.state != "" {
		s.note += "; captures that were read to their ends are kept in " + report.Printable(x.state)
	} else {
		s.note += "; with --state DIR the next run would go on from here"
	}
	return s
}
