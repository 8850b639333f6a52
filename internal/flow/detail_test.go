package flow

import "testing"

// What is put into a word comes out of it, whatever else is in it.
func TestDetail(t *testing.T) {
	r := newRand()
	for range 100_000 {
		ttl, header, flags, window := uint8(r.Uint32()), int64(r.IntN(1024)), uint8(r.Uint32()), uint16(r.Uint32())
		fragment, hasFlags, hasWindow, hasICMP := r.IntN(2) == 0, r.IntN(2) == 0, r.IntN(3) == 0, r.IntN(3) == 0
		side := r.IntN(2)
		d := NewDetail(ttl).WithHeader(header)
		if fragment {
			d = d.WithFragment()
		}
		if hasFlags {
			d = d.WithTCPFlags(flags)
		}
		hasICMP = hasICMP && !hasWindow && !hasFlags
		if hasWindow {
			d = d.WithWindow(window)
		} else if hasICMP {
			d = d.WithICMP(uint8(window>>8), uint8(window))
		}
		d = d.WithReversed(Truncated | Flags(side)*Reversed | 0x3f)
		gotFlags, okFlags := d.TCPFlags()
		gotWindow, okWindow := d.Window()
		typ, code, okICMP := d.ICMP()
		if d.TTL() != ttl || int64(d.Header()) != header || d.Fragment() != fragment || d.Side() != side ||
			okFlags != hasFlags || okFlags && gotFlags != flags || okWindow != hasWindow || okWindow && gotWindow != window ||
			okICMP != hasICMP || okICMP && uint16(typ)<<8|uint16(code) != window {
			t.Fatalf("%#x: TTL %d, header %d, flags %#x, window %d", d, ttl, header, flags, window)
		}
		protocol := uint8(17)
		switch {
		case hasFlags || hasWindow:
			protocol = 6
		case hasICMP:
			protocol = 58
		}
		if !d.Valid(protocol) || d.Valid(6) != (protocol != 58) || d.Valid(1) != (protocol != 6) || d.Valid(17) != (protocol == 17) {
			t.Fatalf("%#x is valid for a wrong protocol", d)
		}
	}
}

func TestDetailBounds(t *testing.T) {
	for header, want := range map[int64]uint16{-1: 0, 0: 0, 1020: 1020, 1023: 1023, 1024: 1023, 1 << 40: 1023} {
		if d := NewDetail(0).WithHeader(header); d.Header() != want || !d.Valid(0) {
			t.Errorf("header of %d bytes: %#x", header, d)
		}
	}
	for _, d := range []Detail{1 << 5, 1 << 7, 1 << 50, 1 << 63, 1 << detailFlagsShift, 1 << detailWindowShift} {
		if d.Valid(6) {
			t.Errorf("%#x is valid", d)
		}
	}
}
