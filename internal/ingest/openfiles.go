package ingest

import (
	"container/list"
	"errors"
	"io"
	"io/fs"
	"syscall"

	"pcapbatch/internal/durable"
)

// maxOpenFiles is how many captures of a merge have their files open at once:
// far below the usual limit of 1024, and so many that a file is read for some
// time before it has to be opened again.
const maxOpenFiles = 256

// openFiles keeps open the files that were read last. One goroutine uses it.
// The zero value is ready.
type openFiles struct {
	limit int       // 0: maxOpenFiles
	open  list.List // of *parkedFile; the one read last is in front
}

// A parkedFile is a file that may be closed between two reads. It is opened
// when it is read, and goes on where it was. Its errors lack the path, which
// package reader knows.
type parkedFile struct {
	path   string
	fs     durable.FS
	files  *openFiles
	file   durable.Source // nil while parked
	place  *list.Element  // in files.open, while it is open
	offset int64
	ended  bool        // everything was read
	was    fs.FileInfo // when it was parked
}

var errReplaced = errors.New("another file has taken the place of the capture while it was read")

func (f *parkedFile) Read(p []byte) (int, error) {
	if f.ended {
		return 0, io.EOF
	}
	if f.file != nil {
		f.files.open.MoveToFront(f.place)
	} else if err := f.unpark(); err != nil {
		return 0, err
	}
	n, err := f.file.Read(p)
	f.offset += int64(n)
	if err == io.EOF {
		f.ended = true
		f.Close()
		return n, err
	}
	return n, durable.Cause(err)
}

// unpark opens the file again. Where there are too many open already, the one
// that was not read for the longest time makes room.
func (f *parkedFile) unpark() error {
	limit := f.files.limit
	if limit == 0 {
		limit = maxOpenFiles
	}
	for f.files.open.Len() >= limit {
		if err := f.files.parkOldest(); err != nil {
			return err
		}
	}
	file, err := f.fs.OpenSource(f.path)
	for tooMany(err) && f.files.open.Len() > 0 {
		if err := f.files.parkOldest(); err != nil {
			return err
		}
		file, err = f.fs.OpenSource(f.path)
	}
	if err != nil {
		return durable.Cause(err)
	}
	if err := f.resume(file); err != nil {
		file.Close()
		return durable.Cause(err)
	}
	f.file, f.place = file, f.files.open.PushFront(f)
	return nil
}

func tooMany(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

// resume goes to where reading stopped, if this is still the same file.
func (f *parkedFile) resume(file durable.Source) error {
	if f.was == nil {
		return nil
	}
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if !durable.SameFile(info, f.was) {
		return errReplaced
	}
	_, err = file.Seek(f.offset, io.SeekStart)
	return err
}

// parkOldest closes the file that was not read for the longest time.
func (o *openFiles) parkOldest() error {
	f := o.open.Back().Value.(*parkedFile)
	var err error
	if f.was == nil {
		f.was, err = f.file.Stat()
	}
	f.Close()
	return durable.Cause(err)
}

// Close closes the file; a later Read would open it again.
func (f *parkedFile) Close() error {
	if f.file == nil {
		return nil
	}
	f.files.open.Remove(f.place)
	err := f.file.Close()
	f.file, f.place = nil, nil
	return err
}
