package main

import (
	"context"
	"encoding/json"

	"github.com/spf13/cobra"

	"pcapbatch/internal/job"
)

// planCommand is batch plan.
type planCommand struct {
	captures  captureFlags
	outcome   outcomeFlags
	unitBytes string
	whole     bool
}

func newPlan(e *env) *cobra.Command {
	p := &planCommand{}
	cmd := &cobra.Command{
		Use:     "plan [flags] CAPTURE...",
		GroupID: "scale",
		Short:   "Divide captures into units of work for 'batch map'",
		Long: `Prints units of work as JSON lines: for each its number, its captures and their
size on disk. Small captures are put together. A pcap or pcapng file that is
larger than a unit is divided into ranges, each a unit with a "range", if it is
plain, BGZF or seekable zstd; other large captures are a unit by themselves. The
units are in capture order.

'batch map --unit PLAN:N' does unit N of a plan that was written to a file, and
'batch merge --expect PLAN' or 'batch reduce --expect PLAN' checks that all of
it was done.

Captures that are missing are in no unit, and make the exit status 4.

` + objectsHelp + "\n\n" + exitHelp,
		Example: `  batch plan -r archive/ > plan.jsonl
  batch map --unit plan.jsonl:0 --out runs/`,
		RunE: func(cmd *cobra.Command, args []string) error {
			p.outcome.begin(cmd, e)
			return p.run(cmd.Context(), e, args)
		},
	}
	groups := flagGroups{cmd: cmd}
	p.captures.register(groups.add("Input"))
	out := groups.add("Output")
	out.StringVar(&p.unitBytes, "unit-bytes", "512M", "make units of at most `SIZE`, such as 256M or 1G; captures that cannot be divided are larger")
	out.BoolVar(&p.whole, "whole", false, "divide no capture into ranges, as --active-timeout and --tcp-end need it")
	p.outcome.registerNotices(out)
	groups.done()
	return cmd
}

func (p *planCommand) run(ctx context.Context, e *env, args []string) error {
	t := p.outcome.terminal(e)
	defer t.close()
	c := e.config(t)
	unitBytes, err := parseSize(p.unitBytes)
	if err != nil {
		return usageError("--unit-bytes %s: %w", p.unitBytes, err)
	}
	found, err := p.captures.find(ctx, args, e)
	if err != nil {
		return err
	}
	out := pipeWriter{ctx, e.out}
	r, err := job.Plan(ctx, c, found, unitBytes, p.whole, func(u *job.Unit) error {
		line, err := json.Marshal(u)
		if err != nil {
			return err
		}
		_, err = out.Write(append(line, '\n'))
		return printed(err)
	})
	if err != nil {
		return err
	}
	if r.Failed() {
		return exitStatus(exitInput)
	}
	return nil
}
