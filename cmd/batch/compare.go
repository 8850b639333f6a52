package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"pcapbatch/internal/compare"
	"pcapbatch/internal/job"
	"pcapbatch/internal/report"
)

func newCompare(e *env) *cobra.Command {
	return &cobra.Command{
		Use:     "compare A B",
		GroupID: "work",
		Short:   "Tell whether two tables of sessions are the same",
		Long: `Compares two tables of sessions row by row, and says where they differ first. A
and B are files of rows, CSV, compressed or not, or Parquet, or directories of
files that hold parts of the rows. Values are compared, not text, and the order of the
columns does not matter. A value that one table leaves undefined may be empty or
0 in the other.

Medians and quantiles of sessions of more than 128 packets may differ between
ways of making the same rows. Such differences are counted, and are none as long
as the values lie between the session's minimum and maximum.

Exit status: 0 the tables are the same, 1 they differ, 2 wrong usage, 4 a table
is missing or cannot be read.`,
		Example: `  batch compare old.csv new.csv
  batch compare sessions.csv parts/`,
		Args: cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error { return runCompare(e, args[0], args[1]) },
	}
}

func runCompare(e *env, nameA, nameB string) error {
	var tables []compare.Table
	for _, name := range [...]string{nameA, nameB} {
		t, err := compare.Open(name)
		if err != nil {
			return &job.Error{Category: job.Input, Err: err}
		}
		defer t.Close()
		tables = append(tables, t)
	}
	r, err := compare.Tables(tables[0], tables[1])
	if err != nil {
		return &job.Error{Category: job.Input, Err: err}
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
