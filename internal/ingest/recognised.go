package ingest

import (
	"errors"

	"pcapbatch/internal/reader"
)

// Recognised reports whether the file at path is a capture, whole or not, as far
// as its beginning tells. What cannot be read may be one.
func Recognised(path string) bool {
	c, err := reader.Open(path, reader.Options{})
	if err == nil {
		c.Close()
		return true
	}
	e, ok := errors.AsType[*reader.Error](err)
	return !ok || e.Kind != reader.NotCapture && e.Kind != reader.Empty
}
