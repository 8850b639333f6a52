package shard

import (
	"encoding/binary"
	"errors"

	"pcapbatch/internal/flow"
)

// A chain is a sequence of bytes in pieces of a scratch file, each of which
// begins with the place of the next: so a chain takes the same memory however
// long it is.
type chain struct {
	first    int64 // place of the first piece
	place    int64 // of the piece that is being filled
	sessions int   // written, before the events
	buffer   []byte
}

const (
	linkBytes = 8  // of the place of the next piece
	lastPiece = -1 // in place of it
)

// write appends an entry.
func (c *chain) write(s Scratch, entry []byte) error {
	if c.buffer == nil {
		c.first = s.Reserve()
		c.begin(c.first)
	}
	for {
		n := copy(c.buffer[len(c.buffer):pieceBytes], entry)
		c.buffer = c.buffer[:len(c.buffer)+n]
		entry = entry[n:]
		if len(entry) == 0 {
			return nil
		}
		next := s.Reserve()
		if err := c.put(s, next); err != nil {
			return err
		}
		c.begin(next)
	}
}

func (c *chain) begin(place int64) {
	c.place = place
	if c.buffer == nil {
		c.buffer = make([]byte, linkBytes, pieceBytes)
	}
	c.buffer = c.buffer[:linkBytes]
}

func (c *chain) put(s Scratch, next int64) error {
	binary.LittleEndian.PutUint64(c.buffer, uint64(next))
	return s.Put(c.place, c.buffer)
}

// close writes the last piece. Requires: something was written.
func (c *chain) close(s Scratch) error {
	err := c.put(s, lastPiece)
	c.buffer = nil
	return err
}

// errChain says that a chain does not have what was written to it. Scratch
// files have checksums, so that would be an error of this program.
var errChain = errors.New("internal error: sessions that were set aside are not as they were written")

// A chainReader reads a chain and frees its pieces.
type chainReader struct {
	scratch Scratch
	next    int64 // place of the next piece
	buffer  []byte
	at      int // bytes of buffer that were read
	piece   []byte
}

// more reports whether anything is left.
func (r *chainReader) more() bool { return r.at < len(r.buffer) || r.next != lastPiece }

// need returns the next n bytes, valid until the next call.
func (r *chainReader) need(n int) ([]byte, error) {
	for len(r.buffer)-r.at < n {
		if r.next == lastPiece {
			return nil, errChain
		}
		piece, err := r.scratch.Take(r.next, r.piece[:0])
		if err != nil {
			return nil, err
		}
		if len(piece) <= linkBytes {
			return nil, errChain
		}
		r.piece = piece
		r.next = int64(binary.LittleEndian.Uint64(piece))
		r.buffer = append(r.buffer[:copy(r.buffer, r.buffer[r.at:])], piece[linkBytes:]...)
		r.at = 0
	}
	b := r.buffer[r.at : r.at+n]
	r.at += n
	return b, nil
}

// appendSession appends an encoded session with its length.
func appendSession(dst, session []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(session)))
	return append(dst, session...)
}

// session reads what appendSession wrote.
func (r *chainReader) session() ([]byte, error) {
	b, err := r.need(4)
	if err != nil {
		return nil, err
	}
	return r.need(int(binary.LittleEndian.Uint32(b)))
}

// Bits of the first byte of an event in a chain.
const (
	eventIPv6 = 1 << iota
	eventVLAN
)

// appendEvent appends an event: bits that say which of its parts there are, its
// flags, time, sizes, ports and protocol, the VLAN ids if it has any, and the
// addresses. The shard and the hash follow from the key.
func appendEvent(dst []byte, ev *flow.Event) []byte {
	le, k := binary.LittleEndian, &ev.Key
	shape, size := byte(0), 4
	if k.Version == 6 {
		shape, size = eventIPv6, 16
	}
	if k.VLANOuter|k.VLANInner != 0 {
		shape |= eventVLAN
	}
	dst = append(dst, shape, byte(ev.Flags))
	dst = le.AppendUint64(dst, uint64(ev.Time))
	dst = le.AppendUint32(dst, ev.WireBytes)
	dst = le.AppendUint32(dst, ev.PayloadBytes)
	dst = le.AppendUint16(dst, k.SrcPort)
	dst = le.AppendUint16(dst, k.DstPort)
	dst = append(dst, k.Protocol)
	if shape&eventVLAN != 0 {
		dst = le.AppendUint16(dst, k.VLANOuter)
		dst = le.AppendUint16(dst, k.VLANInner)
	}
	dst = append(dst, k.Src[:size]...)
	return append(dst, k.Dst[:size]...)
}

// fixedBytes is the size of an event but for VLAN ids and addresses.
const fixedBytes = 2 + 8 + 4 + 4 + 2 + 2 + 1

// appendDetail appends what some runs need besides.
func appendDetail(dst []byte, d flow.Detail) []byte {
	return binary.LittleEndian.AppendUint64(dst, uint64(d))
}

// event reads what appendEvent wrote, and makes the hash from a seed.
func (r *chainReader) event(ev *flow.Event, seed uint64) error {
	le := binary.LittleEndian
	b, err := r.need(fixedBytes)
	if err != nil {
		return err
	}
	shape, size, vlan := b[0], 4, 0
	*ev = flow.Event{
		Flags: flow.Flags(b[1]), Time: int64(le.Uint64(b[2:])),
		WireBytes: le.Uint32(b[10:]), PayloadBytes: le.Uint32(b[14:]),
		Key: flow.Key{SrcPort: le.Uint16(b[18:]), DstPort: le.Uint16(b[20:]), Protocol: b[22], Version: 4},
	}
	k := &ev.Key
	if shape&eventIPv6 != 0 {
		k.Version, size = 6, 16
	}
	if shape&eventVLAN != 0 {
		vlan = 4
	}
	if b, err = r.need(vlan + 2*size); err != nil {
		return err
	}
	if vlan > 0 {
		k.VLANOuter, k.VLANInner = le.Uint16(b), le.Uint16(b[2:])
	}
	copy(k.Src[:], b[vlan:vlan+size])
	copy(k.Dst[:], b[vlan+size:])
	ev.Hash = uint32(k.Hash(seed))
	return nil
}

// detail reads what appendDetail wrote.
func (r *chainReader) detail() (flow.Detail, error) {
	b, err := r.need(8)
	if err != nil {
		return 0, err
	}
	return flow.Detail(binary.LittleEndian.Uint64(b)), nil
}

// A batch is events of a chain, as a block has them.
type batch struct {
	events  []flow.Event
	details []flow.Detail // nil: the run needs none
	order   []uint16
	shard   uint8
	seed    uint64
}

func newBatch(detailed bool, worker int, seed uint64) *batch {
	b := &batch{events: make([]flow.Event, replayBatch), shard: uint8(worker), seed: seed}
	if detailed {
		b.details = make([]flow.Detail, replayBatch)
	}
	return b
}

// fill reads the next events; none are left if order is empty afterwards.
func (b *batch) fill(r *chainReader) error {
	b.order = b.order[:0]
	for i := 0; i < len(b.events) && r.more(); i++ {
		if err := r.event(&b.events[i], b.seed); err != nil {
			return err
		}
		b.events[i].Shard = b.shard
		if b.details != nil {
			var err error
			if b.details[i], err = r.detail(); err != nil {
				return err
			}
		}
		b.order = append(b.order, uint16(i))
	}
	return nil
}
