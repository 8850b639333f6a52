package decode

import (
	"fmt"
	"testing"

	"pcapbatch/internal/flow"
)

// detailText decodes one record, and says what Detail says of it.
func detailText(t *testing.T, o Options, data []byte, wireLen int) string {
	t.Helper()
	d := New(o)
	var ev flow.Event
	if !d.Decode(&ev, 1, data, uint32(wireLen), 7) {
		t.Fatal("no event")
	}
	w := d.Detail()
	if !w.Valid(ev.Key.Protocol) || w.Side() != 0 {
		t.Errorf("%#x is not valid for protocol %d", w, ev.Key.Protocol)
	}
	s := fmt.Sprintf("ttl %d header %d", w.TTL(), w.Header())
	if w.Fragment() {
		s += " fragment"
	}
	if f, ok := w.TCPFlags(); ok {
		s += fmt.Sprintf(" flags %02x", f)
	}
	if n, ok := w.Window(); ok {
		s += fmt.Sprintf(" window %d", n)
	}
	if typ, code, ok := w.ICMP(); ok {
		s += fmt.Sprintf(" icmp %d/%d", typ, code)
	}
	return s
}

func TestDetail(t *testing.T) {
	ether := func(s string) string { return macs + " 08 00 " + s }
	ether6 := func(s string) string { return macs + " 86 dd " + s }
	const tcp = `04d2 0035 00000001 00000002 60 d2 1234 0000 0000 02040204 `
	for _, c := range []struct {
		name, hex, want string
		cut             int // captured bytes, 0: all
		opts            Options
	}{
		{name: "tcp with options", hex: ether(ipv4(6, tcp+`61`)), want: "ttl 64 header 24 flags d2 window 4660"},
		{name: "tcp without window", hex: ether(ipv4(6, tcp)), cut: 14 + 20 + 15, want: "ttl 64 header 24 flags d2"},
		{name: "tcp without flags", hex: ether(ipv4(6, tcp)), cut: 14 + 20 + 13, want: "ttl 64 header 24"},
		{name: "tcp without data offset", hex: ether(ipv4(6, tcp)), cut: 14 + 20 + 12, want: "ttl 64 header 20"},
		{name: "padding is no tcp header", hex: ether(`45 00 0020 0000 0000 07 06 0000 c0000201 c0000202 04d2 0035 00000001 00000002  50 12 1234`), want: "ttl 7 header 20"},
		{name: "udp", hex: ether(ipv4(17, `04d2 0035 000a 0000 6162`)), want: "ttl 64 header 8"},
		{name: "udp-lite", hex: ether(ipv4(136, `04d2 0035 0008 0000 6162`)), want: "ttl 64 header 8"},
		{name: "sctp", hex: ether(ipv4(132, `04d2 0035 00000000 00000000 61`)), want: "ttl 64 header 12"},
		{name: "dccp", hex: ether(ipv4(33, `04d2 0035 ff00 0000 00000000 00000000 616263`)), want: "ttl 64 header 1020"},
		{name: "dccp cut off", hex: ether(ipv4(33, `04d2 0035 ff00 0000 00000000 00000000 616263`)), cut: 14 + 20 + 4, want: "ttl 64 header 12"},
		{name: "icmp", hex: ether(ipv4(1, `08 07 0000 0001 0001 616263`)), want: "ttl 64 header 8 icmp 8/7"},
		{name: "icmp cut off", hex: ether(ipv4(1, `08 07 0000 0001 0001 616263`)), cut: 14 + 20 + 1, want: "ttl 64 header 8"},
		{name: "icmpv6", hex: ether6(ipv6(58, `80 00 0000 0001 0001 61`)), want: "ttl 64 header 8 icmp 128/0"},
		{name: "esp", hex: ether(ipv4(50, `00000000 00000000`)), want: "ttl 64 header 0"},
		{name: "first fragment", hex: ether(`45 00 0020 0001 2000 40 11 0000 c0000201 c0000202 04d2 0035 0020 0000 61626364`), want: "ttl 64 header 8 fragment"},
		{name: "later fragment", hex: ether(`45 00 0028 0001 0001 09 06 0000 c0000201 c0000202 ` + tcp), want: "ttl 9 header 0 fragment"},
		{name: "ipv6 later fragment", hex: ether6(ipv6(44, `3a 00 0008 00000001 80008384 81828384`)), want: "ttl 64 header 0 fragment"},
		{name: "tunnel closed", hex: ether(ipv4(4, `45 00 002c 0000 0000 05 06 0000 0a000001 0a000002 `+tcp)), want: "ttl 64 header 0"},
		{name: "tunnel opened", hex: ether(ipv4(4, `45 00 002c 0000 0000 05 06 0000 0a000001 0a000002 `+tcp)), opts: Options{Decapsulate: true}, want: "ttl 5 header 24 flags d2 window 4660"},
		{name: "inside a fragment", hex: ether(`45 00 0040 0001 2000 40 04 0000 c0000201 c0000202 45 00 002c 0000 0000 05 06 0000 0a000001 0a000002 ` + tcp), opts: Options{Decapsulate: true},
			want: "ttl 5 header 24 flags d2 window 4660"},
	} {
		data := fromHex(c.hex)
		wire := len(data)
		if c.cut > 0 {
			data = data[:c.cut]
		}
		c.opts.Details = true
		if got := detailText(t, c.opts, data, wire); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
