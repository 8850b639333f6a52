package rows

import (
	"context"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// Each calls f for the numbers from 0 to n-1, on workers goroutines side by
// side; worker tells them apart. After an error it calls no more, and returns
// the first.
func Each(ctx context.Context, workers, n int, f func(ctx context.Context, worker, i int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for w := range workers {
		g.Go(func() error {
			for i := int(next.Add(1) - 1); i < n; i = int(next.Add(1) - 1) {
				if ctx.Err() != nil {
					return context.Cause(ctx)
				}
				if err := f(ctx, w, i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}
