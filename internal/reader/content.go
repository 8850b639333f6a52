package reader

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
)

// maxSwitches is how often the compression may change within one file. Each
// change costs an opened decompressor and a copy of what was read ahead, and a
// file of some megabytes could otherwise ask for a million of them. Streams of
// one compression that follow each other, however many, are not changes.
const maxSwitches = 4096

// content is a capture's bytes after decompression. A file may hold several
// compressed streams and plain captures one after the other (joined with cat):
// what they unpack to is one sequence of bytes. It ends with io.EOF where the
// file ends, and with an error where what follows a compressed stream is
// neither another one nor a capture.
type content struct {
	o        Options
	src      *source
	file     *stream       // the file from where packed has come
	packed   *bufio.Reader // of file, for decompressors; nil before the first
	unpack   unpacker      // without a name: file is the content
	ended    bool          // unpack has given its last byte
	name     string        // of the compression: the first one met, or "mixed"
	plain    bool          // some of the file is not compressed
	inside   bool          // what was read last came out of a compressed stream
	padded   bool          // zeros that fill up the last tape block ended the file
	lastBGZF bool          // the last compressed stream is BGZF, and nothing followed it but padding
	changes  int           // of the compression

	// trifle takes damage that loses nothing.
	trifle func(error)
}

// start finds out how the file begins.
func (c *content) start() error {
	how := compressionOf(c.file.peek(sniffBytes))
	if how == nil {
		c.plain, c.src.begun = true, true
		return nil
	}
	return c.open(how)
}

// open puts a decompressor in front of the file.
func (c *content) open(how *compression) error {
	if c.packed == nil {
		c.packed = bufio.NewReaderSize(c.file, c.o.readAhead())
	} else {
		c.packed.Reset(c.file)
	}
	c.name = joinedName(c.name, how.name, c.plain)
	c.ended, c.inside = false, true
	c.lastBGZF = how.name == "bgzf"
	c.unpack.name = how.name // for the message if it fails
	u, err := how.open(c.packed, c.src, c.o)
	c.src.begun = true
	u.name = how.name
	c.unpack = u
	return err
}

// joinedName is how Info names the compression of a file that has name so far
// and goes on with next.
func joinedName(name, next string, plain bool) string {
	if name == "" && plain || name != "" && name != next {
		return "mixed"
	}
	return next
}

func (c *content) Read(p []byte) (int, error) {
	for c.unpack.r != nil {
		if c.ended {
			if err := c.follow(); err != nil {
				return 0, err
			}
			continue
		}
		n, err := c.unpack.r.Read(p)
		if err != io.EOF {
			return n, err
		}
		c.ended = true
		if n > 0 {
			return n, nil
		}
	}
	return c.file.Read(p)
}

// follow goes on to what follows the compressed stream that has ended. io.EOF:
// nothing does.
func (c *content) follow() error {
	name := c.unpack.name
	c.close()
	zeros, at := int64(0), c.file.at
	head := c.file.peek(sniffBytes)
	if len(head) > 0 && head[0] == 0 && !isErf(c.file.peek(erfSniff)) { // a record may begin with zeros
		zeros, at = c.file.skipZeros()
		head = c.file.peek(sniffBytes)
	}
	if len(head) == 0 {
		if c.file.err != io.EOF {
			return c.file.err
		}
		if c.padded = zeros > 0 && isPadding(zeros, at); zeros > 0 && !c.padded {
			return fmt.Errorf("%d zero bytes follow the %s stream", zeros, name)
		}
		return io.EOF
	}
	how := compressionOf(head)
	if how == nil && !begins(head) && !isErf(c.file.peek(erfSniff)) {
		return fmt.Errorf("garbage follows the %s stream: byte %d of the file and those after it are % x", name, at, head[:min(8, len(head))])
	}
	if zeros > 0 && !isPadding(zeros, at) && !(name == "xz" && zeros%4 == 0) {
		c.trifle(fmt.Errorf("%d zero bytes between the %s stream and what follows it at byte %d of the file", zeros, name, at))
	}
	if c.changes++; c.changes > maxSwitches {
		return errSwitches
	}
	if how == nil {
		c.plain, c.inside, c.lastBGZF = true, false, false
		c.name = joinedName(c.name, "", false)
		return nil
	}
	return c.open(how)
}

var errSwitches = fmt.Errorf("a file whose compression changes more than %d times is %w", maxSwitches, errUnsupported)

// switchTo goes on with a compressed stream that follows plain content: ahead
// is what was read of it. Requires: no decompressor.
func (c *content) switchTo(how *compression, ahead []byte) error {
	c.file.unread(ahead)
	if c.changes++; c.changes > maxSwitches {
		return errSwitches
	}
	return c.open(how)
}

// close releases the decompressor, and gives back to file what it did not use.
func (c *content) close() {
	if c.unpack.r != nil && c.ended {
		switch u := c.unpack; {
		case u.rest != nil:
			c.file = u.rest()
		default:
			ahead, _ := c.packed.Peek(c.packed.Buffered())
			c.file.unread(ahead)
			if u.unread != nil {
				c.file.unread(u.unread())
			}
		}
		c.packed.Reset(nil)
	}
	if c.unpack.close != nil {
		c.unpack.close()
	}
	c.unpack = unpacker{}
}

// tapeBlock is the size in bytes of the blocks that tapes and tar archives fill
// up with zeros.
const tapeBlock = 512

// isPadding tells whether so many zeros that end at the given offset only fill
// up a block.
func isPadding(zeros, end int64) bool { return zeros < tapeBlock && end%tapeBlock == 0 }

// leadingZeros is how many zero bytes b begins with.
func leadingZeros(b []byte) int {
	n := len(b)
	for len(b) >= len(zeroes) && bytes.Equal(b[:len(zeroes)], zeroes[:]) {
		b = b[len(zeroes):]
	}
	for len(b) > 0 && b[0] == 0 {
		b = b[1:]
	}
	return n - len(b)
}

var zeroes [64]byte

// errNested is the error for a compressed stream inside another one.
func errNested(inner, outer string) error {
	return fmt.Errorf("%s inside %s: unpack one of them first", inner, outer)
}
