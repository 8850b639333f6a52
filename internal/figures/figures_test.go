package figures

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"pcapbatch/internal/flow"
)

// Every value is in the bin whose bounds it lies between, and no bin is wider
// than a quarter of its values.
func TestHistogramBins(t *testing.T) {
	for i := range bins {
		from := From(i)
		to := uint64(math.MaxUint64)
		if i+1 < bins {
			to = From(i+1) - 1
		}
		if binOf(from) != i || binOf(to) != i || from > 7 && to-from >= from/4 {
			t.Errorf("bin %d from %d to %d: these are in %d and %d", i, from, to, binOf(from), binOf(to))
		}
	}
	var h Histogram
	for _, v := range []uint64{0, 5, 5, 1000, math.MaxUint64} {
		h.Add(v)
	}
	h.AddMany(1000, 3)
	list := h.Bins()
	if first, last := list[0], list[len(list)-1]; first != (Bin{0, 0, 1}) || last.Count != 1 || last.To != math.MaxUint64 || h.Total() != 8 {
		t.Errorf("from %v to %v, %d in all", first, last, h.Total())
	}
}

// times are of some packets, in ns, spread in many ways.
func times(r *rand.Rand) (list []int64) {
	spread := int64(1) << (1 + r.IntN(62))
	begin := int64(r.Uint64())
	for range 1 + r.IntN(300) {
		at := begin + r.Int64N(spread)
		if r.IntN(50) == 0 {
			at = int64(r.Uint64())
		}
		list = append(list, at)
	}
	return list
}

// The bins follow from the times alone: they are as narrow as 512 of them can be,
// whatever the order, and however the packets were divided and merged.
func TestTimelineAnyOrder(t *testing.T) {
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 1))
		list := times(r)
		var parts [4]Packets
		for _, at := range list {
			parts[r.IntN(len(parts))].Add([]flow.Event{{Time: at, WireBytes: uint32(at & 0xff)}})
		}
		var all Packets
		for _, i := range r.Perm(len(parts)) {
			all.Merge(&parts[i])
		}
		sum := &all.Timeline
		shift := uint(leastShift)
		low, high := int64(math.MaxInt64), int64(math.MinInt64)
		for _, at := range list {
			low, high = min(low, at), max(high, at)
		}
		for uint64(high>>shift-low>>shift) >= timeBins {
			shift++
		}
		want := make([]TimeBin, high>>shift-low>>shift+1)
		for _, at := range list {
			b := &want[at>>shift-low>>shift]
			b.Packets++
			b.Bytes += uint64(at & 0xff)
		}
		begin, width, got := sum.Bins()
		if begin != low>>shift<<shift || width != 1<<shift || !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d: %d bins of %d from %d, want %d of %d from %d", seed, len(got), width, begin, len(want), int64(1)<<shift, low>>shift<<shift)
		}
		sum.reset()
		if *sum != (Timeline{}) {
			t.Fatalf("seed %d: something is left", seed)
		}
	}
}

// randomPackets are figures of packets at random times.
func randomPackets(r *rand.Rand) *Packets {
	var events []flow.Event
	for _, at := range times(r) {
		events = append(events, flow.Event{Time: at, WireBytes: r.Uint32() >> r.IntN(32), PayloadBytes: r.Uint32() >> r.IntN(32)})
	}
	p := &Packets{}
	p.Add(events)
	return p
}

