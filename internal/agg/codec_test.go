package agg

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pcapbatch/internal/flow"

	"pcapbatch/internal/capturetest"
)

// codecEvents are sessions of every form that an encoding has: both address
// families, with VLAN ids, one packet, full and overfull storage, folded, of
// few values and of many, in both directions, truncated, back to the year 1677.
// They are computed without randomness: the golden file holds their sessions.
func codecEvents() []flow.Event {
	var list []flow.Event
	for s, packets := range []int{1, 2, 8, 9, 33, 65, 128, 129, 400, 3000} {
		now := int64(s) * 1e9
		if s == 1 {
			now = math.MinInt64
		}
		for p := range packets {
			x := scramble(uint64(s<<20 + p))
			k := testKey(s + 3)
			ev := flow.Event{Time: now, WireBytes: uint32(x) >> (x >> 32 % 32), PayloadBytes: uint32(60 + x>>40%4), Key: k, Hash: uint32(k.Hash(0))}
			if x>>50%7 == 0 {
				ev.Flags |= flow.Truncated
			}
			if x>>55%2 == 0 {
				ev.Flags |= flow.Reversed
			}
			list = append(list, ev)
			now += int64(scramble(x) >> (x >> 58) >> 20)
		}
	}
	return list
}

var codecOptions = Options{IdleThreshold: DefaultIdleThreshold}

// encodings are the sessions of codecEvents, one with inexact gaps among them.
func encodings(tb testing.TB) [][]byte {
	tb.Helper()
	tab := NewTable(codecOptions)
	defer tab.Release()
	events := codecEvents()
	tab.Update(events, inOrder(len(events)))
	tab.session(3).state |= inexactGaps
	var list [][]byte
	for i := range uint32(tab.Len()) {
		list = append(list, tab.AppendSession(nil, i))
	}
	return list
}

func TestCodecRoundTrip(t *testing.T) {
	ref := newReference(codecOptions)
	ref.add(codecEvents())
	tab := NewTable(codecOptions)
	defer tab.Release()
	prefix := []byte("before")
	for i, e := range encodings(t) {
		rest, err := tab.Absorb(append(slices.Clone(e), "behind"...))
		if err != nil || string(rest) != "behind" {
			t.Fatalf("session %d: %q left, %v", i, rest, err)
		}
		if got := tab.AppendSession(slices.Clone(prefix), uint32(i)); !slices.Equal(got, append(slices.Clone(prefix), e...)) {
			t.Errorf("session %d is encoded otherwise the second time", i)
		}
		if k, err := KeyOf(e); err != nil || k != tab.session(uint32(i)).key {
			t.Errorf("KeyOf session %d: %v, %v", i, k, err)
		}
		if tab.newest < tab.session(uint32(i)).last {
			t.Error("the table's clock stands still")
		}
	}
	ref.check(t, tab)
	if tab.InexactGaps() != 1 {
		t.Errorf("%d with inexact gaps, want 1", tab.InexactGaps())
	}
}

func TestCodecBytes(t *testing.T) {
	for i, e := range encodings(t) {
		t.Logf("session %d: %d bytes", i, len(e))
		if len(e) > 8<<10 {
			t.Errorf("session %d is encoded in %d bytes", i, len(e))
		}
	}
}

// Files of every version stay readable, and say what they said.
// testdata/sessions-v*.hex, one session a line, are never to be rewritten: a
// change of the encoding takes a new version, a new file, and reads all.
func TestCodecGolden(t *testing.T) {
	for version := 1; version <= CodecVersion; version++ {
		t.Run(fmt.Sprintf("version=%d", version), func(t *testing.T) { checkGolden(t, version) })
	}
}

