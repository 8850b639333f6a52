package decode

import "pcapbatch/internal/flow"

const (
	// reassemblyNs is how long a first fragment is remembered, in packet
	// time. Most systems give RFC 791, section 3.2, that value; RFC 8200,
	// section 4.5, has 60 s.
	reassemblyNs = 30 * 1_000_000_000
	// FragmentBytes is for how many bytes of capture it is remembered, from the
	// packet bytes of its record to those of the later fragment's.
	FragmentBytes = 32 << 20
)

// fragment is an IP header in the block that belongs to a fragment.
type fragment struct {
	event    int      // number of the event in the block
	position int64    // Decoder.Position
	first    bool     // it has offset 0
	datagram flow.Key // what all fragments share; the identification takes the place of the ports
}

// fragment records that the IP header just entered belongs to a fragment.
// Requires: ev.Key has addresses and the protocol of the datagram.
func (p *packet) fragment(id uint32, first bool) {
	p.fragmented = true
	p.detail = p.detail.WithFragment()
	k := p.ev.Key
	k.SrcPort, k.DstPort = uint16(id>>16), uint16(id)
	p.fragments = append(p.fragments, fragment{event: p.event, position: p.position, first: first, datagram: k})
}

// Fragments remembers first fragments, in capture order, for one stretch of
// captures, so that later ones find their session: each for 30 s of packet time
// and for the 32 MiB of capture that follow it. The zero value is empty and
// ready. It is not safe for concurrent use.
//
// Memory: 128 bytes for each datagram, and 8 to 16 for the index. As an IP
// header takes 20 bytes of capture or more, there are never more than 1.7
// million of them, which take 240 MB. Captures of whole packets have one for
// each 1500 bytes at most, which makes 3 MB.
type Fragments struct {
	// Unmatched is the number of later fragments whose first fragment was
	// not seen before them: they stay in the session with ports 0.
	Unmatched uint64

	// Datagrams are numbered from 1 in the order of their first fragments. The
	// chunks hold those from oldest on, the first of them at place 0 of the
	// first chunk or behind it. A chunk is dropped when all its datagrams are
	// out of reach.
	chunks [][]datagram
	begin  uint64 // number of place 0 of the first chunk
	oldest uint64 // number of the oldest datagram in reach
	next   uint64 // number of the next one

	// latest has the number of the latest datagram of each bucket, whose
	// others are chained by datagram.former. Numbers below oldest end a chain:
	// nothing has to be taken out of it. The length is a power of two.
	latest []uint64
}

// chunkDatagrams is the number of datagrams of a chunk.
const chunkDatagrams = 512

// datagram is the session of a fragmented datagram: 128 bytes.
type datagram struct {
	id       flow.Key
	key      flow.Key
	time     int64
	position int64  // of the first fragment: Decoder.Position
	former   uint64 // number of the datagram before it in its bucket
	idHash   uint32 // which says the bucket
	hash     uint32
	shard    uint8
	flags    flow.Flags
}

// Forget frees the memory. It leaves Unmatched alone, which others may read at
// the same time.
func (f *Fragments) Forget() {
	f.chunks, f.latest = nil, nil
	f.begin, f.oldest, f.next = 0, 0, 0
}

// Resolve gives the later fragments of a block their session: key, hash,
// shard and direction. The block is the one that d decoded since Begin, and
// events are those for which Decode returned true, in order.
//
// Blocks with fragments must be given in capture order; blocks without may be
// left out. The result does not depend on how the records were cut into blocks.
func (f *Fragments) Resolve(d *Decoder, events []flow.Event) {
	list := d.packet.fragments
	for len(list) > 0 {
		n := 1
		for n < len(list) && list[n].event == list[0].event {
			n++
		}
		// The headers of one packet are listed from the outermost to the
		// innermost. Only the innermost can belong to a later fragment, so it
		// is resolved first.
		ev := &events[list[0].event]
		for i := n - 1; i >= 0; i-- {
			hash := uint32(list[i].datagram.Hash(d.opts.Seed))
			if list[i].first {
				f.remember(&list[i], hash, ev)
			} else {
				f.find(&list[i], hash, ev)
			}
		}
		list = list[n:]
	}
}

// remember keeps the session of a first fragment. A datagram that reuses an
// identification is found in place of the former one.
func (f *Fragments) remember(first *fragment, hash uint32, ev *flow.Event) {
	f.advance(first.position)
	if f.next-f.oldest >= uint64(len(f.latest)) {
		f.grow()
	}
	place := f.next - f.begin
	if place == uint64(len(f.chunks))*chunkDatagrams {
		f.chunks = append(f.chunks, make([]datagram, chunkDatagrams))
	}
	*f.at(f.next) = datagram{
		id: first.datagram, key: ev.Key, time: ev.Time, position: first.position,
		idHash: hash, hash: ev.Hash, shard: ev.Shard, flags: ev.Flags & flow.Reversed,
	}
	f.chain(f.next)
	f.next++
}

// at returns a datagram by its number, which is in reach or the next one.
func (f *Fragments) at(number uint64) *datagram {
	place := number - f.begin
	return &f.chunks[place/chunkDatagrams][place%chunkDatagrams]
}

// advance forgets the datagrams that are out of reach at a position. The last
// chunk is used again, so that a few datagrams need no memory anew.
func (f *Fragments) advance(position int64) {
	for f.oldest < f.next && position-f.at(f.oldest).position > FragmentBytes {
		f.oldest++
	}
	for len(f.chunks) > 0 && f.oldest-f.begin >= chunkDatagrams {
		free := f.chunks[0]
		f.chunks = append(f.chunks[:0], f.chunks[1:]...)
		if f.begin += chunkDatagrams; len(f.chunks) == 0 {
			f.chunks = append(f.chunks, free)
		}
	}
}

// grow makes the index twice as large.
func (f *Fragments) grow() {
	if f.latest == nil {
		f.begin, f.oldest, f.next = 1, 1, 1
	}
	f.latest = make([]uint64, max(64, 2*len(f.latest)))
	for n := f.oldest; n < f.next; n++ {
		f.chain(n)
	}
}

// chain puts a datagram, later than all others, into its bucket.
func (f *Fragments) chain(number uint64) {
	g := f.at(number)
	bucket := &f.latest[int(g.idHash)&(len(f.latest)-1)]
	g.former, *bucket = *bucket, number
}

// find gives a later fragment the session of its datagram.
func (f *Fragments) find(later *fragment, hash uint32, ev *flow.Event) {
	g := f.lookUp(&later.datagram, hash)
	if g == nil || later.position-g.position > FragmentBytes || expired(g.time, ev.Time) {
		f.Unmatched++
		return
	}
	ev.Key, ev.Hash, ev.Shard = g.key, g.hash, g.shard
	ev.Flags = ev.Flags&^flow.Reversed | g.flags
}

// lookUp returns the latest datagram with an identification; nil if there is
// none in reach.
func (f *Fragments) lookUp(id *flow.Key, hash uint32) *datagram {
	if len(f.latest) == 0 {
		return nil
	}
	for n := f.latest[int(hash)&(len(f.latest)-1)]; n >= f.oldest; {
		g := f.at(n)
		if g.idHash == hash && g.id.Equal(id) {
			return g
		}
		n = g.former
	}
	return nil
}

// expired reports whether more than the reassembly time passed from then to
// now. If the clock ran back, nothing expires. The difference of the times may
// exceed an int64.
func expired(then, now int64) bool {
	return now > then && uint64(now)-uint64(then) > reassemblyNs
}
