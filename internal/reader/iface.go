package reader

import (
	"fmt"
	"math"
	"math/bits"
)

// Options of an interface description block that matter here.
const (
	optResolution = 9
	optOffset     = 14
)

// resolutionDefault is if_tsresol where it is not given: microseconds.
const resolutionDefault = 6

// iface is one pcapng interface: 24 bytes without pointers, as a section may
// have very many.
type iface struct {
	offset     int64  // seconds to add to each timestamp
	slot       int32  // of its link type in tally.links; -1 before the first record
	snaplen    uint32 // bytes; 0: no limit
	scale      uint32 // ns per unit of time, where that is a whole number; else 0
	link       uint16
	resolution uint8 // if_tsresol: power of 10, or with the top bit of 2, that a second has units
}

// addInterface takes an interface description block.
func (p *pcapng) addInterface(body []byte) step {
	if len(body) < 8 {
		return tooSmall("interface description", body)
	}
	if len(p.ifaces) == ngMaxIfaces {
		return step{kind: Unsupported, err: fmt.Errorf("more than %d interfaces in a section", ngMaxIfaces)}
	}
	f := iface{link: p.u16(body), snaplen: p.u32(body[4:]), slot: -1, resolution: resolutionDefault}
	err := p.options(body[8:], func(code uint16, v []byte) error {
		switch {
		case code == optResolution && len(v) == 1:
			f.resolution = v[0]
		case code == optOffset && len(v) == 8:
			f.offset = p.i64(v)
		case code == optResolution || code == optOffset:
			return fmt.Errorf("interface option %d of %d bytes", code, len(v))
		}
		return nil
	})
	if err != nil {
		return step{kind: Corrupt, err: err}
	}
	if f.resolution <= 9 {
		f.scale = uint32(pow10(9 - f.resolution))
	}
	p.ifaces = append(p.ifaces, f)
	p.note(f)
	return step{}
}

// note keeps what Info tells about interfaces.
func (p *pcapng) note(f iface) {
	p.interfaces++
	p.snaplen = max(p.snaplen, f.snaplen)
	if name := resolutionName(f.resolution); p.resolution == "" {
		p.resolution = name
	} else if p.resolution != name {
		p.resolution = "mixed"
	}
}

func (p *pcapng) i64(b []byte) int64 {
	first, second := uint64(p.u32(b)), uint64(p.u32(b[4:]))
	if p.big {
		return int64(first<<32 | second)
	}
	return int64(second<<32 | first)
}

// limit is the largest capture length to believe, in bytes.
func (f *iface) limit() uint32 {
	if f.snaplen == 0 {
		return maxRecord
	}
	return recordLimit(f.snaplen)
}

// nanos turns a timestamp into ns since the Unix epoch, exactly; what is finer
// than a nanosecond is cut off. Outside int64 it returns the nearer end of the
// range, and true.
func (f *iface) nanos(ts uint64) (ns int64, clamped bool) {
	hi, lo := bits.Mul64(ts, uint64(f.scale))
	if f.scale != 0 && f.offset == 0 && hi == 0 && lo <= math.MaxInt64 {
		return int64(lo), false
	}
	hi, lo = f.unitsToNs(ts)
	// The offset is a whole number of seconds, so cutting before adding it
	// rounds like cutting after.
	ohi, olo := secondsToNs(f.offset)
	lo, carry := bits.Add64(lo, olo, 0)
	hi, _ = bits.Add64(hi, ohi, carry)
	switch {
	case int64(hi) == int64(lo)>>63: // the upper half is but the sign of the lower
		return int64(lo), false
	case int64(hi) < 0:
		return math.MinInt64, true
	}
	return math.MaxInt64, true
}

// unitsToNs scales a timestamp to ns, in 128 bits.
func (f *iface) unitsToNs(ts uint64) (hi, lo uint64) {
	power := f.resolution &^ 0x80
	switch {
	case f.resolution&0x80 != 0:
		hi, lo = bits.Mul64(ts, 1e9)
		if power >= 64 {
			return 0, hi >> (power - 64)
		}
		return hi >> power, lo>>power | hi<<(64-power)
	case power <= 9:
		return bits.Mul64(ts, pow10(9-power))
	case power-9 < 20:
		return 0, ts / pow10(power-9)
	}
	return 0, 0 // 64 bits of units are less than a nanosecond
}

// secondsToNs is s * 10^9 as a 128-bit two's complement number.
func secondsToNs(s int64) (hi, lo uint64) {
	hi, lo = bits.Mul64(uint64(s), 1e9)
	if s < 0 {
		hi -= 1e9 // uint64(s) is s + 2^64
	}
	return hi, lo
}

// pow10 is 10^n for n below 20.
func pow10(n uint8) uint64 {
	v := uint64(1)
	for ; n > 0; n-- {
		v *= 10
	}
	return v
}

// resolutionName is how Info shows an if_tsresol.
func resolutionName(r uint8) string {
	switch r {
	case 0:
		return "seconds"
	case 3:
		return "milliseconds"
	case 6:
		return "microseconds"
	case 9:
		return "nanoseconds"
	}
	if r&0x80 != 0 {
		return fmt.Sprintf("2^-%d s", r&^0x80)
	}
	return fmt.Sprintf("10^-%d s", r)
}
