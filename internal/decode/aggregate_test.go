package decode

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pcapbatch/internal/flow"
)

// aggregateHead is the header of an 802.11 frame whose QoS control field
// announces an A-MSDU.
const aggregateHead = `
	88 02 00 00` + wlanAddresses + `00 00  # QoS data from the access point
	80 00                                   # QoS control: A-MSDU
`

// subframe puts the header of a subframe before annotated hex, and padding
// behind it.
func subframe(text string) string {
	n := len(fromHex(text))
	return fmt.Sprintf("%s %04x %s %s\n", macs, n, text, zeros((4-(subframeHeader+n)%4)%4))
}

const (
	snapARP    = `aa aa 03 00 00 00 08 06 0001`
	subframe4  = `aa aa 03 00 00 00 08 00` + ipv4TCP
	subframe6  = `aa aa 03 00 00 00 86 dd` + ipv6UDP
	wire4      = "wire 66" // 14 + 8 + 44
	wire6      = "wire 74" // 14 + 8 + 52
	cutOff     = "link header cut off 1"
	malformed  = "link header malformed 1"
	aggregate4 = ipv4TCPText + " " + wire4
	aggregate6 = ipv6UDPText + " " + wire6
)

// packetsOf decodes one record to the end and lists its events, and what
// became of the packets without one. It fails the test unless the counts say
// that there was one record.
func packetsOf(t *testing.T, o Options, link uint16, data []byte, wireLen int) (list []string) {
	t.Helper()
	d := New(o)
	var ev flow.Event
	for ok := d.Decode(&ev, link, data, uint32(wireLen), 7); ok; ok = d.More(&ev) {
		if ev.Time != 7 {
			t.Errorf("time %d of packet %d", ev.Time, len(list))
		}
		list = append(list, fmt.Sprintf("%s wire %d", eventText(&ev), ev.WireBytes))
	}
	c := d.Counts()
	if c.Records() != 1 || c.Events != uint64(len(list)) {
		t.Errorf("%d events; counts of one record: %+v", len(list), c)
	}
	for k, n := range c.Kinds {
		if n > 0 {
			list = append(list, fmt.Sprintf("%v %d", Kind(k), n))
		}
	}
	for r, n := range c.Undecodable {
		if n > 0 {
			list = append(list, fmt.Sprintf("%v %d", Reason(r), n))
		}
	}
	return list
}

