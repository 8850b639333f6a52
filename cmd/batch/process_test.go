package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"pcapbatch/internal/capturetest"
)

// These tests need a process: for signals, and for pipes that end early.

// patience bounds the wait for a process that should end or begin at once.
const patience = 30 * time.Second

// start begins batch in a directory of its own and returns it once ready is
// there, a file that it makes.
func start(t *testing.T, dir, ready string, stdin io.Reader, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("batch", args...)
	cmd.Dir, cmd.Stdin = dir, stdin
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if m, err := filepath.Glob(filepath.Join(dir, ready)); err != nil {
			t.Fatal(err)
		} else if len(m) > 0 {
			return cmd
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s never came", ready)
		}
	}
}

// end waits for the process and returns its exit code.
func end(t *testing.T, cmd *exec.Cmd) int {
	t.Helper()
	timer := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	defer timer.Stop()
	cmd.Wait()
	if !cmd.ProcessState.Exited() {
		t.Fatalf("the process ended by %v", cmd.ProcessState)
	}
	return cmd.ProcessState.ExitCode()
}

// pipe is a pipe that nothing comes out of beyond what is put in.
func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.Close()
		w.Close()
	})
	return r, w
}

type signalCode struct {
	signal syscall.Signal
	code   int
}

var signals = append([]signalCode{{syscall.SIGINT, 130}, {syscall.SIGTERM, 143}}, hangup()...)

// hangup is SIGHUP, unless it is ignored, which processes inherit.
func hangup() []signalCode {
	if signal.Ignored(syscall.SIGHUP) {
		return nil
	}
	return []signalCode{{syscall.SIGHUP, 129}}
}

func expectEntries(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("left behind: %q, want %q", got, want)
	}
}

func TestSignalEndsTheWaitForStandardInput(t *testing.T) {
	t.Parallel()
	for _, s := range signals {
		dir := t.TempDir()
		r, w := pipe(t)
		if _, err := w.Write(read(t, testdata+"/example.pcap")); err != nil {
			t.Fatal(err)
		}
		cmd := start(t, dir, ".cpu.*.tmp", r, "extract", "-q", "-o", "s.csv", "--cpuprofile", "cpu", "-")
		cmd.Process.Signal(s.signal)
		if code := end(t, cmd); code != s.code {
			t.Errorf("%v: exit code %d, want %d", s.signal, code, s.code)
		}
		expectEntries(t, dir, "cpu")
	}
}

func TestSignalInTheMiddleOfACapture(t *testing.T) {
	t.Parallel()
	for _, s := range signals {
		dir := t.TempDir()
		r, w := pipe(t)
		// What a pipe cannot hold: when all is written, the process waits for the rest of a block.
		data := pcap()
		for range 10_000 {
			data = appended(data, record{Time: begin, Data: sent(ack, 0)})
		}
		written := make(chan struct{})
		go func() {
			w.Write(data)
			close(written)
		}()
		cmd := start(t, dir, ".s.csv.*.tmp", r, "extract", "-q", "-o", "s.csv", "-")
		<-written
		cmd.Process.Signal(s.signal)
		if code := end(t, cmd); code != s.code {
			t.Errorf("%v: exit code %d, want %d", s.signal, code, s.code)
		}
		expectEntries(t, dir)
	}
}

func TestSignalEndsTheWaitForAFIFO(t *testing.T) {
	t.Parallel()
	for _, s := range signals {
		dir := t.TempDir()
		capturetest.FIFO(t, filepath.Join(dir, "fifo"))
		// A capture that nobody writes, and an output that nobody reads.
		example, err := filepath.Abs(testdata + "/example.pcap")
		if err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{{"fifo"}, {"-o", "fifo", example}} {
			os.Remove(filepath.Join(dir, "cpu"))
			cmd := start(t, dir, ".cpu.*.tmp", nil, append([]string{"extract", "--cpuprofile", "cpu"}, args...)...)
			cmd.Process.Signal(s.signal)
			if code := end(t, cmd); code != s.code {
				t.Errorf("%v, %q: exit code %d, want %d", s.signal, args, code, s.code)
			}
			expectEntries(t, dir, "cpu", "fifo")
		}
	}
}

