package job

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"pcapbatch/internal/capturetest"
	"pcapbatch/internal/durabletest"
)

// fragmentAt is a fragment of a UDP datagram with ports 1000 and 53.
func fragmentAt(time int64, offset uint16) capturetest.Record {
	data := capturetest.IP(capturetest.Client, capturetest.Server, capturetest.ProtoUDP, capturetest.UDP(1000, 53, 8))
	binary.BigEndian.PutUint16(data[14+6:], offset|0x2000)
	return capturetest.Record{Time: time, Data: data}
}

// filler are records that are no fragments and take so many bytes of a pcap.
func filler(time int64, bytes int) (list []capturetest.Record) {
	const most = 64 << 10
	for bytes > 0 {
		n := min(bytes, most)
		if rest := bytes - n; rest > 0 && rest < 64 {
			n -= 64
		}
		data := append(capturetest.Sent(capturetest.ACK, 0), make([]byte, n)...)[:n-16]
		list = append(list, capturetest.Record{Time: time, Data: data})
		bytes -= n
	}
	return list
}

// fragmentStorm are n first fragments of the datagrams of a few sessions, and then
// a later one of each in another order.
func fragmentStorm(n int) (list []capturetest.Record) {
	r := rand.New(rand.NewPCG(3, uint64(n)))
	fragment := func(i int, offset uint16) {
		f := fragmentAt(capturetest.Begin+int64(len(list))*1000, offset)
		binary.BigEndian.PutUint16(f.Data[14+4:], uint16(i))
		f.Data[14+12] = byte(i % 5) // of the source address
		list = append(list, f)
	}
	for i := range n {
		fragment(i, 0)
	}
	for _, i := range r.Perm(n) {
		fragment(i, 2)
	}
	return list
}

// First fragments for which there is no memory are in temporary files, of every
// job that reads captures. They change nothing, and leave nothing, also where the
// job ends early.
func TestFragmentsBeyondMemory(t *testing.T) {
	t.Parallel()
	for _, size := range []struct {
		bytes     int64
		fragments int // of each capture; with one byte for them each is looked for among all
	}{{1, capturetest.Usually(60, 500)}, {10_000, 500}} {
		dir := t.TempDir()
		for i := range 3 {
			list := fragmentStorm(size.fragments)
			for k := range list {
				list[k].Time += int64(i) * capturetest.Second
			}
			write(t, filepath.Join(dir, fmt.Sprint(i)), capturetest.Pcap(list...))
		}
		want := extract(t, testConfig(1), dir)
		if want.clean(t); want.report.Sessions != 5 || want.report.Unmatched != 0 {
			t.Fatalf("%d sessions, %d unmatched", want.report.Sessions, want.report.Unmatched)
		}
		for _, workers := range []int{1, 3} {
			for _, j := range []struct {
				name  string
				temps int // at least
				run   func(Config) result
			}{
				{"extract", 1, func(c Config) result { return extract(t, c, dir) }},
				{"interleave", 1, func(c Config) result { c.Interleave = true; return extract(t, c, dir) }},
				{"state", 3, func(c Config) result { return resume(t, c, t.TempDir(), dir) }},
				{"map", 3, func(c Config) result {
					runs := t.TempDir()
					if r := mapTo(t, c, runs, 2, dir); r.err != nil {
						t.Fatal(r.err)
					}
					return merge(t, c, runs)
				}},
				{"damage", 1, func(c Config) result {
					c.Strict = true
					if r := extract(t, c, cutOff(t, fragmentStorm(size.fragments))); CategoryOf(r.err) != Damaged {
						t.Errorf("damage: %v", r.err)
					}
					return want
				}},
			} {
				fs := durabletest.None()
				c := testConfig(workers)
				c.FS, c.TempDir, c.FragmentBytes, c.BlockBytes = fs, t.TempDir(), size.bytes, 4<<10
				got := j.run(c)
				name := fmt.Sprintf("%s, %d bytes, %d workers", j.name, size.bytes, workers)
				sameRows(t, name, got.clean(t), want.rows)
				if got.report.Unmatched != 0 || fs.Temps() < j.temps || fs.Left() > 0 {
					t.Errorf("%s: %d unmatched, %d temporary files, %d files left open", name, got.report.Unmatched, fs.Temps(), fs.Left())
				}
			}
		}
	}
}

// cutOff is a capture that ends in the middle of its last record.
func cutOff(t *testing.T, list []capturetest.Record) string {
	data := capturetest.Pcap(list...)
	return write(t, filepath.Join(t.TempDir(), "cut"), data[:len(data)-1])
}

// A later fragment finds its first fragment exactly 32 MiB before it, one byte
// beyond it does not; nor more than 30 s later. Captures that are read one after
// the other count as one, as merged ones do, but not those of partial results.
func TestFragmentReach(t *testing.T) {
	const begin, reach = capturetest.Begin, 32 << 20
	first := fragmentAt(begin, 0)
	header := 16 + len(first.Data)
	for _, c := range []struct {
		name          string
		bytes         int // from the packet of one fragment to that of the other
		wait          int64
		cut           bool // the later fragment is in a capture of its own
		ports, mapped bool // it belongs to the session with ports; with map, too
	}{
		{"at 32 MiB", reach, 0, false, true, true},
		{"beyond 32 MiB", reach + 1, 0, false, false, false},
		{"at 30 s", 1 << 10, 30e9, false, true, true},
		{"beyond 30 s", 1 << 10, 30e9 + 1, false, false, false},
		{"at 32 MiB, two captures", reach - 24, 0, true, true, false},
		{"beyond 32 MiB, two captures", reach - 24 + 1, 0, true, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			records := append([]capturetest.Record{first}, filler(begin, c.bytes-header)...)
			later := []capturetest.Record{fragmentAt(begin+c.wait, 2)}
			if c.cut {
				later[0].Time = begin + 1
			} else {
				records = append(records, later...)
			}
			dir := t.TempDir()
			write(t, filepath.Join(dir, "a"), capturetest.Pcap(records...))
			if c.cut {
				write(t, filepath.Join(dir, "b"), capturetest.Pcap(later...))
			}
			check := func(what string, r result, want bool) {
				t.Helper()
				alone := strings.Contains(r.clean(t), capturetest.Client+","+capturetest.Server+",0,0,17,")
				if found := r.report.Unmatched == 0; found != want || alone == found {
					t.Errorf("%s: found %t, want %t; a session without ports: %t\n%.300s", what, found, want, alone, r.rows)
				}
			}
			for _, workers := range []int{1, 3} {
				check(fmt.Sprint(workers, " workers"), extract(t, testConfig(workers), dir), c.ports)
			}
			small := testConfig(2)
			small.BlockBytes = 16 << 10
			check("small blocks", extract(t, small, dir), c.ports)
			check("map", merge(t, testConfig(1), mapped(t, testConfig(2), 2, dir)), c.mapped)
			if !c.cut { // merged records have no file header between them
				small.Interleave = true
				check("interleaved", extract(t, small, dir), c.ports)
			}
		})
	}
}
