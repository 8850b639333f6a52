package job

import (
	"encoding/binary"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A classic is a classic pcap taken apart: its file header and its records.
type classic struct {
	header  []byte
	records [][]byte // with their headers
	ordered bool     // no record is earlier than the one before it
}

// parseClassic takes a little-endian classic pcap of version 2.4 apart; false
// for anything else, and for what is damaged.
func parseClassic(data []byte) (*classic, bool) {
	le := binary.LittleEndian
	if len(data) < 24 || le.Uint32(data) != 0xa1b2c3d4 && le.Uint32(data) != 0xa1b23c4d || le.Uint32(data[4:]) != 2|4<<16 {
		return nil, false
	}
	c := &classic{header: data[:24], ordered: true}
	last := uint64(0)
	for rest := data[24:]; len(rest) > 0; {
		if len(rest) < 16 {
			return nil, false
		}
		n := 16 + uint64(le.Uint32(rest[8:]))
		if uint64(len(rest)) < n {
			return nil, false
		}
		time := uint64(le.Uint32(rest))<<32 | uint64(le.Uint32(rest[4:]))
		c.ordered = c.ordered && time >= last
		last = time
		c.records = append(c.records, rest[:n])
		rest = rest[n:]
	}
	return c, true
}

// cut writes the capture as n captures, compressed or not, and returns their
// directory.
func (c *classic) cut(t *testing.T, n int, compressed bool) string {
	t.Helper()
	dir := t.TempDir()
	for i := range n {
		data := slices.Clone(c.header)
		for _, r := range c.records[i*len(c.records)/n : (i+1)*len(c.records)/n] {
			data = append(data, r...)
		}
		if compressed {
			data = gzipped(t, data)
		}
		write(t, filepath.Join(dir, fmt.Sprintf("%02d", i)), data)
	}
	return dir
}

// pieces are the captures that can be cut: those whose records come in the
// order of time, as otherwise the pieces are another input.
func pieces(t *testing.T) map[string]*classic {
	t.Helper()
	list := map[string]*classic{}
	for _, path := range corpus(t) {
		if c, ok := parseClassic(load(t, path)); ok && c.ordered && len(c.records) >= 10 {
			list[path] = c
		}
	}
	if len(list) < 2 {
		t.Fatalf("only %d captures can be cut", len(list))
	}
	return list
}

// sameSessions compares two CSVs. The medians of sessions too large for exact
// ones are left out: they may differ within the digest's bound.
func sameSessions(t *testing.T, got, want string) {
	t.Helper()
	g, w := parseRows(t, got), parseRows(t, want)
	if len(g) != len(w) {
		t.Fatalf("%d sessions, want %d", len(g), len(w))
	}
	for i := range w {
		n, err := strconv.Atoi(w[i]["total_packets"])
		if err != nil {
			t.Fatal(err)
		}
		for name, cell := range w[i] {
			if (n <= 64 || !strings.Contains(name, "_median")) && g[i][name] != cell {
				t.Errorf("row %d: %s = %s, want %s\n%v", i+1, name, g[i][name], cell, w[i])
			}
		}
	}
}

// A capture and the ten files that it is cut into make the same sessions.
func TestOneCaptureIsTenCaptures(t *testing.T) {
	t.Parallel()
	for path, c := range pieces(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			want := extract(t, testConfig(1), path)
			got := extract(t, testConfig(1), c.cut(t, 10, false))
			if got.err != nil || want.err != nil {
				t.Fatal(got.err, want.err)
			}
			sameSessions(t, got.rows, want.rows)
		})
	}
}

// Ten files that are read side by side, each into tables of its own, merge into
// the sessions of one.
func TestStretchesMerge(t *testing.T) {
	t.Parallel()
	for path, c := range pieces(t) {
		if len(c.records) < 50 {
			continue // little to merge
		}
		t.Run(filepath.Base(path), func(t *testing.T) {
			o := testConfig(1)
			want := extract(t, o, path)
			if want.report.Fragments > 0 {
				t.Skip("a later fragment does not find its session where the first one lies in another stretch")
			}
			dir := c.cut(t, 10, true)
			o.StretchBytes = 1
			first := extract(t, o, dir)
			if first.err != nil || want.err != nil {
				t.Fatal(first.err, want.err)
			}
			sameSessions(t, first.rows, want.rows)
			o.Workers = 3
			sameRows(t, "3 workers", extract(t, o, dir).rows, first.rows)
		})
	}
}

// Captures that have nothing to do with each other, overlap in time and share
// sessions are merged: whatever comes of it must not depend on workers or on
// the order of the arguments, nor on the memory.
func TestManyStretchesSameBytes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for i, path := range corpus(t) {
		write(t, filepath.Join(dir, fmt.Sprintf("%03d.gz", i)), gzipped(t, load(t, path)))
	}
	for limit, others := range map[int64][]int{1: {1, 3}, 100_000: {2, 8}} {
		c := testConfig(1)
		c.StretchBytes = limit
		want := extract(t, c, dir)
		if want.err != nil || want.report.Sessions < 10 {
			t.Fatal(want.err, want.report.Sessions)
		}
		for _, c.Workers = range others {
			sameRows(t, fmt.Sprintf("stretches of %d bytes, %d workers", limit, c.Workers), extract(t, c, dir).rows, want.rows)
		}
	}
}
