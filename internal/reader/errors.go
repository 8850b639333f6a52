package reader

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// Kind says what kind of damage an Error is about. With every kind but Flawed
// the capture was not read to its end.
type Kind uint8

const (
	IO          Kind = iota // the operating system failed to open or read it
	Empty                   // it has no bytes at all
	NotCapture              // its content is of no capture format
	Unsupported             // a format, version or feature that is known but not read here
	Truncated               // it ends in the middle of a record, a block or a compressed stream
	Corrupt                 // its content contradicts itself
	Flawed                  // its content contradicts itself where no record is: it was read to its end, and every record counts
)

var kindNames = [...]string{"io", "empty", "not a capture", "unsupported", "truncated", "corrupt", "flawed"}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Error is why a capture could not be read, or not to its end, or what is wrong
// with one that was (Kind Flawed). Err states the reason; it wraps
// io.ErrUnexpectedEOF for a capture cut short and the operating system's error
// for Kind IO.
type Error struct {
	Path   string
	Record uint64 // 1-based number of the record that could not be read; 0: the capture could not be opened
	Offset int64  // in the uncompressed stream, of the record or block that could not be read, or has the flaw
	Kind   Kind
	Err    error
}

func (e *Error) Error() string {
	if e.Record == 0 {
		return fmt.Sprintf("%s: %v", e.Path, e.Err)
	}
	return fmt.Sprintf("%s: record %d at offset %d: %v", e.Path, e.Record, e.Offset, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// cause drops the operation and the path from an error of package os: Error has
// the path already.
func cause(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}

// faultKind tells a failure to read the file from damage that the decompressor
// found.
func (c *Capture) faultKind(err error) Kind {
	switch {
	case c.raw.failure() != nil, err == io.ErrNoProgress:
		return IO
	case errors.Is(err, errUnsupported):
		return Unsupported
	case errors.Is(err, io.ErrUnexpectedEOF):
		return Truncated
	}
	return Corrupt
}

// errUnsupported marks a feature of a compressed stream that is refused.
var errUnsupported = errors.New("unsupported")
