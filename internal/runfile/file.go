package runfile

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strconv"

	"pcapbatch/internal/agg"
	"pcapbatch/internal/durable"
)

const (
	fileMagic   = "pcapbrun"
	fileHeader  = 16             // bytes: magic, version, 0
	fileTrailer = 8 + 4 + 8      // bytes: length and CRC of the footer, magic
	maxFooter   = 64 << 20       // bytes of JSON
	endMagic    = "\x00pcbend\n" // ends the file
)

// A Writer writes a run file or a part. It appears under its name only when it
// is complete: see durable.Pending.
type Writer struct {
	path   string
	file   *sink
	blocks *blockWriter
	end    int64
	index  []Section
	done   bool // the footer is written
}

// Create begins the file at path. The caller ends it with Commit, Detach or
// Abort.
func Create(fs durable.FS, path string) (*Writer, error) { return CreateHeld(fs, path, 0) }

// begin writes the header.
func (w *Writer) begin() error {
	w.blocks = newBlockWriter(w.file, w.path)
	header := append([]byte(fileMagic), make([]byte, fileHeader-len(fileMagic))...)
	binary.LittleEndian.PutUint32(header[len(fileMagic):], FormatVersion)
	if _, err := w.file.Write(header); err != nil {
		w.Abort()
		return durable.WriteFailed(w.path, err)
	}
	w.blocks.begin(w.end)
	return nil
}

// next ends the section that is being written and begins another.
func (w *Writer) next() error {
	s, err := w.blocks.end()
	w.index = append(w.index, s)
	w.end += s.Size
	w.blocks.begin(w.end)
	return err
}

// WriteSessions writes the sessions of the inputs, joined where they have the
// same key, as one section for each partition. It returns the number of packets
// that joining found to be earlier than the one before in their session.
// Requires: there are at most MaxInputs inputs, in capture order, sorted by so
// many partitions.
func (w *Writer) WriteSessions(ctx context.Context, inputs []Input, partitions int, o agg.Options) (reordered uint64, err error) {
	reordered, err = combine(ctx, inputs, o, func(partition int, session []byte) error {
		for len(w.index) < partition {
			if err := w.next(); err != nil {
				return err
			}
		}
		return w.blocks.add(session)
	})
	for err == nil && len(w.index) < partitions {
		err = w.next()
	}
	return reordered, err
}

// WriteRows writes the rows of the sessions of all collectors, in order, as one
// section. format appends the text of the row of session i of t to dst.
func (w *Writer) WriteRows(ctx context.Context, collectors []*Collector, format func(dst []byte, t *agg.Table, i uint32) []byte) error {
	var t *agg.Table
	var entry []byte
	err := eachRow(ctx, collectors, nil, func(e *item) error {
		if t == nil {
			t = agg.NewTable(collectors[0].options)
		}
		if _, err := t.Load(e.data); err != nil {
			return e.damaged(err)
		}
		entry = format(append(entry[:0], e.key...), t, 0)
		if len(entry) > maxEntry {
			return fmt.Errorf("%s: a row of %d bytes", w.path, len(entry))
		}
		return w.blocks.add(entry)
	})
	if t != nil {
		t.Release()
	}
	if err != nil {
		return err
	}
	return w.next()
}

// WriteNoRows writes a section without rows.
func (w *Writer) WriteNoRows() error { return w.next() }

// finish writes the footer, if it is not written yet.
func (w *Writer) finish(m *Meta) error {
	if w.done {
		return nil
	}
	m.Version, m.Codec, m.Index = FormatVersion, agg.CodecVersion, w.index
	written := *m
	written.Index, written.Packed = nil, appendIndex(nil, w.index)
	footer, err := json.Marshal(&written)
	if err != nil {
		return err
	}
	if len(footer) > maxFooter {
		return fmt.Errorf("%s: footer of %d bytes", w.path, len(footer))
	}
	sum := crc32.Checksum(footer, castagnoli)
	footer = binary.LittleEndian.AppendUint64(footer, uint64(len(footer)))
	footer = binary.LittleEndian.AppendUint32(footer, sum)
	footer = append(footer, endMagic...)
	if _, err := w.file.Write(footer); err != nil {
		return durable.WriteFailed(w.path, err)
	}
	w.done = true
	return nil
}

// Commit completes the file, writes it to disk and gives it its name, replacing
// the file of that name. After an error that name is as durable.Pending.Commit
// says, and the temporary file is removed.
func (w *Writer) Commit(m *Meta) error {
	if err := w.complete(m); err != nil {
		return err
	}
	if err := w.file.file.Commit(); err != nil {
		return durable.WriteFailed(w.path, err)
	}
	return nil
}

// complete writes the footer, in a file on disk. After an error the file is gone.
func (w *Writer) complete(m *Meta) error {
	err := w.finish(m)
	if err == nil {
		if err = w.file.create(); err != nil {
			err = durable.WriteFailed(w.path, err)
		}
	}
	if err != nil {
		w.Abort()
	}
	return err
}

