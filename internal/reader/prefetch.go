package reader

import (
	"bytes"
	"io"
	"sync"
	"unsafe"
)

const (
	// chunkBytes is how much of a file a goroutine of a prefetch takes at a
	// time: as much as a block holds.
	chunkBytes = BlockBytes

	// chunkTail is how many bytes are read beyond a chunk, to have the rest of
	// its last record. Where that is longer, it is read by itself.
	chunkTail = 2 << 10

	// mostTail is the longest rest of a record, in bytes, for which there is
	// room.
	mostTail = 64 << 10

	// mostGuesses is how many places are tried as the begin of a record.
	mostGuesses = 4 << 10

	// enoughRecords in a row show that they are records.
	enoughRecords = 8

	// mostUsualIfaces is how many interfaces a section may have whose walk is
	// divided: each chunk has a copy of them.
	mostUsualIfaces = 64

	// leastChunks is how many chunks a file has at least that is read in several
	// places at once.
	leastChunks = 32

	// mostPause is the longest pause, in blocks, after chunks that were read in
	// vain.
	mostPause = 1 << 10
)

// A usual walker takes the records of a capture for as long as there is nothing
// unusual about them. It is a copy of what the format knows at one place of the
// file, and belongs to one goroutine.
type usual interface {
	// more walks the records from d[at] on, where one begins, and returns where
	// it stopped.
	more(b *Block, d []byte, at int) int
	// sign is what every record has at so many bytes from its front.
	sign() (sign [2]byte, front int)
	// size returns how many bytes the record at d[at] takes; 0 where it is not
	// usual, or too little of it is there.
	size(d []byte, at int) int
}

// A divisible format can be walked in several places of a file at once.
type divisible interface {
	format
	// usual returns a walker of the records that come next, in the memory of an
	// older one; nil where they cannot be walked like that.
	usual(old usual) usual
	// adopt counts the records of b, which a walker took that usual returned, as
	// if walk had taken them. It returns false, and does nothing, where walk
	// would perhaps have taken others, because of what came in between.
	adopt(w usual, b *Block) bool
}

// A prefetch reads a plain regular file in several places at once. Each of its
// goroutines reads a chunk, finds the first record that begins in it, and walks
// the usual records from there on. Whether it was right shows when all before
// the chunk is walked: if that ends where the chunk's first record begins, the
// chunk's records are those that a walk from the beginning of the file would
// have found, because both take the same steps from there on. Otherwise, and
// where something unusual comes, the chunk is dropped and the capture is read as
// any other for a while. Thus a prefetch never decides what a record is.
type prefetch struct {
	file    io.ReaderAt
	size    int // of a chunk: chunkBytes except in tests
	todo    chan *chunk
	running sync.WaitGroup
	chunks  []chunk // a ring: those that are begun are of consecutive places
	front   int     // the first of those
	begun   int     // how many are begun
	next    int64   // where the next chunk begins
	format  divisible

	pause, rest int // blocks to be read in the usual way: after the next failure, and now
}

// A chunk is a piece of the file.
type chunk struct {
	Block
	walker   usual
	off      int64 // in the file
	known    bool  // a record begins at its beginning
	from, at int   // the first record, and the end of the last
	ok       bool  // there are records, up to the chunk's end
	done     chan struct{}
}

// divide begins to read the capture in several places at once, where that can be
// done.
func (c *Capture) divide() {
	_, ok := c.format.(divisible)
	if ok && c.part == nil && c.raw.file != nil && c.content.name == "" && c.o.Readers > 1 && c.raw.size/leastChunks >= int64(c.o.chunk) &&
		c.o.affords(prefetchMemory(c.o.Readers)) {
		c.prefetch = newPrefetch(c.raw.file, c.o.Readers, c.o.chunk)
	}
}

// prefetched is fill with a block that was prefetched. Where there is none it
// returns false, and the capture can be read on.
func (c *Capture) prefetched(b *Block) bool {
	if c.skip > 0 || c.gap > 0 || c.content.name != "" {
		return false
	}
	end, ok := c.prefetch.take(b, c.format, c.base)
	if !ok {
		return false
	}
	c.base = end
	c.records += uint64(len(b.Records))
	c.seen.last = b.Records[len(b.Records)-1].Time
	c.carry = c.carry[:0]
	c.moveTo(end)
	return true
}

