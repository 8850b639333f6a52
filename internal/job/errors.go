package job

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"pcapbatch/internal/durable"
	"pcapbatch/internal/ingest"
	"pcapbatch/internal/report"
	"pcapbatch/internal/runfile"
)

// A Category says what kind of failure an error is, for callers that act on it.
type Category uint8

const (
	// Unknown is an error of the caller's own: the cause of the context, say.
	Unknown Category = iota
	// Usage: what was asked for cannot be done, whatever the input.
	Usage
	// Output: the output could not be written, or temporary files or memory
	// ran out.
	Output
	// Input: an input is missing, in use, or could not be read; a second try
	// may succeed.
	Input
	// Kept: a run file, a part or a state directory is damaged, or does not fit
	// to the others or to what was asked for. A second try will not succeed.
	Kept
	// Damaged: a capture is damaged, in a run that was told to stop there.
	Damaged
)

// An Error is an error of a job with its category.
type Error struct {
	Category Category
	Err      error
}

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// ErrNothingRead says that not one of the captures could be opened. The report
// has the reasons.
var ErrNothingRead = errors.New("no capture could be read")

// ErrNoRunFile is what the error of Map wraps if captures have no run file.
var ErrNoRunFile = errors.New("without a run file")

// refuseWhole refuses rules that need whole sessions where those are put together
// of parts.
func (r *run) refuseWhole(who string) error {
	if !r.Sessions.whole() || r.Sessions.Capture {
		return nil
	}
	return failure(Usage, "%s joins what captures have of a session, but --active-timeout and --tcp-end need all of its packets in order: use --key capture, or --active-timeout 0 --tcp-end=false", who)
}

func failure(c Category, format string, args ...any) error {
	return &Error{c, fmt.Errorf(format, args...)}
}

// CategoryOf returns the category of an error that a job returned.
func CategoryOf(err error) Category {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Category
	}
	return Unknown
}

// categorised gives an error its category, if it is no error of the caller's.
func categorised(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if cause := context.Cause(ctx); cause != nil && errors.Is(err, cause) {
		return err
	}
	if _, ok := errors.AsType[*Error](err); ok || err == ErrNothingRead {
		return err
	}
	if d, ok := errors.AsType[*ingest.DamageError](err); ok {
		if d.Kind == report.KindIO {
			return &Error{Input, err}
		}
		return &Error{Damaged, err}
	}
	if _, ok := errors.AsType[*durable.WriteError](err); ok {
		return &Error{Output, err}
	}
	if errors.Is(err, runfile.ErrDamaged) || errors.Is(err, runfile.ErrVersion) || errors.Is(err, durable.ErrNotRegular) {
		return &Error{Kept, err}
	}
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return &Error{Input, err}
	}
	return &Error{Output, err} // such as an internal error: there are no rows
}

// An outputWriter gives the errors of the output their category, so that they
// are not taken for those of what is merged into it.
type outputWriter struct{ io.Writer }

func (o outputWriter) Write(p []byte) (int, error) {
	n, err := o.Writer.Write(p)
	if err != nil {
		err = failure(Output, "write output: %w", err)
	}
	return n, err
}
