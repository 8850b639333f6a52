package runfile

import (
	"cmp"
	"path/filepath"
	"slices"
	"unsafe"
)

// A slimSection is a section that has entries, or the last one.
type slimSection struct {
	offset, size int64
	entries      uint64
	crc          uint32
	partition    uint16
}

// Slim frees what is known of a run file or part, except its capture, Part, Made,
// and what merges need of it: there may be a hundred thousand. Files.Full reads
// the rest again.
func (r *Run) Slim() { r.slimTo(func(s *Section, _ int) bool { return s.Entries > 0 }) }

// SlimTo is Slim for a run file of which nothing but one partition is merged, so
// that it takes the same memory however many partitions there are. Entries is not
// known any more.
func (r *Run) SlimTo(partition int) { r.slimTo(func(_ *Section, i int) bool { return i == partition }) }

// slimTo keeps the sections that are wanted, and the last one.
func (r *Run) slimTo(wanted func(s *Section, partition int) bool) {
	if r.slim != nil {
		return
	}
	n, last := 1, len(r.Index)-1
	for i := range r.Index[:last] {
		if wanted(&r.Index[i], i) {
			n++
		}
	}
	r.slim = make([]slimSection, 0, n)
	for i, s := range r.Index {
		if i == last || wanted(&r.Index[i], i) {
			r.slim = append(r.slim, slimSection{s.Offset, s.Size, s.Entries, s.Chain, uint16(i)})
		}
	}
	if r.pack != nil {
		r.id, _ = ParseName(filepath.Base(r.Path))
		r.Path = ""
	}
	r.Meta = Meta{Kind: r.Kind, Capture: r.Capture, Part: r.Part}
}

// Held is how many bytes of memory r takes after Slim at most, with its capture.
func (r *Run) Held() int64 {
	n := int64(unsafe.Sizeof(*r)) + int64(cap(r.slim))*int64(unsafe.Sizeof(slimSection{})) + int64(len(r.Path))
	if c := r.Capture; c != nil {
		n += int64(unsafe.Sizeof(*c)) + int64(len(c.Path)+len(c.Digest)+len(c.Tag))
	}
	return n * 5 / 4 // what is allocated is rounded up to a size of the allocator
}

// Full returns a run file as it was before Slim, which may be r itself: it reads
// the file, or with x the pack, only if r is slim. Errors are as those of Open.
func (files *Files) Full(r *Run, x *PackReader) (*Run, error) {
	switch {
	case r.slim == nil:
		return r, nil
	case r.pack == nil:
		return files.Open(r.Path)
	}
	i, ok := r.pack.at(r.base)
	if !ok {
		return nil, damaged(r.Name(), 0, "pack has changed")
	}
	return x.Open(r.pack, i)
}

// Name is Path, for a run file that is slim too.
func (r *Run) Name() string {
	if r.slim == nil || r.pack == nil {
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

// section returns the section of a partition, which is empty if Slim has freed it.
func (r *Run) section(partition int) Section {
	if r.slim == nil {
		return r.Index[partition]
	}
	i, ok := slices.BinarySearchFunc(r.slim, partition, func(s slimSection, p int) int { return cmp.Compare(int(s.partition), p) })
	if !ok {
		return Section{Offset: fileHeader}
	}
	s := &r.slim[i]
	return Section{Offset: s.offset, Size: s.size, Entries: s.entries, Chain: s.crc}
}
