package decode

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"pcapbatch/internal/flow"
)

// timed is a raw IP packet at a time in seconds.
type timed struct {
	seconds float64
	hex     string
}

// fragment4 is a fragment of a UDP datagram 192.0.2.1 > 192.0.2.2; offset is
// in units of 8 bytes. The first one has ports 1234 > 53.
func fragment4(id uint16, offset uint16, more bool) string {
	field := offset
	if more {
		field |= 0x2000
	}
	body := "6162636465666768"
	if offset == 0 {
		body = "04d2 0035 0018 0000 " + body
	}
	n := 20 + len(fromHex(body))
	return fmt.Sprintf("45 00 %04x %04x %04x 40 11 0000 c0000201 c0000202 %s", n, id, field, body)
}

// fragment6 is the same over IPv6, 2001:db8::2 > 2001:db8::1.
func fragment6(id uint32, offset uint16, more bool) string {
	field := offset << 3
	if more {
		field |= 1
	}
	body := "6162636465666768"
	if offset == 0 {
		body = "04d2 0035 0018 0000 " + body
	}
	return ipv6(44, fmt.Sprintf("11 00 %04x %08x %s", field, id, body))
}

// resolve decodes the packets in blocks of the size given and returns each
// event as text.
func resolve(t *testing.T, o Options, packets []timed, block int) []string {
	t.Helper()
	d := New(o)
	var f Fragments
	var got []string
	for len(packets) > 0 {
		n := min(block, len(packets))
		d.Begin()
		events := make([]flow.Event, n)
		for i, p := range packets[:n] {
			data := fromHex(p.hex)
			if !d.Decode(&events[i], 101, data, uint32(len(data)), int64(p.seconds*1e9)) {
				t.Fatalf("no event: %s", p.hex)
			}
		}
		if d.HasFragments() {
			f.Resolve(d, events)
		}
		for i := range events {
			ev := &events[i]
			if hash := ev.Key.Hash(o.Seed); ev.Hash != uint32(hash) || ev.Shard != ev.Key.Shard(o.Shards) {
				t.Errorf("hash and shard do not belong to the key: %s", eventText(ev))
			}
			got = append(got, eventText(ev))
		}
		packets = packets[n:]
	}
	return got
}