func checkGolden(t *testing.T, version int) {
	text, err := os.ReadFile(filepath.Join("testdata", fmt.Sprintf("sessions-v%d.hex", version)))
	if err != nil {
		t.Fatal(err)
	}
	ref := newReference(codecOptions)
	ref.add(codecEvents())
	tab := NewTable(codecOptions)
	defer tab.Release()
	current := encodings(t)
	for i, line := range strings.Fields(string(text)) {
		e, err := hex.DecodeString(line)
		if err != nil {
			t.Fatal(err)
		}
		absorb(t, tab, e)
		if version == CodecVersion && !slices.Equal(current[i], e) {
			t.Errorf("session %d of the golden file is encoded otherwise now: that takes a new version", i)
		}
	}
	ref.check(t, tab)
}

// Every cut is refused, and leaves the table as it was.
func TestCodecCut(t *testing.T) {
	tab := NewTable(codecOptions)
	defer tab.Release()
	events := codecEvents()
	tab.Update(events, inOrder(len(events)))
	before := digestOf(tab)
	for i, e := range encodings(t) {
		for n := range e {
			if _, err := tab.Absorb(slices.Clip(e[:n])); !errors.Is(err, ErrCodec) {
				t.Fatalf("the first %d of %d bytes of session %d: %v", n, len(e), i, err)
			}
		}
		for n := range min(len(e), 9) {
			if _, err := KeyOf(e[:n]); !errors.Is(err, ErrCodec) {
				t.Fatalf("KeyOf the first %d bytes: %v", n, err)
			}
		}
	}
	if digestOf(tab) != before {
		t.Error("a refused session changed the table")
	}
}

// step is how far the places of n bytes at which something is spoilt are from
// each other: an odd number, so that all bits of a byte have their turn.
func step(n int) int { return capturetest.Usually(5+n/200, 1+n/2000) | 1 }

// Every flipped bit is refused or makes another session without
// contradictions.
func TestCodecFlip(t *testing.T) {
	capturetest.OneGoroutine(t)
	tab := NewTable(codecOptions)
	defer tab.Release()
	refused, taken := 0, 0
	for i, e := range encodings(t) {
		for bit := 0; bit < 8*len(e); bit += step(len(e)) {
			bad := slices.Clone(e)
			bad[bit/8] ^= 1 << (bit % 8)
			tab.Reset()
			_, err := tab.Absorb(bad)
			switch {
			case errors.Is(err, ErrCodec) && tab.Len() == 0:
				refused++
			case err == nil && tab.Len() == 1:
				taken++
				checkConsistent(t, tab, 0)
			default:
				t.Fatalf("bit %d of session %d: %v, %d sessions", bit, i, err, tab.Len())
			}
		}
	}
	t.Logf("%d flips refused, %d taken", refused, taken)
	if refused == 0 || taken == 0 {
		t.Error("not both kinds of flips were met")
	}
}

// checkConsistent checks what holds for all sessions, whatever their values.
func checkConsistent(t *testing.T, tab *Table, i uint32) {
	t.Helper()
	var z Summarizer
	var s Summary
	z.Summarize(tab, i, &s)
	ok := s.Packets >= 1 && s.Truncated <= s.Packets && s.First <= s.Last && s.Idle <= s.Duration() &&
		s.Gaps.N == s.Packets-1 && s.Gaps.Sum == s.Duration() && s.Lengths.N == s.Packets && s.Payloads.N == s.Packets &&
		s.Lengths.Max <= math.MaxUint32 && s.Payloads.Max <= math.MaxUint32
	for _, st := range []*Stats{&s.Gaps, &s.Lengths, &s.Payloads} {
		mean := st.Mean(1)
		ok = ok && st.Min <= st.Median.Lo && st.Median.Lo <= st.Median.Hi && st.Median.Hi <= st.Max &&
			st.Min <= mean && mean <= st.Max && st.Std(1, false) <= st.Max/2+1 && !st.contradict()
	}
	if !ok {
		t.Fatalf("contradictions: %+v", s)
	}
}

