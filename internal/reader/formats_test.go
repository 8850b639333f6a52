package reader

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestPcapVariants reads the historical forms of the classic format.
func TestPcapVariants(t *testing.T) {
	head := func(major, minor uint16, link uint32) []byte {
		return raw(le, uint32(magicMicro), major, minor, 0, 0, uint32(96), link)
	}
	swapped := raw(le, 1, 2, 60, 4, "abcd")
	usual := raw(le, 1, 2, 4, 60, "abcd")
	for _, c := range []struct {
		name string
		data []byte
	}{
		{"2.0", slices.Concat(head(2, 0, 1), swapped)},
		{"2.2", slices.Concat(head(2, 2, 1), swapped)},
		{"2.3 swapped", slices.Concat(head(2, 3, 1), swapped)},
		{"2.3 not swapped", slices.Concat(head(2, 3, 1), usual)},
		{"2.4", slices.Concat(head(2, 4, 1), usual)},
		{"2.5", slices.Concat(head(2, 5, 1), usual)},
		{"2.8224", slices.Concat(head(2, 8224, 1), usual)},
		{"543.0", slices.Concat(head(543, 0, 1), swapped)},
		{"upper link bits", slices.Concat(head(2, 4, 0xf4300001), usual)},
		{"kuznetzov", slices.Concat(raw(le, uint32(magicKuznetzov), uint16(2), uint16(4), 0, 0, 96, 1), raw(le, 1, 2, 4, 60, 7, uint16(8), uint8(0), uint8(0), "abcd"))},
		{"kuznetzov be", slices.Concat(raw(be, uint32(magicKuznetzov), uint16(2), uint16(4), 0, 0, 96, 1), raw(be, 1, 2, 4, 60, 7, uint16(8), uint8(0), uint8(0), "abcd"))},
	} {
		recs, _, err := readBytes(c.data)
		if want := []got{{1_000_002_000, 60, 1, 0, "abcd"}}; err != nil || !slices.Equal(recs, want) {
			t.Errorf("%s: %v, %v", c.name, recs, err)
		}
	}
}

// TestPcapOddities: seconds are unsigned, a sub-second field beyond a second is
// added and counted, a capture length above the snaplen is taken as it stands,
// and a wire length below it is raised and counted.
func TestPcapOddities(t *testing.T) {
	data := slices.Concat(raw(be, uint32(magicMicro), uint16(2), uint16(4), 0, 0, 2, 1),
		raw(be, ^uint32(0), ^uint32(0), 4, 1, "abcd"))
	recs, info, err := readBytes(data)
	if want := []got{{4294967295_000000000 + 4294967295_000, 4, 1, 0, "abcd"}}; err != nil || !slices.Equal(recs, want) {
		t.Errorf("%v %v", recs, err)
	}
	if info.WireLengthRaised != 1 || info.SubsecondOverflow != 1 || len(info.Warnings) != 2 {
		t.Errorf("info %+v", info)
	}
}

// TestZeroLengthRecords: as many records as a block can hold.
func TestZeroLengthRecords(t *testing.T) {
	const n = 3 * BlockBytes / pcapRecord
	data := pcapHead(le, magicMicro, 1)
	for range n {
		data = append(data, pcapRec(le, 1, 2, "")...)
	}
	recs, info, err := readBytes(data)
	if err != nil || len(recs) != n || info.Links[0].Records != n {
		t.Errorf("%d records, %v, %v", len(recs), info, err)
	}
}

// TestPcapngBlocks reads every block type, in sections of both byte orders,
// with interfaces of their own.
func TestPcapngBlocks(t *testing.T) {
	ms, offset := option(le, optResolution, []byte{3}), option(be, optOffset, raw(be, uint64(100)))
	data := slices.Concat(
		section(le), ifaceBlock(le, 1, 0, ms, raw(le, 0)), ifaceBlock(le, 113, 64),
		block(le, blockNames, 0), block(le, blockStatistics, 0, 0, 0), block(le, blockCustom, 9), block(le, blockCustomKeep, 9),
		block(le, blockSecrets, 0, 0), block(le, blockJournal, "x=y\n"), block(le, 0x80000001),
		epb(le, 0, 1500, "abcd", option(le, 2, raw(le, 0)), raw(le, 0)),
		block(le, blockObsolete, uint16(1), uint16(3), 0, 2_000_000, 3, 60, "abc\x00"),
		section(be), spb0(), ifaceBlock(be, 276, 0, offset), block(be, blockStatistics, make([]byte, 300<<10)),
		spb(be, 4, "wxyz"), epb(be, 0, 1, "e"))
	recs, info, err := readBytes(data)
	want := []got{
		{1_500_000_000, 4, 1, 0, "abcd"}, {2_000_000_000, 60, 113, 0, "abc"},
		{2_000_000_000, 4, 276, NoTime, "wxyz"}, {100_000_001_000, 1, 276, 0, "e"},
	}
	if err != nil || !slices.Equal(recs, want) {
		t.Errorf("%v %v", recs, err)
	}
	const wantInfo = "{pcapng 1.0  mixed mixed 64 [{1 1} {113 1} {276 2}] 2 3 1 4 1 0 0 0 0 " +
		"[{name resolution 1} {interface statistics 2} {decryption secrets 1} {systemd journal 1} {custom 2} {other 2}] []}"
	if fmt.Sprint(info) != wantInfo {
		t.Errorf("info %v\nwant %s", info, wantInfo)
	}
}

