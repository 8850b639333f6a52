package decode

import "pcapbatch/internal/flow"

const (
	// maxDatagrams is the largest number of datagrams that Fragments
	// remembers, which take some 12 MB.
	maxDatagrams = 1 << 16
	// reassemblyNs is how long a first fragment is remembered, in packet
	// time. Most systems give RFC 791, section 3.2, that value; RFC 8200,
	// section 4.5, has 60 s.
	reassemblyNs = 30 * 1_000_000_000
)

// fragment is an IP header in the block that belongs to a fragment.
type fragment struct {
	event    int      // number of the event in the block
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
	p.fragments = append(p.fragments, fragment{event: p.event, first: first, datagram: k})
}

// Fragments remembers first fragments, in capture order, for one stretch of
// captures, so that later ones find their session. It keeps at most 65536
// datagrams, the latest, each for 30 s of packet time. The zero value is
// empty and ready. It is not safe for concurrent use.
type Fragments struct {
	// Unmatched is the number of later fragments whose first fragment was
	// not seen before them: they stay in the session with ports 0.
	Unmatched uint64

	at   map[flow.Key]int // index into ring
	ring []datagram       // in the order of their first fragments
	next int              // index of the oldest, once ring is full
}

// datagram is the session of a fragmented datagram.
type datagram struct {
	id    flow.Key
	time  int64
	key   flow.Key
	hash  uint32
	shard uint8
	flags flow.Flags
}

// Forget frees the memory. Unmatched keeps its value.
func (f *Fragments) Forget() { f.at, f.ring, f.next = nil, nil, 0 }

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
			if list[i].first {
				f.remember(&list[i].datagram, ev)
			} else {
				f.find(&list[i].datagram, ev)
			}
		}
		list = list[n:]
	}
}

// remember keeps the session of a first fragment. A datagram that reuses an
// identification takes the place of the former one.
func (f *Fragments) remember(id *flow.Key, ev *flow.Event) {
	if f.at == nil {
		f.at = make(map[flow.Key]int)
	}
	g := datagram{id: *id, time: ev.Time, key: ev.Key, hash: ev.Hash, shard: ev.Shard, flags: ev.Flags & flow.Reversed}
	at := len(f.ring)
	if at < maxDatagrams {
		f.ring = append(f.ring, g)
	} else {
		at = f.next
		f.next = (f.next + 1) % maxDatagrams
		if old := &f.ring[at]; f.at[old.id] == at {
			delete(f.at, old.id)
		}
		f.ring[at] = g
	}
	f.at[*id] = at
}

// find gives a later fragment the session of its datagram.
func (f *Fragments) find(id *flow.Key, ev *flow.Event) {
	at, ok := f.at[*id]
	if !ok || expired(f.ring[at].time, ev.Time) {
		f.Unmatched++
		return
	}
	g := &f.ring[at]
	ev.Key, ev.Hash, ev.Shard = g.key, g.hash, g.shard
	ev.Flags = ev.Flags&^flow.Reversed | g.flags
}

// expired reports whether more than the reassembly time passed from then to
// now. If the clock ran back, nothing expires. The difference of the times may
// exceed an int64.
func expired(then, now int64) bool {
	return now > then && uint64(now)-uint64(then) > reassemblyNs
}
