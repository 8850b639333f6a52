package runfile

import "pcapbatch/internal/durable"

// A sink is where a Writer writes: in memory as long as the file is no larger
// than most, else in a file that gets its name when it is complete.
type sink struct {
	fs   durable.FS
	path string
	most int
	held []byte
	file *durable.Pending // nil: all is in held
}

// Write writes all of b or returns an error.
func (s *sink) Write(b []byte) (int, error) {
	if s.file == nil {
		if len(s.held)+len(b) <= s.most {
			s.held = append(s.held, b...)
			return len(b), nil
		}
		if err := s.create(); err != nil {
			return 0, err
		}
	}
	return s.file.Write(b)
}

// create makes the file and writes what was held.
func (s *sink) create() (err error) {
	if s.file != nil {
		return nil
	}
	if s.file, err = durable.CreatePending(s.fs, s.path); err != nil {
		return err
	}
	if len(s.held) > 0 {
		_, err = s.file.Write(s.held)
		s.held = nil
	}
	return err
}

func (s *sink) abort() {
	if s.file != nil {
		s.file.Abort()
	}
}

// CreateHeld is Create for a file that is made only when it has more than most
// bytes. As long as it has fewer, they are in memory: see Held.
func CreateHeld(fs durable.FS, path string, most int) (*Writer, error) {
	w := &Writer{path: path, file: &sink{fs: fs, path: path, most: most}, end: fileHeader}
	return w, w.begin()
}

// Held completes the file and returns its bytes, if they are still in memory;
// nothing else has to be done then. If not, the caller goes on with Commit.
// After an error the caller calls Abort.
func (w *Writer) Held(m *Meta) (data []byte, held bool, err error) {
	if err := w.finish(m); err != nil {
		return nil, false, err
	}
	return w.file.held, w.file.file == nil, nil
}

// WriteHeld writes a run file at path: the bytes that Writer.Held returned,
// whose footer is m.
func (files *Files) WriteHeld(fs durable.FS, path string, data []byte, m *Meta) (*Run, error) {
	f, err := durable.CreatePending(fs, path)
	if err != nil {
		return nil, durable.WriteFailed(path, err)
	}
	if _, err := f.Write(data); err != nil {
		f.Abort()
		return nil, durable.WriteFailed(path, err)
	}
	if err := f.Commit(); err != nil {
		return nil, durable.WriteFailed(path, err)
	}
	return files.Run(path, m), nil
}

// Run returns the run file at path that was made with the footer m, as Open would.
func (files *Files) Run(path string, m *Meta) *Run { return &Run{Meta: *m, Path: path, files: files} }
