package inflate

import (
	"encoding/binary"
	"io"
	"sync"
)

const (
	windowSize = 32 << 10 // how far back a match may reach (RFC 1951, section 2)
	inputSize  = 64 << 10 // compressed bytes read at a time; fits the L2 cache beside the output
	// inputMargin is how many bytes before the input a refill keeps, for
	// unread, which wants 8. The input begins after them: where the kernel
	// copies to a place that lies 1 to 32 bytes further in its page than the
	// source in its own, it takes three to five times as long on Zen 4 CPUs.
	inputMargin = 64
	maxMatch    = 258
)

// event says why decoder.run returned.
type event int

const (
	outputFull  event = iota // no room left in out
	inputOut                 // input ran out after output was made; run goes on reading
	blockStart               // before a block header
	memberStart              // before the header of a member after the first
	memberEnd                // a trailer was read into crc and size
	inputEnd                 // clean end: before, a member was complete
)

// state is where in the stream the decoder stands.
type state uint8

const (
	inHeader state = iota
	inBlockHeader
	inStored
	inCodes
	inTrailer
	inTail // after a member: another one, or the end
)

// decoder walks a gzip stream and can stop and go on between any two bits of
// input and bytes of output. It does not compute checksums.
//
// Output goes to out[pos:end]. Matches may reach back into out[low:pos] and
// after that into hist, but never before the start of the member.
type decoder struct {
	src    io.Reader
	srcErr error // sticky
	buf    []byte
	in     []byte // input at hand, a part of buf
	ip     int    // next byte of in
	base   int64  // offset in the compressed input of in[0]
	bits   uint64 // next bits of the stream, lowest first; those above nbits are 0
	nbits  uint

	out  []byte
	pos  int
	end  int
	low  int
	hist []byte
	// plane, if not 0, says that out holds two planes: byte i of the output is
	// out[i], and out[plane+i] tells what it stands for (see segment.go). The
	// second plane is 0 from pos on, so only matches write to it.
	plane int

	state    state
	final    bool // the current block is the last one of its member
	stored   int  // bytes left of a stored block
	copyLen  int  // bytes left of a match that did not fit
	copyDist int
	members  int // complete ones

	crc, size uint32 // trailer of the last member
	memberAt  int64  // offset of the current member, or after the last one

	codes *tables // of the current block
	own   *tables
}

// tables is the memory for the codes of one dynamic block.
type tables struct {
	lit     litTable
	dist    distTable
	pre     preTable
	lengths [maxLitSyms + maxDistSyms]uint8
}

// fixedTables gives the tables of the fixed codes (RFC 1951, section 3.2.6),
// which nobody may change.
var fixedTables = sync.OnceValue(func() *tables {
	t := new(tables)
	var lengths [288]uint8
	for s := range lengths {
		switch {
		case s < 144:
			lengths[s] = 8
		case s < 256:
			lengths[s] = 9
		case s < 280:
			lengths[s] = 7
		default:
			lengths[s] = 8
		}
	}
	buildTable(t.lit[:], litBits, lengths[:], litBase[:])
	for s := range 32 {
		lengths[s] = 5
	}
	buildTable(t.dist[:], distBits, lengths[:32], distBase[:])
	return t
})

// reset prepares d to decode src, whose first byte has the given offset in
// the compressed input. It keeps d's memory.
func (d *decoder) reset(src io.Reader, offset int64, s state) {
	if d.own == nil {
		d.own = new(tables)
		d.buf = make([]byte, inputMargin+inputSize)
	}
	*d = decoder{
		src: src, base: offset - inputMargin, memberAt: offset, state: s,
		buf: d.buf, own: d.own, in: d.buf[:inputMargin], ip: inputMargin,
	}
}

// bitPos is the position of the next bit of the stream.
func (d *decoder) bitPos() int64 { return (d.base+int64(d.ip))*8 - int64(d.nbits) }

// fail makes an error at the byte that holds the next bit.
func (d *decoder) fail(cause error) error { return &Error{d.bitPos() >> 3, cause} }

