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

// snoop is the format of RFC 1761, version 2: big-endian, microseconds, records
// padded to a length they state.
type snoop struct {
	link uint16
	slot int32 // of link in the tally
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
	s.slot = seen.slot(s.link)
	return s, step{used: snoopHeader}
}

func (s *snoop) walk(b *Block, d []byte, at, stop int, end bool) step {
	before := len(b.Records)
	st := s.records(b, d, at, stop, end)
	s.seen.links[s.slot].Records += uint64(len(b.Records) - before)
	return st
}

// snoopSuspect is the wire length, in bytes, from which a record header may be
// the begin of another file: no magic number is smaller.
const snoopSuspect = 1 << 24

func (s *snoop) records(b *Block, d []byte, at, stop int, fileEnd bool) step {
	for at < stop && len(d)-at >= snoopRecord {
		h := d[at : at+snoopRecord]
		wireLen, capLen, total := binary.BigEndian.Uint32(h), binary.BigEndian.Uint32(h[4:]), binary.BigEndian.Uint32(h[8:])
		usual := capLen <= maxUsual && uint64(total) >= snoopRecord+uint64(capLen)
		if wireLen >= snoopSuspect && mayBeMagic(h) {
			if len(d)-at < joinSniff && !fileEnd {
				return step{used: at, need: joinSniff}
			}
			if s.seen.looksLikeJoin(d[at:], usual, fileEnd) {
				return step{used: at, border: true}
			}
		}
		if capLen > maxUsual {
			return step{used: at, kind: Corrupt, err: tooLong(capLen, maxUsual)}
		}
		if !usual {
			return step{used: at, kind: Corrupt, err: fmt.Errorf("capture length %d in a record of %d bytes", capLen, total)}
		}
		end := at + snoopRecord + int(capLen)
		if end > len(d) {
			return step{used: at, need: end - at}
		}
		b.Records = append(b.Records, s.seen.raise(Record{
			Time:    int64(binary.BigEndian.Uint32(h[16:]))*1e9 + int64(binary.BigEndian.Uint32(h[20:]))*1000,
			Off:     uint32(at + snoopRecord),
			CapLen:  capLen,
			WireLen: wireLen,
			Link:    s.link,
		}))
		if binary.BigEndian.Uint32(h[20:]) >= 1e6 {
			s.seen.overflows++
		}
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
