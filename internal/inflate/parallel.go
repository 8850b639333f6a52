package inflate

import (
	"io"
	"runtime"
	"sync"
	"sync/atomic"
)

const (
	// defaultChunk is the compressed size of a chunk: large enough that the
	// search for its first block (some 10 KiB) is nothing.
	defaultChunk = 1 << 20
	// minChunk is how small chunks get when data is compressed so well that
	// a larger one would not fit its segments.
	minChunk = 64 << 10

	// extraChunks is how many more chunks than workers are in flight: parked
	// ones and those that the consumer reads.
	extraChunks = 2

	// After badLuck wrong speculations in a row only every retryLuck-th chunk
	// tries one: there are stored and fixed blocks only, or a single block.
	badLuck   = 4
	retryLuck = 8
)

// Options for NewParallelReader. The zero value is useful.
type Options struct {
	// Workers is the number of goroutines that decode; 0 means
	// runtime.GOMAXPROCS(0), and 1 the sequential Reader.
	Workers int

	chunkSize int // for tests; 0: defaultChunk. The output does not depend on it
}

// ParallelReader decodes a gzip stream on several cores. It gives the same
// bytes and the same errors as a Reader.
type ParallelReader struct {
	src   io.ReaderAt
	size  int64
	chunk int64
	bgzf  bool
	most  int     // chunks in flight
	seq   *Reader // decodes instead, where splitting does not pay

	closed  atomic.Bool
	workers sync.WaitGroup

	mu      sync.Mutex
	changed *sync.Cond // anything below
	chunks  []*chunk   // in flight, in order
	spare   []*chunk
	free    []*segment
	next    int64   // where the next chunk begins
	count   int     // chunks begun
	pending *origin // truth of the next chunk, if known
	misses  int     // speculations in a row that were wrong or found nothing
	ratio   float64 // of compression, of late

	// The consumer's.
	err    error
	cur    *segment
	part   int    // of cur
	from   int    // where that begins
	at     int    // next byte of cur
	digest uint32 // of the member so far
	length uint32 // likewise, modulo 2^32
}

// NewParallelReader makes a reader of the gzip stream in the first size bytes
// of r, which must allow reads from several goroutines at once (as files do).
// Until Close, or an error or io.EOF from Read, it keeps opts.Workers
// goroutines and at most ten segments of 1.1 MiB for each of opts.Workers+2
// chunks.
//
// One goroutine at a time uses it: Close must not be called while Read is
// running.
//
// Requires: Close is called.
func NewParallelReader(r io.ReaderAt, size int64, opts Options) *ParallelReader {
	p := &ParallelReader{src: r, size: size, chunk: int64(opts.chunkSize), ratio: 1}
	if p.chunk <= 0 {
		p.chunk = defaultChunk
	}
	workers := opts.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	if workers == 1 || size <= p.chunk {
		p.seq = NewReader(io.NewSectionReader(r, 0, size))
		return p
	}
	head := make([]byte, 64)
	n, _ := r.ReadAt(head, 0)
	p.bgzf = bgzfSize(head[:n]) > 0
	p.most = workers + extraChunks
	p.changed = sync.NewCond(&p.mu)
	p.pending = &origin{state: inHeader}
	p.workers.Add(workers)
	for range workers {
		go p.work()
	}
	return p
}

// work is what each worker goroutine runs: it takes chunks until there are
// none.
func (p *ParallelReader) work() {
	defer p.workers.Done()
	for c := p.pick(); c != nil; c = p.pick() {
		c.work()
	}
}

// pick gives the next chunk to work on: the first one that waits for its truth
// and has it, or else a new one. It gives nil when there is no more to do.
func (p *ParallelReader) pick() *chunk {
	p.mu.Lock()
	defer p.mu.Unlock()
	for !p.closed.Load() {
		for _, c := range p.chunks {
			if c.phase == parked && c.truth.Load() != nil {
				c.phase = running
				return c
			}
		}
		if len(p.chunks) < p.most && p.next < p.size {
			if c := p.newChunk(); c.phase == running {
				return c
			}
			continue
		}
		p.changed.Wait()
	}
	return nil
}

