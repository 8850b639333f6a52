package ingest

import (
	"context"
	"io"
	"math"

	"pcapbatch/internal/reader"
)

// A lane is what takes part in a merge: a capture, or records of one or more
// that were put on disk. Its next record is block.Records[at].
type lane struct {
	opened
	in      *Input // nil where the records are of several captures
	number  int    // of the capture of the next record
	capture *reader.Capture
	file    *parkedFile // nil where the capture has its file to itself
	block   reader.Block
	at      int
	clock   int64 // ns: latest time of the records up to the next, that included

	// With Options.Memory:

	limit int64  // bytes that the capture may hold
	held  int64  // bytes that are counted for the lane
	whole bool   // it was opened with all there is
	read  uint64 // records that the capture gave
	rest  *rest  // of captures, in a temporary file, from which the next records come; nil: from the capture
	again bool   // after rest the capture is to be read again, for what comes after read
	level int    // how often records of several lanes were merged into rest
}

// close closes the capture and its file.
func (l *lane) close() (err error) {
	if l.capture != nil {
		err = l.capture.Close()
		l.capture = nil
	}
	if l.file != nil {
		l.file.Close()
		l.file = nil
	}
	return err
}

// mostBlocks is how many blocks of captures that ended are kept for others, where
// memory is limited.
const mostBlocks = 4

// fewCaptures is how many captures keep their files to themselves, whatever
// the limit of open files: their decompressors may then run ahead.
const fewCaptures = 16

// open makes a lane of a capture. A nil lane without an error: damage, which is
// reported.
func (m *interleave) open(ctx context.Context, in *Input) (*lane, error) {
	in.merged = true
	l := &lane{in: in, number: in.number, capture: in.open, clock: math.MinInt64}
	if in.open != nil {
		l.held = in.holds
	} else if err := m.spoolFor(ctx, in.holds+int64(m.blockBytes(in))); err != nil {
		return nil, err
	}
	if err := m.openCapture(ctx, l, max(in.holds, m.Memory/int64(2*len(m.inputs)))); err != nil {
		return nil, m.unopened(ctx, in, err)
	}
	in.open = nil
	return l, nil
}

// openCapture opens the capture of a lane, which may hold so many bytes.
func (m *interleave) openCapture(ctx context.Context, l *lane, memory int64) (err error) {
	in := l.in
	o := reader.Options{Workers: 1, Size: in.Size, Spare: m.Pipeline.spare, BlockBytes: m.blockBytes(in)}
	if m.Memory > 0 {
		others := m.used - l.held
		o.MemoryFor = func(bytes int64) int64 { return m.MemoryFor(bytes + others) }
		l.limit = min(max(memory, leastLimit), max(m.Alone-max(others-m.Memory/restsPart, 0), leastLimit))
		o.Memory = l.limit
	}
	switch {
	case l.capture != nil:
	case len(m.inputs) <= fewCaptures || in.Live || in.stdin:
		o.Workers = max(1, m.Workers/len(m.inputs))
		l.capture, err = in.openCapture(ctx, m.FS, m.Stdin, o)
	default:
		l.file = &parkedFile{path: in.Path, fs: m.FS, files: &m.files}
		l.capture, err = reader.New(in.Path, l.file, o)
	}
	if err != nil {
		l.close()
		return err
	}
	l.now.Store(l.capture)
	m.count(l, l.capture.Memory()+laneOverhead)
	return nil
}

// arrive sets what the merge goes by to the record that is next.
func (l *lane) arrive() {
	l.clock = max(l.clock, l.block.Records[l.at].Time)
	if l.rest != nil {
		l.number = numberOf(&l.block, l.at)
	}
}

// load reads the next records of a lane. It reports false, and has closed the
// capture, if there are none.
func (m *interleave) load(ctx context.Context, l *lane) (more bool, err error) {
	if l.rest != nil {
		if err = l.rest.next(&l.block); err == nil {
			l.at = 0
			l.arrive()
			return true, nil
		}
		return m.afterRest(ctx, l, err)
	}
	err = l.in.next(ctx, l.capture, &l.block)
	if l.in.Live && ctx.Err() != nil {
		return false, context.Cause(ctx) // still in use by the read that goes on waiting
	}
	if err != nil && err != io.EOF && ctx.Err() != nil {
		l.close()
		return false, context.Cause(ctx) // it may be what the read failed of
	}
	switch {
	case err == nil:
		l.at = 0
		l.read += uint64(len(l.block.Records))
		l.in.sized(l.block.Records)
		l.arrive()
		return true, m.settle(ctx, l)
	case m.wantsMore(l, err):
		return m.moreMemory(ctx, l, err)
	}
	return false, m.ended(l, err)
}

