//go:build !unix

package capturetest

import "errors"

// MakeFIFO makes a named pipe. Its error is errors.ErrUnsupported on systems
// without any.
func MakeFIFO(string) error { return errors.ErrUnsupported }
