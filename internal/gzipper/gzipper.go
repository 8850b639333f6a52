// Package gzipper writes gzip on several cores. The command uses it for outputs
// whose names end in .gz.
//
// The input is cut into blocks of a fixed size, which are compressed side by
// side and written in order, as one member (RFC 1952) of one DEFLATE stream:
// each block but the last ends with an empty stored block, which brings the
// next one to a byte boundary (RFC 1951, section 3.2.4). So every reader of
// gzip reads it, and the bytes do not depend on the number of goroutines.
package gzipper

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/flate"
)

// blockBytes is the size of a block before compression. A block knows nothing of
// those before it, which costs a thousandth of the size.
const blockBytes = 512 << 10

// level is the fastest: of rows the others make files that are 1 % smaller, in
// twice the time.
const level = 1

// header is that of a member without a name and time.
var header = []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255}

// A block is a piece of the input, and what it becomes.
type block struct {
	in   []byte
	last bool
	out  bytes.Buffer
	err  error
	done chan struct{} // has a value once out is made
}

// A Writer compresses what is written to it. Close, or an error, ends its
// goroutines; a Writer that is given up is closed too.
type Writer struct {
	w       io.Writer
	work    chan *block
	free    []*block
	pending []*block // in order, being compressed
	block   *block   // being filled
	crc     uint32
	size    uint32 // of the input, modulo 2^32
	begun   bool
	closed  bool
	err     error
}

// NewWriter returns a Writer that compresses in so many goroutines. It uses some
// 3 MiB for each. The caller closes it.
func NewWriter(w io.Writer, workers int) *Writer {
	z := &Writer{w: w, work: make(chan *block, workers+1)}
	for range workers {
		go compress(z.work)
	}
	for range workers + 1 {
		z.free = append(z.free, &block{done: make(chan struct{}, 1)})
	}
	z.block = z.take()
	return z
}

// compress compresses blocks until there are no more.
func compress(work <-chan *block) {
	f, err := flate.NewWriter(nil, level)
	for b := range work {
		if b.err = err; err == nil {
			b.out.Reset()
			f.Reset(&b.out)
			if _, b.err = f.Write(b.in); b.err == nil && b.last {
				b.err = f.Close()
			} else if b.err == nil {
				b.err = f.Flush()
			}
		}
		b.done <- struct{}{}
	}
}

// take returns an empty block. Requires: there is a free one.
func (z *Writer) take() *block {
	b := z.free[len(z.free)-1]
	z.free = z.free[:len(z.free)-1]
	b.in = b.in[:0]
	return b
}

// Write implements io.Writer.
func (z *Writer) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 && z.err == nil {
		k := min(len(p), blockBytes-len(z.block.in))
		z.block.in = append(z.block.in, p[:k]...)
		if p = p[k:]; len(z.block.in) == blockBytes {
			z.put(false)
		}
	}
	return n - len(p), z.err
}

// put hands the block on, and makes room for another.
func (z *Writer) put(last bool) {
	b := z.block
	b.last = last
	z.crc = crc32.Update(z.crc, crc32.IEEETable, b.in)
	z.size += uint32(len(b.in))
	z.pending = append(z.pending, b)
	z.work <- b
	for len(z.pending) > 0 && (last || len(z.free) == 0) {
		z.finish()
	}
	if !last {
		z.block = z.take()
	}
}

// finish writes the oldest block, once it is compressed.
func (z *Writer) finish() {
	b := z.pending[0]
	z.pending = z.pending[1:]
	<-b.done
	if z.err == nil {
		z.err = b.err
	}
	if !z.begun {
		z.begun = true
		z.write(header)
	}
	z.write(b.out.Bytes())
	z.free = append(z.free, b)
}

func (z *Writer) write(b []byte) {
	if z.err == nil {
		_, z.err = z.w.Write(b)
	}
}

// Close writes the rest, unless there was an error, and ends the goroutines. It
// does not close the writer below. It may be called more than once.
func (z *Writer) Close() error {
	if z.closed {
		return z.err
	}
	z.closed = true
	if z.put(true); z.err == nil {
		z.write(binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, z.crc), z.size))
	}
	close(z.work)
	return z.err
}
