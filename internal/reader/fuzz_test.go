package reader

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
)

// exercise reads data as a capture and holds what must be true of any: records lie inside their blocks, every byte
// of a record was in the capture, the end is final, an error has a place, and little is allocated. It returns the
// number of records. Compressed input may unpack to no more than limit bytes.
func exercise(t *testing.T, data []byte, limit int) (records int, info Info, err error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	c, err := New("x", bytes.NewReader(data), Options{})
	if err != nil {
		if e, ok := errors.AsType[*Error](err); !ok || e.Record != 0 {
			t.Fatalf("opening: %v of type %T", err, err)
		}
		return 0, Info{}, err
	}
	defer c.Close()
	var b Block
	bytesOut := 0
	for err = c.Next(&b); err == nil && bytesOut < limit; err = c.Next(&b) {
		if len(b.Records) == 0 || len(b.Records) > BlockBytes/16 && len(b.Data) <= BlockBytes {
			t.Fatalf("a block of %d records", len(b.Records))
		}
		end := uint32(0)
		for _, r := range b.Records {
			if r.Off < end || int(r.Off)+int(r.CapLen) > len(b.Data) {
				t.Fatalf("record %+v in a block of %d bytes, behind %d", r, len(b.Data), end)
			}
			end = r.Off + r.CapLen
		}
		records += len(b.Records)
		bytesOut += len(b.Data)
	}
	info = c.Info()
	if info.Records < uint64(records) || countLinks(info.Links) != info.Records {
		t.Fatalf("%d records, info %+v", records, info)
	}
	if err == nil {
		return records, info, nil
	}
	if e, ok := errors.AsType[*Error](err); err != io.EOF && (!ok || e.Record != uint64(records)+1) {
		t.Fatalf("behind %d records: %v", records, err)
	}
	if again := c.Next(&b); again != err {
		t.Fatalf("%v, then %v", err, again)
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > uint64(64<<20+8*bytesOut) {
		t.Fatalf("%d bytes allocated for %d of %d", n, bytesOut, len(data))
	}
	return records, info, err
}

func countLinks(links []LinkCount) (n uint64) {
	for _, l := range links {
		n += l.Records
	}
	return n
}

// same reads data once more in single bytes: nothing may depend on how they arrive.
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
		records, _, err := exercise(t, data, 1<<30)
		same(t, data, records, err)
		if err == io.EOF {
			recs, _, _ := readBytes(data)
			if n := accounted(recs); n != len(data) && data[0] != 0x34 && data[3] != 0x34 {
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

// FuzzOpen takes anything, compressed captures too: go test -fuzz FuzzOpen -fuzztime 10m ./internal/reader
func FuzzOpen(f *testing.F) {
	seed(f, "")
	for _, data := range packed(f, samples()[0].data) {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) { exercise(t, data, 1<<20) })
}

// seed adds the samples whose name begins with prefix.
func seed(f *testing.F, prefix string) {
	for _, s := range samples() {
		if strings.HasPrefix(s.name, prefix) {
			f.Add(s.data)
		}
	}
}
