package runfile

import "path/filepath"

// A slimSection is a section that has entries, or the last one.
type slimSection struct {
	offset, size int64
	entries      uint64
	crc          uint32
	partition    uint16
}

// Slim frees what is known of a run file in a pack, except its capture, Made,
// and what merges need of it, which take a fifth of the memory. PackReader.Full
// reads the rest again. Slim does nothing to a run file that is not in a pack.
func (r *Run) Slim() {
	if r.pack == nil || r.slim != nil {
		return
	}
	n := 0
	for i, s := range r.Index {
		if s.Entries > 0 || i == len(r.Index)-1 {
			n++
		}
	}
	r.slim = make([]slimSection, 0, n)
	for i, s := range r.Index {
		if s.Entries > 0 || i == len(r.Index)-1 {
			r.slim = append(r.slim, slimSection{s.Offset, s.Size, s.Entries, s.Chain, uint16(i)})
		}
	}
	r.id, _ = ParseName(filepath.Base(r.Path))
	r.Path, r.Meta = "", Meta{Kind: r.Kind, Capture: r.Capture}
}

// Full returns a run file as it was before Slim, which may be r itself: it
// reads the pack only if r is slim. Errors are as those of Open.
func (x *PackReader) Full(r *Run) (*Run, error) {
	if r.slim == nil {
		return r, nil
	}
	i, ok := r.pack.at(r.base)
	if !ok {
		return nil, damaged(r.Name(), 0, "pack has changed")
	}
	return x.Open(r.pack, i)
}

// Name is Path, for a run file that is slim too.
func (r *Run) Name() string {
	if r.slim == nil {
		return r.Path
	}
	return filepath.Join(r.pack.Path, r.id.Name())
}

// Partitions is the number of partitions of a run file.
func (r *Run) Partitions() int {
	if r.slim == nil {
		return len(r.Index)
	}
	return int(r.slim[len(r.slim)-1].partition) + 1
}

// section returns the section of a partition.
func (r *Run) section(partition int) Section {
	if r.slim == nil {
		return r.Index[partition]
	}
	for i := range r.slim {
		if s := &r.slim[i]; int(s.partition) == partition {
			return Section{Offset: s.offset, Size: s.size, Entries: s.entries, Chain: s.crc}
		}
	}
	return Section{Offset: fileHeader}
}