// run decodes until an event happens that the caller has to act on. After an
// error it must not be called again; the output up to pos is valid then too.
func (d *decoder) run() (event, error) {
	start := d.pos
	for {
		switch d.state {
		case inHeader:
			if err := d.readHeader(); err != nil {
				return 0, err
			}
			d.low, d.hist = d.pos, nil
			d.state = inBlockHeader
			return blockStart, nil
		case inBlockHeader:
			if err := d.readBlockHeader(); err != nil {
				return 0, err
			}
		case inStored, inCodes:
			ev, err := d.runBlock(start)
			if err != nil || ev != blockStart {
				return ev, err
			}
			d.state = inBlockHeader
			if !d.final {
				return blockStart, nil
			}
			d.state = inTrailer
		case inTrailer:
			if err := d.readTrailer(); err != nil {
				return 0, err
			}
			d.members++
			d.state = inTail
			return memberEnd, nil
		case inTail:
			ended, err := d.readTail()
			if err != nil {
				return 0, err
			}
			if ended {
				return inputEnd, nil
			}
			d.state = inHeader
			return memberStart, nil
		}
	}
}

// runBlock decodes the rest of a block and returns blockStart after it. It
// asks the source for more only when nothing was made since start.
func (d *decoder) runBlock(start int) (event, error) {
	for {
		done, err := false, error(nil)
		if d.state == inStored {
			done = d.copyStored()
		} else {
			done, err = d.decodeCodes()
		}
		switch {
		case err != nil:
			return 0, err
		case done:
			return blockStart, nil
		case d.pos == d.end:
			return outputFull, nil
		case d.pos > start:
			return inputOut, nil
		}
		if err := d.fill(); err != nil {
			return 0, err
		}
	}
}

// fill reads more input. Requires: all of in is consumed. The end of the
// source is io.ErrUnexpectedEOF.
func (d *decoder) fill() error {
	n, err := d.tryFill()
	if n == 0 && err == io.EOF {
		err = &Error{d.base + int64(len(d.in)), io.ErrUnexpectedEOF}
	}
	return err
}

// tryFill is fill where the source may end: it returns 0, io.EOF then.
func (d *decoder) tryFill() (int, error) {
	if d.srcErr == nil {
		keep := copy(d.buf[:inputMargin], d.in[len(d.in)-inputMargin:])
		d.base += int64(len(d.in) - keep)
		d.in, d.ip = d.buf[:keep], keep
		for range 100 {
			n, err := d.src.Read(d.buf[keep:])
			d.srcErr = err
			if n < 0 || n > len(d.buf)-keep {
				panic("inflate: reader returned an impossible count")
			}
			if n > 0 {
				d.in = d.buf[:keep+n]
				return n, nil
			}
			if err != nil {
				break
			}
		}
		if d.srcErr == nil {
			d.srcErr = io.ErrNoProgress
		}
	}
	if d.srcErr == io.EOF {
		return 0, io.EOF
	}
	return 0, &Error{d.base + int64(len(d.in)), d.srcErr}
}

// topUp moves input into the bit buffer until it holds 56 bits or more, or
// the input at hand is used up.
func (d *decoder) topUp() {
	if d.ip+8 <= len(d.in) {
		n := (63 - d.nbits) >> 3
		v := binary.LittleEndian.Uint64(d.in[d.ip:]) & (1<<(8*n) - 1)
		d.bits |= v << d.nbits
		d.ip += int(n)
		d.nbits += 8 * n
		return
	}
	for d.nbits < 56 && d.ip < len(d.in) {
		d.bits |= uint64(d.in[d.ip]) << d.nbits
		d.ip++
		d.nbits += 8
	}
}

// need waits for n bits. Requires: n <= 48.
func (d *decoder) need(n uint) error {
	for d.nbits < n {
		if d.ip == len(d.in) {
			if err := d.fill(); err != nil {
				return err
			}
		}
		d.topUp()
	}
	return nil
}

// drop consumes n bits. Requires: n <= nbits.
func (d *decoder) drop(n uint) {
	d.bits >>= n & 63
	d.nbits -= n
}

// take consumes n bits and returns them. Requires: n <= 32.
func (d *decoder) take(n uint) (uint32, error) {
	if err := d.need(n); err != nil {
		return 0, err
	}
	v := uint32(d.bits & (1<<n - 1))
	d.drop(n)
	return v, nil
}

// toByte skips to the next byte boundary and gives whole bytes in the bit
// buffer back to the input.
func (d *decoder) toByte() {
	d.ip -= int(d.nbits >> 3)
	d.bits, d.nbits = 0, 0
}

// copyStored copies what it can of a stored block and reports its end.
// Requires: no bits in the bit buffer.
func (d *decoder) copyStored() bool {
	n := min(d.stored, len(d.in)-d.ip, d.end-d.pos)
	copy(d.out[d.pos:d.pos+n], d.in[d.ip:])
	d.pos += n
	d.ip += n
	d.stored -= n
	return d.stored == 0
}
