package runfile

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"path/filepath"
	"strings"

	"pcapbatch/internal/capture"
)

// FormatVersion is the version of the files that are written. Files of all
// versions from 1 on can be read.
const FormatVersion = 2

// The names of run files and of parts end with these.
const (
	RunSuffix  = ".run"
	PartSuffix = ".part"
)

// A Kind says what the entries of a file are.
type Kind string

const (
	Sessions Kind = "sessions" // a run file: one section for each partition
	Rows     Kind = "rows"     // a part: one section
)

// Meta is the footer of a file. Commit and Detach set Version, Codec and Index.
type Meta struct {
	Version int  `json:"version"`
	Kind    Kind `json:"kind"`
	Codec   int  `json:"codec"` // agg.CodecVersion
	// Options are the options that shape the numbers, as JSON that only the
	// caller understands.
	Options json.RawMessage `json:"options"`
	// Kept is what sessions keep besides the basic statistics, as JSON that only
	// the caller understands; absent for nothing.
	Kept    json.RawMessage   `json:"kept,omitempty"`
	Capture *capture.Identity `json:"capture,omitempty"`  // with Sessions
	Part    *Part             `json:"part,omitempty"`     // with Rows
	Index   []Section         `json:"index,omitempty"`    // in version 1
	Packed  []byte            `json:"sections,omitempty"` // Index from version 2 on, as appendIndex makes it; nil in memory
	// Report is what was found in the captures, as JSON that only the caller
	// understands.
	Report json.RawMessage `json:"report"`
}

// A Part says which rows a file has.
type Part struct {
	Header     string `json:"header"`                // the header line of the CSV
	Columns    string `json:"columns"`               // the options that shape the text
	Captures   string `json:"captures"`              // capture.SetDigest of all captures
	CaptureKey bool   `json:"capture_key,omitempty"` // sort keys have the number of the capture
	Partition  int    `json:"partition"`             // from 0
	Partitions int    `json:"partitions"`
	// Numbered says that rows get their number in the table in front of them
	// when parts are joined.
	Numbered bool `json:"numbered,omitempty"`
	// Table says that the part has no rows, because they are in a table.
	Table bool `json:"table,omitempty"`
}

// An ID stands for the capture of a run file: it depends on the absolute path of
// the capture alone, or on its URL, and on the range of it that is meant.
type ID [16]byte

// IDOf returns the ID of a capture. A URL is not taken for a path, so that it has
// the same ID whatever the working directory.
func IDOf(c *capture.Identity) ID {
	path := c.Path
	if abs, err := filepath.Abs(path); err == nil && !isURL(path) {
		path = abs
	}
	if !c.Range.Whole() {
		path += "\x00" + c.Range.String() // no path has that byte
	}
	sum := sha256.Sum256([]byte(path))
	return ID(sum[:16])
}

// isURL reports whether a name begins with a scheme and an authority: RFC 3986,
// section 3.
func isURL(name string) bool {
	scheme, _, ok := strings.Cut(name, "://")
	for i, c := range []byte(scheme) {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (i == 0 || (c < '0' || c > '9') && c != '+' && c != '-' && c != '.') {
			return false
		}
	}
	return ok && scheme != ""
}

// Compare puts IDs in an order.
func (id ID) Compare(o ID) int { return bytes.Compare(id[:], o[:]) }

// Name is the name of the run file.
func (id ID) Name() string { return hex.EncodeToString(id[:]) + RunSuffix }

// ParseName returns the ID of which Name returned name.
func ParseName(name string) (id ID, ok bool) {
	digits, ok := strings.CutSuffix(name, RunSuffix)
	if !ok || len(digits) != 2*len(id) {
		return id, false
	}
	_, err := hex.Decode(id[:], []byte(digits))
	return id, err == nil && id.Name() == name
}

// RunName returns the name of the run file for the capture at path. It depends
// on the absolute path alone, so that the run file of a changed capture
// replaces that of the capture before the change.
func RunName(path string) string { return IDOf(&capture.Identity{Path: path}).Name() }
