package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"pcapbatch/internal/durable"
	"pcapbatch/internal/ingest"
	"pcapbatch/internal/report"
)

// inspectCommand is batch inspect.
type inspectCommand struct {
	captures captureFlags
	json     bool
}

func newInspect(e *env) *cobra.Command {
	i := &inspectCommand{}
	cmd := &cobra.Command{
		Use:     "inspect [flags] CAPTURE...",
		GroupID: "work",
		Short:   "Say what is in captures, and whether they are whole",
		Long: `Reads captures from end to end and prints one line for each: format,
compression, link types, records, size on disk, snaplen, the earliest and the
latest timestamp, and the damage where there is any.

CAPTURE is a file, a directory, a pattern or - as for batch extract. The lines
come in the order in which the captures were named.

` + objectsHelp + "\n\n" + exitHelp,
		Example: `  batch inspect capture.pcapng
  batch inspect -r archive/
  batch inspect --json -r archive/ | jq -r 'select(.damage) | .path'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return i.run(cmd.Context(), e, args)
		},
	}
	groups := flagGroups{cmd: cmd}
	i.captures.register(groups.add("Input"))
	groups.add("Output").BoolVar(&i.json, "json", false, "print one JSON object a line")
	groups.done()
	return cmd
}

// run inspects one capture after the other. Damage is what the command looks
// for, so it goes to standard output with the rest.
func (i *inspectCommand) run(ctx context.Context, e *env, args []string) error {
	found, err := i.captures.find(ctx, args, e)
	if err != nil {
		return err
	}
	out := pipeWriter{ctx, e.out}
	var r report.Run // for the damage, and what is no capture
	met := found.Met()
	put := func(in *report.Inspection) error {
		if in.Damage != nil {
			r.Damage = append(r.Damage, *in.Damage)
		}
		return printed(i.print(out, in))
	}
	for _, f := range found.Failures {
		if err := put(report.NotOpened(ingest.Missing(f))); err != nil {
			return err
		}
	}
	defer durable.Prefetch(e.fs, durable.Heads, found.Paths)()
	for _, path := range found.Paths {
		in, err := ingest.Inspect(ctx, e.fs, path, e.in)
		if err == nil && in.Damage != nil && in.Damage.Kind == report.KindNotCapture && met[path] {
			r.NotCaptures++
			continue
		}
		if err == nil {
			err = put(in)
		}
		if err != nil {
			return err
		}
	}
	if r.NotCaptures > 0 {
		fmt.Fprintf(e.err, "%s: %s\n", e.name, report.NotCapturesLine(r.NotCaptures))
	}
	return reportStatus(&r)
}

func (i *inspectCommand) print(w io.Writer, in *report.Inspection) error {
	if i.json {
		return json.NewEncoder(w).Encode(in)
	}
	_, err := fmt.Fprintln(w, report.Printable(in.Line()))
	return err
}