// spb0 is an unknown block in big-endian order, the smallest there is.
func spb0() []byte { return block(be, 0x7777) }

// TestPcapngClamps: times beyond int64 are clamped, flagged and counted, and
// are what a record without time inherits.
func TestPcapngClamps(t *testing.T) {
	early := option(le, optOffset, raw(le, uint64(1)<<63))
	data := slices.Concat(section(le), ifaceBlock(le, 1, 0), ifaceBlock(le, 1, 0, early),
		epb(le, 0, math.MaxUint64, "late"), spb(le, 4, "none"), epb(le, 1, 0, "early"))
	recs, info, err := readBytes(data)
	want := []got{{math.MaxInt64, 4, 1, ClampedTime, "late"}, {math.MaxInt64, 4, 1, NoTime, "none"}, {math.MinInt64, 5, 1, ClampedTime, "early"}}
	if err != nil || !slices.Equal(recs, want) || info.ClampedTime != 2 || info.NoTime != 1 {
		t.Errorf("%v %v %v", recs, info, err)
	}
}

// TestNanos holds the time arithmetic against big rationals, over all
// resolutions.
func TestNanos(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for resolution := range 256 {
		for range 200 {
			f := iface{resolution: uint8(resolution), offset: int64(rnd.Uint64()) >> rnd.IntN(64)}
			if rnd.IntN(2) == 0 {
				f.offset = 0
			}
			if f.resolution <= 9 {
				f.scale = uint32(pow10(9 - f.resolution))
			}
			ts := rnd.Uint64() >> rnd.IntN(64)
			ns, clamped := f.nanos(ts)
			wantNs, wantClamped := exactNanos(f, ts)
			if ns != wantNs || clamped != wantClamped {
				t.Fatalf("if_tsresol %#x, offset %d, %d units: %d %t, want %d %t", resolution, f.offset, ts, ns, clamped, wantNs, wantClamped)
			}
		}
	}
}

// exactNanos is nanos by the definition.
func exactNanos(f iface, ts uint64) (int64, bool) {
	base := int64(10)
	if f.resolution&0x80 != 0 {
		base = 2
	}
	units := new(big.Int).Exp(big.NewInt(base), big.NewInt(int64(f.resolution&0x7f)), nil)
	ns := new(big.Int).Mul(new(big.Int).SetUint64(ts), big.NewInt(1e9))
	ns.Div(ns, units)
	ns.Add(ns, new(big.Int).Mul(big.NewInt(f.offset), big.NewInt(1e9)))
	switch {
	case ns.IsInt64():
		return ns.Int64(), false
	case ns.Sign() < 0:
		return math.MinInt64, true
	}
	return math.MaxInt64, true
}

// TestErfTypes maps record types to link types; what carries no packet is
// counted apart.
func TestErfTypes(t *testing.T) {
	ext := strings.Repeat("\x80.......", 2) + "\x00......."
	data := slices.Concat(
		erfRec(1e9<<32, erfHDLC, 4, "\xff\x03\x00\x21"), erfRec(1e9<<32, erfColorHDLC, 4, "\x0f\x00\x08\x00"),
		erfRec(1e9<<32, erfMultiHDLC, 4, "mchd\xff\x03\x00\x21"), erfRec(1e9<<32, erfHDLC, 2, "??"),
		erfRec(1e9<<32, erfMeta, 0, "meta"), erfRec(1e9<<32, erfPad, 0, ""),
		erfRec(1e9<<32, erfEthernet|erfMoreHeaders, 3, ext+"\x00\x00eth"), erfRec(1e9<<32|3, erfIPv6, 2, "v6 "))
	recs, info, err := readBytes(data)
	want := []got{
		{1e18, 4, 50, 0, "\xff\x03\x00\x21"}, {1e18, 4, 104, 0, "\x0f\x00\x08\x00"}, {1e18, 4, 50, 0, "\xff\x03\x00\x21"},
		{1e18, 18, 197, 0, string(erfRec(1e9<<32, erfHDLC, 2, "??"))}, {1e18, 3, 1, 0, "eth"}, {1e18 + 1, 2, 229, 0, "v6"},
	}
	if err != nil || !slices.Equal(recs, want) || fmt.Sprint(info.Skipped) != "[{records without a packet 2}]" {
		t.Errorf("%v %v %v", recs, info, err)
	}
}

// TestSnoopPadding: records are padded; the last one may lack its padding only
// with an error.
func TestSnoopPadding(t *testing.T) {
	data := slices.Concat(raw(be, snoopMagic, 2, 8), snoopRec(1, 0, "abc"), snoopRec(2, 0, "d"))
	recs, _, err := readBytes(data)
	if want := []got{{1e9, 3, 10, 0, "abc"}, {2e9, 1, 10, 0, "d"}}; err != nil || !slices.Equal(recs, want) {
		t.Errorf("%v %v", recs, err)
	}
	recs, _, err = readBytes(data[:len(data)-1])
	if len(recs) != 2 || kindOf(t, err) != Truncated {
		t.Errorf("without padding: %d records, %v", len(recs), err)
	}
}