// TestFragments holds the rules for fragments, cut into blocks in every way.
func TestFragments(t *testing.T) {
	const (
		first   = "192.0.2.1 1234 > 192.0.2.2 53 / 17 payload 8"
		later   = first
		alone   = "192.0.2.1 0 > 192.0.2.2 0 / 17 payload 8"
		first6  = "2001:db8::2 1234 > 2001:db8::1 53 / 17 payload 8"
		later6  = first6
		alone6  = "2001:db8::2 0 > 2001:db8::1 0 / 17 payload 8"
		inner   = "10.0.0.1 50000 > 10.0.0.2 80 / 6 payload 4"
		outerUp = "192.0.2.1 0 > 192.0.2.2 0 / 47"
	)
	gre := fromHex(ipv4(47, `0000 0800`+ipv4TCP))
	greFirst := fmt.Sprintf("45 00 0040 0009 2000 40 2f 0000 %x", gre[12:64]) // all but 4 bytes
	greLater := `45 00 0018 0009 0006 40 2f 0000 c0000201 c0000202 61626364`
	for _, c := range []struct {
		name    string
		opts    Options
		packets []timed
		want    []string
	}{
		{name: "in order", packets: []timed{{0, fragment4(7, 0, true)}, {0, fragment4(7, 2, true)}, {0, fragment4(7, 3, false)}},
			want: []string{first, later, later}},
		{name: "first fragment comes last", packets: []timed{{0, fragment4(7, 2, true)}, {0, fragment4(7, 0, true)}, {0, fragment4(7, 3, false)}},
			want: []string{alone, first, later}},
		{name: "another identification", packets: []timed{{0, fragment4(7, 0, true)}, {0, fragment4(8, 2, true)}},
			want: []string{first, alone}},
		{name: "overlapping and repeated", packets: []timed{{0, fragment4(7, 0, true)}, {0, fragment4(7, 1, true)}, {0, fragment4(7, 1, true)}},
			want: []string{first, later, later}},
		{name: "two datagrams mixed", packets: []timed{{0, fragment4(7, 0, true)}, {0, fragment4(8, 0, true)}, {0, fragment4(8, 2, false)}, {0, fragment4(7, 2, false)}},
			want: []string{first, first, later, later}},
		{name: "ipv6", packets: []timed{{0, fragment6(7, 0, true)}, {0, fragment6(7, 2, true)}, {0, fragment6(8, 2, false)}},
			want: []string{first6, later6, alone6}},
		{name: "ipv4 and ipv6 have identifications apart", packets: []timed{{0, fragment4(7, 0, true)}, {0, fragment6(7, 2, true)}},
			want: []string{first, alone6}},
		{name: "30 seconds", packets: []timed{{0, fragment4(7, 0, true)}, {30, fragment4(7, 2, true)}, {30.1, fragment4(7, 3, false)}},
			want: []string{first, later, alone}},
		{name: "clock runs back", packets: []timed{{100, fragment4(7, 0, true)}, {1, fragment4(7, 2, true)}},
			want: []string{first, later}},
		{name: "unidirectional", opts: Options{Unidirectional: true}, packets: []timed{{0, fragment4(7, 0, true)}, {0, fragment4(7, 2, true)}},
			want: []string{first, later}},
		{name: "fragmented tunnel, open", opts: Options{Decapsulate: true}, packets: []timed{{0, greFirst}, {0, greLater}},
			want: []string{inner, "10.0.0.1 50000 > 10.0.0.2 80 / 6 payload 4"}},
		{name: "fragmented tunnel, closed", packets: []timed{{0, greFirst}, {0, greLater}},
			want: []string{outerUp + " payload 44", outerUp + " payload 4"}},
		{name: "fragments inside a tunnel, open", opts: Options{Decapsulate: true}, packets: []timed{{0, ipv4(4, fragment4(7, 0, true))}, {0, ipv4(4, fragment4(7, 2, false))}},
			want: []string{first, later}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.opts.Seed, c.opts.Shards = 5, 8
			for block := 1; block <= len(c.packets); block++ {
				got := resolve(t, c.opts, c.packets, block)
				if g, w := strings.Join(got, "\n"), strings.Join(c.want, "\n"); g != w {
					t.Errorf("blocks of %d:\ngot\n%s\nwant\n%s", block, g, w)
				}
			}
		})
	}
}

// TestFragmentInFragment: an inner fragment that is itself carried by outer
// fragments. The later outer fragment belongs to the session that the inner
// one was found to belong to.
func TestFragmentInFragment(t *testing.T) {
	inner := fromHex(fragment4(7, 2, false)) // 28 bytes
	carrier := func(id uint16, first bool) string {
		if first {
			return fmt.Sprintf("45 00 002c %04x 2000 40 04 0000 0a000001 0a000002 %x", id, inner[:24])
		}
		return fmt.Sprintf("45 00 0018 %04x 0003 40 04 0000 0a000001 0a000002 %x", id, inner[24:])
	}
	const session = "192.0.2.1 1234 > 192.0.2.2 53 / 17 payload "
	packets := []timed{{0, ipv4(4, fragment4(7, 0, true))}, {0, carrier(1, true)}, {0, carrier(1, false)}}
	for block := 1; block <= len(packets); block++ {
		got := resolve(t, Options{Decapsulate: true, Seed: 5, Shards: 8}, packets, block)
		want := []string{session + "8", session + "8", session + "4"}
		if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
			t.Errorf("blocks of %d:\ngot\n%s\nwant\n%s", block, g, w)
		}
	}
}

// TestFragmentsDirection: a later fragment that goes from the larger to the
// smaller endpoint is reversed as its first fragment is.
func TestFragmentsDirection(t *testing.T) {
	swap := func(text string) []byte {
		b := fromHex(text)
		copy(b[12:], fromHex("c0000202 c0000201"))
		return b
	}
	d := New(Options{})
	var f Fragments
	events := make([]flow.Event, 2)
	d.Begin()
	d.Decode(&events[0], 101, swap(fragment4(7, 0, true)), 36, 0)
	d.Decode(&events[1], 101, swap(fragment4(7, 2, false)), 28, 0)
	f.Resolve(d, events)
	if events[0].Key != events[1].Key || events[1].Flags&flow.Reversed == 0 || f.Unmatched != 0 {
		t.Errorf("unmatched %d\n%+v\n%+v", f.Unmatched, events[0], events[1])
	}
}

