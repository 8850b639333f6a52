package agg

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"pcapbatch/internal/flow"

	"pcapbatch/internal/capturetest"
)

var besideOptions = everything(codecOptions)

// besideEncodings are the sessions of codecEvents with all that feature groups
// keep, one of them merged so that its facts have some of its records.
func besideEncodings(tb testing.TB, o Options) [][]byte {
	tb.Helper()
	events := codecEvents()
	details := detailed(newRand(61), events, o.Seed)
	tab, later := NewTable(o), NewTable(o)
	defer tab.Release()
	defer later.Release()
	updateDetailed(tab, newRand(62), events, details)
	for i := range events {
		events[i].Time += int64(1e18)
	}
	updateDetailed(later, newRand(63), events[:1+len(events)/2], details[:1+len(events)/2])
	tab.Merge(later)
	var list [][]byte
	for i := range uint32(tab.Len()) {
		list = append(list, tab.AppendSession(nil, i))
	}
	return list
}

// allSummaries is everything that a table says, in the order of its sessions.
func allSummaries(tab *Table) (list []string) {
	z := Summarizer{Asked: []Quantile{10, 50_000, 99_000}}
	var s Summary
	for i := range uint32(tab.Len()) {
		z.Summarize(tab, i, &s)
		list = append(list, fmt.Sprint(s, z.Quantiles, z.Sequence))
	}
	return list
}

func TestBesideRoundTrip(t *testing.T) {
	capturetest.OneGoroutine(t)
	subsets := []Options{besideOptions, {Sequence: 20}, {Sequence: 5}, {Needs: NeedEnd}}
	for n := Needs(1); n <= allNeeds; n <<= 1 {
		subsets = append(subsets, Options{Needs: n}, Options{Needs: allNeeds &^ n, Sequence: 9})
	}
	for _, o := range subsets {
		o.IdleThreshold = DefaultIdleThreshold
		tab := NewTable(o)
		for i, e := range besideEncodings(t, o) {
			absorb(t, tab, e)
			if got := tab.AppendSession(nil, uint32(i)); !slices.Equal(got, e) {
				t.Fatalf("%+v: session %d is encoded otherwise the second time", o, i)
			}
			if n, sequence, err := KeepsOf(e); n != o.Needs || sequence != o.Sequence || err != nil {
				t.Errorf("%+v: says that it keeps %b, %d, %v", o, n, sequence, err)
			}
			if k, err := KeyOf(e); err != nil || k != tab.Key(uint32(i)) {
				t.Errorf("key %v, %v", k, err)
			}
			if first, _, _, err := RowOf(e); err != nil || first != tab.session(uint32(i)).first() {
				t.Errorf("first time %d, %v", first, err)
			}
		}
		again := NewTable(o)
		again.Merge(tab)
		if !slices.Equal(allSummaries(again), allSummaries(tab)) {
			t.Errorf("%+v: another table after merging", o)
		}
		tab.Release()
		again.Release()
	}
}

// What was made for other groups is refused, and one made for none.
func TestBesideMismatch(t *testing.T) {
	plain := encodings(t)[0]
	for _, o := range []Options{besideOptions, {Needs: NeedFlags}, {Sequence: 9}, {Needs: NeedEnd}} {
		tab, without := NewTable(o), NewTable(Options{})
		e := besideEncodings(t, o)[0]
		if _, err := tab.Absorb(plain); !errors.Is(err, ErrCodec) {
			t.Errorf("%+v takes a session without groups: %v", o, err)
		}
		if _, err := without.Absorb(e); !errors.Is(err, ErrCodec) {
			t.Errorf("a table without groups takes one of %+v: %v", o, err)
		}
		o.Sequence = MaxSequence - 1 - o.Sequence/2
		other := NewTable(o)
		if _, err := other.Absorb(e); !errors.Is(err, ErrCodec) {
			t.Errorf("a sequence of another length than %d is taken: %v", o.Sequence, err)
		}
	}
}