// moveTo makes the capture, a plain file, go on at an offset.
func (c *Capture) moveTo(at int64) {
	c.raw.moved, c.content.file.ahead, c.content.file.err, c.content.file.at = true, nil, nil, at
	c.in.ahead, c.in.err = nil, nil
	c.raw.n.Store(at)
}

// newPrefetch starts so many goroutines, for chunks of so many bytes.
func newPrefetch(file io.ReaderAt, readers, size int) *prefetch {
	f := &prefetch{file: file, size: size, todo: make(chan *chunk, 2*readers), chunks: make([]chunk, 2*readers), pause: 1}
	for i := range f.chunks {
		f.chunks[i].done = make(chan struct{}, 1)
	}
	for range readers {
		f.running.Go(func() {
			for c := range f.todo {
				c.ok = c.read(f.file, f.size)
				c.done <- struct{}{}
			}
		})
	}
	return f
}

// prefetchMemory is how many bytes a prefetch of so many goroutines holds.
func prefetchMemory(readers int) int64 {
	const records = chunkBytes / 16 * int64(unsafe.Sizeof(Record{}))
	return 2 * int64(readers) * (chunkBytes + mostTail + records)
}

// close ends the goroutines.
func (f *prefetch) close() {
	f.drop()
	close(f.todo)
	f.running.Wait()
}

// drop gives up the chunks that are begun.
func (f *prefetch) drop() {
	for ; f.begun > 0; f.begun-- {
		<-f.chunks[f.front].done
		f.front = (f.front + 1) % len(f.chunks)
	}
}

// advance begins as many chunks as there are places for.
func (f *prefetch) advance() {
	for f.begun < len(f.chunks) {
		c := &f.chunks[(f.front+f.begun)%len(f.chunks)]
		if c.walker = f.format.usual(c.walker); c.walker == nil {
			return
		}
		c.off, c.known = f.next, f.begun == 0
		f.next += int64(f.size)
		f.begun++
		f.todo <- c
	}
}

// take puts the records that begin at offset at of the file, where the walk of
// form has come to, into b, in place of what b has. It returns the offset of
// what follows them, or false where they must be read in the usual way.
func (f *prefetch) take(b *Block, form format, at int64) (end int64, ok bool) {
	if f.rest > 0 {
		f.rest--
		return 0, false
	}
	if f.begun == 0 {
		if f.format, ok = form.(divisible); !ok {
			return 0, f.fail()
		}
		f.next = at
		f.advance()
		if f.begun == 0 {
			return 0, f.fail()
		}
	}
	c := &f.chunks[f.front]
	<-c.done
	f.front = (f.front + 1) % len(f.chunks)
	f.begun--
	if !c.ok || c.off+int64(c.from) != at || form != format(f.format) || !f.format.adopt(c.walker, &c.Block) {
		f.drop()
		return 0, f.fail()
	}
	*b, c.Block = c.Block, *b
	b.Offset = c.off
	end = c.off + int64(c.at)
	f.pause = max(1, f.pause-1)
	f.advance()
	return end, true
}

// fail makes the capture be read in the usual way for a while; the longer, the
// more often that was so.
func (f *prefetch) fail() bool {
	f.rest, f.pause = f.pause-1, min(2*f.pause, mostPause)
	return false
}

// read reads the chunk and walks its records: those that begin in it. It returns
// false where there are none.
func (c *chunk) read(file io.ReaderAt, size int) bool {
	c.Records = c.Records[:0]
	buf := c.buffer(size + mostTail)
	n, _ := file.ReadAt(buf[:size+chunkTail], c.off) // an error comes again
	d := buf[:min(n, size)]
	c.from, c.at = 0, 0
	if c.known {
		c.at = c.walker.more(&c.Block, d, 0)
	} else if !c.begin(d) {
		return false
	}
	if end := c.at + c.walker.size(buf[:n], c.at); c.at < len(d) && end > len(d) && end <= len(buf) {
		if end > n {
			m, _ := file.ReadAt(buf[n:end], c.off+int64(n))
			n += m
		}
		c.at = c.walker.more(&c.Block, buf[:min(n, end)], c.at)
	}
	c.Data = buf[:c.at]
	return len(c.Records) > 0
}

