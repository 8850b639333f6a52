package agg

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pcapbatch/internal/flow"

	"pcapbatch/internal/capturetest"
)

// Rules as the command's users have them, by a model that keeps all packets.
type ruleModel struct {
	opt  Options
	list []*ruleSession
	live map[flow.Key]*ruleSession
}

type ruleSession struct {
	first, last int64
	packets     uint64
	rst         bool
	fin         [2]bool
	end         EndReason
}

func (m *ruleModel) event(ev *flow.Event) {
	s := m.live[ev.Key]
	flags := uint8(ev.Flags) & 0x3f
	time := ev.Time
	if s != nil {
		clock := max(time, s.last)
		why := EndInput
		switch {
		case m.opt.IdleTimeout > 0 && distance(s.last, clock) > m.opt.IdleTimeout:
			why = EndIdle
		case m.opt.ActiveTimeout > 0 && distance(s.first, clock) > m.opt.ActiveTimeout:
			why = EndActive
		case m.opt.TCPEnd && flags&(flow.SYN|flow.ACK) == flow.SYN && (s.rst || s.fin[0] && s.fin[1]):
			why = EndTCP
		}
		if why != EndInput {
			s.end = why
			s = nil
		} else {
			time = clock
		}
	}
	if s == nil {
		s = &ruleSession{first: time}
		m.live[ev.Key] = s
		m.list = append(m.list, s)
	}
	s.last = time
	s.packets++
	s.rst = s.rst || flags&flow.RST != 0
	if flags&flow.FIN != 0 {
		s.fin[int(ev.Flags&flow.Reversed)>>6] = true
	}
}

func (m *ruleModel) check(t *testing.T, tab *Table) {
	t.Helper()
	if tab.Len() != len(m.list) {
		t.Fatalf("%d sessions, want %d", tab.Len(), len(m.list))
	}
	var z Summarizer
	var s Summary
	for i, want := range m.list {
		z.Summarize(tab, uint32(i), &s)
		if s.First != want.first || s.Last != want.last || s.Packets != want.packets || s.End != want.end {
			t.Fatalf("session %d: %d to %d, %d packets, ended by %v; want %+v", i, s.First, s.Last, s.Packets, s.End, want)
		}
	}
}

// Random connections under every set of rules, with feature groups and
// without, with clocks that run back.
func TestEndingRules(t *testing.T) {
	capturetest.OneGoroutine(t)
	counts := map[EndReason]int{}
	for number, o := range []Options{
		{}, {IdleTimeout: 3e9}, {ActiveTimeout: 10e9}, {TCPEnd: true}, {IdleTimeout: 3e9, ActiveTimeout: 10e9},
		{IdleTimeout: 3e9, TCPEnd: true}, {ActiveTimeout: 10e9, TCPEnd: true}, {IdleTimeout: 3e9, ActiveTimeout: 10e9, TCPEnd: true},
	} {
		for _, o := range []Options{o, everything(o)} {
			for _, reorder := range []int{0, 4} {
				r := newRand(uint64(11_000 + number))
				tr := traffic{keys: 8, gap: func(r *rand.Rand) uint64 { return r.Uint64N(1 << (26 + r.UintN(7))) }, size: sizeKinds["usual"], reorder: reorder, start: -1 << 40}
				events := tr.events(r, 4000, 0)
				details := detailed(r, events, 0)
				for i := range events {
					events[i].Flags |= flow.Flags([...]uint8{flow.SYN, flow.SYN | flow.ACK, flow.ACK, flow.ACK, flow.FIN | flow.ACK, flow.RST, flow.FIN | flow.SYN, flow.FIN | flow.RST}[r.IntN(8)])
				}
				m := &ruleModel{opt: o, live: map[flow.Key]*ruleSession{}}
				for i := range events {
					m.event(&events[i])
				}
				tab := NewTable(o)
				updateDetailed(tab, r, events, details)
				t.Run(fmt.Sprintf("%+v/reorder=%d", o, reorder), func(t *testing.T) { m.check(t, tab) })
				checkRows(t, tab)
				for _, s := range m.list {
					counts[s.end]++
				}
				tab.Release()
			}
		}
	}
	for _, e := range []EndReason{EndInput, EndIdle, EndActive, EndTCP} {
		if counts[e] < 100 {
			t.Errorf("only %d sessions ended by %v", counts[e], e)
		}
	}
}

// With a rule that needs the whole session only what was followed by another
// session leaves a table, and nothing that a packet can still join.
func TestEvictWithWholeRules(t *testing.T) {
	capturetest.OneGoroutine(t)
	evictions := 0
	for number, o := range []Options{{ActiveTimeout: 5e9}, {TCPEnd: true, IdleTimeout: 2e9}} {
		for _, o := range []Options{o, everything(o)} {
			r := newRand(uint64(12_000 + number))
			tr := traffic{keys: 30, gap: func(r *rand.Rand) uint64 { return r.Uint64N(1e9) }, size: sizeKinds["usual"], reorder: 5}
			events := tr.events(r, 4000, 0)
			details := detailed(r, events, 0)
			for i := range events {
				events[i].Flags |= flow.Flags([...]uint8{flow.SYN, flow.ACK, flow.ACK, flow.RST}[r.IntN(4)])
			}
			whole := NewTable(o)
			updateDetailed(whole, r, events, details)
			want := allSummaries(whole)
			tab := NewTable(o)
			var got []string
			for n := 0; n < len(events); n += 200 {
				updateDetailed(tab, r, events[n:n+200], details[n:n+200])
				tab.live = 0
				all := allSummaries(tab)
				if err := tab.Evict(func() error {
					for _, i := range tab.KeyOrder(nil) {
						got = append(got, all[i])
						evictions++
					}
					return nil
				}, false); err != nil {
					t.Fatal(err)
				}
			}
			got = append(got, allSummaries(tab)...)
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("%+v: %d sessions, want %d", o, len(got), len(want))
			}
			tab.Release()
			whole.Release()
		}
	}
	if evictions < 500 {
		t.Errorf("only %d evictions", evictions)
	}
}