func TestBesideCut(t *testing.T) {
	capturetest.OneGoroutine(t)
	tab := NewTable(besideOptions)
	defer tab.Release()
	for i, e := range besideEncodings(t, besideOptions) {
		for n := 0; n < len(e); n += step(len(e)) {
			if _, err := tab.Absorb(slices.Clip(e[:n])); !errors.Is(err, ErrCodec) || tab.Len() != 0 {
				t.Fatalf("the first %d of %d bytes of session %d: %v", n, len(e), i, err)
			}
		}
	}
}

// Every flipped bit is refused or makes another session without
// contradictions.
func TestBesideFlip(t *testing.T) {
	capturetest.OneGoroutine(t)
	tab := NewTable(besideOptions)
	defer tab.Release()
	refused, taken := 0, 0
	for i, e := range besideEncodings(t, besideOptions) {
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
				checkBesideConsistent(t, tab, 0)
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

// checkBesideConsistent checks what holds for the feature groups of all
// sessions, whatever their values.
func checkBesideConsistent(t *testing.T, tab *Table, i uint32) {
	t.Helper()
	z := Summarizer{Asked: []Quantile{1, 50_000, 99_999}}
	var s Summary
	z.Summarize(tab, i, &s)
	checkTotals(t, &s)
	for d, side := range s.Directions {
		ok := side.DataPackets <= side.Packets && side.HeaderMin <= side.HeaderBytes || side.Packets == 0
		if side.Packets > 0 {
			ok = ok && s.First <= side.First && side.First <= side.Last && side.Last <= s.Last &&
				side.Gaps.N == side.Packets-1 && side.Gaps.Sum == distance(side.First, side.Last)
		}
		for _, st := range []*Stats{&side.Gaps, &side.Lengths, &side.Payloads} {
			ok = ok && !st.contradict() && (st.N == 0 || st.Min <= st.Median.Lo && st.Median.Lo <= st.Median.Hi && st.Median.Hi <= st.Max)
		}
		for _, n := range s.Flags[d] {
			ok = ok && n <= s.Packets
		}
		b := s.Bulk.Bulks[d]
		ok = ok && b.Packets >= 4*b.Bulks && b.Bytes >= b.Packets && s.IP.TTL[d].Min <= s.IP.TTL[d].Max
		if !ok {
			t.Fatalf("contradictions in direction %d: %+v", d, s)
		}
	}
	if s.Bulk.Subflows > s.Packets || s.IP.Fragments > s.Packets || s.TCP.SYNToSYNACK.Ns > s.Duration() || s.TCP.SYNACKToACK.Ns > s.Duration() ||
		s.Activity.Active.contradict() || s.Activity.Idle.contradict() {
		t.Fatalf("contradictions: %+v", s)
	}
	for _, q := range z.Quantiles {
		if q.Gaps.Hi > s.Gaps.Max || q.Lengths.Lo < s.Lengths.Min || q.Payloads.Nearest() > s.Payloads.Max {
			t.Fatalf("quantile %+v of %+v", q, s)
		}
	}
	for j, p := range z.Sequence {
		if p.Gap > s.Duration() || j == 0 && (p.Backward || p.Gap > 0) {
			t.Fatalf("sequence %+v of %+v", z.Sequence, s)
		}
	}
}

// Contradictions that no flip of one bit makes.
func TestBesideContradictions(t *testing.T) {
	all := besideEncodings(t, besideOptions)
	i := slices.IndexFunc(all, func(e []byte) bool {
		k, err := KeyOf(e)
		return err == nil && k.Protocol == protocolTCP && e[0]&codecLarge != 0
	})
	good := all[i]
	tab := NewTable(besideOptions)
	defer tab.Release()
	for name, f := range map[string]func(s *Session, f *facts){
		"no change":           func(*Session, *facts) {},
		"records in facts":    func(s *Session, f *facts) { f.done = s.fill + 1 },
		"kept in facts":       func(s *Session, f *facts) { f.done = keptRecords - 1 },
		"direction":           func(s *Session, f *facts) { s.state ^= reversed },
		"first after last":    func(s *Session, f *facts) { f.first = f.last + 1 },
		"last":                func(s *Session, f *facts) { f.last++ },
		"packets of a side":   func(s *Session, f *facts) { f.direction[0].packets++ },
		"data packets":        func(s *Session, f *facts) { f.direction[0].data = 0 },
		"small headers":       func(s *Session, f *facts) { f.direction[1].header = 0; f.direction[1].least = 20 },
		"large headers":       func(s *Session, f *facts) { f.direction[1].header = math.MaxUint64 },
		"bytes":               func(s *Session, f *facts) { f.direction[1].moments[lengthMetric].Sum++ },
		"squares":             func(s *Session, f *facts) { f.direction[1].moments[gapMetric].SqHi = math.MaxUint64 },
		"side's time":         func(s *Session, f *facts) { f.direction[0].first = s.last + 1 },
		"side's end":          func(s *Session, f *facts) { f.direction[0].last-- },
		"flags":               func(s *Session, f *facts) { f.flags[1][3] = f.packets + 1 },
		"fragments":           func(s *Session, f *facts) { f.ip.fragments = f.packets + 1 },
		"TTL":                 func(s *Session, f *facts) { f.ip.ttl[0] = TTLRange{true, 9, 8} },
		"undefined TTL":       func(s *Session, f *facts) { f.ip.ttl[0] = TTLRange{false, 0, 8} },
		"idle period":         func(s *Session, f *facts) { f.activity.idle.Sum++ },
		"idle periods":        func(s *Session, f *facts) { f.activity.idle = Moments{}; f.activity.closed = Moments{} },
		"active period":       func(s *Session, f *facts) { f.activity.begin = s.last + 1 },
		"runs":                func(s *Session, f *facts) { f.bulk.runs = 3 },
		"small bulk":          func(s *Session, f *facts) { f.bulk.sums[0] = BulkCounts{Bulks: 1, Packets: 3, Bytes: 3} },
		"long bulk":           func(s *Session, f *facts) { f.bulk.sums[0] = BulkCounts{1, 4, 4, math.MaxUint64} },
		"bulk of many":        func(s *Session, f *facts) { f.bulk.sums[0] = BulkCounts{1, f.packets, f.packets, 0} },
		"bulk of nothing":     func(s *Session, f *facts) { f.bulk.sums[1] = BulkCounts{Bytes: 1} },
		"slow gaps":           func(s *Session, f *facts) { f.bulk.slow = f.packets + 1 },
		"run of nothing":      func(s *Session, f *facts) { f.bulk.last.packets = 0 },
		"run ends first":      func(s *Session, f *facts) { f.bulk.last.end = f.bulk.last.begin - 1 },
		"TCP without flags":   func(s *Session, f *facts) { f.tcp.seen = [2]bool{} },
		"place of a SYN":      func(s *Session, f *facts) { f.tcp.first[0][kindSYN] = event{f.packets + 1, f.first} },
		"time of a SYN":       func(s *Session, f *facts) { f.tcp.first[0][kindSYN] = event{1, s.last + 1} },
		"one packet twice":    func(s *Session, f *facts) { f.tcp.first[0][kindSYN] = f.tcp.first[1][kindACK] },
		"clock of handshake":  func(s *Session, f *facts) { f.tcp.first[0][kindDone].time = f.first - 1 },
		"FIN before RST":      func(s *Session, f *facts) { f.tcp.rst = rst{fin: [2]bool{true, false}} },
		"RST of nobody":       func(s *Session, f *facts) { f.tcp.rst = rst{side: 1} },
		"detail of ICMP":      func(s *Session, f *facts) { *tab.detailAt(s, 0, 5) = flow.NewDetail(1).WithICMP(1, 1) },
		"spare bits":          func(s *Session, f *facts) { *tab.detailAt(s, 0, 5) = 1 << 60 },
		"centroids of a side": func(s *Session, f *facts) { tab.sides.at(0, largeShift)[0][gapMetric].n = 0 },
		"weight of a side":    func(s *Session, f *facts) { tab.sides.at(0, largeShift)[1][lengthMetric].list[0].weightAtom += 2 },
		"quantiles":           func(s *Session, f *facts) { tab.quantiles.at(0, largeShift)[payloadMetric].list[0].sum++ },
		"no quantiles":        func(s *Session, f *facts) { tab.quantiles.at(0, largeShift)[gapMetric].n = 0 },
		"time of a sequence":  func(s *Session, f *facts) { tab.sequences.at(0)[9].time = math.MaxInt64 },
		"detail in sequence":  func(s *Session, f *facts) { tab.sequences.at(0)[9].detail = 1 << 60 },
	} {
		tab.Reset()
		absorb(t, tab, good)
		s := tab.session(0)
		f(s, tab.facts.at(0, largeShift))
		e := tab.AppendSession(nil, 0)
		tab.Reset()
		_, err := tab.Absorb(e)
		if want := name != "no change"; errors.Is(err, ErrCodec) != want || want && tab.Len() != 0 {
			t.Errorf("%s: %v, %d sessions", name, err, tab.Len())
		}
	}
}

// go test -run '^$' -fuzz AbsorbBeside -fuzztime 1m ./internal/agg
func FuzzAbsorbBeside(f *testing.F) {
	for _, e := range besideEncodings(f, besideOptions) {
		f.Add(e)
		f.Add(append(slices.Clone(e), e...))
		f.Add(e[:len(e)/2])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		tab := NewTable(besideOptions)
		defer tab.Release()
		for rest := data; len(rest) > 0; {
			sessions := tab.Len()
			var err error
			rest, err = tab.Absorb(rest)
			if err != nil {
				if !errors.Is(err, ErrCodec) || tab.Len() != sessions {
					t.Fatalf("%v, %d sessions, %d before", err, tab.Len(), sessions)
				}
				break
			}
			if tab.Len() > sessions {
				i := uint32(sessions)
				checkConsistent(t, tab, i)
				checkBesideConsistent(t, tab, i)
				again := NewTable(besideOptions)
				absorb(t, again, tab.AppendSession(nil, i))
				if got, want := allSummaries(again)[0], allSummaries(tab)[i]; got != want {
					t.Fatalf("%s, encoded and decoded %s", want, got)
				}
				again.Release()
			}
		}
		allSummaries(tab)
	})
}

// goldenEncodings are the sessions of testdata/keeps-v2.hex.
func goldenEncodings(t *testing.T) (list [][]byte) {
	all := besideEncodings(t, besideOptions)
	for _, i := range []int{0, 1, 2, 4, 7, 9} { // 1, 2, 8, 33, 129 and 3000 packets, and later ones
		list = append(list, all[i])
	}
	return list
}

// Files with feature groups stay readable too, and say what they said.
// testdata/keeps-v2.hex, one session a line, is never to be rewritten.
func TestBesideGolden(t *testing.T) {
	text, err := os.ReadFile("testdata/keeps-v2.hex")
	if err != nil {
		t.Fatal(err)
	}
	current := goldenEncodings(t)
	lines := strings.Fields(string(text))
	if len(lines) != len(current) {
		t.Fatalf("%d sessions, want %d", len(lines), len(current))
	}
	tab, want := NewTable(besideOptions), NewTable(besideOptions)
	for i, line := range lines {
		e, err := hex.DecodeString(line)
		if err != nil {
			t.Fatal(err)
		}
		absorb(t, tab, e)
		absorb(t, want, current[i])
		if !slices.Equal(e, current[i]) {
			t.Errorf("session %d of the golden file is encoded otherwise now: that takes a new version", i)
		}
	}
	if !slices.Equal(allSummaries(tab), allSummaries(want)) {
		t.Error("the golden file says something else")
	}
}
