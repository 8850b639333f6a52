package job

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"pcapbatch/internal/capture"
	"pcapbatch/internal/durable"
)

// largeSessions is a nanosecond pcap of n UDP packets of a few sessions, with
// random times and lengths: medians that depend on where a session is cut.
func largeSessions(r *rand.Rand, n int, begin int64) []byte {
	le, be := binary.LittleEndian, binary.BigEndian
	b := le.AppendUint32(nil, 0xa1b23c4d)
	b = le.AppendUint32(b, 2|4<<16)
	b = append(b, make([]byte, 8)...)
	b = le.AppendUint32(b, 262144)
	b = le.AppendUint32(b, 101) // RAW
	for range n {
		begin += r.Int64N(1_000_000)
		payload := r.IntN(1200)
		b = le.AppendUint32(b, uint32(begin/1e9))
		b = le.AppendUint32(b, uint32(begin%1e9))
		b = le.AppendUint32(b, uint32(28+payload))
		b = le.AppendUint32(b, uint32(28+payload))
		b = append(b, 0x45, 0)
		b = be.AppendUint16(b, uint16(28+payload))
		b = append(b, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, byte(r.IntN(3)), 192, 0, 2, 1)
		b = be.AppendUint16(b, 4000)
		b = be.AppendUint16(b, 53)
		b = be.AppendUint16(b, uint16(8+payload))
		b = append(b, make([]byte, 2+payload)...)
	}
	return b
}

// The same job on the same captures gives the same bytes, though the seed of the
// hash and the scheduler differ: also where sessions are put on disk, and where
// captures are read side by side or kept one by one.
func TestSameBytesWhereSessionsAreCut(t *testing.T) {
	const seed = 5
	r := rand.New(rand.NewPCG(seed, 1))
	dir := t.TempDir()
	for i := range 6 {
		data := largeSessions(r, 6000, 1_700_000_000e9+int64(i)*60e9)
		write(t, filepath.Join(dir, fmt.Sprintf("%d.pcap.gz", i)), gzipped(t, data))
	}
	found := capture.Find(durable.OS, []string{dir}, false)
	for _, kept := range []bool{false, true} {
		var want string
		for try := range 4 {
			c := New()
			c.Workers, c.StretchBytes, c.Share, c.LeastSpill = 3, 1, 8000, 1000
			var out bytes.Buffer
			var err error
			if kept {
				_, err = Resume(t.Context(), c, t.TempDir(), found, &out)
			} else {
				_, err = Extract(t.Context(), c, found, &out)
			}
			if err != nil {
				t.Fatal(err)
			}
			if try == 0 {
				want = out.String()
			}
			if out.String() != want {
				t.Fatalf("seed %d, kept %t: run %d gives other rows", seed, kept, try)
			}
		}
		whole := New()
		var out bytes.Buffer
		if _, err := Extract(t.Context(), whole, found, &out); err != nil {
			t.Fatal(err)
		}
		if out.String() == want {
			t.Errorf("kept %t: no median depends on the cuts: the test shows nothing", kept)
		}
	}
}
