package report

import (
	"fmt"
	"strings"
	"time"

	"pcapbatch/internal/linktype"
)

// An Inspection is what batch inspect shows of one capture, which was read from
// end to end.
type Inspection struct {
	Path           string            `json:"path"`
	Format         string            `json:"format,omitempty"`
	Version        string            `json:"version,omitempty"`
	Compression    string            `json:"compression,omitempty"`
	ByteOrder      string            `json:"byte_order,omitempty"`
	TimeResolution string            `json:"time_resolution,omitempty"`
	LinkTypes      []InspectedLink   `json:"link_types"`
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
	Damage         *Damage           `json:"damage"` // null: whole
}

// InspectedLink is one link type of an inspected capture.
type InspectedLink struct {
	Link    uint16 `json:"link_type"`
	Name    string `json:"name,omitempty"`
	Records uint64 `json:"records"`
}

// NotOpened is the inspection of a capture that could not be opened.
func NotOpened(d Damage) *Inspection {
	return &Inspection{Path: d.Path, LinkTypes: []InspectedLink{}, Damage: &d}
}

// Times sets the texts of the earliest and the latest time.
func (i *Inspection) Times() {
	if i.First != nil {
		i.FirstText, i.LastText = utc(*i.First), utc(*i.Last)
	}
}

// utc is a time in ns since the Unix epoch as text.
func utc(ns int64) string { return time.Unix(0, ns).UTC().Format(time.RFC3339Nano) }

// Line returns the inspection as one line for people, without a line end.
func (i *Inspection) Line() string {
	if i.Format == "" {
		return fmt.Sprintf("%s: %s", i.Path, i.Damage.Reason)
	}
	format := strings.TrimSpace(i.Format + " " + i.Version)
	if i.Compression != "" {
		format += " in " + i.Compression
	}
	list := []string{format, i.links(), Plural(i.Records, "record"), Plural(uint64(i.Bytes), "byte")}
	if i.Snaplen > 0 {
		list = append(list, fmt.Sprintf("snaplen %d", i.Snaplen))
	}
	if i.First != nil {
		list = append(list, i.FirstText+" to "+i.LastText)
	}
	list = append(list, i.Warnings...)
	if d := i.Damage; d != nil {
		list = append(list, fmt.Sprintf("DAMAGED at record %d, offset %d: %s", d.Record, d.Offset, d.Reason))
	}
	return i.Path + ": " + strings.Join(list, ", ")
}

// links lists the link types, with their records where there are several.
func (i *Inspection) links() string {
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
