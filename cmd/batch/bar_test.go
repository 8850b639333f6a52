package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// barVariable names the directory in which mainBar looks for the files "notice"
// and "end".
const barVariable = "BATCH_TEST_BAR"

// slowSource is a capture that is read at an even pace.
type slowSource struct{ read atomic.Int64 }

func (s *slowSource) BytesRead() int64 { return s.read.Load() }

// mainBar shows a bar as a run over 400 captures of 3 GB in all would, until it
// is told to end. When it is told to, it gives a notice.
func mainBar() {
	const total = 3 << 30
	told := func(what string) bool {
		_, err := os.Stat(filepath.Join(os.Getenv(barVariable), what))
		return err == nil
	}
	term := &terminal{w: os.Stderr, name: defaultName, bar: drawsBars(os.Stderr)}
	source := new(slowSource)
	term.Begin(source)
	term.Start(400, total)
	for ; !told("end"); time.Sleep(20 * time.Millisecond) {
		source.read.Store(min(source.read.Load()+total/100, total*9/10))
		term.Records(200_000)
		if term.ended.Load() == 0 && told("notice") {
			term.Notice("a notice")
			term.Skip()
		}
	}
	term.close()
	fmt.Fprintln(os.Stderr, "done")
}

// A tmuxSession is a terminal of a given width in which the test program shows
// a bar.
type tmuxSession struct {
	t   *testing.T
	dir string // of the socket, and of what mainBar is told
}

func newTmux(t *testing.T, columns int, vars ...string) *tmuxSession {
	t.Helper()
	self, err := exec.LookPath("batch-bar")
	if err != nil {
		t.Fatal(err)
	}
	s := &tmuxSession{t, t.TempDir()}
	command := "env " + barVariable + "=" + s.dir + " " + strings.Join(vars, " ") + " " + self + "; sleep 60"
	s.run("-f", "/dev/null", "new-session", "-d", "-x", fmt.Sprint(columns), "-y", "12", command)
	t.Cleanup(func() { exec.Command("tmux", "-S", s.socket(), "kill-server").Run() })
	return s
}

func (s *tmuxSession) socket() string { return filepath.Join(s.dir, "tmux") }

// tell tells mainBar to do something.
func (s *tmuxSession) tell(what string) { mustWrite(s.t, filepath.Join(s.dir, what), "") }

func (s *tmuxSession) run(args ...string) string {
	s.t.Helper()
	cmd := exec.Command("tmux", append([]string{"-u", "-S", s.socket()}, args...)...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "TERM=screen-256color")
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("tmux %q: %v: %s", args, err, out)
	}
	return string(out)
}

// lines returns the lines of the screen that have something on them, what has
// scrolled away included.
func (s *tmuxSession) lines() (list []string) {
	for line := range strings.Lines(s.run("capture-pane", "-p", "-S", "-")) {
		if line = strings.TrimRight(line, " \n"); line != "" {
			list = append(list, line)
		}
	}
	return list
}

// The bar is one line, whatever the width of the terminal, and gone at the end.
func TestBar(t *testing.T) {
	if testing.Short() {
		t.Skip("watches terminals")
	}
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("no tmux: ", err)
	}
	for _, columns := range []int{20, 40, 56, 80, 120, 200} {
		t.Run(fmt.Sprint(columns), func(t *testing.T) {
			t.Parallel()
			shows := map[string]bool{"%": true, "█": true, "GiB": columns >= middleBar+leastBar, "packets/s": columns >= wideBar+leastBar}
			watchBar(t, newTmux(t, columns, "LC_ALL=C.UTF-8"), columns, shows)
		})
	}
	t.Run("resized", func(t *testing.T) {
		t.Parallel()
		s := newTmux(t, 120, "LC_ALL=C.UTF-8")
		s.await("a bar", func(lines []string) bool { return len(barsIn(lines)) == 1 })
		s.run("resize-window", "-x", "60")
		s.await("a shorter bar", func(lines []string) bool {
			bars := barsIn(lines)
			return len(bars) > 0 && len([]rune(bars[len(bars)-1])) <= 60
		})
		s.run("clear-history")
		time.Sleep(500 * time.Millisecond)            // it is drawn twice or more
		if bars := barsIn(s.lines()); len(bars) > 2 { // what was drawn before may be cut in two
			t.Errorf("a bar that was resized scrolls: %q", bars)
		}
	})
	t.Run("ASCII", func(t *testing.T) {
		t.Parallel()
		watchBar(t, newTmux(t, 60, "LC_ALL=C"), 60, map[string]bool{"%": true, "=": true, "█": false})
	})
	t.Run("dumb", func(t *testing.T) {
		t.Parallel()
		watchBar(t, newTmux(t, 100, "TERM=dumb"), 100, nil)
	})
}

// await looks at the screen until it shows something, and returns what it has.
func (s *tmuxSession) await(what string, there func(lines []string) bool) []string {
	s.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		lines := s.lines()
		if there(lines) {
			return lines
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("there never was %s: %q", what, lines)
		}
	}
}

const barNotice = "batch: a notice"

// barsIn are the lines that are no notice.
func barsIn(lines []string) (bars []string) {
	for _, line := range lines {
		if line != barNotice && line != "done" {
			bars = append(bars, line)
		}
	}
	return bars
}

// watchBar looks at a bar to its end, before and after a notice. It fails unless
// the bar shows some things and does not show others; nil: unless there is none.
func watchBar(t *testing.T, s *tmuxSession, columns int, shows map[string]bool) {
	t.Helper()
	drawn := func(lines []string) bool {
		bars := barsIn(lines)
		if len(bars) > 1 {
			t.Fatalf("%d lines: %q", len(bars), lines)
		}
		for _, line := range bars {
			if n := len([]rune(line)); n > columns {
				t.Errorf("a line of %d columns: %q", n, line)
			}
			for what, is := range shows {
				if !is && strings.Contains(line, what) {
					t.Errorf("%q at %d columns", line, columns)
				}
				if is && !strings.Contains(line, what) {
					return false // not yet
				}
			}
		}
		return len(bars) == 1 || shows == nil
	}
	s.await("a bar", drawn)
	s.tell("notice")
	lines := s.await("a notice", func(lines []string) bool { return drawn(lines) && slices.Contains(lines, barNotice) })
	if shows == nil {
		time.Sleep(500 * time.Millisecond) // a bar would be drawn twice
		lines = s.lines()
	}
	if bars := barsIn(lines); shows == nil && len(bars) > 0 {
		t.Errorf("%q", bars)
	}
	s.tell("end")
	lines = s.await("the end", func(lines []string) bool { return len(lines) > 0 && lines[len(lines)-1] == "done" })
	if got := strings.Join(lines, "|"); got != barNotice+"|done" {
		t.Errorf("left on the screen: %q", lines)
	}
}
