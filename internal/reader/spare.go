package reader

import (
	"io"

	"github.com/klauspost/compress/zstd"

	"pcapbatch/internal/inflate"
)

// Spare keeps what captures that were closed have used, for those that are
// opened next: to make a decompressor takes several times the work of unpacking
// a small capture with it. Any number of goroutines may use it.
type Spare struct {
	gzip   chan *inflate.Reader
	zstd   chan *zstd.Decoder
	blocks chan *Block // of firstBytes
}

// NewSpare returns a Spare for n captures open at a time. It keeps no more, at
// most 2 MiB each, however many there were.
func NewSpare(n int) *Spare {
	return &Spare{gzip: make(chan *inflate.Reader, n), zstd: make(chan *zstd.Decoder, n), blocks: make(chan *Block, n)}
}

// take returns something that was kept; false if there is nothing.
func take[T any](from chan T) (v T, ok bool) {
	select {
	case v = <-from:
		return v, true
	default:
		return v, false
	}
}

// keep takes v if there is room, and reports whether it did.
func keep[T any](in chan T, v T) bool {
	select {
	case in <- v:
		return true
	default:
		return false
	}
}

func (s *Spare) takeGzip(r io.Reader) *inflate.Reader {
	z, ok := take(s.gzip)
	if !ok {
		return inflate.NewReader(r)
	}
	z.Reset(r)
	return z
}

func (s *Spare) keepGzip(z *inflate.Reader) {
	z.Reset(nil) // lets go of the file
	keep(s.gzip, z)
}

func (s *Spare) takeZstd(r io.Reader) (*zstd.Decoder, error) {
	if d, ok := take(s.zstd); ok {
		return d, d.Reset(r)
	}
	return newZstd(r, 1)
}

// keepZstd takes a decoder of takeZstd, whose frames have asked for no window
// above usualWindow: it keeps as much.
func (s *Spare) keepZstd(d *zstd.Decoder) {
	if d.Reset(nil) != nil || !keep(s.zstd, d) {
		d.Close()
	}
}

func (s *Spare) takeBlock() *Block {
	if b, ok := take(s.blocks); ok {
		return b
	}
	return new(Block)
}

func (s *Spare) keepBlock(b *Block) {
	if cap(b.buf) <= firstBytes {
		b.Data = nil
		keep(s.blocks, b)
	}
}
