package decode

import (
	"errors"
	"hash/crc32"
	"io"
	"math"
	"math/bits"

	"pcapbatch/internal/flow"
)

// An Overflow says how much memory the first fragments of a stretch may take,
// and where those go for which there is none. Any number of Fragments may share
// one.
type Overflow struct {
	// Memory is the limit for each Fragments, in bytes: half of it for the
	// newest datagrams, half for the index of all. Each 512 datagrams on disk
	// take 40 bytes besides.
	Memory int64
	// Temp makes a file that is removed when it is closed. Several goroutines
	// may call it at once.
	Temp func() (File, error)
}

// A File is what Overflow needs of a temporary file.
type File interface {
	io.WriteSeeker
	io.ReaderAt
	io.Closer
}

// datagrams are the sessions of fragmented datagrams, numbered in the order of
// their first fragments. There is one for each 20 bytes of capture at most, an
// IP header, which makes 1.7 million in reach, and 22,000 where packets are
// whole and of 1500 bytes.
//
// They lie in chunks. A chunk is dropped when all of it is out of reach. Of
// those that are left the last are in memory, as many as may be, and the others
// in a file, in whose places the next ones are written. The index is in memory;
// where it has fewer buckets than there are datagrams, finding one takes as
// many reads of the file as there are others in its bucket. Buckets follow from
// a hash with a secret seed.
type datagrams struct {
	overflow *Overflow // nil: all are in memory
	most     int       // chunks in memory at most
	size     uint64    // datagrams of a chunk

	chunks []chunk
	loaded int        // chunks in memory
	begin  uint64     // number of the first datagram of the first chunk
	next   uint64     // number of the next one
	spare  []datagram // of a chunk that was dropped

	// latest has the number of the latest datagram of each bucket, whose
	// others are chained by datagram.Former. Numbers below begin end a chain:
	// nothing has to be taken out of it. The length is a power of two.
	latest []uint64

	file   File
	end    int64   // of the file
	free   []int64 // places in it where a chunk was
	buffer []byte
	read   datagram
}

// A chunk is a part of the datagrams.
type chunk struct {
	list  []datagram // nil: in the file
	place int64      // in the file
	last  int64      // position of its last datagram
}

// mostChunk is the number of datagrams of a chunk; where there is less memory
// than for several such chunks, as in tests, they are smaller.
const mostChunk = 512

// datagram is the session of a fragmented datagram: 128 bytes. A field that is
// added must be added to appendTo and load as well (TestDatagramInFile).
type datagram struct {
	ID       flow.Key
	Key      flow.Key
	Time     int64
	Position int64  // of the first fragment: Decoder.Position
	Former   uint64 // number of the datagram before it in its bucket
	IDHash   uint32 // which says the bucket
	Hash     uint32
	Shard    uint8
	Flags    flow.Flags
}

// The sizes of a datagram, in memory and in the file, where a checksum follows.
const (
	datagramBytes = 128
	sumBytes      = 4
	keyBytes      = 42
	storedBytes   = 2*keyBytes + 3*8 + 2*4 + 2 + sumBytes
)

// appendTo appends what the file holds of a datagram, without the checksum. It
// is what binary.Append makes of it, by reflection and in ten times the time.
func (g *datagram) appendTo(b []byte) []byte {
	b = appendKey(appendKey(b, &g.ID), &g.Key)
	b = le.AppendUint64(b, uint64(g.Time))
	b = le.AppendUint64(b, uint64(g.Position))
	b = le.AppendUint64(b, g.Former)
	b = le.AppendUint32(b, g.IDHash)
	b = le.AppendUint32(b, g.Hash)
	return append(b, g.Shard, uint8(g.Flags))
}

// load reads what appendTo wrote.
func (g *datagram) load(b []byte) {
	loadKey(&g.ID, b)
	loadKey(&g.Key, b[keyBytes:])
	b = b[2*keyBytes:]
	g.Time = int64(le.Uint64(b))
	g.Position = int64(le.Uint64(b[8:]))
	g.Former = le.Uint64(b[16:])
	g.IDHash, g.Hash = le.Uint32(b[24:]), le.Uint32(b[28:])
	g.Shard, g.Flags = b[32], flow.Flags(b[33])
}

func appendKey(b []byte, k *flow.Key) []byte {
	b = append(append(b, k.Src[:]...), k.Dst[:]...)
	for _, n := range [...]uint16{k.SrcPort, k.DstPort, k.VLANOuter, k.VLANInner} {
		b = le.AppendUint16(b, n)
	}
	return append(b, k.Protocol, k.Version)
}

func loadKey(k *flow.Key, b []byte) {
	b = b[copy(k.Src[:], b):]
	b = b[copy(k.Dst[:], b):]
	for i, n := range [...]*uint16{&k.SrcPort, &k.DstPort, &k.VLANOuter, &k.VLANInner} {
		*n = le.Uint16(b[2*i:])
	}
	k.Protocol, k.Version = b[8], b[9]
}

func newDatagrams(o *Overflow) *datagrams {
	t := &datagrams{overflow: o, most: math.MaxInt, size: mostChunk}
	if o != nil {
		n := max(1, o.Memory/2/datagramBytes)
		t.size = uint64(min(n, mostChunk))
		t.most = int(n / int64(t.size))
	}
	t.begin, t.next = t.size, t.size // 0 is no number
	t.index(min(64, t.mostBuckets()))
	return t
}

// mostBuckets is how many buckets the index may have.
func (t *datagrams) mostBuckets() int {
	if t.overflow == nil {
		return math.MaxInt
	}
	return 1 << (bits.Len64(uint64(max(1, t.overflow.Memory/2/8))) - 1)
}

