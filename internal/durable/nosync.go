package durable

import "errors"

// NoSync returns a file system that is fsys, but never waits until something is
// on disk. A file that has its final name is still complete, unless the machine
// crashes or loses power: then it may be empty or incomplete.
func NoSync(fsys FS) FS { return noSync{fsys} }

type noSync struct{ FS }

func (n noSync) Create(temp, path string) (File, error) {
	f, err := n.FS.Create(temp, path)
	if err != nil {
		return nil, err
	}
	return noSyncFile{f}, nil
}

func (noSync) SyncDir(string) error { return nil }

type noSyncFile struct{ File }

func (noSyncFile) Sync() error { return errors.ErrUnsupported }
