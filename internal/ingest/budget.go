package ingest

import (
	"cmp"
	"context"
	"runtime"
	"slices"

	"golang.org/x/sync/semaphore"

	"pcapbatch/internal/reader"
)

// A budget divides Options.Memory among the captures that are open. Any number
// of goroutines may use it.
type budget struct {
	bytes int64 // 0: there is no limit
	alone int64 // Options.Alone
	usual int64 // for a capture that has not asked for more
	free  *semaphore.Weighted
}

// largeCapture is what a capture holds, in bytes, from which on its memory is
// collected as soon as it is closed: the next one must not come on top of it.
const largeCapture = 16 << 20

func newBudget(o *Options) *budget {
	return &budget{o.Memory, o.Alone, o.Memory / int64(max(o.Workers, 1)), semaphore.NewWeighted(o.Memory)}
}

// of is how many bytes a capture may hold: what its beginning asked for, or its
// part of all there are, so that what comes later in it may ask for more.
func (b *budget) of(in *Input) int64 {
	if b.bytes == 0 {
		return 0
	}
	return min(b.alone, max(b.usual, in.holds))
}

// take waits until a capture may hold so many bytes, and returns what is to be
// given back. Captures that are open need nothing of those that wait. One that
// may hold more than the captures together is open alone.
func (b *budget) take(ctx context.Context, bytes int64) (int64, error) {
	bytes = min(bytes, b.bytes)
	if b.free.Acquire(ctx, bytes) != nil {
		return 0, context.Cause(ctx)
	}
	return bytes, nil
}

// give gives back the memory of a capture that was closed.
func (b *budget) give(bytes int64) {
	if b.bytes > 0 && bytes >= min(largeCapture, b.bytes) && b.usual < bytes {
		runtime.GC()
	}
	b.free.Release(bytes)
}

// Needs estimates the memory that captures hold while they are read, in bytes,
// by what their beginnings ask for: bytes for those that are open at once,
// which are the largest ones, one for each worker, or all of them if
// interleaved; largest for the largest of them.
func Needs(list []*Input, workers int, interleaved bool) (bytes, largest int64) {
	var most []int64
	for _, in := range list {
		if in.holds > int64(reader.OpenBytes) {
			most = append(most, in.holds)
		}
	}
	slices.SortFunc(most, func(a, b int64) int { return cmp.Compare(b, a) })
	for i, n := range most {
		largest = max(largest, n)
		if interleaved || i < workers {
			bytes += n
		}
	}
	return bytes, largest
}
