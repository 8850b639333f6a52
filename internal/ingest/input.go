package ingest

import (
	"context"
	"errors"
	"io"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"pcapbatch/internal/capture"
	"pcapbatch/internal/decode"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/reader"
	"pcapbatch/internal/report"
)

// An Input is one capture of a run, or a range of one.
type Input struct {
	// Identity has the path, the time of the first record, and the size on
	// disk, 0 where nobody knows. The rest of it is for Identify.
	capture.Identity
	// Live says that the capture is no file but a pipe or a terminal, which
	// can be read once and may wait for ever.
	Live bool

	stdin      bool // it is standard input, whatever it is called
	compressed bool
	ranges     bool  // reader.Capture.HasRanges
	holds      int64 // bytes that the capture held when its first records were read; see reader.Capture.Memory
	number     int   // place in capture order
	open       *reader.Capture
	// open is set where the capture is open already, because it cannot be
	// opened again (standard input, a FIFO) or is the only one.
	latest atomic.Int64 // latest time of a record that was decoded, ns; valid if Timed

	packets, nonIP atomic.Uint64 // in sessions, and not IP; see counted
	wire, kept     atomic.Uint64 // bytes of its records: wire and capture lengths; see sized
	merged         bool          // its records were merged with those of others: nobody knows

	modTime int64 // of its last modification before it was opened, as Identity.ModTime
	unseen  error // the system failed to say what stands under the path; nil: it did

	begun time.Time // when it was opened to be read

	found  *report.Capture // nil until it was read
	damage *report.Damage  // nil: none
}

// newInput describes what stands under path, which need not exist. A file of no
// size may be one of the system's, such as /proc/kmsg, whose reader waits.
func newInput(fsys durable.FS, path string, stdin io.Reader) *Input {
	in := &Input{Identity: capture.Identity{Path: path}, Live: true, stdin: path == capture.StdinName}
	info, err := capture.Stat(fsys, path, stdin)
	if err == nil && info.Mode().IsRegular() && info.Size() > 0 {
		in.Size, in.Live, in.modTime = info.Size(), false, info.ModTime().UnixNano()
	}
	if err != nil && !in.stdin {
		in.unseen = durable.Cause(err) // it is not to be taken for a pipe
	}
	return in
}

// again reports whether the capture can be read again.
func (in *Input) again() bool { return !in.Live && !in.stdin }

// Ranges reports whether the capture can be read in ranges. Requires:
// Options.FindRanges.
func (in *Input) Ranges() bool { return in.ranges && in.again() }

// Identify completes the identity of the input. It returns an error if the
// capture cannot be read a second time.
func (in *Input) Identify(fsys durable.FS) (*capture.Identity, error) {
	if !in.again() {
		return nil, ErrReadOnce
	}
	id, err := capture.Identify(fsys, in.Path)
	if err != nil {
		return nil, err
	}
	id.First, id.Timed, id.Range = in.First, in.Timed, in.Range
	// What was opened may be an older file than the one that stands there now. With
	// these it counts as changed the next time.
	id.Size, id.ModTime = in.Size, in.modTime
	return id, nil
}

// ErrReadOnce says that a capture, such as standard input, can only be read
// once, so that nothing can be kept of it.
var ErrReadOnce = errors.New("this is no file that can be read again")

// reached records that records up to the given time were decoded. Several
// goroutines call it.
func (in *Input) reached(time int64) {
	for {
		latest := in.latest.Load()
		if time <= latest || in.latest.CompareAndSwap(latest, time) {
			return
		}
	}
}

// counted records what became of the records of a block. Several goroutines call
// it.
func (in *Input) counted(packets, nonIP uint64) {
	in.packets.Add(packets)
	in.nonIP.Add(nonIP)
}

// sized adds the lengths of records. Several goroutines call it.
func (in *Input) sized(records []reader.Record) {
	var wire, kept uint64
	for i := range records {
		wire += uint64(records[i].WireLen)
		kept += uint64(records[i].CapLen)
	}
	in.wire.Add(wire)
	in.kept.Add(kept)
}

