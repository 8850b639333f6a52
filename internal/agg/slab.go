package agg

// A slab hands out elements of one type by index, from chunks that never
// move. Elements come as they are in the chunk: zero when new, with old
// content after reset.
type slab[T any] struct {
	arena  *arena
	chunks [][]T
	n      uint32
	before uint32 // largest n before the last reset
}

// Elements per chunk are a power of two, so that an index splits by shift and
// mask.
const (
	sessionShift = 13 // 1 MiB of sessions a chunk
	unitShift    = 15 // 2 MiB of record units a chunk
	largeShift   = 7  // 0.8 MiB of digest blocks a chunk
)

// at returns element i. Requires: i was handed out.
func (s *slab[T]) at(i uint32, shift uint) *T {
	return &s.chunks[i>>shift][i&(1<<shift-1)]
}

// add hands out n consecutive elements of one chunk and returns the index of
// the first. Requires: n <= 1<<shift.
func (s *slab[T]) add(n uint32, shift uint) uint32 {
	size := uint32(1) << shift
	if left := size - s.n&(size-1); left < n {
		s.n += left // the rest of this chunk stays unused
	}
	i := s.n
	if int(i>>shift) == len(s.chunks) {
		s.chunks = append(s.chunks, alloc[T](s.arena, int(size)))
	}
	s.n += n
	return i
}

// reset takes all elements back and keeps the chunks.
func (s *slab[T]) reset() { s.before, s.n = s.most(), 0 }

// most is the largest number of elements that were handed out at one time.
func (s *slab[T]) most() uint32 { return max(s.before, s.n) }

// unit is the granule of record blocks: blocks of 4, 12, 28, 60 and 124 records
// are 1, 3, 7, 15 and 31 units.
type unit [unitRecords]record

const unitRecords = headRecords // so that the head of a session is read like a unit

// recordSlab hands out record blocks by class, and takes them back when their
// session moves to a larger one.
type recordSlab struct {
	slab[unit]
	free  [len(classRecords)]uint32 // per class: index + 1 of a free block, linked through its first record
	spare uint32                    // units of all free blocks
}

func unitsOf(class sessionState) uint32 { return uint32(classRecords[class]-headRecords) / unitRecords }

func (r *recordSlab) get(class sessionState) uint32 {
	if i := r.free[class]; i != 0 {
		r.free[class] = r.at(i-1, unitShift)[0].wire
		r.spare -= unitsOf(class)
		return i - 1
	}
	return r.add(unitsOf(class), unitShift)
}

func (r *recordSlab) put(i uint32, class sessionState) {
	r.at(i, unitShift)[0].wire = r.free[class]
	r.free[class] = i + 1
	r.spare += unitsOf(class)
}

// block returns the units of block i. Requires: class > 0.
func (r *recordSlab) block(i uint32, class sessionState) []unit {
	o := i & (1<<unitShift - 1)
	return r.chunks[i>>unitShift][o : o+unitsOf(class)]
}

func (r *recordSlab) reset() {
	r.slab.reset()
	clear(r.free[:])
	r.spare = 0
}
