package label

import (
	"path"
	"slices"
	"strings"
)

// captures are the names and globs of the column capture. A name has an odd
// number, a glob an even one, from 2 on.
type captures struct {
	names map[string]uint32
	globs []string
	known map[string]uint32 // globs
}

// captureIDs are the numbers of what names one capture.
type captureIDs struct {
	name  uint32   // 0 if no rule has the capture's very name
	globs []uint32 // ascending
}

func (c *captureIDs) has(id uint32) bool {
	if id == c.name {
		return true
	}
	_, ok := slices.BinarySearch(c.globs, id)
	return ok
}

func (c *captures) len() int { return len(c.names) + len(c.globs) }

func isName(id uint32) bool { return id%2 == 1 }

// add returns the number of a name or glob. The error is path.ErrBadPattern.
func (c *captures) add(cell []byte) (uint32, error) {
	if id, ok := c.names[string(cell)]; ok {
		return id, nil
	}
	if id, ok := c.known[string(cell)]; ok {
		return id, nil
	}
	text := string(cell)
	if !strings.ContainsAny(text, `*?[\`) {
		if c.names == nil {
			c.names = map[string]uint32{}
		}
		id := uint32(2*len(c.names) + 1)
		c.names[text] = id
		return id, nil
	}
	if _, err := path.Match(text, ""); err != nil {
		return 0, err
	}
	if c.known == nil {
		c.known = map[string]uint32{}
	}
	c.globs = append(c.globs, text)
	id := uint32(2 * len(c.globs))
	c.known[text] = id
	return id, nil
}

// ids returns what names the capture. A glob also names the capture whose path
// is the glob's own text, such as "day[1].pcap".
func (c *captures) ids(capture string) captureIDs {
	ids := captureIDs{name: c.names[capture]}
	for i, glob := range c.globs {
		if ok, _ := path.Match(glob, capture); ok || glob == capture {
			ids.globs = append(ids.globs, uint32(2*(i+1)))
		}
	}
	return ids
}

// maxCached bounds the numbers of globs that a captureCache holds.
const maxCached = 1 << 20

// A captureCache remembers what names a capture: rows of one capture are many.
type captureCache struct {
	byName map[string]captureIDs
	size   int
	last   string
	ids    captureIDs
}

func (m *captureCache) find(c *captures, capture string) captureIDs {
	if c.len() == 0 {
		return captureIDs{}
	}
	if m.byName != nil && capture == m.last {
		return m.ids
	}
	ids, ok := m.byName[capture]
	if !ok {
		ids = c.ids(capture)
		if m.size += 1 + len(ids.globs); m.byName == nil || m.size > maxCached {
			m.byName, m.size = map[string]captureIDs{}, 1+len(ids.globs)
		}
		m.byName[strings.Clone(capture)] = ids
	}
	m.last, m.ids = capture, ids
	return ids
}
