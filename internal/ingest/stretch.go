package ingest

import (
	"cmp"
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"pcapbatch/internal/capture"
	"pcapbatch/internal/decode"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/figures"
	"pcapbatch/internal/reader"
	"pcapbatch/internal/report"
	"pcapbatch/internal/shard"
)

// A Stretch is what shard.Run reads, with the blocks of this package.
type Stretch = shard.Stretch[*Block]

// Options say how the captures of a run are read.
type Options struct {
	Stdin io.Reader
	// StdinPath is what standard input is called; "" is capture.StdinName.
	StdinPath string
	Decoding  decode.Options
	Workers   int
	// BlockBytes is the size of a block: see reader.Options.
	BlockBytes int
	// Memory is how many bytes the captures that are open may hold together;
	// 0: there is no limit. A capture that is open alone may hold Alone, which
	// is at least as much.
	Memory, Alone int64
	// MemoryFor tells which limit of memory would do for a capture that asks
	// for so many bytes: see reader.Options.
	MemoryFor func(bytes int64) int64
	// Room is for records that are larger than a block; nil: no limit.
	Room *Room
	// Range is the part of each capture that is read; the zero value is all.
	Range capture.Range
	// FindRanges has Open find out which captures can be read in ranges, for which
	// it reads the end of those compressed with zstd.
	FindRanges bool
	// RangeLead is how many bytes before it are read for the fragments in it:
	// RangeLead but for tests.
	RangeLead int64
	// FragmentBytes is how many bytes the first fragments of each stretch may take
	// in memory; 0: there is no limit. See decode.Overflow.
	FragmentBytes int64
	// FS is where captures are. It and TempDir are also for the temporary files
	// of merged captures and of first fragments for which there is no memory; ""
	// is the system's directory.
	FS      durable.FS
	TempDir string
	// Strict ends the run at the first capture that is damaged or cannot be
	// read, with a DamageError.
	Strict bool
	// Figures collects report.Run.Figures.Packets.
	Figures  bool
	Observer Observer
}

// A Room is memory for large records: see reader.Room.
type Room = reader.Room

// NewRoom returns a Room of so many bytes, more where that is too little for one
// record.
func NewRoom(bytes int64) *Room { return reader.NewRoom(bytes) }

// A DamageError ends a strict run.
type DamageError struct{ report.Damage }

func (e *DamageError) Error() string { return e.String() }

// A Pipeline is what the stretches and blocks of one run have in common.
type Pipeline struct {
	Options
	spare *reader.Spare
	open  *budget

	mu     sync.Mutex
	blocks []*Block // all there are, for their counts

	stretches []*shared
	overflow  *decode.Overflow // of each; nil: there is no limit
}

// NewPipeline returns the pipeline of one run. The caller closes it.
func NewPipeline(o Options) *Pipeline {
	o.TempDir = cmp.Or(o.TempDir, os.TempDir())
	p := &Pipeline{Options: o, spare: reader.NewSpare(o.Workers), open: newBudget(&o)}
	if o.FragmentBytes > 0 {
		p.overflow = &decode.Overflow{Memory: o.FragmentBytes, Temp: func() (decode.File, error) { return o.FS.Temp(o.TempDir) }}
	}
	return p
}

// Close removes the temporary files of stretches that were not decoded to their
// end. Requires: the run has ended.
func (p *Pipeline) Close() {
	for _, s := range p.stretches {
		s.fragments.Forget()
	}
}

