package label

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"path"
	"strconv"
	"strings"
	"testing"
	"time"

	"pcapbatch/internal/flow"
)

// A made rule is what the tests write into a file, and compare sessions with.
// It shares no code with the package.
type made struct {
	src, dst         netip.Prefix // zero for any
	srcPort, dstPort int          // -1 for any
	protocol         int
	start, end       int64
	hasStart, hasEnd bool
	capture, label   string
}

func (m *made) line() string {
	cell := func(n int) string {
		if n < 0 {
			return ""
		}
		return strconv.Itoa(n)
	}
	prefix := func(p netip.Prefix) string {
		switch {
		case !p.IsValid():
			return ""
		case p.IsSingleIP():
			return p.Addr().String()
		}
		return p.String()
	}
	instant := func(t int64, ok bool) string {
		switch {
		case !ok:
			return ""
		case t%2 == 0:
			return time.Unix(0, t).In(time.FixedZone("", -3*3600)).Format(time.RFC3339Nano)
		}
		return strconv.FormatInt(t, 10)
	}
	return strings.Join([]string{prefix(m.src), prefix(m.dst), cell(m.srcPort), cell(m.dstPort), cell(m.protocol),
		instant(m.start, m.hasStart), instant(m.end, m.hasEnd), `"` + m.capture + `"`, m.label}, ",")
}

const header = "src_ip,dst_ip,src_port,dst_port,protocol,start,end,capture,label\n"

func (m *made) matches(k *flow.Key, first, last int64, capture string) bool {
	if m.hasStart && last < m.start || m.hasEnd && first > m.end {
		return false
	}
	if m.capture != "" {
		if ok, _ := path.Match(m.capture, capture); !ok && m.capture != capture {
			return false
		}
	}
	one := func(src, dst netip.Addr, srcPort, dstPort uint16) bool {
		return (!m.src.IsValid() || m.src.Contains(src)) && (!m.dst.IsValid() || m.dst.Contains(dst)) &&
			(m.srcPort < 0 || m.srcPort == int(srcPort)) && (m.dstPort < 0 || m.dstPort == int(dstPort))
	}
	return (m.protocol < 0 || m.protocol == int(k.Protocol)) &&
		(one(k.SrcAddr(), k.DstAddr(), k.SrcPort, k.DstPort) || one(k.DstAddr(), k.SrcAddr(), k.DstPort, k.SrcPort))
}

// A world draws rules and sessions that have something to do with each other.
type world struct {
	*rand.Rand
	v6       bool     // some addresses are of IPv6
	bits     int      // address bits that differ
	ports    int      // number of ports
	least    int      // shortest prefix
	empty    float64  // fraction of empty cells
	span     int64    // of all times, ns
	window   int64    // longest time of a rule, ns
	captures []string // what rules name
	protocol []uint8
}

func (w *world) address(v6 bool) netip.Addr {
	n := 4
	if v6 {
		n = 16
	}
	var b [16]byte
	for i := range w.bits {
		// The bits that differ are the first and the last ones.
		at := i / 2
		if i%2 == 1 {
			at = 8*n - 1 - i/2
		}
		if at >= 0 && at < 8*n && w.IntN(2) == 1 {
			b[at/8] |= 0x80 >> (at % 8)
		}
	}
	if v6 {
		return netip.AddrFrom16(b)
	}
	return netip.AddrFrom4([4]byte(b[:4]))
}

func (w *world) rule(i int) (m made) {
	has := func() bool { return w.Float64() >= w.empty }
	v6 := w.v6 && w.IntN(2) == 0
	prefix := func() (p netip.Prefix) {
		if has() {
			a := w.address(v6)
			p, _ = a.Prefix(w.least + w.IntN(a.BitLen()+1-w.least))
		}
		return p
	}
	number := func(n int) int {
		if has() {
			return n
		}
		return -1
	}
	m.src, m.dst = prefix(), prefix()
	m.srcPort, m.dstPort = number(w.IntN(w.ports)), number(w.IntN(w.ports))
	m.protocol = number(int(w.protocol[w.IntN(len(w.protocol))]))
	m.start = w.Int64N(w.span)
	m.end = m.start + w.Int64N(w.window)
	m.hasStart, m.hasEnd = has(), has()
	if len(w.captures) > 0 && has() {
		m.capture = w.captures[w.IntN(len(w.captures))]
	}
	m.label = fmt.Sprint("label ", i%7)
	return m
}

