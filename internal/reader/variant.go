package reader

import (
	"encoding/binary"

	"pcapbatch/internal/linktype"
)

// Forms of record headers other than the usual one. Nothing in the file header
// tells them apart from it, or from each other, so the first records have to:
// the one form in which they all make sense is taken, as Wireshark does
// (wiretap/libpcap.c).
var (
	usualMagicVariants = []variant{
		{"ss990417", 24}, // Red Hat 6.1
		{"Nokia", 20},    // IPSO
	}
	kuznetzovVariants = []variant{
		{"ss990915", 28}, // SuSE 6.3
	}
)

// variant is a form of record header: the usual fields come first in all.
type variant struct {
	name   string
	header int // bytes
}

const (
	headerKuznetzov = 24 // the third of the modified formats, ss991029
	headerLargest   = 28

	// variantRecords is how many records a form has to make sense of, if there
	// are as many, and variantLeast how many there must be for one that is not
	// the usual one. variantGap is how far, in seconds, the times of
	// neighbouring ones may lie apart for that.
	variantRecords = 4
	variantLeast   = 2
	variantGap     = 30 * 86400
	variantWire    = 128 << 20 // the largest wire length that makes sense, in bytes
)

// Interface types of RFC 1573, which AIX writes into the field for the link
// type, and what its FDDI frames begin with.
const (
	aixEthernet  = 6
	aixTokenRing = 9
	aixFDDI      = 15
	aixLoopback  = 24
	aixFDDIPad   = 3 // bytes, which the lengths count
)

// pcapSniff is how many bytes of a capture with the header head are needed to
// find its variant: its first record, in the longest form, and the header of
// the next one. Requires: head begins with a magic number of pcap.
func pcapSniff(head []byte) int {
	if len(head) < pcapHeader+pcapRecord {
		return sniffBytes
	}
	order, _, _ := isPcap(head)
	capLen := order.Uint32(head[pcapHeader+8:])
	if capLen > maxUsual {
		return sniffBytes
	}
	return max(sniffBytes, pcapHeader+2*headerLargest+int(capLen))
}

// findVariant sets what a historical variant does otherwise. records is what
// follows the file header; whole says that nothing more does.
func (p *pcap) findVariant(magic, network uint32, records []byte, whole bool) {
	variants := usualMagicVariants
	switch {
	case magic == magicKuznetzov:
		p.header, variants = headerKuznetzov, kuznetzovVariants
	case magic != magicMicro:
		return
	case p.version == "2.2":
		p.findAIX(network)
		return
	}
	if sense, _ := p.makesSense(p.header, records, whole); sense || p.lengths != captureFirst {
		return
	}
	for _, v := range variants {
		if sense, n := p.makesSense(v.header, records, whole); sense && n >= variantLeast {
			p.header = v.header
			p.version += " (" + v.name + ")"
			return
		}
	}
}

// findAIX tells AIX's version 2.2 by link types that no other writer of that
// version had.
func (p *pcap) findAIX(network uint32) {
	switch network {
	case aixEthernet:
		p.link = linktype.Ethernet
	case aixTokenRing:
		p.link = linktype.TokenRing
	case aixFDDI:
		p.link, p.front = linktype.FDDI, aixFDDIPad
	case aixLoopback:
		p.link = linktype.Null
	default:
		return
	}
	p.unit, p.subsecs = 1, 1e9
	p.lengths = smallerFirst // it is not known to be other than 2.2 is, and this reads both
	p.version += " (AIX)"
}

// makesSense tells whether records do that have headers of so many bytes, and
// how many were looked at.
func (p *pcap) makesSense(header int, records []byte, whole bool) (sense bool, n int) {
	last := uint32(0)
	for ; n < variantRecords; n++ {
		if n > 0 && (begins(records) || compressionOf(records) != nil) {
			return true, n // another capture is joined to this one
		}
		if len(records) < header {
			return !whole || p.endsWell(records, last, n == 0), n
		}
		sec, sub := p.order.Uint32(records), p.order.Uint32(records[4:])
		capLen, wireLen := p.order.Uint32(records[8:]), p.order.Uint32(records[12:])
		switch {
		case sub >= 1e6 || capLen > p.limit || wireLen < capLen || wireLen > variantWire:
			return false, n
		case n > 0 && !near(sec, last), header >= headerKuznetzov && !linuxFields(p.order, records[pcapRecord:]):
			return false, n
		}
		last = sec
		records = records[min(len(records), header+int(capLen)):]
	}
	return true, n
}

// endsWell tells whether rest, too short for a record header, may be the begin
// of one, or what fills up the last block of a tape.
func (p *pcap) endsWell(rest []byte, last uint32, first bool) bool {
	return leadingZeros(rest) == len(rest) || len(rest) < 4 || first || near(p.order.Uint32(rest), last)
}

// near tells whether two times in seconds may be those of neighbouring records.
func near(a, b uint32) bool { return max(a, b)-min(a, b) <= variantGap }

// linuxFields tells whether the fields make sense that the modified formats add
// to a record header: interface index, EtherType and packet type.
func linuxFields(order binary.ByteOrder, b []byte) bool {
	index, protocol, kind := order.Uint32(b), order.Uint16(b[4:]), b[6]
	switch {
	case protocol >= 0x0600, protocol <= 0x17, protocol == 0x0060, protocol == 0x0200, protocol == 0x0400:
		return index <= 10_000 && kind <= 4
	}
	return false
}
