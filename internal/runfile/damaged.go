package runfile

import (
	"errors"
	"fmt"
)

// ErrDamaged is wrapped by every error whose cause is the content of a file.
var ErrDamaged = errors.New("damaged run file")

// ErrVersion is wrapped by the error for a file that a later version of the
// program made.
var ErrVersion = errors.New("made by a later version")

// damaged makes the error for damage at an offset of a file.
func damaged(path string, offset int64, format string, args ...any) error {
	return fmt.Errorf("%s: %w: at offset %d: %w", path, ErrDamaged, offset, fmt.Errorf(format, args...))
}
