package job

import (
	"cmp"
	"slices"
	"strings"

	"pcapbatch/internal/durable"
	"pcapbatch/internal/runfile"
)

// A place is where a run file is: a file of its own, or entry number of a pack.
type place struct {
	path   string
	pack   *runfile.Pack // nil: it is the file at path
	number int
}

// openPlace opens the run file. One in a pack is read to its last bit.
func (r *run) openPlace(p place, x *runfile.PackReader) (*runfile.Run, error) {
	if p.pack == nil {
		return r.files.Open(p.path)
	}
	return x.Open(p.pack, p.number)
}

// places returns where the run files are that paths name, files and the entries
// of packs, and those packs. An entry is left out if a later one has taken its
// place: in a directory, a file of its own, or the entry of a pack with a higher
// number. Where wanted is not nil, entries of other captures are left out, and
// packs that have no others. damaged is called with the error where a pack cannot
// be read, and decides whether it is left out or ends the call.
func (r *run) places(paths []string, wanted map[runfile.ID]bool, damaged func(path string, err error) error) (list []place, packs []*runfile.Pack, err error) {
	taken := map[string]map[runfile.ID]bool{} // by directory, where there are packs
	var named []string
	for _, path := range paths {
		if strings.HasSuffix(path, runfile.PackSuffix) {
			named = append(named, path)
			taken[directoryOf(path)] = map[runfile.ID]bool{}
			continue
		}
		list = append(list, place{path: path})
	}
	for _, p := range list {
		if there := taken[durable.Dir(p.path)]; there != nil {
			if id, ok := runfile.ParseName(durable.Base(p.path)); ok {
				there[id] = true
			}
		}
	}
	slices.SortStableFunc(named, latestFirst)
	for _, path := range named {
		pack, err := r.files.OpenPack(path)
		if err != nil {
			if err := damaged(path, err); err != nil {
				return nil, nil, err
			}
			continue
		}
		there, before := taken[directoryOf(path)], len(list)
		for i := range pack.Len() {
			id := pack.ID(i)
			if !there[id] && (wanted == nil || wanted[id]) {
				there[id] = true
				list = append(list, place{path, pack, i})
			}
		}
		if wanted == nil || len(list) > before {
			packs = append(packs, pack)
		}
	}
	return list, packs, nil
}

// directoryOf is the directory that a pack is a piece of. A pack of another name
// was put where it is by somebody, and is on its own.
func directoryOf(pack string) string {
	if _, ok := packNumber(durable.Base(pack)); ok {
		return durable.Dir(pack)
	}
	return pack
}

// latestFirst orders packs, those of higher numbers first. Packs of one number
// were made side by side: which of them counts does not matter, as long as
// everybody says the same.
func latestFirst(a, b string) int {
	m, _ := packNumber(durable.Base(a))
	n, _ := packNumber(durable.Base(b))
	return cmp.Or(cmp.Compare(n, m), cmp.Compare(durable.Base(b), durable.Base(a)))
}
