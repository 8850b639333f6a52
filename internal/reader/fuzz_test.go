package reader

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

// countedReader counts the calls of Read.
type countedReader struct {
	r     io.Reader
	calls int
}

func (c *countedReader) Read(p []byte) (int, error) {
	c.calls++
	return c.r.Read(p)
}

// exercise reads data as a capture and holds what must be true of any: records
// lie inside their blocks, every byte of a record was in the capture, the end
// is final, an error has a place, and reading it costs no more than its bytes
// pay for. It returns the number of records. Compressed input may unpack to no
// more than limit bytes.
func exercise(t *testing.T, data []byte, limit int) (records int, info Info, err error) {
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	src := &countedReader{r: bytes.NewReader(data)}
	bytesOut, blocks := 0, 0
	c, err := New("x", src, Options{})
	if err != nil {
		if e, ok := errors.AsType[*Error](err); !ok || e.Record != 0 {
			t.Fatalf("opening: %v of type %T", err, err)
		}
		checkBudget(t, nil, src, before.TotalAlloc, len(data), 0, 0)
		return 0, Info{}, err
	}
	defer c.Close()
	var b Block
	for err = c.Next(&b); err == nil && bytesOut < limit; err = c.Next(&b) {
		if len(b.Records) == 0 || len(b.Records) > BlockBytes/16 && len(b.Data) <= BlockBytes {
			t.Fatalf("a block of %d records", len(b.Records))
		}
		end := uint32(0)
		for _, r := range b.Records {
			if r.Off < end || int(r.Off)+int(r.CapLen) > len(b.Data) || r.WireLen < r.CapLen {
				t.Fatalf("record %+v in a block of %d bytes, after %d", r, len(b.Data), end)
			}
			end = r.Off + r.CapLen
		}
		records += len(b.Records)
		bytesOut += len(b.Data)
		blocks++
	}
	checkBudget(t, c, src, before.TotalAlloc, len(data), bytesOut, blocks)
	info = c.Info()
	if info.Records < uint64(records) || countLinks(info.Links)+info.OtherLinks != info.Records {
		t.Fatalf("%d records, info %+v", records, info)
	}
	if err == nil {
		return records, info, nil
	}
	e, ok := errors.AsType[*Error](err)
	if err != io.EOF && (!ok || e.Kind != Flawed && e.Record != uint64(records)+1 || e.Record > uint64(records)+1) {
		t.Fatalf("after %d records: %v", records, err)
	}
	if again := c.Next(&b); again != err {
		t.Fatalf("%v, then %v", err, again)
	}
	return records, info, err
}

// checkBudget fails an input that took more memory or work than its bytes pay
// for. The memory is all that was allocated: what an opened decompressor takes
// for each change of the compression, a buffer that grew for a large record,
// and 20 MiB for tables and for two blocks of lz4's legacy frames. The work is
// the calls of Read, each of which has brought something, and the walks: one
// for each block, header of a joined capture, and look ahead.
func checkBudget(t *testing.T, c *Capture, src *countedReader, allocated uint64, in, out, blocks int) {
	t.Helper()
	var after runtime.MemStats
	runtime.ReadMemStats(&after)
	changes := 0
	if c != nil {
		changes = c.content.changes
		if most := uint64(64 + 8*blocks + (in+out)/pcapRecord + 8*changes); c.walks > most {
			t.Fatalf("%d walks for %d bytes of %d in %d blocks", c.walks, out, in, blocks)
		}
	}
	if most := 64 + in/64 + 8*changes; src.calls > most {
		t.Fatalf("%d reads of %d bytes", src.calls, in)
	}
	if n := after.TotalAlloc - allocated; n > uint64(20<<20+8*(in+out)+changes<<20) {
		t.Fatalf("%d bytes allocated for %d of %d, with %d changes of the compression", n, out, in, changes)
	}
}

func countLinks(links []LinkCount) (n uint64) {
	for _, l := range links {
		n += l.Records
	}
	return n
}

// same reads data once more in single bytes: nothing may depend on how they
// arrive.
func same(t *testing.T, data []byte, records int, err error) {
	recs, _, again := readAll(iotest.OneByteReader(bytes.NewReader(data)))
	if err == io.EOF {
		err = nil
	}
	if len(recs) != records || (err == nil) != (again == nil) || err != nil && err.Error() != again.Error() {
		t.Fatalf("%d records, %v; in single bytes %d, %v", records, err, len(recs), again)
	}
}

// FuzzPcap: go test -fuzz FuzzPcap -fuzztime 10m ./internal/reader
func FuzzPcap(f *testing.F) {
	seed(f, "pcap-")
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, _, ok := isPcap(data); !ok {
			return
		}
		records, info, err := exercise(t, data, 1<<30)
		same(t, data, records, err)
		if err == io.EOF {
			recs, _, _ := readBytes(data)
			usual := info.Version == "2.4" && info.Captures == 1 && data[0] != 0x34 && data[3] != 0x34
			if n := accounted(recs); usual && n != len(data) && len(data)%tapeBlock != 0 {
				t.Fatalf("%d of %d bytes are accounted for", n, len(data))
			}
		}
	})
}

// FuzzPcapng: go test -fuzz FuzzPcapng -fuzztime 10m ./internal/reader
func FuzzPcapng(f *testing.F) {
	seed(f, "pcapng-")
	f.Fuzz(func(t *testing.T, data []byte) {
		if !isPcapng(data) {
			return
		}
		records, _, err := exercise(t, data, 1<<30)
		same(t, data, records, err)
	})
}

// FuzzOpen takes anything, compressed captures too: go test -fuzz FuzzOpen
// -fuzztime 10m ./internal/reader
func FuzzOpen(f *testing.F) {
	seed(f, "")
	all := samples()
	for _, data := range packed(f, all[0].data) {
		f.Add(data)
		f.Add(slices.Concat(all[3].data, data, all[4].data, data)) // joined
		f.Add(slices.Concat(data, make([]byte, 100)))
	}
	f.Fuzz(func(t *testing.T, data []byte) { exercise(t, data, 1<<20) })
}

// seed adds the samples whose name begins with prefix.
func seed(f *testing.F, prefix string) {
	for _, s := range samples() {
		if strings.HasPrefix(s.name, prefix) {
			f.Add(s.data)
			f.Add(slices.Concat(s.data, s.data, make([]byte, 40), s.data))
		}
	}
}
