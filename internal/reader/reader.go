// Package reader turns a capture into blocks of packet records. It is step 2 of
// the walk from captures to the CSV, called by package ingest.
//
// The caller opens one Capture per input, from a path or a stream, and passes
// Blocks of its own to Next, which fills them in capture order. Records point
// into their block's bytes. A Capture belongs to one goroutine at a time; only
// BytesRead may be called from another one. A decompressor may run goroutines
// of its own (Options.Workers), and so may the reading of a large plain file
// (Options.Readers, prefetch.go). They end with Close.
//
// Formats, compression and byte order are recognised by content, never by file
// name. The specifications followed are classic pcap (draft-ietf-opsawg-pcap)
// with its historical variants (variant.go), pcapng
// (draft-ietf-opsawg-pcapng), snoop version 2 (RFC 1761) and ERF (Endace
// extensible record format). Deviations: the reserved bits of the classic link
// type field are masked, not refused; minor versions beyond 2.4 are read as
// 2.4; a time resolution finer than a nanosecond is cut to nanoseconds; a wire
// length below the capture length is raised to it.
//
// A file is read to its end. Where another capture begins after the last record
// of one, in whatever format and compression, it is read as part of the same
// Capture (join.go, content.go). Anything else that follows is an error.
//
// Memory: a buffer of BlockBytes for each Block in use, and what an open
// capture holds, which Capture.Memory tells and Options.Memory limits. A record
// larger than BlockBytes gets a buffer of its own for as long as its block is
// in use. Every length found in a capture is compared with a limit first, and
// buffers grow only as bytes arrive, so a small file is cheap whatever it
// claims. Plain files are read with read(2) straight into the block: a memory
// map costs a page fault for each header, and crashes the program when the file
// shrinks.
//
// The package does not look into packets, does not search for the next record
// after damage (it stops there and reports where), and does not unpack a
// compressed stream inside another one.
package reader

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// BlockBytes is the size of a block's buffer in bytes. It is large enough that
// the cost of a system call does not matter, and small enough that a block
// stays in the second-level cache until it is decoded (BenchmarkNext).
const BlockBytes = 256 << 10

// firstBytes is the size of the first block, read by Open. It bounds what an
// open capture holds before it is its turn, as thousands may be open for their
// first timestamp.
const firstBytes = 16 << 10

// maxRecord is the largest capture length that is believed, in bytes, where the
// snaplen asks for as much.
const maxRecord = 16 << 20

// maxUsual is the largest capture length that is believed whatever the snaplen
// says: some writers leave a wrong snaplen in the header, and this is the limit
// of libpcap and Wireshark.
const maxUsual = 256 << 10

// Flags of a Record.
const (
	NoTime      uint16 = 1 << iota // the record has no timestamp; Time is that of the record before (0 for the first)
	ClampedTime                    // the timestamp lies outside int64 nanoseconds; Time is the nearer end of the range
)

// Record is one packet entry: 24 bytes without pointers. Its packet bytes are
// Block.Data[Off:Off+CapLen].
type Record struct {
	Time    int64  // ns since the Unix epoch
	Off     uint32 // of the packet bytes in Block.Data
	CapLen  uint32 // capture length in bytes
	WireLen uint32 // wire length in bytes, never below CapLen: Info.WireLengthRaised counts where the capture states less
	Link    uint16 // link type: LINKTYPE_ number
	Flags   uint16 // NoTime, ClampedTime
}

// Block is a batch of records of one capture and the bytes they point into.
// Data and Records are valid until the block is passed to Next again. The zero
// value is ready; a block may be used for one capture after another.
type Block struct {
	Data    []byte
	Records []Record // at most 16384: each takes 16 bytes of Data or more
	Offset  int64    // of Data[0] in the uncompressed capture, bytes
	Lead    bool     // the records lie before the range that is read: see Range

	buf []byte // Data's home unless a single record outgrew it

	room *Room // that took bytes were taken from; nil: none were
	took int64
}

// buffer returns the first size bytes of the block's own buffer.
func (b *Block) buffer(size int) []byte {
	if cap(b.buf) < size {
		b.buf = make([]byte, size)
	}
	if poison {
		spoil(b.buf)
	}
	return b.buf[:size]
}

