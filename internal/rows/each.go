package rows

import (
	"context"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"pcapbatch/internal/agg"
)

// Each calls f for each i from 0 to n-1, in several goroutines side by side;
// worker, from 0 to workers-1, is the number of the goroutine. After an error f
// is not called again, and Each returns the first error.
func Each(ctx context.Context, workers, n int, f func(ctx context.Context, worker, i int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for w := range workers {
		g.Go(func() error {
			for i := int(next.Add(1) - 1); i < n; i = int(next.Add(1) - 1) {
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				if err := caught(func() error { return f(ctx, w, i) }); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// caught calls f. That there is no memory for tables is an error.
func caught(f func() error) (err error) {
	defer agg.CatchOutOfMemory(&err)
	return f()
}
