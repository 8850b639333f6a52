package runfile

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"path/filepath"

	"pcapbatch/internal/capture"
)

// FormatVersion is the version of the files written. Version 1 stays readable.
const FormatVersion = 1

// Names end so.
const (
	RunSuffix  = ".run"
	PartSuffix = ".part"
)

// Kind says what the entries of a file are.
type Kind string

const (
	Sessions Kind = "sessions" // one section per partition
	Rows     Kind = "rows"     // one section
)

// Meta is the footer of a file.
type Meta struct {
	Version int  `json:"version"`
	Kind    Kind `json:"kind"`
	Codec   int  `json:"codec"` // agg.CodecVersion
	// Options are those that shape the numbers, as JSON. Only the caller knows
	// what they mean.
	Options json.RawMessage   `json:"options"`
	// Kept is what sessions keep besides the basic statistics, as JSON; absent
	// for nothing. It too is the caller\'s.
	Kept json.RawMessage `json:"kept,omitempty"`
	Capture *capture.Identity `json:"capture,omitempty"` // of sessions
	Part    *Part             `json:"part,omitempty"`    // of rows
	Index   []Section         `json:"index"`
	// Report is what the command has to say about the captures behind the
	// file; nothing here looks into it.
	Report json.RawMessage `json:"report"`
}

// Part says which rows a file has.
type Part struct {
	Header     string `json:"header"`   // the header line of the CSV
	Columns    string `json:"columns"`  // the options that shape the text
	Captures   string `json:"captures"` // the digest that CaptureSet makes of them
	Partition  int    `json:"partition"`
	Partitions int    `json:"partitions"`
}

// RunName returns the name of the file for the sessions of the capture at
// path: the same for one path, so that a changed capture takes the place of
// what it was.
func RunName(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	sum := sha256.Sum256([]byte(path))
	return hex.EncodeToString(sum[:16]) + RunSuffix
}
