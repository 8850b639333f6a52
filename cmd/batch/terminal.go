package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"pcapbatch/internal/ingest"
	"pcapbatch/internal/report"
)

// A terminal is the job.Observer that shows a person what happens in a job. If
// a progress bar is wanted it draws one, from Start until close.
type terminal struct {
	w     io.Writer
	bar   bool // a progress bar is wanted
	quiet bool // no notes

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
	fmt.Fprintf(t.w, "batch: %s\n", report.Printable(line))
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

// describe returns the text before the bar. rate is in packets per second.
func (t *terminal) describe(rate float64) string {
	text := fmt.Sprintf("%.1f M packets/s", rate/1e6)
	if t.captures > 1 {
		text = fmt.Sprintf("%d/%d captures, %s", t.ended.Load(), t.captures, text)
	}
	return text
}

// Start implements job.Observer.
func (t *terminal) Start(captures int, bytes int64) {
	if !t.bar {
		return
	}
	t.captures, t.drawn = captures, true
	bar := progressbar.NewOptions64(bytes,
		progressbar.OptionSetWriter(t.w),
		progressbar.OptionShowBytes(true),
		progressbar.OptionShowCount(),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionSetPredictTime(true),
		progressbar.OptionClearOnFinish())
	begin := time.Now()
	quit, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				bar.Describe(t.describe(float64(t.records.Load()) / time.Since(begin).Seconds()))
				_ = bar.Set64(t.bytes()) // beyond the total when a capture grows: it is only a bar
			case <-quit:
				_ = bar.Clear()
				return
			}
		}
	}()
	t.stop = func() {
		close(quit)
		<-gone
	}
}

// close removes the bar and ends its goroutine.
func (t *terminal) close() {
	if t.stop != nil {
		t.stop()
		t.stop = nil
	}
}

// isTerminal reports whether w is a terminal.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
