package writer

import (
	"math"
	"math/bits"
	"strconv"
	"testing"
)

// A float64 is the one that is nearest to the text of the CSV, however large the
// value is.
func TestFloat(t *testing.T) {
	r := newRand(11)
	columns := map[Kind]Column{}
	for _, c := range append(Columns(), quantileColumns("5", 0)...) {
		if c.Type == Decimal {
			columns[c.Kind] = c
		}
	}
	check := func(c *Column, v Value) {
		t.Helper()
		text := written(t, func(b []byte, n int) int {
			switch c.Kind {
			case Nanos:
				return putNano(b, n, v.Lo)
			case Micros:
				return putMicro(b, n, v.Lo)
			case Halves:
				return putHalves(b, n, v.Hi, v.Lo)
			}
			return putMicro128(b, n, v.Hi, v.Lo)
		})
		want, err := strconv.ParseFloat(text, 64)
		if got := c.Float(v); err != nil || math.Float64bits(got) != math.Float64bits(want) {
			t.Fatalf("%s of %+v: %v, want %v (%v)", c.Name, v, got, want, err)
		}
	}
	for _, kind := range []Kind{Nanos, Micros, Micros128, Halves} {
		c, ok := columns[kind]
		if !ok {
			t.Fatalf("no column of kind %d", kind)
		}
		for _, lo := range []uint64{0, 1, mostExact - 1, mostExact, mostExact + 1, math.MaxUint64} {
			check(&c, Value{Lo: lo})
		}
		for range 100_000 {
			v := Value{Lo: r.Uint64() >> r.IntN(64)}
			switch kind {
			case Micros128:
				v.Hi = r.Uint64() >> r.IntN(64) % (1 << 60)
			case Halves:
				v.Hi = r.Uint64() & 1
			}
			if kind != Micros128 || bits.Len64(v.Hi) < 60 { // below 10^38
				check(&c, v)
			}
		}
	}
}

func TestStorage(t *testing.T) {
	want := map[string]Storage{
		"src_ip": String, "src_port": Uint16, "dst_port": Uint16, "protocol": Uint8, "vlan_outer": Uint16, "first_seen_ns": Int64,
		"total_packets": Int64, "iat_std_s": Double, "bytes_per_s": Double, "fwd_ttl_min": Uint8, "bwd_ttl_max": Uint8,
		"fwd_initial_window": Uint16, "icmp_type": Uint8, "icmp_code": Uint8, "tcp_state": String, "community_id": String,
		"first_seen": Timestamp, "last_seen": Timestamp, "seq_i_length": Int64, "packet_length_pQ": Double, "label": String,
	}
	for _, c := range Dictionary() {
		if s, ok := want[c.Name]; ok && c.Storage() != s {
			t.Errorf("%s is kept as %s, want %s", c.Name, c.Storage(), s)
		}
		delete(want, c.Name)
	}
	if len(want) > 0 {
		t.Errorf("no columns %v", want)
	}
}

// A timestamp is rounded down, before 1970 too.
func TestMicros(t *testing.T) {
	for ns, want := range map[int64]int64{0: 0, 999: 0, 1000: 1, -1: -1, -1000: -1, -1001: -2, math.MaxInt64: 9223372036854775, math.MinInt64: -9223372036854776} {
		c := Column{time: func(*Row) int64 { return ns }}
		if got := c.Micros(nil); got != want {
			t.Errorf("%d ns: %d µs, want %d", ns, got, want)
		}
	}
}
