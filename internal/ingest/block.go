package ingest

import (
	"math"
	"slices"
	"sync"

	"pcapbatch/internal/decode"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/figures"
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
	// position is where Data[0] lies in the stretch, and between is how many
	// bytes there lie between the packets, without being in Data.
	position, between int64
	events            []flow.Event
	details           []flow.Detail    // of the events, with decode.Options.Details
	figures           *figures.Packets // of the events so far; nil: not asked for
}

// mostEvents is the largest number of events of a block: as many as it has
// records and, as a packet of an aggregated record takes more than 16 bytes,
// either the packets of one large record or those that reader.BlockBytes have
// room for. Package shard numbers them with 16 bits.
const (
	mostEvents = reader.BlockBytes/16 + max(decode.MaxPackets, reader.BlockBytes/16)
	_          = uint(65535 - mostEvents)
)

// Decode implements shard.Block.
func (b *Block) Decode() {
	records := b.Records
	if cap(b.events) <= len(records) {
		b.events = make([]flow.Event, len(records)+len(records)/4+1)
	}
	if race.Enabled {
		race.Junk(b.events[:cap(b.events)], junkEvent)
	}
	d := b.decoder
	d.Begin()
	before := d.Counts().NonIP
	b.decodeRecords()
	b.Shrink()
	if b.Lead { // only its fragments are of use
		*d.Counts() = decode.Counts{}
		return
	}
	if b.input != nil {
		b.input.counted(uint64(len(b.events)), d.Counts().NonIP-before)
		b.input.sized(records)
	}
	if b.figures != nil {
		b.figures.Add(b.events)
	}
	if c := b.shared.counts; c != nil {
		c.take(d.Counts(), b.figures)
	}
}

// decodeRecords makes the events and, if they are asked for, their details.
func (b *Block) decodeRecords() {
	events := b.events[:cap(b.events)]
	var details []flow.Detail
	if b.shared.pipeline.Decoding.Details {
		if cap(b.details) < len(events) {
			b.details = make([]flow.Detail, len(events))
		}
		details = b.details[:len(events)]
	}
	d := b.decoder
	n := 0
	latest := int64(math.MinInt64)
	for i := range b.Records {
		r := &b.Records[i]
		latest = max(latest, r.Time)
		d.Position = b.at(i)
		data := b.Data[r.Off : r.Off+r.CapLen]
		for ok := d.Decode(&events[n], r.Link, data, r.WireLen, r.Time); ok; ok = d.More(&events[n]) {
			if details != nil {
				details[n] = d.Detail()
			}
			if n++; n == len(events) { // only aggregated records give more events than there are records
				events = slices.Grow(events, 1)
				events = events[:cap(events)]
				if details != nil {
					details = slices.Grow(details, len(events)-n)[:len(events)]
				}
			}
		}
	}
	b.events, b.details = events[:n], details[:min(n, len(details))]
	if !b.Lead {
		b.reached(latest)
	}
}

// at returns where a record lies in its stretch, in bytes.
func (b *Block) at(i int) int64 {
	return b.position + int64(i)*b.between + int64(b.Records[i].Off)
}

// end returns where the records of the block end in their stretch.
func (b *Block) end() int64 {
	last := len(b.Records) - 1
	return b.at(last) + int64(b.Records[last].CapLen)
}

// reached tells the capture how far it was decoded.
func (b *Block) reached(latest int64) {
	if b.input != nil {
		b.input.reached(latest)
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
func (b *Block) Resolve() error {
	f := &b.shared.fragments
	before := f.Unmatched
	err := f.Resolve(b.decoder, b.events)
	if b.Lead {
		f.Unmatched = before
	}
	if err != nil {
		return durable.WriteFailed(tempName(b.shared.pipeline.TempDir), err)
	}
	return nil
}

// Events implements shard.Block. Records before the range that is read have none.
func (b *Block) Events() ([]flow.Event, []flow.Detail) {
	if b.Lead {
		return nil, nil
	}
	return b.events, b.details
}

// counts are what the decoders counted in one stretch.
type counts struct {
	mu      sync.Mutex
	sum     decode.Counts
	figures *figures.Packets // nil: none yet
}

// take adds c and f, which may be nil, and clears them.
func (s *counts) take(c *decode.Counts, f *figures.Packets) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sum.Add(c)
	*c = decode.Counts{}
	if f == nil {
		return
	}
	if s.figures == nil {
		s.figures = &figures.Packets{}
	}
	s.figures.Merge(f)
	f.Reset()
}

// addCounts records what decoders counted.
func addCounts(r *report.Run, c *decode.Counts) {
	counted := report.Run{
		Packets: c.Events, Further: c.FurtherPackets, NonIP: c.NonIP, Fragments: c.Fragments, Tunnelled: c.Tunnelled,
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
