package reader

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// unhex turns annotated hex into bytes: what follows # in a line is a comment.
func unhex(t testing.TB, annotated string) []byte {
	t.Helper()
	var digits strings.Builder
	for line := range strings.Lines(annotated) {
		line, _, _ = strings.Cut(line, "#")
		digits.WriteString(strings.Join(strings.Fields(line), ""))
	}
	b, err := hex.DecodeString(digits.String())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const (
	// headLE and headBE are file headers of the usual kind, but for the magic
	// number in front.
	headLE = `
		0200 0400            # version 2.4
		00000000 00000000    # time zone, accuracy
		00000400 01000000    # snaplen 262144, Ethernet`
	headBE = `
		0002 0004
		00000000 00000000
		00040000 00000001`
)

// TestPcapVariantsByRecords: forms of record headers that only the records
// tell apart, as far as Wireshark's wiretap/libpcap.c describes them.
func TestPcapVariantsByRecords(t *testing.T) {
	const (
		sec1 = 1_700_000_000_000_005_000
		sec2 = 1_700_000_001_000_006_000
	)
	want := []got{{sec1, 60, 1, 0, "abcd"}, {sec2, 3, 1, 0, "xyz"}}
	for _, c := range []struct {
		name, version, capture string
	}{
		{"usual", "2.4", "d4c3b2a1" + headLE + `
			00f15365 05000000    # seconds, microseconds
			04000000 3c000000    # capture length, wire length
			61626364
			01f15365 06000000
			03000000 03000000
			78797a`},
		{"Nokia", "2.4 (Nokia)", "d4c3b2a1" + headLE + `
			00f15365 05000000
			04000000 3c000000
			01b6bf9f             # 4 bytes that only Nokia knows
			61626364
			01f15365 06000000
			03000000 03000000
			02d9bfbf
			78797a`},
		{"Nokia, zeros", "2.4 (Nokia)", "a1b2c3d4" + headBE + `
			6553f100 00000005
			00000004 0000003c
			00000000
			61626364
			6553f101 00000006
			00000003 00000003
			00000000
			78797a`},
		{"ss990417", "2.4 (ss990417)", "d4c3b2a1" + headLE + `
			00f15365 05000000
			04000000 3c000000
			02000000             # interface index
			0008 04 00           # EtherType, packet type, padding
			61626364
			01f15365 06000000
			03000000 03000000
			02000000 0608 00 00
			78797a`},
		{"ss991029", "2.4", "34cdb2a1" + headLE + `
			00f15365 05000000
			04000000 3c000000
			02000000 0008 04 00
			61626364
			01f15365 06000000
			03000000 03000000
			02000000 0608 00 00
			78797a`},
		{"ss990915", "2.4 (ss990915)", "a1b2cd34" + headBE + `
			6553f100 00000005
			00000004 0000003c
			00000002 0800 04
			00 00 000000         # two processors, padding
			61626364
			6553f101 00000006
			00000003 00000003
			00000002 0806 00
			00 00 000000
			78797a`},
	} {
		data := unhex(t, c.capture)
		recs, info, err := readBytes(data)
		if err != nil || !slices.Equal(recs, want) || info.Version != c.version {
			t.Errorf("%s: version %q, %v, %v", c.name, info.Version, recs, err)
		}
		// Cut in its second record, it is still the same form.
		recs, info, err = readBytes(data[:len(data)-1])
		if kindOf(t, err) != Truncated || !slices.Equal(recs, want[:1]) {
			t.Errorf("%s cut short: version %q, %v, %v", c.name, info.Version, recs, err)
		}
	}
}

// TestPcapAIX: AIX writes version 2.2 with nanoseconds and the interface types
// of RFC 1573, and three bytes in front of FDDI frames.
func TestPcapAIX(t *testing.T) {
	for _, c := range []struct {
		kind string // of interface
		link uint16
		data string
	}{{"06", 1, "abcd"}, {"09", 6, "abcd"}, {"0f", 10, "d"}, {"18", 0, "abcd"}} {
		recs, info, err := readBytes(unhex(t, `
			a1b2c3d4 0002 0002 00000000 00000000
			00040000 000000`+c.kind+`   # snaplen, interface type
			6553f100 1dcd6500           # seconds, 500 000 000 ns
			0000003c 00000004           # wire length first, as in version 2.2
			61626364
			6553f101 00000001
			00000004 0000003c           # or second
			61626364`))
		wire := uint32(60 - 4 + len(c.data))
		want := []got{{1_700_000_000_500_000_000, wire, c.link, 0, c.data}, {1_700_000_001_000_000_001, wire, c.link, 0, c.data}}
		if err != nil || !slices.Equal(recs, want) || info.Version != "2.2 (AIX)" || info.TimeResolution != "nanoseconds" {
			t.Errorf("interface type %s: %+v, %v, %v", c.kind, info, recs, err)
		}
	}
}

// TestUsualStaysUsual: what is odd about a capture of the usual form does not
// make another form of it.
func TestUsualStaysUsual(t *testing.T) {
	head := pcapHead(le, magicMicro, 1)
	rec := func(sec, sub, capLen, wireLen uint32) []byte {
		return slices.Concat(raw(le, sec, sub, capLen, wireLen), []byte(strings.Repeat("\x02\x00\x00\x00", int(capLen+3)/4))[:capLen])
	}
	for name, data := range map[string][]byte{
		"wire length 0":       slices.Concat(head, rec(1.7e9, 1, 60, 0), rec(1.7e9, 2, 60, 0), rec(1.7e9, 3, 60, 0)),
		"nanoseconds":         slices.Concat(head, rec(1.7e9, 5e8, 60, 60), rec(1.7e9, 6e8, 60, 60), rec(1.7e9, 7e8, 60, 60)),
		"far apart":           slices.Concat(head, rec(5, 1, 60, 60), rec(1.7e9, 2, 60, 60), rec(1e9, 3, 60, 60)),
		"above the snaplen":   slices.Concat(raw(le, uint32(magicMicro), uint16(2), uint16(4), 0, 0, 10, 1), rec(5, 1, 60, 60), rec(5, 2, 60, 60), rec(6, 3, 60, 60)),
		"joined":              slices.Concat(head, rec(5, 1, 60, 60), head, rec(0, 2, 60, 60), rec(0, 3, 60, 60)),
		"nothing in a record": slices.Concat(head, rec(5, 1, 0, 0), rec(5, 2, 0, 0), rec(5, 3, 0, 0)),
	} {
		recs, info, err := readBytes(data)
		if err != nil || len(recs) != 3 || info.Version != "2.4" {
			t.Errorf("%s: version %q, %d records, %v", name, info.Version, len(recs), err)
		}
	}
	for cut := 1; cut < 28; cut++ { // one record, and a little of another one
		data := slices.Concat(head, rec(1.7e9, 1, 60, 60), rec(1.7e9, 2, 60, 60)[:cut])
		recs, info, err := readBytes(data)
		if kindOf(t, err) != Truncated || len(recs) != 1 || info.Version != "2.4" {
			t.Errorf("%d bytes of the second record: version %q, %d records, %v", cut, info.Version, len(recs), err)
		}
	}
}

// TestFlaws: broken options of a packet block cost nothing, in packets of any
// form, and are damage all the same. The first of them is told.
func TestFlaws(t *testing.T) {
	ng := slices.Concat(section(le), ifaceBlock(le, 1, 0))
	good, bad := epb(le, 0, 1, "abcd"), epb(le, 0, 2, "efgh", raw(le, uint16(1), uint16(400), "...."))
	old := block(le, blockObsolete, uint16(0), uint16(0), 0, 3, 4, 4, "ijkl", raw(le, uint16(1), uint16(9), "...."))
	recs, info, err := readBytes(slices.Concat(ng, good, bad, old, bad, good))
	if len(recs) != 5 || kindOf(t, err) != Flawed || info.Records != 5 ||
		!strings.HasPrefix(err.Error(), "x: record 2 at offset 84: option list cut short: option 1 of 400 bytes where 4 are left, the first of 3 such faults") {
		t.Errorf("%d records, %v", len(recs), err)
	}
	// Real damage is what is reported where both are.
	recs, info, err = readBytes(slices.Concat(ng, bad, good[:20]))
	if len(recs) != 1 || kindOf(t, err) != Truncated || !strings.Contains(fmt.Sprint(info.Warnings), "option list cut short") {
		t.Errorf("%d records, %v, warnings %q", len(recs), err, info.Warnings)
	}
}

// TestUnalignedBlocks: a block's length may leave out its padding, whether or
// not there is some, and whether or not the length at its end does so too.
func TestUnalignedBlocks(t *testing.T) {
	ng := slices.Concat(section(le), ifaceBlock(le, 1, 0))
	head := raw(le, 0, 0, 7, 5, 5, "hello")
	good := epb(le, 0, 1, "abcd")
	for name, b := range map[string][]byte{
		"padded":                slices.Concat(raw(le, blockEnhanced, len(head)+12), head, make([]byte, 3), raw(le, len(head)+12)),
		"padded, counted after": slices.Concat(raw(le, blockEnhanced, len(head)+12), head, make([]byte, 3), raw(le, len(head)+15)),
		"not padded":            slices.Concat(raw(le, blockEnhanced, len(head)+12), head, raw(le, len(head)+12)),
	} {
		for _, data := range [][]byte{slices.Concat(ng, good, b, good), slices.Concat(ng, good, good, b)} {
			recs, info, err := readBytes(data)
			n := slices.IndexFunc(recs, func(r got) bool { return r.Data == "hello" && r.Time == 7000 })
			if err != nil || len(recs) != 3 || n < 1 || len(info.Warnings) != 1 || !strings.Contains(info.Warnings[0], "no multiple of 4") {
				t.Errorf("%s: %v, %v, %q", name, recs, err, info.Warnings)
			}
		}
	}
}

// TestManyLinkTypes: what Info keeps of a capture stays small.
func TestManyLinkTypes(t *testing.T) {
	data := section(le)
	for link := range 1 << 16 {
		data = append(data, ifaceBlock(le, uint16(link), 0)...)
		data = append(data, epb(le, uint32(link), 1, "")...)
	}
	_, info, err := readBytes(data)
	if err != nil || len(info.Links) != mostLinks || info.OtherLinks != 1<<16-mostLinks || info.Records != 1<<16 {
		t.Errorf("%d link types, %d records of others, %v", len(info.Links), info.OtherLinks, err)
	}
}
