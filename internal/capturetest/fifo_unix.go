//go:build unix

package capturetest

import "syscall"

// MakeFIFO makes a named pipe. Its error is errors.ErrUnsupported on systems
// without any.
func MakeFIFO(path string) error { return syscall.Mkfifo(path, 0o600) }
