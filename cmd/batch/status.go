package main

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"pcapbatch/internal/job"
	"pcapbatch/internal/report"
)

// Exit statuses. A signal ends the run with 128 and its number. Of several that
// apply it is the first of exitOutput, exitKept, exitInput, exitDamaged.
const (
	exitOK      = 0
	exitDamaged = 1 // finished, but something was damaged or left out
	exitUsage   = 2
	exitOutput  = 3 // output could not be written, or memory or temporary disk ran out
	exitInput   = 4 // an input is missing or failed to read: a second try may help
	exitKept    = 5 // a run file, part or state directory is damaged or does not fit
)

// exitHelp is the table of exit statuses, for the help of commands.
const exitHelp = `Exit status:
  0      all well
  1      finished, but something was damaged or left out
  2      wrong usage
  3      the output could not be written, or memory or temporary disk ran out
  4      an input is missing or failed to read, so that a second try may help;
         the rows of the other inputs are written
  5      a run file, part or state directory is damaged or does not fit
  128+n  ended by signal n: 129 is SIGHUP, 130 is SIGINT,
         143 is SIGTERM; 134, SIGABRT, is a crash of the program too
Of several that apply it is the first of 3, 5, 4, 1.`

// exitStatus is an error that ends the program with a status and no message:
// everything was reported before.
type exitStatus int

func (e exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

func usageError(format string, args ...any) error {
	return &job.Error{Category: job.Usage, Err: fmt.Errorf(format, args...)}
}

func outputError(err error) error {
	return &job.Error{Category: job.Output, Err: fmt.Errorf("write output: %w", err)}
}

// signalError is the cause of a context that a signal ended.
type signalError struct {
	sig  syscall.Signal
	note string // what became of the run
}

func (e signalError) Error() string { return e.sig.String() + e.note }

// reportStatus is the exit status of a run that ended without an error.
func reportStatus(r *report.Run) error {
	switch {
	case r.Failed():
		return exitStatus(exitInput)
	case r.Damaged():
		return exitStatus(exitDamaged)
	}
	return nil
}

// exitCode reports err, unless that was done before, and returns the exit
// status. cmd is the command that returned it.
func (e *env) exitCode(err error, cmd *cobra.Command) int {
	if err == nil {
		return exitOK
	}
	if s, ok := errors.AsType[signalError](err); ok {
		fmt.Fprintf(e.err, "%s: %s\n", e.name, e.named(err.Error()))
		return 128 + int(s.sig)
	}
	if errors.Is(err, syscall.EPIPE) {
		return exitOK // the reader has seen enough, as with "| head"
	}
	if status, ok := errors.AsType[exitStatus](err); ok {
		return int(status)
	}
	status := exitUsage
	text := report.Printable(err.Error())
	switch job.CategoryOf(err) {
	case job.Unknown: // of cobra: an unknown command or flag, in a text that may have lines
		text = strings.TrimSpace(err.Error())
	case job.Output:
		status = exitOutput
	case job.Kept:
		status = exitKept
	case job.Input:
		status = exitInput
	case job.Damaged:
		status = exitDamaged
	}
	fmt.Fprintf(e.err, "%s: %s\n", e.name, e.named(text))
	if status == exitUsage {
		fmt.Fprintf(e.err, "%s: see '%s'\n", e.name, helpOf(cmd))
	}
	return status
}
