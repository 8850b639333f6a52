package runfile

import (
	"context"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"pcapbatch/internal/capture"
	"pcapbatch/internal/durable"
)

// fuzzLimit bounds what reading one small file may allocate, in bytes, all
// told. What a merge needs for itself is some 3 MB.
const fuzzLimit = 32 << 20

// readRun takes in all that a run says, and returns the first error.
func readRun(t *testing.T, r *Run) error {
	t.Helper()
	if err := r.Verify(); err != nil {
		return err
	}
	temp := NewTemp(durable.OS, t.TempDir())
	if r.Kind == Rows {
		return CopyParts(context.Background(), []*Run{r}, temp, io.Discard)
	}
	groups, group, partitions := Groups([]*Run{r}, false)
	c := NewCollector(options, 0, temp)
	defer c.Close()
	for i := range groups {
		in := group(i)
		if err := c.Merge(context.Background(), in, partitions); err != nil {
			return err
		}
	}
	textOf(t, []*Collector{c}, formatRow)
	return nil
}

// checkHostile reads what makes gives, within bounds. An error must name the
// file and say that it is at fault.
func checkHostile(t *testing.T, makes func(path string) error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x"+RunSuffix)
	if err := makes(path); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r, err := (&Files{FS: durable.OS}).Open(path)
	if err == nil {
		err = readRun(t, r)
	}
	runtime.ReadMemStats(&after)
	if err != nil && (!strings.Contains(err.Error(), path) || !errors.Is(err, ErrDamaged) && !strings.Contains(err.Error(), "version")) {
		t.Errorf("error %v", err)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > fuzzLimit {
		t.Errorf("%d bytes allocated", n)
	}
}

// FuzzOpen gives whole files, the footer's checksum set right, so that what is
// in it is looked at.
func FuzzOpen(f *testing.F) {
	for _, partitions := range []int{1, 3} {
		path := writeRun(f, f.TempDir(), "a", events(3, 300, 20), partitions)
		whole, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(whole)
		f.Add(whole[:len(whole)-1])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if at := len(data) - fileTrailer; at >= 0 {
			if n := binary.LittleEndian.Uint64(data[at:]); n <= uint64(at) {
				sum := crc32.Checksum(data[at-int(n):at], castagnoli)
				binary.LittleEndian.PutUint32(data[at+8:], sum)
			}
		}
		checkHostile(t, func(path string) error { return os.WriteFile(path, data, 0o600) })
	})
}

// FuzzEntries gives a block of entries in a file that is right but for them.
func FuzzEntries(f *testing.F) {
	table := tableOf(events(5, 400, 20))
	defer table.Release()
	for _, rows := range []bool{false, true} {
		var block []byte
		numbers := keyOrder(table, 1)
		n := len(numbers)
		for _, i := range numbers {
			entry := table.AppendSession(nil, i)
			if rows {
				entry = append([]byte{0x80, 0, 0, 0, 0, 0, 0, 1, 4, 1, 2, 3, 4, 5, 6, 7, 8, 0, 1, 0, 2, 6, 0, 0, 0, 0}, "a line\n"...)
			}
			block = append(binary.AppendUvarint(block, uint64(len(entry))), entry...)
		}
		f.Add(rows, uint16(n), block)
		f.Add(rows, uint16(n-1), block)
	}
	f.Fuzz(func(t *testing.T, rows bool, entries uint16, block []byte) {
		if len(block) > maxBlock {
			return
		}
		checkHostile(t, func(path string) error {
			w, err := Create(durable.OS, path)
			if err != nil {
				return err
			}
			w.blocks.raw = append(w.blocks.raw, block...)
			w.blocks.section.Entries = uint64(entries)
			if err := w.next(); err != nil {
				return err
			}
			m := &Meta{Kind: Sessions, Capture: &capture.Identity{Path: "c", Size: 1}, Options: []byte("{}"), Report: []byte("{}")}
			if rows {
				m.Kind, m.Capture, m.Part = Rows, nil, &Part{Partitions: 1}
			}
			return w.Commit(m)
		})
	})
}
