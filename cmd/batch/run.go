package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes. A signal ends the run with 128 and its number.
const (
	exitOK      = 0
	exitPartial = 1 // finished, but something was damaged or left out
	exitUsage   = 2
	exitOutput  = 3 // the output could not be written
)

const seeHelp = "batch: see 'batch help'"

// exitError carries an exit code up to run. Err is nil where everything has
// been said already.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func usageError(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

// signalError is the cause of a context that a signal ended.
type signalError struct{ sig syscall.Signal }

func (e signalError) Error() string { return e.sig.String() }

// streams are the three standard streams.
type streams struct {
	in  io.Reader
	out io.Writer
	err io.Writer
}

// run is the whole command: it returns the exit code. Tests call it.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	ctx, stop := signalContext(context.Background())
	defer stop()
	std := &streams{in: stdin, out: stdout, err: stderr}
	root := newRoot(std)
	root.SetArgs(args)
	root.SetIn(stdin)
	printed := &firstError{Writer: stdout}
	root.SetOut(printed)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if printed.err != nil { // of help and the like, which cobra prints
		err = outputError(printed.err)
	}
	return exitCode(err, stderr)
}

// firstError keeps the first error of a writer.
type firstError struct {
	io.Writer
	err error
}

func (f *firstError) Write(p []byte) (int, error) {
	n, err := f.Writer.Write(p)
	f.err = cmp.Or(f.err, err)
	return n, err
}

// exitCode says what is left to say about err.
func exitCode(err error, stderr io.Writer) int {
	if err == nil {
		return exitOK
	}
	if s, ok := errors.AsType[signalError](err); ok {
		fmt.Fprintf(stderr, "batch: %v\n", err)
		return 128 + int(s.sig)
	}
	if errors.Is(err, syscall.EPIPE) {
		return exitOK // the reader has seen enough, as with "| head"
	}
	e, ok := errors.AsType[*exitError](err)
	if !ok { // of cobra: an unknown command or flag, in a text that may have lines
		fmt.Fprintf(stderr, "batch: %s\n%s\n", strings.TrimSpace(err.Error()), seeHelp)
		return exitUsage
	}
	if e.err != nil {
		fmt.Fprintf(stderr, "batch: %s\n", printable(e.err.Error()))
		if e.code == exitUsage {
			fmt.Fprintln(stderr, seeHelp)
		}
	}
	return e.code
}

// signalContext returns a context that the first SIGINT or SIGTERM ends, with
// a signalError as cause. A second one kills the process, as it always does.
// A closed pipe is an error of the write, not a signal.
func signalContext(parent context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGINT, syscall.SIGTERM)
	signal.Ignore(syscall.SIGPIPE)
	go func() {
		if s, ok := <-c; ok {
			signal.Stop(c)
			cancel(signalError{s.(syscall.Signal)})
		}
	}()
	return ctx, func() {
		signal.Stop(c)
		close(c)
		cancel(nil)
	}
}

// await runs f, which may wait for ever, for a pipe say, and returns before f
// does if ctx ends. Then f goes on alone: what it uses must be left to it.
func await[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := f()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, context.Cause(ctx)
	}
}

func newRoot(std *streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "batch",
		Short: "Statistics per network session from packet captures",
		Long: `batch reads packet captures (pcap, pcapng, plain or compressed) and writes one
CSV with a row of statistical features for each network session.`,
		Example: `  batch extract capture.pcap                  rows to standard output
  batch extract -o sessions.csv captures/     all captures of a directory
  zstdcat big.pcap.zst | batch extract -      from a pipe
  batch inspect -r captures/                  what is in the captures
  batch fields                                what the columns mean`,
		Version:       version(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddGroup(
		&cobra.Group{ID: "work", Title: "Commands:"},
		&cobra.Group{ID: "scale", Title: "For job schedulers:"},
		&cobra.Group{ID: "about", Title: "About the program:"})
	root.SetVersionTemplate(versionLine())
	root.SetHelpCommandGroupID("about")
	root.SetCompletionCommandGroupID("about")
	root.AddCommand(newExtract(std), newMerge(std), newMap(std), newReduce(std), newInspect(std), newFields(std), newVersion(std))
	return root
}
