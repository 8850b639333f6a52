package report

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"pcapbatch/internal/linktype"
)

// A Capture is what is known of one capture that could be opened.
type Capture struct {
	Path              string    `json:"path"`
	Format            string    `json:"format"`
	Compression       string    `json:"compression,omitempty"`
	LinkTypes         LinkTypes `json:"link_types"`
	Records           uint64    `json:"records"`
	Bytes             int64     `json:"bytes"` // read, as they lie on disk
	NoTime            uint64    `json:"records_without_timestamp,omitempty"`
	ClampedTime       uint64    `json:"records_with_clamped_timestamp,omitempty"`
	WireLengthRaised  uint64    `json:"wire_length_raised,omitempty"`              // records whose wire length was below the capture length
	SubsecondOverflow uint64    `json:"records_with_subsecond_overflow,omitempty"` // records whose sub-second field is a second or more
	OtherLinks        uint64    `json:"records_of_other_link_types,omitempty"`     // beyond the first 256 link types of the capture
	Packets           uint64    `json:"packets,omitempty"`                         // in sessions; absent where captures were merged by time
	WireBytes         uint64    `json:"wire_bytes,omitempty"`                      // wire lengths of the records; absent in older run files
	CapturedBytes     uint64    `json:"captured_bytes,omitempty"`                  // capture lengths of the records
	Sessions          *uint64   `json:"sessions,omitempty"`                        // that began in it; nil where they were not counted
	// LeftOut says that there are records, but that not one of them could be
	// decoded, because of its link type or for another reason.
	LeftOut  bool     `json:"left_out,omitempty"`
	First    *int64   `json:"first_ns,omitempty"` // time of the first record, ns since the epoch; nil where there is none
	Last     *int64   `json:"last_ns,omitempty"`  // latest time of a record
	Complete bool     `json:"complete"`           // read to its end
	Warnings []string `json:"warnings,omitempty"`
	// Range is the part of it that is meant; nil: all of it.
	Range *Range `json:"range,omitempty"`
}

// A Range is the part of a capture that was read, and where its records begin
// and end.
type Range struct {
	From    int64  `json:"from"`    // offset in the file, bytes
	To      int64  `json:"to"`      // 0: the end of the file
	Unknown bool   `json:"unknown"` // no record was found before it to begin with
	Begin   Border `json:"begin"`
	End     Border `json:"end"`
	Content int64  `json:"content,omitempty"` // bytes that a range of a compressed capture unpacks to; 0 for others
}

// A Border is where one range of a capture ends and the next one begins.
type Border struct {
	Offset int64  `json:"offset"`          // of a record in the file, bytes; -1: its end
	Unit   int64  `json:"unit,omitempty"`  // of a compressed one: Offset is in what is unpacked from there
	State  string `json:"state,omitempty"` // digest of what the meaning of later records depends on
}

// Join makes c, a range of a capture, that and the next range.
func (c *Capture) Join(next *Capture) {
	for _, l := range next.LinkTypes {
		c.LinkTypes.Count(l.Link, l.Records)
	}
	c.LeftOut = c.LeftOut && (next.LeftOut || next.Records == 0) || next.LeftOut && c.Records == 0
	c.Records += next.Records
	c.Bytes += next.Bytes
	c.NoTime += next.NoTime
	c.ClampedTime += next.ClampedTime
	c.WireLengthRaised += next.WireLengthRaised
	c.SubsecondOverflow += next.SubsecondOverflow
	c.OtherLinks += next.OtherLinks
	c.Packets += next.Packets
	c.WireBytes += next.WireBytes
	c.CapturedBytes += next.CapturedBytes
	if c.Last != nil && next.Last != nil {
		last := max(*c.Last, *next.Last)
		c.Last = &last
	}
	c.Complete = c.Complete && next.Complete
	c.Warnings = append(c.Warnings, next.Warnings...)
	if c.Range != nil && next.Range != nil {
		r := *c.Range
		r.To, r.End, r.Content = next.Range.To, next.Range.End, r.Content+next.Range.Content
		c.Range = &r
	}
}

// claimFactor is how many times what it kept a capture may state as wire bytes
// before that is not believed.
const claimFactor = 100

// Claims reports whether the wire lengths that the capture states are not to be
// believed: their sum is more than a hundred times what it kept. A capture that
// keeps nothing but headers still has a hundredth of full packets.
func (c *Capture) Claims() bool { return c.WireBytes/claimFactor > c.CapturedBytes }

// Believed is the sum of the wire lengths in bytes or, if they are not to be
// believed (Claims), of the capture lengths.
func (c *Capture) Believed() uint64 {
	if c.Claims() {
		return c.CapturedBytes
	}
	return c.WireBytes
}

// captureJSON is a Capture in JSON, in which a text must be UTF-8.
type captureJSON struct {
	plainCapture
	PathBytes []byte `json:"path_bytes,omitempty"` // see bytesOf
}

type plainCapture Capture // without methods

// MarshalJSON implements json.Marshaler.
func (c Capture) MarshalJSON() ([]byte, error) {
	return json.Marshal(&captureJSON{plainCapture(c), bytesOf(c.Path)})
}

