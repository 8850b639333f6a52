package ingest

import (
	"context"
	"io"
	"math"

	"pcapbatch/internal/capture"
	"pcapbatch/internal/heap"
	"pcapbatch/internal/reader"
)

// An interleave merges captures by time while it reads them: a shard.Stretch,
// the only one of its run. What comes out is in the order that one capture of
// all the packets would have; of equal times, the capture that is first in
// capture order goes first.
//
// The records of one capture keep their order. Where its times run back, its
// clock, the latest time so far, is what the merge goes by.
//
// A capture takes part from the moment the merge has come to its first record
// until its end. It costs a block of its own for that long (blockBytes), what
// its decompressor keeps, and a file only while it is among the last read
// (openFiles).
type interleave struct {
	*Pipeline
	*shared
	inputs []*Input
	next   int              // index of the next input to take part
	queue  heap.Heap[*lane] // the lane whose record is due is in front
	files  openFiles
	blocks []reader.Block // of captures that ended, to be used again
	end    int64          // where the records merged so far end, as if they were one pcap
}

// Interleave returns the only stretch of a run that merges captures by time.
func (p *Pipeline) Interleave(list []*Input) Stretch {
	m := &interleave{Pipeline: p, shared: &shared{details: p.Decoding.Details}, inputs: list, queue: heap.New(earlier)}
	p.stretches = append(p.stretches, m.shared)
	return m
}

// A lane is a capture that takes part. Its next record is block.Records[at].
type lane struct {
	in      *Input
	capture *reader.Capture
	file    *parkedFile // nil where the capture has its file to itself
	block   reader.Block
	at      int
	clock   int64 // ns: latest time of the records up to the next, that included
}

// earlier tells which of two lanes has the record that is due first.
func earlier(a, b **lane) bool {
	l, o := *a, *b
	return l.clock < o.clock || l.clock == o.clock && l.in.number < o.in.number
}

// Read implements shard.Stretch.
func (m *interleave) Read(ctx context.Context, b *Block) error {
	b.Shrink()
	b.empty()
	b.shared = m.shared
	for {
		if err := m.admit(ctx); err != nil {
			return err
		}
		if m.queue.Len() == 0 && len(b.Records) == 0 {
			return io.EOF
		}
		if m.queue.Len() == 0 || !b.add(*m.queue.Front(), m.Room) {
			m.Observer.Records(len(b.Records))
			b.position, b.between = m.end+mergedHeader, mergedHeader
			m.end = b.end()
			return nil
		}
		if err := m.advance(ctx); err != nil {
			return err
		}
	}
}

// mergedRecords is the most records that a merged block holds: as many as one
// of package reader.
const mergedRecords = reader.BlockBytes / 16

// mergedHeader is how many bytes a record header would take, if the merged
// records were those of one pcap.
const mergedHeader = 16

// empty makes room for merged records. A buffer that one huge record made grow
// is dropped.
func (b *Block) empty() {
	if c := cap(b.Data); c < reader.BlockBytes || c > 2*reader.BlockBytes {
		b.Data = make([]byte, 0, reader.BlockBytes)
	}
	b.Data, b.Records = b.Data[:0], b.Records[:0]
}

// add copies the next record of a lane. It reports false if the block is full;
// an empty one takes any record, once there is room for it.
func (b *Block) add(l *lane, room *reader.Room) bool {
	r := l.block.Records[l.at]
	n := len(b.Records)
	if n > 0 && (n == mergedRecords || len(b.Data)+int(r.CapLen) > reader.BlockBytes) {
		return false
	}
	room.Grow(&b.Block, int(r.CapLen))
	packet := l.block.Data[r.Off:][:r.CapLen]
	r.Off = uint32(len(b.Data))
	b.Data = append(b.Data, packet...)
	b.Records = append(b.Records, r)
	return true
}

