package flow

// A Detail is what some feature groups need of a packet beyond its Event. It
// stands beside the event, in a list of its own, and only in runs that ask for
// such a group. From the lowest bit:
//
//	 1 bit   the packet goes from Key.Dst to Key.Src, as the event's Reversed
//	 1 bit   the packet is an IP fragment, a first one or a later one
//	 1 bit   the TCP flags are in the capture
//	 1 bit   the TCP window is in the capture
//	 1 bit   ICMP type and code are in the capture
//	 3 bits  zero
//	 8 bits  IPv4 time to live, or IPv6 hop limit
//	10 bits  size of the transport header, in bytes
//	 8 bits  TCP flags (RFC 9293, section 3.1), FIN lowest, CWR highest
//	16 bits  TCP window, unscaled; or ICMP type and code, the type higher
//	14 bits  zero
//
// What most packets have stands in the low bits, because encoded sessions keep
// the word as a varint, whose size grows with the highest bit that is set.
type Detail uint64

const (
	detailReversed Detail = 1 << iota
	detailFragment
	detailFlags
	detailWindow
	detailICMP

	detailTTLShift    = 8
	detailHeaderShift = 16
	detailFlagsShift  = 26
	detailWindowShift = 34
	detailBits        = 50
	detailSpare       = 7 << 5
	maxHeader         = 1<<10 - 1
)

// TCP flags (RFC 9293, section 3.1), as Detail.TCPFlags returns them. Those up
// to URG are also the low bits of Flags.
const (
	FIN uint8 = 1 << iota
	SYN
	RST
	PSH
	ACK
	URG
	ECE
	CWR
)

// NewDetail returns the word of a packet with the given time to live or hop
// limit, of which nothing else is known.
func NewDetail(ttl uint8) Detail { return Detail(ttl) << detailTTLShift }

// WithFragment marks an IP fragment.
func (d Detail) WithFragment() Detail { return d | detailFragment }

// WithReversed sets the direction of d to that of an event's flags, which may
// be known later than the rest. Requires: d has none yet.
func (d Detail) WithReversed(f Flags) Detail { return d | Detail(f&Reversed)>>6 }

// WithHeader adds the size of the transport header, at most 1023 bytes.
// Requires: d has none yet.
func (d Detail) WithHeader(bytes int64) Detail {
	return d | Detail(min(max(bytes, 0), maxHeader))<<detailHeaderShift
}

// WithTCPFlags adds TCP flags. Requires: d has none yet.
func (d Detail) WithTCPFlags(flags uint8) Detail {
	return d | detailFlags | Detail(flags)<<detailFlagsShift
}

// WithWindow adds a TCP window. Requires: d has none and no ICMP type yet.
func (d Detail) WithWindow(w uint16) Detail {
	return d | detailWindow | Detail(w)<<detailWindowShift
}

// WithICMP adds an ICMP or ICMPv6 type and code. Requires: as WithWindow.
func (d Detail) WithICMP(typ, code uint8) Detail {
	return d | detailICMP | (Detail(typ)<<8|Detail(code))<<detailWindowShift
}

// Side is 0 for a packet from Key.Src to Key.Dst, and 1 for the other way.
func (d Detail) Side() int { return int(d & detailReversed) }

// Fragment reports whether the packet is an IP fragment.
func (d Detail) Fragment() bool { return d&detailFragment != 0 }

// TTL returns the IPv4 time to live, or the IPv6 hop limit.
func (d Detail) TTL() uint8 { return uint8(d >> detailTTLShift) }

// Header returns the size of the transport header in bytes: 0 for later
// fragments and for protocols whose headers are not known.
func (d Detail) Header() uint16 { return uint16(d>>detailHeaderShift) & maxHeader }

// TCPFlags returns the TCP flags, and whether they are in the capture.
func (d Detail) TCPFlags() (flags uint8, ok bool) {
	return uint8(d >> detailFlagsShift), d&detailFlags != 0
}

// Window returns the TCP window, and whether it is in the capture.
func (d Detail) Window() (w uint16, ok bool) {
	return uint16(d >> detailWindowShift), d&detailWindow != 0
}

// ICMP returns type and code, and whether they are in the capture.
func (d Detail) ICMP() (typ, code uint8, ok bool) {
	return uint8(d >> (detailWindowShift + 8)), uint8(d >> detailWindowShift), d&detailICMP != 0
}

// Valid reports whether a packet of the given IP protocol can have the word d,
// for words that come from files.
func (d Detail) Valid(protocol uint8) bool {
	const window = Detail(1<<16-1) << detailWindowShift
	const flags = Detail(1<<8-1) << detailFlagsShift
	tcp, icmp := d&(detailFlags|detailWindow) != 0, d&detailICMP != 0
	return d>>detailBits == 0 && d&detailSpare == 0 &&
		(!tcp || protocol == 6) && (!icmp || protocol == 1 || protocol == 58) &&
		(d&detailFlags != 0 || d&flags == 0) && (d&(detailWindow|detailICMP) != 0 || d&window == 0)
}