// A list of captures, of rules or of rows that has not come to its end.
func TestSignalEndsTheWaitForAList(t *testing.T) {
	t.Parallel()
	for _, s := range signals {
		for _, command := range []string{"extract --files-from", "inspect --files-from", "extract x.pcap --labels", "compare"} {
			fifo := filepath.Join(t.TempDir(), "fifo")
			capturetest.FIFO(t, fifo)
			args := append(strings.Fields(command), fifo)
			if command == "compare" {
				args = append(args, fifo)
			}
			cmd := exec.Command("batch", args...)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			w, err := os.OpenFile(fifo, os.O_WRONLY, 0) // waits for the process to read
			if err != nil {
				t.Fatal(err)
			}
			cmd.Process.Signal(s.signal)
			if code := end(t, cmd); code != s.code {
				t.Errorf("%v, %s: exit code %d, want %d", s.signal, command, code, s.code)
			}
			w.Close()
		}
	}
}

// Outcomes for a FIFO that nobody reads wait for a reader, until a signal comes.
func TestOutcomesWaitForAReader(t *testing.T) {
	t.Parallel()
	fifo := filepath.Join(t.TempDir(), "fifo")
	capturetest.FIFO(t, fifo)
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("ended")
	time.AfterFunc(50*time.Millisecond, func() { cancel(cause) })
	if lines, err := createLines(ctx, fifo, &env{}); err != cause {
		t.Errorf("%v, %v", lines, err)
	}
}

// A reader of the output that has stopped to read.
func TestSignalEndsTheWaitForAReader(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data := string(read(t, testdata+"/example.pcap"))
	for i := range 400 { // more lines than a pipe holds
		mustWrite(t, filepath.Join(dir, fmt.Sprint(i)), data)
	}
	type process struct {
		*exec.Cmd
		signalCode
	}
	var all []process // side by side, as they wait
	for _, s := range signals {
		for _, args := range [][]string{
			{"inspect", "--json", dir},
			{"map", "--no-sync", "--out", filepath.Join(t.TempDir(), "runs"), "--outcomes", "-", dir},
		} {
			r, w := pipe(t)
			cmd := exec.Command("batch", args...)
			cmd.Stdout = w
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { cmd.Process.Kill() })
			if _, err := io.ReadFull(r, make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			all = append(all, process{cmd, s})
		}
	}
	time.Sleep(200 * time.Millisecond) // they fill their pipes
	for _, p := range all {
		p.Process.Signal(p.signal)
	}
	for _, p := range all {
		if code := end(t, p.Cmd); code != p.code {
			t.Errorf("%q, %v: exit code %d, want %d", p.Args, p.signal, code, p.code)
		}
	}
}

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

// What cobra prints is output too.
func TestHelpToAFullDisk(t *testing.T) {
	for _, args := range [][]string{{"--help"}, {"help"}, {"extract", "--help"}, {"--version"}, {"version"}, {"fields"}, {"completion", "bash"}} {
		var stderr bytes.Buffer
		if code := runStreams(nil, fullDisk{}, &stderr, args...); code != exitOutput || !strings.Contains(stderr.String(), "no space left") {
			t.Errorf("%q: code %d, %q", args, code, stderr.String())
		}
	}
}

// TestClosedPipeIsQuiet is "batch extract ... | head -n 1".
func TestClosedPipeIsQuiet(t *testing.T) {
	t.Parallel()
	var records []record
	for i := range 20_000 { // rows beyond what a pipe holds
		records = append(records, record{Time: begin + int64(i), Data: ip(client, server, protoUDP, udp(uint16(i), uint16(i>>16), 0))})
	}
	path := write(t, "c.pcap", pcap(records...))
	for _, args := range [][]string{{"extract", path}, {"extract", "-o", "-", path}} {
		cmd := exec.Command("batch", args...)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReaderSize(out, 16).ReadString('\n')
		if err != nil || !strings.HasPrefix(line, "src_ip,") {
			t.Fatalf("first line %q, %v", line, err)
		}
		out.Close()
		if code := end(t, cmd); code != exitOK || stderr.Len() > 0 {
			t.Errorf("%q: exit code %d, stderr %q", args, code, stderr.String())
		}
	}
}

