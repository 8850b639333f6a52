package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"pcapbatch/internal/decode"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/reader"
)

// A report is what a run says about itself: for the terminal, and as JSON with
// --summary. Readers of several stretches fill it at the same time.
type report struct {
	Version  string            `json:"version"`
	Flags    map[string]string `json:"flags"`
	Workers  int               `json:"workers"`
	Output   string            `json:"output"`
	Seconds  float64           `json:"elapsed_s"`
	Bytes    int64             `json:"bytes"` // of the captures as they lie on disk
	Records  uint64            `json:"records"`
	Packets  uint64            `json:"packets"` // in sessions
	Sessions uint64            `json:"sessions"`

	NonIP       uint64            `json:"non_ip"`
	NonIPKinds  map[string]uint64 `json:"non_ip_kinds"`
	Undecodable map[string]uint64 `json:"undecodable"`
	Unsupported map[uint16]uint64 `json:"unsupported_link_type"`

	Reordered   uint64 `json:"reordered_packets"`
	Joined      uint64 `json:"reordered_when_merged,omitempty"` // of Reordered, those that merging run files found
	NoTime      uint64 `json:"records_without_timestamp"`
	ClampedTime uint64 `json:"records_with_clamped_timestamp"`
	Fragments   uint64 `json:"fragments"`
	Unmatched   uint64 `json:"fragments_without_first"`
	Tunnelled   uint64 `json:"tunnelled_packets"`
	InexactGaps uint64 `json:"sessions_with_inexact_gaps"` // see agg.Table.InexactGaps
	NamedTwice  int    `json:"captures_named_twice"`

	Captures []captureReport `json:"captures"`
	Damage   []damageReport  `json:"damage"`
	Overlaps []overlap       `json:"overlapping_captures"`

	mu     sync.Mutex
	stderr io.Writer
	start  time.Time
	decap  bool
	bar    bool // a progress bar may stand on the line that stderr is at
}

func newReport(stderr io.Writer) *report {
	return &report{Version: version(), Captures: []captureReport{}, Damage: []damageReport{}, Overlaps: []overlap{}, stderr: stderr, start: time.Now()}
}

// captureReport is what there is to say of one capture that could be opened.
type captureReport struct {
	Path        string            `json:"path"`
	Format      string            `json:"format"`
	Compression string            `json:"compression,omitempty"`
	LinkTypes   map[uint16]uint64 `json:"link_types"` // records
	Records     uint64            `json:"records"`
	Bytes       int64             `json:"bytes"`
	NoTime      uint64            `json:"records_without_timestamp,omitempty"`
	ClampedTime uint64            `json:"records_with_clamped_timestamp,omitempty"`
	First       *int64            `json:"first_ns,omitempty"` // time of the first record, ns since the epoch
	Last        *int64            `json:"last_ns,omitempty"`  // latest time of a record
	Complete    bool              `json:"complete"`
	Warnings    []string          `json:"warnings,omitempty"`

	number int    // place in capture order
	input  *input // nil where an earlier run read the capture
}

// times fills in when the capture begins and ends. Requires: all of its blocks
// are decoded.
func (c *captureReport) times() {
	if c.input == nil || !c.input.timed {
		return
	}
	first, last := c.input.first, max(c.input.first, c.input.latest.Load())
	c.First, c.Last = &first, &last
}

// An overlap is a capture that begins before an earlier one has ended.
type overlap struct {
	Path    string `json:"path"`
	Earlier string `json:"earlier"` // of those before it, the one that ends last
}

// overlaps lists the captures that overlap an earlier one. Requires: sort.
func (r *report) overlaps() (list []overlap) {
	list = []overlap{}
	var longest *captureReport
	for i := range r.Captures {
		c := &r.Captures[i]
		if c.First == nil || c.Last == nil {
			continue
		}
		if longest != nil && *c.First < *longest.Last {
			list = append(list, overlap{c.Path, longest.Path})
		}
		if longest == nil || *c.Last > *longest.Last {
			longest = c
		}
	}
	return list
}

// damageReport is one capture that could not be read, or not to its end.
type damageReport struct {
	Path   string `json:"path"`
	Kind   string `json:"kind"`
	Record uint64 `json:"record"` // that could not be read, from 1; 0 if the capture could not be opened
	Offset int64  `json:"offset"` // in the uncompressed stream
	Reason string `json:"reason"`
}

// String is what was told when the damage was met.
func (d damageReport) String() string {
	e := reader.Error{Path: d.Path, Record: d.Record, Offset: d.Offset, Err: errors.New(d.Reason)}
	return e.Error()
}