// admit lets captures take part until the record that is due comes before the
// first one of all the others.
func (m *interleave) admit(ctx context.Context) error {
	for m.next < len(m.inputs) {
		in := m.inputs[m.next]
		if m.queue.Len() > 0 && (!in.Timed || in.First >= (*m.queue.Front()).clock) {
			return nil
		}
		m.next++
		l, err := m.open(ctx, in)
		if err == nil && l != nil {
			err = m.begin(ctx, l)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// begin reads the first records of a lane and puts it into the queue.
func (m *interleave) begin(ctx context.Context, l *lane) error {
	m.Observer.Begin(l.capture)
	if n := len(m.blocks); n > 0 {
		l.block, m.blocks = m.blocks[n-1], m.blocks[:n-1]
	}
	more, err := m.load(ctx, l)
	if more {
		m.queue.Push(l)
	}
	return err
}

// advance steps over the record that was due.
func (m *interleave) advance(ctx context.Context) error {
	l := *m.queue.Front()
	if l.at++; l.at < len(l.block.Records) {
		l.clock = max(l.clock, l.block.Records[l.at].Time)
	} else if more, err := m.load(ctx, l); !more {
		m.queue.PopFront()
		return err
	}
	m.queue.FixFront()
	return nil
}

// load reads the next records of a lane. It reports false, and has closed the
// capture, if there are none.
func (m *interleave) load(ctx context.Context, l *lane) (more bool, err error) {
	err = l.in.next(ctx, l.capture, &l.block)
	if l.in.Live && ctx.Err() != nil {
		return false, context.Cause(ctx) // still in use by the read that goes on waiting
	}
	if err == nil {
		l.at = 0
		l.clock = max(l.clock, l.block.Records[0].Time)
		return true, nil
	}
	if l.file != nil {
		l.file.Close()
	}
	m.blocks = append(m.blocks, l.block)
	l.in.reached(l.clock)
	return false, m.finish(l.in, l.capture, err)
}

// fewCaptures is how many captures keep their files to themselves, whatever
// the limit of open files: their decompressors may then run ahead.
const fewCaptures = 16

// open opens a capture. A nil lane without an error: damage, which is reported.
func (m *interleave) open(ctx context.Context, in *Input) (*lane, error) {
	l := &lane{in: in, capture: in.open, clock: math.MinInt64}
	in.merged = true
	var err error
	o := reader.Options{Workers: 1, Size: in.Size, Spare: m.Pipeline.spare, BlockBytes: m.blockBytes(in)}
	switch {
	case l.capture != nil:
	case len(m.inputs) <= fewCaptures || in.Live || in.Path == capture.StdinName:
		o.Workers = max(1, m.Workers/len(m.inputs))
		l.capture, err = in.openCapture(ctx, m.Stdin, o)
	default:
		l.file = &parkedFile{path: in.Path, files: &m.files}
		if l.capture, err = reader.New(in.Path, l.file, o); err != nil {
			l.file.Close()
		}
	}
	if err != nil {
		return nil, m.unopened(ctx, in, err)
	}
	in.open = nil
	return l, nil
}

// The more captures take part, the smaller are their blocks: the n-th gets
// laneBytes/n, at most what a block of package reader has. That is 120 MiB for
// the first 2048 together, and minLaneBytes for each further one, below which
// system calls cost more than the packets they bring.
const (
	laneBytes    = 32 << 20
	minLaneBytes = 16 << 10
)

// blockBytes is the size of the block of the next lane. A small file takes no
// more than it needs.
func (m *interleave) blockBytes(in *Input) int {
	share := max(laneBytes/(m.queue.Len()+1), minLaneBytes)
	if !in.compressed && in.Size > 0 && in.Size < int64(share) {
		share = int(in.Size) + 1 // one more, to see the end with the last record
	}
	if m.BlockBytes > 0 {
		share = min(share, m.BlockBytes)
	}
	return min(share, reader.BlockBytes)
}

// Decoded implements shard.Stretch.
func (m *interleave) Decoded() { m.fragments.Forget() }

// Close implements shard.Stretch.
func (m *interleave) Close() error {
	for _, l := range m.queue.Items() {
		l.capture.Close()
		if l.file != nil {
			l.file.Close()
		}
	}
	Close(m.inputs[m.next:])
	m.queue, m.next = heap.New(earlier), len(m.inputs)
	return nil
}
