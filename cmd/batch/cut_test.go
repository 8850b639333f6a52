package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
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
	dir := mustMkdir(t, "pieces")
	for i := range n {
		var b bytes.Buffer
		b.Write(c.header)
		for _, r := range c.records[i*len(c.records)/n : (i+1)*len(c.records)/n] {
			b.Write(r)
		}
		data := b.Bytes()
		if compressed {
			data = gzipped(t, data)
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%02d", i)), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func gzipped(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	z.Write(data)
	z.Close()
	return b.Bytes()
}

// pieces are the captures that can be cut: those whose records come in the
// order of time, as otherwise the pieces are another input.
func pieces(t *testing.T) map[string]*classic {
	t.Helper()
	list := map[string]*classic{}
	for _, path := range everyFile(t) {
		if c, ok := parseClassic(read(t, path)); ok && c.ordered && len(c.records) >= 10 {
			list[path] = c
		}
	}
	if len(list) < 5 {
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

// TestOneCaptureIsTenCaptures: a capture and the ten files that it is cut into
// make the same sessions.
func TestOneCaptureIsTenCaptures(t *testing.T) {
	for path, c := range pieces(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			want := runWith(nil, "extract", "--features=all", path).stdout
			got := runWith(nil, "extract", "--features=all", c.cut(t, 10, false)).stdout
			sameSessions(t, got, want)
		})
	}
}

// TestStretchesMerge reads the ten files side by side, each into tables of its
// own, and merges them.
func TestStretchesMerge(t *testing.T) {
	for path, c := range pieces(t) {
		if len(c.records) < 50 {
			continue // little to merge
		}
		t.Run(filepath.Base(path), func(t *testing.T) {
			summary := filepath.Join(t.TempDir(), "s.json")
			want := runWith(nil, "extract", "--features=all", "--summary", summary, path).stdout
			if readSummary(t, summary).Fragments > 0 {
				t.Skip("a later fragment does not find its session where the first one lies in another stretch")
			}
			dir := c.cut(t, 10, true)
			first := runStretched(1, "--features=all", "-j1", dir)
			sameSessions(t, first.stdout, want)
			if r := runStretched(1, "--features=all", "-j3", dir); r.stdout != first.stdout {
				t.Errorf("-j3 makes another CSV than -j1, at line %d", differentLine(r.stdout, first.stdout))
			}
		})
	}
}

// TestManyStretchesSameBytes merges captures that have nothing to do with each
// other, overlap in time and share sessions: whatever comes of it must not
// depend on workers or on the order of the arguments.
func TestManyStretchesSameBytes(t *testing.T) {
	dir := mustMkdir(t, "compressed")
	for i, path := range everyFile(t) {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%03d.gz", i)), gzipped(t, read(t, path)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for limit, others := range map[int64][]string{1: {"-j1", "-j3"}, 100_000: {"-j2", "-j8"}} {
		want := runStretched(limit, "--features=all", "-j1", dir)
		for _, workers := range others {
			if got := runStretched(limit, "--features=all", workers, dir); got.stdout != want.stdout {
				t.Errorf("stretches of %d bytes: %s makes another CSV than -j1, at line %d", limit, workers, differentLine(got.stdout, want.stdout))
			}
		}
	}
}