// TestAggregate: each packet of an A-MSDU counts in its session, with the wire
// length of its subframe; what cannot be read costs nothing before it and is
// counted once.
func TestAggregate(t *testing.T) {
	gre := func(text string) string { return ipv4(47, `0000 8200`+text) } // Aruba's 802.11 in GRE
	open := Options{Decapsulate: true}
	outer := func(subframes int) string {
		n := 4 + 26 + subframes
		return fmt.Sprintf("192.0.2.1 0 > 192.0.2.2 0 / 47 payload %d wire %d", n, 20+n)
	}
	for _, c := range []struct {
		name string
		hex  string
		want []string
		opts Options
		link uint16 // 105 if 0
		cut  int
	}{
		{name: "one", hex: subframe(subframe4), want: []string{aggregate4}},
		{name: "two", hex: subframe(subframe4) + subframe(subframe6), want: []string{aggregate4, aggregate6}},
		{name: "three, arp first", hex: subframe(snapARP) + subframe(subframe4) + subframe(subframe4), want: []string{aggregate4, aggregate4, "arp 1"}},
		{name: "arp between", hex: subframe(subframe4) + subframe(snapARP) + subframe(subframe6), want: []string{aggregate4, aggregate6, "arp 1"}},
		{name: "arp last", hex: subframe(subframe4) + subframe(snapARP), want: []string{aggregate4, "arp 1"}},
		{name: "only arp", hex: subframe(snapARP) + subframe(snapARP), want: []string{"arp 2"}},
		{name: "frame check sequence", hex: subframe(subframe4) + subframe(subframe6) + `01020304`, want: []string{aggregate4, aggregate6}},
		{name: "zeros behind the last", hex: subframe(subframe4) + subframe(subframe6) + zeros(40), want: []string{aggregate4, aggregate6}},
		{name: "second length beyond the frame", hex: subframe(subframe4) + macs + `0200` + subframe4, want: []string{aggregate4, malformed}},
		{name: "first length beyond the frame", hex: macs + `0200` + subframe4 + subframe(subframe4), want: []string{malformed}},
		{name: "second of no length", hex: subframe(subframe4) + macs + `0000 0000` + subframe(subframe4), want: []string{aggregate4, malformed}},
		{name: "cut in the second header", hex: subframe(subframe4) + subframe(subframe4), cut: 26 + 68 + 13, want: []string{aggregate4, cutOff}},
		{name: "cut before the second header", hex: subframe(subframe4) + subframe(subframe4) + subframe(subframe4), cut: 26 + 66, want: []string{aggregate4, cutOff}},
		{name: "cut in the second ip header", hex: subframe(subframe4) + subframe(subframe4), cut: 26 + 68 + 14 + 8 + 19, want: []string{aggregate4, "ip header cut off 1"}},
		{name: "cut in the second ports", hex: subframe(subframe4) + subframe(subframe4), cut: 26 + 68 + 14 + 8 + 20,
			want: []string{aggregate4, "10.0.0.1 0 > 10.0.0.2 0 / 6 payload 4 truncated " + wire4}},
		{name: "in gre, closed", link: 101, hex: gre(aggregateHead + subframe(subframe4) + subframe(subframe6)), want: []string{outer(68 + 76)}},
		{name: "in gre", link: 101, opts: open, hex: gre(aggregateHead + subframe(subframe4) + subframe(subframe6)), want: []string{aggregate4, aggregate6}},
		{name: "in gre, arp first", link: 101, opts: open, hex: gre(aggregateHead + subframe(snapARP) + subframe(subframe4)), want: []string{outer(24 + 68), aggregate4}},
		{name: "in gre, arp last", link: 101, opts: open, hex: gre(aggregateHead + subframe(subframe4) + subframe(snapARP)), want: []string{aggregate4, "arp 1"}},
		{name: "mesh", hex: subframe(`00 1f 00000001` + subframe4), want: []string{ipv4TCPText + " wire 72"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			head, link := aggregateHead, uint16(105)
			if c.link != 0 {
				head, link = "", c.link
			}
			if c.name == "mesh" {
				head = strings.Replace(head, "80 00", "80 01", 1)
			}
			data := fromHex(head + c.hex)
			wireLen := len(data)
			if c.cut > 0 {
				data = data[:c.cut]
			}
			if got := packetsOf(t, c.opts, link, data, wireLen); !slices.Equal(got, c.want) {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

// TestAggregateTunnelled: the packets of an A-MSDU in a tunnel are tunnelled,
// all of them if the tunnel is open.
func TestAggregateTunnelled(t *testing.T) {
	text := ipv4(47, `0000 8200`+aggregateHead+subframe(subframe4)+subframe(subframe6))
	for open, want := range map[bool]uint64{false: 1, true: 2} {
		d := New(Options{Decapsulate: open})
		var ev flow.Event
		data := fromHex(text)
		for ok := d.Decode(&ev, 101, data, uint32(len(data)), 0); ok; ok = d.More(&ev) {
		}
		if n := d.Counts().Tunnelled; n != want {
			t.Errorf("open %v: %d tunnelled, want %d", open, n, want)
		}
	}
}

// TestAggregateEveryCut: wherever the record is cut, the packets before the cut
// are as they were, and what is behind it is counted once.
func TestAggregateEveryCut(t *testing.T) {
	data := fromHex(aggregateHead + subframe(subframe4) + subframe(snapARP) + subframe(subframe4))
	whole := packetsOf(t, Options{}, 105, data, len(data))
	if want := []string{aggregate4, aggregate4, "arp 1"}; !slices.Equal(whole, want) {
		t.Fatalf("%q", whole)
	}
	for n := range data {
		got := packetsOf(t, Options{}, 105, data[:n], len(data))
		complete := n >= 26+66
		if complete && got[0] != aggregate4 {
			t.Errorf("cut to %d bytes: %q", n, got)
		}
		if len(got) > 3 {
			t.Errorf("cut to %d bytes: %d packets: %q", n, len(got), got)
		}
	}
}

// TestAggregateBound: a frame of more subframes than any real one has gives
// MaxPackets packets, and one that is undecodable.
func TestAggregateBound(t *testing.T) {
	data := fromHex(aggregateHead)
	one := fromHex(subframe(subframe4))
	for range MaxPackets + 100 {
		data = append(data, one...)
	}
	got := packetsOf(t, Options{}, 105, data, len(data))
	if len(got) != MaxPackets+1 || got[0] != aggregate4 || got[MaxPackets] != malformed {
		t.Errorf("%d results, the last %q", len(got), got[len(got)-1])
	}
}

// TestAggregateFragments: the fragments in an A-MSDU are matched like those of
// records of their own.
func TestAggregateFragments(t *testing.T) {
	const ip4 = `aa aa 03 00 00 00 08 00`
	data := fromHex(aggregateHead + subframe(ip4+fragment4(9, 0, true)) + subframe(snapARP) + subframe(ip4+fragment4(9, 2, false)))
	d := New(Options{})
	d.Begin()
	events := make([]flow.Event, 3)
	n := 0
	for ok := d.Decode(&events[n], 105, data, uint32(len(data)), 0); ok; ok = d.More(&events[n]) {
		n++
	}
	var f Fragments
	err := f.Resolve(d, events[:n])
	if err != nil || n != 2 || events[0].Key != events[1].Key || events[0].Key.SrcPort == 0 || f.Unmatched != 0 {
		t.Errorf("%v, %d events, %d unmatched: %s; %s", err, n, f.Unmatched, eventText(&events[0]), eventText(&events[1]))
	}
}
