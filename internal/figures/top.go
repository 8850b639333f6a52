package figures

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"

	"pcapbatch/internal/heap"
)

// An Estimate is a Count with what is estimated of it.
type Estimate struct {
	Count
	// Small is how many of Bytes stand for sessions that were not all counted.
	Small uint64 `json:"estimated_bytes,omitempty"`
}

// Error is how far Bytes may be from the truth in 95 of 100 cases, where sessions
// below so many bytes were sampled: two standard errors, with one session more
// than the sample has, because it may have none where there are some.
func (e *Estimate) Error(below uint64) uint64 {
	return uint64(2 * math.Sqrt((float64(e.Small)+float64(below))*float64(below)))
}

// A Key is what a Top counts by. In JSON it is its text.
type Key[K any] interface {
	comparable
	fmt.Stringer
	compare(o K) int
}

// A Top has the largest of what sessions have in common.
type Top[K Key[K]] struct {
	at      map[K]int32 // into list
	list    []Entry[K]
	rest    Estimate // of those that trim, or the bound of memory, left out
	keys    int      // how many those are
	largest uint64   // the most bytes that one of them had
	lacking uint64   // see MayLack
}

// An Entry is one of a Top.
type Entry[K Key[K]] struct {
	Key K `json:"key"`
	Estimate
}

// add counts c for k. A key that is new must have room in the plan, if there is
// one.
func (t *Top[K]) add(k K, c *Estimate, p *Plan) {
	i, ok := t.at[k]
	switch {
	case ok:
		t.list[i].sum(c)
	case len(t.list) == mostKeys || !p.room():
		t.leave(c)
	default:
		if t.at == nil {
			t.at = map[K]int32{}
		}
		t.at[k] = int32(len(t.list))
		t.list = append(t.list, Entry[K]{k, *c})
	}
}

// leave counts what is left out.
func (t *Top[K]) leave(c *Estimate) {
	t.rest.sum(c)
	t.keys++
	t.largest = max(t.largest, c.Bytes)
}

func (e *Estimate) sum(o *Estimate) {
	e.add(o.Sessions, o.Packets, o.Bytes)
	e.Small += o.Small
}

// Merge adds what o has counted.
func (t *Top[K]) Merge(o *Top[K]) {
	for i := range o.list {
		t.add(o.list[i].Key, &o.list[i].Estimate, nil)
	}
	t.rest.sum(&o.rest)
	t.keys += o.keys
	t.lacking += o.lacking + o.largest + t.largest // a key may have been left out of both
	t.largest = 0
}

// List returns the entries, the largest first.
func (t *Top[K]) List() []Entry[K] {
	list := slices.Clone(t.list)
	slices.SortFunc(list, larger[K])
	return list
}

// larger orders entries, the largest first.
func larger[K Key[K]](a, b Entry[K]) int {
	return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(b.Sessions, a.Sessions), a.Key.compare(b.Key))
}

// Rest returns the sum of the entries that were left out, and how many there
// were.
func (t *Top[K]) Rest() (sum Estimate, keys int) { return t.rest, t.keys }

// MayLack is how many bytes (wire lengths) an entry may lack at most. It is
// above 0 where Tops were merged that had left entries out, because what a Top
// left out is not known by key.
func (t *Top[K]) MayLack() uint64 { return t.lacking }

// trim leaves the n largest.
func (t *Top[K]) trim(n int) {
	if len(t.list) <= n {
		return
	}
	all := t.list
	t.at, t.list = nil, nil
	h := heap.New(func(a, b *Entry[K]) bool { return larger(*a, *b) > 0 }) // the smallest in front
	for i := range all {
		e := all[i]
		if h.Len() == n {
			if larger(e, *h.Front()) > 0 {
				t.leave(&e.Estimate)
				continue
			}
			t.leave(&h.Front().Estimate)
			h.PopFront()
		}
		h.Push(e)
	}
	for _, e := range h.Items() {
		t.add(e.Key, &e.Estimate, nil)
	}
}

type topJSON[K Key[K]] struct {
	Largest []Entry[K] `json:"largest"`
	Rest    Estimate   `json:"rest"`
	Keys    int        `json:"rest_keys"`
	Most    uint64     `json:"rest_largest_bytes,omitempty"` // of one key
	Lacking uint64     `json:"missing_bytes,omitempty"`
}

// MarshalJSON implements json.Marshaler.
func (t *Top[K]) MarshalJSON() ([]byte, error) {
	return json.Marshal(topJSON[K]{t.List(), t.rest, t.keys, t.largest, t.lacking})
}

// UnmarshalJSON implements json.Unmarshaler.
func (t *Top[K]) UnmarshalJSON(data []byte) error {
	var j topJSON[K]
	if err := strict(data, &j); err != nil {
		return err
	}
	if len(j.Largest) > mostKeys {
		return fmt.Errorf("%d entries", len(j.Largest))
	}
	*t = Top[K]{rest: j.Rest, keys: j.Keys, largest: j.Most, lacking: j.Lacking}
	for i := range j.Largest {
		t.add(j.Largest[i].Key, &j.Largest[i].Estimate, nil)
	}
	return nil
}

// A Host is an IP address as flow.Key has it.
type Host struct {
	version uint8
	addr    [16]byte
}

// Addr returns the address.
func (h Host) Addr() netip.Addr {
	if h.version == 4 {
		return netip.AddrFrom4([4]byte(h.addr[:4]))
	}
	return netip.AddrFrom16(h.addr)
}

func (h Host) String() string { return h.Addr().String() }

func (h Host) compare(o Host) int {
	return cmp.Or(cmp.Compare(h.version, o.version), bytes.Compare(h.addr[:], o.addr[:]))
}

// MarshalText implements encoding.TextMarshaler.
func (h Host) MarshalText() ([]byte, error) { return h.Addr().MarshalText() }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Host) UnmarshalText(text []byte) error {
	a, err := netip.ParseAddr(string(text))
	if err != nil || a.Zone() != "" {
		return errors.Join(err, errors.New("not an address"))
	}
	*h = Host{version: 6, addr: a.As16()}
	if a.Is4() {
		b := a.As4()
		*h = Host{version: 4}
		copy(h.addr[:], b[:])
	}
	return nil
}

// Hosts are two hosts that had sessions with each other.
type Hosts struct{ A, B Host }

func (h Hosts) String() string { return h.A.String() + " " + h.B.String() }

func (h Hosts) compare(o Hosts) int { return cmp.Or(h.A.compare(o.A), h.B.compare(o.B)) }

// MarshalText implements encoding.TextMarshaler.
func (h Hosts) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Hosts) UnmarshalText(text []byte) error {
	a, b, _ := strings.Cut(string(text), " ")
	return cmp.Or(h.A.UnmarshalText([]byte(a)), h.B.UnmarshalText([]byte(b)))
}

// A Port is a port of a protocol, 0 where that has no ports.
type Port struct {
	Protocol uint16 // an IP protocol number, below 256: without padding, a Port hashes fast
	Port     uint16
}

func (p Port) String() string { return fmt.Sprintf("%d/%d", p.Port, p.Protocol) }

func (p Port) compare(o Port) int {
	return cmp.Or(cmp.Compare(p.Protocol, o.Protocol), cmp.Compare(p.Port, o.Port))
}

// MarshalText implements encoding.TextMarshaler: the port and the number of the
// protocol, such as 443/6.
func (p Port) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *Port) UnmarshalText(text []byte) error {
	_, err := fmt.Sscanf(string(text), "%d/%d", &p.Port, &p.Protocol)
	return err
}
