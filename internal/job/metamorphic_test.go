package job

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"

	"pcapbatch/internal/capturetest"
	"pcapbatch/internal/writer"
)

// TestMetamorphic reads random packets in random ways, which must all give the
// rows of the plain run: one worker, one pcap. Each round has a seed, and a
// failure names the command that repeats it. There are a few rounds;
// PCAPBATCH_TIME says for how long there are more (make metamorphic), and
// PCAPBATCH_SEED names the only one.
func TestMetamorphic(t *testing.T) {
	t.Parallel()
	if text := os.Getenv("PCAPBATCH_SEED"); text != "" {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		metamorphicRound(t, seed, &compared{})
		return
	}
	length, least := time.Duration(0), capturetest.Usually(25, 100)
	if testing.Short() {
		least = 8
	}
	if text := os.Getenv("PCAPBATCH_TIME"); text != "" {
		var err error
		if length, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	rounds, total := 0, compared{}
	for begin := time.Now(); (rounds < least || time.Since(begin) < length) && !t.Failed(); rounds++ {
		metamorphicRound(t, rand.Uint64(), &total)
	}
	t.Logf("%d rounds, %d results compared in full, %d in their counts alone", rounds, total.rows, total.counts)
	if total.rows <= total.counts {
		t.Error("in most results no rows were compared")
	}
}

// compared counts results of jobs by what of them was compared.
type compared struct {
	rows   int // everything
	counts int // the counts alone, as sessions have inexact gaps
}

// metamorphicRound is a subtest, so that its files go when it ends.
func metamorphicRound(t *testing.T, seed uint64, total *compared) {
	t.Run(fmt.Sprint(seed), func(t *testing.T) {
		t.Cleanup(func() {
			if t.Failed() {
				t.Logf("repeat with: PCAPBATCH_SEED=%d go test ./internal/job -run TestMetamorphic", seed)
			}
		})
		m := &metamorphic{T: t, Rand: rand.New(rand.NewPCG(seed, 11)), compared: total}
		m.packets()
		m.options()
		if m.odds(4) {
			m.interleaved()
		} else {
			m.inOrder()
		}
	})
}

// metamorphic is one round.
type metamorphic struct {
	*testing.T
	*rand.Rand
	*compared
	micros  bool // all times are whole microseconds
	records []capturetest.Record
	glued   []bool // by record: no cut in front of it, as it lies inside a fragmented datagram
	config  Config // of the plain run
	whole   bool   // with options that partial results cannot have
}

func (m *metamorphic) odds(n int) bool { return m.IntN(n) == 0 }

// packets makes the packets: of few sessions or many, long ones too.
func (m *metamorphic) packets() {
	n, sessions := 1+m.IntN(1500), 1+m.IntN(1+m.IntN(400))
	unit, clock := int64(1), capturetest.Begin
	if m.micros = m.odds(2); m.micros {
		unit = 1000
	}
	spread := 1 + m.Int64N(100_000_000/unit)
	for len(m.records) < n {
		switch m.IntN(20) {
		case 0: // a tie
		case 1:
			clock += m.Int64N(90*capturetest.Second/unit) * unit
		default:
			clock += m.Int64N(spread) * unit
		}
		at := clock
		if m.odds(30) { // late
			at = max(capturetest.Begin, at-m.Int64N(spread)*unit)
		}
		frames := m.frames(m.IntN(sessions))
		for i, data := range frames {
			r := capturetest.Record{Time: at, Data: data}
			if m.odds(25) {
				r.Wire = len(data) + m.IntN(2)*m.IntN(1500)
				r.Data = data[:1+m.IntN(len(data))]
			}
			m.records, m.glued = append(m.records, r), append(m.glued, i > 0)
		}
	}
	m.records[0].Time = capturetest.Begin
}

// frames are the next packet of a session, or its fragments.
func (m *metamorphic) frames(session int) [][]byte {
	src, dst := fmt.Sprintf("10.0.%d.%d", session/200, session%200+1), "192.0.2.1"
	if session%5 == 4 {
		src, dst = fmt.Sprintf("2001:db8::%x", session+1), "2001:db8:1::1"
	}
	sport, dport := uint16(1024+session), uint16(443)
	if m.odds(2) {
		src, dst, sport, dport = dst, src, dport, sport
	}
	var data []byte
	switch session % 4 {
	case 0, 1:
		flags := byte(capturetest.ACK)
		if m.odds(3) {
			flags = []byte{2, 0x12, 0x11, 4, 0x14, 0x18, 0, 0xff}[m.IntN(8)]
		}
		segment := capturetest.TCP(sport, dport, flags, m.IntN(3)*m.IntN(400))
		binary.BigEndian.PutUint32(segment[4:], m.Uint32N(5000))
		binary.BigEndian.PutUint32(segment[8:], m.Uint32N(5000))
		binary.BigEndian.PutUint16(segment[14:], uint16(m.IntN(1000)))
		data = capturetest.IP(src, dst, capturetest.ProtoTCP, segment)
	case 2:
		data = capturetest.IP(src, dst, capturetest.ProtoUDP, capturetest.UDP(sport, dport, m.IntN(1200)))
	default:
		data = capturetest.IP(src, dst, []byte{1, 58, 50, 89, 132}[session%5], make([]byte, m.IntN(100)))
	}
	four := data[12] == 8
	switch m.IntN(12) {
	case 0: // a tunnel: IP in IP
		protocol := byte(41)
		if four {
			protocol = 4
		}
		return [][]byte{capturetest.IP("172.16.0.1", "172.16.0.2", protocol, data[14:])}
	case 1: // GRE with Ethernet in it
		return [][]byte{capturetest.IP("172.16.0.1", "172.16.0.2", 47, append([]byte{0, 0, 0x65, 0x58}, data...))}
	case 2, 3: // a VLAN, or two
		tag := []byte{0x81, 0, 0, byte(session % 3)}
		if m.odds(2) {
			tag = append(tag, 0x81, 0, 0, 7)
		}
		return [][]byte{slices.Concat(data[:12], tag, data[12:])}
	case 4:
		return [][]byte{capturetest.Ethernet(0x0806, make([]byte, 28))}
	case 5:
		return [][]byte{capturetest.Ethernet(uint16(m.IntN(1<<16)), data[14:])}
	case 6, 7:
		if four && len(data) > 14+20+16 {
			return m.fragments(data, 0)
		}
	case 8:
		if m.odds(6) {
			return m.burst()
		}
	}
	return [][]byte{data}
}

// burst are fragments of several datagrams, mixed. Some are cut to their headers.
func (m *metamorphic) burst() (frames [][]byte) {
	var later [][]byte
	for i := range 1 + m.IntN(40) {
		src := fmt.Sprintf("10.1.0.%d", m.IntN(4))
		list := m.fragments(capturetest.IP(src, "192.0.2.1", capturetest.ProtoUDP, capturetest.UDP(uint16(m.IntN(3)), 53, 100)), i)
		for _, f := range list {
			if m.odds(3) {
				f = f[:14+20+8*m.IntN(2)]
			}
			if m.odds(5) {
				frames = append(frames, f)
			} else {
				later = append(later, f)
			}
		}
	}
	m.Shuffle(len(later), func(i, k int) { later[i], later[k] = later[k], later[i] })
	return append(frames, later...)
}

// fragments cuts an IPv4 datagram in two, in or out of order; or the first one
// is missing. The datagram is the nth of those that are made at once.
func (m *metamorphic) fragments(data []byte, nth int) [][]byte {
	const ip, body = 14, 14 + 20
	cut := 8 * (1 + m.IntN((len(data)-body-1)/8))
	list := [][]byte{bytes.Clone(data[:body+cut]), slices.Concat(data[:body], data[body+cut:])}
	id := uint16(len(m.records) + nth) // there are fewer than 65536
	for i, f := range list {
		binary.BigEndian.PutUint16(f[ip+2:], uint16(len(f)-ip))
		binary.BigEndian.PutUint16(f[ip+4:], id)
		binary.BigEndian.PutUint16(f[ip+6:], []uint16{0x2000, uint16(cut / 8)}[i])
	}
	switch m.IntN(6) {
	case 0:
		return list[1:]
	case 1:
		slices.Reverse(list)
	}
	return list
}

// options chooses what shapes the rows.
func (m *metamorphic) options() {
	m.config = New()
	s, o := &m.config.Sessions, &m.config.Columns
	s.Unidirectional, s.VLAN, s.Decapsulate = m.odds(4), m.odds(4), m.odds(3)
	if m.odds(3) {
		s.IdleTimeout = time.Duration(1 + m.IntN(60e9))
	}
	if m.odds(3) {
		s.IdleThreshold = time.Duration(m.IntN(10e9))
	}
	if m.whole = m.odds(5); m.whole {
		s.TCPEnd, s.ActiveTimeout = m.odds(2), time.Duration(m.IntN(2)*m.IntN(100e9))
	}
	o.SampleStd, o.UndefinedEmpty = m.odds(3), m.odds(3)
	o.Features = []writer.Group{"all"}
	if m.odds(3) {
		o.Features = []writer.Group{writer.Basic}
		for _, g := range writer.FeatureGroups() {
			if g != writer.Basic && m.odds(2) {
				o.Features = append(o.Features, g)
			}
		}
	}
	if m.odds(2) {
		o.Quantiles, _ = writer.ParseQuantiles("1,25,90,99.9")
	}
	if m.odds(2) {
		o.Sequence = 1 + m.IntN(20)
	}
}

// varied is the configuration with what must not matter.
func (m *metamorphic) varied() Config {
	c := m.config
	c.FS, c.Workers, c.HashSeed = testConfig(1).FS, 1+m.IntN(5), m.Uint64()
	if m.odds(2) {
		c.BlockBytes = 1 << (9 + m.IntN(10))
	}
	if m.odds(2) {
		c.StretchBytes = 1 + m.Int64N(20_000)
	}
	if m.odds(2) {
		c.Share, c.LeastSpill = 1+m.Int64N(200_000), 1+m.Int64N(20_000)
	}
	if m.odds(2) {
		c.FragmentBytes = 1 + m.Int64N(4000)
	}
	return c
}

// inOrder cuts the packets into captures that follow each other.
func (m *metamorphic) inOrder() {
	c := m.config
	want := extract(m, c, pcap(m, m.records))
	dir := m.TempDir()
	var paths []string
	for i, piece := range m.cut() {
		paths = append(paths, write(m, filepath.Join(dir, fmt.Sprintf("%04d", i)), m.file(piece)))
	}
	shuffled := slices.Clone(paths)
	m.Shuffle(len(paths), func(i, k int) { shuffled[i], shuffled[k] = shuffled[k], shuffled[i] })
	m.same("extract", extract(m, m.varied(), shuffled...), want)
	if m.whole {
		return
	}
	maps, partitions, state := m.TempDir(), 1+m.IntN(6), m.TempDir()
	for rest := shuffled; len(rest) > 0; {
		n := 1 + m.IntN(len(rest))
		if r := mapTo(m, m.varied(), maps, partitions, rest[:n]...); r.err != nil {
			m.Fatal(r.err)
		}
		resume(m, m.varied(), state, rest[:n]...)
		rest = rest[n:]
	}
	m.same("state", resume(m, m.varied(), state, shuffled...), want)
	m.same("merge", merge(m, m.varied(), maps), want)
	parts := m.TempDir()
	for p := range partitions {
		if r := reduce(m, m.varied(), p, parts, maps); r.err != nil {
			m.Fatal(r.err)
		}
	}
	m.same("reduce", joinParts(m, m.config, parts), want)
}

// interleaved deals the packets, which have different times, to captures that
// are merged.
func (m *metamorphic) interleaved() {
	slices.SortStableFunc(m.records, func(a, b capturetest.Record) int { return int(a.Time - b.Time) })
	for i := range m.records[1:] {
		m.records[i+1].Time = max(m.records[i+1].Time, m.records[i].Time+1000)
	}
	want := extract(m, m.config, pcap(m, m.records))
	k := 1 + m.IntN(20)
	hands := make([][]capturetest.Record, k)
	for _, r := range m.records {
		to := m.IntN(k)
		hands[to] = append(hands[to], r)
	}
	dir := m.TempDir()
	for i, list := range hands {
		if len(list) > 0 {
			write(m, filepath.Join(dir, fmt.Sprint(i)), m.compressed(m.encoded(list)))
		}
	}
	c := m.varied()
	c.Interleave = true
	m.same("interleave", extract(m, c, dir), want)
}

// cut cuts the records into pieces. None begins earlier than the one before it,
// so that the order of the names is capture order.
func (m *metamorphic) cut() (pieces [][]capturetest.Record) {
	begin, every := 0, 1+m.IntN(len(m.records))
	for i := range m.records {
		if i > begin && m.odds(every) && !m.glued[i] && m.records[i].Time >= m.records[begin].Time {
			pieces = append(pieces, m.records[begin:i])
			begin = i
		}
	}
	return append(pieces, m.records[begin:])
}

// file is a capture of a piece, or several joined as with cat.
func (m *metamorphic) file(piece []capturetest.Record) []byte {
	if m.odds(3) && len(piece) > 1 {
		n := 1 + m.IntN(len(piece)-1)
		if m.odds(2) {
			return append(m.compressed(m.encoded(piece[:n])), m.compressed(m.encoded(piece[n:]))...)
		}
		return m.compressed(append(m.encoded(piece[:n]), m.encoded(piece[n:])...))
	}
	return m.compressed(m.encoded(piece))
}

// encoded is a capture in a format that can hold the times.
func (m *metamorphic) encoded(list []capturetest.Record) []byte {
	var order binary.AppendByteOrder = binary.LittleEndian
	if m.odds(2) {
		order = binary.BigEndian
	}
	unit := int64(1)
	if m.micros && m.odds(2) {
		unit = 1000
	}
	if m.odds(2) {
		return pcapngOf(order, unit, list)
	}
	magic := uint32(0xa1b23c4d)
	if unit == 1000 {
		magic = 0xa1b2c3d4
	}
	b := order.AppendUint32(nil, magic)
	b = order.AppendUint16(b, 2)
	b = order.AppendUint16(b, 4)
	for _, v := range []uint32{0, 0, 262144, 1} {
		b = order.AppendUint32(b, v)
	}
	for _, r := range list {
		for _, v := range []int64{r.Time / 1e9, r.Time % 1e9 / unit, int64(len(r.Data)), int64(max(r.Wire, len(r.Data)))} {
			b = order.AppendUint32(b, uint32(v))
		}
		b = append(b, r.Data...)
	}
	return b
}

// pcapngOf is a capture of one section with one Ethernet interface.
func pcapngOf(order binary.AppendByteOrder, unit int64, list []capturetest.Record) []byte {
	block := func(b []byte, kind uint32, body []byte) []byte {
		length := uint32(12 + len(body))
		b = order.AppendUint32(order.AppendUint32(b, kind), length)
		return order.AppendUint32(append(b, body...), length)
	}
	body := order.AppendUint16(order.AppendUint16(order.AppendUint32(nil, 0x1a2b3c4d), 1), 0)
	b := block(nil, 0x0a0d0d0a, append(body, bytes.Repeat([]byte{0xff}, 8)...))
	body = order.AppendUint32(order.AppendUint16(order.AppendUint16(nil, 1), 0), 0)
	resolution := byte(9)
	if unit == 1000 {
		resolution = 6
	}
	body = order.AppendUint16(order.AppendUint16(body, 9), 1)
	b = block(b, 1, append(body, resolution, 0, 0, 0, 0, 0, 0, 0))
	for _, r := range list {
		ticks := uint64(r.Time / unit)
		body := order.AppendUint32(nil, 0)
		for _, v := range []uint32{uint32(ticks >> 32), uint32(ticks), uint32(len(r.Data)), uint32(max(r.Wire, len(r.Data)))} {
			body = order.AppendUint32(body, v)
		}
		body = append(body, r.Data...)
		b = block(b, 6, append(body, make([]byte, -len(body)&3)...))
	}
	return b
}

// compressed packs data as gzip, zstd, lz4 or xz, or leaves it.
func (m *metamorphic) compressed(data []byte) []byte {
	var b bytes.Buffer
	switch m.IntN(8) {
	case 0, 1:
		return gzipped(m, data)
	case 2:
		z, _ := zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
		z.Write(data)
		z.Close()
	case 3:
		z := lz4.NewWriter(&b)
		z.Write(data)
		z.Close()
	case 4:
		z, _ := xz.WriterConfig{DictCap: 1 << 16}.NewWriter(&b)
		z.Write(data)
		z.Close()
	default:
		return data
	}
	return b.Bytes()
}

// same fails unless a job ended well and has the rows of the plain run. Medians
// and quantiles of more than 128 packets may differ, and where the summary
// counts sessions with inexact gaps, nothing is compared.
func (m *metamorphic) same(what string, got, want result) {
	m.Helper()
	if got.err != nil || want.err != nil || len(got.report.Damage)+len(want.report.Damage) > 0 {
		m.Fatalf("%s: %v, %v; %v; %v", what, got.err, want.err, got.report.Damage, want.report.Damage)
	}
	if g, w := got.report, want.report; g.Packets != w.Packets || g.NonIP != w.NonIP || g.Fragments != w.Fragments || g.Unmatched != w.Unmatched {
		m.Errorf("%s: %d packets, %d non-IP, %d fragments, %d unmatched; want %d, %d, %d, %d", what,
			g.Packets, g.NonIP, g.Fragments, g.Unmatched, w.Packets, w.NonIP, w.Fragments, w.Unmatched)
	}
	if got.report.InexactGaps > 0 {
		m.counts++
		return
	}
	if m.rows++; got.rows == want.rows {
		return
	}
	if m.config.Sessions.whole() { // no session is ever cut
		m.Errorf("%s: other rows", what)
	}
	x, y := parseRows(m, got.rows), parseRows(m, want.rows)
	if len(x) != len(y) {
		m.Errorf("%s: %d rows, want %d", what, len(x), len(y))
		return
	}
	for i := range x {
		packets, _ := strconv.Atoi(y[i]["total_packets"])
		for name, v := range y[i] {
			if x[i][name] != v && (packets <= 128 || !estimated(name)) {
				m.Errorf("%s: row %d, %d packets: %s is %q, want %q", what, i+1, packets, name, x[i][name], v)
			}
		}
	}
}

// estimated tells whether a column is of a digest in large sessions.
func estimated(name string) bool {
	if strings.Contains(name, "median") {
		return true
	}
	_, digits, ok := strings.Cut(name, "_p")
	return ok && strings.Trim(digits, "0123456789_.s") == ""
}