// Detach completes the file for this process alone: it does not get its name,
// and is removed when the Run is closed.
func (w *Writer) Detach(m *Meta) (*Run, error) {
	if err := w.complete(m); err != nil {
		return nil, err
	}
	r := &Run{Meta: *m, Path: w.path}
	r.file, r.remove = w.file.file.Detach()
	return r, nil
}

// Abort removes the unfinished file.
func (w *Writer) Abort() { w.file.abort() }

// A Run is a complete run file or part. It keeps no file open, except a
// detached one.
type Run struct {
	Meta
	Path string // of the file, as it was named; of an entry of a pack: see Pack.Name
	// Made are the options of the tables that made the sessions, where they keep
	// more than those of the merge; nil where they keep the same.
	Made *agg.Options

	files  *Files
	file   durable.File // nil: opened by Path when it is read
	remove func() error // the temporary name of a detached file
	pack   *Pack        // nil: it is a file of its own
	base   int64        // where it begins in the pack
	slim   []slimSection
	id     ID // with slim
}

// Entries is the number of sessions, or rows.
func (r *Run) Entries() (n uint64) {
	for i := range r.Index {
		n += r.Index[i].Entries
	}
	for i := range r.slim {
		n += r.slim[i].entries
	}
	return n
}

// Detached reports whether the run was made by Writer.Detach.
func (r *Run) Detached() bool { return r.file != nil }

// File is the path of the file that has it: its own, or the pack that it is in.
func (r *Run) File() string {
	if r.pack != nil {
		return r.pack.Path
	}
	return r.Path
}

// open opens it to be read, for some time. close is nil where nothing is to be
// closed.
func (r *Run) open() (at io.ReaderAt, close func() error, err error) {
	if r.pack != nil {
		at, close, err = r.pack.hold()
		return io.NewSectionReader(at, r.base, MaxPacked), close, err
	}
	f, err := r.files.keep(r.Path)
	if err != nil {
		return nil, nil, err
	}
	if f == nil {
		return parked{r.files.FS, r.Path}, nil, nil
	}
	return f, f.Close, nil
}

// Open reads and checks the footer of the file at path. Errors wrap ErrDamaged
// or ErrVersion, or are those of the file system.
func (files *Files) Open(path string) (*Run, error) {
	f, err := files.FS.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	r := &Run{Path: path, files: files}
	if err := r.readFooter(f, size); err != nil {
		return nil, err
	}
	return r, nil
}

// readFooter reads and checks the footer of a file of the given size.
func (r *Run) readFooter(f io.ReaderAt, size int64) error {
	if size < fileHeader+fileTrailer {
		return damaged(r.Path, size, "file is cut short")
	}
	header, trailer := make([]byte, fileHeader), make([]byte, fileTrailer)
	if _, err := f.ReadAt(header, 0); err != nil {
		return err
	}
	if string(header[:8]) != fileMagic {
		return damaged(r.Path, 0, "not a run file")
	}
	v := binary.LittleEndian.Uint32(header[8:])
	if v == 0 || v > FormatVersion {
		return fmt.Errorf("%s: run file of version %d: %w: this program knows versions up to %d", r.Path, v, ErrVersion, FormatVersion)
	}
	if binary.LittleEndian.Uint32(header[12:]) != 0 {
		return damaged(r.Path, 12, "bytes of the header that are 0 are not")
	}
	at := size - fileTrailer
	if _, err := f.ReadAt(trailer, at); err != nil {
		return err
	}
	length := binary.LittleEndian.Uint64(trailer)
	if !bytes.Equal(trailer[12:], []byte(endMagic)) || length > maxFooter || int64(length) > at-fileHeader {
		return damaged(r.Path, at, "file is cut short, or its end belongs to another file")
	}
	at -= int64(length)
	footer := make([]byte, length)
	if _, err := f.ReadAt(footer, at); err != nil {
		return err
	}
	if crc32.Checksum(footer, castagnoli) != binary.LittleEndian.Uint32(trailer[8:]) {
		return damaged(r.Path, at, "checksum of the footer does not match")
	}
	if err := json.Unmarshal(footer, &r.Meta); err != nil {
		return damaged(r.Path, at, "footer: %w", err)
	}
	if r.Version != int(v) || (v == 1) != (r.Packed == nil) || v > 1 && r.Index != nil {
		return damaged(r.Path, at, "footer is not of version %d, which the header has", v)
	}
	if v > 1 {
		var err error
		if r.Index, err = parseIndex(r.Packed); err != nil {
			return damaged(r.Path, at, "%w", err)
		}
		r.Packed = nil
	}
	return r.check(at)
}