// session draws a session, near m if there is one.
func (w *world) session(m *made) (k flow.Key, first, last int64) {
	v6 := w.v6 && w.IntN(2) == 0
	if m != nil && (m.src.IsValid() && !m.src.Addr().Is4() || m.dst.IsValid() && !m.dst.Addr().Is4()) {
		v6 = true
	} else if m != nil && (m.src.IsValid() || m.dst.IsValid()) {
		v6 = false
	}
	k.Version, k.Protocol = 4, w.protocol[w.IntN(len(w.protocol))]
	if v6 {
		k.Version = 6
	}
	src, dst := w.address(v6), w.address(v6)
	k.SrcPort, k.DstPort = uint16(w.IntN(w.ports)), uint16(w.IntN(w.ports))
	first = w.Int64N(w.span)
	last = first + w.Int64N(w.window)
	if m != nil {
		src, dst = w.inside(m.src, src), w.inside(m.dst, dst)
		if m.srcPort >= 0 {
			k.SrcPort = uint16(m.srcPort)
		}
		if m.dstPort >= 0 {
			k.DstPort = uint16(m.dstPort)
		}
		if m.protocol >= 0 {
			k.Protocol = uint8(m.protocol)
		}
		switch {
		case w.IntN(3) > 0:
			first, last = m.start, m.start+w.Int64N(m.end-m.start+1)
		case w.IntN(2) > 0:
			first, last = m.end+int64(w.IntN(2)), m.end+5
		default:
			last = m.start - int64(w.IntN(2))
			first = last - 5
		}
	}
	copy(k.Src[:], src.AsSlice())
	copy(k.Dst[:], dst.AsSlice())
	if w.IntN(2) == 0 {
		k.Reverse()
	}
	return k, first, last
}

// inside returns an address of p with the last bits of a.
func (w *world) inside(p netip.Prefix, a netip.Addr) netip.Addr {
	if !p.IsValid() {
		return a
	}
	to, from := p.Addr().AsSlice(), a.AsSlice()
	for i := p.Bits(); i < 8*len(to); i++ {
		to[i/8] |= from[i/8] & (0x80 >> (i % 8))
	}
	b, _ := netip.AddrFromSlice(to)
	return b
}

func (w *world) file(n int) (string, []made) {
	var text strings.Builder
	text.WriteString(header)
	list := make([]made, n)
	for i := range list {
		list[i] = w.rule(i)
		text.WriteString(list[i].line())
		text.WriteByte('\n')
	}
	return text.String(), list
}

// The first matching rule is that of a scan over all rules, for rules of many
// kinds: few and many values, prefixes of all lengths, short and long times.
// Lists are divided by trees even where they are short.
// A failure names the seed.
func TestMatchesScan(t *testing.T) {
	rounds := 120
	if testing.Short() {
		rounds = 25
	}
	matched := 0
	for seed := range rounds {
		r := rand.New(rand.NewPCG(uint64(seed), 8))
		w := world{Rand: r, v6: r.IntN(2) == 0, bits: 1 + r.IntN(20), ports: 1 + r.IntN(6)*r.IntN(400), least: r.IntN(10),
			empty: []float64{0, 0.1, 0.5, 0.9}[r.IntN(4)], span: 1 + r.Int64N(1<<uint(1+r.IntN(40))), protocol: []uint8{6, 17, 1, 58, 132, 50, 0, 255}[:1+r.IntN(8)]}
		w.window = 1 + w.span/int64(1+r.IntN(1000))
		if r.IntN(2) == 0 {
			w.captures = []string{"a.pcap", "b.pcap", "dir/*.pcap", "dir/x[1].pcap", "?.pcap", "dir/x.pcap"}
		}
		text, list := w.file(1 + r.IntN(3000)*r.IntN(2) + r.IntN(60))
		matched += compare(t, seed, &w, text, list)
	}
	if matched < 1000 {
		t.Errorf("only %d sessions had a label", matched)
	}
}

