package ingest

import "context"

// Await runs f, which may wait for ever, for a pipe say, and returns before f
// does if ctx ends; the error is then the cause of that. In that case f keeps
// running: the caller must not touch anything it uses.
func Await[T any](ctx context.Context, f func() (T, error)) (T, error) {
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
