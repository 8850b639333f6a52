package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// barVariable says for how long mainBar shows a bar.
const barVariable = "BATCH_TEST_BAR"

// slowSource is a capture that is read at an even pace.
type slowSource struct{ read atomic.Int64 }

func (s *slowSource) BytesRead() int64 { return s.read.Load() }

// mainBar shows a bar as a run over 400 captures of 3 GB in all would.
func mainBar() {
	took, err := time.ParseDuration(os.Getenv(barVariable))
	if err != nil {
		panic(err)
	}
	const total = 3 << 30
	term := &terminal{w: os.Stderr, name: defaultName, bar: drawsBars(os.Stderr)}
	source := new(slowSource)
	term.Begin(source)
	term.Start(400, total)
	for begun := time.Now(); time.Since(begun) < took; time.Sleep(20 * time.Millisecond) {
		source.read.Store(int64(total * time.Since(begun).Seconds() / took.Seconds()))
		term.Records(200_000)
		if part := time.Since(begun); part > took/2 && term.ended.Load() == 0 {
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
	t      *testing.T
	socket string
}

func newTmux(t *testing.T, columns int, vars ...string) *tmuxSession {
	t.Helper()
	self, err := exec.LookPath("batch-bar")
	if err != nil {
		t.Fatal(err)
	}
	s := &tmuxSession{t, filepath.Join(t.TempDir(), "tmux")}
	command := "env " + barVariable + "=2500ms " + strings.Join(vars, " ") + " " + self + "; sleep 60"
	s.run("-f", "/dev/null", "new-session", "-d", "-x", fmt.Sprint(columns), "-y", "12", command)
	t.Cleanup(func() { exec.Command("tmux", "-S", s.socket, "kill-server").Run() })
	return s
}

func (s *tmuxSession) run(args ...string) string {
	s.t.Helper()
	cmd := exec.Command("tmux", append([]string{"-u", "-S", s.socket}, args...)...)
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
		t.Skip("watches terminals for seconds")
	}
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("no tmux: ", err)
	}
	for _, columns := range []int{20, 40, 56, 80, 120, 200} {
		t.Run(fmt.Sprint(columns), func(t *testing.T) {
			t.Parallel()
			s := newTmux(t, columns, "LC_ALL=C.UTF-8")
			showed := watchBar(t, s, columns)
			if !strings.Contains(showed, "%") || !strings.Contains(showed, "█") {
				t.Errorf("no bar: %q", showed)
			}
			if has := strings.Contains(showed, "GiB"); has != (columns >= middleBar+leastBar) {
				t.Errorf("%q at %d columns", showed, columns)
			}
			if has := strings.Contains(showed, "packets/s"); has != (columns >= wideBar+leastBar) {
				t.Errorf("%q at %d columns", showed, columns)
			}
		})
	}
	t.Run("resized", func(t *testing.T) {
		t.Parallel()
		s := newTmux(t, 120, "LC_ALL=C.UTF-8")
		time.Sleep(800 * time.Millisecond)
		s.run("resize-window", "-x", "60")
		time.Sleep(500 * time.Millisecond)
		s.run("clear-history")
		time.Sleep(500 * time.Millisecond)
		bars := 0
		for _, line := range s.lines() {
			if strings.Contains(line, "%") {
				bars++
			}
		}
		if bars > 2 { // what was drawn before may be cut in two
			t.Errorf("a bar that was resized scrolls: %q", s.lines())
		}
	})
	t.Run("ASCII", func(t *testing.T) {
		t.Parallel()
		if showed := watchBar(t, newTmux(t, 60, "LC_ALL=C"), 60); !strings.Contains(showed, "=") || strings.Contains(showed, "█") {
			t.Errorf("%q", showed)
		}
	})
	t.Run("dumb", func(t *testing.T) {
		t.Parallel()
		if showed := watchBar(t, newTmux(t, 100, "TERM=dumb"), 100); showed != "" {
			t.Errorf("%q", showed)
		}
	})
}

// watchBar returns a bar that was shown, "" if there was none.
func watchBar(t *testing.T, s *tmuxSession, columns int) (showed string) {
	t.Helper()
	notices := []string{"batch: a notice"}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		lines := s.lines()
		if n := len(lines); n > 0 && lines[n-1] == "done" {
			if got := strings.Join(lines[:n-1], ""); got != strings.Join(notices, "") {
				t.Errorf("left on the screen: %q", lines)
			}
			return showed
		}
		bars := 0
		for _, line := range lines {
			if line == notices[0] {
				continue
			}
			if bars++; len([]rune(line)) > columns {
				t.Errorf("a line of %d columns: %q", len([]rune(line)), line)
			}
			showed = line
		}
		if bars > 1 {
			t.Fatalf("%d lines: %q", bars, lines)
		}
		if time.Now().After(deadline) {
			t.Fatalf("the bar does not end: %q", lines)
		}
	}
}
