package figures

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"pcapbatch/internal/flow"
)

// Packets are figures of the packets in sessions.
type Packets struct {
	Timeline Timeline  `json:"timeline"`
	Lengths  Histogram `json:"packet_length"` // wire lengths, bytes
	Payloads Histogram `json:"payload_size"`  // transport payload, bytes
}

// MostWire is what a packet counts for in the timeline at most, in bytes: as much
// as an IP packet that is no jumbogram has, so that a capture that states absurd
// wire lengths leaves the others to be seen.
const MostWire = 64 << 10

// Add counts the packets of a block. Neighbours are mostly in one bin of the
// timeline, and added to it together.
func (p *Packets) Add(events []flow.Event) {
	t, lengths, payloads := &p.Timeline, &p.Lengths.counts, &p.Payloads.counts
	for len(events) > 0 {
		t.reach(events[0].Time)
		bin := events[0].Time >> (t.shift & 63)
		bytes, n := uint64(0), 0
		for n < len(events) {
			e := &events[n]
			if e.Time>>(t.shift&63) != bin {
				break
			}
			bytes += uint64(min(e.WireBytes, MostWire))
			lengths[binOf32(e.WireBytes)]++
			payloads[binOf32(e.PayloadBytes)]++
			n++
		}
		t.packets[bin&(timeBins-1)] += uint64(n)
		t.bytes[bin&(timeBins-1)] += bytes
		events = events[n:]
	}
}

// Merge adds what o has counted.
func (p *Packets) Merge(o *Packets) {
	p.Timeline.Merge(&o.Timeline)
	p.Lengths.Merge(&o.Lengths)
	p.Payloads.Merge(&o.Payloads)
}

// Reset makes p empty.
func (p *Packets) Reset() {
	p.Timeline.reset()
	p.Lengths, p.Payloads = Histogram{}, Histogram{}
}

// UnmarshalJSON implements json.Unmarshaler. A key that is absent is empty; one
// that is not known is an error.
func (p *Packets) UnmarshalJSON(data []byte) error {
	type plain Packets
	return strict(data, (*plain)(p))
}

// UnmarshalJSON implements json.Unmarshaler, as that of Packets does.
func (f *Figures) UnmarshalJSON(data []byte) error {
	type plain Figures
	return strict(data, (*plain)(f))
}

// strict decodes JSON and refuses keys that are not known.
func strict(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if err != nil {
		if _, name, ok := strings.Cut(err.Error(), "json: unknown field "); ok {
			return fmt.Errorf("report data %s is not known: a later version of the program made this", name)
		}
	}
	return err
}
