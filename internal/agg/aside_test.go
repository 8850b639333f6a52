package agg

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"pcapbatch/internal/capturetest"
	"pcapbatch/internal/flow"
)

// A shelf holds sessions that were set aside.
type shelf struct{ sessions [][]byte }

func (s *shelf) put(_ uint32, session []byte) error {
	s.sessions = append(s.sessions, bytes.Clone(session))
	return nil
}

func (s *shelf) restore(t *testing.T, tab *Table) {
	t.Helper()
	for _, b := range s.sessions {
		if err := tab.Restore(b); err != nil {
			t.Fatal(err)
		}
	}
	s.sessions = nil
}

// ruled are options with the rules and groups that the bits of n name.
func ruled(n uint64, seed uint64) Options {
	o := Options{IdleThreshold: 1e9, Seed: seed, TCPEnd: n&1 != 0, Needs: NeedEnd * Needs(n>>3&1)}
	if n&2 != 0 {
		o.ActiveTimeout = 20e9
	}
	if n&4 != 0 {
		o.IdleTimeout = 7e9
	}
	if n&16 != 0 {
		o = everything(o)
	}
	return o
}

// encodedRows are the sessions of a table in the order of the output.
func encodedRows(tab *Table) (b []byte) {
	for _, row := range tab.Rows() {
		b = tab.AppendSession(append(b, byte(tab.session(row.Index).state>>stateShift)), row.Index)
	}
	return b
}

// Sessions that are set aside and restored, whenever that happens and into
// whatever table, take their further packets as if they had stayed: to the bit,
// with digests, open periods and what the rules ask of them.
func TestSetAsideChangesNothing(t *testing.T) {
	capturetest.OneGoroutine(t)
	aside, large := 0, 0
	kinds(func(kind string, number uint64, gap func(*rand.Rand) uint64, size func(*rand.Rand) uint32) {
		r := newRand(12_000 + number)
		for round := range uint64(6) {
			o := ruled(r.Uint64()|round%2<<4, r.Uint64())
			tr := traffic{keys: []int{1, 7, 90}[round%3], gap: gap, size: size, reorder: []int{0, 3, 10}[r.IntN(3)], start: math.MinInt64 >> r.IntN(3)}
			events := tr.events(r, 1+r.IntN(2000), o.Seed)
			details := detailed(r, events, o.Seed)
			for i := range events {
				events[i].Flags |= flow.Flags(r.IntN(64)) * flow.Flags(r.IntN(2))
			}
			whole, tab := NewTable(o), NewTable(o)
			updateDetailed(whole, r, events, details)
			var left shelf
			reordered := uint64(0)
			for len(events) > 0 {
				n := min(len(events), 1+r.IntN(300))
				updateDetailed(tab, r, events[:n], details[:n])
				events, details = events[n:], details[n:]
				bit := r.Uint32()
				if err := tab.SetAside(func(hash uint32) bool { return bit%3 == 0 || hash&bit%4 == 0 }, left.put); err != nil {
					t.Fatal(err)
				}
				aside += len(left.sessions)
				if tab.Len() == 0 {
					switch r.IntN(3) {
					case 0:
						reordered += tab.Reordered()
						tab.Reset()
					case 1:
						tab.Renew()
						if tab.Touched() != 0 || tab.Bytes() != minSlots*8 {
							t.Fatalf("%d bytes held after Renew", tab.Bytes())
						}
					}
				}
				left.restore(t, tab)
			}
			large += int(tab.larges.n)
			t.Run(fmt.Sprintf("%s/keys=%d", kind, tr.keys), func(t *testing.T) {
				if tab.Len() != whole.Len() || !bytes.Equal(encodedRows(tab), encodedRows(whole)) {
					t.Errorf("%d sessions, want %d, with other content", tab.Len(), whole.Len())
				}
				if digestOf(tab) != digestOf(whole) {
					t.Error("other rows")
				}
				if n := reordered + tab.Reordered(); n != whole.Reordered() {
					t.Errorf("%d reordered, want %d", n, whole.Reordered())
				}
			})
			tab.Release()
			whole.Release()
		}
	})
	if aside < 10_000 || large < 20 {
		t.Errorf("only %d sessions set aside, %d digest blocks", aside, large)
	}
}

// What was set aside gives its memory to sessions to come; after an error all
// of it is there still.
func TestSetAsideMemory(t *testing.T) {
	tab := NewTable(Options{TCPEnd: true})
	defer tab.Release()
	all := func(uint32) bool { return true }
	var most, used, touched int64
	for round := range 5 {
		for i := range 300 {
			batch := make([]flow.Event, 1+i)
			for p := range batch {
				batch[p] = plainEvent(i, int64(p))
			}
			tab.Update(batch, inOrder(len(batch)))
		}
		if round == 0 {
			most, used, touched = tab.Bytes(), tab.Used(), tab.Touched()
		}
		if tab.Bytes() != most || tab.Used() != used || tab.Touched() != touched {
			t.Errorf("round %d: %d bytes, %d of them used, %d touched; at first %d, %d, %d", round, tab.Bytes(), tab.Used(), tab.Touched(), most, used, touched)
		}
		broken := errors.New("broken")
		before := encodedRows(tab)
		if err := tab.SetAside(all, func(uint32, []byte) error { return broken }); err != broken || !bytes.Equal(encodedRows(tab), before) {
			t.Errorf("%v, or sessions are lost", err)
		}
		if err := tab.SetAside(all, func(uint32, []byte) error { return nil }); err != nil || tab.Len() != 0 || tab.Used() != 0 || tab.Touched() <= used/2 {
			t.Errorf("%v, %d sessions, %d bytes", err, tab.Len(), tab.Used())
		}
	}
}

// Bytes that are no session change nothing.
func TestRestoreRefuses(t *testing.T) {
	capturetest.OneGoroutine(t)
	o := everything(Options{TCPEnd: true})
	tab := NewTable(o)
	defer tab.Release()
	r := newRand(9)
	tr := traffic{keys: 3, gap: gapKinds["log"], size: sizeKinds["by log"]}
	events := tr.events(r, 900, 0)
	updateDetailed(tab, r, events, detailed(r, events, 0))
	var left shelf
	if err := tab.SetAside(func(uint32) bool { return true }, left.put); err != nil {
		t.Fatal(err)
	}
	for _, b := range left.sessions {
		for n := 0; n < len(b); n += step(len(b)) {
			if err := tab.Restore(b[:n]); !errors.Is(err, ErrCodec) || tab.Len() != 0 {
				t.Fatalf("%d of %d bytes: %v, %d sessions", n, len(b), err, tab.Len())
			}
		}
	}
}
