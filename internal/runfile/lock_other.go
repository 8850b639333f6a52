//go:build !unix

package runfile

import "os"

// lockFile does nothing where there is no flock.
func lockFile(*os.File) error { return nil }

// syncDir does nothing where directories cannot be synced.
func syncDir(string) error { return nil }