// NewBlock makes an empty block. Several goroutines may call it at once.
func (p *Pipeline) NewBlock() *Block {
	b := &Block{decoder: decode.New(p.Decoding)}
	if p.Figures {
		b.figures = &figures.Packets{}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.blocks = append(p.blocks, b)
	return b
}

// AddCounts adds to r what was decoded, but for stretches that Separate made.
// Requires: the run has ended.
func (p *Pipeline) AddCounts(r *report.Run) {
	var sum decode.Counts
	for _, b := range p.blocks {
		sum.Add(b.decoder.Counts())
		if b.figures != nil {
			r.AddPackets(b.figures)
		}
	}
	if p.Figures && r.Figures == nil { // there was no block
		r.AddPackets(&figures.Packets{})
	}
	addCounts(r, &sum)
	for _, s := range p.stretches {
		if s.counts == nil {
			r.Unmatched += s.fragments.Unmatched
		}
	}
}

// StretchBytes is how many compressed bytes make a stretch. Decompressing is
// ten times the work of everything else, so stretches are read side by side;
// this many bytes are some seconds of work, against which merging the sessions
// of a stretch is nothing. Plain captures do not end a stretch: one of them
// keeps all cores busy.
const StretchBytes = 32 << 20

// Stretches cuts the captures into stretches of limit compressed bytes, which is
// StretchBytes but for tests. The cuts depend on the captures alone, so that
// the result does not depend on the number of workers.
func (p *Pipeline) Stretches(list []*Input, limit int64) (all []Stretch) {
	cuts := cut(list, limit)
	for _, part := range cuts {
		all = append(all, &stretch{Pipeline: p, inputs: part, workers: max(1, p.Workers/len(cuts)), shared: p.share(nil)})
	}
	return all
}

// PerCapture makes a stretch of each capture, for sessions that do not go on
// from one capture into another.
func (p *Pipeline) PerCapture(list []*Input) (all []Stretch) {
	for _, in := range list {
		all = append(all, p.single(in, len(list), nil))
	}
	return all
}

// single is the stretch of one capture of n.
func (p *Pipeline) single(in *Input, n int, c *counts) *stretch {
	return &stretch{Pipeline: p, inputs: []*Input{in}, workers: max(1, p.Workers/n), shared: p.share(c)}
}

func cut(list []*Input, limit int64) (all [][]*Input) {
	size := int64(0)
	start := 0
	for i, in := range list {
		if in.compressed {
			size += in.Size
		}
		if size >= limit {
			all = append(all, list[start:i+1])
			start, size = i+1, 0
		}
	}
	if start < len(list) {
		all = append(all, list[start:])
	}
	return all
}

// Separate makes a stretch of each capture, with counts of its own: those of
// capture i are what count(i) adds to a report, once, when its blocks are decoded.
func (p *Pipeline) Separate(list []*Input) (all []Stretch, count func(i int, r *report.Run)) {
	var each []*shared
	for _, in := range list {
		s := p.single(in, len(list), &counts{})
		each = append(each, s.shared)
		all = append(all, s)
	}
	return all, func(i int, r *report.Run) {
		addCounts(r, &each[i].counts.sum)
		r.Unmatched += each[i].fragments.Unmatched
		if p.Figures {
			r.AddPackets(cmp.Or(each[i].counts.figures, &figures.Packets{}))
			each[i].counts.figures = nil
		}
		each[i].counts.sum = decode.Counts{} // a capture may have thousands of link types
	}
}

// shared is what the blocks of one stretch share.
type shared struct {
	pipeline  *Pipeline
	fragments decode.Fragments
	counts    *counts // nil where only the sum of all blocks is asked for
}

// share makes what the blocks of the next stretch share.
func (p *Pipeline) share(c *counts) *shared {
	s := &shared{pipeline: p, fragments: decode.Fragments{Overflow: p.overflow}, counts: c}
	p.stretches = append(p.stretches, s)
	return s
}

// A stretch reads captures one after the other: a Stretch. A capture that is
// damaged is reported and the next one goes on.
type stretch struct {
	*Pipeline
	*shared
	inputs  []*Input
	next    int // index of the next input to open
	current *reader.Capture
	source  *opened // current, as the observer knows it
	held    int64   // bytes of memory for it: see budget
	given   uint64  // records of it that were passed on
	skip    uint64  // how many of those are still to be left out, as it is read again
	whole   bool    // it may hold as much as there is
	workers int     // goroutines that a decompressor may use
	// begin is where the current capture begins in the stretch, as if the
	// captures were one, in uncompressed bytes; end is where the last record
	// read ends.
	begin, end int64
}

// Read implements shard.Stretch.
func (s *stretch) Read(ctx context.Context, b *Block) error {
	for {
		if s.current == nil {
			if s.next == len(s.inputs) {
				return io.EOF
			}
			if err := s.openNext(ctx); err != nil {
				return err
			}
			continue
		}
		in := s.inputs[s.next-1]
		err := in.next(ctx, s.current, &b.Block)
		if in.Live && ctx.Err() != nil {
			s.current = nil // still in use by the read that goes on waiting
			return context.Cause(ctx)
		}
		if err != nil && err != io.EOF && ctx.Err() != nil {
			return context.Cause(ctx) // it may be what the read failed of
		}
		switch {
		case err == nil && s.leaveOut(&b.Block):
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			continue
		case err == nil:
			if !b.Lead {
				s.Observer.Records(len(b.Records))
				s.given += uint64(len(b.Records))
			}
			b.input, b.shared, b.position = in, s.shared, s.begin+b.Offset
			s.end = b.end()
			return nil
		case reader.NoMemory(err) && in.again() && !s.whole:
			err = s.readAgain(ctx, in, err)
		default:
			err = s.ended(in, err)
		}
		if err != nil {
			return err
		}
	}
}

// leaveOut drops the records of a block that were passed on before. It reports
// whether those are all.
func (s *stretch) leaveOut(b *reader.Block) bool {
	if b.Lead {
		return s.skip > 0
	}
	n := min(s.skip, uint64(len(b.Records)))
	s.skip -= n
	b.Records = append(b.Records[:0], b.Records[n:]...)
	return len(b.Records) == 0
}

// openNext opens the next capture. It leaves current nil if that fails.
func (s *stretch) openNext(ctx context.Context) error {
	in := s.inputs[s.next]
	s.next++
	in.begun = time.Now()
	s.source, s.begin, s.given, s.skip, s.whole = new(opened), s.end, 0, 0, in.open != nil
	s.current, in.open = in.open, nil
	if s.current == nil {
		if err := s.open(ctx, in, s.Pipeline.open.of(in)); err != nil {
			return s.unopened(ctx, in, err)
		}
	}
	s.source.now.Store(s.current)
	s.Observer.Begin(s.source)
	return nil
}

// open opens a capture, which may hold so many bytes.
func (s *stretch) open(ctx context.Context, in *Input, memory int64) (err error) {
	if s.held, err = s.Pipeline.open.take(ctx, memory); err != nil {
		return err
	}
	o := reader.Options{
		Workers: s.workers, Readers: readers(s.workers), Size: in.Size, Spare: s.spare, BlockBytes: s.BlockBytes,
		Memory: memory, MemoryFor: s.MemoryFor, Room: s.Room, Range: in.part(s.RangeLead),
	}
	if s.current, err = in.openCapture(ctx, s.FS, s.Stdin, o); err != nil {
		s.release()
	}
	return err
}

// readAgain opens a capture again, which ended with err because it may not hold
// what it asks for, and gives it all the memory there is.
func (s *stretch) readAgain(ctx context.Context, in *Input, err error) error {
	in.describe(s.current, err) // for the case that it cannot be read again
	s.current.Close()
	s.current = nil
	s.release()
	s.skip, s.whole = s.given, true
	if err := s.open(ctx, in, s.Pipeline.open.alone); err != nil {
		return s.lost(ctx, in, s.source, err)
	}
	s.source.now.Store(s.current)
	return nil
}

// ended closes the capture, which ended with err.
func (s *stretch) ended(in *Input, err error) error {
	c, source := s.current, s.source
	s.current, s.source = nil, nil // a stretch of one capture stays until the run ends
	defer s.release()
	if s.skip > 0 {
		c.Close()
		return s.lost(context.Background(), in, source, errChanged)
	}
	return s.finish(in, source, c, err)
}

var errChanged = errors.New("the capture has changed while it was read")

// lost reports that a capture could not be read again, of which records were
// read.
func (p *Pipeline) lost(ctx context.Context, in *Input, s Source, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	p.Observer.End(s)
	return p.damaged(in, err)
}

// readers is how many goroutines read a plain capture for so many workers. One
// of them reads what six or seven workers process.
func readers(workers int) int { return (workers + 1) / 4 }

// unopened records that a capture which could be opened once could not be
// opened again.
func (p *Pipeline) unopened(ctx context.Context, in *Input, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	p.Observer.Skip()
	return p.damaged(in, err)
}

// finish records what there was in a capture, which ended with err, and closes
// it. The observer knows it as s.
func (p *Pipeline) finish(in *Input, s Source, c *reader.Capture, err error) error {
	if err == io.EOF {
		err = nil
	}
	in.describe(c, err)
	for _, w := range in.found.Warnings {
		p.Observer.Notice(in.Path + ": " + w)
	}
	p.Observer.End(s)
	closed := c.Close()
	if err == nil {
		err = closed
	}
	if err != nil {
		return p.damaged(in, err)
	}
	return nil
}

// damaged reports that a capture was not read to its end; a strict run ends.
func (p *Pipeline) damaged(in *Input, err error) error {
	d := damageOf(in.Path, err)
	in.damage = &d
	if p.Strict {
		return &DamageError{d}
	}
	p.Observer.Notice(d.String())
	return nil
}

// release gives back the memory of the capture that was closed.
func (s *stretch) release() {
	s.Pipeline.open.give(s.held)
	s.held = 0
}

// Decoded implements shard.Stretch.
func (s *stretch) Decoded() { s.fragments.Forget() }

// Close implements shard.Stretch.
func (s *stretch) Close() error {
	Close(s.inputs[s.next:])
	if s.current == nil {
		return nil
	}
	c := s.current
	s.current, s.source = nil, nil
	defer s.release()
	return c.Close()
}
