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

	"pcapbatch/internal/reader"
)

// progressCounts are what the progress bar shows, kept by the readers.
type progressCounts struct {
	records atomic.Uint64
	done    atomic.Int64 // bytes of the captures that are finished
	ended   atomic.Int64 // captures that are finished
	mu      sync.Mutex
	open    map[*reader.Capture]struct{}
}

func (p *progressCounts) begin(c *reader.Capture) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open == nil {
		p.open = map[*reader.Capture]struct{}{}
	}
	p.open[c] = struct{}{}
}

// advance counts a block of records.
func (p *progressCounts) advance(records int) {
	p.records.Add(uint64(records))
}

func (p *progressCounts) end(c *reader.Capture) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, c)
	p.done.Add(c.BytesRead())
	p.ended.Add(1)
}

// skip counts a capture that could not be opened.
func (p *progressCounts) skip() { p.ended.Add(1) }

// bytes returns the bytes read of all captures, as they lie on disk.
func (p *progressCounts) bytes() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.done.Load()
	for c := range p.open {
		n += c.BytesRead()
	}
	return n
}

// describe is the text in front of the bar. rate is in packets a second.
func (p *progressCounts) describe(captures int, rate float64) string {
	text := fmt.Sprintf("%.1f M packets/s", rate/1e6)
	if captures > 1 {
		text = fmt.Sprintf("%d/%d captures, %s", p.ended.Load(), captures, text)
	}
	return text
}

// isTerminal reports whether w is a terminal.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// showProgress draws a bar on w until the function it returns is called, which
// wipes it away. total is the size of all captures in bytes, -1 where it is
// not known.
func showProgress(w io.Writer, captures int, total int64, p *progressCounts) (stop func()) {
	bar := progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(w),
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
				rate := float64(p.records.Load()) / time.Since(begin).Seconds()
				bar.Describe(p.describe(captures, rate))
				_ = bar.Set64(p.bytes()) // beyond the total when a capture grows: it is only a bar
			case <-quit:
				_ = bar.Clear()
				return
			}
		}
	}()
	return func() {
		close(quit)
		<-gone
	}
}
