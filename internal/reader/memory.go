package reader

import (
	"context"
	"runtime"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sync/semaphore"
)

// OpenBytes is what an open capture holds besides a decompressor, in bytes, at
// most: its first block, what was looked at to recognise it (twice, for a
// compressed one), and the counts of its link types. Capture.Memory is exact.
const OpenBytes = firstBytes + 2*erfSniff + mostLinks*int(unsafe.Sizeof(LinkCount{}))*4

// Memory is how many bytes the capture holds at the moment, or may come to hold
// before the next call of Next returns, without the blocks passed to that and
// without a record larger than a block. Like Next it belongs to the capture's
// goroutine.
//
// What counts, by compression, for w workers: gzip 384 KiB, or 12 MiB for each
// of w+2 where the file is split; zstd its window (128 MiB at most) and 2 MiB,
// with 4 MiB for each worker where there are several, or for a seekable file
// 16 MiB for each of w+1; xz its dictionary (64 MiB at most) and 1 MiB; lz4
// twice the largest block of its frames (4 MiB, or 8 in legacy ones) and 192
// KiB; bzip2 4 MiB. To each comes Options.BlockBytes, once. Several workers
// are used only where Options.Memory has room for them.
func (c *Capture) Memory() int64 {
	n := int64(cap(c.carry)) + int64(cap(c.in.ahead)) + int64(cap(c.content.file.ahead))
	if c.content.packed != nil {
		n += int64(c.content.packed.Size())
	}
	if m := c.content.unpack.memory; m != nil {
		n += m()
	}
	if c.first != nil {
		n += int64(cap(c.first.buf)) + int64(cap(c.first.Records))*int64(unsafe.Sizeof(Record{}))
	}
	if c.prefetch != nil {
		n += prefetchMemory(c.o.Readers)
	}
	if p, ok := c.format.(*pcapng); ok {
		n += int64(cap(p.ifaces)) * int64(unsafe.Sizeof(iface{}))
	}
	// A map costs a few times what is in it.
	return n + int64(cap(c.seen.links)+4*len(c.seen.slots))*int64(unsafe.Sizeof(LinkCount{}))
}

// Memory is how many bytes the block holds.
func (b *Block) Memory() int64 {
	n := int64(cap(b.buf)) + int64(cap(b.Records))*int64(unsafe.Sizeof(Record{}))
	if cap(b.Data) > cap(b.buf) {
		n += int64(cap(b.Data))
	}
	return n
}

// Shrink lets go of a buffer that a single large record has needed, once the
// block's data is of no use any more: up to 16 MiB, which would stay with the
// block until it is passed to Next again.
func (b *Block) Shrink() {
	if cap(b.Data) > max(cap(b.buf), BlockBytes) {
		b.Data, b.Records = nil, b.Records[:0]
	}
	if b.room != nil {
		b.room.free.Release(b.took)
		b.room, b.took = nil, 0
	}
}

// A Room is the memory that blocks have together for records larger than a
// block. A capture that comes to such a record waits until there is room for
// it; Block.Shrink gives it back. Any number of goroutines may use a Room, each
// with one block at a time that it has not passed on: a goroutine that held on
// to several could wait for itself.
type Room struct {
	bytes int64
	free  *semaphore.Weighted
	taken atomic.Int64 // since garbage was collected
}

// LeastRoom is the size of a Room, in bytes, that has place for any one record.
const LeastRoom = 2 * maxRecord

// NewRoom returns a Room of so many bytes, or LeastRoom where that is more.
func NewRoom(bytes int64) *Room {
	bytes = max(bytes, LeastRoom)
	return &Room{bytes: bytes, free: semaphore.NewWeighted(bytes)}
}

// Grow waits until there is room for a block of size bytes whose buffer its
// caller makes. A nil Room has room for anything.
func (m *Room) Grow(b *Block, size int) {
	if size > BlockBytes {
		m.take(b, size)
	}
}

// take waits until b may grow to size bytes. It counts twice: the buffer that is
// too small is there until its bytes are copied.
func (m *Room) take(b *Block, size int) {
	if m == nil || b.room != nil {
		return
	}
	b.room, b.took = m, min(2*int64(size), m.bytes)
	_ = m.free.Acquire(context.Background(), b.took) // whoever holds the rest decodes it, whatever else ends
	// What was given back is there until it is collected: at most once the room.
	if m.taken.Add(b.took) > m.bytes {
		m.taken.Store(b.took)
		runtime.GC()
	}
}