// Report returns what there is to say of the capture: nil for a part that there
// is nothing to say of. Requires: the capture was read and its blocks decoded.
func (in *Input) Report() (*report.Capture, *report.Damage) {
	if in.found != nil && in.Timed {
		first, last := in.First, max(in.First, in.latest.Load())
		in.found.First, in.found.Last = &first, &last
	}
	if in.found != nil {
		in.found.WireBytes, in.found.CapturedBytes = in.wire.Load(), in.kept.Load()
	}
	if in.found != nil && !in.merged {
		in.found.Packets = in.packets.Load()
		in.found.LeftOut = in.found.Records > 0 && in.found.Packets+in.nonIP.Load() == 0
	}
	return in.found, in.damage
}

// Elapsed is the time since the capture was opened to be read, 0 where it was
// not.
func (in *Input) Elapsed() time.Duration {
	if in.begun.IsZero() {
		return 0
	}
	return time.Since(in.begun)
}

// openCapture opens the capture. The end of ctx ends the wait for whoever
// writes to a pipe.
func (in *Input) openCapture(ctx context.Context, fsys durable.FS, stdin io.Reader, o reader.Options) (*reader.Capture, error) {
	o.Open = opener(fsys)
	open := func() (*reader.Capture, error) { return reader.Open(in.Path, o) }
	if in.stdin {
		name := in.Path
		if name == capture.StdinName {
			name = "standard input"
		}
		open = func() (*reader.Capture, error) { return reader.New(name, stdin, o) }
	}
	if in.Live {
		return Await(ctx, open)
	}
	return open()
}

// opener is how package reader opens a capture.
func opener(fsys durable.FS) func(path string) (reader.File, error) {
	return func(path string) (reader.File, error) { return fsys.OpenSource(path) }
}

// next is c.Next. The end of ctx ends the wait for a pipe; c must not be used
// any more then, not even be closed.
func (in *Input) next(ctx context.Context, c *reader.Capture, b *reader.Block) error {
	if !in.Live {
		return c.Next(b)
	}
	_, err := Await(ctx, func() (struct{}, error) { return struct{}{}, c.Next(b) })
	return err
}

// peek looks at the head of the capture. It stays open if it is the only one
// or cannot be opened twice; only then its decompressor may use the workers.
// Those that stay open, so many, share the memory.
func (in *Input) peek(ctx context.Context, o *Options, only bool, once int64, spare *reader.Spare) error {
	reading := reader.Options{Size: in.Size, Range: in.part(o.RangeLead), Spare: spare, BlockBytes: o.BlockBytes, Memory: o.Alone, MemoryFor: o.MemoryFor}
	if !in.again() && once > 1 && o.Alone > 0 {
		reading.Memory = max(o.Alone/once, 1)
		reading.MemoryFor = func(bytes int64) int64 { return o.MemoryFor(bytes * once) }
	}
	if only {
		reading.Workers, reading.Readers, reading.Room = o.Workers, readers(o.Workers), o.Room // of several, one could wait for another
	}
	c, err := in.openCapture(ctx, o.FS, o.Stdin, reading)
	if err != nil {
		return err
	}
	if in.First, in.Timed = c.FirstTime(); !in.Timed && !in.Range.Whole() {
		in.firstOfWhole(ctx, o, reading)
	}
	in.latest.Store(in.First)
	in.compressed, in.ranges = c.Info().Compression != "", o.FindRanges && c.HasRanges()
	in.holds = c.Memory()
	if !only && in.again() {
		err := c.Close()
		if o.Memory > 0 && in.holds >= largeCapture {
			runtime.GC() // the next one must not come on top of it
		}
		return err
	}
	in.open = c
	return nil
}

// firstOfWhole takes the time of the first record of the capture, which does not
// lie in its range.
func (in *Input) firstOfWhole(ctx context.Context, o *Options, reading reader.Options) {
	reading.Range = reader.Range{}
	if c, err := in.openCapture(ctx, o.FS, o.Stdin, reading); err == nil {
		in.First, in.Timed = c.FirstTime()
		c.Close()
	}
}

