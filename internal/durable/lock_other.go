//go:build !unix

package durable

import (
	"errors"
	"os"
)

// renamesOpenFiles says that an open file can be renamed.
const renamesOpenFiles = false

// lockFile reports that this system has no flock.
func lockFile(*os.File) error { return errors.ErrUnsupported }

// syncDir does nothing where directories cannot be synced.
func syncDir(string) error { return nil }

// cannotSync reports whether Sync failed because the file system does not
// support it.
func cannotSync(error) bool { return false }
