package reader

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// TestCutEverywhere ends every sample at every offset: each whole record is
// returned, and an end that is not between records is reported with the number
// and the offset of the record it hit.
func TestCutEverywhere(t *testing.T) {
	for _, s := range samples() {
		for at := range len(s.data) {
			recs, _, err := readBytes(s.data[:at])
			n := s.whole(at)
			if !slices.Equal(recs, s.want[:n]) {
				t.Fatalf("%s cut at %d: %d records, want %d", s.name, at, len(recs), n)
			}
			if at > 0 && (slices.Contains(s.ends, at) || slices.Contains(s.blocks, at)) {
				if err != nil {
					t.Errorf("%s cut at %d, between records: %v", s.name, at, err)
				}
				continue
			}
			kind := kindOf(t, err)
			switch {
			case at == 0:
				if kind != Empty {
					t.Errorf("%s: empty file is %v", s.name, err)
				}
			case kind == NotCapture && (at < 8 || s.name == "erf" && n == 0):
			case kind != Truncated || !errors.Is(err, io.ErrUnexpectedEOF):
				t.Errorf("%s cut at %d: %v %v", s.name, at, kind, err)
			case strings.HasPrefix(s.name, "pcapng"): // the block hit may be in front of the first record
			default:
				e, _ := errors.AsType[*Error](err)
				if e.Record != 0 && (e.Record != uint64(n)+1 || e.Offset != int64(s.ends[n])) {
					t.Errorf("%s cut at %d: %v, want record %d at offset %d", s.name, at, err, n+1, s.ends[n])
				}
			}
		}
	}
}

// TestCutSkippedBlock ends a capture inside a last block that is left out, in
// front of its trailer above all.
func TestCutSkippedBlock(t *testing.T) {
	for _, s := range samples() {
		if !strings.HasPrefix(s.name, "pcapng") {
			continue
		}
		order := binary.AppendByteOrder(le)
		if s.name == "pcapng-be" {
			order = be
		}
		for _, size := range []int{0, 4, 100, 3 * BlockBytes} {
			data := slices.Concat(s.data, block(order, 5, string(make([]byte, size))))
			for at := len(s.data); at <= len(data); at++ {
				if at > len(s.data)+100 && at < len(data)-100 {
					continue
				}
				recs, _, err := readBytes(data[:at])
				if !slices.Equal(recs, s.want) {
					t.Errorf("%s, %d bytes of %d in the block: %d records", s.name, at-len(s.data), size, len(recs))
				}
				if whole := at == len(s.data) || at == len(data); whole != (err == nil) || err != nil && kindOf(t, err) != Truncated {
					t.Errorf("%s, %d bytes of %d in the block: %v", s.name, at-len(s.data), size, err)
				}
			}
		}
	}
}

// TestCutCompressed ends compressed captures at every offset: no cut passes for
// a clean end.
func TestCutCompressed(t *testing.T) {
	s := samples()[0]
	for how, data := range packed(t, s.data) {
		for at := 1; at < len(data); at++ {
			recs, _, err := readBytes(data[:at])
			if err == nil {
				t.Errorf("%s cut at %d of %d: no error, %d records", how, at, len(data), len(recs))
				continue
			}
			if k := kindOf(t, err); k != Truncated && !(at < 10 && k == NotCapture) {
				t.Errorf("%s cut at %d of %d: %v: %v", how, at, len(data), k, err)
			}
			if !slices.Equal(recs, s.want[:len(recs)]) {
				t.Errorf("%s cut at %d: records %v", how, at, recs)
			}
		}
	}
}

// TestFlipEverywhere changes every bit of every sample: never a panic, and
// never a changed record in front of the change. A compressed stream must
// notice.
func TestFlipEverywhere(t *testing.T) {
	for _, s := range samples() {
		for bit := range len(s.data) * 8 {
			data := bytes.Clone(s.data)
			data[bit/8] ^= 1 << (bit % 8)
			recs, _, err := readBytes(data)
			if s.name == "erf" && bit/8 < s.ends[2] {
				continue // without a magic number, damage here makes it unrecognisable
			}
			if n := s.whole(bit / 8); bit/8 >= s.ends[0] && (len(recs) < n || !slices.Equal(recs[:n], s.want[:n])) {
				t.Fatalf("%s, bit %d: records in front of it are lost: %v", s.name, bit, err)
			}
			if err == nil && strings.HasPrefix(s.name, "pcap-") && accounted(recs) != len(data) {
				t.Fatalf("%s, bit %d: %d of %d bytes are accounted for, without an error", s.name, bit, accounted(recs), len(data))
			}
		}
	}
}