// newChunk puts the next chunk in flight. Requires: mu.
func (p *ParallelReader) newChunk() *chunk {
	size := p.chunk
	if fit := int64(0.75 * segmentsPerChunk * segmentSize / p.ratio); fit < size {
		size = max(fit, min(size, minChunk))
	}
	c := new(chunk)
	if n := len(p.spare); n > 0 {
		c, p.spare = p.spare[n-1], p.spare[:n-1]
	}
	*c = chunk{p: p, from: p.next, stop: (p.next + size) * 8, spare: c.spare, find: c.find}
	c.find.src, c.find.size, c.find.bgzf = p.src, p.size, p.bgzf
	p.next += size
	if p.next >= p.size {
		c.stop = noStop
	}
	c.truth.Store(p.pending)
	p.pending = nil
	p.count++
	if p.misses >= badLuck && p.count%retryLuck != 0 {
		c.phase = parked
	}
	p.chunks = append(p.chunks, c)
	return c
}

// truthOrPark gives the truth of c, or parks c if there is none yet.
func (p *ParallelReader) truthOrPark(c *chunk) *origin {
	p.mu.Lock()
	defer p.mu.Unlock()
	o := c.truth.Load()
	if o == nil {
		c.phase = parked
	}
	return o
}

// publish gives the chunk after c its truth. Where that chunk needed nothing
// else to be complete, it does the same for the next one, and so on.
func (p *ParallelReader) publish(c *chunk, o *origin) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.published {
		return
	}
	c.published = true
	i := 0
	for p.chunks[i] != c {
		i++
	}
	for _, next := range p.chunks[i+1:] {
		next.truth.Store(o)
		if !next.waits(o) {
			o = nil
			break
		}
		o = next.spec.endOrigin(o.known)
		next.published = true
	}
	p.pending = o
	p.changed.Broadcast()
}

// waits reports whether c is complete but for its truth, and o is what it
// assumed. Requires: mu.
func (c *chunk) waits(o *origin) bool {
	if c.phase != parked || c.spec == nil { // not parked: spec is its worker's
		return false
	}
	return c.spec.done && c.spec.err == nil && c.spec.follows(o)
}

// finish ends the work on c.
func (p *ParallelReader) finish(c *chunk, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.err, c.phase = err, settled
	p.changed.Broadcast()
}

// countLuck remembers whether a speculation was right.
func (p *ParallelReader) countLuck(hit bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if hit {
		p.misses = 0
	} else {
		p.misses++
	}
}

// noteRatio remembers how well a chunk was compressed.
func (p *ParallelReader) noteRatio(s *strand) {
	in := (s.d.bitPos() - s.start.bit) / 8
	p.mu.Lock()
	defer p.mu.Unlock()
	if in > 0 {
		p.ratio = float64(s.out) / float64(in)
	}
}

// newSegment gives an empty segment for c. It gives nil if the reader was
// closed, or if c holds as many as it may and wait is false. With wait, c may
// hold two more, so that the gap before a speculation that holds all can be
// filled.
func (p *ParallelReader) newSegment(c *chunk, wait bool) *segment {
	p.mu.Lock()
	defer p.mu.Unlock()
	for wait && c.held >= segmentsPerChunk+2 && !p.closed.Load() {
		p.changed.Wait()
	}
	if p.closed.Load() || !wait && c.held >= segmentsPerChunk {
		return nil
	}
	c.held++
	seg := new(segment)
	if n := len(p.free); n > 0 {
		seg, p.free = p.free[n-1], p.free[:n-1]
	} else {
		seg.buf = make([]byte, 2*planeSize)
	}
	seg.owner, seg.end, seg.parts = c, windowSize, seg.parts[:0]
	return seg
}

// recycle takes a segment back.
func (p *ParallelReader) recycle(seg *segment) {
	p.mu.Lock()
	defer p.mu.Unlock()
	seg.owner.held--
	seg.owner = nil
	p.free = append(p.free, seg)
	p.changed.Broadcast()
}

// deliver makes a segment ready for the consumer.
func (p *ParallelReader) deliver(c *chunk, seg *segment) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.ready = append(c.ready, seg)
	p.changed.Broadcast()
}
