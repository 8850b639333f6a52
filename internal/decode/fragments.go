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
	position int64    // Decoder.Position
	event    int32    // number of the event in the block
	first    bool     // it has offset 0
	datagram flow.Key // what all fragments share; the identification takes the place of the ports
}

// keptFragments is how many fragments of a block a Decoder keeps the memory for.
// Blocks of packets of 1500 bytes have fewer. There are 13 107 where a block has
// nothing but IP headers, and many more blocks than are decoded at a time.
const keptFragments = 1024

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
// ready, and has no limit of memory. It is not safe for concurrent use.
type Fragments struct {
	// Unmatched is the number of later fragments whose first fragment was
	// not seen before them: they stay in the session with ports 0.
	Unmatched uint64
	// Overflow bounds the memory; nil: there is no limit.
	Overflow *Overflow

	firsts *datagrams // nil: none yet
}

// Forget frees the memory and removes the file. It leaves Unmatched alone, which
// others may read at the same time.
func (f *Fragments) Forget() {
	if f.firsts != nil {
		f.firsts.close()
		f.firsts = nil
	}
}

// Resolve gives the later fragments of a block their session: key, hash,
// shard and direction. The block is the one that d decoded since Begin, and
// events are those for which Decode returned true, in order. An error is one of
// the file of Overflow; the events of the block are of no use then.
//
// Blocks with fragments must be given in capture order; blocks without may be
// left out. The result does not depend on how the records were cut into blocks,
// nor on the limit of memory.
func (f *Fragments) Resolve(d *Decoder, events []flow.Event) error {
	list := d.packet.fragments
	if d.packet.fragments = list[:0]; cap(list) > keptFragments {
		d.packet.fragments = nil
	}
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
			var err error
			if list[i].first {
				err = f.remember(&list[i], hash, ev)
			} else {
				err = f.find(&list[i], hash, ev)
			}
			if err != nil {
				return err
			}
		}
		list = list[n:]
	}
	return nil
}

// remember keeps the session of a first fragment. A datagram that reuses an
// identification is found in place of the former one.
func (f *Fragments) remember(first *fragment, hash uint32, ev *flow.Event) error {
	if f.firsts == nil {
		f.firsts = newDatagrams(f.Overflow)
	}
	return f.firsts.add(&datagram{
		ID: first.datagram, Key: ev.Key, Time: ev.Time, Position: first.position,
		IDHash: hash, Hash: ev.Hash, Shard: ev.Shard, Flags: ev.Flags & flow.Reversed,
	})
}

// find gives a later fragment the session of its datagram.
func (f *Fragments) find(later *fragment, hash uint32, ev *flow.Event) error {
	var g *datagram
	if f.firsts != nil {
		var err error
		if g, err = f.firsts.find(&later.datagram, hash); err != nil {
			return err
		}
	}
	if g == nil || later.position-g.Position > FragmentBytes || expired(g.Time, ev.Time) {
		f.Unmatched++
		return nil
	}
	ev.Key, ev.Hash, ev.Shard = g.Key, g.Hash, g.Shard
	ev.Flags = ev.Flags&^flow.Reversed | g.Flags
	return nil
}

// expired reports whether more than the reassembly time passed from then to
// now. If the clock ran back, nothing expires. The difference of the times may
// exceed an int64.
func expired(then, now int64) bool {
	return now > then && uint64(now)-uint64(then) > reassemblyNs
}
