package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"pcapbatch/internal/capture"
	"pcapbatch/internal/linktype"
	"pcapbatch/internal/reader"
)

// inspectFlags are the flags of batch inspect.
type inspectFlags struct {
	captures captureFlags
	json     bool
}

func newInspect(std *streams) *cobra.Command {
	f := &inspectFlags{}
	cmd := &cobra.Command{
		Use:     "inspect [flags] CAPTURE...",
		GroupID: "work",
		Short:   "Say what is in captures, and whether they are whole",
		Long: `Reads captures from end to end and prints one line for each: format,
compression, link types, records, size on disk, snaplen, the earliest and the
latest timestamp, and the damage where there is any.

CAPTURE is what it is for batch extract. Captures come in the order they are
named in.

Exit status: 0 all well; 1 a capture is damaged or cannot be read; 2 wrong
usage; 3 standard output could not be written; 130 or 143 interrupted.`,
		Example: `  batch inspect capture.pcapng
  batch inspect -r archive/
  batch inspect --json -r archive/ | jq -r 'select(.damage) | .path'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd.Context(), args, std)
		},
	}
	groups := flagGroups{cmd: cmd}
	in := groups.add("Input")
	f.captures.register(in)
	out := groups.add("Output")
	out.BoolVar(&f.json, "json", false, "one JSON object a line")
	groups.done()
	return cmd
}

// run inspects one capture after the other. What is wrong with them is the
// result, and so goes to standard output.
func (f *inspectFlags) run(ctx context.Context, args []string, std *streams) error {
	args, err := captureArgs(ctx, args, f.captures.filesFrom, std.in)
	if err != nil {
		return err
	}
	damaged := false
	var failed error
	put := func(i *inspection) {
		damaged = damaged || i.Damage != nil
		if failed == nil {
			failed = f.print(pipeWriter{ctx, std.out}, i)
		}
	}
	found := capture.Find(args, f.captures.recursive)
	for _, failure := range found.Failures {
		put(damagedInspection(failure.Path, missingError(failure.Path, failure.Err)))
	}
	for _, path := range found.Paths {
		i, err := inspect(ctx, path, std.in)
		if err != nil {
			return err
		}
		if put(i); failed != nil {
			break
		}
	}
	if failed != nil {
		return outputError(failed)
	}
	if damaged {
		return &exitError{code: exitPartial}
	}
	return nil
}

func (f *inspectFlags) print(w io.Writer, i *inspection) error {
	if f.json {
		return json.NewEncoder(w).Encode(i)
	}
	_, err := fmt.Fprintln(w, printable(i.line()))
	return err
}

// An inspection is what there is to say of one capture.
type inspection struct {
	Path           string            `json:"path"`
	Format         string            `json:"format,omitempty"`
	Version        string            `json:"version,omitempty"`
	Compression    string            `json:"compression,omitempty"`
	ByteOrder      string            `json:"byte_order,omitempty"`
	TimeResolution string            `json:"time_resolution,omitempty"`
	LinkTypes      []linkReport      `json:"link_types"`
	Interfaces     uint64            `json:"interfaces"`
	Sections       uint64            `json:"sections"`
	Snaplen        uint32            `json:"snaplen"` // 0: not stated
	Records        uint64            `json:"records"`
	Bytes          int64             `json:"bytes"`          // read, as they lie on disk
	CaptureBytes   uint64            `json:"capture_bytes"`  // sum of the capture lengths
	WireBytes      uint64            `json:"wire_bytes"`     // sum of the wire lengths
	First          *int64            `json:"first_ns"`       // earliest time, ns since the epoch; null without a record that has one
	Last           *int64            `json:"last_ns"`        // latest
	FirstText      string            `json:"first,omitzero"` // the same as text, UTC
	LastText       string            `json:"last,omitzero"`
	NoTime         uint64            `json:"records_without_timestamp"`
	ClampedTime    uint64            `json:"records_with_clamped_timestamp"`
	Skipped        map[string]uint64 `json:"skipped_blocks,omitempty"`
	Warnings       []string          `json:"warnings,omitempty"`
	Damage         *damageReport     `json:"damage"` // null: whole
}

type linkReport struct {
	Link    uint16 `json:"link_type"`
	Name    string `json:"name,omitempty"`
	Records uint64 `json:"records"`
}

// damagedInspection is that of a capture that could not be opened.
func damagedInspection(path string, err error) *inspection {
	d := damageOf(err)
	return &inspection{Path: path, LinkTypes: []linkReport{}, Damage: &d}
}

// inspect reads a capture to its end. The error is that of ctx.
func inspect(ctx context.Context, path string, stdin io.Reader) (*inspection, error) {
	in := newInput(path, stdin)
	c, err := in.open(ctx, stdin, reader.Options{Workers: runtime.GOMAXPROCS(0)})
	if cause := context.Cause(ctx); cause != nil {
		return nil, cause
	}
	if err != nil {
		return damagedInspection(path, err), nil
	}
	i := &inspection{Path: path}
	var b reader.Block
	for {
		err := in.next(ctx, c, &b)
		if cause := context.Cause(ctx); cause != nil {
			return nil, cause // c is left to the read that may go on
		}
		i.count(b.Records)
		if err == nil {
			continue
		}
		if err != io.EOF {
			d := damageOf(err)
			i.Damage = &d
		}
		i.describe(c)
		if err := c.Close(); err != nil && i.Damage == nil {
			d := damageOf(err)
			i.Damage = &d
		}
		return i, nil
	}
}

// count takes down a block of records.
func (i *inspection) count(records []reader.Record) {
	for k := range records {
		r := &records[k]
		i.CaptureBytes += uint64(r.CapLen)
		i.WireBytes += uint64(r.WireLen)
		if r.Flags&reader.NoTime != 0 {
			continue
		}
		if i.First == nil {
			first, last := r.Time, r.Time
			i.First, i.Last = &first, &last
		}
		*i.First, *i.Last = min(*i.First, r.Time), max(*i.Last, r.Time)
	}
}

// describe takes down what the capture says of itself. Requires: it was read
// to its end.
func (i *inspection) describe(c *reader.Capture) {
	info := c.Info()
	i.Format, i.Version, i.Compression = info.Format, info.Version, info.Compression
	i.ByteOrder, i.TimeResolution = info.ByteOrder, info.TimeResolution
	i.Interfaces, i.Sections, i.Snaplen = info.Interfaces, info.Sections, info.Snaplen
	i.Records, i.NoTime, i.ClampedTime = info.Records, info.NoTime, info.ClampedTime
	i.Bytes, i.Warnings = c.BytesRead(), info.Warnings
	i.LinkTypes = []linkReport{}
	for _, l := range info.Links {
		i.LinkTypes = append(i.LinkTypes, linkReport{l.Link, linktype.Name(l.Link), l.Records})
	}
	for _, s := range info.Skipped {
		if i.Skipped == nil {
			i.Skipped = map[string]uint64{}
		}
		i.Skipped[s.Name] += s.Blocks
	}
	if i.First != nil {
		i.FirstText, i.LastText = utc(*i.First), utc(*i.Last)
	}
}

func utc(ns int64) string { return time.Unix(0, ns).UTC().Format(time.RFC3339Nano) }

// line is the inspection for people.
func (i *inspection) line() string {
	if i.Format == "" {
		return fmt.Sprintf("%s: %s", i.Path, i.Damage.Reason)
	}
	format := strings.TrimSpace(i.Format + " " + i.Version)
	if i.Compression != "" {
		format += " in " + i.Compression
	}
	parts := []string{format, i.links(), plural(i.Records, "record"), plural(uint64(i.Bytes), "byte")}
	if i.Snaplen > 0 {
		parts = append(parts, fmt.Sprintf("snaplen %d", i.Snaplen))
	}
	if i.First != nil {
		parts = append(parts, i.FirstText+" to "+i.LastText)
	}
	parts = append(parts, i.Warnings...)
	if d := i.Damage; d != nil {
		parts = append(parts, fmt.Sprintf("DAMAGED at record %d, offset %d: %s", d.Record, d.Offset, d.Reason))
	}
	return i.Path + ": " + strings.Join(parts, ", ")
}

// links lists the link types, with their records where there are several.
func (i *inspection) links() string {
	var list []string
	for _, l := range i.LinkTypes {
		name := linktype.Describe(l.Link)
		if len(i.LinkTypes) > 1 {
			name = fmt.Sprintf("%s: %d", name, l.Records)
		}
		list = append(list, name)
	}
	if len(list) == 0 {
		return "no link type"
	}
	return strings.Join(list, " + ")
}