// ended closes a lane whose capture ended with err.
func (m *interleave) ended(l *lane, err error) error {
	c := l.capture
	l.capture = nil
	if len(m.blocks) < mostBlocks || m.Memory == 0 {
		m.blocks = append(m.blocks, l.block)
	}
	l.block = reader.Block{}
	l.in.reached(l.clock)
	err = m.finish(l.in, l, c, err)
	l.now.Store(nil) // with a rest the lane stays, but not what its capture held
	l.close()
	m.count(l, 0)
	return err
}

// afterRest goes on when the rest of a lane has ended with err.
func (m *interleave) afterRest(ctx context.Context, l *lane, err error) (more bool, _ error) {
	if err != io.EOF {
		return false, err
	}
	if err := l.rest.done(); err != nil {
		return false, err
	}
	l.rest, l.block = nil, reader.Block{}
	if l.again {
		return m.reopen(ctx, l)
	}
	m.count(l, 0)
	return false, nil
}

// wantsMore tells whether a capture has ended only because it may not hold what
// it asks for, and may hold more if it is read again.
func (m *interleave) wantsMore(l *lane, err error) bool {
	return reader.NoMemory(err) && l.in.again() && !l.whole
}

// moreMemory closes a capture that has ended with err because it may not hold
// what it asks for, to read it again with all the memory there is.
func (m *interleave) moreMemory(ctx context.Context, l *lane, err error) (more bool, _ error) {
	l.in.describe(l.capture, err) // for the case that it cannot be read again
	l.now.Store(nil)
	l.close()
	l.block = reader.Block{}
	m.count(l, 0)
	if l.again = m.spooling; l.again {
		return false, nil // its turn comes when what was spooled of it is merged
	}
	return m.reopen(ctx, l)
}

// reopen reads a capture again, and goes on after the records that it gave
// before.
func (m *interleave) reopen(ctx context.Context, l *lane) (more bool, err error) {
	seen := l.read
	if err := m.spoolFor(ctx, m.Memory); err != nil {
		return false, err
	}
	l.again, l.whole = false, true
	if err := m.openCapture(ctx, l, m.Alone); err != nil {
		return false, m.lost(ctx, l, err)
	}
	for l.read = 0; l.read <= seen; l.read += uint64(len(l.block.Records)) {
		if ctx.Err() != nil {
			l.close()
			return false, context.Cause(ctx)
		}
		if err := l.in.next(ctx, l.capture, &l.block); err != nil && l.read == seen {
			return false, m.ended(l, err)
		} else if err != nil {
			return false, m.lost(ctx, l, errChanged)
		}
	}
	l.at = len(l.block.Records) - int(l.read-seen)
	l.in.sized(l.block.Records[l.at:])
	l.arrive()
	return true, m.settle(ctx, l)
}

// lost ends a lane whose capture could not be read again.
func (m *interleave) lost(ctx context.Context, l *lane, err error) error {
	l.close()
	l.in.reached(l.clock)
	m.count(l, 0)
	return m.Pipeline.lost(ctx, l.in, l, err)
}

// The more captures take part, the smaller are their blocks: the n-th gets
// laneBytes/n, at most what a block of package reader has. That is 120 MiB for
// the first 2048 together, and minLaneBytes for each further one, below which
// system calls cost more than the packets they bring. With Options.Memory it is
// an eighth of that, where that is less, instead of laneBytes.
const (
	laneBytes    = 32 << 20
	minLaneBytes = 16 << 10
)

// blockBytes is the size of the block of the next lane. A small file takes no
// more than it needs.
func (m *interleave) blockBytes(in *Input) int {
	most := int64(laneBytes)
	if m.Memory > 0 {
		most = min(most, m.Memory/8)
	}
	size := max(int(most)/(m.queue.Len()+1), minLaneBytes)
	if !in.compressed && in.Size > 0 && in.Size < int64(size) {
		size = int(in.Size) + 1 // one more, to see the end with the last record
	}
	if m.BlockBytes > 0 {
		size = min(size, m.BlockBytes)
	}
	return min(size, reader.BlockBytes)
}
