package agg

// sequences are the first packets of sessions that have a digest block, n of
// each session in one list. Other sessions have them among their records. They
// are complete from the start: a session with a digest block has more packets
// than any sequence.
type sequences struct {
	chunks [][]packet
	n      int
}

// cover makes lists for the digest blocks of n chunks.
func (q *sequences) cover(a *arena, n, length int) {
	q.n = length
	for length > 0 && len(q.chunks) < n {
		q.chunks = append(q.chunks, alloc[packet](a, length<<largeShift))
	}
}

// at returns the sequence that belongs to digest block i.
func (q *sequences) at(i uint32) []packet {
	o := int(i&(1<<largeShift-1)) * q.n
	return q.chunks[i>>largeShift][o : o+q.n : o+q.n]
}

// SequencePacket is one of a session's first packets.
type SequencePacket struct {
	Backward      bool
	Wire, Payload uint32 // wire length and payload size, bytes
	Gap           uint64 // since the packet before, ns; 0 for the first
}

// sequenceOf makes out the first packets of a session whose forward side is
// given.
func sequenceOf(out []SequencePacket, packets []packet, forward int) []SequencePacket {
	for i := range packets {
		p := &packets[i]
		q := SequencePacket{Backward: p.detail.Side() != forward, Wire: p.wire, Payload: p.payload}
		if i > 0 {
			q.Gap = uint64(p.time) - uint64(packets[i-1].time)
		}
		out = append(out, q)
	}
	return out
}
