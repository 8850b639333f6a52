package runfile

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"path/filepath"
	"slices"
	"sync"

	"pcapbatch/internal/durable"
)

// PackSuffix ends the name of a pack: many small run files in one file.
const PackSuffix = ".pack"

// The limits of a pack, in bytes. What is beyond them is refused, so they can be
// lowered for what is written only.
const (
	MaxPacked = 64 << 10 // of the largest run file that is put into a pack
	MaxPack   = 16 << 20 // of a pack
)

const (
	packMagic   = "pcapbpak"
	packVersion = 1
	packHeader  = 16         // bytes: magic, version, 0
	packIndex   = 16 + 4 + 4 // bytes for each entry: its ID, its length, the CRC of its bytes
	packTrailer = 4 + 4 + 8  // bytes: number of entries, CRC of index and number, magic
	packBuffer  = 64 << 10   // bytes that are written at once
	leastPacked = fileHeader + fileTrailer
)

// A packed run file is an entry of a pack.
type packed struct {
	id           ID
	offset, size uint32 // in the pack, bytes
	sum          uint32 // CRC-32C of its bytes
}

// A Pack is a file whose entries are run files, byte for byte. It is never
// changed once it is complete. Any number of goroutines may use it.
type Pack struct {
	Path string

	files   *Files
	entries []packed

	mu    sync.Mutex
	file  *keptFile // open as long as there are users; nil: it is not
	users int
}

// OpenPack reads and checks the index of the pack at path. Errors wrap
// ErrDamaged or ErrVersion, or are those of the file system.
func (files *Files) OpenPack(path string) (*Pack, error) {
	f, err := files.FS.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p := &Pack{Path: path, files: files}
	if err := p.readIndex(f); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *Pack) readIndex(f durable.File) error {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if size < packHeader+packTrailer || size > MaxPack {
		return damaged(p.Path, 0, "a pack of %d bytes, which must have %d to %d", size, packHeader+packTrailer, MaxPack)
	}
	header, trailer := make([]byte, packHeader), make([]byte, packTrailer)
	if _, err := f.ReadAt(header, 0); err != nil {
		return err
	}
	if string(header[:8]) != packMagic {
		return damaged(p.Path, 0, "not a pack of run files")
	}
	if v := binary.LittleEndian.Uint32(header[8:]); v == 0 || v > packVersion {
		return fmt.Errorf("%s: pack of version %d: %w: this program knows versions up to %d", p.Path, v, ErrVersion, packVersion)
	}
	if binary.LittleEndian.Uint32(header[12:]) != 0 {
		return damaged(p.Path, 12, "bytes of the header that are 0 are not")
	}
	end := size - packTrailer
	if _, err := f.ReadAt(trailer, end); err != nil {
		return err
	}
	n := int64(binary.LittleEndian.Uint32(trailer))
	if !bytes.Equal(trailer[8:], []byte(endMagic)) || n > (end-packHeader)/(packIndex+leastPacked) {
		return damaged(p.Path, end, "pack is cut short, or its end belongs to another file")
	}
	index := make([]byte, n*packIndex, n*packIndex+4)
	at := end - int64(len(index))
	if _, err := f.ReadAt(index, at); err != nil {
		return err
	}
	if crc32.Checksum(append(index, trailer[:4]...), castagnoli) != binary.LittleEndian.Uint32(trailer[4:]) {
		return damaged(p.Path, at, "checksum of the index does not match")
	}
	return p.parse(index, at)
}

// parse takes over the index, which begins at offset end.
func (p *Pack) parse(index []byte, end int64) error {
	p.entries = make([]packed, 0, len(index)/packIndex)
	at := int64(packHeader)
	for ; len(index) > 0; index = index[packIndex:] {
		size := binary.LittleEndian.Uint32(index[16:])
		if size < leastPacked || size > MaxPacked || int64(size) > end-at {
			return damaged(p.Path, end, "index contradicts itself")
		}
		e := packed{offset: uint32(at), size: size, sum: binary.LittleEndian.Uint32(index[20:])}
		copy(e.id[:], index)
		p.entries = append(p.entries, e)
		at += int64(size)
	}
	if at != end {
		return damaged(p.Path, end, "%d bytes that are not in the index", end-at)
	}
	return nil
}

