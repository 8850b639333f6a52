// Package compress writes gzip and zstd on several cores. The command uses it
// for outputs whose names end in .gz and .zst.
//
// The input is cut into blocks of a fixed size, which are compressed side by
// side and written in order, so the bytes do not depend on the number of
// goroutines. gzip.go and zstd.go say how the blocks become one stream. That of
// zstd has several frames, so a reader has to go on after the first one, which
// calls that decompress a single frame do not.
package compress

import "io"

// A format is a way to compress.
type format struct {
	// block is the size of a block before compression.
	block int
	// header is written first, and trailer last.
	header []byte
	// newCoder makes what one goroutine compresses blocks with.
	newCoder func() (coder, error)
	// sum is told of each block, in order; nil: nobody is.
	sum     func(in []byte)
	trailer func() []byte // nil: there is none
}

// A coder compresses the input of a block and appends that to out. Only the last
// block may be empty.
type coder func(out []byte, b *block) ([]byte, error)

// A block is a piece of the input, and what it becomes.
type block struct {
	in, out     []byte
	first, last bool
	err         error
	done        chan struct{} // has a value once out is made
}

// A Writer compresses what is written to it. Close and Abandon end its goroutines;
// one of them is called, after an error too. It belongs to one goroutine.
type Writer struct {
	format
	w       io.Writer
	work    chan *block
	free    []*block
	pending []*block // in order, being compressed
	block   *block   // being filled
	begun   bool     // a block was filled
	closed  bool
	err     error
}

// Memory is how many bytes a Writer with so many goroutines takes at most.
// TestMemory measures it.
func Memory(workers int) int64 { return int64(workers+1) * (3 << 20) }

// newWriter returns a Writer that compresses in so many goroutines. The caller
// closes it.
func newWriter(w io.Writer, workers int, f format) *Writer {
	z := &Writer{format: f, w: w, work: make(chan *block, workers+1)}
	for range workers {
		go f.compress(z.work)
	}
	for range workers + 1 {
		z.free = append(z.free, &block{done: make(chan struct{}, 1)})
	}
	z.block = z.take()
	return z
}

// compress compresses blocks until there are no more.
func (f *format) compress(work <-chan *block) {
	code, err := f.newCoder()
	for b := range work {
		if b.err = err; err == nil {
			b.out, b.err = code(b.out[:0], b)
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
		b := z.block
		k := min(len(p), z.format.block-len(b.in))
		b.in = append(b.in, p[:k]...)
		if p = p[k:]; len(b.in) == z.format.block {
			z.put(false)
		}
	}
	return n - len(p), z.err
}

// put hands the block on, and makes room for another.
func (z *Writer) put(last bool) {
	b := z.block
	b.first, b.last = !z.begun, last
	z.begun = true
	if z.sum != nil {
		z.sum(b.in)
	}
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
	if b.first {
		z.write(z.header)
	}
	z.write(b.out)
	z.free = append(z.free, b)
}

func (z *Writer) write(b []byte) {
	if z.err == nil && len(b) > 0 {
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
	if z.put(true); z.trailer != nil {
		z.write(z.trailer())
	}
	close(z.work)
	return z.err
}

// Abandon ends the goroutines without writing the rest. After Close it does
// nothing.
func (z *Writer) Abandon() {
	if !z.closed {
		z.closed = true
		close(z.work)
	}
}