// regrow moves rest to the front of a buffer that has room for more: the first
// size bytes of the block's own, or a larger one where the record of need bytes
// at the front of rest has filled it. The larger buffer has at most four times as
// many bytes each time, so that it is paid for by bytes that were really there.
// With twice as many, the smaller ones together would be as large as the record,
// and in memory until they are collected. large, of a record before, is used where
// it suffices. Requires: need > len(rest).
func (b *Block) regrow(rest []byte, need, size int, large []byte) []byte {
	buf := b.buf[:size]
	switch {
	case len(rest) >= size && cap(large) >= need:
		buf = large[:need]
	case len(rest) >= size:
		buf = make([]byte, min(need, 4*len(rest)))
	}
	copy(buf, rest)
	return buf
}

// A File is what a capture is read from: a regular file, whose bytes may be read
// in any order, or anything that can be read as a stream.
type File interface {
	io.ReadSeekCloser
	io.ReaderAt
	Stat() (fs.FileInfo, error)
}

// Options tunes how a capture is read. The zero value is ready.
type Options struct {
	Workers int // goroutines that a decompressor may use; below 1 counts as 1
	// Readers is the number of goroutines that read a large plain file in
	// several places at once; below 2: it is read in one place.
	Readers int
	chunk   int // size of their pieces: chunkBytes except in tests
	// Open opens the file of a capture; nil: os.Open does.
	Open func(path string) (File, error)
	// Size is that of the capture on disk, in bytes; 0 if it is not known.
	// It only keeps buffers from being larger than needed, and small captures
	// from being decompressed by several goroutines; it may be wrong.
	Size int64
	// Spare lends what captures closed before have left; nil: there are none.
	Spare *Spare
	// BlockBytes is the size of a block's buffer, and how much of a compressed
	// file is read at a time; 0, or more than the constant BlockBytes, counts
	// as that constant.
	BlockBytes int
	// Memory is how many bytes the capture may hold for what it asks for
	// itself: a decompressor's window, or a record larger than a block. A
	// capture that asks for more ends there with an error of Kind Unsupported.
	// 0: only the limits of the formats hold, 128 MiB for a zstd window, 64 MiB
	// for an xz dictionary and 16 MiB for a record.
	Memory int64
	// MemoryFor tells which --memory would do for a capture that asks for so
	// many bytes, for the message; nil: it does not say.
	MemoryFor func(bytes int64) int64
	// Room is the memory that the blocks of all captures share for records
	// larger than a block; nil: there is no limit.
	Room *Room
	// Range is the part of the capture to read; the zero value is all of it.
	Range Range
}

// window is how many bytes a window may take that may have most by its format.
func (o *Options) window(most int64) int64 {
	if o.Memory > 0 {
		return min(most, o.Memory)
	}
	return most
}

// affords tells whether there is memory for so many bytes that are not needed,
// but make reading faster.
func (o *Options) affords(bytes int64) bool { return o.Memory <= 0 || bytes <= o.Memory }

// errNoMemory marks what Options.Memory has no room for.
var errNoMemory = fmt.Errorf("%w", errUnsupported)

// errMemory is the error for a capture that asks for more bytes than it may
// hold, beside those that it does already.
func (o *Options) errMemory(what string, asks, beside, most int64) error {
	would := ""
	if o.MemoryFor != nil {
		would = fmt.Sprintf(" (it would take --memory %dM)", (o.MemoryFor(asks+beside)+1<<20-1)>>20)
	}
	return fmt.Errorf("a %s of %d bytes, where --memory leaves %d for this capture%s, is %w", what, asks, most, would, errNoMemory)
}

// NoMemory reports whether a capture has ended with err because it may not hold
// what it asks for: see Options.Memory.
func NoMemory(err error) bool { return errors.Is(err, errNoMemory) }

// firstBytes is the size of the first block: one byte more than a small plain
// capture, to see its end with its last record.
func (o *Options) firstBytes(compressed bool) int {
	if o.Size <= 0 || compressed {
		return firstBytes
	}
	return int(min(o.Size+1, firstBytes))
}

// small tells whether a capture is known to be too small to be split.
func (o *Options) small() bool { return o.Size > 0 && o.Size < splitBytes }

// readAhead is how many bytes of a compressed file are read at a time: one more
// than a small file has, to see its end.
func (o *Options) readAhead() int {
	if o.Size <= 0 {
		return o.BlockBytes
	}
	return int(min(o.Size+1, int64(o.BlockBytes)))
}