// check compares the footer, which begins at offset end, with the file.
func (r *Run) check(end int64) error {
	switch {
	case r.Codec < 1 || r.Codec > agg.CodecVersion:
		return fmt.Errorf("%s: sessions are encoded in version %d: %w: this program knows versions up to %d", r.Path, r.Codec, ErrVersion, agg.CodecVersion)
	case r.Kind == Sessions && r.Capture == nil, r.Kind == Rows && (r.Part == nil || len(r.Index) != 1),
		r.Kind != Sessions && r.Kind != Rows, len(r.Index) < 1 || len(r.Index) > MaxPartitions:
		return damaged(r.Path, end, "footer contradicts itself")
	}
	at := int64(fileHeader)
	for i := range r.Index {
		s := &r.Index[i]
		if s.Offset != at || s.Size < 0 || s.Size > end-at || (s.Size == 0) != (s.Entries == 0) {
			return damaged(r.Path, end, "index contradicts itself")
		}
		at += s.Size
	}
	if at != end {
		return damaged(r.Path, end, "%d bytes that are not in the index", end-at)
	}
	return nil
}

// Input returns one section as an input of a merge: a partition of a run file,
// or, for partition 0, the rows of a part.
func (r *Run) Input(partition int) Input {
	in := Input{path: r.Name(), run: r, section: r.section(partition), order: rowOrder, only: -1, made: r.Made}
	if r.file != nil {
		in.file = r.file
	}
	if r.Kind == Rows && r.Part.CaptureKey {
		in.order = capturedRowOrder
	}
	if r.Kind == Sessions {
		in.order, in.only = sessionOrder(r.Partitions()), partition
	}
	return in
}

// input is Input for a merge in which the capture has the given number.
func (r *Run) input(partition, number int, captures bool) Input {
	in := r.Input(partition)
	if captures {
		in = in.OfCapture(number)
	}
	return in
}

// Groups returns the inputs for a merge of run files in groups that share no
// key: one for each partition, or a single one where the files do not have the
// same number of partitions. Group i is made when it is asked for, as all of
// them can be larger than what is known of the files. partitions is the number
// by which the inputs are sorted. With captures the sessions get the numbers of
// their captures, for a merge with agg.Options.Captures. Requires: the run files
// are in capture order.
func Groups(runs []*Run, captures bool) (groups int, group func(i int) []Input, partitions int) {
	for _, r := range runs {
		if partitions == 0 {
			partitions = r.Partitions()
		}
		if r.Partitions() != partitions {
			return 1, func(int) []Input { return wholes(runs, captures) }, 1
		}
	}
	return partitions, func(p int) (list []Input) {
		number := -1
		for i, r := range runs {
			if i == 0 || !r.Continues(runs[i-1]) {
				number++
			}
			if r.section(p).Entries > 0 {
				list = append(list, r.input(p, number, captures))
			}
		}
		return list
	}, partitions
}

// Continues reports whether the capture of r is that of before, and its range
// follows the one there. Requires: before is the one before r in capture order,
// and both have captures.
func (r *Run) Continues(before *Run) bool {
	return r.Capture.Range.From > 0 && r.Capture.Path == before.Capture.Path
}

// wholes returns the sections of all partitions as inputs that are sorted by
// key alone.
func wholes(runs []*Run, captures bool) (list []Input) {
	number := -1
	for i, r := range runs {
		if i == 0 || !r.Continues(runs[i-1]) {
			number++
		}
		for p := range r.Partitions() {
			in := r.input(p, number, captures)
			in.order, in.only = sessionOrder(1), -1
			list = append(list, in)
		}
	}
	return list
}

// Verify reads all blocks and checks their checksums.
func (r *Run) Verify() error {
	at, done, err := r.open()
	if err != nil {
		return err
	}
	if done != nil {
		defer done()
	}
	for _, s := range r.Index {
		b := blockReader{at: at, path: r.Path, section: s}
		for err == nil {
			err = b.load()
		}
		if err != io.EOF {
			return err
		}
		err = nil
	}
	return nil
}

// Close removes a detached file, and does nothing for others.
func (r *Run) Close() error {
	if r.file == nil {
		return nil
	}
	return errors.Join(r.file.Close(), r.remove())
}

// CopyParts writes the text of the rows of all parts, in order, to w. Where
// there are more than MaxInputs parts, neighbours are merged into temp first.
func CopyParts(ctx context.Context, parts []*Run, temp *Temp, w io.Writer) error {
	numbered := len(parts) > 0 && parts[0].Part.Numbered
	var inputs []Input
	for _, p := range parts {
		inputs = append(inputs, p.Input(0))
	}
	inputs, err := temp.narrowRows(ctx, inputs)
	if err != nil {
		return err
	}
	number := uint64(0)
	var text []byte
	return merge(ctx, inputs, func(e *item) error {
		row := e.data[len(e.key):]
		if numbered {
			text = append(strconv.AppendUint(text[:0], number, 10), ',')
			text = append(text, row...)
			row = text
			number++
		}
		return durable.WriteFull(w, row)
	})
}
