package objectstore

import "sync"

// usualBudget is what the buffers of all files may take where nobody says more.
const usualBudget = 64 << 20

// A budget is memory that buffers share. Taking what is not there is allowed where
// nothing would go on otherwise.
type budget struct {
	mu      sync.Mutex
	limit   int64
	left    int64 // may be below 0
	sources int64 // that are open
	spare   [][]byte
}

// set makes the budget so many bytes.
func (b *budget) set(bytes int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left += bytes - b.limit
	b.limit = bytes
}

// join counts an open source more, or one less for -1.
func (b *budget) join(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sources += n
}

// total is how many bytes the budget has.
func (b *budget) total() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.limit
}

// share is how many bytes each open source may hold ahead of what it needs.
func (b *budget) share() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.limit / max(b.sources, 1)
}

// unit is the size of a range of a source: as much as lets each have a few in
// memory.
func (b *budget) unit() int64 {
	share, unit := b.share(), int64(rangeBytes)
	for unit > leastRange && 3*unit > share {
		unit /= 2
	}
	return unit
}

// try takes bytes if there are as many.
func (b *budget) try(bytes int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.left < bytes {
		return false
	}
	b.left -= bytes
	return true
}

// most takes as many bytes as there are, between least and most. It returns how
// many.
func (b *budget) most(least, most int64) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	bytes := max(least, min(most, b.left))
	b.left -= bytes
	return bytes
}

// give gives bytes back.
func (b *budget) give(bytes int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left += bytes
}

// buffer returns a buffer of a size that was taken from the budget.
func (b *budget) buffer(size int64) []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n := len(b.spare); n > 0 && size <= rangeBytes && size > rangeBytes/8 {
		buf := b.spare[n-1]
		b.spare = b.spare[:n-1]
		return buf[:size]
	}
	return make([]byte, size)
}

// keep keeps a buffer for the next one who needs one.
func (b *budget) keep(buf []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if cap(buf) == rangeBytes && len(b.spare) < ahead && b.left > 0 {
		b.spare = append(b.spare, buf[:cap(buf)])
	}
}
