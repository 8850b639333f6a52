package agg

import (
	"fmt"
	"hash/fnv"
	"hash/maphash"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"pcapbatch/internal/flow"
)

// The reference keeps every value of every session and computes from them with
// sort and math/big, by the definitions of docs/semantics.md. It shares no
// code with the table.
type reference struct {
	opt       Options
	list      []*refSession // in the order they began
	newest    map[flow.Key]*refSession
	reordered uint64
}

type refSession struct {
	key         flow.Key // as in the row
	first, last int64
	packets     uint64
	truncated   uint64
	gaps        []uint64
	lengths     []uint64
	payloads    []uint64
	end         EndReason
	all         []packet // one by one
}

func newReference(o Options) *reference {
	return &reference{opt: o, newest: map[flow.Key]*refSession{}}
}

func (ref *reference) add(events []flow.Event) {
	ref.addDetailed(events, make([]flow.Detail, len(events)))
}

func (ref *reference) addDetailed(events []flow.Event, details []flow.Detail) {
	for i := range events {
		ref.event(&events[i], details[i])
	}
}

func (ref *reference) event(ev *flow.Event, d flow.Detail) {
	s := ref.newest[ev.Key]
	time := ev.Time
	if s != nil && time < s.last {
		time = s.last
		ref.reordered++
	}
	if s == nil || ref.opt.IdleTimeout > 0 && distance(s.last, time) > ref.opt.IdleTimeout {
		s = &refSession{key: ev.Key, first: time, last: time}
		if ev.Flags&flow.Reversed != 0 {
			s.key.Reverse()
		}
		if old := ref.newest[ev.Key]; old != nil {
			old.end = EndIdle
		}
		ref.newest[ev.Key] = s
		ref.list = append(ref.list, s)
	} else {
		s.gaps = append(s.gaps, distance(s.last, time))
	}
	s.last = time
	s.packets++
	s.all = append(s.all, packet{time, ev.WireBytes, ev.PayloadBytes, d.WithReversed(ev.Flags)})
	if ev.Flags&flow.Truncated != 0 {
		s.truncated++
	}
	s.lengths = append(s.lengths, uint64(ev.WireBytes))
	s.payloads = append(s.payloads, uint64(ev.PayloadBytes))
}

// distance is b - a, which int64 cannot hold over its whole range.
func distance(a, b int64) uint64 {
	return new(big.Int).Sub(big.NewInt(b), big.NewInt(a)).Uint64()
}

// check holds all sessions of t against the reference.
func (ref *reference) check(t *testing.T, tab *Table) {
	t.Helper()
	if tab.Len() != len(ref.list) {
		t.Fatalf("%d sessions, want %d", tab.Len(), len(ref.list))
	}
	var z Summarizer
	var got Summary
	for i, s := range ref.list {
		z.Summarize(tab, uint32(i), &got)
		s.check(t, i, ref.opt, &got)
	}
}

func (s *refSession) check(t *testing.T, i int, o Options, got *Summary) {
	t.Helper()
	idle := uint64(0)
	for _, g := range s.gaps {
		if g > o.IdleThreshold {
			idle += g
		}
	}
	basic := Summary{Key: got.Key, First: got.First, Last: got.Last, Packets: got.Packets, Truncated: got.Truncated, Idle: got.Idle, End: got.End,
		Gaps: got.Gaps, Lengths: got.Lengths, Payloads: got.Payloads} // feature groups apart
	want := Summary{Key: s.key, First: s.first, Last: s.last, Packets: s.packets, Truncated: s.truncated, Idle: idle, End: s.end,
		Gaps: got.Gaps, Lengths: got.Lengths, Payloads: got.Payloads}
	if basic != want {
		t.Fatalf("session %d of %d packets:\n got %+v\nwant %+v", i, s.packets, basic, want)
	}
	if d := distance(s.first, s.last); got.Duration() != d || got.Gaps.Sum != d {
		t.Fatalf("session %d: duration %d, sum of gaps %d, want %d", i, got.Duration(), got.Gaps.Sum, d)
	}
	checkStats(t, "gaps", &got.Gaps, s.gaps)
	checkStats(t, "lengths", &got.Lengths, s.lengths)
	checkStats(t, "payloads", &got.Payloads, s.payloads)
	for _, x := range []uint64{got.Packets, got.Lengths.Sum} {
		hi, lo := got.PerSecond(x, 1e6)
		if want := refPerSecond(x, 1e6, got.Duration()); big128(hi, lo).Cmp(want) != 0 {
			t.Fatalf("session %d: %d in %d ns is %v a microsecond, want %v", i, x, got.Duration(), big128(hi, lo), want)
		}
	}
}

