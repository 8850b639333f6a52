package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// A bar is the progress bar of a terminal: one line, whatever its width. What
// does not fit on the line is left out, because a longer one scrolls the screen
// each time that it is drawn.
type bar struct {
	*terminal
	total   int64 // bytes to read; -1: unknown
	begun   time.Time
	columns int // of the terminal, when shown was made
	shown   *progressbar.ProgressBar
}

// What a bar shows has these widths, in columns, besides the bar itself, for
// which leastBar has to be left.
const (
	narrowBar = 10 // percent and the frame of the bar
	middleBar = 44 // and bytes and bytes a second
	wideBar   = 98 // and captures, packets a second and times
	leastBar  = 10
)

// fits reports whether the terminal is wide enough for one of those.
func (b *bar) fits(width int) bool { return b.columns >= width+leastBar }

// draw draws the bar, a new one where the width of the terminal has changed.
func (b *bar) draw() {
	if columns := columnsOf(b.w); b.shown == nil || columns != b.columns {
		b.clear()
		b.columns = columns
		b.shown = b.sized()
	}
	if b.fits(wideBar) {
		b.shown.Describe(b.describe(float64(b.records.Load()) / time.Since(b.begun).Seconds()))
	}
	_ = b.shown.Set64(b.bytes()) // beyond the total when a capture grows: it is only a bar
}

// sized makes a bar for the width of the terminal.
func (b *bar) sized() *progressbar.ProgressBar {
	width := narrowBar
	if b.fits(middleBar) {
		width = middleBar
	}
	if b.fits(wideBar) {
		width = wideBar
	}
	options := []progressbar.Option{
		progressbar.OptionSetWriter(b.w),
		progressbar.OptionThrottle(100 * time.Millisecond),
		progressbar.OptionUseANSICodes(true),
		progressbar.OptionUseIECUnits(true), // as the summary has them
		progressbar.OptionClearOnFinish(),
		progressbar.OptionSetWidth(min(max(b.columns-width, 1), 40)),
		progressbar.OptionShowBytes(width > narrowBar),
		progressbar.OptionSetPredictTime(width == wideBar),
		progressbar.OptionSetElapsedTime(width == wideBar),
	}
	if width > narrowBar {
		options = append(options, progressbar.OptionShowCount())
	}
	if !unicodeLocale() {
		options = append(options, progressbar.OptionSetTheme(progressbar.ThemeASCII))
	}
	return progressbar.NewOptions64(b.total, options...)
}

// describe returns the text before the bar. rate is in packets per second.
func (b *bar) describe(rate float64) string {
	text := fmt.Sprintf("%.1f M packets/s", rate/1e6)
	if b.captures > 1 {
		text = fmt.Sprintf("%d/%d captures, %s", b.ended.Load(), b.captures, text)
	}
	return text
}

// clear removes the bar from its line.
func (b *bar) clear() {
	if b.shown != nil {
		_ = b.shown.Clear()
	}
}

// columnsOf returns the width of a terminal; 80 where it has none to tell.
func columnsOf(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if columns, _, err := term.GetSize(int(f.Fd())); err == nil && columns > 0 {
			return columns
		}
	}
	return 80
}

// drawsBars reports whether a bar can be drawn on the terminal w.
func drawsBars(w io.Writer) bool { return isTerminal(w) && os.Getenv("TERM") != "dumb" }

// unicodeLocale reports whether the terminal is said to show more than ASCII:
// what POSIX makes of its variables, with the system's default where none is
// set.
func unicodeLocale() bool {
	for _, name := range [...]string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if value := os.Getenv(name); value != "" {
			value = strings.ToLower(strings.ReplaceAll(value, "-", ""))
			return strings.Contains(value, "utf8")
		}
	}
	return os.PathSeparator == '\\' // Windows has no such variables
}