// TestFIFOAsCapture reads a capture that can be opened only once, beside one
// that comes before it.
func TestFIFOAsCapture(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	capturetest.FIFO(t, fifo)
	go func() { // ends when the reader has all
		if f, err := os.OpenFile(fifo, os.O_WRONLY, 0); err == nil {
			data, _ := os.ReadFile(testdata + "/rotated-a-later.pcap")
			f.Write(data)
			f.Close()
		}
	}()
	got := mustRun(t, "extract", fifo, testdata+"/rotated-b-earlier.pcap")
	if want := mustRun(t, "extract", testdata+"/example.pcap"); got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
}

func TestStandardInputAndOutputThatAreFiles(t *testing.T) {
	path := write(t, "c.pcap", read(t, testdata+"/example.pcap"))
	open := func(flag int) *os.File {
		f, err := os.OpenFile(path, flag, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	var stderr bytes.Buffer
	if code := runStreams(open(os.O_RDONLY), io.Discard, &stderr, "extract", "-o", path, "-"); code != exitUsage {
		t.Errorf("standard input replaced: exit code %d", code)
	}
	if code := runStreams(nil, open(os.O_WRONLY|os.O_APPEND), &stderr, "extract", path); code != exitUsage {
		t.Errorf("rows appended to the capture: exit code %d", code)
	}
	if !bytes.Equal(read(t, path), read(t, testdata+"/example.pcap")) {
		t.Error("the capture was changed")
	}
	var stdout bytes.Buffer
	if code := runStreams(open(os.O_RDONLY), &stdout, &stderr, "extract", "-"); code != exitOK || stdout.String() != mustRun(t, "extract", path) {
		t.Errorf("from standard input that is a file: exit code %d, %s", code, &stdout)
	}
}

func TestOddNames(t *testing.T) {
	dir := t.TempDir()
	names := []string{"line\nbreak.pcap", "inv\xffalid.pcap", "esc\x1b[31m.pcap", "tab\tand space .pcap", "-dash.pcap", "ünï.pcap"}
	var list []byte
	for i, name := range names {
		capture := pcap(record{Time: begin + int64(i), Data: ip(client, server, protoUDP, udp(uint16(i), 53, 0))})
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, capture[:len(capture)-1], 0o600); err != nil { // cut, so that each is told
			t.Skipf("the file system refuses %q: %v", name, err)
		}
		list = append(append(list, path...), 0)
	}
	for _, args := range [][]string{{"extract", dir}, {"extract", "--files-from", "-"}} {
		r := runWith(list, args...)
		lines := strings.Split(strings.TrimSpace(r.stderr), "\n")
		if r.code != exitDamaged || len(lines) != len(names)+1 {
			t.Errorf("%q: exit code %d, want a line for each of %d captures and one for all:\n%s", args, r.code, len(names), r.stderr)
		}
		for _, want := range []string{`line\nbreak.pcap: record 1`, `inv\xffalid.pcap: record 1`, `esc\x1b[31m.pcap`, `tab\tand space .pcap`, `-dash.pcap`, `ünï.pcap: record 1`} {
			if !strings.Contains(r.stderr, want) {
				t.Errorf("%q is not in:\n%s", want, r.stderr)
			}
		}
	}
	r := runWith(nil, "inspect", dir)
	if n := strings.Count(r.stdout, "\n"); r.code != exitDamaged || n != len(names) || strings.Contains(r.stdout, "\x1b") {
		t.Errorf("inspect: exit code %d, %d lines, want %d:\n%s", r.code, n, len(names), r.stdout)
	}
}
