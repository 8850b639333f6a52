package decode

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"pcapbatch/internal/flow"
)

// fromHex turns annotated hex into bytes: white space is free, and a # starts
// a comment up to the end of the line. It panics if the hex is wrong.
func fromHex(text string) []byte {
	var digits strings.Builder
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		for _, f := range strings.Fields(line) {
			digits.WriteString(f)
		}
	}
	b, err := hex.DecodeString(digits.String())
	if err != nil {
		panic(err)
	}
	return b
}

// describe decodes one record with a fresh Decoder and says in one line what
// became of it. It fails the test if the counts do not say the same.
func describe(t *testing.T, o Options, link uint16, data []byte, wireLen int) string {
	t.Helper()
	d := New(o)
	ev := flow.Event{Hash: 0xdeadbeef, Flags: 0xff, Shard: 0xff} // recycled
	ok := d.Decode(&ev, link, data, uint32(wireLen), 7)
	if further, _ := drain(d, &ev); further > 0 {
		t.Errorf("%d further packets", further)
	}
	c := d.Counts()
	if c.Records() != 1 || (c.Events == 1) != ok {
		t.Errorf("counts of one record, event %v: %+v", ok, c)
	}
	if ok {
		if ev.Time != 7 || ev.WireBytes != uint32(wireLen) {
			t.Errorf("time %d, wire length %d; want 7, %d", ev.Time, ev.WireBytes, wireLen)
		}
		return eventText(&ev)
	}
	for k, n := range c.Kinds {
		if n > 0 {
			return "non-ip: " + Kind(k).String()
		}
	}
	for r, n := range c.Undecodable {
		if n > 0 {
			return "undecodable: " + Reason(r).String()
		}
	}
	for link := range c.UnsupportedLink {
		return fmt.Sprintf("unsupported link type %d", link)
	}
	return "lost"
}

// eventText is "source port > destination port / protocol payload N", in the
// direction of the packet, and what else is not zero.
func eventText(ev *flow.Event) string {
	k := ev.Key
	if ev.Flags&flow.Reversed != 0 {
		k.Reverse()
	}
	s := fmt.Sprintf("%v %d > %v %d / %d payload %d", k.SrcAddr(), k.SrcPort, k.DstAddr(), k.DstPort, k.Protocol, ev.PayloadBytes)
	if k.VLANOuter|k.VLANInner != 0 {
		s += fmt.Sprintf(" vlan %d,%d", k.VLANOuter, k.VLANInner)
	}
	if ev.Flags&flow.Truncated != 0 {
		s += " truncated"
	}
	return s
}

// decodeCase is one packet and what becomes of it.
type decodeCase struct {
	name string
	link uint16
	hex  string
	want string
	opts Options
	cut  int // capture length, if the record is truncated
}

func runCases(t *testing.T, cases []decodeCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			data := fromHex(c.hex)
			wireLen := len(data)
			if c.cut > 0 {
				data = data[:c.cut]
			}
			if got := describe(t, c.opts, c.link, data, wireLen); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// Packets that many tests share.

const macs = `
	02 00 00 00 00 02  02 00 00 00 00 01  # destination, source
`

const ipv4TCP = `
	45 00 00 2c  00 01 40 00  40 06 26 c9  # total length 44, TCP, checksum
	0a 00 00 01  0a 00 00 02               # 10.0.0.1 > 10.0.0.2
	c3 50 00 50  00 00 00 01  00 00 00 02  # port 50000 > 80
	50 18 20 00  00 00 00 00               # data offset 5, PSH ACK
	61 62 63 64                            # 4 bytes of payload
`

const ipv4TCPText = "10.0.0.1 50000 > 10.0.0.2 80 / 6 payload 4"

const ethIPv4TCP = macs + ` 08 00 ` + ipv4TCP

const vlanIPv4TCP = macs + ` 81 00 00 64 08 00 ` + ipv4TCP

const ipv6Addresses = `
	20 01 0d b8 00 00 00 00  00 00 00 00 00 00 00 02  # 2001:db8::2
	20 01 0d b8 00 00 00 00  00 00 00 00 00 00 00 01  # > 2001:db8::1
`

const ipv6UDP = `
	60 00 00 00  00 0c 11 40  # payload length 12, UDP
` + ipv6Addresses + `
	14 e9 14 ea  00 0c 00 00  # port 5353 > 5354
	61 62 63 64               # 4 bytes of payload
`

const ipv6UDPText = "2001:db8::2 5353 > 2001:db8::1 5354 / 17 payload 4"

const ethIPv6UDP = macs + ` 86 dd ` + ipv6UDP

// ipv4 puts an IPv4 header with the right total length before annotated hex:
// 192.0.2.1 > 192.0.2.2.
func ipv4(protocol byte, text string) string {
	n := 20 + len(fromHex(text))
	return fmt.Sprintf("45 00 %04x 0000 0000 40 %02x 0000 c0000201 c0000202\n%s", n, protocol, text)
}

// ipv6 puts an IPv6 header with the right payload length before annotated hex:
// 2001:db8::2 > 2001:db8::1.
func ipv6(next byte, text string) string {
	n := len(fromHex(text))
	return fmt.Sprintf("60000000 %04x %02x 40\n%s\n%s", n, next, ipv6Addresses, text)
}