func compare(t *testing.T, seed int, w *world, text string, list []made) (matched int) {
	s, err := read(strings.NewReader(text), Options{Captures: true}, []int{1, 60, mostEntries}[w.IntN(3)])
	if err != nil {
		t.Fatalf("seed %d: %v", seed, err)
	}
	m := s.Matcher()
	want := map[string]uint64{}
	used := make([]bool, len(list))
	for range 300 {
		var near *made
		if w.IntN(4) > 0 {
			near = &list[w.IntN(len(list))]
		}
		k, first, last := w.session(near)
		capture := []string{"a.pcap", "b.pcap", "dir/x.pcap", "dir/x[1].pcap", "dir/x1.pcap", "other"}[w.IntN(6)]
		line, name := 0, ""
		for i := range list {
			if list[i].matches(&k, first, last, capture) {
				line, name, used[i] = i+2, list[i].label, true
				want[name]++
				break
			}
		}
		got, gotLine, ok := s.Match(&k, first, last, capture)
		got2, ok2 := m.Match(&k, first, last, capture)
		if got != name || gotLine != line || ok != (line > 0) || got2 != got || ok2 != ok {
			t.Fatalf("seed %d, %d rules: %+v from %d to %d in %s: line %d (%q, matcher %q), want line %d (%q)",
				seed, len(list), k, first, last, capture, gotLine, got, got2, line, name)
		}
		if ok {
			matched++
		}
	}
	checkCounts(t, m, want, used, uint64(300-matched))
	return matched
}

func checkCounts(t *testing.T, m *Matcher, want map[string]uint64, used []bool, others uint64) {
	t.Helper()
	sum := m.set.Matcher()
	sum.Add(m)
	sum.Add(m)
	counts, unmatched := sum.Counts()
	for _, c := range counts {
		if c.Sessions != 2*want[c.Label] {
			t.Errorf("%d sessions with label %q, want twice %d", c.Sessions, c.Label, want[c.Label])
		}
	}
	unused, lines := sum.Unused(3)
	for i, u := range used {
		if u {
			continue
		}
		unused--
		if len(lines) > 0 {
			if lines[0] != i+2 {
				t.Errorf("unused rule on line %d, want %d", lines[0], i+2)
			}
			lines = lines[1:]
		}
	}
	if unused != 0 || len(lines) > 0 || unmatched != 2*others {
		t.Errorf("%d unused rules too many, %v; %d sessions unmatched, want twice %d", unused, lines, unmatched, others)
	}
}

// A rule for all IPv4 addresses is not one for any address.
func TestMatchVersions(t *testing.T) {
	s, err := Read(strings.NewReader("label,src_ip,dst_ip\nfour,0.0.0.0/0,\nsix,,::/0\nnever,,\n"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	for version, want := range map[uint8]string{4: "four", 6: "six"} {
		if got, _, _ := s.Match(&flow.Key{Version: version}, 0, 0, ""); got != want {
			t.Errorf("IPv%d: %q", version, got)
		}
	}
}

// Rules that say the same are one rule, the first: a file of nothing else does
// not cost a scan.
func TestMatchSameRules(t *testing.T) {
	s, err := Read(strings.NewReader("protocol,label\n"+strings.Repeat("6,a\n", 100_000)+"17,b\n"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, line, _ := s.Match(&flow.Key{Version: 4, Protocol: 17}, 0, 0, ""); line != 100_002 {
		t.Fatal(line)
	}
	if n := len(s.screens); n > 10 || len(s.grids) > 0 {
		t.Errorf("%d rules and %d grids are looked at", n, len(s.grids))
	}
}
