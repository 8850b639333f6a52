//go:build !linux

package durable

import (
	"errors"
	"os"
)

// namelessFile is for systems that have files without a name.
func namelessFile(string) (*os.File, error) { return nil, errors.ErrUnsupported }
