package flow

// Flags are facts about one packet that the session statistics need. The six
// low bits are the TCP flags FIN to URG (RFC 9293, section 3.1), by which the
// rule for TCP connections ends sessions; they are 0 where there is no TCP
// header. Detail has all eight.
type Flags uint8

const (
	// Reversed: the packet goes from Key.Dst to Key.Src, because Canonical
	// exchanged them.
	Reversed Flags = 1 << 6
	// Truncated: the capture kept fewer bytes than were on the wire.
	Truncated Flags = 1 << 7
)

// Event is one decoded packet: all that the statistics need of it. It is 64
// bytes, one cache line, and holds no pointers.
type Event struct {
	// Time is in nanoseconds since the Unix epoch.
	Time int64
	// WireBytes is the wire length, in bytes.
	WireBytes uint32
	// PayloadBytes is the size of the transport payload by the packet's own
	// length fields, in bytes; truncation does not shorten it.
	PayloadBytes uint32
	// Hash is the low half of Key.Hash.
	Hash uint32
	// Shard is the index of the shard that owns the session.
	Shard uint8
	Flags Flags
	Key   Key
}