// Capture is one open capture.
type Capture struct {
	path    string
	file    File    // closed by Close; nil for New
	raw     *source // the bytes as they lie on disk
	content content // the bytes after decompression
	in      *stream // of content
	format  format
	seen    tally
	joined  *Info  // describes the captures before the current one in the same file; nil for none
	joins   uint64 // how many there were
	begun   int64  // offset in content of the current one
	walks   uint64 // of formats over bytes: the work done, which fuzz tests hold to a budget
	flaw    *Error // the first damage that lost nothing

	prefetch *prefetch // nil: the capture is read in one place at a time
	part     *part     // nil: all of the capture is read

	carry   []byte // bytes after the last whole record, for the front of the next block
	skip    int64  // bytes still to be left out after carry, which is empty then
	gap     int64  // bytes to be left out together with those that already are
	base    int64  // offset in the uncompressed stream of the first byte not yet walked, or of the gap in front of it
	records uint64
	first   *Block // what Open read ahead
	spare   *Spare
	o       Options
	start   int64 // time of the first record, ns
	started bool
	err     error // what Next returns from now on
}

// format walks the bytes of one capture format.
type format interface {
	// walk appends to b.Records the records that begin in d[at:stop] and lie
	// whole in d, and says how far it came. What it did not use is handed to it
	// again, with more after it, unless end says that d is the end of the file.
	// stop may lie beyond d, or before at. Requires: d is b's buffer.
	walk(b *Block, d []byte, at, stop int, end bool) step
	// describe fills in what the format knows about the capture.
	describe(i *Info)
}

// step is how far a walk came.
type step struct {
	used int   // bytes of d that are done with, those before the walk too
	skip int64 // bytes after those, in d or yet to come, to be left out
	need int   // bytes that the record or block at d[used] takes, as far as is known: more than are there
	kind Kind  // with err
	err  error // the record or block at d[used] cannot be read
	// inside says that the block goes on after what is left out: a capture that
	// ends there is cut short.
	inside bool
	// border says that d[used] begins no record of this format, but perhaps
	// another capture.
	border bool
	// stopped says that what begins at d[used] is beyond the stop of the walk.
	stopped bool
	// packed is how d[used:] is compressed, where the rest of the file is and
	// the capture so far was not.
	packed *compression
}

// Open opens the capture at path, reads its header and first records, and
// recognises format and compression. The path may be anything that can be read
// as a stream. Errors are of type *Error; the caller closes the capture.
func Open(path string, o Options) (*Capture, error) {
	if o.Open == nil {
		o.Open = func(path string) (File, error) { return os.Open(path) }
	}
	f, err := o.Open(path)
	if err != nil {
		return nil, &Error{Path: path, Kind: IO, Err: cause(err)}
	}
	c, err := New(path, f, o)
	if err != nil {
		f.Close()
		return nil, err
	}
	c.file = f
	return c, nil
}

// New is Open for a stream, standard input for one; name stands for the path in
// messages. The stream stays the caller's to close, after Close.
func New(name string, r io.Reader, o Options) (*Capture, error) {
	o.Workers = max(o.Workers, 1)
	if o.BlockBytes <= 0 || o.BlockBytes > BlockBytes {
		o.BlockBytes = BlockBytes
	}
	if o.Spare == nil {
		o.Spare = new(Spare)
	}
	if o.chunk == 0 {
		o.chunk = chunkBytes
	}
	c := &Capture{path: name, raw: &source{r: r}, o: o, spare: o.Spare}
	if f, ok := r.(File); ok && (max(o.Workers, o.Readers) > 1 && (!o.small() || o.chunk < chunkBytes) || !o.Range.whole()) {
		c.raw.regular(f)
	}
	head := o
	if !o.Range.whole() {
		head.Workers = 1
	}
	err := c.open(head)
	if err == nil {
		err = c.setRange()
	}
	if err != nil {
		c.Close()
		return nil, err
	}
	first := o.Spare.takeBlock()
	err = c.fill(first, o.firstBytes(c.content.unpack.name != ""))
	if err == nil {
		c.first, c.start, c.started = first, first.Records[0].Time, true
		c.divide()
		c.jump()
	} else if err != io.EOF && c.base == 0 {
		c.Close()
		return nil, err // its very first block cannot be read
	}
	return c, nil
}