// checkStats holds statistics against the values they are of.
func checkStats(t *testing.T, what string, got *Stats, values []uint64) {
	t.Helper()
	v := slices.Sorted(slices.Values(values))
	if want := refMoments(v); got.Moments != want {
		t.Fatalf("%s of %d values: moments %+v, want %+v", what, len(v), got.Moments, want)
	}
	switch {
	case len(v) == 0:
		if got.Median != (Median{}) {
			t.Fatalf("%s: median %v of nothing", what, got.Median)
		}
	case len(v) < exactRecords || len(v) == exactRecords && what != "gaps" || len(slices.Compact(slices.Clone(v))) <= centroids:
		if want := (Median{v[(len(v)-1)/2], v[len(v)/2]}); got.Median != want {
			t.Fatalf("%s of %d values: median %v, want %v", what, len(v), got.Median, want)
		}
	default:
		if e := rankError(v, got.Median); e >= rankErrorBound {
			t.Fatalf("%s of %d values: median %v has a rank error of %.2f %%", what, len(v), got.Median, 100*e)
		}
	}
	for _, scale := range []uint64{1, 1e6} {
		if scale > 1 && len(v) > 0 && v[len(v)-1] > 1<<32 {
			continue // no column scales gaps
		}
		if m, want := got.Mean(scale), refMean(v, scale); m != want {
			t.Fatalf("%s: mean %d, want %d", what, m, want)
		}
		for _, sample := range []bool{false, true} {
			if s, want := got.Std(scale, sample), refStd(&got.Moments, scale, sample); s != want {
				t.Fatalf("%s: deviation %d, want %d (scale %d, sample %v, %+v)", what, s, want, scale, sample, got.Moments)
			}
		}
	}
}

func big128(hi, lo uint64) *big.Int {
	x := new(big.Int).SetUint64(hi)
	return x.Or(x.Lsh(x, 64), new(big.Int).SetUint64(lo))
}

func refMoments(sorted []uint64) Moments {
	if len(sorted) == 0 {
		return Moments{}
	}
	sum, squares := new(big.Int), new(big.Int)
	for _, v := range sorted {
		b := new(big.Int).SetUint64(v)
		sum.Add(sum, b)
		squares.Add(squares, b.Mul(b, b))
	}
	low := new(big.Int).And(squares, new(big.Int).SetUint64(^uint64(0)))
	return Moments{N: uint64(len(sorted)), Sum: sum.Uint64(), SqHi: new(big.Int).Rsh(squares, 64).Uint64(), SqLo: low.Uint64(),
		Min: sorted[0], Max: sorted[len(sorted)-1]}
}

// roundHalfEven returns the integer nearest to x.
func roundHalfEven(x *big.Rat) *big.Int {
	q, rest := new(big.Int).QuoRem(x.Num(), x.Denom(), new(big.Int))
	switch rest.Lsh(rest, 1).Cmp(x.Denom()) {
	case 1:
		q.Add(q, big.NewInt(1))
	case 0:
		q.Add(q, big.NewInt(int64(q.Bit(0))))
	}
	return q
}

func refMean(values []uint64, scale uint64) uint64 {
	if len(values) == 0 {
		return 0
	}
	sum := new(big.Int)
	for _, v := range values {
		sum.Add(sum, new(big.Int).SetUint64(v))
	}
	sum.Mul(sum, new(big.Int).SetUint64(scale))
	return roundHalfEven(new(big.Rat).SetFrac(sum, big.NewInt(int64(len(values))))).Uint64()
}

func refPerSecond(x, scale, duration uint64) *big.Int {
	if duration == 0 {
		return new(big.Int)
	}
	num := big128(0, x)
	num.Mul(num, big128(0, scale)).Mul(num, big.NewInt(1e9))
	return roundHalfEven(new(big.Rat).SetFrac(num, big128(0, duration)))
}

// refStd rounds scale * sqrt(variance) by comparing the square with the square
// of the middle between two integers.
func refStd(m *Moments, scale uint64, sample bool) uint64 {
	if m.N < 2 {
		return 0
	}
	n, s := big128(0, m.N), big128(0, m.Sum)
	num := new(big.Int).Mul(n, big128(m.SqHi, m.SqLo))
	num.Sub(num, new(big.Int).Mul(s, s))
	den := new(big.Int).Mul(n, n)
	if sample {
		den.Sub(den, n)
	}
	num.Mul(num, big128(0, scale)).Mul(num, big128(0, scale))
	floor := new(big.Int).Sqrt(new(big.Int).Quo(num, den))
	middle := new(big.Rat).SetFrac(new(big.Int).Add(new(big.Int).Lsh(floor, 1), big.NewInt(1)), big.NewInt(2))
	up := uint64(0)
	switch new(big.Rat).SetFrac(num, den).Cmp(middle.Mul(middle, middle)) {
	case 1:
		up = 1
	case 0:
		up = uint64(floor.Bit(0))
	}
	return floor.Uint64() + up
}

