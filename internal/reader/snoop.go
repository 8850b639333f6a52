package reader

import (
	"encoding/binary"
	"fmt"

	"pcapbatch/internal/linktype"
)

const (
	snoopMagic  = "snoop\x00\x00\x00"
	snoopHeader = 16 // bytes of the file header
	snoopRecord = 24 // bytes of a record header
)

// snoop is the format of RFC 1761, version 2: big-endian, microseconds, records padded to a length they state.
type snoop struct {
	link uint16
	seen *tally
}

// newSnoop reads the file header.
func newSnoop(head []byte, seen *tally) (*snoop, step) {
	if len(head) < snoopHeader {
		return nil, short("snoop header", len(head), snoopHeader)
	}
	if v := binary.BigEndian.Uint32(head[8:]); v != 2 {
		return nil, step{kind: Unsupported, err: fmt.Errorf("snoop version %d", v)}
	}
	s := &snoop{seen: seen}
	switch t := binary.BigEndian.Uint32(head[12:]); t {
	case 0, 4:
		s.link = linktype.Ethernet
	case 2:
		s.link = linktype.TokenRing
	case 8:
		s.link = linktype.FDDI
	default:
		return nil, step{kind: Unsupported, err: fmt.Errorf("snoop data link type %d", t)}
	}
	seen.slot(s.link)
	return s, step{used: snoopHeader}
}

func (s *snoop) walk(b *Block, d []byte) step {
	st := s.records(b, d)
	s.seen.links[0].Records += uint64(len(b.Records))
	return st
}

func (s *snoop) records(b *Block, d []byte) step {
	at := 0
	for len(d)-at >= snoopRecord {
		h := d[at : at+snoopRecord]
		wireLen, capLen, total := binary.BigEndian.Uint32(h), binary.BigEndian.Uint32(h[4:]), binary.BigEndian.Uint32(h[8:])
		if capLen > maxUsual {
			return step{used: at, kind: Corrupt, err: tooLong(capLen, maxUsual)}
		}
		if total < snoopRecord+capLen {
			return step{used: at, kind: Corrupt, err: fmt.Errorf("capture length %d in a record of %d bytes", capLen, total)}
		}
		end := at + snoopRecord + int(capLen)
		if end > len(d) {
			return step{used: at, need: end - at}
		}
		b.Records = append(b.Records, Record{
			Time:    int64(binary.BigEndian.Uint32(h[16:]))*1e9 + int64(binary.BigEndian.Uint32(h[20:]))*1000,
			Off:     uint32(at + snoopRecord),
			CapLen:  capLen,
			WireLen: wireLen,
			Link:    s.link,
		})
		if padded := int64(at) + int64(total); padded > int64(len(d)) {
			return step{used: end, skip: padded - int64(end)}
		}
		at += int(total)
	}
	return step{used: at, need: snoopRecord}
}

func (s *snoop) describe(i *Info) {
	i.Format, i.Version, i.ByteOrder, i.TimeResolution = "snoop", "2", orderName(true), "microseconds"
}