// open finds out compression and format.
func (c *Capture) open(o Options) error {
	c.content = content{o: o, src: c.raw, file: &stream{r: c.raw}, trifle: c.trifle}
	c.in = &stream{r: &c.content}
	if err := c.content.start(); err != nil {
		return c.fault(err)
	}
	head := c.in.peek(sniffBytes)
	if len(head) == 0 {
		return c.nothing()
	}
	if outer := c.content.name; outer != "" {
		if inner := compressionOf(head); inner != nil {
			return c.fail(Unsupported, errNested(inner.name, outer))
		}
	}
	form, st := recognise(c.in, &c.seen)
	if st.err != nil {
		if err := c.in.err; err != nil && err != io.EOF {
			return c.fault(err) // what the damage left is no wonder unrecognisable
		}
		return c.fail(st.kind, st.err)
	}
	c.format = form
	c.in.drop(st.used)
	c.base = int64(st.used)
	return nil
}

// nothing is the error for a capture without a single byte.
func (c *Capture) nothing() error {
	if c.in.err != io.EOF {
		return c.fault(c.in.err)
	}
	if name := c.content.name; name != "" {
		return c.fail(Empty, fmt.Errorf("nothing inside the %s stream", name))
	}
	return c.fail(Empty, errors.New("empty file"))
}

// Next fills b, reusing its buffers, with the records that follow: at least
// one. io.EOF is the clean end of the capture. An *Error ends it too, after
// every record before the damage was returned; it is returned again by every
// later call, as io.EOF is.
func (c *Capture) Next(b *Block) error {
	first := c.first
	if first == nil {
		return c.fill(b, c.o.BlockBytes)
	}
	c.first = nil
	b.Shrink()
	if cap(first.Data) > c.o.BlockBytes { // a large record, which nobody copies
		b.Data, b.Records = first.Data, append(b.Records[:0], first.Records...)
		b.room, b.took, b.Offset, b.Lead = first.room, first.took, first.Offset, first.Lead
		return nil
	}
	b.Data = append(b.buffer(c.o.BlockBytes)[:0], first.Data...)
	b.Records = append(b.Records[:0], first.Records...)
	b.Offset, b.Lead = first.Offset, first.Lead
	c.spare.keepBlock(first)
	return nil
}

// fill is Next with a buffer of size bytes.
func (c *Capture) fill(b *Block, size int) error {
	large := b.Data // of a record that the caller did not give up with Shrink
	b.Shrink()
	b.Data, b.Records = nil, b.Records[:0]
	if c.err != nil {
		return c.err
	}
	if c.prefetch != nil && c.prefetched(b) {
		return nil
	}
	size = max(size, len(c.carry)) // the first block may have been the larger one
	buf := b.buffer(size)
	n := copy(buf, c.carry)
	c.carry = c.carry[:0]
	for {
		m, rerr := c.read(buf[n:])
		n += m
		st := c.walk(b, buf[:n], rerr == io.EOF)
		if st.packed != nil {
			n, rerr = st.used, c.unpackRest(&st, buf[st.used:n])
		}
		b.Offset = c.base
		c.base += int64(st.used)
		c.records += uint64(len(b.Records))
		rest := c.leave(&st, buf[:n])
		c.conclude(st, rest, rerr)
		b.Lead = c.part != nil && c.part.lead
		if st.stopped {
			c.reach()
		}
		if len(b.Records) > 0 {
			b.Data = buf[:n]
			c.carry = append(c.carry, rest...)
			c.seen.last = b.Records[len(b.Records)-1].Time
			return nil
		}
		if st.stopped && c.err == nil {
			n = copy(buf, rest)
			continue
		}
		if c.err == nil && st.need > BlockBytes {
			c.checkRecord(int64(st.need))
		}
		if c.err != nil {
			b.Shrink()
			return c.err
		}
		if st.need > c.o.BlockBytes {
			c.o.Room.take(b, st.need)
		}
		buf = b.regrow(rest, st.need, size, large)
		n = len(rest)
	}
}

// checkRecord ends the capture if it may not hold a record of so many bytes,
// which is larger than a block, together with the decompressor's window.
func (c *Capture) checkRecord(bytes int64) {
	window := int64(0)
	if c.o.Memory > 0 && c.content.unpack.memory != nil {
		window = c.content.unpack.memory()
	}
	if !c.o.affords(bytes + window) {
		c.finish(c.fail(Unsupported, c.o.errMemory("record", bytes, window, max(c.o.Memory-window, 0))))
	}
}

// leave returns what is left of d after a walk, without the bytes that the walk
// wants left out are gone from it.
func (c *Capture) leave(st *step, d []byte) []byte {
	rest := d[st.used:]
	here := min(st.skip, int64(len(rest)))
	c.skip, c.gap = st.skip-here, st.skip
	c.closeGap()
	return rest[here:]
}

