package job

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"pcapbatch/internal/capturetest"
	"pcapbatch/internal/figures"
)

// figured asks for figures, and keeps them.
func figured(c Config) Config {
	c.Figures, c.ReportData, c.CaptureSessions = true, true, true
	return c
}

// figuresOf are the figures of a job as JSON, after a check that they are of all
// packets and sessions.
func figuresOf(t *testing.T, what string, r result) string {
	t.Helper()
	r.clean(t)
	f := r.report.Figures
	if f == nil || f.Packets == nil || f.Sessions == nil || f.WithoutPackets != 0 {
		t.Fatalf("%s: there are no figures: %+v", what, f)
	}
	_, _, bins := f.Packets.Timeline.Bins()
	timed := uint64(0)
	for _, b := range bins {
		timed += b.Packets
	}
	begun, wire := uint64(0), uint64(0)
	for i := range r.report.Captures {
		begun += *r.report.Captures[i].Sessions
		wire += r.report.Captures[i].WireBytes
	}
	sessions := uint64(0)
	sent := uint64(0)
	for _, c := range f.Sessions.Protocols {
		sessions += c.Sessions
		sent += c.Bytes
	}
	n := r.report
	if timed != n.Packets || f.Packets.Lengths.Total() != n.Packets || f.Packets.Payloads.Total() != n.Packets ||
		sessions != n.Sessions || f.Sessions.Packets.Total() != n.Sessions || begun != n.Sessions ||
		f.Sessions.Gaps.Total() != n.Packets-n.Sessions || wire == 0 || sent != wire {
		t.Errorf("%s: %d packets in %d sessions: the timeline has %d, captures %d sessions, protocols %d sessions with %d of %d bytes, gaps %d",
			what, n.Packets, n.Sessions, timed, begun, sessions, sent, wire, f.Sessions.Gaps.Total())
	}
	data, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// perCapture are the sessions that began in each capture.
func perCapture(r result) string {
	var b strings.Builder
	for _, c := range r.report.Captures {
		fmt.Fprintf(&b, "%s %d, %d bytes\n", filepath.Base(c.Path), *c.Sessions, c.WireBytes)
	}
	return b.String()
}

// Figures are the same for every number of workers, and however the captures are
// read, kept and put together.
func TestFiguresSame(t *testing.T) {
	t.Parallel()
	dir, paths := series(t, 4000, 4)
	c := figured(testConfig(1))
	first := extract(t, c, dir)
	want, begun := figuresOf(t, "extract", first), perCapture(first)
	rows := extract(t, testConfig(1), dir).clean(t)
	sameRows(t, "rows with figures", first.rows, rows)
	check := func(what string, r result) {
		t.Helper()
		if got := figuresOf(t, what, r); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", what, got, want)
		}
		if got := perCapture(r); got != begun {
			t.Errorf("%s: %swant %s", what, got, begun)
		}
		sameRows(t, what, r.rows, rows)
	}
	for _, c.Workers = range []int{2, 3} {
		check(fmt.Sprint("workers: ", c.Workers), extract(t, c, dir))
	}
	small := c
	small.BlockBytes = 4 << 10
	check("small blocks", extract(t, small, dir))
	state := t.TempDir()
	resume(t, c, state, paths[2]).clean(t)
	check("state", resume(t, c, state, dir))
	check("state once more", resume(t, c, state, dir))
	check("interleaved", extract(t, func(c Config) Config { c.Interleave = true; return c }(c), dir))
	runs := mapped(t, c, 3, dir)
	check("merge", merge(t, c, runs))
	check("parts", joinParts(t, c, reduced(t, c, 3, runs)))
}

// With the capture in the key the sessions of each capture are its own.
func TestFiguresByCapture(t *testing.T) {
	t.Parallel()
	dir, paths := series(t, 3000, 3)
	c := figured(testConfig(2))
	c.Sessions.Capture = true
	for what, r := range map[string]result{
		"extract": extract(t, c, dir), "merge": merge(t, c, mapped(t, c, 3, dir)),
		"parts": joinParts(t, c, reduced(t, c, 3, mapped(t, c, 3, dir))),
	} {
		figuresOf(t, what, r)
		for i, path := range paths {
			alone := extract(t, testConfig(1), path).report.Sessions
			if got := r.report.Captures[i]; got.Path != path || *got.Sessions != alone {
				t.Errorf("%s: %s has %d sessions, alone %d", what, path, *got.Sessions, alone)
			}
		}
	}
}

