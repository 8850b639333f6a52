package main

import (
	"cmp"
	"context"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"pcapbatch/internal/job"
	"pcapbatch/internal/report"
)

// mergeCommand is batch merge.
type mergeCommand struct {
	columns    columnFlags
	outcome    outcomeFlags
	resources  resourceFlags
	expect     expectFlag
	duplicates bool
	parts      bool
	noRows     bool
}

func newMerge(e *env) *cobra.Command {
	m := &mergeCommand{}
	cmd := &cobra.Command{
		Use:     "merge [flags] RUN...",
		GroupID: "work",
		Short:   "Write the rows of run files made by other runs or machines",
		Long: `Merges run files, which 'batch map' and 'batch extract --state' make, and writes
the rows that one run over all their captures would have written.

RUN is a run file or a directory of run files. All must have been made with the
same options. A capture that is in two of them is refused. With --parts, RUN is
a part that 'batch reduce' made, or a directory of parts; there must be one part
for each partition.

` + objectsHelp + "\n\n" + exitHelp,
		Example: `  batch merge -o all.csv runs/
  batch merge --parts -o all.csv parts/`,
		RunE: func(cmd *cobra.Command, args []string) error {
			m.outcome.begin(cmd, e)
			return m.run(cmd.Context(), e, args)
		},
	}
	groups := flagGroups{cmd: cmd}
	in := groups.add("Input")
	m.expect.register(in)
	registerDuplicates(in, &m.duplicates)
	in.BoolVar(&m.parts, "parts", false, "join the parts that 'batch reduce' made")
	in.BoolVar(&m.noRows, "no-rows", false, "with --parts, write --summary and --report alone; the parts may be those of 'batch reduce --report-out'")
	m.columns.register(groups.add("Columns"))
	out := groups.add("Output")
	m.outcome.registerOutput(out)
	m.outcome.registerSummary(out)
	m.outcome.registerReport(out)
	m.outcome.registerNotices(out)
	m.resources.register(groups.add("Resources"))
	groups.done()
	return cmd
}

func (m *mergeCommand) run(ctx context.Context, e *env, args []string) error {
	c := e.config(m.outcome.terminal(e))
	c.Duplicates, c.NoRows = m.duplicates, m.noRows
	m.outcome.set(&c)
	if err := m.resources.set(&c); err != nil {
		return err
	}
	if err := m.columns.set(ctx, &c, false); err != nil {
		return err
	}
	find, work := job.RunFiles, job.Merge
	if m.parts {
		find, work = job.Parts, job.JoinParts
		for _, flag := range append(columnFlagNames[:], "allow-duplicates") {
			if _, ok := m.outcome.given[flag]; ok {
				return usageError("--%s cannot be used with --parts: it is an option of 'batch reduce', which made the rows", flag)
			}
		}
	}
	if m.noRows && (!m.parts || m.outcome.output != "") {
		return usageError("--no-rows is for --parts, without --output")
	}
	paths, err := find(e.fs, args)
	if err != nil {
		return err
	}
	if err := m.expect.set(ctx, &c, e); err != nil {
		return err
	}
	if err := cmp.Or(m.outcome.files().protect(append(slices.Clone(paths), m.expect.list), e), m.outcome.setFormat(&c, e)); err != nil {
		return err
	}
	if m.parts && c.Format == job.Parquet {
		return usageError("--parts: parts are joined as CSV alone; 'batch reduce --format parquet' makes files that are a data set together")
	}
	e.lendMemory(&c, append(slices.Collect(maps.Values(m.outcome.files())), paths...)...)
	r, err := m.outcome.write(ctx, e, &c, func(w io.Writer) (*report.Run, error) { return work(ctx, c, paths, w) })
	return m.outcome.conclude(ctx, e, &c, r, err)
}