// Encodings put together by hand, each wrong in one way.
func TestCodecRefuses(t *testing.T) {
	good := encodings(t)[7] // of 129 packets: folded
	tab := NewTable(codecOptions)
	defer tab.Release()
	// change encodes the session anew after a change of its state.
	change := func(f func(s *Session, l *large)) []byte {
		tab.Reset()
		absorb(t, tab, good)
		s := tab.session(0)
		f(s, tab.larges.at(s.large-1, largeShift))
		return tab.AppendSession(nil, 0)
	}
	for name, f := range map[string]func(s *Session, l *large){
		"no change":              func(s *Session, l *large) {},
		"no packets folded":      func(s *Session, l *large) { *l = large{} },
		"too many packets":       func(s *Session, l *large) { l.packets = maxPackets + 1 },
		"fewer packets":          func(s *Session, l *large) { l.packets-- },
		"truncated records":      func(s *Session, l *large) { s.truncated = uint16(s.fill) + 1 },
		"truncated packets":      func(s *Session, l *large) { l.truncated = l.packets + uint64(s.fill) + 1 },
		"endless truncated":      func(s *Session, l *large) { l.truncated = math.MaxUint64 },
		"idle":                   func(s *Session, l *large) { l.idle = l.moments[gapMetric].Sum + 1 },
		"no records":             func(s *Session, l *large) { s.fill = 0 },
		"open head":              func(s *Session, l *large) { s.fill = keptRecords - 1 },
		"time":                   func(s *Session, l *large) { s.head[0].gap = math.MaxInt64 - 1 },
		"gap":                    func(s *Session, l *large) { s.head[1].gap = math.MaxUint64 },
		"sum":                    func(s *Session, l *large) { l.moments[lengthMetric].Sum++ },
		"squares too small":      func(s *Session, l *large) { l.moments[lengthMetric].SqHi, l.moments[lengthMetric].SqLo = 0, 1 },
		"squares too large":      func(s *Session, l *large) { l.moments[lengthMetric].SqHi = math.MaxUint64 },
		"minimum above the rest": func(s *Session, l *large) { l.moments[payloadMetric].Min = 62 },
		"maximum below the rest": func(s *Session, l *large) { l.moments[payloadMetric].Max = 61 },
		"length beyond 32 bits":  func(s *Session, l *large) { l.moments[lengthMetric].Max = 1 << 32 },
		"weight":                 func(s *Session, l *large) { l.digests[payloadMetric].list[0].weightAtom += 2 },
		"no weight":              func(s *Session, l *large) { l.digests[payloadMetric].list[0].weightAtom = 1 },
		"no centroids":           func(s *Session, l *large) { l.digests[payloadMetric].n = 0 },
		"uneven atom": func(s *Session, l *large) {
			l.digests[payloadMetric].list[0].sum++
			l.digests[payloadMetric].list[1].sum--
		},
		"centroids out of order": func(s *Session, l *large) {
			d := &l.digests[payloadMetric]
			d.list[0], d.list[1] = d.list[1], d.list[0]
		},
		"sums beyond 64 bits": func(s *Session, l *large) {
			d := &l.digests[gapMetric]
			d.list[d.n-2].sum += 1 << 63
			d.list[d.n-1].sum += 1 << 63
			l.moments[gapMetric].Max = math.MaxUint64
		},
		"weights beyond 64 bits": func(s *Session, l *large) { l.digests[gapMetric].list[3].weightAtom |= 1 << 63 },
	} {
		e := change(f)
		tab.Reset()
		_, err := tab.Absorb(e)
		if want := name != "no change"; errors.Is(err, ErrCodec) != want || !want && err != nil || want && tab.Len() != 0 {
			t.Errorf("%s: %v, %d sessions", name, err, tab.Len())
		}
	}
	many := slices.Clone(good)
	tab.Reset()
	absorb(t, tab, good)
	many[len(tab.appendKey(nil, tab.session(0), 0))+8+1] = exactRecords + 1
	long := slices.Clone(encodings(t)[0])
	for name, e := range map[string][]byte{
		"nothing":      nil,
		"many records": many,
		"capture":      append([]byte{long[0] | codecCapture, 0}, long[1:]...),
		"long number":  append(long[:len(long)-1:len(long)-1], 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01),
		"33 bits":      append(long[:len(long)-1:len(long)-1], 0x80, 0x80, 0x80, 0x80, 0x10),
	} {
		if _, err := tab.Absorb(e); !errors.Is(err, ErrCodec) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// forged is a session of packets 0-byte packets, give or take a few, without
// a contradiction.
func forged(packets uint64) []byte {
	tab := NewTable(codecOptions)
	defer tab.Release()
	events := sequence(ramp(exactRecords+1, 0, 1), 0)
	tab.Update(events, inOrder(len(events)))
	l := tab.larges.at(0, largeShift)
	*l = large{packets: packets}
	for m := range metrics {
		l.moments[m] = Moments{N: packets, Sum: 50, SqLo: 60, Max: 30}
		l.digests[m].n = 2
		l.digests[m].list[0] = centroid{sum: 20, weightAtom: packets / 2 << 1}
		l.digests[m].list[1] = centroid{sum: 30, weightAtom: (packets - packets/2) << 1}
	}
	return tab.AppendSession(nil, 0)
}

// Forged counts are refused where they are absurd, and stop growing before
// they add up to more than 64 bits hold.
func TestCodecForgedCounts(t *testing.T) {
	tab := NewTable(codecOptions)
	defer tab.Release()
	if _, err := tab.Absorb(forged(maxPackets + 1)); !errors.Is(err, ErrCodec) {
		t.Errorf("%d packets: %v", uint64(maxPackets+1), err)
	}
	a, b := NewTable(codecOptions), NewTable(codecOptions)
	defer a.Release()
	defer b.Release()
	absorb(t, a, forged(maxPackets))
	absorb(t, b, forged(maxPackets))
	var z Summarizer
	var s Summary
	for range 60 { // the counts grow as Fibonacci's numbers do
		a.Merge(b)
		a, b = b, a
		z.Summarize(b, 0, &s)
	}
	if s.Packets < mostPackets/4 || s.Packets > mostPackets+exactRecords {
		t.Errorf("%d packets, want up to %d", s.Packets, uint64(mostPackets))
	}
}

// FuzzAbsorb: any bytes are sessions without contradictions, or refused; and
// sessions merge with themselves without harm, overlapping as they do.
func FuzzAbsorb(f *testing.F) {
	for _, e := range encodings(f) {
		f.Add(e)
		f.Add(append(slices.Clone(e), e...))
		f.Add(e[:len(e)/2])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		tab := NewTable(codecOptions)
		defer tab.Release()
		for rest := data; len(rest) > 0; {
			before, sessions := len(rest), tab.Len()
			key, keyErr := KeyOf(rest)
			var err error
			rest, err = tab.Absorb(rest)
			if err != nil {
				if !errors.Is(err, ErrCodec) || tab.Len() != sessions {
					t.Fatalf("%v, %d sessions, %d before", err, tab.Len(), sessions)
				}
				return
			}
			if keyErr != nil || len(rest) >= before {
				t.Fatalf("%d bytes left of %d, %v", len(rest), before, keyErr)
			}
			if tab.Len() > sessions {
				checkConsistent(t, tab, uint32(sessions))
				checkReencoded(t, tab, uint32(sessions), key)
			}
		}
		if _, err := tab.Absorb(data); err == nil {
			digestOf(tab)
		}
	})
}

// checkReencoded checks that session i encodes to what decodes to the same.
func checkReencoded(t *testing.T, tab *Table, i uint32, key flow.Key) {
	t.Helper()
	again := NewTable(codecOptions)
	defer again.Release()
	absorb(t, again, tab.AppendSession(nil, i))
	var z Summarizer
	var a, b Summary
	z.Summarize(tab, i, &a)
	z.Summarize(again, 0, &b)
	if a != b || again.session(0).key != key {
		t.Fatalf("%+v, encoded and decoded %+v", a, b)
	}
}
