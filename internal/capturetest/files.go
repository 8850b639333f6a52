package capturetest

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
)

// Full reports whether tests are to run at the sizes that they promise: make
// full sets the variable. By default a test of which the size is the promise,
// or which tries every place there is, shows the same at a smaller size.
func Full() bool { return os.Getenv("PCAPBATCH_FULL") != "" }

// Usually is n by default and full when Full does so.
func Usually(n, full int) int {
	if Full() {
		return full
	}
	return n
}

// Write writes a file, makes its directory where there is none, and returns
// its path. A file that was there goes first: to write into it would make some
// file systems wait for the disk (ext4 does, auto_da_alloc), which takes twenty
// times as long.
func Write[T []byte | string](t testing.TB, path string, data T) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Load reads a file.
func Load(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Gzipped compresses data.
func Gzipped(t testing.TB, data []byte) []byte {
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

// Series cuts n packets of small sessions into k captures that follow each
// other, and returns their directory.
func Series(t testing.TB, n, k int) (dir string, paths []string) {
	t.Helper()
	dir = t.TempDir()
	records := ManySessions(7, n)
	for i := range k {
		path := filepath.Join(dir, fmt.Sprintf("%03d.pcap", i))
		paths = append(paths, Write(t, path, Pcap(records[i*n/k:(i+1)*n/k]...)))
	}
	return dir, paths
}

// SmallCaptures writes n captures of 10 packets each, a thousand to a
// directory; a session goes on through ten of them. It returns all packets.
// pack compresses a capture; nil leaves it plain.
func SmallCaptures(t testing.TB, dir string, n int, pack func([]byte) []byte) (all []Record) {
	t.Helper()
	for i := range n {
		var records []Record
		for k := range 10 {
			records = append(records, Record{
				Time: Begin + int64(10*i+k)*Second/100,
				Data: IP(Client, Server, ProtoUDP, UDP(uint16(i/10), 53, k)),
			})
		}
		data := Pcap(records...)
		if pack != nil {
			data = pack(data)
		}
		Write(t, filepath.Join(dir, fmt.Sprintf("%03d", i/1000), fmt.Sprintf("%06d.pcap", i)), data)
		all = append(all, records...)
	}
	return all
}

// Rows reads a CSV: a map from the name of a column to its cell for each row.
// It refuses rows of different lengths.
func Rows[Row ~map[string]string](t testing.TB, text string) (rows []Row) {
	t.Helper()
	records, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil || len(records) == 0 {
		t.Fatalf("not a CSV: %v", err)
	}
	for _, cells := range records[1:] {
		r := Row{}
		for i, name := range records[0] {
			r[name] = cells[i]
		}
		rows = append(rows, r)
	}
	return rows
}

// FIFO makes a named pipe, and skips the test on systems without any.
func FIFO(t testing.TB, path string) {
	t.Helper()
	if err := MakeFIFO(path); errors.Is(err, errors.ErrUnsupported) {
		t.Skip("no named pipes")
	} else if err != nil {
		t.Fatal(err)
	}
}
