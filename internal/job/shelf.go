package job

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"pcapbatch/internal/durable"
	"pcapbatch/internal/runfile"
)

// A shelf is what a directory of run files holds: which captures have a run file
// of their own, and where the others are in its packs. Of a directory that others
// may use at the same time it is what concerns the captures of this run.
type shelf struct {
	shared bool
	own    []runfile.ID // sorted
	packed map[runfile.ID]place
	packs  []*runfile.Pack
	next   int      // number of the next pack
	broken []string // packs of which nothing can be used
}

// newName returns the name of the next pack. In a directory that others use too
// nobody else makes one of that name: a pack is never replaced.
func (s *shelf) newName() string {
	unique := ""
	if s.shared {
		unique = rand.Text()
	}
	s.next++
	return packName(s.next-1, unique)
}

// hasOwn reports whether the run file of a capture is a file of its own. It stays
// one then, so that it is replaced in one step.
func (s *shelf) hasOwn(id runfile.ID) bool {
	_, ok := slices.BinarySearchFunc(s.own, id, runfile.ID.Compare)
	return ok
}

// at returns where the run file of a capture is, if there is one. Without a shelf
// it can only be a file of its own.
func (s *shelf) at(id runfile.ID, dir string) (p place, ok bool) {
	if s == nil || s.hasOwn(id) {
		return place{path: durable.Join(dir, id.Name())}, true
	}
	p, ok = s.packed[id]
	return p, ok
}

// openShelf looks at what is in the directory, for some captures or, where wanted
// is nil, for all.
func (s *state) openShelf(wanted map[runfile.ID]bool) error {
	s.shelf = &shelf{packed: map[runfile.ID]place{}, shared: s.lock == nil}
	names, err := namesIn(s.dir)
	if err != nil {
		return &Error{Input, err}
	}
	var packs []string
	for _, name := range names {
		if id, ok := runfile.ParseName(name); ok {
			if wanted == nil || wanted[id] {
				s.shelf.own = append(s.shelf.own, id)
			}
		} else if n, ok := packNumber(name); ok {
			s.shelf.next = max(s.shelf.next, n+1)
			packs = append(packs, filepath.Join(s.dir, name))
		}
	}
	slices.SortFunc(s.shelf.own, runfile.ID.Compare)
	list, opened, err := s.places(packs, wanted, s.brokenPack)
	for _, p := range list {
		if id := p.pack.ID(p.number); !s.shelf.hasOwn(id) {
			s.shelf.packed[id] = p
		}
	}
	s.shelf.packs = opened
	return err
}

func namesIn(dir string) ([]string, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.Readdirnames(-1)
}

// brokenPack notes a pack that is damaged as a whole. What is no file was put
// there by somebody, what a later version made is worth something to it, and what
// could not be read may be there next time: these are errors.
func (s *state) brokenPack(path string, err error) error {
	switch {
	case errors.Is(err, runfile.ErrDamaged):
		s.Observer.Note(fmt.Sprintf("%v: reading again what was kept in it", err))
		s.shelf.broken = append(s.shelf.broken, path)
		return nil
	case errors.Is(err, durable.ErrNotRegular), errors.Is(err, runfile.ErrVersion):
		return &Error{Kept, err}
	}
	return &Error{Input, err}
}

// removeBroken removes the packs of which nothing can be used. Their captures
// have been read again by now.
func (s *state) removeBroken() {
	for _, path := range s.shelf.broken {
		_ = s.FS.Remove(path) // the next run tries again
	}
}

// tidy removes packs of which more than half is superseded, with what takes its
// place on disk before: the directory is at most twice as large as what can be
// used of it, and what one run adds.
func (s *state) tidy() error {
	live := map[*runfile.Pack]int64{}
	for _, p := range s.shelf.packed {
		live[p.pack] += p.pack.Size(p.number)
	}
	var old []*runfile.Pack
	for _, p := range s.shelf.packs {
		if live[p] <= p.Bytes()/2 {
			old = append(old, p)
		}
	}
	if len(old) == 0 {
		return nil
	}
	if err := s.rewrite(old); err != nil {
		return err
	}
	for _, p := range old {
		_ = s.FS.Remove(p.Path) // the next run tries again
	}
	return s.openShelf(nil)
}

// rewrite writes the entries of packs that are not superseded to new packs.
func (s *state) rewrite(old []*runfile.Pack) (err error) {
	var x runfile.PackReader
	defer x.Close()
	fs := durable.Later(s.FS)
	var w *runfile.PackWriter
	path := ""
	commit := func() error {
		if w == nil {
			return nil
		}
		err := w.Commit()
		w = nil
		return err
	}
	slices.Reverse(old) // those of lower numbers first, as their entries came
	for _, p := range old {
		for i := range p.Len() {
			if at, ok := s.shelf.packed[p.ID(i)]; !ok || at.pack != p || at.number != i {
				continue
			}
			if w == nil {
				path = filepath.Join(s.dir, s.shelf.newName())
				if w, err = s.files.CreatePack(fs, path); err != nil {
					return err
				}
			}
			if err := w.Copy(&x, p, i); err != nil {
				return err
			}
			if w.Size() < s.PackBytes {
				continue
			}
			if err := commit(); err != nil {
				return err
			}
		}
	}
	if err := commit(); err != nil || path == "" {
		return err
	}
	if err := s.FS.SyncDir(path); err != nil {
		return durable.WriteFailed(path, err)
	}
	return nil
}
