//go:build !linux

package durable

import (
	"errors"
	"os"
)

// namelessFile reports that this system has no files without a name.
func namelessFile(string) (*os.File, error) { return nil, errors.ErrUnsupported }
