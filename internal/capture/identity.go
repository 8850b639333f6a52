package capture

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"

	"pcapbatch/internal/durable"
)

// An Identity is what tells whether a capture is the one that it was, and where
// it stands among others.
type Identity struct {
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
func Identify(path string) (*Identity, error) {
	f, err := durable.OpenRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	if _, err := io.Copy(h, io.LimitReader(f, digestBytes)); err != nil {
		return nil, err
	}
	tail := io.NewSectionReader(f, max(0, info.Size()-digestBytes), digestBytes)
	if _, err := io.Copy(h, tail); err != nil {
		return nil, err
	}
	return &Identity{Path: path, Size: info.Size(), ModTime: info.ModTime().UnixNano(), Digest: hex.EncodeToString(h.Sum(nil))}, nil
}

// Unchanged reports whether o is what c was, path and first time apart.
func (c *Identity) Unchanged(o *Identity) bool {
	return c.Size == o.Size && c.ModTime == o.ModTime && c.Digest == o.Digest
}

// Compare puts captures in capture order, the order in which their packets
// count: by the time of their first record, ties by path; those without records
// come last.
func (c *Identity) Compare(o *Identity) int {
	if c.Timed != o.Timed {
		if c.Timed {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(c.First, o.First), strings.Compare(c.Path, o.Path))
}

// SetDigest returns a digest of a set of captures, whatever their order.
func SetDigest(list []*Identity) string {
	lines := make([]string, len(list))
	for i, c := range list {
		lines[i] = fmt.Sprintf("%s %d %d %s\n", c.Digest, c.Size, c.First, c.Path)
	}
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(strings.Join(lines, "")))
	return hex.EncodeToString(sum[:])
}
