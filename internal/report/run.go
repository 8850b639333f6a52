package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"pcapbatch/internal/figures"
)

// A Run is what one run found. Run files and parts keep one of what was found
// in their captures.
type Run struct {
	// Invocation is how the run was called; it is empty in run files and
	// parts.
	Invocation
	Seconds  float64 `json:"elapsed_s"`
	Bytes    int64   `json:"bytes"` // of the captures as they lie on disk
	Records  uint64  `json:"records"`
	Packets  uint64  `json:"packets"` // in sessions
	Further  uint64  `json:"further_packets_of_aggregated_records"`
	Sessions uint64  `json:"sessions"`

	NonIP       uint64            `json:"non_ip"`
	NonIPKinds  map[string]uint64 `json:"non_ip_kinds"`
	Undecodable map[string]uint64 `json:"undecodable"`
	Unsupported map[uint16]uint64 `json:"unsupported_link_type"`

	Reordered         uint64 `json:"reordered_packets"`
	Joined            uint64 `json:"reordered_when_merged,omitempty"` // those of Reordered that merging run files found
	NoTime            uint64 `json:"records_without_timestamp"`
	ClampedTime       uint64 `json:"records_with_clamped_timestamp"`
	WireLengthRaised  uint64 `json:"wire_length_raised"`
	SubsecondOverflow uint64 `json:"records_with_subsecond_overflow"`
	Fragments         uint64 `json:"fragments"`
	Unmatched         uint64 `json:"fragments_without_first"`
	Tunnelled         uint64 `json:"tunnelled_packets"`
	InexactGaps       uint64 `json:"sessions_with_inexact_gaps"` // see agg.Table.InexactGaps
	NamedTwice        int    `json:"captures_named_twice"`
	NotCaptures       int    `json:"files_that_are_no_captures"` // of directories and patterns

	Labels *Labels `json:"labels,omitempty"` // with --labels

	Figures *figures.Figures `json:"figures,omitempty"` // with --report or --report-data

	Captures []Capture `json:"captures"` // in capture order
	Damage   []Damage  `json:"damage"`   // by path
	Overlaps []Overlap `json:"overlapping_captures"`

	// Decapsulated says that sessions are those inside tunnels.
	Decapsulated bool `json:"-"`
}

// An Invocation is how a run was called.
type Invocation struct {
	Version string `json:"version"`
	// Started is when the run began, RFC 3339 in UTC.
	Started string `json:"started,omitempty"`
	// Arguments are the command and what it was given, flags included.
	Arguments []string          `json:"arguments,omitempty"`
	Flags     map[string]string `json:"flags"` // those that were given, by name
	Workers   int               `json:"workers"`
	Output    string            `json:"output"`
}

// Labels say how many sessions got which label from a file of rules.
type Labels struct {
	Sessions  map[string]uint64 `json:"sessions"`              // by label
	Unmatched uint64            `json:"sessions_without_rule"` // they have the default label
	// Unused are the rules that gave no session its label. Of several parts it is
	// not known which rules none of them used.
	Unused *UnusedRules `json:"unused_rules,omitempty"`
}

// UnusedRules are rules that gave no session its label.
type UnusedRules struct {
	Rules int   `json:"rules"`
	Lines []int `json:"first_lines"` // on which the first of them begin
}

// Add adds the counts of another part of the same rows.
func (l *Labels) Add(o *Labels) {
	for name, n := range o.Sessions {
		l.Sessions[name] += n
	}
	l.Unmatched += o.Unmatched
}

// New returns the report of a run that has found nothing yet.
func New() *Run {
	return &Run{Captures: []Capture{}, Damage: []Damage{}, Overlaps: []Overlap{}}
}

// Add adds what another report says of its captures and their records, but not
// its number of sessions: those may be joined with others.
func (r *Run) Add(o *Run) {
	r.Captures = append(r.Captures, o.Captures...)
	r.Damage = append(r.Damage, o.Damage...)
	r.Records += o.Records
	r.Bytes += o.Bytes
	r.NoTime += o.NoTime
	r.ClampedTime += o.ClampedTime
	r.WireLengthRaised += o.WireLengthRaised
	r.SubsecondOverflow += o.SubsecondOverflow
	r.Packets += o.Packets
	r.Further += o.Further
	r.NonIP += o.NonIP
	r.Reordered += o.Reordered
	r.Fragments += o.Fragments
	r.Unmatched += o.Unmatched
	r.Tunnelled += o.Tunnelled
	r.NonIPKinds = sum(r.NonIPKinds, o.NonIPKinds)
	r.Undecodable = sum(r.Undecodable, o.Undecodable)
	r.Unsupported = sum(r.Unsupported, o.Unsupported)
}

// AddPackets adds figures of packets.
func (r *Run) AddPackets(p *figures.Packets) {
	if r.Figures == nil {
		r.Figures = &figures.Figures{}
	}
	if r.Figures.Packets == nil {
		r.Figures.Packets = &figures.Packets{}
	}
	r.Figures.Packets.Merge(p)
}

// AddCapture adds one capture and its records.
func (r *Run) AddCapture(c *Capture) {
	r.Captures = append(r.Captures, *c)
	r.Records += c.Records
	r.Bytes += c.Bytes
	r.NoTime += c.NoTime
	r.ClampedTime += c.ClampedTime
	r.WireLengthRaised += c.WireLengthRaised
	r.SubsecondOverflow += c.SubsecondOverflow
}

func sum[K comparable](total, m map[K]uint64) map[K]uint64 {
	if total == nil {
		total = map[K]uint64{}
	}
	for k, n := range m {
		total[k] += n
	}
	return total
}

// Balance returns an error unless every record, and every further packet of an
// aggregated record, is in exactly one count. A failure is a defect of the
// program, never of the captures.
func (r *Run) Balance() error {
	total := r.Packets + r.NonIP
	for n := range maps.Values(r.Undecodable) {
		total += n
	}
	for n := range maps.Values(r.Unsupported) {
		total += n
	}
	if packets := r.Records + r.Further; total != packets {
		return fmt.Errorf("internal error: %d packets were read, %d are accounted for", packets, total)
	}
	return nil
}

// Finish completes the report: it sorts the damage by path and, unless apart,
// lists the captures that overlap in time. apart says that an overlap changes
// no number, because captures were interleaved or no session is in two of them.
// Requires: Captures are in capture order.
func (r *Run) Finish(apart bool) {
	slices.SortStableFunc(r.Damage, func(a, b Damage) int {
		return cmp.Or(strings.Compare(a.Path, b.Path), cmp.Compare(a.Record, b.Record))
	})
	if !apart {
		r.Overlaps = overlaps(r.Captures)
	}
}

// Damaged reports whether a capture was damaged or left out.
func (r *Run) Damaged() bool {
	return len(r.Damage) > 0 || slices.ContainsFunc(r.Captures, func(c Capture) bool { return c.LeftOut })
}

// Failed reports whether a capture is missing or the system failed to read it,
// so that a second try may succeed.
func (r *Run) Failed() bool {
	return slices.ContainsFunc(r.Damage, func(d Damage) bool { return d.Kind == KindIO })
}
