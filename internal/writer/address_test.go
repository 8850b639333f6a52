package writer

import (
	"encoding/binary"
	"net/netip"
	"testing"
)

func TestPutAddress(t *testing.T) {
	check := func(version uint8, a [16]byte) {
		t.Helper()
		want := netip.AddrFrom16(a).String()
		if version == 4 {
			want = netip.AddrFrom4([4]byte(a[:4])).String()
		}
		got := written(t, func(b []byte, n int) int {
			return putAddress(b, n, Value{binary.BigEndian.Uint64(a[:8]), binary.BigEndian.Uint64(a[8:]), version})
		})
		if got != want {
			t.Fatalf("%v: %s, want %s", a, got, want)
		}
	}
	for octet := range 256 {
		for i := range 4 {
			var a [16]byte
			a[i] = byte(octet)
			check(4, a)
			check(4, [16]byte{byte(octet), byte(octet), byte(octet), byte(octet)})
		}
	}
	r := newRand(5)
	for range 50_000 {
		var a [16]byte
		for i := range a {
			if r.IntN(3) > 0 { // runs of zeros to shorten
				a[i] = byte(r.Uint32())
			}
		}
		check(6, a)
		clear(a[4:])
		check(4, a)
	}
	for _, s := range []string{"::", "::1", "2001:db8::", "::ffff:192.0.2.1", "1:0:0:2::3", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"} {
		check(6, netip.MustParseAddr(s).As16())
	}
}