// What is kept as JSON comes back as it was. A key that is absent is empty, one
// that is not known is an error that names it.
func TestJSON(t *testing.T) {
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 2))
		f := &Figures{Packets: randomPackets(r), WithoutPackets: 3, Sessions: counted(&Plan{}, someSessions(r, 100))}
		data, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		var back Figures
		if err := json.Unmarshal(data, &back); err != nil {
			t.Fatal(err)
		}
		again, err := json.Marshal(&back)
		if err != nil || string(again) != string(data) || back.Packets.Timeline != f.Packets.Timeline {
			t.Fatalf("%v\n%s\n%s", err, data, again)
		}
	}
	for text, want := range map[string]string{
		`{}`: "", `{"packets": {}}`: "", `{"sessions": {"ports": {}}}`: "",
		`{"later": 1}`: `"later" is not known`, `{"packets": {"later": 1}}`: `"later"`, `{"sessions": {"later": 1}}`: `"later"`,
		`{"sessions": {"talkers": {"later": 1}}}`:                                          `"later"`,
		`{"sessions": {"talkers": {"largest": [{"key": "x"}]}}}`:                           "",
		`{"packets": {"timeline": {"width_ns": 3, "bins": [[0, 1, 1]]}}}`:                  "timeline of bins of 3 ns",
		`{"packets": {"timeline": {"width_ns": 1048576, "bins": [[512,1,1]]}}}`:            "more than 512 bins",
		`{"packets": {"timeline": {"width_ns": -9223372036854775808, "bins": [[0,1,1]]}}}`: "timeline of bins",
		`{"packets": {"payload_size": [[9, 1]]}}`:                                          "no bin of a histogram begins at 9",
	} {
		var f Figures
		err := json.Unmarshal([]byte(text), &f)
		if strings.Contains(text, `"x"`) {
			want = "not an address"
			if err == nil {
				t.Errorf("%s is taken", text)
			}
			continue
		}
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func key(protocol uint8, src, dst uint32, port uint16) *flow.Key {
	k := &flow.Key{Version: 4, Protocol: protocol, DstPort: port}
	for i := range 4 {
		k.Src[i], k.Dst[i] = byte(src>>(24-8*i)), byte(dst>>(24-8*i))
	}
	return k
}

// someSessions are n sessions of which the host 1 has a third.
func someSessions(r *rand.Rand, n int) (list []Session) {
	for i := range n {
		src := 1 + uint32(r.IntN(3))*uint32(r.IntN(n))
		bytes := 60 + r.Uint64N(1000)
		if r.IntN(1000) == 0 {
			bytes *= 10000
		}
		list = append(list, Session{
			Key: key(6, src, r.Uint32(), uint16(r.IntN(9))), First: int64(i),
			Packets: 1 + bytes/500, Bytes: bytes, Duration: r.Uint64() >> r.IntN(64),
		})
	}
	return list
}

func counted(p *Plan, list []Session) *Sessions {
	s := Begin(p)
	for i := range list {
		s.Add(&list[i])
	}
	return s
}

// text is all that Sessions have, as JSON.
func text(t *testing.T, s *Sessions) string {
	data, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// Sessions divided among goroutines in any way are counted as by one.
func TestSessionsAnyOrder(t *testing.T) {
	for _, n := range []int{10, enough + 1000} {
		r := rand.New(rand.NewPCG(3, uint64(n)))
		list := someSessions(r, n)
		plan := &Plan{Sessions: uint64(n), Starts: []int64{0, 3, 3, 7, 1 << 40}}
		for i := range list {
			plan.Bytes += list[i].Bytes
		}
		want := counted(plan, list)
		parts := [3]*Sessions{Begin(plan), Begin(plan), Begin(plan)}
		for _, i := range r.Perm(n) {
			parts[r.IntN(3)].Add(&list[i])
		}
		sum := Begin(plan)
		for _, i := range []int{2, 0, 1} {
			sum.Merge(parts[i])
		}
		if got := text(t, sum); got != text(t, want) {
			t.Errorf("%d sessions: %s", n, got)
		}
		if b := sum.Begun(); !reflect.DeepEqual(b, []uint64{3, 0, 4, uint64(n - 7), 0}) {
			t.Errorf("sessions that began in captures: %d", b)
		}
	}
}

// Up to enough sessions are counted exactly; beyond, an estimate is off by no
// more than its error in nearly all cases, and large sessions are still exact.
func TestSample(t *testing.T) {
	exact := func(list []Session) map[Host]uint64 {
		m := map[Host]uint64{}
		for i := range list {
			m[Host{4, list[i].Key.Src}] += list[i].Bytes
			m[Host{4, list[i].Key.Dst}] += list[i].Bytes
		}
		return m
	}
	off, tried := 0, 0
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 4))
		n := 100 + int(seed)*20000
		list := someSessions(r, n)
		plan := &Plan{Sessions: uint64(n)}
		for i := range list {
			plan.Bytes += list[i].Bytes
		}
		s := counted(plan, list)
		want := exact(list)
		if exactly := n <= enough; exactly != (s.Below == 0) {
			t.Errorf("%d sessions: sampled below %d bytes", n, s.Below)
		}
		for i, e := range s.Talkers.List() {
			if i == 20 {
				break
			}
			tried++
			miss := max(e.Bytes, want[e.Key]) - min(e.Bytes, want[e.Key])
			if s.Below == 0 && miss > 0 {
				t.Errorf("%d sessions: %v has %d bytes, counted %d", n, e.Key, want[e.Key], e.Bytes)
			}
			if miss > e.Error(s.Below) {
				off++
			}
			if miss > 3*e.Error(s.Below) {
				t.Errorf("%d sessions: %v has %d bytes, counted %d ± %d", n, e.Key, want[e.Key], e.Bytes, e.Error(s.Below))
			}
		}
	}
	t.Logf("%d of %d beyond two standard errors", off, tried)
	if off*10 > tried {
		t.Errorf("%d of %d beyond two standard errors", off, tried)
	}
}

