package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// sample is the time and memory that one run of a process took.
type sample struct {
	WallS   float64 `json:"wall_s"`
	CPUS    float64 `json:"cpu_s"`    // user and system, with the children it waited for
	PeakRSS int64   `json:"peak_rss"` // bytes; 0 where the system does not tell
}

// process is a program to be run.
type process struct {
	argv []string
	cpus int // run on the first so many CPUs only; 0: on all
	// printed gets standard output and standard error. With nil standard
	// output goes to /dev/null, and the end of standard error is kept for an
	// error message.
	printed *os.File
}

// run runs the process to its end. A process that fails, or takes longer than
// limit, is an error with the last line it wrote to standard error.
//
// The kernel counts what the process used before it executed the program, which
// is the memory of this harness: figures below some 10 MB cannot be seen.
func (p process) run(limit time.Duration) (sample, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	argv := onCPUs(p.argv, p.cpus)
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	var complaint tail
	cmd.Stderr = &complaint
	if p.printed != nil {
		cmd.Stdout, cmd.Stderr = p.printed, io.MultiWriter(&complaint, p.printed)
	}
	start := time.Now()
	err := cmd.Run()
	wall := time.Since(start)
	if ctx.Err() != nil {
		err = fmt.Errorf("not done after %v", limit)
	}
	if err != nil {
		return sample{}, fmt.Errorf("%s: %w: %s", strings.Join(p.argv, " "), err, complaint.lastLine())
	}
	state := cmd.ProcessState
	return sample{
		WallS:   wall.Seconds(),
		CPUS:    (state.UserTime() + state.SystemTime()).Seconds(),
		PeakRSS: peakRSS(state),
	}, nil
}

// onCPUs returns argv changed to run on the first n CPUs, with taskset of
// util-linux.
func onCPUs(argv []string, n int) []string {
	if n == 0 {
		return argv
	}
	return append([]string{"taskset", "-c", "0-" + strconv.Itoa(n-1)}, argv...)
}

// tail keeps the end of what is written to it.
type tail struct{ buf []byte }

func (t *tail) Write(p []byte) (int, error) {
	const keep = 4096
	t.buf = append(t.buf, p...)
	if len(t.buf) > keep {
		t.buf = append(t.buf[:0], t.buf[len(t.buf)-keep:]...)
	}
	return len(p), nil
}

func (t *tail) lastLine() string {
	lines := bytes.Split(bytes.TrimSpace(t.buf), []byte("\n"))
	return string(lines[len(lines)-1])
}