// Open looks at the head of each capture and returns them in capture order. o
// are the options of the pipeline that they are for.
// fail gets the captures that cannot be opened. The error is the cause of ctx.
// The caller closes the inputs that it does not give to a run.
func Open(ctx context.Context, paths []string, o Options, fail func(report.Damage)) ([]*Input, error) {
	var all, list []*Input
	once := int64(0)
	for _, path := range paths {
		in := newInput(o.FS, path, o.Stdin)
		in.Range = o.Range
		if in.stdin && o.StdinPath != "" {
			in.Path = o.StdinPath
		}
		all = append(all, in)
		if !in.again() {
			once++
		}
	}
	defer durable.Prefetch(o.FS, durable.Heads, paths)()
	spare := reader.NewSpare(1)
	for _, in := range all {
		err := in.unseen
		if err == nil {
			err = in.peek(ctx, &o, len(paths) == 1, once, spare)
		}
		if cause := context.Cause(ctx); cause != nil {
			Close(list)
			return nil, cause
		}
		if errors.Is(err, ErrNoRanges) {
			Close(list)
			return nil, err
		}
		if err != nil {
			fail(damageOf(in.Path, err))
			continue
		}
		list = append(list, in)
	}
	slices.SortFunc(list, func(a, b *Input) int { return a.Compare(&b.Identity) })
	for i, in := range list {
		in.number = i
	}
	return list, nil
}

// Prefetch says that the captures will be read, about in that order, until the
// caller calls stop: see durable.Prefetch.
func Prefetch(fsys durable.FS, list []*Input) (stop func()) {
	if _, ok := fsys.(durable.Prefetcher); !ok {
		return func() {}
	}
	var paths []string
	for _, in := range list {
		if in.open == nil {
			paths = append(paths, in.Path)
		}
	}
	return durable.Prefetch(fsys, durable.Heads, paths)
}

// Close closes the inputs that are open.
func Close(list []*Input) {
	for _, in := range list {
		if in.open != nil {
			in.open.Close()
			in.open = nil
		}
	}
}

// ErrNoRanges says that a capture can only be read as a whole.
var ErrNoRanges = reader.ErrNoRanges

// RangeLead is how far before a range there may be what the records in it need.
const RangeLead = decode.FragmentBytes

// part is the range of the capture, and what has to be read before it.
func (in *Input) part(lead int64) reader.Range {
	return reader.Range{From: in.Range.From, To: in.Range.To, Lead: lead}
}

// TotalBytes is the size of all captures on disk, in bytes; -1 where the size
// of one is not known, as that of a pipe.
func TotalBytes(list []*Input) (n int64) {
	for _, in := range list {
		if in.Size == 0 {
			return -1
		}
		n += in.Range.Bytes(in.Size)
	}
	return n
}

// damageOf describes why a capture could not be read.
func damageOf(path string, err error) report.Damage {
	if e, ok := errors.AsType[*reader.Error](err); ok {
		return report.Damage{Path: e.Path, Kind: e.Kind.String(), Record: e.Record, Offset: e.Offset, Reason: e.Err.Error(), Memory: reader.NoMemory(err)}
	}
	return report.Damage{Path: path, Kind: report.KindIO, Reason: err.Error()}
}

// Missing returns the entry of the report for a name under which no capture
// could be found.
func Missing(f capture.Failure) report.Damage {
	return report.Damage{Path: f.Path, Kind: report.KindIO, Reason: f.Err.Error()}
}

// describe records what there was in a capture, which was read as far as err,
// nil at its end.
func (in *Input) describe(c *reader.Capture, err error) {
	info := c.Info()
	in.found = &report.Capture{
		Path: in.Path, Format: info.Format, Compression: info.Compression,
		Records: info.Records, Bytes: c.BytesRead(),
		NoTime: info.NoTime, ClampedTime: info.ClampedTime,
		WireLengthRaised: info.WireLengthRaised, SubsecondOverflow: info.SubsecondOverflow,
		Complete: err == nil, Warnings: info.Warnings,
	}
	b := c.Borders()
	for _, l := range info.Links {
		if b == nil || l.Records > 0 { // those before a range do not count
			in.found.LinkTypes.Count(l.Link, l.Records)
		}
	}
	if b != nil {
		in.found.Range = &report.Range{
			From: in.Range.From, To: in.Range.To, Unknown: b.Unknown, Begin: report.Border(b.Begin), End: report.Border(b.End), Content: b.Content,
		}
	}
	in.found.OtherLinks = info.OtherLinks
}
