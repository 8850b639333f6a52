package main

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"time"
)

// epoch is when all captures begin: 2023-11-14 22:13:20 UTC.
const epoch = start * int64(time.Second)

// Link types (the LINKTYPE_ registry).
const (
	linkNull     = 0
	linkEthernet = 1
	linkPPP      = 9
	linkRaw      = 101
	linkPPPHDLC  = 50
	linkCHDLC    = 104
	link80211    = 105
	linkFRelay   = 107
	linkLoop     = 108
	linkENC      = 109
	linkSLL      = 113
	linkPFLog    = 117
	linkRadiotap = 127
	linkPPI      = 192
	linkUSB      = 220
	linkIPv4     = 228
	linkIPv6     = 229
	linkNFLog    = 239
	linkSLL2     = 276
	rawOpenBSD   = 14 // what LINKTYPE_RAW is called in captures of OpenBSD
	rawOtherBSDs = 12
	snaplenWhole = 262144
	absurdLength = math.MaxInt32 // a capture length that no snaplen allows
)

// record is one packet as the capture holds it.
type record struct {
	ns   int64  // nanoseconds since the Unix epoch
	data []byte // what was kept
	wire int    // wire length, >= len(data) except where a story says otherwise
}

// capture is a finished file and what a reader must find in it: the records
// before the damage, if there is some.
type capture struct {
	data    []byte
	records []record
}

// at is a record of a whole packet, d after the epoch.
func at(d time.Duration, packet []byte) record {
	return record{epoch + int64(d), packet, len(packet)}
}

// cut is the record as a smaller snaplen would have kept it.
func (r record) cut(n int) record {
	r.data = r.data[:min(n, len(r.data))]
	return r
}

// every spaces packets evenly, beginning at the epoch.
func every(step time.Duration, packets ...[]byte) (records []record) {
	for i, p := range packets {
		records = append(records, at(time.Duration(i)*step, p))
	}
	return records
}

// byTime puts the records of several conversations in time order.
func byTime(conversations ...[]record) []record {
	all := slices.Concat(conversations...)
	slices.SortStableFunc(all, func(a, b record) int { return int(a.ns - b.ns) })
	return all
}

// byteOrder is binary.LittleEndian or binary.BigEndian.
type byteOrder interface {
	binary.ByteOrder
	binary.AppendByteOrder
}

// pcapFormat is a variant of the classic format; the zero value is the usual
// one: microseconds, little-endian, version 2.4, Ethernet.
type pcapFormat struct {
	bigEndian bool
	nano      bool
	kuznetzov bool // Alexey Kuznetzov's patch of libpcap: record headers of 24 bytes
	aix       bool // AIX: nanoseconds under the usual magic number
	form      headerForm
	minor     uint16 // version 2.minor; 0 stands for 4. 2 swaps the length fields, 3 may
	link      uint32
	snaplen   uint32
}

// headerForm is what stands behind the usual fields of a record header.
type headerForm int

const (
	byMagic  headerForm = iota // nothing, or Kuznetzov's third form under his magic number
	ss990417                   // interface index, EtherType, packet type, padding
	ss990915                   // the same, and four bytes of two processors and padding
	nokia                      // four bytes whose meaning is not known
)

// with is f with record headers of another form.
func (f pcapFormat) with(form headerForm) pcapFormat {
	f.form = form
	return f
}

// aixEthernet is the interface type of Ethernet (RFC 1573).
const aixEthernet = 6

func (f pcapFormat) order() byteOrder {
	if f.bigEndian {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

func (f pcapFormat) header() []byte {
	magic := uint32(0xa1b2c3d4)
	switch {
	case f.nano:
		magic = 0xa1b23c4d
	case f.kuznetzov:
		magic = 0xa1b2cd34
	}
	minor, snaplen := f.minor, f.snaplen
	if minor == 0 {
		minor = 4
	}
	if snaplen == 0 {
		snaplen = snaplenWhole
	}
	o := f.order()
	b := o.AppendUint16(o.AppendUint16(o.AppendUint32(nil, magic), 2), minor)
	return words(o, b, 0, 0, snaplen, f.link)
}

func (f pcapFormat) record(r record) []byte {
	unit := int64(time.Microsecond)
	if f.nano || f.aix {
		unit = 1
	}
	kept, wire := uint32(len(r.data)), uint32(r.wire)
	if f.minor == 2 || f.minor == 3 && r.ns/1000%2 == 0 {
		kept, wire = wire, kept
	}
	o := f.order()
	b := words(o, nil, uint32(r.ns/1e9), uint32(r.ns%1e9/unit), kept, wire)
	if f.form == nokia {
		b = append(b, 0x9f, 0xbf, 0xb6, 0x01)
	} else if f.kuznetzov || f.form != byMagic {
		b = append(o.AppendUint16(words(o, b, 2), 0x0800), 0, 0)
	}
	if f.form == ss990915 {
		b = append(b, 0, 0, 0, 0)
	}
	return append(b, r.data...)
}

func (f pcapFormat) file(records ...record) capture {
	b := f.header()
	for _, r := range records {
		b = append(b, f.record(r)...)
	}
	return capture{b, records}
}

// pcap is a capture in the usual format.
func pcap(link uint32, records ...record) capture { return pcapFormat{link: link}.file(records...) }

// snoop is a capture in Sun's format (RFC 1761), Ethernet.
func snoop(records []record) capture {
	b := cat([]byte("snoop\x00\x00\x00"), be32(2, 4))
	for _, r := range records {
		pad := -len(r.data) & 3
		b = cat(b, be32(uint32(r.wire), uint32(len(r.data)), uint32(24+len(r.data)+pad), 0,
			uint32(r.ns/1e9), uint32(r.ns%1e9/1000)), r.data, make([]byte, pad))
	}
	return capture{b, records}
}

// erf is a capture in Endace's format: a fixed-point time in units of 2^-32 s,
// little-endian; everything else big-endian. Neither length counts a frame
// check sequence.
func erf(records []record) capture {
	var b []byte
	for _, r := range records {
		sec, frac := uint64(r.ns/1e9), uint64(r.ns%1e9)
		b = binary.LittleEndian.AppendUint64(b, sec<<32|(frac<<32+1e9-1)/1e9)
		b = cat(b, []byte{2, 4}, be16(uint16(18+len(r.data)), 0, uint16(r.wire), 0), r.data)
	}
	return capture{b, records}
}

func words(o byteOrder, b []byte, values ...uint32) []byte {
	for _, v := range values {
		b = o.AppendUint32(b, v)
	}
	return b
}

// damaged replaces the bytes of a capture and says how many of its records
// can still be read.
func (c capture) damaged(readable int, data []byte) capture {
	return capture{bytes.Clone(data), c.records[:readable]}
}
