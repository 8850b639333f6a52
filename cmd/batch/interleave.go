package main

import (
	"context"
	"io"
	"math"

	"pcapbatch/internal/capture"
	"pcapbatch/internal/decode"
	"pcapbatch/internal/reader"
	"pcapbatch/internal/shard"
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
	*pipeline
	inputs    []*input
	next      int     // of inputs, to take part
	queue     []*lane // a heap: the lane whose record is due is at 0
	files     openFiles
	spare     []reader.Block // of captures that ended
	fragments decode.Fragments
}

// A lane is a capture that takes part. Its next record is block.Records[at].
type lane struct {
	in      *input
	capture *reader.Capture
	file    *parkedFile // nil where the capture has its file to itself
	block   reader.Block
	at      int
	clock   int64 // ns: latest time of the records up to the next, that included
}

// before tells which of two lanes has the earlier record.
func (l *lane) before(o *lane) bool {
	return l.clock < o.clock || l.clock == o.clock && l.in.number < o.in.number
}

// Read is shard.Stretch's.
func (m *interleave) Read(ctx context.Context, sb shard.Block) error {
	b := sb.(*block)
	b.empty()
	b.fragments = &m.fragments
	for {
		if err := m.admit(ctx); err != nil {
			return err
		}
		if len(m.queue) == 0 && len(b.Records) == 0 {
			return io.EOF
		}
		if len(m.queue) == 0 || !b.add(m.queue[0]) {
			m.progress.advance(len(b.Records))
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

// empty makes room for merged records. A buffer that one huge record made grow
// is dropped.
func (b *block) empty() {
	if c := cap(b.Data); c < reader.BlockBytes || c > 2*reader.BlockBytes {
		b.Data = make([]byte, 0, reader.BlockBytes)
	}
	b.Data, b.Records = b.Data[:0], b.Records[:0]
}

// add copies the next record of a lane. It reports false if the block is full;
// an empty one takes any record.
func (b *block) add(l *lane) bool {
	r := l.block.Records[l.at]
	n := len(b.Records)
	if n > 0 && (n == mergedRecords || len(b.Data)+int(r.CapLen) > reader.BlockBytes) {
		return false
	}
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
		if len(m.queue) > 0 && (!in.timed || in.first >= m.queue[0].clock) {
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
	m.progress.begin(l.capture)
	if n := len(m.spare); n > 0 {
		l.block, m.spare = m.spare[n-1], m.spare[:n-1]
	}
	more, err := m.load(ctx, l)
	if more {
		m.queue = append(m.queue, l)
		m.rise(len(m.queue) - 1)
	}
	return err
}

// advance steps over the record that was due.
func (m *interleave) advance(ctx context.Context) error {
	l := m.queue[0]
	if l.at++; l.at < len(l.block.Records) {
		l.clock = max(l.clock, l.block.Records[l.at].Time)
	} else if more, err := m.load(ctx, l); !more {
		last := len(m.queue) - 1
		m.queue[0], m.queue[last] = m.queue[last], nil
		m.queue = m.queue[:last]
		m.sink()
		return err
	}
	m.sink()
	return nil
}

// load reads the next records of a lane. It reports false, and has closed the
// capture, if there are none.
func (m *interleave) load(ctx context.Context, l *lane) (more bool, err error) {
	err = l.in.next(ctx, l.capture, &l.block)
	if l.in.live && ctx.Err() != nil {
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
	m.spare = append(m.spare, l.block)
	l.in.reached(l.clock)
	return false, m.finish(l.in, l.capture, err)
}

// rise and sink restore the heap after a change at the end and in front.
func (m *interleave) rise(i int) {
	q := m.queue
	for up := (i - 1) / 2; i > 0 && q[i].before(q[up]); up = (i - 1) / 2 {
		q[i], q[up] = q[up], q[i]
		i = up
	}
}

func (m *interleave) sink() {
	q := m.queue
	for i := 0; ; {
		down := 2*i + 1
		if down >= len(q) {
			return
		}
		if r := down + 1; r < len(q) && q[r].before(q[down]) {
			down = r
		}
		if !q[down].before(q[i]) {
			return
		}
		q[i], q[down] = q[down], q[i]
		i = down
	}
}

// fewCaptures is how many captures keep their files to themselves, whatever
// the limit of open files: their decompressors may then run ahead.
const fewCaptures = 16

// open opens a capture. A nil lane without an error: damage, which is reported.
func (m *interleave) open(ctx context.Context, in *input) (*lane, error) {
	l := &lane{in: in, capture: in.capture, clock: math.MinInt64}
	var err error
	o := reader.Options{Workers: 1, Size: in.size, Spare: m.pipeline.spare, BlockBytes: m.blockBytes(in)}
	switch {
	case l.capture != nil:
	case len(m.inputs) <= fewCaptures || in.live || in.path == capture.StdinName:
		o.Workers = max(1, m.decoding.Shards/len(m.inputs))
		l.capture, err = in.open(ctx, m.stdin, o)
	default:
		l.file = &parkedFile{path: in.path, files: &m.files}
		if l.capture, err = reader.New(in.path, l.file, o); err != nil {
			l.file.Close()
		}
	}
	if err != nil {
		m.progress.skip()
		return nil, m.damage(err)
	}
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
func (m *interleave) blockBytes(in *input) int {
	share := max(laneBytes/(len(m.queue)+1), minLaneBytes)
	if !in.compressed && in.size > 0 && in.size < int64(share) {
		share = int(in.size) + 1 // one more, to see the end with the last record
	}
	return min(share, reader.BlockBytes)
}

// Decoded is shard.Stretch's.
func (m *interleave) Decoded() { m.fragments.Forget() }

// Close is shard.Stretch's.
func (m *interleave) Close() error {
	for _, l := range m.queue {
		l.capture.Close()
		if l.file != nil {
			l.file.Close()
		}
	}
	closeInputs(m.inputs[m.next:])
	m.queue, m.next = nil, len(m.inputs)
	return nil
}
