package decode

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"pcapbatch/internal/capturetest"
	"pcapbatch/internal/flow"
)

// TestMain collects garbage less often and keeps files in memory, to save time:
// see capturetest.Run.
func TestMain(m *testing.M) { os.Exit(capturetest.Run(m)) }

// TestConservation: over all shared captures, with and without every option,
// each record is in exactly one count, and the events are those that Decode
// said were there.
func TestConservation(t *testing.T) {
	paths := capturesOf(t)
	for _, o := range []Options{{}, {Unidirectional: true, VLANKey: true, Decapsulate: true, Seed: 1, Shards: 256}} {
		records, events := uint64(0), uint64(0)
		var sum Counts
		for _, path := range paths {
			d := New(o)
			var ev flow.Event
			for _, r := range readRecords(t, path) {
				records++
				for ok := d.Decode(&ev, r.link, r.data, r.wireLen, r.time); ok; ok = d.More(&ev) {
					events++
				}
				if n := d.Counts().Records() + sum.Records(); n != records {
					t.Fatalf("%s record %d: %d counted, %d read", filepath.Base(path), r.number, n, records)
				}
			}
			sum.Add(d.Counts())
		}
		if sum.Events != events || events == 0 {
			t.Errorf("%d events counted, %d returned", sum.Events, events)
		}
		kinds := uint64(0)
		for _, n := range sum.Kinds {
			kinds += n
		}
		if kinds != sum.NonIP {
			t.Errorf("kinds sum to %d of %d", kinds, sum.NonIP)
		}
		t.Logf("%d records: %+v", records, sum)
	}
}

// TestCountsAdd: every field takes part.
func TestCountsAdd(t *testing.T) {
	a := Counts{Events: 1, NonIP: 2, Tunnelled: 3, Fragments: 4, FurtherPackets: 1}
	a.Kinds[ARP], a.Undecodable[TooDeep] = 5, 6
	a.addUnsupported(7, 8)
	var sum Counts
	sum.Add(&a)
	sum.Add(&a)
	want := Counts{Events: 2, NonIP: 4, Tunnelled: 6, Fragments: 8, FurtherPackets: 2, UnsupportedLink: map[uint16]uint64{7: 16}}
	want.Kinds[ARP], want.Undecodable[TooDeep] = 10, 12
	if !reflect.DeepEqual(sum, want) {
		t.Errorf("got  %+v\nwant %+v", sum, want)
	}
	if sum.Records() != 2+4+12+16-2 {
		t.Errorf("%d records", sum.Records())
	}
	if a.UnsupportedLink[7] != 8 {
		t.Error("Add changed its argument")
	}
}

// TestNames: every reason and kind has its words, and no two the same.
func TestNames(t *testing.T) {
	seen := map[string]bool{}
	for r := reasonNone + 1; r < NumReasons; r++ {
		seen[r.String()] = true
	}
	for k := kindNone + 1; k < NumKinds; k++ {
		seen[k.String()] = true
	}
	if want := int(NumReasons-1) + int(NumKinds-1); len(seen) != want || seen[""] {
		t.Errorf("%d names of %d: %v", len(seen), want, seen)
	}
}

// TestEveryLayerIsReachable: each layer of the table has a function, and every
// link type with a decoder starts at one.
func TestEveryLayerIsReachable(t *testing.T) {
	layers := newLayers(&packet{})
	for typ := layerNone + 1; typ < numLayers; typ++ {
		if layers[typ] == nil {
			t.Errorf("layer %d has no function", typ)
		}
	}
	n := 0
	for link := range 1 << 16 {
		if first := firstLayer(uint16(link)); first != layerNone {
			n++
			if _, ok := layers.Decoder(first); !ok {
				t.Errorf("link type %d starts at layer %d, which nothing decodes", link, first)
			}
		}
	}
	if n < 30 {
		t.Errorf("only %d link types", n)
	}
}

// TestDecodeOverwrites: an event that was used before comes out as a fresh one
// does.
func TestDecodeOverwrites(t *testing.T) {
	d := New(Options{Seed: 1, Shards: 3})
	for _, text := range []string{ethIPv4TCP, ethIPv6UDP, macs + `0800` + ipv4(1, `0800 0000`)} {
		data := fromHex(text)
		var fresh flow.Event
		used := flow.Event{Time: -1, WireBytes: 1<<32 - 1, PayloadBytes: 1<<32 - 1, Hash: 1<<32 - 1, Shard: 255, Flags: 255}
		for i := range used.Key.Src {
			used.Key.Src[i], used.Key.Dst[i] = 0xff, 0xff
		}
		used.Key.VLANInner, used.Key.VLANOuter, used.Key.SrcPort, used.Key.DstPort = 1, 1, 1, 1
		d.Decode(&fresh, 1, data, uint32(len(data)), 9)
		d.Decode(&used, 1, data, uint32(len(data)), 9)
		if fresh != used {
			t.Errorf("fresh %+v\nused  %+v", fresh, used)
		}
	}
}

// TestDecodeAllocates nothing in steady state, whatever the record.
func TestDecodeAllocates(t *testing.T) {
	packets := [][]byte{
		fromHex(ethIPv4TCP), fromHex(vlanIPv4TCP), fromHex(ethIPv6UDP), // events
		fromHex(macs + `0800` + fragment4(1, 0, true)), fromHex(macs + `0800` + ipv4(47, `0000 0800`+ipv4TCP)),
		fromHex(macs + `0806 0001`), fromHex(macs + `0800 45`), nil, // left out
	}
	aggregate := fromHex(aggregateHead + subframe(subframe4) + subframe(subframe6))
	const events, leftOut = 5 + 2, 3
	d := New(Options{Decapsulate: true, Seed: 1, Shards: 8})
	var ev flow.Event
	block := func() {
		d.Begin()
		for range 10 {
			for _, p := range packets {
				d.Decode(&ev, 1, p, uint32(len(p)), 0)
			}
			d.Decode(&ev, 231, nil, 0, 0)
			for ok := d.Decode(&ev, 105, aggregate, uint32(len(aggregate)), 0); ok; ok = d.More(&ev) {
			}
		}
	}
	block()
	const runs = 100
	if n := testing.AllocsPerRun(runs, block); n != 0 {
		t.Errorf("%v allocations for a block", n)
	}
	const blocks = runs + 2 // AllocsPerRun warms up with one more
	c := d.Counts()
	if c.Events != blocks*10*events || c.NonIP+c.Undecodable[IPHeaderCut]+c.Undecodable[LinkHeaderCut] != blocks*10*leftOut ||
		c.UnsupportedLink[231] != blocks*10 || c.Tunnelled != blocks*10 || c.Fragments != blocks*10 {
		t.Errorf("the work was not done: %+v", c)
	}
}
