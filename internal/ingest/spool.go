package ingest

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"

	"pcapbatch/internal/durable"
	"pcapbatch/internal/reader"
)

// A spool has temporary files of records: what captures had left when their
// memory was needed for others. One goroutine uses it.
//
// A record lies in a file as 24 bytes, little-endian, and its packet: time in
// ns (8 bytes), number of its capture (4), capture length (4), wire length (4),
// link type (2), flags (2). Nothing but the process that wrote it reads it.
type spool struct {
	fs     durable.FS
	dir    string
	files  []*spoolFile
	writer *bufio.Writer // made when it is first needed
}

// spoolHeader is the size of a record in a file without its packet.
const spoolHeader = 24

// mostSpools is how many files there are at most. The space of a file comes
// back once all of its rests were read, so there are several; captures need file
// descriptors too.
const mostSpools = 4

// spoolBuffer is the size of the buffer through which files are written.
const spoolBuffer = 128 << 10

// A spoolFile holds rests, one after the other.
type spoolFile struct {
	durable.File
	end   int64 // where the next rest begins
	rests int   // those that were not read to their end
}

// A rest is what lanes had left, in a file: records in the order in which they
// are merged.
type rest struct {
	spool   *spool
	file    *spoolFile
	at, end int64
	far     int64 // where the packet lies of a record that is larger than a block
}

// name is how error messages name the files.
func (s *spool) name() string { return tempName(s.dir) }

// tempName is how error messages name a temporary file in dir.
func tempName(dir string) string { return "temporary file in " + dir }

// begin makes an empty rest, to be written with add until finish. Captures make
// way where too many files are open.
func (s *spool) begin(captures *openFiles) (*rest, error) {
	f, err := s.file(captures)
	if err != nil {
		return nil, err
	}
	if s.writer == nil {
		s.writer = bufio.NewWriterSize(nil, spoolBuffer)
	}
	s.writer.Reset(f)
	f.rests++
	return &rest{spool: s, file: f, at: f.end, end: f.end}, nil
}

// file returns the file for the next rest: an empty one, or the one with the
// fewest rests.
func (s *spool) file(captures *openFiles) (best *spoolFile, err error) {
	for _, f := range s.files {
		if best == nil || f.rests < best.rests {
			best = f
		}
	}
	if best != nil && (best.rests == 0 || len(s.files) == mostSpools) {
		return best, nil
	}
	f, err := s.fs.Temp(s.dir)
	if tooMany(err) && best != nil {
		return best, nil
	}
	for tooMany(err) && captures.open.Len() > 0 {
		if err := captures.parkOldest(); err != nil {
			return nil, err
		}
		f, err = s.fs.Temp(s.dir)
	}
	if err != nil {
		return nil, durable.WriteFailed(s.name(), err)
	}
	s.files = append(s.files, &spoolFile{File: f})
	return s.files[len(s.files)-1], nil
}

// add writes a record.
func (p *rest) add(r *reader.Record, number int, packet []byte) error {
	le := binary.LittleEndian
	var h [spoolHeader]byte
	le.PutUint64(h[:], uint64(r.Time))
	le.PutUint32(h[8:], uint32(number))
	le.PutUint32(h[12:], r.CapLen)
	le.PutUint32(h[16:], r.WireLen)
	le.PutUint16(h[20:], r.Link)
	le.PutUint16(h[22:], r.Flags)
	w := p.spool.writer
	_, err := w.Write(h[:])
	if err == nil {
		_, err = w.Write(packet)
	}
	p.end += int64(spoolHeader + len(packet))
	return p.spool.failed(err)
}

// finish ends the writing of a rest.
func (p *rest) finish() error {
	p.file.end = p.end
	err := p.spool.writer.Flush()
	p.spool.writer.Reset(nil)
	return p.spool.failed(err)
}

func (s *spool) failed(err error) error {
	if err != nil {
		return durable.WriteFailed(s.name(), err)
	}
	return nil
}

// next reads records into b, whose Data has the capacity for them; io.EOF: there
// are none. The packet of one that is larger stays in the file, for copyPacket.
func (p *rest) next(b *reader.Block) error {
	b.Records, p.far = b.Records[:0], 0
	n := int(min(int64(cap(b.Data)), p.end-p.at))
	if n == 0 {
		return io.EOF
	}
	b.Data = b.Data[:n]
	if err := p.read(b.Data, p.at); err != nil {
		return err
	}
	at := 0
	for n-at >= spoolHeader {
		r := spooled(b.Data[at:])
		if int64(r.CapLen) > int64(n-at-spoolHeader) {
			break
		}
		r.Off = uint32(at + spoolHeader)
		b.Records = append(b.Records, r)
		at += spoolHeader + int(r.CapLen)
	}
	if at == 0 {
		r := spooled(b.Data)
		r.Off = spoolHeader
		b.Records = append(b.Records, r)
		p.far = p.at + spoolHeader
		p.at = p.far + int64(r.CapLen)
		return nil
	}
	p.at += int64(at)
	return nil
}

// spooled is the record at the front of b, but for Off.
func spooled(b []byte) reader.Record {
	le := binary.LittleEndian
	return reader.Record{
		Time: int64(le.Uint64(b)), CapLen: le.Uint32(b[12:]), WireLen: le.Uint32(b[16:]),
		Link: le.Uint16(b[20:]), Flags: le.Uint16(b[22:]),
	}
}

// numberOf is the number of the capture of a record that next has read.
func numberOf(b *reader.Block, i int) int {
	return int(binary.LittleEndian.Uint32(b.Data[b.Records[i].Off-spoolHeader+8:]))
}

// copyPacket reads the packet of a record that is larger than a block.
func (p *rest) copyPacket(to []byte) error { return p.read(to, p.far) }

func (p *rest) read(to []byte, at int64) error {
	if _, err := p.file.ReadAt(to, at); err != nil {
		return fmt.Errorf("read %s: %w", p.spool.name(), durable.Cause(err))
	}
	return nil
}

// done tells that the rest is not needed any more.
func (p *rest) done() error {
	f := p.file
	if f.rests--; f.rests > 0 {
		return nil
	}
	f.end = 0
	if err := f.Truncate(0); err != nil {
		return p.spool.failed(err)
	}
	_, err := f.Seek(0, io.SeekStart)
	return p.spool.failed(err)
}

// close removes the files.
func (s *spool) close() {
	for _, f := range s.files {
		_ = f.Close() // nothing in it is needed any more
	}
	s.files = nil
}

// A rest that is merged needs a buffer. The more there are, the smaller they
// are: the n-th has a 64th of the memory, divided by n.
const (
	leastRestBuffer = 2 << 10
	mostRestBuffer  = 64 << 10
)

// restBuffer is the size of the buffer of a rest, where there are n others.
func restBuffer(memory int64, n int, p *rest) int {
	size := memory / 64 / int64(n+1)
	return int(min(max(size, leastRestBuffer), mostRestBuffer, max(p.end-p.at, spoolHeader), math.MaxInt32))
}
