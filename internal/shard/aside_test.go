package shard

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"pcapbatch/internal/agg"
	"pcapbatch/internal/flow"
)

// memoryScratch is a Scratch that says what was wrong in its use.
type memoryScratch struct {
	size     int
	pieces   map[int64][]byte // nil: reserved
	next     int64
	puts     int
	failPut  int // number of the Put that fails, from 1; 0: none
	failTake int
	takes    int
}

func (k *memoryKeeper) Scratch(_, bytes int) Scratch {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := &memoryScratch{size: bytes, pieces: map[int64][]byte{}, failPut: k.failPut, failTake: k.failTake}
	k.scratches = append(k.scratches, s)
	return s
}

func (s *memoryScratch) Reserve() int64 {
	s.next++
	s.pieces[s.next] = nil
	return s.next
}

var errScratch = errors.New("scratch is broken")

func (s *memoryScratch) Put(place int64, piece []byte) error {
	if s.puts++; s.puts == s.failPut {
		return errScratch
	}
	if old, ok := s.pieces[place]; !ok || old != nil || len(piece) > s.size || len(piece) == 0 {
		panic(fmt.Sprintf("put %d bytes at %d, which is reserved: %t, has %d bytes", len(piece), place, ok, len(old)))
	}
	s.pieces[place] = bytes.Clone(piece)
	return nil
}

func (s *memoryScratch) Take(place int64, dst []byte) ([]byte, error) {
	if s.takes++; s.takes == s.failTake {
		return nil, errScratch
	}
	piece := s.pieces[place]
	if piece == nil {
		panic(fmt.Sprintf("nothing at %d", place))
	}
	delete(s.pieces, place)
	return append(dst, piece...), nil
}

// ruleEvents are n packets of connections that begin, end and begin again, of
// both families and with VLAN ids, with clocks that run back at times. Of three
// packets one is of a few long sessions.
func ruleEvents(r *rand.Rand, n, keys int) []flow.Event {
	list := testEvents(n, r.Uint64())
	for i := range list {
		number := r.IntN(keys)
		if r.IntN(3) == 0 {
			number = r.IntN(4)
		}
		ev := &list[i]
		k := &ev.Key
		k.SrcPort = uint16(number)
		if number%3 == 1 {
			k.Version, k.Src[15], k.Dst[9] = 6, byte(number), 3
		}
		if number%4 == 2 {
			k.VLANOuter, k.VLANInner = 7, uint16(number%2)
		}
		ev.Flags = flow.Flags([...]uint8{flow.SYN, flow.ACK, flow.ACK, flow.ACK, flow.FIN | flow.ACK, flow.RST, flow.SYN | flow.ACK, 0}[r.IntN(8)])
		if r.IntN(2) == 0 {
			ev.Flags |= flow.Reversed
		}
		if r.IntN(5) == 0 {
			ev.Flags |= flow.Truncated
		}
		if r.IntN(20) == 0 {
			ev.Time -= r.Int64N(50e6)
		}
	}
	return list
}

// byKey are the encoded sessions of each key and capture, in order, of lists of
// encoded sessions.
func byKey(t *testing.T, o agg.Options, lists ...[]byte) map[string]string {
	t.Helper()
	sessions := map[string]string{}
	table := agg.NewTable(o)
	defer table.Release()
	for _, data := range lists {
		for len(data) > 0 {
			rest, err := table.Load(data)
			if err != nil {
				t.Fatal(err)
			}
			session := data[:len(data)-len(rest)]
			number, _ := agg.CaptureOf(session)
			sessions[fmt.Sprint(number, table.Key(0))] += string(session)
			data = rest
		}
	}
	return sessions
}

// wholeRules are random rules that need whole sessions, and what is kept.
func wholeRules(r *rand.Rand) agg.Options {
	o := agg.Options{IdleThreshold: 10e6, Seed: 7, TCPEnd: true}
	switch r.IntN(3) {
	case 0:
		o.TCPEnd, o.ActiveTimeout = false, 1+r.Uint64N(500e6)
	case 1:
		o.ActiveTimeout = 1 + r.Uint64N(500e6)
	}
	if r.IntN(2) == 0 {
		o.IdleTimeout = 1 + r.Uint64N(200e6)
	}
	switch r.IntN(3) {
	case 0:
		o.Needs = agg.NeedEnd
	case 1:
		o.Needs, o.Sequence = agg.NeedDirection|agg.NeedTCP|agg.NeedActivity|agg.NeedBulk|agg.NeedIP|agg.NeedEnd|agg.NeedQuantiles, r.IntN(30)
	}
	return o
}

// ruled is a run with rules that need whole sessions.
func ruled(o agg.Options, workers int, cut ...[]flow.Event) Config[*fakeBlock] {
	c := config(workers, cut...)
	c.Sessions = o
	c.NewBlock = func() *fakeBlock {
		b := &fakeBlock{workers: workers}
		if o.Details() {
			b.details = []flow.Detail{}
		}
		return b
	}
	return c
}