// A reach decodes fragments at positions and times of the test's choice.
type reach struct {
	*testing.T
	d  *Decoder
	f  Fragments
	ev [1]flow.Event
}

// port decodes a fragment and returns the port 1234 if it belongs to a session
// with ports.
func (r *reach) port(id uint32, offset uint16, position, time int64) uint16 {
	r.Helper()
	data := fromHex(fragment6(0, offset, true))
	binary.BigEndian.PutUint32(data[44:], id) // behind the IPv6 header and half of the fragment header
	r.d.Begin()
	r.d.Position = position
	if !r.d.Decode(&r.ev[0], 101, data, uint32(len(data)), time) {
		r.Fatal("no event")
	}
	r.f.Resolve(r.d, r.ev[:])
	return max(r.ev[0].Key.SrcPort, r.ev[0].Key.DstPort)
}

// TestFragmentsReach: a first fragment is remembered for exactly 32 MiB and 30 s.
func TestFragmentsReach(t *testing.T) {
	r := &reach{T: t, d: New(Options{})}
	r.port(1, 0, 1000, 0)
	for _, c := range []struct {
		position, time int64
		port           uint16
	}{
		{1000, 0, 1234},
		{1000 + FragmentBytes, reassemblyNs, 1234},
		{1000 + FragmentBytes + 1, 0, 0},
		{1000 + FragmentBytes, reassemblyNs + 1, 0},
		{1000 + FragmentBytes, -1, 1234},
	} {
		if got := r.port(1, 2, c.position, c.time); got != c.port {
			t.Errorf("at %d, %d ns: port %d, want %d", c.position, c.time, got, c.port)
		}
	}
}

// TestFragmentsBounded: what is out of reach is given up, and its memory too.
func TestFragmentsBounded(t *testing.T) {
	r := &reach{T: t, d: New(Options{})}
	const n, apart, held = 70_000, 1000, FragmentBytes/1000 + 1
	for id := range uint32(n) {
		r.port(id, 0, int64(id)*apart, 0)
	}
	at := int64(n-1) * apart
	if got := len(r.f.chunks); got < held/chunkDatagrams || got > held/chunkDatagrams+2 || len(r.f.latest) > 2*held {
		t.Errorf("%d chunks, %d buckets for %d datagrams", got, len(r.f.latest), held)
	}
	for _, c := range []struct {
		id   uint32
		port uint16
	}{{0, 0}, {n - held - 1, 0}, {n - held, 1234}, {n - 1, 1234}} {
		if got := r.port(c.id, 2, at, 0); got != c.port {
			t.Errorf("datagram %d: port %d, want %d", c.id, got, c.port)
		}
	}
	const reused = n - held
	r.port(reused, 0, at, 0)    // again, at the new end: its old place must not take it along
	r.port(n, 0, at+2*apart, 0) // which goes now
	if got := r.port(reused, 2, at+2*apart, 0); got != 1234 {
		t.Errorf("a reused identification was lost with its old place")
	}
	r.port(n+1, 0, at+1<<30, 0) // alone in reach
	if len(r.f.chunks) != 1 || r.f.next-r.f.oldest != 1 {
		t.Errorf("%d chunks, %d datagrams; want one of one", len(r.f.chunks), r.f.next-r.f.oldest)
	}
	r.f.Unmatched = 5
	r.f.Forget()
	if got := r.port(n+1, 2, at+1<<30, 0); got != 0 || r.f.Unmatched != 6 || r.f.chunks != nil || r.f.latest != nil {
		t.Errorf("after Forget: port %d, %d unmatched, %d chunks, %d buckets", got, r.f.Unmatched, len(r.f.chunks), len(r.f.latest))
	}
}
