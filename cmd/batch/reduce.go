package main

import (
	"context"

	"github.com/spf13/cobra"

	"pcapbatch/internal/job"
)

// reduceCommand is batch reduce.
type reduceCommand struct {
	columns    columnFlags
	resources  resourceFlags
	expect     expectFlag
	duplicates bool
	dir        string
	partition  int
	reportData bool
	reportDir  string
	format     *choice
}

func newReduce(e *env) *cobra.Command {
	d := &reduceCommand{resources: resourceFlags{workers: 1}}
	cmd := &cobra.Command{
		Use:     "reduce [flags] --partition N --out DIR RUN...",
		GroupID: "scale",
		Short:   "Make the sorted rows of one partition of all run files",
		Long: `Merges partition N of all run files into a part, a file of sorted rows in DIR,
for 'batch merge --parts'. All run files must have been made with the same
options and number of partitions. The part appears under its name only when it
is complete, so making one twice, even at the same time, does no harm.

With --format it writes a table instead, DIR/part-00003-of-00064.parquet, which
is not for 'batch merge': the tables of all partitions are a data set, which
pandas, Spark and others read by the name of the directory. With --report-out
the summary and the report of the run can be made as well.

` + objectsHelp + "\n\n" + exitHelp,
		Example: `  batch reduce --partition 0 --out parts/ runs/
  batch reduce --partition 0 --format parquet --out sessions/ runs/`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return d.run(cmd.Context(), e, args)
		},
	}
	groups := flagGroups{cmd: cmd}
	in := groups.add("Input")
	in.IntVar(&d.partition, "partition", -1, "merge partition `N` of the run files, counted from 0")
	in.Lookup("partition").DefValue = "0" // the help does not show that -1 stands for none
	d.expect.register(in)
	registerDuplicates(in, &d.duplicates)
	d.columns.register(groups.add("Columns"))
	out := groups.add("Output")
	registerDir(out, &d.dir, "the part")
	registerReportData(out, &d.reportData, "the part")
	d.format = registerFormat(out, "write a table of `FORMAT` csv or parquet instead of a part")
	out.StringVar(&d.reportDir, "report-out", "", "with --format, write to `DIR` what 'batch merge --parts --no-rows' needs for its summary and report: a part without rows")
	d.resources.registerMemory(groups.add("Resources"))
	groups.done()
	return cmd
}

func (d *reduceCommand) run(ctx context.Context, e *env, args []string) error {
	c := e.config(job.Silent{}) // each part would report the same damage: merge does
	c.Duplicates, c.ReportData, c.ReportDir = d.duplicates, d.reportData, d.reportDir
	if err := d.resources.set(&c); err != nil {
		return err
	}
	if err := d.columns.set(ctx, &c, false); err != nil {
		return err
	}
	paths, err := job.RunFiles(e.fs, args)
	if err != nil {
		return err
	}
	switch {
	case d.dir == "":
		return errNoDir
	case d.reportDir != "" && d.format.value == "":
		return usageError("--report-out is for --format: a part has rows and report together")
	}
	if err := d.expect.set(ctx, &c, e); err != nil {
		return err
	}
	e.lendMemory(&c, append(paths, d.dir)...)
	work := job.Reduce
	if d.format.value != "" {
		work = job.ReduceTable
	}
	if d.format.value == formatParquet {
		c.Format = job.Parquet
	}
	_, err = work(ctx, c, paths, d.partition, d.dir)
	return err
}
