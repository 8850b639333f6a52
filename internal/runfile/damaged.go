package runfile

import (
	"errors"
	"fmt"
)

// ErrDamaged is what every error wraps that the content of a file causes.
var ErrDamaged = errors.New("damaged run file")

// ErrVersion is what an error wraps if a file is of a later version than this
// program knows.
var ErrVersion = errors.New("made by a later version")

// damaged makes the error for what lies at offset of a file.
func damaged(path string, offset int64, format string, args ...any) error {
	return fmt.Errorf("%s: %w: at offset %d: %w", path, ErrDamaged, offset, fmt.Errorf(format, args...))
}
