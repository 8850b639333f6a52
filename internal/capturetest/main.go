package capturetest

import (
	"os"
	"runtime/debug"
	"testing"
)

// Run runs the tests of a package as m.Run does, with less work besides. Garbage
// is collected when there is four times as much of it as of what is in use. And
// unless Full, or TMPDIR, says otherwise, temporary files are kept in memory
// where the system has room for files there: tests make and remove tens of
// thousands of small ones, which takes longer on a disk than to read them.
func Run(m *testing.M) int {
	debug.SetGCPercent(400)
	if dir := memoryDir(); dir != "" && !Full() && os.Getenv("TMPDIR") == "" {
		if dir, err := os.MkdirTemp(dir, "pcapbatch-test-"); err == nil {
			defer os.RemoveAll(dir)
			os.Setenv("TMPDIR", dir)
		}
	}
	return m.Run()
}
