package job

import (
	"fmt"
	"math"
	"path/filepath"
	"runtime"
	"testing"

	"pcapbatch/internal/capture"
	"pcapbatch/internal/capturetest"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/report"
)

// A weigher is an Observer, and the output of a job, that weighs what the
// process holds: when all captures were looked at, and when the first rows are
// written, so that all have been read.
type weigher struct {
	Silent
	of    int // captures
	most  uint64
	began bool
}

func (w *weigher) weigh() {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	w.most = max(w.most, m.HeapAlloc)
}

func (w *weigher) Start(captures int, _ int64) {
	w.of = captures
	w.weigh()
}

func (w *weigher) Write(p []byte) (int, error) {
	if !w.began {
		w.began = true
		w.weigh()
	}
	return len(p), nil
}

// heldBy is the most bytes of its heap that a job over dir held at once.
func heldBy(t *testing.T, c Config, dir string, state bool) int64 {
	t.Helper()
	w := &weigher{}
	c.Observer = w
	found := capture.Find(durable.OS, []string{dir}, true)
	var r *report.Run
	var err error
	if state {
		r, err = Resume(t.Context(), c, t.TempDir(), found, w)
	} else {
		r, err = Extract(t.Context(), c, found, w)
	}
	if err != nil || !w.began || w.of != len(found.Paths) || len(r.Captures) != w.of {
		t.Fatalf("%v, %d captures of %d", err, len(r.Captures), w.of)
	}
	return int64(w.most)
}

// Of a capture that has been read little stays: what the documentation says,
// and its path. It is the difference between few captures and many, so that
// thousands show it as well as a million, and better than the peak of a
// process does.
func TestHeldOfACapture(t *testing.T) {
	for _, test := range []struct {
		name      string
		few, many int
		capture   []byte           // nil: small ones that differ
		most      map[string]int64 // bytes that a capture adds, besides its path
	}{
		{"tiny", 200, 600, nil, map[string]int64{"extract": 768, "interleave": 3 << 10, "state": 4 << 10}},
		// Run files that were made keep what was counted in their captures.
		{"link types", 2, 4, capturetest.ManyLinks(), map[string]int64{"extract": 128 << 10, "interleave": 128 << 10, "state": 2 << 20}},
	} {
		few, many := t.TempDir(), t.TempDir()
		for dir, n := range map[string]int{few: test.few, many: test.many} {
			if test.capture == nil {
				capturetest.SmallCaptures(t, dir, n, nil)
				continue
			}
			for i := range n {
				write(t, filepath.Join(dir, fmt.Sprintf("%06d.pcapng", i)), test.capture)
			}
		}
		for _, how := range []string{"extract", "interleave", "state"} {
			c := testConfig(2)
			c.Interleave = how == "interleave"
			most := test.most[how] + int64(len(many)+len("/000/000000.pcap"))
			// What tests before this one have left behind may go between two
			// weighings: the least of up to three is nearest.
			got := int64(math.MaxInt64)
			for tries := 0; tries < 3 && got > most; tries++ {
				less := heldBy(t, c, few, how == "state")
				got = min(got, (heldBy(t, c, many, how == "state")-less)/int64(test.many-test.few))
			}
			if t.Logf("%s, %s: %d bytes a capture of %d", test.name, how, got, most); got > most {
				t.Errorf("%s, %s: each capture more takes %d bytes, want at most %d", test.name, how, got, most)
			}
		}
	}
}