// accounted is how many bytes of a classic capture its header and records make.
func accounted(recs []got) int {
	n := pcapHeader
	for _, r := range recs {
		n += pcapRecord + len(r.Data)
	}
	return n
}

func TestFlipCompressed(t *testing.T) {
	s := samples()[0]
	for how, data := range packed(t, s.data) {
		for i := range data {
			for _, mask := range []byte{1, 0x80} {
				damaged := bytes.Clone(data)
				damaged[i] ^= mask
				// Some bits are of no account: times in headers, unused flags.
				// What comes out must be right.
				if recs, _, err := readBytes(damaged); err == nil && !slices.Equal(recs, s.want) {
					t.Errorf("%s, byte %d ^ %#x: no error and %v", how, i, mask, recs)
				}
			}
		}
	}
}

// TestSwappedBlocks swaps any two records of each sample: all of them come out,
// in the new order.
func TestSwappedBlocks(t *testing.T) {
	for _, s := range samples() {
		part := func(i int) []byte { return s.data[s.ends[i]:s.ends[i+1]] }
		for _, order := range [][3]int{{1, 0, 2}, {2, 1, 0}, {0, 2, 1}} {
			data := slices.Concat(s.data[:s.ends[0]], part(order[0]), part(order[1]), part(order[2]))
			recs, _, err := readBytes(data)
			if err != nil || len(recs) != 3 {
				t.Fatalf("%s %v: %d records, %v", s.name, order, len(recs), err)
			}
			for i, k := range order {
				if recs[i].Data != s.want[k].Data {
					t.Errorf("%s %v: record %d is %v", s.name, order, i, recs[i])
				}
			}
		}
	}
}