// result is what a run with a keeper leads to: the sessions of each key, and
// how many packets came late.
func (k *memoryKeeper) result(t *testing.T, c Config[*fakeBlock]) map[string]string {
	t.Helper()
	c.Keeper = k
	tables, err := Run(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	var lists [][]byte
	for i := range c.Stretches {
		for w := range tables {
			for _, p := range k.tables[w] {
				if p.stretch == i {
					lists = append(lists, p.sessions)
				}
			}
		}
		lists = append(lists, k.kept[i])
	}
	for _, table := range tables {
		lists = append(lists, encode(nil, table))
		k.reordered += table.Reordered()
		table.Release()
	}
	for _, s := range k.scratches {
		if len(s.pieces) > 0 {
			t.Errorf("%d pieces are left in a scratch file", len(s.pieces))
		}
		k.puts += s.puts
	}
	return byKey(t, c.Sessions, lists...)
}

// With rules that need whole sessions every session is the same, to the last
// bit of its digests, however little memory there is and however the captures
// are read: what does not fit is set aside and replayed.
func TestSetAside(t *testing.T) {
	t.Parallel()
	aside, deep := 0, 0
	for round := range uint64(60) {
		r := newRand(400 + round)
		o := wholeRules(r)
		events := ruleEvents(r, 1+r.IntN(6000), 1+r.IntN(1+r.IntN(2000)))
		cut := [][]flow.Event{events}
		kind := r.IntN(3)
		if kind > 0 { // each stretch is a capture of its own
			at := r.IntN(len(events) + 1)
			cut = [][]flow.Event{events[:at], events[at:], events[at/2:]}
		}
		o.Captures = kind == 1
		whole := ruled(o, 1, cut...)
		whole.Separate = kind == 2
		all := newMemoryKeeper()
		want := all.result(t, whole)
		if all.puts > 0 {
			t.Fatal("something was set aside without a limit")
		}
		c := ruled(o, 1+r.IntN(4), cut...)
		for _, s := range c.Stretches {
			s.(*fakeStretch).size = r.IntN(2) * (1 + r.IntN(300))
		}
		c.Separate = kind == 2
		c.Share, c.LeastSpill = 1+r.Int64N(1<<(8+r.IntN(12))), 1+r.Int64N(1<<(6+r.IntN(12)))
		k := newMemoryKeeper()
		if got := k.result(t, c); !reflect.DeepEqual(got, want) {
			t.Fatalf("round %d: %+v, %d workers, share %d: other sessions: %s", round, o, c.Workers, c.Share, firstDifference(got, want))
		}
		if k.reordered != all.reordered {
			t.Errorf("round %d: %d packets came late, want %d", round, k.reordered, all.reordered)
		}
		if k.puts > 0 {
			aside++
		}
		if k.puts > classes*c.Workers*len(cut) {
			deep++
		}
	}
	if aside < 20 || deep < 5 {
		t.Errorf("only in %d rounds something was set aside, in %d of them a class of it again", aside, deep)
	}
}

func firstDifference(got, want map[string]string) string {
	for key := range want {
		if got[key] != want[key] {
			return fmt.Sprintf("%s has %d bytes of sessions, want %d", key, len(got[key]), len(want[key]))
		}
	}
	return fmt.Sprintf("%d keys, want %d", len(got), len(want))
}

// What is set aside leaves memory: no table is much larger than its share.
func TestSetAsideMemory(t *testing.T) {
	o := agg.Options{Seed: 7, TCPEnd: true}
	r := rand.New(rand.NewPCG(1, 2))
	events := ruleEvents(r, 300_000, 60_000)
	for i := range events {
		events[i].Flags &^= flow.Flags(flow.RST | flow.FIN) // no session ends
	}
	k := newMemoryKeeper()
	c := ruled(o, 1, events)
	c.Share, c.LeastSpill = 1<<20, 1<<20
	got := k.result(t, c)
	if len(got) < 50_000 || k.sessions != len(got) {
		t.Errorf("%d sessions of %d keys were spilled", k.sessions, len(got))
	}
	if k.most > c.Share+5<<20 { // and a chunk of sessions, of records and of digests
		t.Errorf("a table of %d bytes", k.most)
	}
}

// Sessions whose hashes are the same cannot be divided, and stay in memory.
func TestSetAsideSameHash(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 2))
	o := agg.Options{Seed: 7, TCPEnd: true}
	var keys []flow.Key // all in the same one of 2^18 classes
	for port := uint64(0); len(keys) < 5; port++ {
		k := flow.Key{Version: 4, Protocol: 17, SrcPort: uint16(port), DstPort: uint16(port >> 16)}
		k.Src[0] = byte(port >> 32)
		if uint32(k.Hash(7))>>14 == 0 {
			keys = append(keys, k)
		}
	}
	events := testEvents(3000, 3)
	for i := range events {
		events[i].Key = keys[r.IntN(len(keys))]
	}
	want := newMemoryKeeper().result(t, ruled(o, 1, events))
	c := ruled(o, 1, events)
	c.Share, c.LeastSpill = 1, 1
	if got := newMemoryKeeper().result(t, c); !reflect.DeepEqual(got, want) {
		t.Error(firstDifference(got, want))
	}
}

