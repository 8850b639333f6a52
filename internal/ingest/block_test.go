package ingest

import (
	"testing"

	"pcapbatch/internal/capturetest"
	"pcapbatch/internal/decode"
	"pcapbatch/internal/flow"
	"pcapbatch/internal/linktype"
	"pcapbatch/internal/reader"
)

// Events of records that were there before do not shine through: Decode writes
// every field of each event, though builds with the race detector fill them
// with junk first.
func TestDecodeOverwritesEvents(t *testing.T) {
	p := NewPipeline(Options{Decoding: decode.Options{Shards: 1, Seed: 5}, Workers: 1, Observer: Silent{}})
	records := capturetest.ManySessions(1, 200)
	fill := func(b *Block, list []capturetest.Record) []flow.Event {
		b.Data, b.Records, b.shared = nil, nil, p.share(nil)
		for _, r := range list {
			b.Records = append(b.Records, reader.Record{
				Time: r.Time, Link: linktype.Ethernet, Off: uint32(len(b.Data)), CapLen: uint32(len(r.Data)), WireLen: uint32(len(r.Data)),
			})
			b.Data = append(b.Data, r.Data...)
		}
		b.Decode()
		return b.events
	}
	used := p.NewBlock()
	fill(used, records[100:])
	got, want := fill(used, records[:60]), fill(p.NewBlock(), records[:60])
	if len(got) != 60 || len(want) != 60 {
		t.Fatalf("%d and %d events of 60 packets", len(got), len(want))
	}
	for i := range got {
		if got[i] != want[i] || got[i] == junkEvent {
			t.Errorf("event %d is %+v, in a new block %+v", i, got[i], want[i])
		}
	}
}
