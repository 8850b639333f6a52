package runfile

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"

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
	Version int               `json:"version"`
	Kind    Kind              `json:"kind"`
	Codec   int               `json:"codec"` // agg.CodecVersion
	Options Options           `json:"options"`
	Capture *capture.Identity `json:"capture,omitempty"` // of sessions
	Part    *Part             `json:"part,omitempty"`    // of rows
	Index   []Section         `json:"index"`
	// Report is what the command has to say about the captures behind the
	// file; nothing here looks into it.
	Report json.RawMessage `json:"report"`
}

// Options are the options that shape the numbers, by name.
type Options map[string]string

// Differences lists, as text, where o and other differ; empty where they
// agree.
func (o Options) Differences(other Options) (list []string) {
	for name, value := range o {
		if v, ok := other[name]; !ok || v != value {
			list = append(list, fmt.Sprintf("--%s is %q and %q", name, value, v))
		}
	}
	for name, v := range other {
		if _, ok := o[name]; !ok {
			list = append(list, fmt.Sprintf("--%s is %q and %q", name, "", v))
		}
	}
	slices.Sort(list)
	return list
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
