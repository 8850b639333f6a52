package job

import (
	"pcapbatch/internal/durable"
)

// checkTempDir returns an error if a directory for temporary files was named in
// which none can be made: the job would find that out hours later, or never. The
// system's own is asked for when it is needed.
func (r *run) checkTempDir() error {
	if r.TempDir == "" {
		return nil
	}
	f, err := durable.OS.Temp(r.TempDir)
	if err != nil {
		return &Error{Output, durable.WriteFailed("temporary file in "+r.TempDir, err)}
	}
	_ = f.Close() // nothing was written
	return nil
}