// UnmarshalJSON implements json.Unmarshaler.
func (c *Capture) UnmarshalJSON(data []byte) error {
	var j captureJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}
	*c = Capture(j.plainCapture)
	c.Path = pathOf(c.Path, j.PathBytes)
	return nil
}

// bytesOf returns the bytes of a path that is not UTF-8, which JSON needs
// besides its text to keep it; nil for any other.
func bytesOf(path string) []byte {
	if utf8.ValidString(path) {
		return nil
	}
	return []byte(path)
}

// pathOf returns the path of which JSON had a text and what bytesOf returns.
func pathOf(text string, bytes []byte) string {
	if len(bytes) > 0 {
		return string(bytes)
	}
	return text
}

// LeftOutLine returns the line that reports that no record of the capture
// counts.
func (c *Capture) LeftOutLine() string {
	var links []string
	for _, l := range c.LinkTypes {
		links = append(links, linktype.Describe(l.Link))
	}
	return fmt.Sprintf("%s: left out: not one of its %s can be decoded; link type %s", c.Path, Plural(c.Records, "record"), strings.Join(links, ", "))
}

// LinkTypes counts records by link type. In JSON it is an object. It is a list
// because a capture has one or two link types, for which a map takes more
// memory.
type LinkTypes []LinkTypeCount

// A LinkTypeCount is the number of records of a link type.
type LinkTypeCount struct {
	Link    uint16
	Records uint64
}

// Count adds a number of records of a link type.
func (l *LinkTypes) Count(link uint16, records uint64) {
	for i := range *l {
		if (*l)[i].Link == link {
			(*l)[i].Records += records
			return
		}
	}
	*l = append(*l, LinkTypeCount{link, records})
}

// MarshalJSON implements json.Marshaler.
func (l LinkTypes) MarshalJSON() ([]byte, error) {
	m := make(map[uint16]uint64, len(l))
	for _, c := range l {
		m[c.Link] = c.Records
	}
	return json.Marshal(m)
}

// UnmarshalJSON implements json.Unmarshaler.
func (l *LinkTypes) UnmarshalJSON(data []byte) error {
	var m map[uint16]uint64
	if err := json.Unmarshal(data, &m); err != nil {
		return err
	}
	*l = nil
	for link, records := range m {
		*l = append(*l, LinkTypeCount{link, records})
	}
	return nil
}

// KindIO is the kind of damage where a capture is missing or the operating
// system failed to read it. The other kinds are those of reader.Kind.
const KindIO = "io"

// KindNotCapture is the kind of damage of a file that is of no capture format.
const KindNotCapture = "not a capture"

// Damage says why one capture could not be read, or not to its end.
type Damage struct {
	Path   string `json:"path"`
	Kind   string `json:"kind"`   // KindIO, or a reader.Kind as text
	Record uint64 `json:"record"` // number of the record that could not be read, from 1; 0: the capture could not be opened
	Offset int64  `json:"offset"` // of that record in the uncompressed capture, in bytes
	Reason string `json:"reason"`
	// Memory says that it asked for more memory than there was for it, so that
	// with a larger limit it may be no damage.
	Memory bool `json:"memory_limit,omitempty"`
}

// damageJSON is a Damage in JSON, in which a text must be UTF-8.
type damageJSON struct {
	plainDamage
	PathBytes []byte `json:"path_bytes,omitempty"` // see bytesOf
}

type plainDamage Damage // without methods

// MarshalJSON implements json.Marshaler.
func (d Damage) MarshalJSON() ([]byte, error) {
	return json.Marshal(&damageJSON{plainDamage(d), bytesOf(d.Path)})
}

// UnmarshalJSON implements json.Unmarshaler.
func (d *Damage) UnmarshalJSON(data []byte) error {
	var j damageJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}
	*d = Damage(j.plainDamage)
	d.Path = pathOf(d.Path, j.PathBytes)
	return nil
}

// String is the line that reports the damage to a person.
func (d *Damage) String() string {
	switch {
	case d.Path == "":
		return d.Reason
	case d.Record == 0:
		return fmt.Sprintf("%s: %s", d.Path, d.Reason)
	}
	return d.Path + ": record " + strconv.FormatUint(d.Record, 10) + " at offset " + strconv.FormatInt(d.Offset, 10) + ": " + d.Reason
}

// An Overlap is a capture that begins before an earlier one has ended.
type Overlap struct {
	Path    string `json:"path"`
	Earlier string `json:"earlier"` // of the captures before it, the one that ends last
}

// overlaps lists the captures that overlap an earlier one in time.
// Requires: list is in capture order.
func overlaps(list []Capture) []Overlap {
	found := []Overlap{}
	var longest *Capture
	for i := range list {
		c := &list[i]
		if c.First == nil || c.Last == nil {
			continue
		}
		if longest != nil && *c.First < *longest.Last {
			found = append(found, Overlap{c.Path, longest.Path})
		}
		if longest == nil || *c.Last > *longest.Last {
			longest = c
		}
	}
	return found
}