// A session that claims far more than can be believed is set apart, but only
// where a capture does.
func TestClaims(t *testing.T) {
	list := []Session{
		{Key: key(17, 1, 2, 53), Packets: 10, Bytes: 1 << 40, Truncated: 10},
		{Key: key(17, 3, 4, 53), Packets: 10, Bytes: 10000},
		{Key: key(17, 3, 5, 53), Packets: 10, Bytes: 9000, Truncated: 10},
	}
	if s := counted(&Plan{Doubt: true}, list); s.Claims != (Count{1, 10, 1 << 40}) || s.Talkers.List()[0].Key.String() != "0.0.0.3" || s.Talkers.List()[0].Bytes != 19000 {
		t.Errorf("%s", text(t, s))
	}
	if s := counted(&Plan{}, list); s.Claims.Sessions != 0 || s.Talkers.List()[0].Bytes != 1<<40 {
		t.Errorf("%s", text(t, s))
	}
}

// What trimming leaves out is still in the sum, and how much an entry may lack is
// known.
func TestTrim(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	s := counted(&Plan{}, someSessions(r, 1000))
	before := s.Talkers.List()
	total := uint64(0)
	for _, e := range before {
		total += e.Bytes
	}
	s.Trim(7)
	after := s.Talkers.List()
	rest, keys := s.Talkers.Rest()
	for _, e := range after {
		total -= e.Bytes
	}
	if !reflect.DeepEqual(after, before[:7]) || keys != len(before)-7 || total != rest.Bytes || s.Talkers.MayLack() != 0 {
		t.Errorf("%v, %d others with %d of %d, lacking %d", after, keys, rest.Bytes, total, s.Talkers.MayLack())
	}
	other := counted(&Plan{}, someSessions(r, 1000))
	eighth := other.Talkers.List()[7].Bytes
	other.Trim(7)
	other.Merge(s)
	if got := other.Talkers.MayLack(); got != before[7].Bytes+eighth {
		t.Errorf("an entry may lack %d bytes, want %d and %d", got, before[7].Bytes, eighth)
	}
}

// The memory of a plan's Sessions is bounded whatever the sessions: here all of
// them are in the sample, none has a host in common with another, and there are
// many goroutines.
func TestMemory(t *testing.T) {
	const goroutines, n = 8, 1 << 19
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	plan := &Plan{Sessions: n, Bytes: n}
	before := heap()
	parts := make([]*Sessions, goroutines)
	for i := range parts {
		parts[i] = Begin(plan)
	}
	for i := range n {
		x := Session{Key: key(17, uint32(i), uint32(i+n), uint16(i)), Packets: 1, Bytes: 1 << 20}
		parts[i%goroutines].Add(&x)
	}
	used := heap() - before
	sum := parts[0]
	for _, p := range parts[1:] {
		sum.Merge(p)
	}
	t.Logf("%d bytes, %d keys", used, len(sum.Ports.list)+len(sum.Talkers.list)+len(sum.Pairs.list))
	if used > Memory {
		t.Errorf("%d bytes are used, more than %d", used, Memory)
	}
	listed := uint64(0)
	for _, e := range sum.Pairs.List() {
		listed += e.Sessions
	}
	if rest, _ := sum.Pairs.Rest(); listed+rest.Sessions != n || listed == 0 {
		t.Errorf("%d sessions listed, %d left out, of %d", listed, rest.Sessions, n)
	}
	runtime.KeepAlive(parts)
}

// Nothing is allocated for a block of packets.
func TestPacketsDoNotAllocate(t *testing.T) {
	events := make([]flow.Event, 700)
	for i := range events {
		events[i] = flow.Event{Time: int64(i) << 30, WireBytes: uint32(i), PayloadBytes: uint32(i)}
	}
	p, sum := &Packets{}, &Packets{}
	if n := testing.AllocsPerRun(10, func() { p.Add(events); sum.Merge(p); p.Reset() }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkPackets(b *testing.B) {
	events := make([]flow.Event, 700)
	for i := range events {
		events[i] = flow.Event{Time: int64(i) << 12, WireBytes: uint32(i) * 2, PayloadBytes: uint32(i)}
	}
	p := &Packets{}
	for b.Loop() {
		p.Add(events)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/700, "ns/packet")
}

func BenchmarkSessions(b *testing.B) {
	list := someSessions(rand.New(rand.NewPCG(1, 1)), 1<<20)
	plan := &Plan{Sessions: 1 << 20}
	for i := range list {
		plan.Bytes += list[i].Bytes
	}
	for b.Loop() {
		counted(plan, list)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(1<<20), "ns/session")
}

// The bins of 32 bits are those of 64.
func TestBinOf32(t *testing.T) {
	for e := range 32 {
		for _, v := range []uint32{1 << e, 1<<e - 1, 1<<e + 1, 3 << e >> 1, 0, math.MaxUint32} {
			if got, want := int(binOf32(v)), binOf(uint64(v)); got != want {
				t.Errorf("%d is in bin %d, want %d", v, got, want)
			}
		}
	}
}
