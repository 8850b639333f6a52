package capture

import (
	"fmt"
	"strconv"
	"strings"
)

// A Range is a part of a capture: the records that begin in the file at offset
// From or later, and before To. The zero value is all of the capture.
type Range struct {
	From int64 `json:"from"`
	To   int64 `json:"to"` // 0: to the end of the file
}

// ParseRange reads a range as String writes it. Without a number after the dash
// it goes to the end of the file.
func ParseRange(text string) (r Range, err error) {
	from, to, ok := strings.Cut(text, "-")
	if r.From, err = strconv.ParseInt(from, 10, 64); err == nil && ok && to != "" {
		r.To, err = strconv.ParseInt(to, 10, 64)
	}
	if err != nil || !ok || r.From < 0 || to != "" && r.To <= r.From {
		return Range{}, fmt.Errorf("%q is no range: it must be two offsets in bytes, such as 0-1000000, the second one larger or, for the end of the file, left out", text)
	}
	return r, nil
}

func (r Range) String() string {
	if r.To == 0 {
		return fmt.Sprintf("%d-", r.From)
	}
	return fmt.Sprintf("%d-%d", r.From, r.To)
}

// Whole reports whether the range is all of the capture by its definition.
func (r Range) Whole() bool { return r == Range{} }

// Bytes is how much of a file of size bytes the range has.
func (r Range) Bytes(size int64) int64 {
	if r.To > 0 {
		size = min(size, r.To)
	}
	return max(size-r.From, 0)
}