// begin finds the first place in d from which on usual records follow each
// other, and walks them.
func (c *chunk) begin(d []byte) bool {
	sign, front := c.walker.sign()
	for range mostGuesses {
		i := bytes.Index(d[min(c.from+front, len(d)):], sign[:])
		if i < 0 {
			return false
		}
		c.from += i
		c.at = c.walker.more(&c.Block, d, c.from)
		if n := len(c.Records); n >= enoughRecords || n > 0 && c.at+c.walker.size(d, c.at) > len(d) {
			return true
		}
		c.Records = c.Records[:0]
		c.from++
	}
	return false
}

// usual implements divisible.
func (p *pcap) usual(old usual) usual {
	if !p.plain || p.window == noWindow {
		return nil
	}
	q, _ := old.(*usualPcap)
	if q == nil {
		q = new(usualPcap)
	}
	q.pcap = *p
	return q
}

// adopt implements divisible. Seconds that lie in another window than those
// before are looked at once and found to be usual.
func (p *pcap) adopt(w usual, b *Block) bool {
	p.window = w.(*usualPcap).window
	p.seen.links[p.slot].Records += uint64(len(b.Records))
	return true
}

// usualPcap is a usual walker.
type usualPcap struct{ pcap }

func (q *usualPcap) more(b *Block, d []byte, at int) int {
	if q.little {
		return q.walkLittle(b, d, at)
	}
	return q.walkBig(b, d, at)
}

func (q *usualPcap) size(d []byte, at int) int {
	if len(d)-at < pcapRecord {
		return 0
	}
	capLen := q.order.Uint32(d[at+8:])
	if capLen > q.limit {
		return 0
	}
	return pcapRecord + int(capLen)
}

// sign is the upper half of the seconds.
func (q *usualPcap) sign() (sign [2]byte, front int) {
	high, low := byte(q.window>>8), byte(q.window)
	if q.little {
		return [2]byte{low, high}, 2
	}
	return [2]byte{high, low}, 0
}

// usual implements divisible.
func (p *pcapng) usual(old usual) usual {
	if p.trailer != 0 || len(p.ifaces) > mostUsualIfaces {
		return nil
	}
	q, _ := old.(*usualPcapng)
	if q == nil {
		q = &usualPcapng{pcapng: pcapng{seen: new(tally)}}
	}
	q.big, q.of, q.changes = p.big, p, p.changes()
	q.ifaces = append(q.ifaces[:0], p.ifaces...)
	q.seen.links = append(q.seen.links[:0], p.seen.links...)
	for i := range q.seen.links {
		q.seen.links[i].Records = 0
	}
	return q
}

// changes counts the blocks that change what later ones mean.
func (p *pcapng) changes() uint64 { return p.sections + p.interfaces }

// adopt implements divisible.
func (p *pcapng) adopt(w usual, b *Block) bool {
	q := w.(*usualPcapng)
	if q.of != p || q.changes != p.changes() || p.trailer != 0 {
		return false
	}
	for i := range q.seen.links {
		p.seen.links[i].Records += q.seen.links[i].Records
	}
	p.seen.last = b.Records[len(b.Records)-1].Time
	return true
}

// usualPcapng is a usual walker.
type usualPcapng struct {
	pcapng
	of      *pcapng
	changes uint64
}

// more forgets what was counted of records that were given up.
func (q *usualPcapng) more(b *Block, d []byte, at int) int {
	if len(b.Records) == 0 {
		for i := range q.seen.links {
			q.seen.links[i].Records = 0
		}
	}
	return q.burst(b, d, at)
}

func (q *usualPcapng) size(d []byte, at int) int {
	if len(d)-at < 8 || q.u32(d[at:]) != blockEnhanced {
		return 0
	}
	return int(min(q.u32(d[at+4:]), ngMaxBlock))
}

// sign is half of the type of an enhanced packet block.
func (q *usualPcapng) sign() (sign [2]byte, front int) {
	if q.big {
		return [2]byte{0, blockEnhanced}, 2
	}
	return [2]byte{blockEnhanced, 0}, 0
}
