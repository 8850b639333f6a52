package durable

import (
	"os"
	"syscall"
)

// tmpFile is the bit of O_TMPFILE that package syscall does not know, the same
// on every architecture that Go runs Linux on (open(2)).
const tmpFile = 0x400000

// namelessFile makes a file in dir that never has a name. Not every file system
// supports it.
func namelessFile(dir string) (*os.File, error) {
	return os.OpenFile(dir, os.O_RDWR|tmpFile|syscall.O_DIRECTORY, 0o600)
}
