package ingest

import (
	"cmp"
	"context"
	"runtime"
	"slices"

	"pcapbatch/internal/heap"
	"pcapbatch/internal/reader"
)

// Lanes share Options.Memory. What a lane holds is counted each time that it has
// read a block. Where all of them hold too much, those that hold most are read
// to their end, one at a time, into temporary files, from which they are merged
// at the price of a small buffer. No lane waits for memory: it would be given
// back only by others that go on, which the merge does not let them.
//
// A capture that asks for more than it was opened with, in a later stream say,
// is opened again when all others are on disk.

const (
	// leastLimit is how many bytes any capture may hold, so that large records
	// and usual windows do not make it be read again.
	leastLimit = 512 << 10
	// laneOverhead is what a lane takes besides what package reader counts.
	laneOverhead = 4 << 10
	// restOverhead is the same for one that was spooled.
	restOverhead = 1 << 10
	// restsPart is the part of the memory, one in so many, that rests may take.
	restsPart = 8
	// fewRests is the number of rests that are not merged into one.
	fewRests = 8
)

// count sets how many bytes a lane holds.
func (m *interleave) count(l *lane, bytes int64) {
	m.used += bytes - l.held
	if m.garbage += max(l.held-bytes, 0); m.Memory > 0 && m.garbage >= largeCapture {
		m.garbage = 0
		runtime.GC()
	}
	l.held = bytes
}

// settle counts what a lane holds after it has read a block, and makes others
// give way if that is too much.
func (m *interleave) settle(ctx context.Context, l *lane) error {
	if m.Memory == 0 {
		return nil
	}
	held := l.capture.Memory() + l.block.Memory() + laneOverhead
	if n := int64(cap(l.block.Data)); n > reader.BlockBytes {
		held += 2 * n // for the copy that is merged, and the next one while it grows
	}
	m.count(l, held)
	if m.spooling || m.used <= m.Memory {
		return nil
	}
	if err := m.spoolFor(ctx, 0); err != nil {
		return err
	}
	if m.used > m.Alone && l.in.again() {
		return m.spoolLane(ctx, l)
	}
	return nil
}

// spoolFor spools lanes of the queue until so many bytes more fit into the memory,
// as far as can be.
func (m *interleave) spoolFor(ctx context.Context, bytes int64) error {
	if m.Memory == 0 || m.used+bytes <= m.Memory {
		return nil
	}
	var open []*lane
	for _, o := range m.queue.Items() {
		if o.capture != nil && o.in.again() {
			open = append(open, o)
		}
	}
	slices.SortFunc(open, func(a, b *lane) int { return cmp.Or(cmp.Compare(b.held, a.held), a.number-b.number) })
	most := max(m.Memory/8*7-bytes, 0)
	for _, o := range open {
		if m.used <= most {
			break
		}
		if err := m.spoolLane(ctx, o); err != nil {
			return err
		}
	}
	return m.gather(ctx)
}

// spoolLane puts what a lane has left into a temporary file. Its next record
// stays what it is, so that its place in the queue does as well.
func (m *interleave) spoolLane(ctx context.Context, l *lane) error {
	clock := l.clock
	h := heap.New(earlier)
	h.Push(l)
	p, err := m.write(ctx, &h)
	if err != nil {
		return err
	}
	return m.goOn(ctx, l, p, clock)
}

// goOn makes a lane go on with a rest, whose first record is not earlier than
// clock.
func (m *interleave) goOn(ctx context.Context, l *lane, p *rest, clock int64) error {
	n := 0
	for _, o := range m.queue.Items() {
		if o.rest != nil {
			n++
		}
	}
	size := restBuffer(m.Memory, n, p)
	l.rest, l.clock = p, clock
	l.block = reader.Block{Data: make([]byte, 0, size)}
	m.count(l, int64(2*size)+restOverhead)
	_, err := m.load(ctx, l)
	return err
}

// write writes the records of lanes to a rest, merged, until they end.
func (m *interleave) write(ctx context.Context, lanes *heap.Heap[*lane]) (*rest, error) {
	m.spooling = true
	defer func() { m.spooling = false }()
	p, err := m.spool.begin(&m.files)
	if err != nil {
		return nil, err
	}
	var far []byte
	for lanes.Len() > 0 {
		l := *lanes.Front()
		r := &l.block.Records[l.at]
		var packet []byte
		if l.rest != nil && l.rest.far != 0 {
			far = slices.Grow(far[:0], int(r.CapLen))[:r.CapLen]
			if err := l.rest.copyPacket(far); err != nil {
				return nil, err
			}
			packet = far
		} else {
			packet = l.block.Data[r.Off:][:r.CapLen]
		}
		if err := p.add(r, l.number, packet); err != nil {
			return nil, err
		}
		if l.at++; l.at < len(l.block.Records) {
			l.arrive()
			lanes.FixFront()
			continue
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		lanes.PopFront()
		if more, err := m.load(ctx, l); err != nil {
			return nil, err
		} else if more {
			lanes.Push(l)
		}
	}
	return p, p.finish()
}

// gather merges rests into one where there are so many that their buffers take
// more than an eighth of the memory. It takes those that were merged the least
// often, and at least half of all: so records are written again only a few
// times.
func (m *interleave) gather(ctx context.Context) error {
	var rests []*lane
	held := int64(0)
	for _, l := range m.queue.Items() {
		if l.rest != nil && !l.again {
			rests = append(rests, l)
			held += l.held
		}
	}
	if len(rests) < fewRests || held <= m.Memory/restsPart {
		return nil
	}
	slices.SortFunc(rests, func(a, b *lane) int { return a.level - b.level })
	n := len(rests) / 2
	for n < len(rests) && rests[n].level == rests[n-1].level {
		n++
	}
	one := &lane{level: rests[n-1].level + 1}
	h, queue := heap.New(earlier), heap.New(earlier)
	gone := map[*lane]bool{}
	for _, l := range rests[:n] {
		h.Push(l)
		gone[l] = true
	}
	clock := (*h.Front()).clock
	p, err := m.write(ctx, &h)
	if err != nil {
		return err
	}
	for _, l := range m.queue.Items() {
		if !gone[l] {
			queue.Push(l)
		}
	}
	m.queue = queue
	if err := m.goOn(ctx, one, p, clock); err != nil {
		return err
	}
	m.queue.Push(one)
	return nil
}
