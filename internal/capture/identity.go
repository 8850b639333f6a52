package capture

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"pcapbatch/internal/durable"
)

// An Identity tells whether a capture is the one that it was at another time,
// and where it stands in capture order. Run files keep it as JSON.
type Identity struct {
	Path    string `json:"path"`
	Size    int64  `json:"size"`     // bytes on disk
	ModTime int64  `json:"mtime_ns"` // time of its last modification, ns since the Unix epoch
	Digest  string `json:"digest"`   // SHA-256 of its first and last 64 KiB; of an object: of its tag
	First   int64  `json:"first_ns"` // time of its first record, ns since the Unix epoch; valid if Timed
	Timed   bool   `json:"timed"`    // there is a record
	// Tag is what whoever named the capture says of its content, the ETag of an
	// object say; "": nothing.
	Tag string `json:"identity,omitempty"`
	// Range is the part of it that is meant. Size, Digest and First are those of
	// the whole.
	Range Range `json:"range,omitzero"`
}

// identityJSON is an Identity in JSON, in which a text must be UTF-8.
type identityJSON struct {
	plainIdentity
	// PathBytes is the path where it is not UTF-8.
	PathBytes []byte `json:"path_bytes,omitempty"`
}

type plainIdentity Identity // without methods

// MarshalJSON implements json.Marshaler.
func (c Identity) MarshalJSON() ([]byte, error) {
	j := identityJSON{plainIdentity: plainIdentity(c)}
	if !utf8.ValidString(c.Path) {
		j.PathBytes = []byte(c.Path)
	}
	return json.Marshal(&j)
}

// UnmarshalJSON implements json.Unmarshaler.
func (c *Identity) UnmarshalJSON(data []byte) error {
	var j identityJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}
	*c = Identity(j.plainIdentity)
	if len(j.PathBytes) > 0 {
		c.Path = string(j.PathBytes)
	}
	return nil
}

// digestBytes is how many bytes at the beginning and at the end of a capture
// are hashed.
const digestBytes = 64 << 10

// Identify returns the identity of the capture at path, but for First and
// Timed, which take a reader. The capture must be a regular file, or an object,
// which is not read: its tag stands for what it holds.
func Identify(fsys durable.FS, path string) (*Identity, error) {
	if durable.IsObject(path) {
		return identifyObject(fsys, path)
	}
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
	if err := digest(h, f, info.Size()); err != nil {
		return nil, err
	}
	return &Identity{Path: path, Size: info.Size(), ModTime: info.ModTime().UnixNano(), Digest: hex.EncodeToString(h.Sum(nil))}, nil
}

// identifyObject is Identify for an object. Its digest is that of its tag, so that
// copies of an object that have the same tag are known for the same capture.
func identifyObject(fsys durable.FS, path string) (*Identity, error) {
	info, err := fsys.Stat(path)
	if err != nil {
		return nil, err
	}
	tagged, ok := info.(durable.Tagged)
	if !ok || !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: path, Err: durable.ErrNotRegular}
	}
	id := &Identity{Path: path, Size: info.Size(), ModTime: info.ModTime().UnixNano(), Tag: tagged.Tag()}
	sum := sha256.Sum256([]byte("ETag " + id.Tag))
	id.Digest = hex.EncodeToString(sum[:])
	return id, nil
}

// smallFile is the largest size of a file that digest takes into memory, in bytes.
const smallFile = 8 << 10

// digest writes the first and the last digestBytes of a file to h: all of a small
// one twice, which is read once.
func digest(h io.Writer, f *os.File, size int64) error {
	if size > 0 && size <= smallFile { // what has no size can have bytes still
		b := make([]byte, size)
		n, err := io.ReadFull(f, b)
		if err == nil || err == io.EOF || err == io.ErrUnexpectedEOF {
			_, _ = h.Write(b[:n]) // a hash returns no error
			_, _ = h.Write(b[:n])
			return nil
		}
		return err
	}
	if _, err := io.Copy(h, io.LimitReader(f, digestBytes)); err != nil {
		return err
	}
	_, err := io.Copy(h, io.NewSectionReader(f, max(0, size-digestBytes), digestBytes))
	return err
}

// Unchanged reports whether c and o have the same content, as far as size,
// modification time and digest tell; their paths may differ. Where one has a
// tag, the tags tell it alone.
func (c *Identity) Unchanged(o *Identity) bool {
	return c.Range == o.Range && c.SameFile(o)
}

// SameFile is Unchanged for captures that may be ranges of one.
func (c *Identity) SameFile(o *Identity) bool {
	if c.Tag != "" || o.Tag != "" {
		return c.Tag == o.Tag
	}
	return c.Size == o.Size && c.ModTime == o.ModTime && c.Digest == o.Digest
}

// Compare puts captures in capture order, the order in which their packets
// count: by the time of their first record, ties by path; those without records
// come last. Ranges of a capture are in order.
func (c *Identity) Compare(o *Identity) int {
	if c.Timed != o.Timed {
		if c.Timed {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(c.First, o.First), strings.Compare(c.Path, o.Path), cmp.Compare(c.Range.From, o.Range.From))
}

// SetDigest returns a SHA-256 of a set of captures, which does not depend on
// their order. What was found in each of them is told by the text of the same
// number.
func SetDigest(list []*Identity, found []string) string {
	lines := make([]string, len(list))
	for i, c := range list {
		lines[i] = fmt.Sprintf("%s %d %d %d %q %s %s\n", c.Digest, c.Size, c.ModTime, c.First, c.Tag, found[i], c.Path)
		if !c.Range.Whole() {
			lines[i] += c.Range.String() + "\n"
		}
	}
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(strings.Join(lines, "")))
	return hex.EncodeToString(sum[:])
}
