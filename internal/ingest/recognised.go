package ingest

import (
	"errors"

	"pcapbatch/internal/durable"
	"pcapbatch/internal/reader"
)

// Recognised reports whether the file at path is a capture, whole or not, as far
// as its beginning tells. What cannot be read may be one.
func Recognised(fsys durable.FS, path string) bool {
	c, err := reader.Open(path, reader.Options{Open: opener(fsys)})
	if err == nil {
		c.Close()
		return true
	}
	e, ok := errors.AsType[*reader.Error](err)
	return !ok || e.Kind != reader.NotCapture && e.Kind != reader.Empty
}
