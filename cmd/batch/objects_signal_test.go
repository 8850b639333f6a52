package main

import (
	"io"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"pcapbatch/internal/capturetest"
	"pcapbatch/internal/objecttest"
)

// SIGTERM ends a run, wherever it waits for the store, with 143 and nothing left
// there, also where the store has fallen silent.
func TestObjectsTerminated(t *testing.T) {
	s := objecttest.New(t)
	s.Put(t, "in/a", capturetest.Pcap(capturetest.ManySessions(1, 90_000)...))
	s.Put(t, "in/b", read(t, testdata+"/example.pcap"))
	self, _ := os.FindProcess(os.Getpid())
	query := func(name string) func(*http.Request) bool {
		return func(r *http.Request) bool { return r.Method != http.MethodDelete && r.URL.Query().Has(name) }
	}
	for _, c := range []struct {
		name string
		when func(r *http.Request) bool
		args []string
	}{
		{"a list", query("list-type"), []string{"extract", "-o", objects + "out", objects + "in/"}},
		{"the head of a capture", query("x-id"), []string{"extract", "-o", objects + "out", objects + "in/"}},
		{"a capture", func(r *http.Request) bool { return strings.HasPrefix(r.Header.Get("Range"), "bytes=524288-") }, []string{"extract", "-o", objects + "out", objects + "in/a"}},
		{"the beginning of an output", query("uploads"), []string{"extract", "-o", objects + "out", objects + "in/a"}},
		{"a part of an output", query("partNumber"), []string{"extract", "-o", objects + "out", objects + "in/a"}},
		{"the end of an output", func(r *http.Request) bool { return r.Method == http.MethodPost && r.URL.Query().Has("uploadId") }, []string{"extract", "-o", objects + "out", objects + "in/a"}},
		{"a run file", func(r *http.Request) bool { return r.Method == http.MethodPut }, []string{"map", "--out", objects + "runs", objects + "in/"}},
	} {
		var sent atomic.Bool
		s.Fail(func(r *http.Request) objecttest.Fault {
			if c.when(r) {
				if sent.CompareAndSwap(false, true) {
					_ = self.Signal(syscall.SIGTERM)
				}
				_, _ = io.Copy(io.Discard, r.Body)
				<-r.Context().Done()
				return objecttest.Reset
			}
			return objecttest.None
		})
		r := runWith(nil, c.args...)
		if r.code != 128+int(syscall.SIGTERM) || !sent.Load() || strings.Count(r.stderr, "\n") != 1 {
			t.Errorf("%s: status %d: %s", c.name, r.code, r.stderr)
		}
		s.Fail(nil)
		if left, keys := s.Unfinished(), s.Keys(t); len(left) > 0 || len(keys) != 2 {
			t.Errorf("%s: left are %q and %q", c.name, left, keys)
		}
	}
}