// testSeed is of all randomness in these tests, which is the same in every run.
const testSeed = 20240229

func newRand(stream uint64) *rand.Rand { return rand.New(rand.NewPCG(testSeed, stream)) }

// testKey returns key i: addresses of both families, with and without VLAN ids.
func testKey(i int) flow.Key {
	x := scramble(uint64(i))
	k := flow.Key{SrcPort: uint16(i), DstPort: uint16(i >> 16), Protocol: uint8(x), Version: 4}
	size := 4
	if x>>8%3 == 0 {
		k.Version, size = 6, 16
	}
	if x>>16%4 == 0 {
		k.VLANOuter = uint16(x >> 24 & 0xfff)
	}
	for j := range size {
		k.Src[j], k.Dst[j] = byte(x>>(j%8*8)), byte(i>>(j%4*8))+10
	}
	k.Canonical()
	return k
}

// traffic says what random events are like.
type traffic struct {
	keys    int
	gap     func(r *rand.Rand) uint64 // between neighbouring events, ns
	size    func(r *rand.Rand) uint32 // wire length, and payload size
	reorder int                       // one in so many events goes back in time; 0: none
	start   int64
}

// events returns n events. Time stops at the end of its range.
func (tr *traffic) events(r *rand.Rand, n int, seed uint64) []flow.Event {
	list := make([]flow.Event, n)
	now := tr.start
	for i := range list {
		if i > 0 {
			now += int64(min(tr.gap(r), distance(now, 1<<63-1)))
		}
		key := testKey(r.IntN(tr.keys))
		ev := flow.Event{Time: now, WireBytes: tr.size(r), PayloadBytes: tr.size(r), Key: key, Hash: uint32(key.Hash(seed))}
		if tr.reorder > 0 && r.IntN(tr.reorder) == 0 {
			ev.Time -= int64(min(tr.gap(r), distance(-1<<63, now)))
		}
		if r.IntN(2) == 0 {
			ev.Flags |= flow.Reversed
		}
		if r.IntN(3) == 0 {
			ev.Flags |= flow.Truncated
		}
		list[i] = ev
	}
	return list
}

// update gives t events in batches of random size.
func update(t *Table, r *rand.Rand, events []flow.Event) {
	for len(events) > 0 {
		n := min(len(events), 1+r.IntN(3000))
		t.Update(events[:n], inOrder(n))
		events = events[n:]
	}
}

func inOrder(n int) []uint16 {
	order := make([]uint16, n)
	for i := range order {
		order[i] = uint16(i)
	}
	return order
}

var digestSeed = maphash.MakeSeed()

// digestOf is a checksum of everything that t says, in row order.
func digestOf(tab *Table) uint64 {
	var h maphash.Hash
	h.SetSeed(digestSeed)
	z := Summarizer{Asked: []Quantile{1000, 25000, 99900}}
	var s Summary
	for _, row := range tab.Rows() {
		z.Summarize(tab, row.Index, &s)
		maphash.WriteComparable(&h, s)
		for _, q := range z.Quantiles {
			maphash.WriteComparable(&h, q)
		}
		for _, p := range z.Sequence {
			maphash.WriteComparable(&h, p)
		}
	}
	return h.Sum64()
}

// checksumOf is the same in every process, and slow.
func checksumOf(tab *Table, of func(z *Summarizer, s *Summary) any) uint64 {
	h := fnv.New64a()
	z := Summarizer{Asked: []Quantile{1000, 25000, 99900}}
	var s Summary
	for _, row := range tab.Rows() {
		z.Summarize(tab, row.Index, &s)
		fmt.Fprintln(h, of(&z, &s))
	}
	return h.Sum64()
}

// basicOf is what a summary says without feature groups.
func basicOf(_ *Summarizer, s *Summary) any {
	return struct {
		Key                      flow.Key
		First, Last              int64
		Packets, Truncated, Idle uint64
		Gaps, Lengths, Payloads  Stats
	}{s.Key, s.First, s.Last, s.Packets, s.Truncated, s.Idle, s.Gaps, s.Lengths, s.Payloads}
}