// TestErrors lists what is refused and how: the kind, and a piece of the
// message.
func TestErrors(t *testing.T) {
	rec := pcapRec(le, 1, 0, "abcd")
	head := pcapHead(le, magicMicro, 1)
	ng := slices.Concat(section(le), ifaceBlock(le, 1, 0))
	good := epb(le, 0, 1, "abcd")
	for _, c := range []struct {
		name    string
		data    []byte
		records int
		kind    Kind
		says    string
	}{
		{"text", []byte("hello, world"), 0, NotCapture, `x: not a capture: it begins with the text "hello, world"`},
		{"three bytes", head[:3], 0, NotCapture, "only 3 bytes"},
		{"netmon", []byte("GMBU\x00\x02"), 0, Unsupported, "NetMon 2 file, convert it with editcap"},
		{"zip", []byte("PK\x03\x04...."), 0, Unsupported, "unpack it first"},
		{"old pcap", raw(le, uint32(magicMicro), uint16(1), uint16(2), 0, 0, 0, 1), 0, Unsupported, "pcap version 1.2"},
		{"caplen", slices.Concat(head, rec, raw(le, 1, 0, uint32(2<<30), 60)), 1, Corrupt, "x: record 2 at offset 44: capture length 2147483648 is beyond"},
		{"caplen minus one", slices.Concat(head, rec, raw(le, 1, 0, ^uint32(0), 60)), 1, Corrupt, "4294967295"},
		{"caplen by snaplen", slices.Concat(head, rec, raw(le, 1, 0, uint32(maxUsual+1), 60)), 1, Corrupt, "limit of 262144"},
		{"ng version", block(le, blockSection, uint32(ngOrderMagic), uint16(2), uint16(0), ^uint64(0)), 0, Unsupported, "x: pcapng version 2.0"},
		{"ng second version", slices.Concat(ng, good, block(le, blockSection, uint32(ngOrderMagic), uint16(2), uint16(0), ^uint64(0))), 1, Unsupported, "record 2 at offset 84: pcapng version 2.0"},
		{"ng trailer", slices.Concat(ng, good, good[:len(good)-4], raw(le, 40)), 1, Corrupt, "block length 36 at its begin and 40 at its end"},
		{"ng trailer of the left out", slices.Concat(ng, good, raw(le, 0x99, 1<<20, make([]byte, 1<<20-12), 7)), 1, Corrupt, "block length 1048576 at its begin and 7"},
		{"ng length 0", slices.Concat(ng, good, raw(le, 6, 0, 0)), 1, Corrupt, "block length 0"},
		{"ng length 13", slices.Concat(ng, good, raw(le, 6, 13, make([]byte, 20))), 1, Corrupt, "block length 13"},
		{"ng 4 GB packet", slices.Concat(ng, good, raw(le, 6, uint32(1<<32-4), 0)), 1, Corrupt, "beyond the limit"},
		{"ng 4 GB other", slices.Concat(ng, good, raw(le, 99, uint32(1<<32-4), 0)), 1, Truncated, "record 2 at offset 84: cut short: 4294967276 bytes are missing"},
		{"ng no interface", slices.Concat(section(le), good), 0, Corrupt, "packet of interface 0 in a section with 0"},
		{"ng old interface", slices.Concat(ng, good, section(le), good), 1, Corrupt, "packet of interface 0 in a section with 0"},
		{"ng simple without interface", slices.Concat(section(le), spb(le, 4, "abcd")), 0, Corrupt, "packet of interface 0"},
		{"ng caplen beyond block", slices.Concat(ng, good, block(le, blockEnhanced, 0, 0, 0, 5, 5, "abcd")), 1, Corrupt, "capture length 5 in a block with room for 4"},
		{"ng simple beyond block", slices.Concat(ng, good, spb(le, 5, "abcd")), 1, Corrupt, "capture length 5 in a block with room for 4"},
		{"ng tiny packet", slices.Concat(ng, good, block(le, blockEnhanced, 0)), 1, Corrupt, "body of only 4 bytes"},
		{"ng tiny obsolete", slices.Concat(ng, good, block(le, blockObsolete, 0)), 1, Corrupt, "body of only 4 bytes"},
		{"ng tiny simple", slices.Concat(ng, good, block(le, blockSimple)), 1, Corrupt, "body of only 0 bytes"},
		{"ng tiny interface", slices.Concat(ng, good, block(le, blockInterface, 0)), 1, Corrupt, "body of only 4 bytes"},
		{"ng tiny section", slices.Concat(ng, good, block(le, blockSection, uint32(ngOrderMagic))), 1, Corrupt, "body of only 4 bytes"},
		{"ng order magic", slices.Concat(ng, good, block(le, blockSection, 0, 0, 0, 0)), 1, Corrupt, "byte-order magic"},
		{"ng option", slices.Concat(ng, epb(le, 0, 1, "abcd", raw(le, uint16(2), uint16(9), "12345678"))), 1, Flawed, "record 1 at offset 48: option list cut short: option 2 of 9 bytes where 8"},
		{"ng interface option", slices.Concat(section(le), ifaceBlock(le, 1, 0, raw(le, uint16(9), uint16(1)))), 0, Corrupt, "option list cut short"},
		{"ng resolution", slices.Concat(section(le), ifaceBlock(le, 1, 0, option(le, 9, []byte{6, 6}))), 0, Corrupt, "interface option 9 of 2 bytes"},
		{"snoop version", raw(be, snoopMagic, 3, 4), 0, Unsupported, "snoop version 3"},
		{"snoop link", raw(be, snoopMagic, 2, 5), 0, Unsupported, "data link type 5"},
		{"snoop header", raw(be, snoopMagic, 2), 0, Truncated, "12 of the 16 bytes of the snoop header"},
		{"snoop caplen", raw(be, snoopMagic, 2, 4, 60, 1<<30, 1<<30+24, 0, 0, 0), 0, Corrupt, "capture length 1073741824"},
		{"snoop record", raw(be, snoopMagic, 2, 4, 60, 60, 40, 0, 0, 0), 0, Corrupt, "capture length 60 in a record of 40"},
		{"snoop padding", raw(be, snoopMagic, 2, 4, 4, 4, ^uint32(0), 0, 0, 0, "abcd"), 1, Truncated, "bytes are missing"},
		{"erf length", slices.Concat(erfRec(1e9<<32, erfIPv4, 2, "v4"), raw(le, uint64(1e9<<32)), raw(be, uint8(erfIPv4), uint8(0), uint16(15), 0)), 0, NotCapture, "not a capture"},
		{"erf headers", slices.Concat(erfRec(1e9<<32, erfIPv4, 2, "v4"), erfRec(1e9<<32, erfIPv4|erfMoreHeaders, 2, "v4")), 1, Corrupt, "extension headers longer"},
		{"erf pad", slices.Concat(erfRec(1e9<<32, erfIPv4, 2, "v4"), erfRec(1e9<<32, erfEthernet, 2, "")), 1, Corrupt, "headers of 18 bytes in a record of 16"},
	} {
		recs, _, err := readBytes(c.data)
		if err == nil {
			t.Errorf("%s: no error", c.name)
			continue
		}
		if k := kindOf(t, err); k != c.kind || !strings.Contains(err.Error(), c.says) || len(recs) != c.records {
			t.Errorf("%s: %v, %d records: %v\nwant %v, %d records: %s", c.name, k, len(recs), err, c.kind, c.records, c.says)
		}
	}
}