// A run that does not ask has no figures; what was kept without those of packets
// has those of sessions and says how many captures lack the others. A state
// directory that is asked to keep them reads its captures again, once.
func TestFiguresMissing(t *testing.T) {
	t.Parallel()
	dir, paths := series(t, 2000, 3)
	plain := testConfig(1)
	if r := extract(t, plain, dir); r.report.Figures != nil || r.report.Captures[0].Sessions != nil || r.report.Captures[0].WireBytes == 0 {
		t.Errorf("%+v", r.report.Figures)
	}
	state := t.TempDir()
	resume(t, plain, state, dir).clean(t)
	reader := plain
	reader.Figures = true
	lacking := func(what string, r result, missing int) {
		t.Helper()
		r.clean(t)
		if f := r.report.Figures; f == nil || f.Packets != nil || f.Sessions == nil || f.WithoutPackets != missing {
			t.Errorf("%s: %+v", what, f)
		}
	}
	lacking("state", resume(t, reader, state, dir), 3)
	runs := mapped(t, plain, 2, paths[:2]...)
	mapTo(t, figured(plain), runs, 2, paths[2]).clean(t)
	lacking("merge", merge(t, reader, runs), 2)
	if r := joinParts(t, reader, reduced(t, plain, 2, runs)); r.err != nil || r.report.Figures.Packets != nil || r.report.Figures.Sessions != nil {
		t.Errorf("parts: %v, %+v", r.err, r.report.Figures)
	}
	again := resume(t, figured(plain), state, dir)
	if again.err != nil || len(again.notes) != 3 || !strings.Contains(again.notes[0], "--report-data") {
		t.Errorf("%v, %q", again.err, again.notes)
	}
	if f := again.report.Figures; f == nil || f.Packets == nil || f.WithoutPackets != 0 {
		t.Errorf("kept again: %+v", f)
	}
	figuresOf(t, "kept", resume(t, figured(plain), state, dir))
}

// What version 1 kept has no figures, and is as good as ever without.
func TestFiguresOfVersion1(t *testing.T) {
	c := New()
	c.Figures, c.CaptureSessions = true, true
	r := merge(t, c, version1)
	if r.err != nil || r.rows != version1Rows(t) || r.report.Figures.Packets != nil || r.report.Figures.WithoutPackets != 2 || r.report.Figures.Sessions == nil {
		t.Errorf("%v: %+v", r.err, r.report.Figures)
	}
}

// A capture that states far more bytes than it kept is no top talker.
func TestFiguresClaims(t *testing.T) {
	records := capturetest.ManySessions(1, 500)
	liar := capturetest.IP("10.9.9.9", "10.8.8.8", capturetest.ProtoUDP, capturetest.UDP(5, 6, 10))
	begin := records[0].Time
	var lies []capturetest.Record
	for i := range 5 {
		lies = append(lies, capturetest.Record{Time: begin + int64(i), Data: liar, Wire: 4_000_000_000})
	}
	c := figured(testConfig(1))
	r := extract(t, c, pcap(t, records), pcap(t, lies))
	if r.err != nil {
		t.Fatal(r.err)
	}
	f := r.report.Figures.Sessions
	if f.Claims != (figures.Count{Sessions: 1, Packets: 5, Bytes: 20_000_000_000}) {
		t.Errorf("claims: %+v", f.Claims)
	}
	for _, e := range f.Talkers.List() {
		if strings.HasPrefix(e.Key.String(), "10.9.9.9") {
			t.Errorf("%v with %d bytes", e.Key, e.Bytes)
		}
	}
	claims := 0
	for i := range r.report.Captures {
		if r.report.Captures[i].Claims() {
			claims++
		}
	}
	if claims != 1 || len(f.Talkers.List()) == 0 {
		t.Errorf("%d captures claim", claims)
	}
}