// Len is the number of entries.
func (p *Pack) Len() int { return len(p.entries) }

// ID returns the ID of entry i.
func (p *Pack) ID(i int) ID { return p.entries[i].id }

// Size returns the length of entry i, in bytes.
func (p *Pack) Size(i int) int64 { return int64(p.entries[i].size) }

// Bytes is the length of all entries together, in bytes.
func (p *Pack) Bytes() (n int64) {
	for i := range p.entries {
		n += p.Size(i)
	}
	return n
}

// at returns the number of the entry at an offset.
func (p *Pack) at(offset int64) (int, bool) {
	return slices.BinarySearchFunc(p.entries, offset, func(e packed, offset int64) int { return cmp.Compare(int64(e.offset), offset) })
}

// Name is how messages call entry i: by the path that its run file would have
// if the pack were a directory.
func (p *Pack) Name(i int) string { return filepath.Join(p.Path, p.entries[i].id.Name()) }

// hold opens the pack for one more user, who calls release.
func (p *Pack) hold() (at io.ReaderAt, release func() error, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.file == nil {
		f, err := p.files.keep(p.Path)
		if err != nil {
			return nil, nil, err
		}
		if f == nil {
			return parked{p.files.FS, p.Path}, nil, nil
		}
		p.file = f
	}
	p.users++
	return p.file, p.release, nil
}

func (p *Pack) release() (err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.users--; p.users == 0 {
		err = p.file.Close()
		p.file = nil
	}
	return err
}

// A PackReader opens entries of packs one after the other. It keeps the last
// pack open, and its buffer, until Close. Its zero value is ready for use.
type PackReader struct {
	pack    *Pack
	at      io.ReaderAt
	release func() error
	buffer  []byte
}

// Close closes the pack that was read last.
func (x *PackReader) Close() (err error) {
	if x.release != nil {
		err = x.release()
	}
	x.pack, x.release = nil, nil
	return err
}

// read returns the bytes of entry i of p, valid until the next call.
func (x *PackReader) read(p *Pack, i int) ([]byte, error) {
	if x.pack != p {
		if err := x.Close(); err != nil {
			return nil, err
		}
		var err error
		if x.at, x.release, err = p.hold(); err != nil {
			return nil, err
		}
		x.pack = p
	}
	e := &p.entries[i]
	if x.buffer == nil {
		x.buffer = make([]byte, MaxPacked)
	}
	data := x.buffer[:e.size]
	_, err := x.at.ReadAt(data, int64(e.offset))
	if err == io.EOF {
		err = damaged(p.Name(i), 0, "pack is cut short")
	}
	return data, err
}

// Open reads all of entry i of p, checks it, and returns it as a run file, for
// which Run.Verify would find nothing more. Errors wrap ErrDamaged or
// ErrVersion, or are those of the file system.
func (x *PackReader) Open(p *Pack, i int) (*Run, error) {
	data, err := x.read(p, i)
	if err != nil {
		return nil, err
	}
	e := &p.entries[i]
	if crc32.Checksum(data, castagnoli) != e.sum {
		return nil, damaged(p.Name(i), 0, "checksum of the entry in its pack does not match")
	}
	r := &Run{Path: p.Name(i), files: p.files, pack: p, base: int64(e.offset)}
	if err := r.readFooter(bytes.NewReader(data), int64(len(data))); err != nil {
		return nil, err
	}
	return r, nil
}