// TestSmallIsCheap: a small file allocates little, whatever it claims. Most is
// 16 MiB, two blocks of lz4's old format.
func TestSmallIsCheap(t *testing.T) {
	ng := slices.Concat(section(le), ifaceBlock(le, 1, 0))
	big := raw(le, uint32(magicMicro), uint16(2), uint16(4), 0, 0, ^uint32(0), 1)
	for name, data := range map[string][]byte{
		"record of 16 MiB":        slices.Concat(big, raw(le, 1, 0, uint32(maxRecord), 60, "abcd")),
		"record of 2 GB":          slices.Concat(big, raw(le, 1, 0, uint32(2<<30), 60, "abcd")),
		"block of 16 MiB":         slices.Concat(ng, raw(le, 6, uint32(maxRecord), 0, 0, 0, 0)),
		"block of 4 GB":           slices.Concat(ng, raw(le, 99, uint32(1<<32-4), 0, 0, 0, 0)),
		"section of 16 MiB":       raw(le, uint32(blockSection), uint32(maxRecord), uint32(ngOrderMagic), 0),
		"zero-length options":     slices.Concat(section(le), ifaceBlock(le, 1, 0, bytes.Repeat(raw(le, 1), 16))),
		"zstd window of 128 MiB":  slices.Concat(raw(le, uint32(zstdMagic), "\x00\x88"), raw(le, uint8(0x15), uint8(0), uint8(0), "ab")),
		"zstd content of 100 MiB": slices.Concat(raw(le, uint32(zstdMagic), "\xa0", 100<<20), raw(le, uint8(0x15), uint8(0), uint8(0), "ab")),
		"zstd second frame":       slices.Concat(packedBy(t, "zstd", samples()[0].data), raw(le, uint32(zstdMagic), "\x00\x88"), raw(le, uint8(0x15), uint8(0), uint8(0), "ab")),
		"xz dictionary of 64 MiB": xzBlock(t, xzLZMA2, 1, 28),
		"zstd window of 2 GiB":    slices.Concat(raw(le, uint32(zstdMagic), "\x00\xa8"), raw(le, uint8(0x15), uint8(0), uint8(0), "ab")),
		"lz4 blocks of 4 MiB":     raw(le, uint32(lz4Magic), "\x60\x70\x73", 4<<20, "ab"),
		"lz4 legacy":              raw(le, uint32(lz4Legacy), 8<<20, "ab"),
		"skippable of 4 GB":       raw(le, uint32(skippable), ^uint32(0), "abcd"),
	} {
		readBytes(data) // libraries build tables on first use
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _, err := readBytes(data)
		runtime.ReadMemStats(&after)
		if bytes := after.TotalAlloc - before.TotalAlloc; bytes > 20<<20 {
			t.Errorf("%s: %d MiB allocated", name, bytes>>20)
		} else {
			t.Logf("%s: %d KiB, %v", name, bytes>>10, err)
		}
	}
}

// TestManyInterfaces holds interfaces to a bounded table, and sections to none
// at all.
func TestManyInterfaces(t *testing.T) {
	idb := ifaceBlock(le, 1, 0)
	last := epb(le, ngMaxIfaces-1, 1, "abcd")
	recs, info, err := readBytes(slices.Concat(section(le), bytes.Repeat(idb, ngMaxIfaces), last))
	if err != nil || len(recs) != 1 || info.Interfaces != ngMaxIfaces {
		t.Errorf("%d records, %d interfaces: %v", len(recs), info.Interfaces, err)
	}
	_, _, err = readBytes(slices.Concat(section(le), bytes.Repeat(idb, 1<<20)))
	if kindOf(t, err) != Unsupported || !strings.Contains(err.Error(), fmt.Sprint(ngMaxIfaces)) {
		t.Errorf("a million interfaces: %v", err)
	}
	recs, info, err = readBytes(bytes.Repeat(slices.Concat(section(le), idb, epb(le, 0, 1, "abcd")), 100_000))
	if err != nil || len(recs) != 100_000 || info.Sections != 100_000 {
		t.Errorf("%d records in %d sections: %v", len(recs), info.Sections, err)
	}
}
