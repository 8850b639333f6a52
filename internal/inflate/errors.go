package inflate

import (
	"errors"
	"fmt"
)

// The causes an Error can have, besides io.ErrUnexpectedEOF (the input ends
// inside a member) and errors of the underlying reader.
var (
	// ErrHeader: no gzip header where one must be, or one that is not valid
	// (method, reserved flags, header checksum).
	ErrHeader = errors.New("invalid gzip header")
	// ErrCorrupt: data that no DEFLATE encoder can have written.
	ErrCorrupt = errors.New("corrupt deflate data")
	// ErrChecksum: CRC-32 or length of a member do not match its trailer. All
	// bytes of the member were delivered before.
	ErrChecksum = errors.New("gzip checksum mismatch")
	// ErrTrailing: bytes that do not begin another member follow the last one.
	// Everything before them is complete and verified. What they are is for
	// the caller to decide: Reader.Unread gives them, Error.Offset says where
	// they begin.
	ErrTrailing = errors.New("no gzip member follows the last one, but other bytes do")
)

// Error is the type of every error that this package returns, except io.EOF
// and ErrClosed.
type Error struct {
	// Offset is a position in the compressed input, in bytes from its start:
	// of the byte that holds the first bit of the symbol, block header or
	// stored length that is wrong (ErrCorrupt), of the first byte of the member
	// (ErrHeader), of the trailer (ErrChecksum), of the first byte after the
	// last member (ErrTrailing), or how much input there was.
	Offset int64
	// Err is the cause; one of the sentinels above or an error of the reader.
	Err error
}

// Error gives cause and offset.
func (e *Error) Error() string { return fmt.Sprintf("%v at compressed offset %d", e.Err, e.Offset) }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }
