package durable

import "os"

// OpenLines opens the file at path, which is made if there is none, for lines that
// are each appended with one call of Write. What processes that have ended left in
// it is removed. Where another process has opened it so and goes on, a copy of the
// same task perhaps, nothing is removed, and the lines of both will be there, each
// whole. A FIFO or a device is opened as it is.
func OpenLines(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND|truncates, 0o666)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.Mode().IsRegular() {
		err = beginShared(f)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
