package runfile

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
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
	Version int       `json:"version"`
	Kind    Kind      `json:"kind"`
	Codec   int       `json:"codec"` // agg.CodecVersion
	Options Options   `json:"options"`
	Capture *Capture  `json:"capture,omitempty"` // of sessions
	Part    *Part     `json:"part,omitempty"`    // of rows
	Index   []Section `json:"index"`
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

// Capture identifies a capture.
type Capture struct {
	Path    string `json:"path"`
	Size    int64  `json:"size"`     // bytes on disk
	ModTime int64  `json:"mtime_ns"` // ns since the epoch, as First is
	Digest  string `json:"digest"`   // SHA-256 of its first and last 64 KiB
	First   int64  `json:"first_ns"` // time of its first record, if Timed
	Timed   bool   `json:"timed"`
}

// digestBytes is how much of the head and of the tail of a capture is hashed.
const digestBytes = 64 << 10

// Identify returns the identity of the capture at path, without its time.
func Identify(path string) (*Capture, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	h := sha256.New()
	if _, err := io.Copy(h, io.LimitReader(f, digestBytes)); err != nil {
		return nil, err
	}
	tail := io.NewSectionReader(f, max(0, info.Size()-digestBytes), digestBytes)
	if _, err := io.Copy(h, tail); err != nil {
		return nil, err
	}
	return &Capture{Path: path, Size: info.Size(), ModTime: info.ModTime().UnixNano(), Digest: hex.EncodeToString(h.Sum(nil))}, nil
}

// Unchanged reports whether o is what c was, path and first time apart.
func (c *Capture) Unchanged(o *Capture) bool {
	return c.Size == o.Size && c.ModTime == o.ModTime && c.Digest == o.Digest
}

// Compare puts captures in capture order: by the time of their first record,
// ties by path; those without records last.
func (c *Capture) Compare(o *Capture) int {
	if c.Timed != o.Timed {
		if c.Timed {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(c.First, o.First), strings.Compare(c.Path, o.Path))
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

// CaptureSet returns a digest of a set of captures, whatever their order.
func CaptureSet(list []*Capture) string {
	lines := make([]string, len(list))
	for i, c := range list {
		lines[i] = fmt.Sprintf("%s %d %d %s\n", c.Digest, c.Size, c.First, c.Path)
	}
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(strings.Join(lines, "")))
	return hex.EncodeToString(sum[:])
}
