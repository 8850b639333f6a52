package figures

import (
	"encoding/json"
	"fmt"
	"math/bits"
)

// bins is the number of bins of a Histogram: all that 64 bits have.
const bins = 62*4 + 4

// A Histogram counts integers in bins on a logarithmic axis: four bins for each
// power of two, and one for each of the values 0 to 7. The bin of a value is
// never wider than a quarter of the value. The zero value is empty.
type Histogram struct{ counts [bins]uint64 }

// binOf returns the bin of v: the place of its highest bit, and the next two
// bits.
func binOf(v uint64) int {
	if v < 4 {
		return int(v)
	}
	e := bits.Len64(v) - 3 // v >> e is 4 to 7
	return e*4 + int(v>>e)
}

// binOf32 is binOf without branches.
func binOf32(v uint32) uint8 {
	e := uint32(bits.Len32(v|4)-3) & 31
	return uint8(e*4 + v>>e)
}

// From returns the smallest value of bin i.
func From(i int) uint64 {
	if i < 8 {
		return uint64(i)
	}
	e := i/4 - 1
	return uint64(i%4+4) << e
}

// Add counts v.
func (h *Histogram) Add(v uint64) { h.counts[binOf(v)]++ }

// AddMany counts v n times.
func (h *Histogram) AddMany(v, n uint64) { h.counts[binOf(v)] += n }

// Merge adds what o has counted.
func (h *Histogram) Merge(o *Histogram) {
	for i, n := range o.counts {
		h.counts[i] += n
	}
}

// Total is how many values were counted.
func (h *Histogram) Total() (n uint64) {
	for _, c := range h.counts {
		n += c
	}
	return n
}

// A Bin is one of a Histogram.
type Bin struct{ From, To, Count uint64 } // To is the largest value of the bin

// Bins returns those from the first to the last that is not empty.
func (h *Histogram) Bins() (list []Bin) {
	for i, n := range h.counts {
		if n == 0 && len(list) == 0 {
			continue
		}
		list = append(list, Bin{From(i), From(i+1) - 1, n})
	}
	for len(list) > 0 && list[len(list)-1].Count == 0 {
		list = list[:len(list)-1]
	}
	return list
}

// MarshalJSON implements json.Marshaler: a list with the smallest value of each
// bin that is not empty and its count.
func (h *Histogram) MarshalJSON() ([]byte, error) {
	list := [][2]uint64{}
	for i, n := range h.counts {
		if n > 0 {
			list = append(list, [2]uint64{From(i), n})
		}
	}
	return json.Marshal(list)
}

// UnmarshalJSON implements json.Unmarshaler.
func (h *Histogram) UnmarshalJSON(data []byte) error {
	var list [][2]uint64
	if err := json.Unmarshal(data, &list); err != nil {
		return err
	}
	*h = Histogram{}
	for _, b := range list {
		i := binOf(b[0])
		if From(i) != b[0] {
			return fmt.Errorf("no bin of a histogram begins at %d", b[0])
		}
		h.counts[i] += b[1]
	}
	return nil
}