// capture takes down a capture that was read as far as err, nil at its end.
func (r *report) capture(in *input, c *reader.Capture, err error) {
	info := c.Info()
	cr := captureReport{
		Path: in.path, Format: info.Format, Compression: info.Compression,
		LinkTypes: map[uint16]uint64{}, Records: info.Records, Bytes: c.BytesRead(),
		NoTime: info.NoTime, ClampedTime: info.ClampedTime,
		Complete: err == nil, Warnings: info.Warnings, number: in.number, input: in,
	}
	for _, l := range info.Links {
		cr.LinkTypes[l.Link] += l.Records
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Captures = append(r.Captures, cr)
	r.Records += cr.Records
	r.Bytes += cr.Bytes
	r.NoTime += cr.NoTime
	r.ClampedTime += cr.ClampedTime
	for _, w := range cr.Warnings {
		r.tell(in.path + ": " + w)
	}
}

// damage takes down, and tells at once, that a capture could not be read to
// its end.
func (r *report) damage(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Damage = append(r.Damage, damageOf(err))
	r.tell(err.Error())
}

func damageOf(err error) damageReport {
	if e, ok := errors.AsType[*reader.Error](err); ok {
		return damageReport{Path: e.Path, Kind: e.Kind.String(), Record: e.Record, Offset: e.Offset, Reason: e.Err.Error()}
	}
	return damageReport{Reason: err.Error(), Kind: reader.IO.String()}
}

// tell writes one line, in place of the progress bar where there is one.
// Requires: mu is held.
func (r *report) tell(line string) {
	if r.bar {
		fmt.Fprint(r.stderr, "\r\x1b[K")
	}
	fmt.Fprintf(r.stderr, "batch: %s\n", printable(line))
}

// printable is s if it can stand in one line of a terminal. In what cannot, as
// names of files may be chosen by others, the odd characters are escaped.
func printable(s string) string {
	if utf8.ValidString(s) && !strings.ContainsFunc(s, func(c rune) bool { return !unicode.IsPrint(c) }) {
		return s
	}
	quoted := strconv.Quote(s)
	return quoted[1 : len(quoted)-1]
}

// sort brings captures and damage, which came as reading went, into an order
// that does not depend on it.
func (r *report) sort() {
	for i := range r.Captures {
		r.Captures[i].times()
	}
	slices.SortFunc(r.Captures, func(a, b captureReport) int { return cmp.Compare(a.number, b.number) })
	slices.SortStableFunc(r.Damage, func(a, b damageReport) int { return strings.Compare(a.Path, b.Path) })
}

// missingError is the damage of a name that no capture could be found under.
func missingError(path string, err error) error {
	return &reader.Error{Path: path, Kind: reader.IO, Err: err}
}

// decoded takes down what the decoders counted.
func (r *report) decoded(c *decode.Counts) {
	r.Packets, r.NonIP = c.Events, c.NonIP
	r.Fragments, r.Tunnelled = c.Fragments, c.Tunnelled
	r.NonIPKinds, r.Undecodable = map[string]uint64{}, map[string]uint64{}
	for k, n := range c.Kinds {
		if n > 0 {
			r.NonIPKinds[decode.Kind(k).String()] = n
		}
	}
	for k, n := range c.Undecodable {
		if n > 0 {
			r.Undecodable[decode.Reason(k).String()] = n
		}
	}
	r.Unsupported = map[uint16]uint64{}
	for link, n := range c.UnsupportedLink {
		r.Unsupported[link] = n
	}
}

// add takes down what another report says of its captures.
func (r *report) add(o *report) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Captures = append(r.Captures, o.Captures...)
	r.Damage = append(r.Damage, o.Damage...)
	r.Records += o.Records
	r.Bytes += o.Bytes
	r.NoTime += o.NoTime
	r.ClampedTime += o.ClampedTime
	r.addDecoded(o)
	for _, d := range o.Damage {
		r.tell(d.String())
	}
}

// addDecoded takes down what decoding and merging said of other captures.
// Requires: mu is held.
func (r *report) addDecoded(o *report) {
	r.Packets += o.Packets
	r.NonIP += o.NonIP
	r.Reordered += o.Reordered
	r.Fragments += o.Fragments
	r.Unmatched += o.Unmatched
	r.Tunnelled += o.Tunnelled
	r.NonIPKinds = addCounts(r.NonIPKinds, o.NonIPKinds)
	r.Undecodable = addCounts(r.Undecodable, o.Undecodable)
	r.Unsupported = addCounts(r.Unsupported, o.Unsupported)
}

func addCounts[K comparable](sum, m map[K]uint64) map[K]uint64 {
	if sum == nil {
		sum = map[K]uint64{}
	}
	for k, n := range m {
		sum[k] += n
	}
	return sum
}

// balance returns an error unless every record is in exactly one count. A
// failure is a defect of the program, never of the captures.
func (r *report) balance() error {
	sum := r.Packets + r.NonIP
	for _, n := range r.Undecodable {
		sum += n
	}
	for _, n := range r.Unsupported {
		sum += n
	}
	if sum != r.Records {
		return outputError(fmt.Errorf("internal error: %d records were read, %d are accounted for", r.Records, sum))
	}
	return nil
}

// partial reports whether something was damaged or left out.
func (r *report) partial() bool { return len(r.Damage) > 0 }

// writeJSON writes the report to a file, or to stdout for "-".
func (r *report) writeJSON(ctx context.Context, fsys durable.FS, path string, stdout io.Writer) error {
	out, err := createOutput(ctx, fsys, path, stdout)
	if err != nil {
		return err
	}
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	if err := enc.Encode(r); err != nil {
		out.abort()
		return outputError(err)
	}
	return out.commit()
}
