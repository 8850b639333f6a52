package agg

import (
	"errors"
	"math"
	"slices"
	"testing"
)

// Gathering keeps all sessions of all captures as they are, and their numbers
// survive encoding.
func TestGather(t *testing.T) {
	for _, o := range []Options{codecOptions, besideOptions} {
		o.Captures = true
		alone := o
		alone.Captures = false
		r := newRand(91)
		events := codecEvents()
		details := detailed(newRand(92), events, o.Seed)
		merged := NewTable(o)
		var want []string // summaries
		var encodings [][]byte
		numbers := []uint32{0, 1, 127, 128, 70_000, math.MaxUint32}
		for k, number := range numbers {
			n := max(1, len(events)*(k%3)/2)
			tab, single := NewTable(o), NewTable(alone)
			tab.SetCapture(number)
			updateDetailed(tab, r, events[:n], details[:n])
			updateDetailed(single, r, events[:n], details[:n])
			for i := range uint32(single.Len()) {
				e, err := AppendCaptured(nil, single.AppendSession(nil, i), number)
				if err != nil {
					t.Fatal(err)
				}
				if got, ok := CaptureOf(e); got != number || !ok {
					t.Errorf("capture %d, %t, want %d", got, ok, number)
				}
				if k, err := KeyOf(e); err != nil || k != single.Key(i) {
					t.Errorf("key %v, %v", k, err)
				}
				if _, err := AppendCaptured(nil, e, 5); !errors.Is(err, ErrCodec) {
					t.Errorf("a second number: %v", err)
				}
				if _, ok := CaptureOf(single.AppendSession(nil, i)); ok {
					t.Error("a number where there is none")
				}
				encodings = append(encodings, e)
			}
			want = append(want, allSummaries(tab)...)
			merged.Gather(tab)
			tab.Reset()
			tab.SetCapture(7)
			updateDetailed(tab, r, events[:1], details[:1])
			if tab.Len() != 1 || tab.captureOf(0) != 7 {
				t.Error("a table that was reset has other sessions")
			}
			tab.Release()
			single.Release()
		}
		if got := allSummaries(merged); !slices.Equal(got, want) {
			t.Errorf("%d sessions were gathered, want %d, or other ones", len(got), len(want))
		}
		probe, without := NewTable(o), NewTable(alone)
		for i, e := range encodings {
			if got := merged.AppendSession(nil, uint32(i)); !slices.Equal(got, e) {
				t.Fatalf("session %d is encoded otherwise", i)
			}
			if rest, err := probe.Load(e); err != nil || len(rest) > 0 {
				t.Fatalf("session %d: %v, %d bytes left", i, err, len(rest))
			}
			if got := allSummaries(probe); got[0] != want[i] {
				t.Fatalf("session %d reads otherwise", i)
			}
			if _, err := without.Load(e); !errors.Is(err, ErrCodec) {
				t.Fatalf("a table without captures takes session %d: %v", i, err)
			}
		}
		if _, err := probe.Load(slices.Concat(encodings[0][:1], []byte{0x80, 0x80, 0x80, 0x80, 0x10}, encodings[0][2:])); !errors.Is(err, ErrCodec) {
			t.Errorf("a number of 33 bits: %v", err)
		}
		merged.Release()
	}
}

// A table that held many sessions and then few is empty after each.
func TestResetClearsSlots(t *testing.T) {
	tab := NewTable(Options{})
	defer tab.Release()
	for round, n := range []int{60_000, 1, 500, 0, 30_000, 7, 1000} {
		events := benchEvents(max(n, 1), n)
		for len(events) > 0 {
			part := min(len(events), 1000)
			tab.Update(events[:part], inOrder(part))
			events = events[part:]
		}
		tab.Reset()
		for i, s := range tab.slots {
			if s != 0 {
				t.Fatalf("round %d: slot %d is in use", round, i)
			}
		}
	}
}
