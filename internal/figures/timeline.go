package figures

import (
	"encoding/json"
	"fmt"
)

// timeBins is the number of bins of a Timeline.
const timeBins = 512

// leastShift gives a bin its least width, 2^20 ns, a millisecond. mostShift is
// what all of time needs.
const (
	leastShift = 20
	mostShift  = 64 - 9 + 1
)

// A Timeline counts packets and bytes over time, in at most 512 bins of one
// width, a power of two of nanoseconds. Bins begin at multiples of their width
// since the Unix epoch. When time reaches beyond the bins, neighbours are joined
// and the width doubles, so the bins follow from the times alone, whatever their
// order. The zero value is empty.
type Timeline struct {
	shift   uint   // a bin is 1 << shift ns wide, if used
	low     int64  // number of the first bin, times >> shift
	span    uint64 // bins in use, less one
	used    bool
	packets [timeBins]uint64 // of bin i at i % timeBins
	bytes   [timeBins]uint64
}

// reach makes the bins reach to a time, in ns since the Unix epoch, and returns
// the number of its bin.
func (t *Timeline) reach(time int64) int64 {
	if !t.used {
		*t = Timeline{shift: max(t.shift, leastShift), used: true}
		t.low = time >> t.shift
		return t.low
	}
	for {
		i := time >> t.shift
		low, high := min(t.low, i), max(t.low+int64(t.span), i)
		if uint64(high-low) < timeBins {
			t.low, t.span = low, uint64(high-low)
			return i
		}
		t.widen()
	}
}

// widen joins neighbouring bins.
func (t *Timeline) widen() {
	old := *t
	*t = Timeline{shift: old.shift + 1, low: old.low >> 1, used: true}
	t.span = uint64((old.low+int64(old.span))>>1 - t.low)
	for k := range old.span + 1 {
		i := old.low + int64(k)
		from, to := i&(timeBins-1), (i>>1)&(timeBins-1)
		t.packets[to] += old.packets[from]
		t.bytes[to] += old.bytes[from]
	}
}

// Merge adds what o has counted.
func (t *Timeline) Merge(o *Timeline) {
	if !o.used {
		return
	}
	if !t.used {
		*t = *o
		return
	}
	for t.shift < o.shift {
		t.widen()
	}
	for k := range o.span + 1 {
		i := o.low + int64(k)
		from := i & (timeBins - 1)
		if o.packets[from] == 0 {
			continue
		}
		to := t.reach(i<<o.shift) & (timeBins - 1)
		t.packets[to] += o.packets[from]
		t.bytes[to] += o.bytes[from]
	}
}

// reset makes t empty. It clears no more than was used.
func (t *Timeline) reset() {
	for k := range t.span + 1 {
		i := (t.low + int64(k)) & (timeBins - 1)
		t.packets[i], t.bytes[i] = 0, 0
	}
	t.shift, t.low, t.span, t.used = 0, 0, 0, false
}

// A TimeBin is one of a Timeline.
type TimeBin struct{ Packets, Bytes uint64 }

// Bins returns the bins from the first to the last that has a packet, the time
// at which the first of them begins, in ns since the epoch, and their width in
// ns. That time may lie before 1677 and is limited to then.
func (t *Timeline) Bins() (begin, width int64, list []TimeBin) {
	if !t.used {
		return 0, 0, nil
	}
	for k := range t.span + 1 {
		i := (t.low + int64(k)) & (timeBins - 1)
		list = append(list, TimeBin{t.packets[i], t.bytes[i]})
	}
	return t.low << t.shift, 1 << t.shift, list
}

// timelineJSON is a Timeline in JSON.
type timelineJSON struct {
	Begin int64       `json:"begin_ns"` // of bin 0
	Width int64       `json:"width_ns"` // of a bin
	Bins  [][3]uint64 `json:"bins"`     // number, packets and bytes of those that are not empty
}

// MarshalJSON implements json.Marshaler.
func (t *Timeline) MarshalJSON() ([]byte, error) {
	begin, width, list := t.Bins()
	j := timelineJSON{begin, width, [][3]uint64{}}
	for k, b := range list {
		if b.Packets > 0 {
			j.Bins = append(j.Bins, [3]uint64{uint64(k), b.Packets, b.Bytes})
		}
	}
	return json.Marshal(j)
}

// UnmarshalJSON implements json.Unmarshaler.
func (t *Timeline) UnmarshalJSON(data []byte) error {
	var j timelineJSON
	if err := strict(data, &j); err != nil {
		return err
	}
	*t = Timeline{}
	if len(j.Bins) == 0 {
		return nil
	}
	shift := uint(0)
	for shift < mostShift && 1<<shift < j.Width {
		shift++
	}
	if j.Width != 1<<shift || shift < leastShift || j.Begin&(j.Width-1) != 0 {
		return fmt.Errorf("timeline of bins of %d ns from %d", j.Width, j.Begin)
	}
	t.shift, t.low, t.used = shift, j.Begin>>shift, true
	for _, b := range j.Bins {
		if b[0] >= timeBins {
			return fmt.Errorf("timeline of more than %d bins", timeBins)
		}
		t.span = max(t.span, b[0])
		i := (t.low + int64(b[0])) & (timeBins - 1)
		t.packets[i] += b[1]
		t.bytes[i] += b[2]
	}
	return nil
}
