package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"pcapbatch/internal/job"
	"pcapbatch/internal/report"
)

func newVerify(e *env) *cobra.Command {
	var recursive bool
	cmd := &cobra.Command{
		Use:     "verify [flags] PATH...",
		GroupID: "work",
		Short:   "Read files to the last bit and say whether they are whole",
		Long: `Reads run files, parts, state directories and captures to the last bit and
prints one line for each file: whether it is whole, and if not, where it is
damaged and how. It changes nothing.

PATH is a file, a directory (with -r also the directories below it), or - for a
capture on standard input.

` + objectsHelp + "\n\n" + exitHelp,
		Example: `  batch verify kept/
  batch verify -r archive/ runs/ parts/`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError("no files named")
			}
			return verify(cmd.Context(), e, args, recursive)
		},
	}
	groups := flagGroups{cmd: cmd}
	groups.add("Input").BoolVarP(&recursive, "recursive", "r", false, "search the directories below a directory too")
	groups.done()
	return cmd
}

func verify(ctx context.Context, e *env, paths []string, recursive bool) error {
	out := pipeWriter{ctx, e.out}
	var captures report.Run // for the damage alone
	kept := false
	err := job.Verify(ctx, e.config(job.Silent{}), paths, recursive, func(v *report.Verification) error {
		if d := v.Damage; d != nil && d.Kind == report.KindKept {
			kept = true
		} else if d != nil {
			captures.Damage = append(captures.Damage, *d)
		}
		_, err := fmt.Fprintln(out, report.Printable(v.Line()))
		return printed(err)
	})
	if err == nil && kept {
		return exitStatus(exitKept)
	}
	if err == nil {
		return reportStatus(&captures)
	}
	return err
}