// add appends a datagram, later than all others.
func (t *datagrams) add(g *datagram) error {
	t.advance(g.Position)
	if t.next-t.begin == uint64(len(t.chunks))*t.size {
		if err := t.extend(); err != nil {
			return err
		}
	}
	if n := t.next - t.begin; n >= uint64(len(t.latest)) && t.loaded == len(t.chunks) && len(t.latest) < t.mostBuckets() {
		t.index(2 * len(t.latest))
	}
	c := &t.chunks[len(t.chunks)-1]
	place := &c.list[t.next%t.size]
	*place, c.last = *g, g.Position
	t.chain(place, t.next)
	t.next++
	return nil
}

// advance drops the chunks that are out of reach at a position. Memory of one
// is kept, so that a few datagrams need none anew.
func (t *datagrams) advance(position int64) {
	n := 0
	for n < len(t.chunks) && position-t.chunks[n].last > FragmentBytes {
		if c := &t.chunks[n]; c.list == nil {
			t.free = append(t.free, c.place)
		} else {
			t.spare = c.list
			t.loaded--
		}
		n++
	}
	if n == 0 {
		return
	}
	clear(t.chunks[:n]) // the array keeps these elements, but not their lists
	t.chunks = t.chunks[n:]
	t.begin += uint64(n) * t.size
	t.next = max(t.next, t.begin)
}

// extend appends an empty chunk.
func (t *datagrams) extend() error {
	if t.loaded == t.most {
		if t.loaded == len(t.chunks) { // what is in the file cannot be chained anew
			t.index(t.mostBuckets())
		}
		if err := t.store(&t.chunks[len(t.chunks)-t.loaded]); err != nil {
			return err
		}
	}
	list := t.spare
	if t.spare = nil; list == nil {
		list = make([]datagram, t.size)
	}
	t.chunks = append(t.chunks, chunk{list: list})
	t.loaded++
	return nil
}

// index makes the index anew, with so many buckets. Requires: all datagrams are
// in memory.
func (t *datagrams) index(buckets int) {
	t.latest = make([]uint64, buckets)
	for n := t.begin; n < t.next; n++ {
		t.chain(&t.chunks[(n-t.begin)/t.size].list[n%t.size], n)
	}
}

// chain puts a datagram, later than all others, into its bucket. Where the one
// before it there has the same identification, it is left out of the chain: it
// would not be found any more, and a capture that repeats one identification
// would make a chain of all of them.
func (t *datagrams) chain(g *datagram, number uint64) {
	bucket := &t.latest[int(g.IDHash)&(len(t.latest)-1)]
	former := *bucket
	if former >= t.begin {
		h := t.loadedAt(former)
		if h != nil && h.IDHash == g.IDHash && h.ID.Equal(&g.ID) {
			former = h.Former
		}
	}
	g.Former, *bucket = former, number
}

// loadedAt returns a datagram that is in memory, nil if it is not.
func (t *datagrams) loadedAt(number uint64) *datagram {
	if c := &t.chunks[(number-t.begin)/t.size]; c.list != nil {
		return &c.list[number%t.size]
	}
	return nil
}

// find returns the latest datagram with an identification, valid until the next
// call; nil if there is none in reach.
func (t *datagrams) find(id *flow.Key, hash uint32) (*datagram, error) {
	for n := t.latest[int(hash)&(len(t.latest)-1)]; n >= t.begin; {
		g, err := t.at(n)
		if err != nil {
			return nil, err
		}
		if g.IDHash == hash && g.ID.Equal(id) {
			return g, nil
		}
		n = g.Former
	}
	return nil, nil
}

// at returns a datagram by its number, valid until the next call.
func (t *datagrams) at(number uint64) (*datagram, error) {
	if g := t.loadedAt(number); g != nil {
		return g, nil
	}
	c, i := &t.chunks[(number-t.begin)/t.size], number%t.size
	b := t.buffer[:storedBytes]
	if _, err := t.file.ReadAt(b, c.place+int64(i)*int64(storedBytes)); err != nil {
		return nil, err
	}
	b, sum := b[:len(b)-sumBytes], le.Uint32(b[len(b)-sumBytes:])
	if datagramSum(number, b) != sum {
		return nil, errDatagram
	}
	t.read.load(b)
	return &t.read, nil
}

// errDatagram says that a disk gave back something else than was written.
var errDatagram = errors.New("checksum does not match")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// datagramSum covers the number too, so that a datagram in the place of another
// is found.
func datagramSum(number uint64, b []byte) uint32 {
	return crc32.Checksum(b, castagnoli) ^ uint32(number)
}

// store writes a chunk to the file, and keeps its memory for the next one.
func (t *datagrams) store(c *chunk) (err error) {
	if t.file == nil {
		if t.file, err = t.overflow.Temp(); err != nil {
			return err
		}
	}
	b := t.buffer[:0]
	number := t.next - uint64(t.loaded)*t.size
	for i := range c.list {
		at := len(b)
		b = c.list[i].appendTo(b)
		b = le.AppendUint32(b, datagramSum(number+uint64(i), b[at:]))
	}
	t.buffer = b
	c.place = t.end
	if n := len(t.free); n > 0 {
		c.place, t.free = t.free[n-1], t.free[:n-1]
	}
	if _, err := t.file.Seek(c.place, io.SeekStart); err != nil {
		return err
	}
	n, err := t.file.Write(b)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return err
	}
	t.end = max(t.end, c.place+int64(len(b)))
	t.spare, c.list = c.list, nil
	t.loaded--
	return nil
}

// close removes the file.
func (t *datagrams) close() {
	if t.file != nil {
		_ = t.file.Close() // nothing in it is needed any more
	}
}
