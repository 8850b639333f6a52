package decode

import (
	"bytes"
	"fmt"
	"testing"

	"pcapbatch/internal/flow"
)

// FuzzDecode: whatever the link type and the bytes, decoding ends, gives the
// same event again, counts the record once, and no payload is larger than the
// packet's length fields can say.
//
//	go test -fuzz FuzzDecode -fuzztime 60s ./internal/decode/
func FuzzDecode(f *testing.F) {
	for _, c := range tunnels {
		f.Add(uint16(101), fromHex(c.hex), uint32(2000), true)
	}
	for _, text := range []string{ethIPv4TCP, vlanIPv4TCP, ethIPv6UDP} {
		f.Add(uint16(1), fromHex(text), uint32(66), false)
	}
	for link := range uint16(300) {
		if firstLayer(link) != layerNone {
			f.Add(link, fromHex(ipv4TCP), uint32(0), false)
		}
	}
	f.Add(uint16(101), fromHex(fragment6(1, 0, true)), uint32(1<<32-1), true)
	f.Add(uint16(105), fromHex(aggregateHead+subframe(snapARP)+subframe(subframe4)+subframe(subframe6)), uint32(200), false)
	f.Fuzz(func(t *testing.T, link uint16, data []byte, wireLen uint32, open bool) {
		o := Options{Decapsulate: open, VLANKey: open, Seed: 9, Shards: 16}
		d := New(o)
		var a, b flow.Event
		before := string(data)
		okA := d.Decode(&a, link, data, wireLen, 5)
		further, sum := drain(d, &a)
		b = flow.Event{PayloadBytes: 77, Flags: 0xff}
		okB := d.Decode(&b, link, data, wireLen, 5)
		if n, _ := drain(d, &b); okA != okB || okA && a != b || n != further {
			t.Fatalf("%v %+v and %d more, then %v %+v and %d more", okA, a, further, okB, b, n)
		}
		if further >= MaxPackets || further > 0 && sum > uint64(wireLen) {
			t.Fatalf("%d more packets of %d bytes in %d bytes", further, sum, wireLen)
		}
		if string(data) != before {
			t.Fatal("the record was written to")
		}
		if n := d.Counts().Records(); n != 2 {
			t.Fatalf("%d records counted of 2", n)
		}
		if !okA {
			return
		}
		jumbo := bytes.Contains(data, []byte{0xc2, 4})
		if a.PayloadBytes > max(wireLen, 0xffff) && !jumbo {
			t.Fatalf("payload %d of %d bytes on the wire", a.PayloadBytes, wireLen)
		}
		if v := a.Key.Version; v != 4 && v != 6 || int(a.Shard) >= o.Shards {
			t.Fatalf("version %d, shard %d", v, a.Shard)
		}
		k := a.Key
		if k.Canonical() {
			t.Fatalf("key is not canonical: %+v", a.Key)
		}
	})
}

// drain takes the further packets of a record into copies of ev and returns
// their number and the sum of their wire lengths. It keeps ev.
func drain(d *Decoder, ev *flow.Event) (n int, bytes uint64) {
	for next := *ev; d.More(&next); n++ {
		bytes += uint64(next.WireBytes)
	}
	return n, bytes
}

// FuzzFragments: later fragments find the same sessions however the records
// are cut into blocks, and whether first ones are in memory or in a file. Each byte of script makes one packet: a fragment, first
// or later, of one of a few datagrams, plain or in a tunnel; cuts says which of
// them begin a block.
//
//	go test -fuzz FuzzFragments -fuzztime 60s ./internal/decode/
func FuzzFragments(f *testing.F) {
	f.Add([]byte{0x00, 0x01, 0x41, 0x21, 0x20, 0x61}, uint64(0b10101), true)
	f.Add([]byte{0x01, 0x00, 0x01, 0x80, 0x81, 0xff}, uint64(0b11), false)
	f.Add(append([]byte{0x30}, bytes.Repeat([]byte{0x84}, 36)...), uint64(62), true)
	little := overflow(f, 1)
	f.Fuzz(func(t *testing.T, script []byte, cuts uint64, open bool) {
		script = script[:min(len(script), 64)]
		whole, lostWhole := runScript(t, script, 0, open, nil)
		for _, over := range []*Overflow{nil, little} {
			parts, lostParts := runScript(t, script, cuts, open, over)
			if lostWhole != lostParts {
				t.Errorf("unmatched: %d in one block, %d in several, %+v", lostWhole, lostParts, over)
			}
			for i := range whole {
				if whole[i] != parts[i] {
					t.Errorf("event %d, %+v:\none block %s\nseveral   %s", i, over, eventText(&whole[i]), eventText(&parts[i]))
				}
			}
		}
	})
}

// runScript decodes the packets of a script of FuzzFragments, with a block
// beginning at every packet whose bit in cuts is set, in two Decoders by turns.
func runScript(t *testing.T, script []byte, cuts uint64, open bool, over *Overflow) (events []flow.Event, unmatched uint64) {
	o := Options{Decapsulate: open, Seed: 9, Shards: 16}
	fr := Fragments{Overflow: over}
	defer fr.Forget()
	d, other := New(o), New(o)
	start := 0
	resolve := func() {
		if d.HasFragments() {
			if err := fr.Resolve(d, events[start:]); err != nil {
				t.Fatal(err)
			}
		}
		start = len(events)
	}
	for i, b := range script {
		if cuts>>i&1 != 0 {
			resolve()
			d, other = other, d
			d.Begin()
		}
		text := fragment4(uint16(b>>1&3), uint16(b&1)*2, true)
		if b&0x20 != 0 {
			text = fragment6(uint32(b>>1&3), uint16(b&1)*2, true)
		}
		data := fromHex(text)
		if b&0x40 != 0 { // the fragment inside one more header, itself first or later
			data = append(fromHex(carrierOf(b, len(data))), data...)
		}
		var ev flow.Event
		if d.Decode(&ev, 101, data, uint32(len(data)), int64(i)*int64(b>>3)*1e8) {
			events = append(events, ev)
		}
	}
	resolve()
	return events, fr.Unmatched
}

// carrierOf is the IPv4 header of a tunnel for n bytes.
func carrierOf(b byte, n int) string {
	protocol, field := "04", "2000"
	if b&0x20 != 0 {
		protocol = "29"
	}
	if b&0x80 != 0 {
		field = "0001"
	}
	return fmt.Sprintf("45 00 %04x 000%d %s 40 %s 0000 0a000001 0a000002", 20+n, b>>3&1, field, protocol)
}
