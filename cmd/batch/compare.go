package main

import (
	"cmp"
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"pcapbatch/internal/compare"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/ingest"
	"pcapbatch/internal/job"
	"pcapbatch/internal/report"
)

func newCompare(e *env) *cobra.Command {
	return &cobra.Command{
		Use:     "compare A B",
		GroupID: "work",

		DisableFlagsInUseLine: true,
		Short:                 "Tell whether two tables of sessions are the same",
		Long: `Compares two tables of sessions row by row, and says where they differ first. A
and B are files of rows, CSV, compressed or not, or Parquet, or directories of
files that hold parts of the rows. Values are compared, not text, and the order
of the columns does not matter. A value that one table leaves undefined may be
empty or 0 in the other.

Medians and quantiles of sessions of more than 128 packets may differ between
ways of making the same rows. Such differences are counted, and are none as long
as the values lie between the session's minimum and maximum.

` + objectsHelp + `

Exit status: 0 the tables are the same, 1 they differ, 2 wrong usage, 4 a table
is missing or cannot be read.`,
		Example: `  batch compare old.csv new.csv
  batch compare sessions.csv parts/`,
		Args: takes(2, "two tables, A and B"),
		RunE: func(cmd *cobra.Command, args []string) error { return runCompare(cmd.Context(), e, args[0], args[1]) },
	}
}

func runCompare(ctx context.Context, e *env, nameA, nameB string) error {
	r, err := ingest.Await(ctx, func() (*compare.Result, error) { return compared(e.fs, nameA, nameB) })
	if err != nil {
		return cmp.Or(context.Cause(ctx), error(&job.Error{Category: job.Input, Err: err}))
	}
	text := fmt.Sprintf("the same: %s", report.Plural(r.Rows[0], "row"))
	if !r.Same() {
		text = "different: " + report.Printable(r.Difference)
	}
	if r.Medians > 0 {
		text += fmt.Sprintf("; medians and quantiles of large sessions that differ: %d, by %.3g %% at most", r.Medians, 100*r.Largest)
	}
	if _, err := fmt.Fprintln(e.out, text); err != nil {
		return outputError(err)
	}
	if !r.Same() {
		return exitStatus(exitDamaged)
	}
	return nil
}

// compared compares the tables of two files or directories.
func compared(fsys durable.FS, nameA, nameB string) (*compare.Result, error) {
	var tables []compare.Table
	for _, name := range [...]string{nameA, nameB} {
		t, err := compare.Open(fsys, name)
		if err != nil {
			return nil, err
		}
		defer t.Close()
		tables = append(tables, t)
	}
	return compare.Tables(tables[0], tables[1])
}
