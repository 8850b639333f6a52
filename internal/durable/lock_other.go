//go:build !unix

package durable

import (
	"errors"
	"io/fs"
	"os"
)

// renamesOpenFiles says that an open file can be renamed.
const renamesOpenFiles = false

// noWait and noFollow are flags that other systems lack.
const noWait, noFollow = 0, 0

// FileLimit returns how many files the process may have open at once: 512 where
// the system does not tell.
func FileLimit() int { return usualFileLimit }

// TooManyFiles reports whether a file could not be opened because too many are.
func TooManyFiles(error) bool { return false }

// ownerOf is for systems where a file has an owner and a group by number.
func ownerOf(fs.FileInfo) (uid, gid int, ok bool) { return 0, 0, false }

// lockFile is for systems that have flock.
func lockFile(*os.File) error { return errors.ErrUnsupported }

// truncates is the flag with which OpenLines removes what is in a file.
const truncates = os.O_TRUNC

// beginShared is for systems that have flock.
func beginShared(*os.File) error { return nil }

// syncDir does nothing where directories cannot be synced.
func syncDir(string) error { return nil }

// cannotSync reports whether Sync failed because the file system does not
// support it.
func cannotSync(error) bool { return false }
