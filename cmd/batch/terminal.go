package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/term"

	"pcapbatch/internal/ingest"
	"pcapbatch/internal/report"
)

// A terminal is the job.Observer that shows a person what happens in a job. If
// a progress bar is wanted it draws one, from Start until close.
type terminal struct {
	w     io.Writer
	name  string // of the program
	bar   bool   // a progress bar is wanted
	json  bool   // lines of JSON are, for a program that shows a bar of its own
	quiet bool   // no notes

	records  atomic.Uint64
	ended    atomic.Int64 // captures that were read or could not be opened
	mu       sync.Mutex
	drawn    bool  // the bar may be on the current line of w
	done     int64 // bytes of the captures that were read
	open     map[ingest.Source]struct{}
	captures int
	stop     func() // ends the bar; nil where there is none
}

// Begin implements ingest.Observer.
func (t *terminal) Begin(s ingest.Source) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open == nil {
		t.open = map[ingest.Source]struct{}{}
	}
	t.open[s] = struct{}{}
}

// End implements ingest.Observer.
func (t *terminal) End(s ingest.Source) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.open, s)
	t.done += s.BytesRead()
	t.ended.Add(1)
}

// Skip implements ingest.Observer.
func (t *terminal) Skip() { t.ended.Add(1) }

// Records implements ingest.Observer.
func (t *terminal) Records(n int) { t.records.Add(uint64(n)) }

// Notice implements ingest.Observer: it writes the line in place of the bar,
// which is drawn again a moment later.
func (t *terminal) Notice(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.drawn {
		fmt.Fprint(t.w, "\r\x1b[K")
	}
	fmt.Fprintf(t.w, "%s: %s\n", t.name, report.Printable(line))
}

// Note implements job.Observer.
func (t *terminal) Note(line string) {
	if !t.quiet {
		t.Notice(line)
	}
}

// bytes returns the bytes read of all captures, as they lie on disk.
func (t *terminal) bytes() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.done
	for s := range t.open {
		n += s.BytesRead()
	}
	return n
}

// Start implements job.Observer.
func (t *terminal) Start(captures int, bytes int64) {
	switch {
	case t.json:
		t.show(500*time.Millisecond, func() { t.writeJSON(bytes) }, func() { t.writeJSON(bytes) })
	case t.bar:
		t.captures, t.drawn = captures, true
		b := &bar{terminal: t, total: bytes, begun: time.Now()}
		t.show(200*time.Millisecond, b.draw, b.clear)
	}
}

// show calls draw now and then, from a goroutine, until close does so with end.
func (t *terminal) show(every time.Duration, draw, end func()) {
	quit, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				draw()
			case <-quit:
				end()
				return
			}
		}
	}()
	t.stop = func() {
		close(quit)
		<-gone
	}
}

// writeJSON writes how many bytes of the captures were read, and of how many
// where that is known.
func (t *terminal) writeJSON(total int64) {
	line := struct {
		Bytes int64 `json:"bytes"`
		Total int64 `json:"total,omitempty"`
	}{t.bytes(), max(total, 0)}
	text, _ := json.Marshal(line) // of two numbers
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintf(t.w, "%s\n", text)
}

// close removes the bar and ends its goroutine.
func (t *terminal) close() {
	if t.stop != nil {
		t.stop()
		t.stop = nil
	}
}

// isTerminal reports whether a standard stream is a terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