// Whichever use of a scratch file fails, the run ends with its error.
func TestScratchFails(t *testing.T) {
	events := ruleEvents(rand.New(rand.NewPCG(8, 2)), 6000, 500)
	o := agg.Options{Seed: 7, TCPEnd: true, ActiveTimeout: 1e9}
	run := func(k *memoryKeeper, separate bool) error {
		c := ruled(o, 1, events)
		c.Share, c.LeastSpill, c.Keeper, c.Separate = 4000, 1000, k, separate
		tables, err := Run(t.Context(), c)
		for _, table := range tables {
			table.Release()
		}
		return err
	}
	for _, separate := range []bool{false, true} {
		k := newMemoryKeeper()
		if err := run(k, separate); err != nil {
			t.Fatal(err)
		}
		s := k.scratches[0]
		if s.puts < 64 || s.takes != s.puts {
			t.Fatalf("%d pieces written, %d read", s.puts, s.takes)
		}
		for n := 1; n <= s.puts; n += 1 + n/4 {
			for _, k := range []*memoryKeeper{{failPut: n}, {failTake: n}} {
				k.tables, k.kept = map[int][]spilledTable{}, map[int][]byte{}
				if err := run(k, separate); !errors.Is(err, errScratch) {
					t.Errorf("use %d, separate %t: %v", n, separate, err)
				}
			}
		}
	}
}

// A replay ends when the run is cancelled.
func TestReplayCancelled(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	events := ruleEvents(rand.New(rand.NewPCG(9, 2)), 6000, 500)
	c := ruled(agg.Options{Seed: 7, TCPEnd: true}, 1, events)
	gone := errors.New("gone")
	c.Share, c.LeastSpill = 4000, 1000
	c.Keeper = &cancelling{memoryKeeper: newMemoryKeeper(), cancel: func() { cancel(gone) }}
	if _, err := Run(ctx, c); !errors.Is(err, gone) {
		t.Error(err)
	}
}

// cancelling cancels the run once a piece is read back.
type cancelling struct {
	*memoryKeeper
	cancel func()
}

type cancellingScratch struct {
	Scratch
	cancel func()
}

func (k *cancelling) Scratch(worker, bytes int) Scratch {
	return cancellingScratch{k.memoryKeeper.Scratch(worker, bytes), k.cancel}
}

func (s cancellingScratch) Take(place int64, dst []byte) ([]byte, error) {
	s.cancel()
	return s.Scratch.Take(place, dst)
}

// Events and entries of any size come back from a chain as they were.
func TestChain(t *testing.T) {
	r := newRand(77)
	s := newMemoryKeeper().Scratch(0, pieceBytes).(*memoryScratch)
	for range 20 {
		events := ruleEvents(r, r.IntN(3000), 300)
		sessions := make([]string, r.IntN(30))
		var c chain
		for i := range sessions {
			sessions[i] = strings.Repeat(string(rune('a'+i)), 1+r.IntN(1<<r.IntN(17)))
			if err := c.write(s, appendSession(nil, []byte(sessions[i]))); err != nil {
				t.Fatal(err)
			}
		}
		for i := range events {
			if err := c.write(s, appendDetail(appendEvent(nil, &events[i]), flow.Detail(i))); err != nil {
				t.Fatal(err)
			}
		}
		if c.buffer == nil {
			continue
		}
		if err := c.close(s); err != nil {
			t.Fatal(err)
		}
		in := chainReader{scratch: s, next: c.first}
		for i := range sessions {
			if b, err := in.session(); err != nil || string(b) != sessions[i] {
				t.Fatalf("session %d: %d bytes, want %d, %v", i, len(b), len(sessions[i]), err)
			}
		}
		for i := range events {
			var ev flow.Event
			err := in.event(&ev, 5)
			d, derr := in.detail()
			events[i].Hash = uint32(events[i].Key.Hash(5))
			if err != nil || derr != nil || ev != events[i] || d != flow.Detail(i) {
				t.Fatalf("event %d: %+v, %d, want %+v, %v", i, ev, d, events[i], err)
			}
		}
		if _, err := in.need(1); in.more() || err != errChain || len(s.pieces) > 0 {
			t.Fatalf("more is in the chain: %v, %d pieces", err, len(s.pieces))
		}
	}
}
