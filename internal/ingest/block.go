package ingest

import (
	"math"
	"sync"

	"pcapbatch/internal/decode"
	"pcapbatch/internal/flow"
	"pcapbatch/internal/race"
	"pcapbatch/internal/reader"
	"pcapbatch/internal/report"
)

// A Block carries records of one capture, or merged ones, through decoding: a
// shard.Block.
type Block struct {
	reader.Block
	decoder *decode.Decoder
	shared  *shared // by the blocks of the stretch
	input   *Input  // that the records are of; nil where they are of several
	events  []flow.Event
}

// Decode implements shard.Block.
func (b *Block) Decode() {
	records := b.Records
	if cap(b.events) < len(records) {
		b.events = make([]flow.Event, len(records), len(records)+len(records)/4)
	}
	events := b.events[:len(records)]
	if race.Enabled {
		race.Junk(events, junkEvent)
	}
	d := b.decoder
	d.Begin()
	n := 0
	latest := int64(math.MinInt64)
	for i := range records {
		r := &records[i]
		latest = max(latest, r.Time)
		if d.Decode(&events[n], r.Link, b.Data[r.Off:r.Off+r.CapLen], r.WireLen, r.Time) {
			n++
		}
	}
	b.events = events[:n]
	if b.input != nil {
		b.input.reached(latest)
	}
	if c := b.shared.counts; c != nil {
		c.take(d.Counts())
	}
}

// junkEvent is in no field what an event can be, and belongs to no worker.
var junkEvent = flow.Event{
	Time: -1 << 62, WireBytes: 0xdbdbdbdb, PayloadBytes: 0xdbdbdbdb, Hash: 0xdbdbdbdb, Shard: 0xff, Flags: 0xff,
	Key: flow.Key{Version: 0xdb, Protocol: 0xdb, SrcPort: 0xdbdb, DstPort: 0xdbdb, VLANOuter: 0xdbdb, VLANInner: 0xdbdb},
}

// Ordered implements shard.Block.
func (b *Block) Ordered() bool { return b.decoder.HasFragments() }

// Resolve implements shard.Block.
func (b *Block) Resolve() { b.shared.fragments.Resolve(b.decoder, b.events) }

// Events implements shard.Block.
func (b *Block) Events() []flow.Event { return b.events }

// counts are what the decoders counted in one stretch.
type counts struct {
	mu  sync.Mutex
	sum decode.Counts
}

// take adds c and clears it.
func (s *counts) take(c *decode.Counts) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sum.Add(c)
	*c = decode.Counts{}
}

// addCounts records what decoders counted.
func addCounts(r *report.Run, c *decode.Counts) {
	counted := report.Run{
		Packets: c.Events, NonIP: c.NonIP, Fragments: c.Fragments, Tunnelled: c.Tunnelled,
		NonIPKinds: map[string]uint64{}, Undecodable: map[string]uint64{}, Unsupported: c.UnsupportedLink,
	}
	for k, n := range c.Kinds {
		if n > 0 {
			counted.NonIPKinds[decode.Kind(k).String()] = n
		}
	}
	for k, n := range c.Undecodable {
		if n > 0 {
			counted.Undecodable[decode.Reason(k).String()] = n
		}
	}
	r.Add(&counted)
}