// A PackWriter writes a pack, which appears under its name only when it is
// complete: see durable.Pending.
type PackWriter struct {
	pack *Pack
	file *durable.Pending
	to   *bufio.Writer // of file: entries are small
	end  int64
}

// CreatePack begins the pack at path. The caller ends it with Commit or Abort.
func (files *Files) CreatePack(fs durable.FS, path string) (*PackWriter, error) {
	f, err := durable.CreatePending(fs, path)
	if err != nil {
		return nil, durable.WriteFailed(path, err)
	}
	w := &PackWriter{pack: &Pack{Path: path, files: files}, file: f, to: bufio.NewWriterSize(f, packBuffer), end: packHeader}
	header := append([]byte(packMagic), make([]byte, packHeader-len(packMagic))...)
	binary.LittleEndian.PutUint32(header[len(packMagic):], packVersion)
	return w, w.write(header)
}

// write writes b; after an error the pack is gone.
func (w *PackWriter) write(b []byte) error {
	if _, err := w.to.Write(b); err != nil {
		return w.failed(err)
	}
	return nil
}

func (w *PackWriter) failed(err error) error {
	w.Abort()
	return durable.WriteFailed(w.pack.Path, err)
}

// Size is the size of the pack if it were completed now, in bytes.
func (w *PackWriter) Size() int64 {
	return w.end + int64(len(w.pack.entries))*packIndex + packTrailer
}

// Add adds the bytes of a run file, as Writer.Held returned them. After an error
// the pack is gone. Requires: at most MaxPacked bytes, and Size is so far below
// MaxPack.
func (w *PackWriter) Add(id ID, data []byte) error {
	return w.add(id, data, crc32.Checksum(data, castagnoli))
}

// Copy is Add for entry i of p, which x reads. It copies the checksum too and
// does not check it, so an entry that is damaged is recognised as damaged in
// the copy.
func (w *PackWriter) Copy(x *PackReader, p *Pack, i int) error {
	data, err := x.read(p, i)
	if err != nil {
		w.Abort()
		return err
	}
	return w.add(p.ID(i), data, p.entries[i].sum)
}

func (w *PackWriter) add(id ID, data []byte, sum uint32) error {
	if len(data) < leastPacked || len(data) > MaxPacked || w.Size()+packIndex+int64(len(data)) > MaxPack {
		w.Abort()
		return fmt.Errorf("%s: no room for an entry of %d bytes", w.pack.Path, len(data))
	}
	if err := w.write(data); err != nil {
		return err
	}
	w.pack.entries = append(w.pack.entries, packed{id, uint32(w.end), uint32(len(data)), sum})
	w.end += int64(len(data))
	return nil
}

// Last returns the entry that was added last as a run file, whose footer is m. It
// can be read once the pack is complete.
func (w *PackWriter) Last(m *Meta) *Run {
	i := len(w.pack.entries) - 1
	return &Run{Meta: *m, Path: w.pack.Name(i), files: w.pack.files, pack: w.pack, base: int64(w.pack.entries[i].offset)}
}

// Commit completes the pack, writes it to disk and gives it its name.
func (w *PackWriter) Commit() error {
	var end []byte
	for _, e := range w.pack.entries {
		end = append(end, e.id[:]...)
		end = binary.LittleEndian.AppendUint32(end, e.size)
		end = binary.LittleEndian.AppendUint32(end, e.sum)
	}
	end = binary.LittleEndian.AppendUint32(end, uint32(len(w.pack.entries)))
	end = binary.LittleEndian.AppendUint32(end, crc32.Checksum(end, castagnoli))
	end = append(end, endMagic...)
	if err := w.write(end); err != nil {
		return err
	}
	if err := w.to.Flush(); err != nil {
		return w.failed(err)
	}
	if err := w.file.Commit(); err != nil {
		return durable.WriteFailed(w.pack.Path, err)
	}
	return nil
}

// Abort removes the unfinished pack.
func (w *PackWriter) Abort() { w.file.Abort() }