// closeGap advances the offset over the bytes left out, once all of them are.
func (c *Capture) closeGap() {
	if c.skip == 0 {
		c.base += c.gap
		c.gap = 0
	}
}

// conclude ends the capture when it goes no further than rest.
func (c *Capture) conclude(st step, rest []byte, rerr error) {
	switch {
	case st.err != nil:
		c.finish(c.fail(st.kind, st.err))
	case rerr == nil, st.stopped:
	case rerr != io.EOF:
		c.finish(c.fault(rerr))
	case len(rest) > 0, st.inside && c.skip == 0:
		c.finish(c.fail(Truncated, fmt.Errorf("cut short: %d bytes left where %d or more are due: %w", len(rest), st.need, io.ErrUnexpectedEOF)))
	case c.skip == 0:
		c.finish(io.EOF)
	}
}

// finish sets what Next returns once the records at hand are gone.
func (c *Capture) finish(err error) {
	if err == io.EOF && c.flaw != nil {
		if c.seen.flaws > 1 {
			c.flaw.Err = fmt.Errorf("%w, the first of %d such faults", c.flaw.Err, c.seen.flaws)
		}
		c.flaw.Err = fmt.Errorf("%w; no record was lost", c.flaw.Err)
		err = c.flaw
	}
	c.err = err
	c.raw.finish(err)
	if c.part != nil && c.part.lead { // nothing of it counts
		c.records = 0
		c.seen.clear()
	}
}

// trifle notes damage that loses nothing.
func (c *Capture) trifle(err error) {
	if c.seen.flaws++; c.flaw == nil {
		c.flaw = c.fail(Flawed, err)
	}
}

// takeFlaw makes an error of the first flaw that a walk has met.
func (c *Capture) takeFlaw() {
	f := c.seen.flaw
	if f != nil && c.flaw == nil {
		c.flaw = &Error{Path: c.path, Record: c.records + uint64(f.records) + 1, Offset: c.base + int64(f.off), Kind: Flawed, Err: f.err}
	}
	c.seen.flaw = nil
}

// read fills p, after leaving out what is to be skipped. The error comes with
// the bytes before it.
func (c *Capture) read(p []byte) (int, error) {
	for c.skip > 0 {
		n, err := c.in.Read(p[:min(int64(len(p)), c.skip)])
		c.skip -= int64(n)
		c.closeGap()
		if c.skip > 0 && err == io.EOF {
			err = fmt.Errorf("cut short: %d bytes are missing: %w", c.skip, io.ErrUnexpectedEOF)
		}
		if c.skip > 0 && err != nil {
			return 0, err
		}
	}
	return readFull(c.in, p)
}

// fail makes the error for the record after those read so far.
func (c *Capture) fail(k Kind, err error) *Error {
	record := c.records + 1
	if c.base == 0 {
		record = 0
	}
	return &Error{Path: c.path, Record: record, Offset: c.base - c.origin(), Kind: k, Err: err}
}

// fault makes the error for a failure to read, or to decompress.
func (c *Capture) fault(err error) *Error {
	kind := c.faultKind(err)
	if kind == IO {
		err = cause(err) // the path is told already
	}
	if name := c.content.unpack.name; name != "" {
		err = fmt.Errorf("in the %s stream: %w", name, err)
	}
	return c.fail(kind, err)
}

// FirstTime returns the time of the first record, in ns since the Unix epoch;
// false when there is none.
func (c *Capture) FirstTime() (ns int64, ok bool) { return c.start, c.started }

// BytesRead returns how many bytes of the capture were read so far, as they lie
// on disk; of a range, those that lie in it. It may be called from any goroutine.
func (c *Capture) BytesRead() int64 {
	if c.part != nil {
		return c.part.bytesRead(c.raw.count())
	}
	return c.raw.count()
}

// Close releases the decompressor and, after Open, the file.
func (c *Capture) Close() error {
	if c.err == nil {
		c.err = c.fail(IO, os.ErrClosed) // the decompressor may be another's by now
	}
	if c.prefetch != nil {
		c.prefetch.close()
		c.prefetch = nil
	}
	c.content.close()
	if c.first != nil {
		c.first.Shrink()
		c.spare.keepBlock(c.first)
		c.first = nil
	}
	if c.file == nil {
		return nil
	}
	return c.file.Close()
}
