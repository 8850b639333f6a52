package ingest

import (
	"context"
	"io"
	"slices"

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
// (openFiles). Where that is more than Options.Memory for all together, what
// some of them have left is put into temporary files (spooled), and merged from
// there.
type interleave struct {
	*Pipeline
	*shared
	inputs []*Input
	next   int              // index of the next input to take part
	queue  heap.Heap[*lane] // the lane whose record is due is in front
	files  openFiles
	blocks []reader.Block // of captures that ended, to be used again
	end    int64          // where the records merged so far end, as if they were one pcap

	used     int64 // bytes that the lanes hold
	garbage  int64 // bytes that lanes have held since memory was collected
	spool    spool
	spooling bool // a lane is read into a temporary file
}

// Interleave returns the only stretch of a run that merges captures by time.
func (p *Pipeline) Interleave(list []*Input) Stretch {
	m := &interleave{Pipeline: p, shared: p.share(nil), inputs: list, queue: heap.New(earlier)}
	m.spool = spool{fs: p.FS, dir: p.TempDir}
	for _, in := range list {
		if in.open != nil {
			m.used += in.holds
		}
	}
	return m
}

// earlier tells which of two lanes has the record that is due first.
func earlier(a, b **lane) bool {
	l, o := *a, *b
	return l.clock < o.clock || l.clock == o.clock && l.number < o.number
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
		added := false
		if m.queue.Len() > 0 {
			var err error
			if added, err = b.add(*m.queue.Front(), m.Room); err != nil {
				return err
			}
		}
		if !added {
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
func (b *Block) add(l *lane, room *reader.Room) (bool, error) {
	r := l.block.Records[l.at]
	n, at := len(b.Records), len(b.Data)
	if n > 0 && (n == mergedRecords || at+int(r.CapLen) > reader.BlockBytes) {
		return false, nil
	}
	room.Grow(&b.Block, int(r.CapLen))
	if l.rest != nil && l.rest.far != 0 {
		b.Data = slices.Grow(b.Data, int(r.CapLen))[:at+int(r.CapLen)]
		if err := l.rest.copyPacket(b.Data[at:]); err != nil {
			return false, err
		}
	} else {
		b.Data = append(b.Data, l.block.Data[r.Off:][:r.CapLen]...)
	}
	r.Off = uint32(at)
	b.Records = append(b.Records, r)
	return true, nil
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
	m.Observer.Begin(l)
	if n := len(m.blocks); n > 0 {
		l.block, m.blocks = m.blocks[n-1], m.blocks[:n-1]
	}
	return m.enter(ctx, l)
}

// advance steps over the record that was due.
func (m *interleave) advance(ctx context.Context) error {
	l := *m.queue.Front()
	if l.at+1 < len(l.block.Records) {
		l.at++
		l.arrive()
		m.queue.FixFront()
		return nil
	}
	m.queue.PopFront()
	return m.enter(ctx, l)
}

// enter reads the next records of a lane and puts it into the queue, if there
// are any.
func (m *interleave) enter(ctx context.Context, l *lane) error {
	more, err := m.load(ctx, l)
	if more {
		m.queue.Push(l)
	}
	return err
}

// Decoded implements shard.Stretch.
func (m *interleave) Decoded() { m.fragments.Forget() }

// Close implements shard.Stretch.
func (m *interleave) Close() error {
	for _, l := range m.queue.Items() {
		l.close()
	}
	m.spool.close()
	Close(m.inputs[m.next:])
	m.queue, m.next = heap.New(earlier), len(m.inputs)
	return nil
}
